"""The pool: one dead worker costs one call, and no worker outlives its driver."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, CancelledError

import pytest
from sweep_process import ENVIRONMENT, needs_proc, session, until
from sweep_trials import surroundings

from validation.sweep import HealingPool, SweepError, WorkerDiedError


@pytest.fixture(scope="module")
def pool():
    with HealingPool(2) as opened:
        yield opened


def test_a_dead_worker_costs_its_own_call_only(pool):
    calls = [pool.submit(divmod, x, 3) for x in range(5)]
    deadly = pool.submit(os._exit, 7)
    later = [pool.submit(divmod, x, 3) for x in range(5)]
    assert [call.result() for call in calls + later] == [divmod(x, 3) for x in range(5)] * 2
    with pytest.raises(WorkerDiedError, match="left with code 7"):
        deadly.result()


def test_an_idle_worker_that_is_killed_costs_nothing(pool):
    workers = {pool.submit(os.getpid).result() for _ in range(10)}
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.05)
    assert pool.submit(os.getpid).result() not in workers


def unpicklable_error():
    """Raise what pickles and does not come back."""

    class Local(Exception):
        pass

    raise Local("of the function")


class TwoParts(Exception):
    """An error whose arguments are not those of its class."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def raise_two_parts():
    raise TwoParts(1, 2)


def test_errors_come_back_even_where_they_cannot_be_pickled(pool):
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()
    with pytest.raises(RuntimeError, match="Local: of the function"):
        pool.submit(unpicklable_error).result()
    with pytest.raises(RuntimeError, match="TwoParts: 1 and 2"):
        pool.submit(raise_two_parts).result()
    assert "<lambda>" in str(pool.submit(lambda: 0).exception())
    assert pool.submit(divmod, 7, 3).result() == (2, 1)


def test_calls_and_answers_larger_than_a_pipe(pool):
    bulk = b"x" * 3_000_000
    assert pool.submit(bytes.upper, bulk).result() == bulk.upper()


def test_workers_have_one_thread_that_does_not_spin_and_the_driver_keeps_its_own(pool, capfd):
    before = dict(os.environ)
    threads, policy, number = pool.submit(surroundings).result()
    assert set(threads) == {1}
    assert (policy, number) == ("PASSIVE", "1")
    assert dict(os.environ) == before


def test_what_a_unit_prints_goes_to_stderr():
    script = "from validation.sweep import HealingPool\nfrom sweep_trials import surroundings\n"
    script += (
        "if __name__ == '__main__':\n    with HealingPool(1) as pool:\n        pool.submit(surroundings).result()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "a line of the unit\n")


def test_a_pool_that_is_shut_down_finishes_its_calls_and_takes_no_more():
    with HealingPool(1) as closing:
        calls = [closing.submit(divmod, x, 3) for x in range(3)]
    assert [call.result() for call in calls] == [(0, 0), (0, 1), (0, 2)]
    with pytest.raises(RuntimeError, match="shut down"):
        closing.submit(divmod, 1, 1)
    closing.shutdown()


def test_a_pool_that_is_killed_stops_at_once():
    killed = HealingPool(1)
    running = killed.submit(time.sleep, 60)
    waiting = killed.submit(time.sleep, 60)
    until(running.running, 30, "the call runs")
    start = time.monotonic()
    killed.kill()
    assert time.monotonic() - start < 10
    with pytest.raises(BrokenExecutor):
        running.result()
    with pytest.raises(CancelledError):
        waiting.result()


@needs_proc
def test_a_script_without_a_main_guard_is_told_so_and_leaves_nobody(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from sweep_trials import of_x\nfrom validation.sweep import run_sweep\n"
        f"run_sweep([of_x(1)], store={str(tmp_path / 'store')!r}, workers=1)\n"
    )
    process = subprocess.Popen(
        [sys.executable, script], env=ENVIRONMENT, stderr=subprocess.PIPE, start_new_session=True
    )
    stderr = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert SweepError.__name__ in stderr
    assert "without `if __name__ == '__main__':`" in stderr
    until(lambda: not session(process.pid), 5, "all of its processes are gone")
