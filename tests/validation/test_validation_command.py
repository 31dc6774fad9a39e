"""``python -m validation``: evidence is written whole, read back, reported and compared."""

import json
import sqlite3
from pathlib import Path

import numpy
import pytest
import scipy

pytest.importorskip("torch", reason="validation trains networks")

from typer.testing import CliRunner

from gpdeep.errors import DomainError
from validation import catalogue, command
from validation.claim import Claim, Kind, bar
from validation.comparison import compared
from validation.data import data_name
from validation.evidence import Evidence, all_evidence, load_evidence, machine, rounded
from validation.experiment import Experiment, Settings, Size
from validation.report import markdown, page, write_report
from validation.running import run_experiment
from validation.sweep import Batch, Store, Unit
from validation.sweep.revision import commit


def square(specification):
    return {"square": specification["x"] ** 2}


def squares(specifications):
    return [square(specification) for specification in specifications]


def broken(specification):
    raise DomainError("no network today", "It is shut.", "Come back tomorrow.")


def plan(settings):
    own = {"experiment": "E0", "seed": settings.seed}
    return [
        Unit(square, own | {"x": 2}),
        Batch(squares, [own | {"x": x} for x in (3, 4)]),
        Unit(broken, own | {"x": 5}),
    ]


def claims(settings, results):
    values = [None if result is None else result["square"] for result in results]
    assert values == [4, 9, 16, None]
    common = {"statement": "squares | are <large>", "source": "arithmetic", "n": 3}
    return [
        Claim(id="E0.sum", kind=Kind.BAR, estimate=29.0, prediction=20.0, verdict=bar(29.0, 20.0), **common),
        Claim(
            id="E0.mean",
            kind=Kind.PREDICTION,
            estimate=9.7,
            standard_error=0.2,
            prediction=9.0,
            truncation=0.1,
            rival=12.0,
            rival_name="a guess",
            verdict="DISAGREE",
            **common,
        ),
        Claim(id="E0.told", kind=Kind.REPORT, estimate=float("nan"), verdict="REPORTED", **common),
    ]


ZERO = Experiment("E0", "Squares", "Are squares large?", plan, claims, limits="small numbers only")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    settings = Settings(size=Size.SMOKE, seed=3)
    found = run_experiment(ZERO, settings, store=folder / "s" / "store.sqlite", progress=False)
    return found, found.write(folder / "results")


def test_evidence_holds_results_in_the_order_of_the_plan_and_names_what_failed(evidence):
    found, path = evidence
    assert (found.units, found.done, found.diverged) == (4, 3, 0)
    assert "no network today likely cause: It is shut. to change: Come" in " ".join(found.failures[0].split())
    assert path.parts[-2:] == ("cpu", "E0-smoke-seed3.json")  # another seed does not replace seed 0
    plain = json.loads(path.read_text())
    assert plain["claims"][2]["estimate"] is None
    assert plain["settings"] == {"size": "smoke", "device": "cpu", "data": "digits", "seed": 3}
    assert {"gpdeep", "torch", "numpy"} <= set(plain["versions"])


def test_evidence_is_read_back(evidence):
    found, path = evidence
    again = load_evidence(path)
    assert again.claims[:2] == found.claims[:2]
    assert [e.id for e in all_evidence(path.parents[1])] == ["E0"]


def test_page_and_markdown_hold_every_claim_escaped(evidence, tmp_path):
    found, _ = evidence
    text, plain = page([found]), markdown([found])
    for claim in found.claims:
        assert claim.id in text
        assert claim.id in plain
    assert "are &lt;large&gt;" in text
    assert "squares \\| are" in plain
    assert text.count("<svg") == 2
    assert "src=" not in text
    assert "http" not in text.replace("https://", "")
    assert "no network today" in text
    first, second = write_report([found], tmp_path / "deep" / "folder")
    assert (first.name, second.name) == ("index.html", "report.md")


def test_comparison_tells_what_changed(evidence, tmp_path):
    _, path = evidence
    same, changed = compared(path, path)
    assert not changed
    assert "differs" not in same
    plain = json.loads(path.read_text())
    plain["claims"][0]["verdict"] = "MISSED"
    (tmp_path / "E0-smoke.json").write_text(json.dumps(plain))
    table, changed = compared(path, tmp_path)
    assert changed
    assert "differs" in table


def kept(folder, place, verdict="MET", estimate=29.0, id="E0", **settings):
    """A file of evidence with one claim."""
    settings = {"size": "quick", "device": "cpu", "data": "digits", "seed": 0} | settings
    claim = Claim(id=f"{id}.sum", kind=Kind.BAR, statement="", source="", verdict=verdict, estimate=estimate)
    about = dict.fromkeys(("title", "question", "limits", "machine"), "") | {"versions": {}, "commit": "a"}
    counts = {"units": 1, "done": 1, "diverged": 0, "failures": (), "cpu_seconds": 1.0, "seconds": 1.0}
    written = Evidence(id=id, settings=settings, claims=(claim,), **about, **counts).write(folder / "written")
    path = folder / place / written.relative_to(folder / "written")
    path.parent.mkdir(parents=True, exist_ok=True)
    return written.rename(path)


@pytest.mark.parametrize(
    "other", [{"size": "full"}, {"size": "smoke"}, {"device": "cuda"}, {"seed": 1}, {"data": "templates"}], ids=str
)
def test_folders_are_compared_by_what_was_asked_for(other, tmp_path):
    for place in ("one", "two"):
        kept(tmp_path, place)
    kept(tmp_path, "one", "MISSED", **other)
    assert not compared(tmp_path / "one", tmp_path / "two")[1]  # of one device where there is a choice
    kept(tmp_path, "two", "MISSED", **other)
    table, changed = compared(tmp_path / "one", tmp_path / "two")
    assert not changed
    assert table.count("E0.sum") == 2
    kept(tmp_path, "two", "MET", **other)
    table, changed = compared(tmp_path / "one", tmp_path / "two")
    assert changed
    assert str(*other.values()) in table


def test_devices_and_places_of_the_data_may_differ_and_nothing_else(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place / "fashion").mkdir(parents=True)
    kept(tmp_path, "first", data=str(tmp_path / "one" / "fashion"))
    kept(tmp_path, "second", data=str(tmp_path / "two" / "fashion"), device="cuda")
    table, changed = compared(tmp_path / "first", tmp_path / "second")
    assert not changed
    assert "cpu and cuda" in table
    table, _ = compared(tmp_path / "second", kept(tmp_path, "first", seed=2).parents[1])
    assert f"Only {tmp_path / 'first'} holds E0 (quick, digits, seed 2, cpu)." in table


def test_nothing_in_common_is_refused_but_two_files_of_an_experiment_are_compared(tmp_path):
    quick, full = kept(tmp_path, "one"), kept(tmp_path, "two", "MISSED", size="full")
    for first, second in ((quick.parents[1], full.parents[1]), (quick, full.parents[1])):
        with pytest.raises(DomainError, match=r"quick, digits, seed 0(.|\n)*full, digits, seed 0"):
            compared(first, second)
    table, changed = compared(quick, full)
    assert changed
    assert "quick, digits, seed 0, cpu and full, digits, seed 0, cpu" in table
    with pytest.raises(DomainError, match="nothing in common"):
        compared(quick, kept(tmp_path, "one", id="E1"))
    (quick.parents[1] / quick.name).write_text(quick.read_text())
    with pytest.raises(DomainError, match="copy"):
        compared(quick.parents[1], quick.parents[1])


@pytest.mark.parametrize(
    ("estimate", "mark"),
    [(29.0, ""), (29.25, "moved by 0.25"), (29.00001, "moved by 1e-05"), (None, "moved")],
)
def test_an_estimate_that_moved_is_marked_where_the_verdict_is_the_same(estimate, mark, tmp_path):
    table, changed = compared(kept(tmp_path, "one"), kept(tmp_path, "two", estimate=estimate))
    assert not changed
    assert table.endswith(f"MET  {mark}" if mark else "MET")


def test_evidence_names_what_computed_its_rows_and_not_the_process_that_judges_them(tmp_path):
    store, settings = tmp_path / "store.sqlite", Settings(size=Size.SMOKE)
    now = run_experiment(ZERO, settings, store=store, progress=False)
    assert now.machine == machine("cpu")
    with Store(store) as opened:
        keys = [row.key for row in sorted(opened.rows("done"), key=lambda row: row.started)]
    change = 'UPDATE unit SET versions = ?, device = ?, "commit" = ?, started = ? WHERE key = ?'
    with sqlite3.connect(store) as base:
        for place, key in enumerate(keys):
            versions = {"numpy": "1.0"} if place else {"numpy": "0.9", "scipy": scipy.__version__}
            base.execute(change, (json.dumps(versions), "cpu (Abacus)", ("b", "a", None)[place], f"{place}", key))
    base.close()
    later = run_experiment(ZERO, settings, store=store, progress=False)
    assert (later.machine, later.commit) == ("Abacus", f"b, a, unknown; judged with {commit()}")
    assert later.versions["numpy"] == f"0.9, 1.0; judged with {numpy.__version__}"
    assert (later.versions["scipy"], later.versions["torch"]) == (scipy.__version__, now.versions["torch"])
    again = load_evidence(later.write(tmp_path))
    assert (again.versions, again.machine, again.commit) == (later.versions, later.machine, later.commit)
    assert f"numpy 0.9, 1.0; judged with {numpy.__version__}" in markdown([again])


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"schema_version": 1}', '{"schema_version": 1, "claims": 3}'])
def test_what_is_no_evidence_is_named(text, tmp_path):
    path = tmp_path / "cpu" / "E1-smoke.json"
    path.parent.mkdir()
    path.write_text(text)
    for read in (load_evidence, lambda path: all_evidence(path.parents[1])):
        with pytest.raises(DomainError, match=r"E1-smoke\.json"):
            read(path)


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """The exit code and stderr of ``run E0`` for given units, with one store and one folder of evidence."""

    def command_line(units, *options):
        asked = Experiment("E0", "Asked", "?", lambda settings: units, lambda settings, results: [])
        monkeypatch.setattr(catalogue, "chosen", lambda names: [asked])
        where = ["--size", "smoke", "--store", str(tmp_path / "s.sqlite"), "--results", str(tmp_path)]
        monkeypatch.setattr("sys.argv", ["validation", "run", "E0", *where, *options])
        with pytest.raises(SystemExit) as stop:
            command.main()
        return stop.value.code, capsys.readouterr().err

    return command_line


def test_a_run_without_results_leaves_the_evidence_that_was_there(run, tmp_path):
    kept = tmp_path / "cpu" / "E0-smoke.json"
    kept.parent.mkdir()
    kept.write_text("what an earlier run found")
    code, err = run([Unit(broken, {"x": 5})])
    assert code == 3
    assert kept.read_text() == "what an earlier run found"
    assert "no evidence is written" in err


def test_a_run_with_fewer_units_done_leaves_the_evidence_that_was_there(run, tmp_path):
    kept = tmp_path / "cpu" / "E0-smoke.json"
    units = [Unit(square, {"x": 5}), Unit(square, {"x": 6})]
    assert run(units)[0] == 0
    before = kept.read_text()
    code, err = run([units[0], Unit(broken, {"x": 7})])
    assert (code, kept.read_text()) == (3, before)
    assert f"{kept} stays as it is: 2 units are done in it, 1 in this run" in err
    assert run(units[:1])[0] == 3
    assert run([*units, Unit(broken, {"x": 7})])[0] == 3
    assert json.loads(kept.read_text())["units"] == 3  # as many done, and one more asked for


def passing(specification):
    """The square of x, once the cause of the failure is away."""
    if Path(specification["cause"]).exists():
        raise OSError("no space")
    return square(specification)


def test_what_failed_is_computed_again_on_request(run, tmp_path):
    cause, units = tmp_path / "cause", [Unit(square, {"x": 5})]
    units.append(Unit(passing, {"x": 6, "cause": str(cause)}))
    cause.touch()
    code, err = run(units)
    assert code == 3
    assert "units without a result: 1; the same command with --retry computes them again" in err
    cause.unlink()
    assert run(units)[0] == 3
    code, err = run(units, "--retry")
    assert code == 0
    assert "--retry" not in err


def test_a_full_disk_says_that_the_store_goes_on(run, monkeypatch):
    def full(self, folder):
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(Evidence, "write", full)
    code, err = run([Unit(square, {"x": 5})])
    assert code == 1
    assert "No space left" in err
    assert "goes on from there" in err
    assert "--retry" in err


def test_folders_of_one_name_are_other_data_and_a_copy_is_the_same(tmp_path):
    names = []
    for place, content in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        folder = tmp_path / place / "fashion"
        folder.mkdir(parents=True)
        (folder / "train-images-idx3-ubyte").write_bytes(content)
        names.append(data_name(f"{folder}/"))
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("fashion-") for name in names)


def test_experiments_are_found_by_name_and_each_once():
    assert [e.id for e in catalogue.chosen(["all", "e3"])] == ["E1", "E2", "E3", "E4", "E5", "E6"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "E9"], "E9"),
        (["run", "E1", "--device", "tpu"], "tpu"),
        (["run", "E2", "--size", "smoke", "--data", "nowhere"], "nowhere"),
        (["run", "E1", "--size", "smoke", "--seed", "-1"], "--seed"),
        (["run", "E1", "--size", "smoke", "--results", __file__], "--results"),
        (["run", "E1", "--size", "smoke", "--store", f"{__file__}/store.sqlite"], "--store"),
        (["benchmark", "--size", "smoke", "--results", __file__], "--results"),
        (["benchmark", "--size", "smoke", "--seed", "-1"], "--seed"),
        (["report", "--out", __file__], "--out"),
        (["report", "--results", "nowhere"], "nowhere"),
        (["compare", "nowhere.json", "nowhere.json"], "nowhere.json"),
        (["compare", "tests/validation", "tests/validation"], "tests/validation"),
    ],
)
def test_usage_errors_have_three_parts(arguments, says, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["validation", *arguments])
    with pytest.raises(SystemExit) as stop:
        command.main()
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert says in err
    assert "likely cause" in err


def test_list_counts_the_units_of_every_size():
    answer = CliRunner().invoke(command.app, ["list"])
    assert answer.exit_code == 0
    for id in catalogue.IDS:
        assert id in answer.stdout


def test_numbers_are_plain_and_finite():
    assert rounded({"a": (1.23456789012, float("inf")), 1: [True, None]}) == {"a": [1.2345679, None], "1": [True, None]}
