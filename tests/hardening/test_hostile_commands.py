"""The command line against hostile option values: exit code 0 to 3, no traceback, nothing on stdout with 1 or 2.

Commands run in this process, one option or argument at a time replaced.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from good_calls import importable

from gpdeep.cli import app, run

GOOD: dict[str, list[str]] = {
    "depth": ["8,8x4,2", "--samples", "100"],
    "maps": ["tanh", "--sigma-w", "1.5", "--sigma-b", "0.2"],
    "eoc": ["tanh", "--sigma-b", "0.2"],
    "clip": ["crelu", "--sparsity", "0.75", "--slope", "0.75", "--width", "50", "--depth", "3"],
    "calibrate": ["runs.csv"],
    "geodesic": ["X.npy", "Y.npy", "--effective-depth", "2", "--activation", "softplus:5", "--starts", "1"],
    "cite": ["depth"],
    "schema": ["depth"],
}
OF_TORCH = {
    "path-length": ["net.py:make", "--input-shape", "1,4"],
    "check": ["8,8x2,2", "--seeds", "3"],
}
HOSTILE = (
    *("nan", "inf", "-inf", "0", "-1", "0.5", "1e308", "-1e308", "5e-324", "1e400", "9" * 400, "9" * 5000, "1e-12"),
    *("", " ", "nonsense", "relu", "crelu:1", "a\0b", "\ud800", "é" * 300, "x" * 10_000, "--", "-x", "[1, 2]", "{}"),
    *("1,2", "784,128x50,10", "1,4,x", ".", "..", "/", "/dev/null/x", "X.npy", "runs.csv", "net.py:make", "true", "٣"),
)
MISTAKE = "this is a mistake in gpdeep"
"""What the command line says of an exception that nobody foresaw: a traceback in all but form."""


def _commands() -> dict[str, list[str]]:
    return GOOD | (OF_TORCH if importable("torch") else {})


def _options(command: str) -> list[str]:
    """Flags that take a value, and the numbers of arguments."""
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    flags = [p.opts[0] for p in parameters if p.param_type_name == "option" and not p.is_flag and p.opts[0] != "--help"]
    return [*flags, *(str(k) for k, p in enumerate(p for p in parameters if p.param_type_name == "argument"))]


PLACES = [(command, option) for command in _commands() for option in _options(command)]


def _replaced(command: str, option: str, value: str) -> list[str]:
    """The good command with one option or argument replaced."""
    words = list(_commands()[command])
    if option.isdigit():
        at = int(option)
        if value.startswith("-"):  # what follows -- is an argument, whatever it looks like
            others = [word for k, word in enumerate(words) if k != at]
            return [command, *others, "--", value] if at == 0 else [command, *others[at:], "--", *others[:at], value]
        return [command, *words[:at], value, *words[at + 1 :]]
    if option in words:
        at = words.index(option)
        del words[at : at + 2]
    return [command, *words, f"{option}={value}"]


def _finding(words: list[str], capsys: Any) -> str | None:
    spelt = " ".join(word[:40] for word in words)
    capsys.readouterr()
    try:
        code = run(words)
    except BaseException as error:
        return f"{spelt!r}: {type(error).__name__}: {str(error)[:200]}"
    out, err = capsys.readouterr()
    if code not in (0, 1, 2, 3):
        return f"{spelt!r}: exit code {code}"
    if code in (1, 2) and (out or not err.strip()):
        return f"{spelt!r}: exit code {code} with {out[:60]!r} on stdout and {err[:60]!r} on stderr"
    if "Traceback" in err or MISTAKE in err:
        return f"{spelt!r}: {err[:200]!r}"
    return None


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", [[0.9, -0.3], [0.2, 0.8]])
    np.save("Y.npy", [[0.3, 0.6], [-0.4, 0.5]])
    Path("net.py").write_text("from torch import nn\ndef make(): return nn.Sequential(nn.Linear(4, 8), nn.ReLU())\n")
    rows = [f'"64,64x{n},10",{good}' for n, good in ((4, 1), (16, 1), (60, 0), (90, 0))]
    Path("runs.csv").write_text("\n".join(["architecture,trained", *rows]))


@pytest.mark.parametrize("command", _commands())
def test_good_commands_are_good(command: str, capsys: Any) -> None:
    assert run([command, *_commands()[command]]) in (0, 3)
    assert MISTAKE not in capsys.readouterr().err


def test_hostile_options_are_answered_or_refused(capsys: Any) -> None:
    chance = random.Random(20240229)
    for _ in range(80):
        command, option = chance.choice(PLACES)
        assert _finding(_replaced(command, option, chance.choice(HOSTILE)), capsys) is None


@pytest.mark.exhaustive
@pytest.mark.parametrize(("command", "option"), PLACES)
def test_every_hostile_value_of_every_option(command: str, option: str, capsys: Any) -> None:
    found = [_finding(_replaced(command, option, value), capsys) for value in HOSTILE]
    assert "\n".join(line for line in found if line) == ""


def test_an_unforeseen_exception_is_caught(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("nobody thought of it")

    monkeypatch.setattr("gpdeep.depth.predict_depth", broken)
    assert MISTAKE in str(_finding(["depth", "8,8x2,2"], capsys))
