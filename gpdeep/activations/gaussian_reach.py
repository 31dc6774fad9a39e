r"""How far out a Gaussian expectation has to look when its integrand grows.

    E (|φ(√q z)| + (1 + z²)|φ'(√q z)|)^p   to 1e-15,   |z| ≤ reach

An integrand that grows like a polynomial is held by 8.6 standard deviations; one like e^x by more, and one like e^{x²}
by none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.kink_split import REACH
from ..result import FloatArray

_STEP = REACH / 4
_FARTHEST = 17 * _STEP  # e^{-z²/2} = 1e-290 there


def gaussian_reach(
    f: Callable[[FloatArray], FloatArray],
    g: Callable[[FloatArray], FloatArray],
    span: tuple[float, float],
    q: FloatArray,
    power: int,
    parts: Sequence[Any],
) -> FloatArray:
    """The standard deviations that hold E (|f| + (1 + z²)|g|)^power to 1e-15, for each q; NaN where none do.

    `parts` are indices into q, as many at a time as memory allows; f and g are known on `span`.
    """
    count = round(_FARTHEST / (_STEP / 8))
    z = np.arange(-count, count + 1) * (_STEP / 8)
    out = np.full(q.size, np.nan)
    for rows in parts:
        x = np.sqrt(q[rows])[:, None] * z
        known = (x >= span[0]) & (x <= span[1])
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            size = power * np.log(np.abs(f(x)) + (1 + z**2) * np.abs(g(x))) - z**2 / 2
        size = np.where(known, np.where(np.isnan(size), np.inf, size), -np.inf)
        for far in np.arange(_FARTHEST - _STEP, REACH - _STEP / 2, -_STEP):  # downwards: the smallest one stays
            outside = (np.abs(z) >= far - 1e-9) & (np.abs(z) <= far + _STEP / 2 + 1e-9)
            inside = size[:, np.abs(z) <= far].max(axis=-1)
            enough = size[:, outside].max(axis=-1) <= inside - 34.5
            covered = known[:, np.abs(z) <= far - 1e-9].all(axis=-1)
            out[rows] = np.where(enough & covered, far, out[rows])
    return out


def required(name: str, span: tuple[float, float], reach: FloatArray, q: FloatArray) -> FloatArray:
    """`reach`, or the reason why there is none.

    Raises
    ------
    DomainError
        φ is not known far enough out, or grows too fast.
    """
    if not np.isnan(reach).any():
        return reach
    worst = float(q[np.isnan(reach)].max())
    wider = 20 * math.sqrt(worst)
    if 2 * REACH * math.sqrt(worst) > min(-span[0], span[1]):
        raise DomainError(
            f"Variance {worst:g} needs '{name}' beyond the span {span} on which it is known.",
            "The variance is large, or the activation was made on a narrow span.",
            f"Make the activation with a wider span, such as ({-wider:.4g}, {wider:.4g}).",
        )
    raise DomainError(
        f"E φ(x)² or E φ'(x)² of '{name}' is infinite for x of variance {worst:g}.",
        "The function grows as fast as the Gaussian density falls, like exp(x²).",
        "Use a function that grows more slowly, or a smaller variance.",
    )
