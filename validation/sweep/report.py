"""What a sweep came to."""

from __future__ import annotations

from dataclasses import dataclass

from .progress import Tally, duration


@dataclass(frozen=True)
class Trouble:
    """A unit without a result: its key, its specification as canonical JSON, and why."""

    key: str
    specification: str
    status: str
    error: str

    def __str__(self) -> str:
        lines = self.error.strip().splitlines()
        last = max((k for k, line in enumerate(lines) if not line.startswith(" ")), default=0)  # its message goes on
        why = " ".join(line.strip() for line in lines[last:])
        return f"{self.status} {self.key} {self.specification:.200}: {why:.1000}"


@dataclass(frozen=True)
class SweepReport:
    """Counts over all units of the call, however many of them an earlier run had dealt with.

    Attributes
    ----------
    keys : tuple of str
        The units' keys in the order in which they were given, each once: `Store.get` gives their rows.
    total, resumed, done, failed, crashed, diverged : int
        Units; those that were in the store already; those with a result; those whose function raised; those whose
        process died and that are in quarantine; those of the done ones that diverged.
    seconds : float
        Wall time of this run.
    troubles : tuple of Trouble
        Every failed and crashed unit.
    """

    keys: tuple[str, ...]
    total: int
    resumed: int
    done: int
    failed: int
    crashed: int
    diverged: int
    seconds: float
    troubles: tuple[Trouble, ...]

    @property
    def complete(self) -> bool:
        """Whether every unit has a result."""
        return self.done == self.total

    def __str__(self) -> str:
        head = (
            f"{self.done} of {self.total} done ({self.diverged} diverged, {self.resumed} from earlier runs), "
            f"{self.failed} failed, {self.crashed} crashed; {duration(self.seconds)}"
        )
        return "\n".join([head, *(f"  {trouble}" for trouble in self.troubles)])


def report_of(keys: tuple[str, ...], tally: Tally, troubles: tuple[Trouble, ...]) -> SweepReport:
    """The report at the end of a run."""
    return SweepReport(
        keys,
        tally.total,
        tally.resumed,
        tally.done,
        tally.failed,
        tally.crashed,
        tally.diverged,
        tally.elapsed,
        troubles,
    )
