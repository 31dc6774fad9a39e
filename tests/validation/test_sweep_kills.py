"""Processes are killed: no unit is lost, none is kept twice, nobody is left behind."""

import collections
import json
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor

import pytest
from sweep_process import driver, needs_dask, needs_proc, report_of, session, until
from sweep_trials import busy, noted, units

from validation.sweep import Store, SweepError, run_sweep

POISON = 11


both = pytest.mark.parametrize("dask", [[], pytest.param(["--dask"], marks=needs_dask)], ids=["pool", "dask"])


@needs_proc
@both
def test_a_killed_worker_and_a_poison_unit_cost_nobody_else_anything(tmp_path, dask):
    store, log = tmp_path / "store", tmp_path / "log"
    with driver(store, log, "--number", 65, "--poison", POISON, *dask) as process:
        until(lambda: len(noted(log, "end")) >= 20, 60, "20 units")
        workers = until(lambda: {*busy(log)} & {*session(process.pid)}, 10, "a busy worker")
        os.kill(workers.pop(), signal.SIGKILL)
        counts = json.loads(process.communicate(timeout=60)[0])
    assert counts == {"total": 65, "resumed": 0, "done": 64, "failed": 0, "crashed": 1, "diverged": 6}
    with Store(store) as kept:
        rows = {row.specification["trial"]: row for row in kept.rows()}
        assert len(list(kept.rows())) == len(rows) == 65
    assert {number for number, row in rows.items() if row.status == "crashed"} == {POISON}
    assert all(row.result["square"] == number**2 for number, row in rows.items() if number != POISON)
    begun = collections.Counter(number for number, _ in noted(log, "begin"))
    assert begun.pop(POISON) == rows[POISON].tries == (2 if dask else 3)  # in company, then alone
    assert ("KilledWorker" if dask else "signal 9") in rows[POISON].error
    if not dask:  # a Dask worker takes with it what it had not handed over yet
        assert begun.total() in (64, 65)  # at most the unit that was in the killed worker was begun again


@needs_proc
@both
def test_a_killed_driver_leaves_no_worker_and_the_next_one_finishes(tmp_path, dask):
    store, log = tmp_path / "store", tmp_path / "log"
    options = ["--seconds", 0.02, *dask]
    with driver(store, log, *options, "--slow", 20) as first:  # one worker is in a long unit and cannot be asked
        until(lambda: len(noted(log, "end")) >= 30, 60, "30 units")
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: not session(first.pid), 5, "all of the driver's processes are gone")
    with Store(store) as kept:
        before = {row.specification["trial"] for row in kept.rows()}
    assert 10 <= len(before) < 64
    counts = report_of(store, log, *options)
    assert counts == {"total": 64, "resumed": len(before), "done": 64, "failed": 0, "crashed": 0, "diverged": 6}
    begun = collections.Counter(number for number, _ in noted(log, "begin"))
    assert all(begun[number] == 1 for number in before)
    assert begun[20] == 2


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_all_that_is_done(tmp_path, number):
    store, log = tmp_path / "store", tmp_path / "log"
    with driver(store, log, "--seconds", 0.02, "--slow", 20) as first:
        until(lambda: len(noted(log, "end")) >= 30, 60, "30 units")
        os.killpg(first.pid, number)  # to all of its processes, as a terminal does
        _, stderr = first.communicate(timeout=20)
        until(lambda: not session(first.pid), 5, "all of the driver's processes are gone")
    assert first.returncode in ((-signal.SIGINT, 130) if number == signal.SIGINT else (143,))
    assert f"stopped by {number.name}".encode() in stderr
    assert b"of 64 units are done and kept" in stderr
    with Store(store) as kept:
        before = {row.specification["trial"] for row in kept.rows("done")}
        assert len(list(kept.rows())) == len(before)  # nobody is blamed for the signal
    ended = {trial for trial, _ in noted(log, "end")}
    assert before <= ended
    assert len(ended - before) <= 2  # one for each worker, which it had not handed over yet


def test_the_standard_pool_would_have_lost_the_others(tmp_path):
    """The negative control: what the pool of one's own is there for."""
    log = tmp_path / "log"
    trials, two = units(log, 32, poison=[POISON]), {"workers": 2, "progress": False}
    with (
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as standard,
        pytest.raises(SweepError, match="BrokenProcessPool"),
    ):
        run_sweep(trials, standard, store=tmp_path / "store", **two)
    with Store(tmp_path / "store") as store:
        kept = {row.specification["trial"] for row in store.rows("done")}
        assert len(list(store.rows())) == len(kept) < 31  # and nobody is blamed
    assert kept <= {trial for trial, _ in noted(log, "end")}
