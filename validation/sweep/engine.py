"""How the driver speaks to an executor, its own or a borrowed one: futures that end, and what their errors mean."""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Collection, Iterator
from concurrent.futures import BrokenExecutor
from enum import Enum, auto
from typing import Any, Protocol

from gpdeep.errors import DomainError

from .errors import SweepError, WorkerDiedError
from .pool import HealingPool

_SECONDS_BETWEEN_LOOKS = 0.05


class Submitter(Protocol):
    """Anything with ``submit(function, *args)``; its futures have ``done``, ``result``, ``exception``, ``cancel``."""

    def submit(self, fn: Any, /, *args: Any) -> Any:
        """The future of ``fn(*args)``."""
        ...


class Ending(Enum):
    """How a call ended that brought no records back."""

    DIED = auto()  # its process died; the call may be to blame, or may have been in bad company
    CONVICTED = auto()  # the executor itself tried the call several times and gave up
    UNFIT = auto()  # the call or its records could not be sent: this unit's own fault
    LOST = auto()  # the executor does not work any more


def ending(error: BaseException) -> Ending:
    """What an exception of a future says; those of the unit's own function never come this way."""
    if isinstance(error, WorkerDiedError):
        return Ending.DIED
    if any(cls.__name__ == "KilledWorker" for cls in type(error).__mro__):  # dask.distributed's, without importing it
        return Ending.CONVICTED
    gone = (BrokenExecutor, concurrent.futures.CancelledError, OSError)
    return Ending.LOST if isinstance(error, gone) or not isinstance(error, Exception) else Ending.UNFIT


@contextlib.contextmanager
def engine(executor: Submitter | None, workers: int) -> Iterator[Submitter]:
    """The executor that was given, or a pool of our own, which does not outlive the context."""
    if executor is not None:
        if not callable(getattr(executor, "submit", None)):
            raise DomainError(
                f"The executor is a {type(executor).__name__}, which has no method 'submit'.",
                "A Dask client, a class instead of an object, or a number of workers was given.",
                "Give an executor such as client.get_executor(pure=False), or workers=N for processes on this machine.",
            )
        yield executor
        return
    pool = HealingPool(workers)
    try:
        yield pool
    finally:
        pool.kill()


def error_of(future: Any) -> BaseException | None:
    """The exception with which a future ended, its cancellation included."""
    try:
        return future.exception()  # type: ignore[no-any-return]
    except concurrent.futures.CancelledError as error:
        return error


def ended(futures: Collection[Any], seconds: float) -> list[Any]:
    """The futures that have ended, after a wait for the first of at most `seconds`."""
    if all(isinstance(future, concurrent.futures.Future) for future in futures):
        return list(concurrent.futures.wait(futures, seconds, concurrent.futures.FIRST_COMPLETED).done)
    until = time.monotonic() + seconds
    while not (over := [future for future in futures if future.done()]) and time.monotonic() < until:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return over


def lost(error: BaseException) -> SweepError:
    """The error when the executor can do no more."""
    cause = "The executor was shut down, or one of its processes died, which breaks the standard library's pools."
    change = "Run the same again: what is done is kept and skipped. executor=None is a pool that survives dead workers."
    if "the pool could not go on" in str(error):
        cause, change = "The system allows no more processes, or has no memory for them.", "Use fewer workers."
    if "while they started" in str(error):
        cause = "The script calls run_sweep without `if __name__ == '__main__':`, or was read from standard input."
        change = "Put the call under that guard, in a file: each worker imports the script anew."
    return SweepError(f"The executor stopped working ({type(error).__name__}: {error}).", cause, change)
