"""SIGINT and SIGTERM are noted, and acted upon between two units: never in the middle of keeping a result."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interruption:
    """The signal that came, if one came."""

    signal: signal.Signals | None = None

    def raise_(self) -> None:
        """What the signal stands for: KeyboardInterrupt, or the exit code that shells give to a terminated program."""
        if self.signal is signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal is not None:
            raise SystemExit(128 + self.signal)


@contextlib.contextmanager
def noted_signals() -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM while it is open; a second one acts at once, as it would have without this.

    Outside the main thread signals cannot be caught, and nothing is noted.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        interruption.signal = signal.Signals(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler not in (None, signal.SIG_IGN)}
    for number in before:
        signal.signal(number, note)
    try:
        yield interruption
    finally:
        restore()
