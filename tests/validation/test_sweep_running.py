"""What a sweep makes of its units: results, divergences, failures, batches, repetitions, and what it refuses."""

import collections
import concurrent.futures
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sweep_trials import ERRORS, batch, deadly_squares, noted, of_x, raising, square, units

import validation.sweep.drive as drive
from gpdeep.errors import DomainError
from validation.sweep import Store, StoreBusyError, SweepError, Unit, WorkerDiedError, run_sweep
from validation.sweep.progress import Tally


@pytest.fixture
def sweep(tmp_path):
    """`run_sweep` on threads, with one store."""
    with ThreadPoolExecutor(2) as threads, Store(tmp_path / "store") as store:

        def run(sweep_units, executor=threads, **options):
            return run_sweep(sweep_units, executor, store=store, **{"workers": 2, "progress": False, **options})

        run.store = store
        yield run


def statuses(store):
    return {row.specification["x"]: row.status for row in store.rows()}


def test_a_failure_is_kept_with_its_traceback_and_the_others_go_on(sweep):
    report = sweep([of_x(x) for x in range(8)])
    assert (report.done, report.failed, report.crashed, report.complete) == (6, 2, 0, False)
    five, six = (sweep.store.get(of_x(x).key) for x in (5, 6))
    assert "in square" in five.error
    assert five.error.endswith("ArithmeticError: five is odd")
    assert six.error.endswith("The function returned a NoneType; a unit returns a mapping or an Outcome.")
    assert {trouble.key for trouble in report.troubles} == {five.key, six.key}
    assert "five is odd" in str(report)


@pytest.mark.parametrize("own_pool", [True, False])
def test_no_exception_of_a_function_is_taken_for_one_of_the_executor(sweep, own_pool):
    trials = [of_x(x, raising) for x in (*ERRORS, 5)]
    report = sweep(trials, **({"executor": None} if own_pool else {}))
    assert statuses(sweep.store) == dict.fromkeys(ERRORS, "failed") | {5: "done"}
    for x, error in ERRORS.items():
        assert f"{type(error).__name__}" in sweep.store.get(of_x(x).key).error
    assert str(report).encode()
    assert sweep.store.get(of_x(4).key).error.endswith(r"OSError: no file a\udc80")


def test_ctrl_c_in_the_main_thread_stops_the_sweep(sweep):
    class Here:
        def submit(self, fn, /, *args):
            future = concurrent.futures.Future()
            future.set_result(fn(*args))
            return future

    with pytest.raises(KeyboardInterrupt):
        sweep([of_x(5, raising), of_x(1, raising)], Here())
    assert 1 not in statuses(sweep.store)


@pytest.mark.parametrize("answer", [{1: "one", "1": "uno"}, {"deep": [{2: 0, "2": 1}]}], ids=str)
def test_names_that_are_the_same_text_are_refused(sweep, answer):
    def two(specification):
        return answer

    assert sweep([of_x(1, two)]).failed == 1
    assert "the same text" in sweep.store.get(of_x(1).key).error


def test_divergence_is_a_result(sweep):
    report = sweep([of_x(13), of_x(3)])
    row = sweep.store.get(of_x(13).key)
    assert (report.done, report.diverged, report.failed, report.complete) == (2, 1, 0, True)
    assert (row.status, row.diverged, row.result) == ("done", True, {"square": None, "diverged": True})
    assert sweep([of_x(13)]).diverged == 1  # and is known as one when it is resumed


def test_arrays_come_back(sweep):
    sweep([of_x(4), of_x(3)])
    assert sweep.store.arrays(of_x(4).key)["row"].tolist() == [[4.0] * 4] * 2
    assert sweep.store.get(of_x(3).key).arrays == ()


def test_the_row_says_where_when_and_with_what(sweep):
    sweep([of_x(3)])
    row = sweep.store.get(of_x(3).key)
    assert row.function == "sweep_trials:square"
    assert row.started <= row.ended
    assert row.versions.keys() >= {"python", "numpy"}
    assert row.tries == 1
    assert row.host
    assert row.device.startswith("cpu")
    assert row.cpu_seconds >= 0


def test_what_is_done_is_skipped_and_failures_are_repeated_only_on_request(sweep):
    trials = [of_x(x) for x in range(6)]
    assert sweep(trials).resumed == 0
    again = sweep(trials)
    assert (again.resumed, again.done, again.failed, len(again.troubles)) == (6, 5, 1, 1)
    asked = sweep(trials, retry="failed")
    assert (asked.resumed, asked.failed, len(asked.troubles)) == (5, 1, 1)
    assert sweep.store.get(of_x(5).key).tries == 2
    assert sweep(trials, retry=("crashed",)).resumed == 6


def test_equal_units_are_one_unit(sweep):
    report = sweep([of_x(3), of_x(2), of_x(3)])
    assert (report.total, report.done, report.keys) == (2, 2, (of_x(3).key, of_x(2).key))
    assert sweep([batch(4, 7, 4), batch(7)]).total == 2


def test_a_function_sees_the_specification_as_its_key_holds_it(sweep):
    def shown(specification):
        return {"shown": repr(specification)}

    unit = Unit(shown, {"b": (1, 2), "a": 0.1})
    sweep([unit])
    assert sweep.store.get(unit.key).result["shown"] == "{'a': 0.1, 'b': [1, 2]}"


def test_a_function_may_be_named(sweep):
    sweep([of_x(3, "sweep_trials:square"), of_x(4, "sweep_trials:missing"), of_x(7, "no_such_module:f")])
    assert statuses(sweep.store) == {3: "done", 4: "failed", 7: "failed"}
    assert "no_such_module" in sweep.store.get(of_x(7).key).error


# ------------------------------------------------------------------ batches


def test_a_batch_has_a_row_for_each_member_and_finds_them_however_they_are_grouped(sweep):
    seen = []

    def noting(specifications):
        seen.append([specification["x"] for specification in specifications])
        return [square(specification) for specification in specifications]

    assert sweep([batch(1, 2, 3, function=noting)]).done == 3
    report = sweep([batch(3, 4, function=noting), batch(1, 7, function=noting)])
    assert (report.total, report.resumed, report.done) == (4, 2, 4)
    assert sorted(seen) == [[1, 2, 3], [4], [7]]


def test_a_member_that_makes_a_batch_fail_is_found(sweep):
    report = sweep([batch(1, 5, 3), batch(7, 8)])
    assert (report.done, report.failed) == (4, 1)
    assert statuses(sweep.store) == {1: "done", 3: "done", 5: "failed", 7: "done", 8: "done"}
    assert [sweep.store.get(of_x(x).key).tries for x in (1, 5, 7)] == [2, 2, 1]


def test_a_member_whose_outcome_cannot_be_kept_fails_alone(sweep):
    assert sweep([batch(1, 6, 3)]).failed == 1
    assert statuses(sweep.store) == {1: "done", 3: "done", 6: "failed"}
    assert sweep.store.get(of_x(1).key).tries == 1


def test_a_batch_with_an_outcome_too_few_fails(sweep):
    def too_few(specifications):
        return []

    assert sweep([batch(1, 2, function=too_few)]).failed == 2
    assert "0 outcomes came back for the 1 members" in sweep.store.get(of_x(1).key).error


def test_a_member_that_kills_its_process_is_found(tmp_path):
    report = run_sweep([batch(1, 5, 3, function=deadly_squares)], store=tmp_path / "store", workers=2, progress=False)
    with Store(tmp_path / "store") as store:
        assert statuses(store) == {1: "done", 3: "done", 5: "crashed"}
    assert (report.done, report.crashed) == (2, 1)


# ------------------------------------------------------------------ executors


class Deaths(ThreadPoolExecutor):
    """Threads that report deaths: of x = 5 always, of others only when it is in flight, too."""

    def __init__(self, error):
        super().__init__(2)
        self.error, self.flying, self.lock, self.runs = error, [], threading.Lock(), collections.Counter()
        self.met = threading.Event()

    def submit(self, fn, /, *args):
        (specification,) = args[1]
        with self.lock:
            self.flying.append(specification["x"])
        return super().submit(self._run, specification["x"], fn, *args)

    def _run(self, x, fn, *args):
        with self.lock:
            company = list(self.flying)
            self.runs[x] += 1
        try:
            if x == 5 and self.runs[5] == 1:
                self.met.wait(10)  # until it has taken another one along
            if 5 in company:
                self.met.set()
                raise self.error
            return fn(*args)
        finally:
            with self.lock:
                self.flying.remove(x)


class KilledWorker(Exception):
    """What dask.distributed raises, by its name."""


@pytest.mark.parametrize(("error", "tries"), [(WorkerDiedError("gone"), drive.TRIES), (KilledWorker("gone"), 2)])
def test_who_dies_in_company_is_acquitted_and_who_dies_alone_is_not(sweep, error, tries):
    def innocent(specification):
        return {"x": specification["x"]}

    with Deaths(error) as deaths:
        report = sweep([of_x(x, innocent) for x in range(20)], deaths)
        assert (report.done, report.crashed) == (19, 1)
        assert sweep.store.get(of_x(5).key).tries == deaths.runs[5] == tries
        assert deaths.runs.total() >= 20 + tries  # some had died in its company


class Held:
    """An executor that does nothing until it is told to."""

    def __init__(self):
        self.jobs, self.most = [], 0

    def submit(self, fn, /, *args):
        self.jobs.append((concurrent.futures.Future(), fn, args))
        self.most = max(self.most, len(self.jobs))
        return self.jobs[-1][0]

    def finish_one(self, tally):
        if self.jobs:
            future, fn, args = self.jobs.pop()
            future.set_result(fn(*args))


@pytest.mark.parametrize(("options", "most"), [({}, 4), ({"window": 3}, 3), ({"workers": 4}, 8)])
def test_the_window_is_filled_and_never_exceeded(sweep, options, most):
    held = Held()
    assert sweep([of_x(x) for x in range(20, 40)], held, progress=held.finish_one, **options).complete
    assert held.most == most


def test_an_executor_whose_futures_are_its_own_kind(sweep):
    class Job:
        def __init__(self, fn, args):
            self.future = concurrent.futures.Future()
            threading.Timer(0.01, lambda: self.future.set_result(fn(*args))).start()

        def __getattr__(self, name):
            return getattr(self.future, name)

    class Cluster:
        def submit(self, fn, /, *args):
            return Job(fn, args)

    assert sweep([of_x(x) for x in range(5)], Cluster()).complete


def test_a_broken_executor_ends_the_sweep_with_what_was_done_kept(sweep):
    with ThreadPoolExecutor(1) as broken:
        submit, count = broken.submit, []

        def submit_three(*args):
            count.append(1)
            return submit(*args) if len(count) <= 3 else submit(raises)

        def raises():
            raise concurrent.futures.BrokenExecutor("one died")

        broken.submit = submit_three
        with pytest.raises(SweepError, match=r"BrokenExecutor: one died(.|\n)*Run the same again"):
            sweep([of_x(x) for x in range(20, 30)], broken)
    assert len(statuses(sweep.store)) == 3
    with pytest.raises(SweepError, match="after shutdown"):
        sweep([of_x(1)], broken)


def test_what_cannot_be_sent_to_a_worker_fails_alone(tmp_path):
    report = run_sweep(
        [of_x(1, lambda specification: {}), of_x(2)], store=tmp_path / "store", workers=1, progress=False
    )
    assert (report.done, report.failed) == (1, 1)
    assert "<lambda>" in report.troubles[0].error


def test_units_that_are_done_need_no_executor(sweep):
    sweep([of_x(3)])

    class Forbidden:
        def submit(self, fn, /, *args):
            pytest.fail("submitted")

    assert sweep([of_x(3)], Forbidden()).done == 1
    assert sweep([], Forbidden()).total == 0


# ------------------------------------------------------------------ refusals


def test_one_specification_for_two_functions_is_refused_before_anything_runs(sweep):
    with pytest.raises(DomainError, match=r"Name the experiment"):
        sweep([of_x(1), of_x(2), of_x(2, "other.module:f")])
    assert statuses(sweep.store) == {}
    sweep([of_x(2)])
    with pytest.raises(DomainError, match=r"other.module:f and to sweep_trials:square"):
        sweep([of_x(2, "other.module:f")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workers": 0}, "workers = 0"), ({"workers": 1.5}, "workers = 1.5"), ({"window": True}, "window = True"),
        ({"retry": "done"}, "retry = 'done'"), ({"retry": ["failed", "all"]}, "retry"),
        ({"executor": 2}, "no method 'submit'"),
    ],
)  # fmt: skip
def test_arguments_that_are_not_what_their_names_say(sweep, change, message):
    with pytest.raises(DomainError, match=message):
        sweep([of_x(1)], **change)


def test_what_is_no_unit_is_refused(sweep):
    with pytest.raises(DomainError, match="A dict stands among the units"):
        sweep([{"x": 1}])


def test_a_store_in_use_is_refused(sweep):
    with Store(sweep.store.path) as other, other.driving(), pytest.raises(StoreBusyError, match=str(os.getpid())):
        sweep([of_x(1)])


# ------------------------------------------------------------------ what is shown


def test_units_of_next_to_no_work_tell_nothing_of_the_time_that_is_left():
    tally = Tally(total=102, done=30, work=1e15, worked=1e11, elapsed=10.0)
    assert tally.seconds_left is None
    assert str(tally).endswith("; 10 s")
    assert replace(tally, worked=1e14).seconds_left == pytest.approx(90.0)


def test_time_left_is_estimated_from_flops(sweep):
    seen = []
    trials = [of_x(1, flops=1e9), of_x(2, flops=9e9)]
    sweep(trials, window=1, progress=seen.append)
    between = next(tally for tally in seen if tally.done == 1)
    assert (between.work, between.worked) == (1e10, 1e9)
    assert between.seconds_left == pytest.approx(9 * between.elapsed, rel=1e-12)  # a quotient and a product
    assert seen[-1].seconds_left == 0


def test_units_without_flops_count_the_same(sweep):
    seen = []
    sweep([of_x(1, flops=1e9), batch(2, 3, 4, function="sweep_trials:squares")], window=1, progress=seen.append)
    assert (seen[-1].work, seen[-1].worked) == (4, 4)


def test_plain_lines_on_stderr_and_nothing_on_stdout(sweep, capsys):
    sweep([of_x(x) for x in (1, 5, 13)], progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("sweep: 2 of 3 done, 1 failed, 0 crashed, 1 diverged")
    assert len(err.splitlines()) <= 2
    sweep([of_x(x) for x in (1, 2, 5, 13)], progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(sweep, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    sweep([of_x(x) for x in (1, 5, 13)], progress=True)
    assert "2 of 3 done, 1 failed, 0 crashed, 1 diverged" in capsys.readouterr().err


def test_export_of_a_sweep_is_plain_data(sweep, tmp_path):
    report = sweep([of_x(x) for x in (1, 4, 5)])
    units_kept = json.loads(sweep.store.export(tmp_path / "evidence.json", report.keys).read_text())["units"]
    assert [unit["key"] for unit in units_kept] == sorted(report.keys)


def test_processes_share_the_work_and_each_unit_is_begun_once(tmp_path):
    log = tmp_path / "log"
    report = run_sweep(units(log, 12, 0.02), store=tmp_path / "store", workers=2, progress=False)
    begun = noted(log, "begin")
    assert report.complete
    assert sorted(number for number, _ in begun) == list(range(12))
    assert os.getpid() not in {pid for _, pid in begun}
