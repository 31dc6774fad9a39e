"""All steps of a training, one after another.

On the CPU the host reads after each step who is alive, which costs nothing. A device runs ahead of its host, which
waits for it where somebody wants to look, and where it has to bring new batches and fetch what steps have told.
"""

from __future__ import annotations

from collections.abc import Callable

from .batches import Feed
from .ledger import Ledger
from .member_step import ROWS, MemberStep
from .recording import RecordedStep, Recorder


class Walk:
    """The steps of a training.

    Parameters
    ----------
    step : MemberStep
    feed : Feed
    recorder : Recorder, optional
        Records steps at which nobody looks.
    total : int
    factor : callable
        Of the learning rates, at the share of the way.
    progress : callable, optional

    Attributes
    ----------
    done : int
        Steps that have moved members, with those that a device did after the last of them died.
    """

    def __init__(
        self,
        step: MemberStep,
        feed: Feed,
        recorder: Recorder | None,
        total: int,
        factor: Callable[[float], float],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._step, self._feed, self._total = step, feed, total
        self._factor, self._progress = factor, progress
        self._recorded = None if recorder is None else RecordedStep(step, recorder)
        self._at_hand = recorder is None and step.alive.device.type == "cpu"
        self._ledger = Ledger(len(step.alive))
        self._unread = 0
        self._seen = 0  # evaluations: one more than steps where a step has begun
        self.done = 0

    @property
    def replayed(self) -> int:
        """Steps that were replays of a recording."""
        return 0 if self._recorded is None else self._recorded.replayed

    def go(self, looks: set[int], look: Callable[[int], None]) -> str:
        """Go to the end, or until nobody is alive; why it ended before, where the user wanted that."""
        try:
            for number in range(self._total + 1):
                self._feed.turn()
                if not (self._at_hand or number in looks):
                    if self._ahead(number):
                        break
                    continue
                self._step.evaluate()
                self._count()
                living = int(self._step.alive.sum())
                if number in looks and (living or self.ledger().died_at.max() == number):
                    look(number)
                if number == self._total or not living:
                    break
                self._step.count(self._factor(number / self._total))
                self._step.update(all_alive=living == len(self._step.alive))
                self._moved(number)
        except KeyboardInterrupt:
            return f"Interrupted after {self.done} of {self._total} steps: the members are as trained so far."
        return ""

    def stand(self) -> None:
        """Costs and gradients of the members as they are, where the last step ended before its successor began."""
        if self._seen == self.done:
            self._feed.turn()
            self._step.evaluate()
            self._count()

    def ledger(self) -> Ledger:
        """What all steps so far have told."""
        if self._unread:
            self._ledger.enter(self._step.take(self._unread))
            self._unread = 0
        return self._ledger

    def _ahead(self, number: int) -> bool:
        """A step at which the host does not look; whether it saw, where it had to wait anyway, that nobody is alive."""
        self._step.count(self._factor(number / self._total))
        (self._recorded or self._step).both()
        waits = self._feed.empty
        if waits:
            self._feed.draw()  # while the device works
        self._count()
        self._moved(number)
        return waits and not bool(self._step.alive.any())

    def _count(self) -> None:
        self._seen += 1
        self._unread += 1
        if self._unread == ROWS:
            self.ledger()

    def _moved(self, number: int) -> None:
        self.done = number + 1
        if self._progress is not None:
            self._progress(number + 1, self._total)
