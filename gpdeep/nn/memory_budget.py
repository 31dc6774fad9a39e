"""Memory is asked for before it is taken."""

from __future__ import annotations

import os
from typing import Any

import torch

from ..errors import MemoryBudgetError

_SHARE = 0.9  # of what is free


def free_bytes(device: Any) -> int:
    """Free memory of a device; of the machine for the CPU, where the system tells it, else without bound."""
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    try:
        return int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_AVPHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return 2**63


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
