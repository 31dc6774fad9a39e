"""From the command line to files: what is written, what is refused, and that one failure does not cost the others."""

import inspect
import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="figures are drawn")

import paper_figures
from gpdeep.errors import ConvergenceError, DomainError
from gpdeep.plots.figure import figure
from paper_figures import catalogue, command
from paper_figures.drawing import Drawing, Numbers, panels

SMALL = ["--set", "depth=4", "--set", "widths=16,64", "--set", "points=20"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch, capsys):
    """The command as a user gives it: exit code, what it printed, and its errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["paper_figures", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            command.main()
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return call


@pytest.fixture
def figures(monkeypatch):
    """Figures of our own in place of the catalogue's."""

    def use(**draws):
        made = []
        for name, draw in draws.items():
            module = types.ModuleType(f"paper_figures.sparse.{name}")
            module.TITLE, module.draw = name, draw
            monkeypatch.setitem(sys.modules, module.__name__, module)
            made.append(catalogue.Entry(name, "sparse"))
        monkeypatch.setattr(command, "chosen", lambda names: made)

    return use


def files_in(folder):
    """Names of all files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def drawn(savefig=None):
    """A figure with one line."""
    page = figure((2.0, 2.0))
    page.add_subplot().plot([0, 1], [0, 1])
    if savefig is not None:
        page.savefig = savefig
    numbers = Numbers()
    numbers.add(x=[0, 1])
    return Drawing(page, numbers)


def three_parts(said):
    return "likely cause:" in said and "to change:" in said and "Traceback" not in said


# ---------------------------------------------------------------- what there is


@pytest.mark.parametrize("entry", catalogue.entries(), ids=lambda entry: entry.name)
def test_every_figure_can_be_set_and_says_what_is_seen(entry):
    parameters = inspect.signature(entry.module.draw).parameters.values()
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters)
    assert all(type(each.default) in (int, float, str) for each in parameters)
    assert set(entry.module.SMALL) <= set(entry.parameters)
    assert entry.module.TITLE
    assert len(entry.module.__doc__) > 100
    # what a user writes for the defaults is read as the defaults
    assert entry.read({name: str(value) for name, value in entry.parameters.items()}) == entry.parameters


def test_names_are_names_of_one_figure():
    names = [entry.name for entry in catalogue.entries()]
    assert len(set(names)) == len(names)
    assert not set(names) & set(catalogue.SUBJECTS)


def test_subjects_and_names_choose():
    some = catalogue.chosen(["finite_width", "density", "maps"])
    assert [entry.name for entry in some][-1] == "maps"
    assert len({entry.name for entry in some}) == len(some)
    assert {entry.subject for entry in some[:-1]} == {"finite_width"}


def test_list_names_every_figure(run):
    code, out, err = run("--list")
    assert (code, err) == (0, "")
    for entry in catalogue.entries():
        assert entry.name in out
        assert entry.module.TITLE in out
    assert "depth=20 widths=16,32,64,128,256" in out
    assert max(map(len, out.splitlines())) < 130


# ---------------------------------------------------------------- what is written


def test_files_numbers_and_origin_of_a_figure(run, tmp_path):
    code, out, err = run("density", *SMALL, "--format", "png, SVG,png", "--out", tmp_path / "new" / "folder")
    assert (code, err) == (0, "")
    folder = tmp_path / "new" / "folder"
    assert files_in(folder) == {
        "finite_width/density.png",
        "finite_width/density.svg",
        "finite_width/density.csv",
        "figures.json",
    }
    assert str(folder / "finite_width/density.png") in out
    assert (folder / "finite_width/density.png").read_bytes().startswith(b"\x89PNG")
    lines = (folder / "finite_width/density.csv").read_text().splitlines()
    assert lines[0] == "width,log_sin2,density,normal"
    assert len(lines) == 1 + 2 * 20
    record = json.loads((folder / "figures.json").read_text())["density"]
    assert record["title"] == "density of ln sin²θ at the last layer"
    assert record["parameters"] == {"depth": 4, "widths": "16,64", "angle": pytest.approx(1.5707963), "points": 20}
    assert record["files"] == ["finite_width/density.png", "finite_width/density.svg", "finite_width/density.csv"]
    assert set(record) == {"title", "parameters", "evidence", "notes", "files", "versions", "commit"}
    assert set(record["versions"]) >= {"gpdeep", "numpy", "python"}


def test_the_same_parameters_give_the_same_bytes(run, figures, tmp_path):
    def draw(*, slope: float = 1.0):
        (ax,) = panels()
        ax.plot([0, 1], [0, slope], label=r"$\xi_c$")
        ax.legend()
        numbers = Numbers()
        numbers.add(y=[0, slope])
        return Drawing(ax.figure, numbers)

    figures(line=draw)
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    for folder, more in ((one, []), (two, []), (other, ["--set", "slope=2"])):
        assert run("line", *more, "--format", "png,pdf,svg", "--out", folder)[0] == 0
    for name in ("sparse/line.png", "sparse/line.pdf", "sparse/line.svg", "sparse/line.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
        assert (one / name).read_bytes() != (other / name).read_bytes(), name
    assert (one / "figures.json").read_text() == (two / "figures.json").read_text()


def test_the_index_keeps_what_other_runs_wrote(run, figures, tmp_path):
    for name in ("first", "second", "second"):
        figures(**{name: drawn})
        assert run("--out", tmp_path, "--format", "png")[0] == 0
    assert list(json.loads((tmp_path / "figures.json").read_text())) == ["first", "second"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuchfigure"],
        ["density", "--set", "depth"],
        ["density", "--set", "depht=4"],
        ["density", "--set", "depth=four"],
        ["density", "--set", "depth=4.5"],
        ["density", "--set", "widths=16", "--set", "widths=64"],
        ["density", "maps", "--set", "depth=4"],
        ["density", "--format", "png,gif"],
        ["density", "--format", ","],
        ["density", "--workers", "0"],
        ["density", "--out", __file__],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_in_three_parts(run, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert three_parts(err)


def test_an_index_of_someone_else_is_left_alone(run, figures, tmp_path):
    figures(fine=drawn)
    for text in ("not json", "[1]"):
        (tmp_path / "figures.json").write_text(text)
        code, _, err = run("--out", tmp_path)
        assert code == 2
        assert three_parts(err)
        assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
        assert (tmp_path / "figures.json").read_text() == text


def test_missing_evidence_names_the_run_that_makes_it(run, tmp_path):
    code, out, err = run("degeneracy_accuracy", "--set", f"results={tmp_path}", "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert three_parts(err)
    assert "python -m validation run E2" in err
    assert not any((tmp_path / "out").iterdir())


def test_a_value_that_the_figure_refuses_is_a_usage_error(run, tmp_path):
    code, out, err = run("density", "--set", "depth=0", "--out", tmp_path)
    assert (code, out) == (2, "")
    assert three_parts(err)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "given", ["density depth=99999999999", "angle_by_layer depth=1000000", "path_lengths blocks=99999999999"]
)
def test_numbers_that_no_picture_could_be_made_of_are_refused_with_their_limit(run, tmp_path, given):
    name, _, value = given.partition(" ")
    code, _, err = run(name, "--set", value, "--out", tmp_path)
    assert code == 2
    assert three_parts(err)
    assert "to 1000000." in err or "100000" in err


def test_what_was_too_large_for_the_memory_is_said(run, figures, tmp_path):
    def hungry(*, size: int = 2):
        raise MemoryError

    figures(one=hungry)
    code, _, err = run("one", "--set", "size=999", "--out", tmp_path)
    assert code == 1
    assert three_parts(err)
    assert "size=999" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_a_full_disk_below_the_list_is_told_in_a_line():
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "paper_figures", "--list"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.count(b"\n") == 1


def test_only_a_refused_value_that_was_given_is_a_usage_error(run, figures, tmp_path):
    def refuses(*, size: float = 2.0):
        raise DomainError("This.", "That.", "Those.")

    def diverges(*, size: float = 2.0):
        raise ConvergenceError("This.", "That.", "Those.")

    def breaks(*, size: float = 2.0):
        raise ValueError("This.")  # what a DomainError is, too

    for draw, given, expected in (
        (refuses, ["--set", "size=3"], 2),
        (refuses, [], 1),
        (diverges, ["--set", "size=3"], 1),
        (breaks, ["--set", "size=3"], 1),
    ):
        figures(one=draw)
        code, out, err = run("one", *given, "--out", tmp_path)
        assert (code, out) == (expected, ""), (draw, given)
        assert err.endswith("1 of 1 figures were not drawn.\n")


# ---------------------------------------------------------------- what fails


def test_a_figure_that_fails_leaves_nothing_and_costs_no_other(run, figures, tmp_path):
    def divides():
        return 1 / 0

    def refuses():
        raise DomainError("This.", "That.", "Those.")

    def half_written():
        page = drawn()

        def savefig(file, format, **more):
            if format == "pdf":
                raise OSError("No space left on device")
            file.write(b"picture")

        return drawn(savefig) if page else page

    figures(divides=divides, refuses=refuses, half_written=half_written, fine=drawn)
    code, out, err = run("--out", tmp_path, "--workers", "1")
    assert code == 1
    assert files_in(tmp_path) == {"sparse/fine.png", "sparse/fine.pdf", "sparse/fine.csv", "figures.json"}
    assert list(json.loads((tmp_path / "figures.json").read_text())) == ["fine"]
    assert "fine.png" in out
    assert "divides: ZeroDivisionError: division by zero" in err
    assert "refuses: This.\n  likely cause: That.\n  to change:    Those." in err
    assert "half_written: No space left on device" in err
    assert err.endswith("3 of 4 figures were not drawn.\n")


def test_what_was_there_before_stays_where_a_figure_fails(run, figures, tmp_path):
    figures(fine=drawn)
    assert run("--out", tmp_path)[0] == 0
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}

    def fails():
        raise ValueError("now it fails")

    figures(fine=fails)
    assert run("--out", tmp_path)[0] == 1
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


_FIGURE = '''"""A figure."""
from gpdeep.plots.figure import figure
from paper_figures.drawing import Drawing, Numbers
TITLE, SMALL = "a figure", {}
def draw(*, size: float = 2.0):
    BODY
    page = figure((size, size))
    page.add_subplot().plot([0, 1])
    return Drawing(page, Numbers())
'''


def test_a_worker_that_raises_or_dies_costs_its_own_figure_alone(tmp_path):
    """The framework as it is, with figures of our own, in processes of their own."""
    package, out = tmp_path / "paper_figures", tmp_path / "out"
    package.mkdir()
    for path in Path(paper_figures.__file__).parent.glob("*.py"):
        shutil.copy(path, package)
    for subject in catalogue.SUBJECTS:
        (package / subject).mkdir()
        (package / subject / "__init__.py").touch()
    bodies = {"dies": "import os; os._exit(9)", "raises": "raise ArithmeticError('no')", "one": "", "two": ""}
    for name, body in bodies.items():
        (package / "leaky" / f"{name}.py").write_text(_FIGURE.replace("BODY", body or "pass"))
    ended = subprocess.run(
        [sys.executable, "-m", "paper_figures", "--out", out, "--format", "svg"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert files_in(out) == {"leaky/one.svg", "leaky/one.csv", "leaky/two.svg", "leaky/two.csv", "figures.json"}
    assert ended.stdout.count(".svg") == 2
    assert "raises: ArithmeticError: no" in ended.stderr
    assert "dies: WorkerDiedError: " in ended.stderr
    assert ended.stderr.endswith("2 of 4 figures were not drawn.\n")
    assert "Traceback" not in ended.stderr
