"""What functions of Gaussian variables accept: exponents, angles, a kink, variances, depths; for all floors."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..result import FloatArray

PI_LOW = 1.2246467991473532e-16  # π minus the float nearest to it
KINK_ROUNDING = 4 * np.finfo(np.float64).eps  # (a-b)²/(a²+b²) may round to just above 2


def exponents(**values: Any) -> tuple[int, ...]:
    """The named values as Python integers, each 0 or more."""
    return tuple(_exponent(name, value) for name, value in values.items())


def _exponent(name: str, value: Any) -> int:
    try:
        number = -1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise DomainError(
            f"{name} = {value!r} is not an integer of 0 or more.",
            "It is negative, a truth value, or a float that came out of a division.",
            f"Give {name} as an int, such as 2.",
        )
    return number


def angles(theta: ArrayLike) -> FloatArray:
    """`theta` in float64, of the same shape, each in [0, π]; the float32 above π counts as π."""
    try:
        given = np.asarray(theta)
        kind = str(given.dtype)
    except ValueError:  # rows of unequal length
        given, kind = np.empty(0, dtype=object), "object"
    if given.dtype.kind not in "iuf":
        raise DomainError(
            f"theta is an array of type {kind}.",
            "Angles are real numbers; text, truth values, complex numbers or ragged lists were given.",
            "Give a float or an array of floats, in radians.",
        )
    wide = given.astype(np.float64)
    if given.dtype == np.float32:
        wide = np.where(given == np.float32(np.pi), np.pi, wide)
    if not ((wide >= 0) & (wide <= np.pi)).all():
        outside = wide[~((wide >= 0) & (wide <= np.pi))]
        raise _not_an_angle(outside.flat[0], outside.size, wide.size)
    return wide


def angle(theta: float) -> float:
    """`theta` as a float in [0, π]: the quick path for one float."""
    value = float(theta)
    if not 0.0 <= value <= math.pi:
        raise _not_an_angle(value, 1, 1)
    return value


def kink_in_range(kink: float) -> float:
    """`kink` as a float in [0, 2]."""
    try:
        r = math.nan if isinstance(kink, (bool, np.bool_, str, bytes)) else float(kink)
    except (TypeError, ValueError):
        r = math.nan
    if not 0.0 <= r <= 2.0 + KINK_ROUNDING:
        raise DomainError(
            f"kink = {kink!r} is not a number in [0, 2].",
            "A slope was given where the kink r = (a - b)²/(a² + b²) of both slopes is asked for.",
            "Give the kink: 1 for ReLU, or the attribute `kink` of an activation.",
        )
    return min(r, 2.0)


def variances(name: str, value: Any) -> FloatArray:
    """`value` in float64, of the same shape, each a positive finite number."""
    try:
        q = np.asarray(value)
    except ValueError:  # rows of unequal length
        q = np.empty(1, dtype=object)
    if q.dtype.kind not in "iuf" or not ((q > 0) & np.isfinite(q)).all():
        raise DomainError(
            f"{name} = {value!r} is not a positive number, or holds one that is not.",
            "A variance of 0, a negative or infinite one, NaN, text, or a standard deviation with a sign was given.",
            f"Give {name} as positive variances (squares of standard deviations), such as 1.0.",
        )
    return q.astype(np.float64)


def variance(name: str, value: Any) -> float:
    """`value` as one positive finite number."""
    q = variances(name, value)
    if q.ndim:
        raise DomainError(
            f"{name} = {value!r} is an array of {q.size} numbers.",
            "One variance is asked for here.",
            f"Give {name} as a single number, and call once for each.",
        )
    if not 1e-100 <= q <= 1e100:
        raise DomainError(
            f"{name} = {value!r} is a variance beyond 1e±100.",
            "Its powers leave the range of floating-point numbers.",
            "Give a variance nearer to 1; for homogeneous activations the answer does not depend on it.",
        )
    return float(q)


def real(name: str, value: Any, low: float, high: float, meaning: str) -> float:
    """`value` as a float with low < value < high; `meaning` says what it is."""
    try:
        number = math.nan if isinstance(value, (bool, np.bool_, str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low < number < high:
        bounded = math.isfinite(low) or math.isfinite(high)
        limits = f"strictly between {low:g} and {high:g}" if bounded else "that is finite"
        raise DomainError(
            f"{name} = {value!r:.200} is not a number {limits}.",
            f"{name} is {meaning}; NaN, text, None, a list or a number out of range was given.",
            f"Give {name} as a number {limits}.",
        )
    return number


def depths(depth: ArrayLike) -> FloatArray:
    """`depth` in float64, each a finite number of layers from 1."""
    layers = np.asarray(depth)
    if layers.dtype.kind not in "iuf" or not ((layers >= 1) & np.isfinite(layers)).all():
        raise DomainError(
            f"depth = {depth!r} is not a depth of 1 or more.",
            "Layers count from 1; layer 0 is the input itself.",
            "Give a finite depth of 1 or more.",
        )
    return layers.astype(np.float64)


def layer_count(depth: Any, most: int | None = None) -> int:
    """`depth` as a number of layers, 0 or more and, where there is a bound, at most `most`."""
    whole = isinstance(depth, (int, np.integer)) and not isinstance(depth, (bool, np.bool_))
    if not whole or depth < 0 or (most is not None and depth > most):
        raise DomainError(
            f"depth = {depth!r} is not a number of layers" + ("." if most is None else f" up to {most}."),
            f"Depth counts layers: an integer of 0 or more{'' if most is None else f', here {most} at most'}.",
            f"Give an int such as {1000 if most is None else min(1000, most)}.",
        )
    return int(depth)


def memory_budget(value: Any) -> int:
    """`value` as a number of bytes, positive and finite."""
    try:
        number = math.nan if isinstance(value, (bool, np.bool_, str, bytes)) or np.ndim(value) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 < number < math.inf:
        raise DomainError(
            f"memory_budget = {value!r} is not a number of bytes.",
            "It is zero, negative, infinite, NaN, text, None or a list.",
            "Give for instance 4 * 2**30.",
        )
    return int(number)


def supplement(theta: FloatArray) -> FloatArray:
    """π - θ to full relative accuracy for θ near π, and 0 where θ is the float nearest to π.

    np.pi - θ is exact for θ ≥ π/2, but np.pi itself is too small by `PI_LOW`.
    """
    difference = np.pi - theta
    return difference + PI_LOW * np.sign(difference)


def sine(theta: FloatArray) -> FloatArray:
    """sin θ, 0 where θ is the float nearest to π."""
    return np.where(theta == np.pi, 0.0, np.sin(theta))


def _not_an_angle(first: float, outside: int, size: int) -> DomainError:
    return DomainError(
        f"theta = {float(first)!r} is not in [0, π] ({outside} of {size} angles).",
        "Angles are in radians and unsigned; degrees, a signed angle, a cosine or a NaN was given.",
        "Convert to radians, take the absolute value, and compute angles as 2·arctan2(|u-v|, |u+v|).",
    )
