"""Drivers as processes: started, waited for, and what is left of them."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sweep_driver

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}


needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed (the extra 'sweep')"
)
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted in /proc")


def command(store, log, *options):
    """The command line of a driver."""
    return [sys.executable, sweep_driver.__file__, *map(str, (store, log, *options))]


def report_of(store, log, *options):
    """The counts of a driver that runs to its end."""
    return json.loads(
        subprocess.run(command(store, log, *options), env=ENVIRONMENT, capture_output=True, check=True).stdout
    )


def heed_interrupts():
    """A shell's background job, in which tests may run, has them ignored, and so have its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def driver(store, log, *options):
    """A driver that leads a session, so that all that it started can be found; nothing of it is left in the end."""
    process = subprocess.Popen(
        command(store, log, *options),
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=heed_interrupts,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        for pid in session(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def session(leader):
    """Living processes of the session that `leader` leads."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                state, _, _, leader_of = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                members += [int(entry.name)] if int(leader_of) == leader and state != "Z" else []
    return members


def until(true, seconds, what):
    """What `true()` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return found
