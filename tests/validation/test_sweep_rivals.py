"""Two drivers on one store: one works while the other waits or is sent away, and nothing is computed twice."""

import json
import sqlite3

import pytest
from sweep_process import driver, needs_proc, until
from sweep_trials import noted, units

from validation.sweep import Store, StoreBusyError, run_sweep


@needs_proc
def test_of_two_drivers_one_waits_and_finds_all_done_and_an_impatient_third_is_sent_away(tmp_path):
    store, log = tmp_path / "store", tmp_path / "log"
    patient = (store, log, "--seconds", 0.03, "--wait", 60)
    with driver(*patient) as first, driver(*patient) as second, Store(store) as watched:
        until(lambda: noted(log, "end"), 60, "one of them works")
        with pytest.raises(StoreBusyError, match=rf"process ({first.pid}|{second.pid}) on"):
            run_sweep(units(log), store=store, progress=False)
        seen = len(list(watched.rows()))  # a reader is let in while they work
        reports = [json.loads(process.communicate(timeout=60)[0]) for process in (first, second)]
    assert 0 <= seen < 64
    assert sorted(report["resumed"] for report in reports) == [0, 64]
    assert [report["done"] for report in reports] == [64, 64]
    assert sorted(number for number, _ in noted(log, "begin")) == list(range(64))
    with sqlite3.connect(store) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert base.execute("SELECT count(*), sum(tries) FROM unit").fetchone() == (64, 64)
    base.close()
