"""What the processor is called."""

from __future__ import annotations

import functools
import platform
from pathlib import Path


@functools.cache
def processor() -> str:
    """The model of the first processor, where the system tells it, or else the kind."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.partition(":")[2] for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if models:
            return models[0].strip()
    return platform.processor() or platform.machine()
