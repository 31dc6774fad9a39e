"""A sweep: every unit that is not in the store yet is computed, and kept as soon as it is there."""

from __future__ import annotations

import contextlib
import operator
import os
import sys
from collections.abc import Collection, Iterable
from typing import Any

from gpdeep.errors import DomainError

from .drive import Driver
from .engine import Submitter, engine
from .interruption import noted_signals
from .pool import default_workers
from .progress import Show, Tally, display
from .report import SweepReport, Trouble, report_of
from .revision import commit
from .store import Store
from .task import Task, same_specification, tasks_of
from .unit import Batch, Unit, function_name

RETRIED = frozenset({"failed", "crashed"})
"""How a unit ends that can be tried again."""


def run_sweep(
    units: Iterable[Unit | Batch],
    executor: Submitter | None = None,
    *,
    store: str | os.PathLike[str] | Store,
    workers: int | None = None,
    window: int | None = None,
    progress: bool | Show = True,
    retry: str | Collection[str] = (),
    wait: float = 0.0,
) -> SweepReport:
    """Compute the units that `store` does not have yet, and keep each result when it comes.

    Parameters
    ----------
    units : iterable of Unit or Batch
        In the order in which they are begun; units with equal specifications are one unit.
    executor : object with ``submit``, optional
        ``client.get_executor(pure=False)`` of dask.distributed, an executor of concurrent.futures, of Slurm, ... It is
        not shut down. By default a pool of processes on this machine that survives the death of its workers.
    store : path or Store
        SQLite file on a local disk, made where it is not there.
    workers : int, optional
        Processes of our own pool, by default one for each processor; for a given executor, how many it has.
    window : int, optional
        Most calls that are with the executor at a time; 2 × `workers` by default, which keeps every worker busy and
        leaves the rest to the driver.
    progress : bool or callable
        Counts on stderr, or a function that is called with each `Tally`.
    retry : "failed", "crashed" or both
        Units of earlier runs that ended so are computed again; by default they are not.
    wait : float
        Seconds to wait for another driver that works on the same store.

    Returns
    -------
    SweepReport
        Counts, and every unit without a result.

    Raises
    ------
    DomainError
        An argument is not what its name says, or two functions are given the same specification.
    StoreError
        The store cannot be opened or written, for instance on a full disk; what was kept before is still there.
    StoreBusyError
        Another driver works on the store.
    SweepError
        The executor stopped working; what was done is kept.
    KeyboardInterrupt, SystemExit
        SIGINT or SIGTERM came; what was done is kept, what was under way is begun again by the next run.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> def square(specification):
    ...     return {"square": specification["x"] ** 2}
    >>> units = [Unit(square, {"experiment": "squares", "x": x}) for x in range(4)]
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as threads:
    ...     with Store(f"{folder}/squares.sqlite") as store:
    ...         first = run_sweep(units[:3], threads, store=store, progress=False)
    ...         second = run_sweep(units, threads, store=store, progress=False)
    ...         print(second.done, second.resumed, store.get(units[3].key).result)
    4 3 {'square': 9}
    """
    tasks = tasks_of(units)
    asked = frozenset([retry] if isinstance(retry, str) else retry)
    if not asked <= RETRIED:
        raise DomainError(
            f"retry = {retry!r}.",
            "Only units that failed or crashed can be tried again.",
            "Give 'failed', 'crashed', or both in a tuple.",
        )
    number = _count("workers", default_workers() if workers is None else workers)
    most = _count("window", 2 * number if window is None else window)
    with contextlib.ExitStack() as stack:
        if not isinstance(store, Store):
            store = stack.enter_context(Store(store))
        stack.enter_context(store.driving(wait))
        todo, tally, old = _left(tasks, store, asked)
        interruption = stack.enter_context(noted_signals())
        show = stack.enter_context(display(progress))
        source = stack.enter_context(engine(executor, number))
        driver = Driver(todo, source, store, most, tally, show, commit() if todo else None)
        driver.run(interruption)
    if interruption.signal is not None:
        kept = f"{driver.tally.done} of {tally.total} units are done and kept in '{store.path}'"
        print(f"stopped by {interruption.signal.name}: {kept}; the same command goes on from there", file=sys.stderr)
        interruption.raise_()
    keys = tuple(key for task in tasks for key, _ in task.members)
    return report_of(keys, driver.tally.now(), (*old, *driver.troubles))


def _left(tasks: list[Task], store: Store, retry: frozenset[str]) -> tuple[list[Task], Tally, list[Trouble]]:
    """What is still to be done, the counts at the start, and the troubles of earlier runs."""
    known = store.known()
    todo, troubles = [], []
    counts: dict[str, Any] = dict.fromkeys(("total", "resumed", "done", "failed", "crashed", "diverged"), 0)
    for task in tasks:
        left = []
        for key, text in task.members:
            counts["total"] += 1
            status, diverged, function = known.get(key, ("", False, ""))
            if status and function != function_name(task.function):
                raise same_specification(key, text, function_name(task.function), function)
            if not status or status in retry:
                left.append(key)
                continue
            counts["resumed"] += 1
            counts[status] += 1
            counts["diverged"] += diverged
            if status != "done":
                row = store.get(key)
                troubles.append(Trouble(key, text, status, (row and row.error) or ""))
        if left:
            todo.append(task.only(left))
    return todo, Tally(**counts), troubles


def _count(name: str, value: int) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if number < 1:
        raise DomainError(f"{name} = {value!r}.", f"{name} counts something, from 1.", f"Give an integer, {name}=2.")
    return number
