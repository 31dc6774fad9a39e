"""Memory is asked for before it is taken."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import torch

from ..errors import MemoryBudgetError

_SHARE = 0.9  # of what is free
_MEMORY = Path("/proc/meminfo")


def free_bytes(device: Any) -> int:
    """Free memory of a device; of the machine for the CPU, where the system tells it, else without bound."""
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for what comes next
        return int(free) + int(kept)
    with contextlib.suppress(
        OSError, ValueError, IndexError, StopIteration
    ):  # what the system keeps of files makes room when asked
        lines = _MEMORY.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024
    try:
        return int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_AVPHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return 2**63


def has_room(wanted: int, device: Any) -> bool:
    """Whether `wanted` bytes are at most nine tenths of what is free."""
    return wanted <= _SHARE * free_bytes(device)


def require_memory(wanted: int, device: Any, what: str) -> None:
    """Refuse what does not fit.

    Raises
    ------
    MemoryBudgetError
        `wanted` bytes are more than nine tenths of what is free.
    """
    free = free_bytes(device)
    if wanted > _SHARE * free:
        raise MemoryBudgetError(
            f"{wanted / 2**30:.3g} GiB are needed and {free / 2**30:.3g} GiB are free on {device}.",
            f"There are too many {what} for this device.",
            f"Use at most {_SHARE * free / wanted:.2g} times as many.",
        )
