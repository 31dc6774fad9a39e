r"""The penalty that pulls slopes of PReLU channels to 1, and what a training run needs for them to arrive.

    R = Σ_i |1 - a_i|^p,      0 < p ≤ 1,      z = 1 - a,      s = (learning rate of the slopes) · (weight of R)

Without another force plain gradient descent is z ← z - s p z^{p-1} sign z. As a flow it reaches z = 0 from z₀ after

    T = |z₀|^{2-p} / (p (2-p) s)                (p = 1/2: 4/3 |z₀|^{3/2}/s)

steps. The gradient has no limit at z = 0, so descent steps over it and hops about: the 2-cycle z = ±(p s/2)^{1/(2-p)}
repels, by a factor 3 - 2p a step. A unit is linear only because some rule takes it there. With the rule "frozen at
a = 1 once |z| ≤ τ" no unit can step over the window iff that cycle lies in it, s ≤ 2 τ^{2-p}/p (p = 1/2: 4 τ^{3/2}):
z ↦ z - s p z^{p-1} increases in z, and is -τ or more at z = τ iff that holds. With a larger s it takes random hops (for
p = 1/2 and τ = 0.01 a mean of 7 at s = 0.03, 21 at s = 0.1). With the rule "or once z changed sign" every unit is
caught at its first crossing, from as far as (p s)^{1/(2-p)} away.

The other way to exact zeros is the proximal step, the minimiser of (x - z)²/2 + t |x|^p: 0 up to a threshold of |z|.
Xu, Chang, Xu and Zhang, "L1/2 regularization", IEEE Trans. Neural Netw. Learn. Syst. 23 (2012) 1013 give it for
p = 1/2 in closed form.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..errors import DomainError, ValidityWarning
from ..gaussian.arguments import as_floats, real, require_fitting, shown
from ..result import FloatArray

_NEWTON_STEPS = 60  # quadratic from above; 6 are enough where f' ≥ 1/2


class TravelTimeWarning(ValidityWarning):
    """The penalty is on for too few steps to bring a slope to 1."""


class CaptureWarning(ValidityWarning):
    """Steps of slopes near 1 are longer than the window in which a unit counts as linear."""


def require_power(p: Any) -> float:
    """`p` as the power of the penalty, 0 < p ≤ 1."""
    power = real("p", p, 1e-50, math.inf, "the power of |1 - a|")
    if power > 1:
        raise DomainError(
            f"p = {shown(p)} is above 1.",
            "The pull of |1 - a|^p then vanishes at a = 1, and no slope becomes 1.",
            "Give a power in (0, 1], such as 0.5.",
        )
    return power


def slope_penalty(slopes: Any, p: float = 0.5) -> float:
    """Σ |1 - a|^p over slopes a.

    Parameters
    ----------
    slopes : array_like
        a, of any shape; 0 is the ReLU and 1 the identity.
    p : float
        Power in (0, 1].

    Returns
    -------
    float

    Raises
    ------
    DomainError
        The power is out of range.

    Examples
    --------
    >>> slope_penalty([0.0, 0.75, 1.0])
    1.5
    """
    p = require_power(p)
    return float(np.sum(np.abs(1 - _slopes("slopes", slopes)) ** p))


def travel_time(slope: Any, step: float, p: float = 0.5) -> Any:
    """Steps that the penalty alone needs to bring a slope to 1, T = |1-a|^{2-p}/(p(2-p)s).

    Parameters
    ----------
    slope : float or array_like
        a at switch-on.
    step : float
        s > 0, the learning rate of the slopes times the weight of the penalty.
    p : float
        Power in (0, 1].

    Returns
    -------
    float64 or ndarray
        In steps of plain gradient descent. With momentum m the rate counts as 1/(1-m) times larger. Adam divides by the
        size of the gradient, and none of this holds for it.

    Raises
    ------
    DomainError
        An argument is out of range.

    Notes
    -----
    The time of the flow. Descent in steps needs more, by at most one step and about ((1-p)/2) ln of the ratio of the
    first and the last |1-a|, because it is ever slower than the flow that accelerates.

    Examples
    --------
    From the ReLU with s = 0.001, and from a = 0.4:

    >>> print(f"{travel_time(0.0, 1e-3):.1f} {travel_time(0.4, 1e-3):.1f}")
    1333.3 619.7
    """
    p, step = require_power(p), _step(step)
    distance = np.abs(1 - _slopes("slope", slope))
    return (distance ** (2 - p) / (p * (2 - p) * step))[()]


def capture_half_width(step: float, p: float = 0.5) -> float:
    """Half-width of the 2-cycle of descent around slope 1, (p s/2)^{1/(2-p)}: the scale of its hops there.

    Examples
    --------
    >>> print(f"{capture_half_width(0.004):.6f}")
    0.010000
    """
    p = require_power(p)
    return float((p * _step(step) / 2) ** (1 / (2 - p)))


def clean_step(tau: float, p: float = 0.5) -> float:
    """The largest step with which no slope jumps over the window |1-a| ≤ τ, 2τ^{2-p}/p.

    Examples
    --------
    >>> print(f"{clean_step(0.01):.6f}")
    0.004000
    """
    p = require_power(p)
    return float(2 * require_tau(tau) ** (2 - p) / p)


def crossing_distance(step: float, p: float = 0.5) -> float:
    """The largest |1-a| from which one step of the penalty crosses slope 1, (p s)^{1/(2-p)}.

    Examples
    --------
    With s = 0.1 units are taken to the identity from a slope of 0.86 at once:

    >>> print(f"{crossing_distance(0.1):.4f}")
    0.1357
    """
    p = require_power(p)
    return float((p * _step(step)) ** (1 / (2 - p)))


def check_window(
    step: Any,
    steps: float,
    *,
    tau: float = 0.01,
    slopes: Any = 0.0,
    p: float = 0.5,
    crossing: bool = True,
) -> None:
    """Warn before a run in which no unit can become linear, or units are taken there by a jump.

    Parameters
    ----------
    step : float or array_like
        s, for each slope or for all.
    steps : float
        Optimiser steps for which the penalty is on.
    tau : float
        Half-width τ of the window, 0 < τ < 1.
    slopes : float or array_like
        The slopes at switch-on.
    p : float
        Power in (0, 1].
    crossing : bool
        Whether slopes that cross 1 are frozen, too.

    Raises
    ------
    DomainError
        An argument is out of range.

    Warns
    -----
    TravelTimeWarning
        Half of the units or more need more steps than there are, by the penalty alone.
    CaptureWarning
        s exceeds `clean_step`.

    Examples
    --------
    >>> check_window(0.004, 1000)
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     check_window(0.001, 1000)
    >>> print(str(caught[0].message).splitlines()[0])
    The penalty is on for 1000 steps, and a typical unit needs 1,333 to become linear.
    """
    for warning in window_warnings(step, steps, tau=tau, slopes=slopes, p=p, crossing=crossing):
        warnings.warn(warning, stacklevel=2)


def window_warnings(
    step: Any, steps: float, *, tau: float, slopes: Any, p: float, crossing: bool
) -> list[ValidityWarning]:
    """What `check_window` warns of."""
    found: list[ValidityWarning] = []
    p, tau = require_power(p), require_tau(tau)
    given = as_floats(step)
    sizes = np.array([math.nan]) if given is None or not given.size else np.atleast_1d(given)
    steps = real("steps", steps, 0.0, math.inf, "a number of optimiser steps")
    for size in sizes.ravel().tolist():
        _step(size)
    needed = travel_time(slopes, 1.0, p) / sizes
    if not np.size(needed):
        return []
    typical, largest = float(np.median(needed)), float(sizes.max())
    if typical > steps:
        share = float(np.mean(needed <= steps))
        found.append(
            TravelTimeWarning(
                f"The penalty is on for {steps:g} steps, and a typical unit needs {typical:,.0f} to become linear.\n"
                "  likely cause: learning rate of the slopes times omega is small for a window this short; "
                f"{share:.0%} of the units can arrive by the penalty alone.\n"
                f"  to change:    make omega, that rate or the window {typical / steps:.2g} times larger."
            )
        )
    if largest > clean_step(tau, p) * (1 + 1e-12):  # equality, up to the rounding of τ^{2-p}
        rule = (
            f"units are frozen from |1 - a| = {crossing_distance(largest, p):.3g} at once"
            if crossing
            else f"units hop about 1, over some ±{capture_half_width(largest, p):.3g}, until one hop ends in the window"
        )
        found.append(
            CaptureWarning(
                f"Learning rate of the slopes times omega is {largest:.3g}, above the {clean_step(tau, p):.3g} with "
                f"which no unit steps over the window |1 - a| < {tau:g}: {rule}.\n"
                "  likely cause: a large omega, or the learning rate of the weights used for slopes.\n"
                "  to change:    lower omega or the rate, widen tau, or use the proximal step."
            )
        )
    return found


def prox_threshold(t: Any, p: float = 0.5) -> Any:
    """|z| up to which the proximal step gives 0, (2-p)/(2(1-p)) · (2(1-p)t)^{1/(2-p)}.

    Parameters
    ----------
    t : float or array_like
        t ≥ 0, the learning rate of the slopes times the weight of the penalty.
    p : float
        Power in (0, 1].

    Returns
    -------
    float64 or ndarray
        (3/2) t^{2/3} for p = 1/2, and t for p = 1.

    Examples
    --------
    >>> print(f"{prox_threshold(0.001):.6f}")
    0.015000
    """
    p = require_power(p)
    levels = as_floats(t)
    if levels is None or not ((levels >= 0) & np.isfinite(levels)).all():
        raise DomainError(
            f"t = {shown(t)} is negative, not finite, or no number.",
            "t is a learning rate times the weight of a penalty.",
            "Give numbers of 0 or more.",
        )
    return _threshold(levels, p)[()]


def slope_prox(z: Any, t: Any, p: float = 0.5) -> Any:
    """The minimiser of (x-z)²/2 + t|x|^p, elementwise; for slopes z = 1 - a.

    Parameters
    ----------
    z : float, array_like or tensor
        Any real numbers.
    t : float or array_like
        t ≥ 0, broadcasts with z.
    p : float
        Power in (0, 1].

    Returns
    -------
    float64, ndarray or tensor
        Exactly 0 for |z| ≤ `prox_threshold`, where 0 and another point may both be minimisers; NaN for NaN.

    Raises
    ------
    DomainError
        t is negative or not finite, or the power is out of range.

    Notes
    -----
    For p = 1/2 the closed form of Xu et al. (2012), (2/3) z (1 + cos(2π/3 - (2/3) arccos((t/4)(|z|/3)^{-3/2}))), whose
    arccosine is that of at most 1/√2. Else Newton's iteration for the larger root of x + t p x^{p-1} = |z|: that
    function is convex with a slope of at least 1 - p/2 there, so the iteration falls to it from |z|.

    Examples
    --------
    >>> print(f"{slope_prox(0.3, 0.05):.15f} {slope_prox(-1.0, 0.6)}")
    0.250000000000000 0.0
    """
    p = require_power(p)
    levels: FloatArray = np.asarray(prox_threshold(t, p))
    t = as_floats(t)
    if is_torch_array(z) and _plain(z):
        xp = array_namespace(z)
        require_fitting(z=z, t=t)
        t, levels = (xp.asarray(value, dtype=z.dtype, device=z.device) for value in (t, levels))
    else:
        xp, z = np, _slopes("z", z, nan=True)
        require_fitting(z=z, t=t)
    size = xp.abs(z)
    kept = size > levels
    safe = xp.where(kept, size, xp.ones_like(size))
    t = xp.where(kept, t, xp.zeros_like(size))
    root = _half(xp, safe, t) if p == 0.5 else _newton(xp, safe, t, p)
    out = xp.where(kept, xp.sign(z) * root, xp.where(xp.isnan(z), z, xp.zeros_like(size)))
    return out[()] if xp is np else out


def _half(xp: Any, z: Any, t: Any) -> Any:
    """The larger root for p = 1/2 and z > 0 beyond the threshold."""
    ratio = (3 * (t / 4) ** (2 / 3) / z) ** 1.5  # at most 1/√2; the powers of z alone may overflow
    angle = xp.acos(ratio) if hasattr(xp, "acos") else np.arccos(ratio)
    return 2 / 3 * z * (1 + xp.cos(2 * math.pi / 3 - 2 / 3 * angle))


def _newton(xp: Any, z: Any, t: Any, p: float) -> Any:
    """The larger root of x + t p x^{p-1} = z."""
    x = z
    for _ in range(_NEWTON_STEPS):
        power = t * p * x ** (p - 1)
        new = x - (x - z + power) / (1 - (1 - p) * power / x)
        if not bool(xp.any(new < x)):  # it falls until rounding
            break
        x = xp.minimum(new, x)
    return x


def _threshold(t: FloatArray, p: float) -> FloatArray:
    if p == 1:
        return t
    return np.asarray((2 - p) / (2 * (1 - p)) * (2 * (1 - p) * t) ** (1 / (2 - p)))


def _slopes(name: str, value: Any, *, nan: bool = False) -> FloatArray:
    """`value` in float64, each a number of ordinary size; `nan` lets NaN pass."""
    a = as_floats(value)
    if a is None or not ((np.abs(a) <= 1e100) | (np.isnan(a) & nan)).all():
        raise DomainError(
            f"{name} is {shown(value)}.",
            "It holds NaN, infinities, text, truth values or rows of unequal length, or is beyond 1e100.",
            f"Give {name} as real numbers.",
        )
    return a


def _plain(z: Any) -> bool:
    """Whether a tensor is dense and of real floating-point numbers; others are read as numpy reads them."""
    dense = not (z.is_meta or z.is_quantized or z.is_sparse)
    return bool(dense and z.is_floating_point())


def require_tau(tau: Any) -> float:
    """`tau` as the half-width of the window in which a unit is frozen, 0 < τ < 1."""
    return real("tau", tau, 0.0, 1.0, "the |1 - a| below which a unit is frozen")


def _step(step: Any) -> float:
    return real("step", step, 1e-100, 1e100, "the learning rate of the slopes times the weight of the penalty")
