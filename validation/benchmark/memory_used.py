"""Memory that some work takes at its height, beyond what was taken before."""

from __future__ import annotations

from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_HEIGHT = "5"


class MemoryUsed:
    """From its making on; of the GPU by torch's own account, of the processor by Linux's, None on other systems."""

    def __init__(self, device: str) -> None:
        self._cuda = device == "cuda"
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()
            self._before: int | None = int(torch.cuda.memory_allocated())
            return
        try:
            _CLEAR.write_text(_RESET_HEIGHT)
            self._before = _kept("VmRSS")
        except OSError:
            self._before = None

    def height(self) -> int | None:
        """Bytes."""
        if self._before is None:
            return None
        if self._cuda:
            import torch

            return int(torch.cuda.max_memory_allocated()) - self._before
        highest = _kept("VmHWM")
        return None if highest is None else max(0, highest - self._before)


def _kept(name: str) -> int | None:
    """Bytes that a line of the process's status tells."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None
