"""What the functions of `gpdeep.finite` accept as widths, angles and sample numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_float, as_floats, shown, whole
from ..result import FloatArray, IntArray
from .wiring import Kind, Wiring

MAX_WIDTH = 10**6
MAX_DEPTH = 10**5
LARGEST_INPUT = 1e100  # sums of squares stay within float64

_FLOAT32_PI = 3.1415927410125732  # π as float32 users write it stands for π
_LARGEST_LOG_VARIANCE = 500.0  # with its fluctuations well within float64's e^±708
_PLAIN = Wiring()
_LEAST_SIGMA = 1e-50  # squares of what is smaller, or larger than its inverse, leave float64


def check_real(name: str, value: Any, low: float, high: float) -> float:
    """`value` as a float strictly between `low` and `high`."""
    number = as_float(value)
    if not low < number < high:
        raise DomainError(
            f"{name} is {shown(value)}.",
            f"{name} is a number between {low:g} and {high:g}; NaN, text, or another unit (percent) was given.",
            f"Give a number strictly between {low:g} and {high:g}.",
        )
    return number


def check_width(value: Any, minimum: int = 1) -> int:
    """A width n."""
    return whole("width", value, minimum, MAX_WIDTH)


def check_widths(widths: Any) -> IntArray:
    """Hidden widths n_1 .. n_L as an integer array of shape (L,), L ≥ 1; a single integer is one layer."""
    if isinstance(widths, str):
        raise DomainError(
            f"widths is the text {shown(widths)}.",
            "An architecture was given where its hidden widths are expected.",
            "Use Architecture.parse(text).widths, or a list such as [128] * 50.",
        )
    if isinstance(widths, (bytes, bytearray, set, frozenset, dict)):
        raise DomainError(
            f"widths is a {type(widths).__name__}.",
            "The order of the layers matters, and their widths are integers.",
            "Give a list of hidden widths, such as [128] * 50.",
        )
    single = not isinstance(widths, Iterable) or getattr(widths, "ndim", 1) == 0
    values: list[Any] = [widths] if single else list(widths)
    if not 1 <= len(values) <= MAX_DEPTH:
        raise DomainError(
            f"widths has {len(values)} entries.",
            "There is no hidden layer, or a repetition count has a digit too many.",
            f"Give 1 to {MAX_DEPTH} hidden widths.",
        )
    for layer, value in enumerate(values, start=1):
        if type(value) is not int or not 1 <= value <= MAX_WIDTH:
            whole(f"Hidden width {layer}", value, 1, MAX_WIDTH)
    return np.array(values, dtype=np.int64)


def check_angles(theta0: Any) -> FloatArray:
    """Initial angles in [0, π] as a float array of shape (P,); not all of them may be 0.

    Among several angles (a law to be mixed over) zeros are allowed: such pairs are parallel from the start.
    """
    given = as_floats(theta0)
    if given is None:
        raise DomainError(
            f"The initial angle is {shown(theta0)}.",
            "Text, None, truth values, complex numbers or a ragged list was given.",
            "Give one angle in radians, or a one-dimensional list of angles of pairs.",
        )
    angles = np.atleast_1d(given)
    angles = np.where(angles == _FLOAT32_PI, np.pi, angles)
    bad = ~((angles >= 0) & (angles <= np.pi))
    if angles.ndim != 1 or angles.size == 0:
        raise DomainError(
            f"The initial angles have shape {angles.shape}.",
            "A matrix of angles, or no angle at all, was given.",
            "Give one angle, or a one-dimensional list of angles of pairs.",
        )
    if bad.any():
        raise DomainError(
            f"{bad.sum()} of {angles.size} initial angles lie outside [0, π], the first is {float(angles[bad][0])!r}."
            if angles.size > 1
            else f"The initial angle is {float(angles[0])!r}, outside (0, π].",
            "An angle was given in degrees, or is NaN because an input is the zero vector.",
            "Give angles in radians, 0 < θ ≤ π.",
        )
    if not angles.any():
        raise DomainError(
            "The initial angle is 0." if angles.size == 1 else f"All {angles.size} initial angles are 0.",
            "The two inputs are parallel, and stay so in every network without bias: there is nothing to predict.",
            "Give the angle of two different inputs, 0 < θ ≤ π; angles as small as 1e-150 are fine.",
        )
    return angles


def check_inputs(inputs: Any) -> FloatArray:
    """Inputs as a float64 matrix with one input a row."""
    x = as_floats(inputs, "biuf")
    if x is None or x.ndim != 2:
        raise DomainError(
            f"inputs is {shown(inputs)}." if x is None else f"inputs has shape {x.shape}.",
            "A single input, text, complex numbers or a ragged list was given.",
            "Give a matrix of real numbers with one input a row, np.stack(list_of_inputs).",
        )
    return x


def check_sigmas(name: str, value: Any, depth: int, positive: bool = False) -> FloatArray:
    """One standard deviation for each layer, shape (L,)."""
    given = as_floats(value)
    sigma = np.array(np.nan) if given is None else given
    sizes = sigma[sigma != 0]
    if (
        (np.abs(sizes) < _LEAST_SIGMA).any()
        or (sizes > 1 / _LEAST_SIGMA).any()
        or sigma.shape not in ((), (depth,))
        or not np.isfinite(sigma).all()
        or (sigma < 0).any()
        or (positive and not sigma.all())
    ):
        raise DomainError(
            f"{name} is {shown(value)}.",
            f"It is negative, NaN, beyond 1e±50, or a list that does not fit {depth} layers; weights cannot have 0.",
            "Give one standard deviation, or one for each hidden layer.",
        )
    return np.broadcast_to(sigma, (depth,)).copy()


def check_scale(sigma_w: FloatArray, sigma_b: FloatArray, second_moment: float, wirings: Sequence[Wiring] = ()) -> None:
    """Refuse standard deviations with which the variance leaves float64 on the way.

    For two-slope activations it is q ← σ_w² E φ(Z)² q + σ_b², residual layers α² q + β² (...), and what a normalised
    layer hands to φ has q = 1.
    """
    log_q = seen = 0.0
    for layer, (weight, bias) in enumerate(zip(sigma_w.tolist(), sigma_b.tolist(), strict=True), start=1):
        wired = wirings[layer - 1] if wirings else _PLAIN
        grown = seen + 2 * np.log(weight) + (np.log(second_moment) if layer > 1 else 0.0)
        grown = float(np.logaddexp(grown, 2 * np.log(bias))) if bias else grown
        if wired.kind is Kind.RESIDUAL:
            with np.errstate(divide="ignore"):
                shares = 2 * np.log(np.abs([wired.alpha, wired.beta]))
            grown = float(np.logaddexp(shares[0] + log_q, shares[1] + grown))
        log_q = grown
        seen = 0.0 if wired.kind is Kind.LAYER_NORM else log_q
        if abs(log_q) > _LARGEST_LOG_VARIANCE:
            raise DomainError(
                f"The variance of the pre-activations reaches e^{log_q:.0f} in layer {layer}.",
                "sigma_w (or a residual block) makes it grow or shrink in each layer, and here its size matters.",
                "Use sigma_w and residual coefficients that keep the variance, fewer layers, or no bias.",
            )
