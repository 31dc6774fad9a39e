r"""Matrices of members that start where a lone one would, so that each is multiplied as if it were alone.

A library of matrix products may choose the order of a sum by the address at which a result begins (MKL does on
processors of AMD), and a loop over vectors of numbers treats the last, incomplete one apart. In company, member m
begins m times the size of a matrix later. Where that is a multiple of 32 numbers, which is two vectors of the widest
registers and whole lines of the cache in either type, neither can tell. A product with a single column is a sum over
rows: for one matrix and for several it goes by different routines.
"""

from __future__ import annotations

import math
from typing import Any

import torch

UNIT = 32  # numbers


def rounded_up(size: int, unit: int = UNIT) -> int:
    """The next multiple of the unit."""
    return -(-size // unit) * unit


def filling_rows(size: int, widths: tuple[int, ...], device: Any) -> Any:
    """Places 0..size-1, and from the start again until as many rows fill whole units in layers of all `widths`.

    None where `size` rows do. A batch is filled up with samples of its own, which cost nothing but what they take to
    compute.
    """
    rows = rounded_up(size, UNIT // math.gcd(UNIT, *widths))
    return torch.arange(rows, device=device) % size if rows > size else None


def product(a: Any, W: Any) -> Any:
    """The products a_m W_m of all members."""
    return torch.bmm(a, W) if W.shape[2] > 1 else (a * W.mT).sum(2, keepdim=True)


def affine(b: Any, a: Any, W: Any) -> Any:
    """b_m + a_m W_m of all members."""
    return torch.baddbmm(b, a, W) if W.shape[2] > 1 else b + product(a, W)
