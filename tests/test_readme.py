"""The README's first shell block holds two commands, and its first picture is the program's own output."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpdeep.cli import run
from gpdeep.finite import angle_law

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_first_shell_block_holds_exactly_two_commands() -> None:
    first, second = blocks("sh")[0].strip().split("\n")
    assert first.endswith("gpdeep depth 784,128x50,10")
    assert second.endswith("python -m pytest")


def test_first_picture_is_what_the_first_command_prints() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "gpdeep", "depth", "784,128x50,10"],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert run.stdout == blocks("text")[0]


CONSOLE = re.findall(r"^\$ (.*?)\s+# .*?\n(.*?)(?=^\$ |\Z)", blocks("console")[0], re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), CONSOLE, ids=[command.split()[1] for command, _ in CONSOLE])
def test_the_five_questions_are_answered_as_shown(command: str, printed: str, tmp_path: Path) -> None:
    if {"path-length", "check"} & set(command.split()):
        pytest.importorskip("torch", reason="the torch extra is not installed")
    (tmp_path / "resnet.py").write_text(blocks("python")[2])
    subprocess.run([sys.executable, "-c", blocks("python")[0]], cwd=tmp_path, check=True)
    shell = command.replace("gpdeep ", f"{shlex.quote(sys.executable)} -m gpdeep ", 1)
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert run.stdout == printed, run.stderr


def test_five_questions_are_asked() -> None:
    assert [command.split()[1] for command, _ in CONSOLE] == ["depth", "clip", "geodesic", "path-length", "check"]


@pytest.mark.parametrize(("block", "names"), [(0, ("X.npy", "Y.npy")), (1, ("net.py",)), (2, ("resnet.py",))])
def test_a_file_is_named_above_the_block_that_defines_it_before_the_first_section(
    block: int, names: tuple[str, ...]
) -> None:
    before, section = README.split(blocks("python")[block])[0], README.index("\n## ")
    announced = before.removesuffix("```python\n").rstrip().splitlines()[-1]
    assert all(f"`{name}`" in announced for name in names)
    assert len(before) < section


def test_edge_of_chaos_is_what_its_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"is what `gpdeep (eoc [^`]*)` prints", README)
    assert command
    assert run(command[1].split()) == 0
    assert capsys.readouterr().out == blocks("text")[2]


def test_sparse_design_is_what_its_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"is what `gpdeep (clip [^`]*)` prints", README)
    assert command
    assert run(command[1].split()) == 0
    assert capsys.readouterr().out == blocks("text")[3]


def without_estimates(text: str) -> str:
    """The text without what rounding decides: estimated errors and spreads."""
    return re.sub(r"(± |constant to )[0-9.e-]+", r"\1", text)


def test_geodesic_is_what_its_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(blocks("python")[0], {})
    command = re.search(r"is what `gpdeep (geodesic [^`]*)` prints", README)
    assert command
    assert run(command[1].split()) == 0
    assert without_estimates(capsys.readouterr().out) == without_estimates(blocks("text")[5])


def test_path_lengths_are_what_their_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the torch extra is not installed")
    (tmp_path / "resnet.py").write_text(blocks("python")[2])
    monkeypatch.chdir(tmp_path)
    command = re.search(r"is what `gpdeep (path-length [^`]*)` prints", README)
    assert command
    assert run(command[1].split()) == 0
    assert capsys.readouterr().out == blocks("text")[7]


def test_table_of_early_and_late_is_the_evidence() -> None:
    evidence = json.loads((Path(__file__).parents[1] / "validation/results/cpu/nonlinear_advantage.json").read_text())
    gaps = evidence["tasks"]["sum"]["at_equal_napl"]
    for name, title in (("early", "removed early"), ("late", "removed late")):
        row = next(line for line in README.splitlines() if line.startswith(f"| {title}"))
        assert [float(cell) for cell in row.split("|")[2:-1]] == [round(gap[name], 3) for gap in gaps]
    row = next(line for line in README.splitlines() if line.startswith("| late - early, 95 %"))
    bounds = [tuple(float(end) for end in cell.split(" to ")) for cell in row.split("|")[2:-1]]
    assert bounds == [(round(gap["low"], 3), round(gap["high"], 3)) for gap in gaps]


def test_sparse_network_is_made_and_probed_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="the torch extra is not installed")
    exec(blocks("python")[3], {})
    assert "30 activations crelu" in capsys.readouterr().out


QUESTIONS = [line.split("#")[0].strip() for line in blocks("text")[1].strip().splitlines()]


@pytest.mark.parametrize("line", QUESTIONS)
def test_every_question_is_answered(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("matplotlib", "sklearn", "torch"):
        pytest.importorskip(package, reason="the extras of the README's examples are not installed")
    (tmp_path / "net.py").write_text(blocks("python")[1])
    monkeypatch.chdir(tmp_path)
    exec(blocks("python")[0], {})  # X.npy and Y.npy
    program, *arguments = shlex.split(line)
    assert program == "gpdeep"
    assert run(arguments) == 0
    assert capsys.readouterr().out


def test_numbers_in_the_table_of_methods() -> None:
    def mean(width: int, depth: int, method: str, theta0: float = np.pi / 2) -> float:
        return float(angle_law([width] * depth, theta0, method=method).mean[-1])

    # each number of the table, to the digits it is given with
    assert mean(64, 30, "grid") - mean(64, 30, "jakub-nica") == pytest.approx(0.25, abs=0.01)
    assert mean(10, 30, "grid") - mean(10, 30, "jakub-nica") == pytest.approx(12.8, abs=0.1)
    assert mean(128, 50, "infinite") - mean(128, 50, "grid") == pytest.approx(0.6, abs=0.05)
    assert mean(10, 30, "infinite", 0.5) - mean(10, 30, "grid", 0.5) == pytest.approx(9.2, abs=0.3)
    assert abs(mean(64, 100, "closure") - mean(64, 100, "grid")) < 0.035
