"""Time that a neighbour on the machine does not lengthen: of the processor, or of the device."""

from __future__ import annotations

import time
from typing import Any, Protocol


class Clock(Protocol):
    """Marks, and seconds between two of them."""

    def mark(self) -> Any:
        """The present, in the order of the work."""

    def between(self, first: Any, last: Any) -> float:
        """Seconds."""


class ProcessorClock:
    """Time that this process had on processors."""

    def mark(self) -> float:
        """Seconds so far."""
        return time.process_time()

    def between(self, first: float, last: float) -> float:
        """Seconds; never 0, which the clock may show for short work."""
        return max(last - first, 1e-9)


class DeviceClock:
    """CUDA events on the stream that is in use."""

    def mark(self) -> Any:
        """An event that the device reaches when it has done the work so far."""
        import torch

        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, first: Any, last: Any) -> float:
        """Waits for the device."""
        last.synchronize()
        return max(float(first.elapsed_time(last)) / 1e3, 1e-9)


def clock_of(device: str) -> Clock:
    """The clock of a device."""
    return DeviceClock() if device == "cuda" else ProcessorClock()
