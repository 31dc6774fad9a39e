"""What the functions of `gpdeep.agreement` accept: numbers, errors, levels, sizes of families, samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import REAL_KINDS, as_array, flag, real, shown, whole
from ..result import FloatArray

LEAST, LARGEST = 1e-100, 1e100
"""Sizes beyond which ratios and their powers leave float64."""

MOST_DRAWS = 10**7
"""Resamples and permutations beyond this take hours."""

MOST = 10**12
"""Replicates and comparisons beyond this are taken for a slip."""


def finite(name: str, value: Any, meaning: str) -> float:
    """`value` as a finite float."""
    return real(name, value, -LARGEST, LARGEST, meaning)


def not_negative(name: str, value: Any, meaning: str) -> float:
    """`value` as a finite float of 0 or more."""
    number = finite(name, value, meaning)
    if number < 0:
        raise DomainError(
            f"{name} = {shown(number)} is negative.",
            f"{name} is {meaning}: it has a size and no sign.",
            f"Give {name} as 0 or more.",
        )
    return number


def positive(name: str, value: Any, meaning: str) -> float:
    """`value` as a finite float above 0."""
    return real(name, value, LEAST, LARGEST, meaning)


def level(name: str, value: Any) -> float:
    """A probability strictly between 0 and 1."""
    return real(name, value, LEAST, 1.0, "a probability, not a percentage")


def count(name: str, value: Any, least: int = 1, most: int = MOST) -> int:
    """`value` as an integer from `least` to `most`."""
    return whole(name, value, least, most)


def replicate_count(value: Any, known_error: bool) -> int | None:
    """Number of replicates, or None for not said; with an estimated standard error 2 or more."""
    return None if value is None else count("replicates", value, 1 if flag("known_error", known_error) else 2)


def array_of_reals(name: str, value: Any) -> FloatArray:
    """`value` as a non-empty float64 array; NaN and infinities pass."""
    array = as_array(value)
    kind = "ragged" if array.dtype.kind == "O" and isinstance(value, (list, tuple)) else str(array.dtype)
    if array.dtype.kind not in REAL_KINDS or array.size == 0:
        raise DomainError(
            f"{name} is an array of type {kind} and shape {array.shape}.",
            "It is empty, ragged, or holds text, truth values or complex numbers.",
            f"Give {name} as an array of real numbers.",
        )
    with np.errstate(over="ignore"):
        wide = array.astype(np.float64)
    large = np.isfinite(wide) & (np.abs(wide) > LARGEST)
    if large.any():
        raise DomainError(
            f"{name} holds {float(wide[large][0])!r}; {large.sum()} of {wide.size} entries are beyond {LARGEST:g}.",
            "Their squares leave float64; an overflow upstream, or units that need scaling.",
            "Leave out networks that diverged, or scale the numbers.",
        )
    return wide


def sample(name: str, value: Any, least: int) -> FloatArray:
    """`value` as a one-dimensional array of `least` or more finite numbers."""
    array = array_of_reals(name, value)
    if array.ndim != 1 or array.size < least or not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise DomainError(
            f"{name} has shape {array.shape}" + (f" and {bad} entries that are NaN or infinite." if bad else "."),
            f"A list of {least} or more replicates is needed; networks that died or diverged have no finite value.",
            "Give one number a replicate; count those without a value apart, with `count_test`.",
        )
    return array


def probabilities(name: str, value: Any) -> FloatArray:
    """`value` as an array of numbers in [0, 1]."""
    array = array_of_reals(name, value)
    if not ((array >= 0) & (array <= 1)).all():
        bad = array[~((array >= 0) & (array <= 1))]
        raise DomainError(
            f"{name} holds {float(bad.flat[0])!r} ({bad.size} of {array.size} lie outside [0, 1]).",
            "Statistics or z-scores were given where p-values are expected, or a test returned NaN.",
            "Give p-values between 0 and 1.",
        )
    return array
