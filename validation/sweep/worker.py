"""The process in which units are computed: one thread, and an end when its driver ends.

A driver that is killed cannot tell its workers. So an idle worker ends when its pipe closes, and a busy one has a
thread that looks every half second whether the parent process is still there.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

READY = b"ready"

_SECONDS_BETWEEN_LOOKS = 0.5

# One BLAS, OpenMP and torch thread: several processes with several threads each wait for one another, and a thread
# that spins while it waits takes a neighbour's core. Libraries read this when they load: it is set before the start.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}

_environment = threading.Lock()


@contextlib.contextmanager
def environment_of_workers() -> Iterator[None]:
    """While it is open, processes that are started get one thread for each library."""
    with _environment:
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def serve(pipe: Connection[Any, Any]) -> None:
    """Answer the calls that come through `pipe` until it closes."""
    threading.Thread(target=_end_with_the_driver, args=(os.getppid(),), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, who decides what to keep
    with contextlib.suppress(OSError, RuntimeError):  # no stderr, then
        faulthandler.enable()
        os.dup2(2, 1)  # what units print goes to stderr: stdout is the driver's, for data
    with contextlib.suppress(EOFError, OSError):  # the driver has ended or wants no more
        pipe.send_bytes(READY)
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _answer(call: bytes) -> Any:
    """The pickled pair of whether the call succeeded, and its value or exception."""
    try:
        function, args, kwargs = pickle.loads(call)
        return ForkingPickler.dumps((True, function(*args, **kwargs)))
    except BaseException as error:
        try:
            reply = ForkingPickler.dumps((False, error))
            pickle.loads(
                reply
            )  # an exception whose arguments are not those of its class pickles, but does not come back
            return reply
        except Exception:
            return ForkingPickler.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _end_with_the_driver(driver: int) -> None:
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive() and os.getppid() == driver:
        parent.join(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
