r"""Two ramps under two correlated Gaussian variables, as integrals over the angle that lose no digits at any angle:

    e(t)      = (1/2π) exp( -(h-k)²/(8 sin²(t/2)) - (h+k)²/(8 cos²(t/2)) )
    I(h,k,θ)  = ∫₀^θ (cos t - cos θ) e(t) dt,                  S(h,k,θ) = ∫₀^θ e(t) dt

with E XY = cos θ. e(t) sin⁻¹t is the normal density at (h, k), so dP(X>h, Y>k)/dθ = -e(θ), and by Price's theorem

    P(X>h, Y>k)       = Q(max(h,k)) - S(h,k,θ)
    E (X-h)_+ (Y-k)_+ = E (z-h)_+ (z-k)_+ - 2 sin²(θ/2) Q(max(h,k)) + I(h,k,θ).

In x = tan(t/2) = e^v everything but the Gaussian factor is rational, and no trigonometric function is left:

    e = (1/2π) exp(-(h²+k²)/4 - (h-k)²/(8x²) - (h+k)² x²/8),     dt = 2x dv/(1+x²),
    cos t - cos θ = 2 (x_θ² - x²)/((1+x_θ²)(1+x²)).

For h ≠ ±k, v is the variable, between the points where the exponent has fallen by 40; for h = k, e is smooth at 0 and
the variable is asinh x; for h = -k it is asinh 1/x. 48 Gauss-Legendre nodes serve a range of 8 in v (5 in asinh) with
2e-15; longer ranges, which close kinks at wide angles give, are split. Price 1958 (derivative in the correlation).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from ..errors import DomainError
from .arguments import angles, require_fitting
from .gauss_legendre import gauss_legendre
from .ramp_moments import kinks

SPAN = 40.0  # dropped parts are e^-40 of the largest
_RANGE_V, _RANGE_Y = 8.0, 5.0  # of one panel
_NODES = 48
_AT_ONCE = 1 << 17  # values of the integrand: temporaries of 1 MiB


def ramp_overlap(h: Any, k: Any, theta: Any) -> Any:
    r"""What two kinks h and k contribute to the covariance of ramps beyond the linear term, I(h, k, θ).

        I(h,k,θ) = ∫₀^θ (cos t - cos θ) e(t) dt

    Parameters
    ----------
    h, k : float, array_like or tensor
        Kinks in units of the standard deviations.
    theta : float, array_like or tensor
        Angles in [0, π]; all three broadcast.

    Returns
    -------
    float64, ndarray or tensor
        I ≥ 0. For small θ it is e^{-h²/2} θ³/(6π) if h = k, and below e^{-(h-k)²/(2θ²)} otherwise.

    Raises
    ------
    DomainError
        An angle is outside [0, π], or an argument is NaN or not real.

    Notes
    -----
    *Accuracy.* Relative error below 1e-14 as long as the exponent of e(θ) is below 40; beyond, as many units of
    rounding as the exponent says. It holds at any angle until I underflows.

    *Cost.* 1 µs an entry on one core for numpy; memory: temporaries of 1 MiB each.

    References
    ----------
    Price 1958, IRE Trans. Inf. Theory 4, 69.

    Examples
    --------
    I(0,0,θ) = (sin θ - θ cos θ)/2π, and what is left at θ = π is E (X-h)_+(Y-k)_+ = 0 for Y = -X and h = k = 1:

    >>> print(f"{2 * np.pi * ramp_overlap(0.0, 0.0, np.pi / 2):.15f}")
    1.000000000000000
    >>> from gpdeep.gaussian import ramp_moment
    >>> bool(abs(ramp_moment(2, 1.0) - 2 * ramp_moment(0, 1.0) + ramp_overlap(1.0, 1.0, np.pi)) < 1e-15)
    True
    """
    return _integral(h, k, theta, weighted=True)


def ramp_slope_overlap(h: Any, k: Any, theta: Any) -> Any:
    r"""What two kinks h and k take from the probability that X > h and Y > k, S(h, k, θ).

        S(h,k,θ) = ∫₀^θ e(t) dt = Q(max(h,k)) - P(X>h, Y>k)

    Parameters
    ----------
    h, k : float, array_like or tensor
        Kinks in units of the standard deviations.
    theta : float, array_like or tensor
        Angles in [0, π]; all three broadcast.

    Returns
    -------
    float64, ndarray or tensor
        S ≥ 0, as accurate as `ramp_overlap`.

    Raises
    ------
    DomainError
        An angle is outside [0, π], or an argument is NaN or not real.

    Examples
    --------
    For h = k = 0 it is θ/2π; half of a circle at θ = π:

    >>> print(f"{ramp_slope_overlap(0.0, 0.0, np.pi):.15f}")
    0.500000000000000
    """
    return _integral(h, k, theta, weighted=False)


def angle_density(h: Any, k: Any, theta: Any) -> Any:
    r"""The integrand e(θ): sin θ times the bivariate normal density at (h, k).

        e(θ) = (1/2π) exp( -(h-k)²/(8 sin²(θ/2)) - (h+k)²/(8 cos²(θ/2)) )

    Parameters
    ----------
    h, k : float, array_like or tensor
        Kinks in units of the standard deviations.
    theta : float, array_like or tensor
        Angles in [0, π]; all three broadcast. At 0 the value is the limit, that is 0 unless h = k.

    Returns
    -------
    float64, ndarray or tensor

    Raises
    ------
    DomainError
        An angle is outside [0, π], or an argument is NaN or not real.

    Examples
    --------
    >>> print(f"{angle_density(1.0, 1.0, 0.0) * 2 * np.pi:.6f} {angle_density(1.0, 1.0, np.pi):.1f}")
    0.606531 0.0
    """
    xp, tensor, (h, k, theta) = _arguments(h, k, theta)
    sine, cosine = xp.sin(theta / 2), xp.cos(theta / 2)
    cosine = xp.where(theta == math.pi, 0.0 * cosine, cosine)
    one = 1.0 + 0.0 * theta
    with np.errstate(all="ignore"):
        near = xp.where(h == k, 0.0 * one, xp.abs(h - k) / (math.sqrt(8) * sine))
        far = xp.where(h == -k, 0.0 * one, xp.abs(h + k) / (math.sqrt(8) * cosine))
        value = xp.exp(-near * near - far * far) / math.tau
    return value if tensor else value[()]


# ---------------------------------------------------------------------- from the angle 0


def _integral(h: Any, k: Any, theta: Any, *, weighted: bool) -> Any:
    xp, tensor, (h, k, theta) = _arguments(h, k, theta)
    shape = theta.shape
    h, k, theta = (xp.reshape(value, (-1,)) for value in (h, k, theta))
    top = xp.tan(theta / 2)
    out = xp.zeros_like(theta)
    zero = (h == 0) & (k == 0)  # closed forms
    positive = (top > 0) & (xp.abs(h - k) < 80.0 * top) & ~zero  # else e underflows: 80²/8 > 745
    # a layer narrower than the angle by 1e-18 is none
    same = xp.abs(h - k) <= 1e-18 * xp.clip(top, None, 1.0)
    opposite = (h == -k) & ~same
    for mask, integrate in (
        (positive & same, _from_zero_same),
        (positive & opposite, _from_zero_opposite),
        (positive & ~same & ~opposite, _from_zero_apart),
    ):
        count = int(xp.sum(mask))
        if count == len(theta):
            out = integrate(xp, h, k, top, weighted)
        elif count:
            out[mask] = integrate(xp, h[mask], k[mask], top[mask], weighted)
    if bool(xp.any(zero)):
        out = xp.where(zero, (_sine_excess(xp, theta) if weighted else theta) / math.tau, out)
    out = xp.reshape(out, shape)
    return out if tensor else out[()]


def _sine_excess(xp: Any, theta: Any) -> Any:
    """sin θ - θ cos θ; below 1, where it cancels, its series θ³ Σ_n (-1)^n 2(n+1) θ^{2n}/(2n+3)!."""
    small = xp.clip(theta, None, 1.0)
    square = small * small
    series = 0.0 * theta
    for n in range(9, -1, -1):
        series = (-1) ** n * 2 * (n + 1) / math.factorial(2 * n + 3) + square * series
    return xp.where(theta < 1.0, series * square * small, xp.sin(theta) - theta * xp.cos(theta))


def _from_zero_same(xp: Any, h: Any, k: Any, top: Any, weighted: bool) -> Any:
    """In y = asinh x from 0: for h = k."""
    b = xp.abs(h + k) / math.sqrt(8)
    cut = xp.minimum(top, math.sqrt(SPAN) / xp.maximum(b, xp.asarray(1e-200, dtype=b.dtype, device=device(b))))
    end = xp.asinh(cut)

    def integrand(y: Any, b: Any, top: Any, depth: Any) -> Any:
        x = xp.sinh(y)
        w = x * x
        value = xp.exp(-b * b * w - depth) / xp.sqrt(1 + w)
        if weighted:
            value = value * _cosine_gap(x, w, top)
        return value

    return integrate_panels(xp, integrand, 0.0 * end, end, _RANGE_Y, (b, top, (h * h + k * k) / 4)) * (2 / math.tau)


def _from_zero_opposite(xp: Any, h: Any, k: Any, top: Any, weighted: bool) -> Any:
    """In asinh 1/x down from the cut-off: for h = -k, smooth at θ = π."""
    a = xp.abs(h - k) / math.sqrt(8)
    start = 1 / top
    stop = xp.sqrt(start * start + SPAN / (a * a))

    def integrand(y: Any, a: Any, start: Any, depth: Any) -> Any:
        x = xp.sinh(y)
        w = x * x
        value = xp.exp(-a * a * w - depth) / xp.sqrt(1 + w)
        return value * cosine_excess(x, w, start) if weighted else value

    arguments = (a, start, (h * h + k * k) / 4)
    return integrate_panels(xp, integrand, xp.asinh(start), xp.asinh(stop), _RANGE_Y, arguments) * (2 / math.tau)


def _from_zero_apart(xp: Any, h: Any, k: Any, top: Any, weighted: bool) -> Any:
    """In v = ln x between the cut-offs: for h ≠ k."""
    a, b = xp.abs(h - k) / math.sqrt(8), xp.abs(h + k) / math.sqrt(8)
    with np.errstate(all="ignore"):
        peak = xp.minimum(top, xp.where(b > 0, xp.sqrt(a) / xp.sqrt(b), top))  # where e is largest
        fall = xp.sqrt(SPAN + (a / peak) ** 2 + (b * peak) ** 2)
        high = xp.minimum(xp.log(top), xp.where(b > 0, xp.log(fall / b), xp.log(top)))
        high = xp.clip(high, None, SPAN)
        low = xp.maximum(xp.log(a / fall), xp.clip(high, None, 0.0) - SPAN)

    def integrand(v: Any, a: Any, b: Any, top: Any, depth: Any) -> Any:
        x = xp.exp(v)
        w = x * x
        near = a / x
        value = xp.exp(-near * near - b * b * w - depth) * (x / (1 + w))
        if weighted:
            value = value * _cosine_gap(x, w, top)
        return value

    with np.errstate(all="ignore"):
        value = integrate_panels(xp, integrand, low, high, _RANGE_V, (a, b, top, (h * h + k * k) / 4))
    return value * (2 / math.tau)


def _cosine_gap(x: Any, w: Any, top: Any) -> Any:
    """cos t - cos θ = 2 (x_θ² - x²)/((1 + x_θ²)(1 + x²)); x_θ beyond 1e154 would overflow."""
    ratio = (top - x) * (top + x) / (1 + top * top)
    return 2 * ratio / (1 + w)


def cosine_excess(x: Any, w: Any, start: Any) -> Any:
    """cos θ - cos t."""
    return 2 * ((x - start) / (1 + start * start)) * ((x + start) / (1 + w))


# ---------------------------------------------------------------------- common


def integrate_panels(
    xp: Any,
    integrand: Callable[..., Any],
    low: Any,
    high: Any,
    width: float,
    arguments: tuple[Any, ...],
    *,
    nodes: int = _NODES,
) -> Any:
    """∫ from `low` to `high`, shape (n,), in as many panels as the longest range needs; 0 where it is empty."""
    length = xp.clip(high - low, 0.0, None)
    out = xp.zeros_like(length)
    n = len(length)
    start = 0
    while start < n:
        stop = min(n, start + max(1, _AT_ONCE // nodes))
        longest = largest(xp, length[start:stop])
        panels = max(1, math.ceil(longest / width - 1e-9))
        stop = min(stop, start + max(1, _AT_ONCE // (nodes * panels)))
        part = slice(start, stop)
        x, w = (xp.asarray(value, dtype=low.dtype, device=device(low)) for value in _rule(nodes, panels))
        points = low[part][:, None] + length[part][:, None] * x
        with np.errstate(under="ignore"):
            values = integrand(points, *(value[part][:, None] for value in arguments))
            out[part] = length[part] * (values @ w)
        start = stop
    return out


@lru_cache(maxsize=32)
def _rule(nodes: int, panels: int) -> tuple[Any, Any]:
    """Nodes and weights on (0, 1), in `panels` equal panels."""
    _, from_left, w = gauss_legendre(nodes)
    x = (np.arange(panels)[:, None] + from_left / 2).reshape(-1) / panels
    weight = np.tile(w, panels) / (2 * panels)
    return x, weight


def _arguments(h: Any, k: Any, theta: Any) -> tuple[Any, bool, tuple[Any, Any, Any]]:
    return prepared((h, k), theta, angles)


def largest(xp: Any, values: Any) -> float:
    """The largest entry as a number of Python, of which no gradient is asked."""
    found = xp.max(values)
    return float(found.detach() if is_torch_array(found) else found)


def _wide(xp: Any, value: Any, place: Any) -> Any:
    """`value`, a tensor or what numpy reads, as a float64 tensor there."""
    if not is_torch_array(value):
        return xp.asarray(kinks("An argument", value), device=place)
    if value.is_meta or value.is_quantized or value.is_complex() or value.layout is not xp.strided:
        raise DomainError(
            f"A tensor of layout {value.layout} and type {value.dtype} on the device {value.device} was given.",
            "It is sparse, quantised, complex, or without values.",
            "Give dense tensors of real numbers: x.to_dense(), x.dequantize(), x.real.",
        )
    if bool(xp.any(xp.isnan(value))):
        raise DomainError("A tensor holds NaN.", "An overflow or a missing value upstream.", "Give tensors of numbers.")
    return xp.astype(value.to(place), xp.float64)


def prepared(hk: tuple[Any, Any], last: Any, check: Callable[[Any], Any]) -> tuple[Any, bool, tuple[Any, Any, Any]]:
    """The namespace, whether it is torch's, and the three arguments as float64 of one shape."""
    tensors = [value for value in (*hk, last) if is_torch_array(value)]
    if not tensors:
        h, k = kinks("h", hk[0]), kinks("k", hk[1])
        wide = check(last)
        require_fitting(h=h, k=k, last=wide)
        return array_namespace(wide), False, tuple(np.broadcast_arrays(h, k, wide))  # type: ignore[return-value]
    xp = array_namespace(tensors[0])
    place = device(tensors[0])
    wide_ones = [_wide(xp, value, place) for value in (*hk, last)]
    require_fitting(h=wide_ones[0], k=wide_ones[1], last=wide_ones[2])
    if check is angles:
        theta = wide_ones[2]
        if not bool(xp.all((theta >= 0) & (theta <= math.pi))):
            raise DomainError(
                "theta holds values that are not in [0, π].",
                "Degrees, signed angles, cosines or NaN were given.",
                "Give angles in radians between 0 and π.",
            )
    wide_ones[:2] = [xp.clip(value, -1e8, 1e8) for value in wide_ones[:2]]
    return xp, True, tuple(xp.broadcast_arrays(*wide_ones))
