"""How far a sweep is: counts, and the time that is left as the work that is left over the rate so far.

Units of different size are weighed by their FLOPs; where some unit has none, each counts the same. On a terminal a
line that renews itself, elsewhere a plain line now and then; always on stderr.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TextIO

_SECONDS_BETWEEN_LINES = 10.0
_TELLING = 0.01  # share of the work from which its rate is that of what is left


@dataclass(frozen=True)
class Tally:
    """Counts of units; `done` includes the diverged ones, `resumed` are those that an earlier run had dealt with.

    `work` is what this run has to do, in FLOPs or in units, and `worked` the share of it that is behind.
    """

    total: int
    resumed: int = 0
    done: int = 0
    failed: int = 0
    crashed: int = 0
    diverged: int = 0
    suspects: int = 0
    work: float = 0.0
    worked: float = 0.0
    elapsed: float = 0.0
    started: float = field(default_factory=time.monotonic, repr=False, compare=False)

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the rate of this run; None before a hundredth of it is done, when small units tell nothing."""
        told = self.worked > 0 and self.worked >= _TELLING * self.work
        return self.elapsed * (self.work - self.worked) / self.worked if told else None

    def now(self) -> Tally:
        """The same counts at this time."""
        return replace(self, elapsed=time.monotonic() - self.started)

    def __str__(self) -> str:
        again = f", {self.suspects} to be tried again alone" if self.suspects else ""
        left = self.seconds_left
        time_left = "" if left is None or self.work == self.worked else f", about {duration(left)} left"
        return (
            f"{self.done} of {self.total} done, {self.failed} failed, {self.crashed} crashed, "
            f"{self.diverged} diverged{again}; {duration(self.elapsed)}{time_left}"
        )


Show = Callable[[Tally], None]


def duration(seconds: float) -> str:
    """`seconds` for a reader: 12 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


@contextlib.contextmanager
def display(progress: bool | Show) -> Iterator[Show]:
    """What is called with each new tally."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda tally: None
    elif sys.stderr.isatty():
        with _live() as show:
            yield show
    else:
        yield _Lines(sys.stderr).show


@contextlib.contextmanager
def _live() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(BarColumn(bar_width=20), TextColumn("{task.description}"), console=Console(stderr=True))
    with bar:
        task = bar.add_task("sweep", total=None)

        def show(tally: Tally) -> None:
            share = tally.worked / tally.work if tally.work else 1.0
            bar.update(task, completed=share, total=1.0, description=str(tally))

        yield show


class _Lines:
    """Plain lines: the first, the last, and one in ten seconds between them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = -_SECONDS_BETWEEN_LINES

    def show(self, tally: Tally) -> None:
        over = tally.done + tally.failed + tally.crashed == tally.total
        if over or tally.elapsed - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = tally.elapsed
            print(f"sweep: {tally}", file=self._stream, flush=True)
