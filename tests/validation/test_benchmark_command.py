"""``python -m validation benchmark``: what it times, what it says of the machine, and what it leaves alone."""

import dataclasses
import json
import math

import pytest

pytest.importorskip("torch", reason="the benchmark trains networks")

import torch
from typer.testing import CliRunner

from gpdeep.nn import Ensemble
from gpdeep.nn.ensembles.recording import EagerTrainingWarning
from validation import command
from validation.benchmark import all_throughputs, load_throughput, measure
from validation.benchmark.cases import DEPTHS, WIDTHS, Case, cases_of
from validation.benchmark.clocks import ProcessorClock
from validation.benchmark.contenders import ENSEMBLE, GRAPHS, ONE_BY_ONE, seconds_of
from validation.benchmark.estimates import H200, Machine, Work
from validation.evidence import all_evidence
from validation.experiment import Size
from validation.report import markdown, page

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    arguments = ["benchmark", "--device", "cpu", "--size", "smoke", "--results", str(folder)]
    return CliRunner().invoke(command.app, arguments), folder


def test_the_command_prints_a_table_and_leaves_one_file(answer):
    said, folder = answer
    assert said.exit_code == 0, said.output
    assert "one by one" in said.stdout
    assert "Ceilings in this run" in said.stdout
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.json")] == ["cpu/benchmark-smoke.json"]
    assert all_evidence(folder) == []


def test_the_file_says_what_was_run_where_and_is_read_back(answer):
    _, folder = answer
    plain = json.loads((folder / "cpu" / "benchmark-smoke.json").read_text())
    assert plain["settings"] == {"size": "smoke", "device": "cpu", "seed": 0}
    assert {"gpdeep", "numpy", "python", "torch"} <= set(plain["versions"])
    assert plain["machine"]
    assert "commit" in plain
    (found,) = all_throughputs(folder)
    again = load_throughput(found.write(folder / "again"))
    assert again == found
    assert len(found.timings) == 4
    for timing in found.timings:
        alone, together = timing.member_steps[ONE_BY_ONE], timing.member_steps[ENSEMBLE]
        assert min(alone, together) > 0
        assert timing.ratio == pytest.approx(together / alone, rel=1e-6)
        assert GRAPHS not in timing.member_steps
        assert 0 < timing.of_rate < 1.5  # a ceiling measured beside busy neighbours may be low
        assert timing.estimate[GRAPHS] is None


def test_the_report_shows_it_and_stands_without_it(answer):
    (found,) = all_throughputs(answer[1])
    for text in (page([], [found]), markdown([], [found])):
        assert "Benchmark: member-steps a second (smoke, cpu" in text
        assert "H200 (estimate)" in text
        assert found.machine in text
    assert "Benchmark" not in page([]) + markdown([])


# ------------------------------------------------------------------------------------ what is timed


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("size", [Size.QUICK, Size.FULL])
def test_all_widths_and_depths_are_timed(device, size):
    cases = cases_of(size, device)
    assert {(case.width, case.depth) for case in cases} == {(width, depth) for width in WIDTHS for depth in DEPTHS}
    assert all(case.steps >= 1 for case in cases)


def test_torch_is_left_as_it_was():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    precision = torch.get_float32_matmul_precision()
    measure("cpu", Size.SMOKE, cases=[Case(8, 2, 1, 1)])
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (threads, precision)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="graphs need a GPU, and torch sees none here")
def test_on_a_gpu_graphs_are_timed_too():
    found = measure("cuda", Size.SMOKE, cases=[Case(16, 5, 4, 50)])
    assert found.timings[0].member_steps[GRAPHS] > found.timings[0].member_steps[ENSEMBLE]
    assert found.ceilings["replay"] < found.ceilings["launch"]
    assert found.timings[0].memory > 0


class CallsAgain:
    """In place of a GPU's recorder."""

    def aside(self, call):
        call()

    def record(self, call):
        return call


class Refuses(CallsAgain):
    def record(self, call):
        raise RuntimeError("not here")


@pytest.mark.parametrize("recorder", [CallsAgain(), Refuses()], ids=["recorded", "refused"])
def test_a_replayed_ensemble_is_timed_only_where_it_was_replayed(recorder, monkeypatch):
    monkeypatch.setattr("gpdeep.nn.ensembles.training.recorder_for", lambda *_: recorder)
    case = Case(8, 2, 2, 20)
    x, y = torch.ones(256, 64), torch.zeros(256, dtype=torch.int64)
    nets = Ensemble(",".join(map(str, case.widths)), case.members)
    if isinstance(recorder, Refuses):
        with pytest.warns(EagerTrainingWarning, match="not here"):
            assert math.isnan(seconds_of(GRAPHS, case, nets, x, y, ProcessorClock()))
    else:
        assert seconds_of(GRAPHS, case, nets, x, y, ProcessorClock()) > 0


# ------------------------------------------------------------------------------------ estimates


@pytest.mark.parametrize(
    ("width", "depth", "members", "gigaflops", "milliseconds", "eager", "graphs"),
    [
        (64, 30, 8, 0.76, 0.03, 4e3, 20e3),
        (64, 30, 64, 6.0, 0.21, 34e3, 158e3),
        (64, 30, 512, 48, 1.6, 271e3, 312e3),
        (300, 100, 1, 6.9, 0.09, 160, 740),
        (300, 100, 64, 442, 5.7, 5.8e3, 5.8e3),
    ],
)
def test_estimates_for_an_h200_are_those_worked_out_by_hand(
    width, depth, members, gigaflops, milliseconds, eager, graphs
):
    """The table that the sizes were planned with, to its two digits: half a unit of the second is 5 %."""
    case = Case(width, depth, members, 1)
    work = Work.of(case)
    assert work.operations / 1e9 == pytest.approx(gigaflops, rel=0.05)
    assert 1e3 * work.bytes / H200.bandwidth == pytest.approx(milliseconds, rel=0.05, abs=0.005)
    assert work.launches == 9 * depth
    assert work.member_steps(case, H200) == pytest.approx(eager, rel=0.07)
    assert work.member_steps(case, H200, recorded=True) == pytest.approx(graphs, rel=0.05)


def test_the_slowest_of_the_three_limits_counts():
    case = Case(64, 10, 8, 1)
    work = Work.of(case)
    limits = {"rate": 1e30, "bandwidth": 1e30, "launch": 1e-30, "replay": None}
    assert work.seconds(Machine(**(limits | {"rate": 1.0}))) == work.operations
    assert work.seconds(Machine(**(limits | {"bandwidth": 1.0}))) == work.bytes
    assert work.seconds(Machine(**(limits | {"launch": 1.0}))) == work.launches
    assert work.seconds(Machine(**limits), recorded=True) is None


def test_a_time_that_was_not_to_be_had_is_null(answer):
    (found,) = all_throughputs(answer[1])
    timing = dataclasses.replace(found.timings[0], member_steps={ONE_BY_ONE: 1.0, ENSEMBLE: 2.0, GRAPHS: math.nan})
    written = dataclasses.replace(found, timings=(timing,)).write(answer[1] / "null")
    assert json.loads(written.read_text())["timings"][0]["member_steps"][GRAPHS] is None
