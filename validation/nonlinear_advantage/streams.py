"""Random numbers that are keyed by what they are for, so that no run depends on what else is run beside it."""

from __future__ import annotations

import zlib

import numpy as np

_ROOT = "nonlinear advantage"


def stream(*key: str | int) -> np.random.Generator:
    """The generator of one piece of work.

    Parameters
    ----------
    *key : str or int
        What the work is: task, seed, purpose.

    Examples
    --------
    >>> stream("sum", 0, "weights").random() == stream("sum", 0, "weights").random()
    True
    >>> stream("sum", 0, "weights").random() == stream("sum", 0, "order").random()
    False
    """
    return np.random.default_rng(np.random.SeedSequence([zlib.crc32(f"{part}".encode()) for part in (_ROOT, *key)]))
