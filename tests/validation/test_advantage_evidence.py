"""What is stored is what was computed, it says what the experiment found, and an interrupted run keeps what it has."""

import dataclasses
import json

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the experiment trains networks")
pytest.importorskip("sklearn", reason="the experiment trains on the digits")

from validation.nonlinear_advantage import TASKS, Outcome, run
from validation.nonlinear_advantage.command import RESULTS, app
from validation.nonlinear_advantage.experiment import summed_up
from validation.nonlinear_advantage.tasks import draw_digit, draw_sum, draw_teacher

pytestmark = pytest.mark.usefixtures("one_thread")

SHORT = ["--seeds", "2", "--epochs", "4", "--omega", "0.3"]  # 10 steps in a window, of which a slope needs 9
FAMILIES = ("at_equal_napl", "at_equal_g", "at_equal_omega")


@pytest.fixture(scope="module")
def stored():
    return json.loads(RESULTS.read_text())


def members_of(entry):
    return [Outcome(**{**row, "active": tuple(row["active"])}) for row in entry["members"]]


def gap_at(gaps, place):
    (found,) = [gap for gap in gaps if gap["at"] == place]
    return found


def test_stored_estimates_are_those_of_the_stored_networks(stored):
    assert set(stored["tasks"]) >= {"sum", "digit"}
    for name, entry in stored["tasks"].items():
        assert entry["design"]["epochs"] == TASKS[name].epochs
        again = summed_up(TASKS[name], entry["design"], tuple(entry["omegas"]), members_of(entry), (0.0, 0.0))
        for family in FAMILIES:
            assert len(entry[family]) == len(getattr(again, family))
            for kept, gap in zip(entry[family], getattr(again, family), strict=True):
                assert kept["seeds"] == list(gap.seeds)
                for key in ("at", "early", "late", "gap", "low", "high"):
                    expected = np.nan if kept[key] is None else kept[key]
                    # six decimals are stored, of accuracies too: an interval moves by a few times what they lose
                    np.testing.assert_allclose(getattr(gap, key), expected, rtol=0, atol=3e-6, equal_nan=True)


def test_stored_runs_have_five_seeds_and_say_what_computed_them(stored):
    assert len(stored["seeds"]) >= 5
    assert stored["status"]["code"] == "ok"
    assert {"gpdeep", "numpy", "torch"} <= set(stored["versions"])
    assert stored["device"].startswith("cpu")
    assert all(entry["cpu_seconds"] > 0 for entry in stored["tasks"].values())


def test_late_is_better_where_depth_is_needed_and_only_there(stored):
    total, digit = stored["tasks"]["sum"], stored["tasks"]["digit"]
    fair = gap_at(total["at_equal_napl"], 1.0)
    assert fair["low"] > 0
    # equal penalties compare networks of other depths, and exaggerate
    assert gap_at(total["at_equal_omega"], 0.022)["gap"] > 2 * fair["gap"]
    assert all(abs(gap["gap"]) < 0.01 for gap in digit["at_equal_napl"] if len(gap["seeds"]) >= 5)
    assert total["linear"]["accuracy"] <= 0.25
    assert 0.95 <= digit["linear"]["accuracy"] <= 0.985


def test_evidence_is_strict_json_with_a_network_a_line(tmp_path):
    path = run(["digit"], 2, epochs=2, omegas=[0.3]).write(tmp_path / "new" / "evidence.json")
    lines = path.read_text().splitlines()
    record = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert record["schema_version"] == 1
    assert sum('"arm"' in line for line in lines) == len(record["tasks"]["digit"]["members"]) == 8
    assert [p.name for p in path.parent.iterdir()] == ["evidence.json"]


def test_a_run_is_a_function_of_its_seeds_alone():
    one, two = (run(["digit"], seeds, epochs=2, omegas=omegas) for seeds, omegas in ((1, [0.3]), (2, [0.2, 0.3])))
    others = set(two.tasks["digit"].members)
    assert set(one.tasks["digit"].members) <= others


def test_command_prints_tables_and_writes_the_file(tmp_path):
    out = tmp_path / "found.json"
    done = CliRunner().invoke(app, ["--task", "digit", *SHORT, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "digit: test accuracy" in done.stdout
    assert "seed 1" in done.stderr
    assert list(tmp_path.iterdir()) == [out]


def test_weak_penalties_are_answered_with_exit_code_3(tmp_path):
    out = tmp_path / "found.json"
    done = CliRunner().invoke(app, ["--task", "digit", *SHORT[:-1], "0.1", "--json", "--out", str(out)])
    assert done.exit_code == 3
    status = json.loads(done.stdout)["status"]
    assert status["code"] == "outside_validity"
    assert "too short for the penalties 0.1" in status["messages"][1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--task", "sums"], "sum, digit, teacher4"), (["--seeds", "0"], "0 seeds"), (["--omega", "-1"], "above 0")],
)
def test_bad_options_are_usage_errors_in_three_parts(tmp_path, arguments, message):
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "found.json")])
    assert done.exit_code == 2
    assert message in done.stderr
    assert "to change:" in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())


def test_interrupted_run_leaves_finished_seeds_and_spares_the_last_evidence(tmp_path, monkeypatch):
    out = tmp_path / "found.json"
    out.write_text("of an earlier run")
    task = TASKS["digit"]

    def draw(seed):
        if seed == 1:
            raise KeyboardInterrupt
        return task.draw(seed)

    monkeypatch.setitem(TASKS, "digit", dataclasses.replace(task, draw=draw))
    done = CliRunner().invoke(app, ["--task", "digit", *SHORT, "--out", str(out)])
    assert done.exit_code == 1
    assert "finished seeds are in" in done.stderr
    assert out.read_text() == "of an earlier run"
    kept = json.loads((tmp_path / "found.json.partial").read_text())
    assert {row["seed"] for row in kept["tasks"]["digit"]["members"]} == {0}
    assert "digit: 1 of 2 seeds are done." in kept["status"]["messages"]


@pytest.mark.parametrize("draw", [draw_sum, draw_digit, draw_teacher])
def test_tasks_are_drawn_by_seed_with_all_classes(draw):
    one, again, other = draw(0), draw(0), draw(1)
    np.testing.assert_array_equal(one.train_x, again.train_x)
    assert not np.array_equal(one.train_x, other.train_x)
    assert set(one.test_y) == set(range(one.classes))
    rows = {row.tobytes() for row in one.train_x[:, :64]}
    assert not rows & {row.tobytes() for row in one.test_x[:, :64]}


def test_label_of_a_pair_is_the_last_figure_of_the_sum():
    split = draw_sum(0)
    assert split.train_x.shape == (8000, 128)
    assert split.test_x.shape == (4000, 128)
    # no half of a pair tells the label, or it would be another task
    share = np.bincount(split.train_y, minlength=10) / 8000
    np.testing.assert_allclose(share, 0.1, rtol=0, atol=0.02)
