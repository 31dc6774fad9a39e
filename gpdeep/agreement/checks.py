"""What the functions of `gpdeep.agreement` accept: numbers, errors, levels, sizes of families, samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DomainError
from ..finite.checks import check_integer
from ..gaussian.arguments import real
from ..result import FloatArray

MOST = 10**12
"""Replicates, comparisons and resamples beyond this are taken for a slip."""


def finite(name: str, value: Any, meaning: str) -> float:
    """`value` as a finite float."""
    return real(name, value, -math.inf, math.inf, meaning)


def not_negative(name: str, value: Any, meaning: str) -> float:
    """`value` as a finite float of 0 or more."""
    number = finite(name, value, meaning)
    if number < 0:
        raise DomainError(
            f"{name} = {number!r} is negative.",
            f"{name} is {meaning}: it has a size and no sign.",
            f"Give {name} as 0 or more.",
        )
    return number


def positive(name: str, value: Any, meaning: str) -> float:
    """`value` as a finite float above 0."""
    return real(name, value, 0.0, math.inf, meaning)


def level(name: str, value: Any) -> float:
    """A probability strictly between 0 and 1."""
    return real(name, value, 0.0, 1.0, "a probability, not a percentage")


def count(name: str, value: Any, least: int = 1) -> int:
    """`value` as an integer of `least` or more."""
    return check_integer(name, value, least, MOST)


def replicate_count(value: Any, known_error: bool) -> int | None:
    """Number of replicates, or None for not said; with an estimated standard error 2 or more."""
    return None if value is None else count("replicates", value, 1 if known_error else 2)


def array_of_reals(name: str, value: Any) -> FloatArray:
    """`value` as a non-empty float64 array; NaN and infinities pass."""
    try:
        array = np.asarray(value)
        kind = str(array.dtype)
    except (ValueError, TypeError, RuntimeError):
        array, kind = np.empty(0, dtype=object), "ragged"
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise DomainError(
            f"{name} is an array of type {kind} and shape {array.shape}.",
            "It is empty, ragged, or holds text, truth values or complex numbers.",
            f"Give {name} as an array of real numbers.",
        )
    return array.astype(np.float64)


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
