"""The driver: hands out units, keeps what comes back, and finds the one that kills its workers.

A unit can end in four ways:

    done      its function returned; also where the network diverged, which is a result
    failed    its function raised
    crashed   its process died in company, and then again while it ran alone, `TRIES` times in all; or the executor
              itself had given it up, and did so again while it ran alone
    nothing   the driver was stopped; the next run with the same store begins it again

A death in company convicts nobody: another unit may have taken the memory. So a suspect waits until nothing else is
left and is then run while no other unit runs. If it dies again it is to blame, and nobody else can be.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

from .compute import Record, compute
from .engine import Ending, Submitter, ended, ending, error_of, lost
from .errors import SweepError
from .interruption import Interruption
from .progress import Show, Tally
from .report import Trouble
from .store import Store
from .task import Task
from .unit import function_name

TRIES = 3
"""A unit whose process died so often is quarantined."""

_SECONDS_BETWEEN_LOOKS = 0.2  # at signals and at the clock


class Driver:
    """One run over `tasks`; `window` bounds how many calls are with the executor at a time."""

    def __init__(
        self,
        tasks: list[Task],
        engine: Submitter,
        store: Store,
        window: int,
        tally: Tally,
        show: Show,
        commit: str | None,
    ) -> None:
        self._engine, self._store, self._window, self._show, self._commit = engine, store, window, show, commit
        self._queue = collections.deque(tasks)
        self._suspects: collections.deque[Task] = collections.deque()
        self._flight: dict[Any, Task] = {}
        self._alone = False  # whether what is in flight is a suspect
        self._weighed = all(task.flops is not None for task in tasks)
        self.tally = dataclasses.replace(tally, work=sum(self._weight(task) for task in tasks))
        self.troubles: list[Trouble] = []

    def run(self, interruption: Interruption) -> None:
        """Go on until every unit has ended or a signal has come.

        Raises
        ------
        SweepError
            The executor can do no more work.
        StoreError
            What came back cannot be kept.
        """
        try:
            while (self._queue or self._suspects or self._flight) and interruption.signal is None:
                self._submit()
                self._settle(ended(self._flight, _SECONDS_BETWEEN_LOOKS), interruption)
                self._show(self._now())
        except SweepError:
            self._keep_what_came()
            raise
        finally:
            for future in self._flight:
                future.cancel()
            if interruption.signal is not None:
                self._keep_what_came()

    # ------------------------------------------------------------------ handing out

    def _submit(self) -> None:
        if self._flight and self._alone:
            return
        self._alone = False
        while self._queue and len(self._flight) < self._window:
            self._begin(self._queue.popleft())
        if self._suspects and not self._flight:
            self._alone = True
            self._begin(self._suspects.popleft())

    def _begin(self, task: Task) -> None:
        task.tries += 1
        try:
            future = self._engine.submit(compute, task.function, task.specifications, task.settings, task.batched)
        except Exception as error:  # it takes no more calls
            raise lost(error) from error
        self._flight[future] = task

    # ------------------------------------------------------------------ taking back

    def _settle(self, futures: list[Any], interruption: Interruption) -> None:
        """Keep what came back, and see to what did not."""
        gone: BaseException | None = None
        for future in futures:
            task, error = self._flight.pop(future), error_of(future)
            if error is None:
                self._take(task, future.result())
            elif interruption.signal is not None:
                continue  # the signal may have reached the workers, too: no unit is to blame
            elif ending(error) is Ending.LOST:
                gone = error
            else:
                self._see_to(task, error)
        if gone is not None:
            raise lost(gone) from gone

    def _keep_what_came(self) -> None:
        for future in [future for future in self._flight if future.done() and error_of(future) is None]:
            self._take(self._flight.pop(future), future.result())

    def _take(self, task: Task, records: list[Record]) -> None:
        if len(records) > 1 and all(record.status == "failed" for record in records):
            self._queue.extendleft(reversed(task.one_by_one()))  # the call raised: find the member that made it
        else:
            self._keep(task, records)

    def _see_to(self, task: Task, error: BaseException) -> None:
        """Judge a task that brought no records back."""
        end, why = ending(error), f"{type(error).__name__}: {error}"
        if end is Ending.UNFIT:
            self._keep(task, [Record("failed", error=why)] * len(task.members))
        elif len(task.members) > 1:
            self._suspects.extend(task.one_by_one())
        elif self._alone and (end is Ending.CONVICTED or task.tries >= TRIES):
            self._keep(task, [Record("crashed", error=why)])
        else:
            self._suspects.append(task)

    def _keep(self, task: Task, records: list[Record]) -> None:
        members = [(key, text, record) for (key, text), record in zip(task.members, records, strict=True)]
        self._store.write(function_name(task.function), members, task.tries, self._commit)
        self.troubles += [
            Trouble(key, text, record.status, record.error or "")
            for key, text, record in members
            if record.status != "done"
        ]
        count = collections.Counter(record.status for record in records)
        self.tally = dataclasses.replace(
            self.tally,
            done=self.tally.done + count["done"],
            failed=self.tally.failed + count["failed"],
            crashed=self.tally.crashed + count["crashed"],
            diverged=self.tally.diverged + sum(record.diverged for record in records),
            worked=self.tally.worked + self._weight(task),
        )

    # ------------------------------------------------------------------

    def _weight(self, task: Task) -> float:
        return task.flops if self._weighed and task.flops is not None else float(len(task.members))

    def _now(self) -> Tally:
        self.tally = dataclasses.replace(self.tally.now(), suspects=sum(len(task.members) for task in self._suspects))
        return self.tally
