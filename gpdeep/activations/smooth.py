r"""Activations that are analytic in a strip |Im x| < S around the real axis: tanh, erf, GELU, softplus, ...

One variable: trapezoidal sums with φ and φ' (`gaussian.trapezoidal`), φ'' being avoided by Stein's formula, s = √q:

    dE φ²/dq = E[z φφ']/s,      d²E φ²/dq² = E[(z³ - 3z) φφ']/2s³,      dE φ'²/dq = E[(z² - 1) φ'²]/2q.

Two variables: a closed form where there is one, else Mehler's series in the Hermite coefficients of φ
(`gaussian.mehler`), which are found once for a variance and kept. Tiny variances: the Taylor series (`taylor`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from ..errors import DomainError
from ..gaussian.arguments import angles, as_float, callback, exponents, require_fitting, shown
from ..gaussian.gauss_legendre import gauss_legendre
from ..gaussian.mehler import Mehler, hermite_coefficients
from ..gaussian.trapezoidal import largest_variance as largest_variance_of_rule
from ..gaussian.trapezoidal import octave, rule_of_octave, variance_of_octave
from ..result import FloatArray
from .base import HIGHEST_ORDER, Activation, Moments, checked_factor, function_argument, wide_argument
from .closed_forms import PairFormulas
from .covariance_blocks import closed_covariance, mehler_covariance
from .knots import check_name
from .taylor import hermite_from_taylor, largest_variance, moment_polynomials
from .variance_pairs import by_pairs, variances

Function = Callable[[Any], Any]
_NODES_AT_ONCE = 2**18
_STRIP_TOL = 1e-11  # a strip as wide as stated leaves 1e-15
_STEIN_TOL = 1e-9
_LEAST_STRIP = 1e-100
_LEAST = 1e-30  # variances below give the same E φ''² to 1e-30; their squares would underflow


@dataclass(frozen=True)
class Smooth(Activation):
    r"""φ, analytic in a strip around the real axis.

    Parameters
    ----------
    name : str
    function, slope : callable
        φ and φ': elementwise on float64 arrays, and on tensors where φ is to be used on tensors. φ grows no faster
        than a polynomial on the real axis unless `closed` gives all expectations.
    strip : float
        S, the distance of the nearest singularity of φ from the real axis; infinite for entire φ with
        |φ(x + iy)| ≲ e^{y²}.
    closed : PairFormulas, optional
        Expectations over pairs as formulas.
    taylor : tuple of float, optional
        Coefficients of φ = Σ c_n x^n (48 of them), for variances below S²/160 (`taylor`).
    curvature : callable, optional
        φ''; without it `second_derivative` takes differences of φ'.

    Raises
    ------
    DomainError
        `strip` is not positive.

    Notes
    -----
    *Conditioning.* Relative errors are 1e-15 for φ with a positive variance map; d2_second and d_slope_second have
    absolute errors of 1e-16/q times E φ² and E φ'² (1e-16/q^{3/2} where φ(0) ≠ 0) unless `taylor` is given.
    *Cost.* 20-50 µs for `moments` at one variance; milliseconds for the first angle at a variance, then 0.2 µs each.

    Examples
    --------
    >>> import numpy as np
    >>> runge = Smooth("runge", lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2, strip=1.0)
    >>> print(f"{runge.moments(1.0).mean:.12f}")  # √(π/2) e^{1/2} erfc(1/√2)
    0.655679542419
    """

    name: str
    function: Function = field(repr=False)
    slope: Function = field(repr=False)
    strip: float
    closed: PairFormulas | None = field(default=None, repr=False, compare=False)
    taylor: tuple[float, ...] | None = field(default=None, repr=False, compare=False)
    curvature: Function | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        for name in ("function", "slope", "curvature"):
            if name != "curvature" or self.curvature is not None:
                callback(name, getattr(self, name), np.zeros(1))
        strip = as_float(self.strip)
        object.__setattr__(self, "strip", strip)
        if not strip > _LEAST_STRIP:
            raise DomainError(
                f"Activation '{self.name}' has strip = {shown(self.strip)}.",
                "φ has a kink or a singularity on the real axis, for which this class is not made.",
                "Use PiecewiseLinear or PiecewiseSmooth, or from_callable, for functions with kinks.",
            )

    # ------------------------------------------------------------------ the function

    def __call__(self, x: Any) -> Any:
        """φ(x), elementwise."""
        return self.function(function_argument(x)) if is_torch_array(x) else self.function(wide_argument(x))[()]

    def derivative(self, x: Any) -> Any:
        """φ'(x), elementwise."""
        return self.slope(function_argument(x)) if is_torch_array(x) else self.slope(wide_argument(x))[()]

    def second_derivative(self, x: Any) -> Any:
        """φ''(x), elementwise, for a numpy array.

        Where no formula was given, differences of φ' at the distances δ, 2δ = S/100, S/50 (1/100, 1/50 at most):
        their error is δ⁴|φ^(6)|/30, some 1e-10, and rounding leaves 1e-14.
        """
        at = wide_argument(x)
        if self.curvature is not None:
            return self.curvature(at)[()]
        step = min(self.strip, 1.0) / 100
        near, far = (self.slope(at + k * step) - self.slope(at - k * step) for k in (1, 2))
        return ((8 * near - far) / (12 * step))[()]

    @property
    def kinks(self) -> tuple[tuple[float, float], ...]:
        """None."""
        return ()

    @property
    def largest_variance(self) -> float:
        """Up to which q the rule has nodes enough, or the formulas stay within float64."""
        return (
            largest_variance_of_rule(self.strip)
            if self.closed is None
            else min(
                self.closed.largest_variance, math.inf if self.closed.moments else largest_variance_of_rule(self.strip)
            )
        )

    # ------------------------------------------------------------------ one variable

    def moments(self, q: Any) -> Moments:
        """`Moments` at the variances `q`.

        Raises
        ------
        DomainError
            A variance is not positive, or so large against the strip that 200,000 nodes would be needed; the strip is
            not as wide as stated or the slope is not φ', as far as the sums of a φ of one's own show.
        """
        if isinstance(q, float) and 0 < q < math.inf and self.closed_moments is None:  # inside searches for roots
            return Moments(*self._moments_of_octave(octave(q), np.array([q]))[0])
        variance = variances(q=q)["q"]
        if self.closed_moments is not None:
            return self.closed_moments(variance)
        flat = variance.ravel()
        out = np.empty((7, flat.size))
        for number, rows in _by_octave(flat):
            out[:, rows] = self._moments_of_octave(number, flat[rows]).T
        return Moments(*(row.reshape(variance.shape)[()] for row in out))

    @property
    def closed_moments(self) -> Callable[[FloatArray], Moments] | None:
        """The moments as formulas, where there are any."""
        return None if self.closed is None else self.closed.moments

    def derivative_moment(self, order: int, q: Any) -> Any:
        """E[(φ^(k))²] = Σ_m m!/(m-k)! a_m²/q^k, k = `order`, in the Hermite coefficients a_m."""
        (order,) = exponents(HIGHEST_ORDER, order=order)
        variance = variances(q=q)["q"]
        if self.closed is not None and self.closed.derivative_moment is not None:
            return self.closed.derivative_moment(order, variance)[()]
        if order == 0:
            return self.moments(variance).second
        if order == 1:
            return self.moments(variance).slope_second
        one = [_series(self, x, x).moment(order) / x**order for x in np.maximum(variance, _LEAST).ravel().tolist()]
        return np.array(one).reshape(variance.shape)[()]

    def comonotone(self, q1: Any, q2: Any) -> Any:
        """E φ(√q₁ z)φ(√q₂ z)."""
        if self.closed is not None:
            given = variances(q1=q1, q2=q2)
            return self.closed.comonotone(given["q1"], given["q2"])[()]
        return self._two_scales(q1, q2, 1.0, lambda w, a, b, *_: (self.function(a) * self.function(b)) @ w)

    def difference_second(self, factor: Any, q1: Any, q2: Any) -> Any:
        """E (φ(√q₂ z) - f φ(√q₁ z))², f = `factor`, without cancellation.

        With a = √q₁ z and b = √q₂ z close, φ(b) - φ(a) = (b - a) ∫₀¹ φ'(a + (b - a)τ) dτ.
        """
        if self.closed is not None and self.closed.difference_second is not None:
            given = variances(q1=q1, q2=q2)
            return self.closed.difference_second(checked_factor(factor), given["q1"], given["q2"])[()]
        _, from_left, weight = gauss_legendre(8)
        near = min(self.strip, 2.0) / 2  # the 8-point rule is exact to 1e-15 on steps of half the strip

        def squared(w: FloatArray, a: FloatArray, b: FloatArray, step: FloatArray, f: FloatArray) -> FloatArray:
            close = np.abs(step) <= near
            start = self.function(a)
            difference = self.function(b) - start
            path = self.slope(a[close][:, None] + step[close][:, None] * from_left / 2)
            difference[close] = step[close] * (path @ (weight / 2))
            return np.asarray((difference + (1 - f) * start) ** 2 @ w)

        return self._two_scales(q1, q2, factor, squared)

    # ------------------------------------------------------------------ two variables

    def gap(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """What the covariance lacks to its value at angle 0, with relative accuracy."""
        q2 = q1 if q2 is None else q2
        if self.closed is not None and self.closed.gap is not None:
            given = variances(q1=q1, q2=q2)
            return self.closed.gap(angles(theta), given["q1"], given["q2"])[()]
        return self._by_pairs(lambda series, theta, *_: series.gap(theta), theta, q1, q2)

    def remainder(self, theta: Any, q: Any) -> Any:
        """q E φ'² (1 - cos θ) - gap(θ), with relative accuracy."""
        if self.closed is not None and self.closed.remainder is not None:
            return self.closed.remainder(angles(theta), variances(q=q)["q"])[()]
        return self._by_pairs(lambda series, theta, *_: series.remainder(theta), theta, q, q)

    def slope_product(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """E φ'(u)φ'(v)."""
        q2 = q1 if q2 is None else q2
        if self.closed is not None:
            given = variances(q1=q1, q2=q2)
            return self.closed.slope_product(angles(theta), given["q1"], given["q2"])[()]
        return self._by_pairs(
            lambda series, theta, q1, q2: series.slope(np.cos(theta)) / (math.sqrt(q1) * math.sqrt(q2)), theta, q1, q2
        )

    def curvature_product(self, theta: Any, q: Any) -> Any:
        """E φ''(u)φ''(v)."""
        if self.closed is not None and self.closed.curvature_product is not None:
            return self.closed.curvature_product(angles(theta), variances(q=q)["q"])[()]
        q = np.maximum(variances(q=q)["q"], _LEAST)
        return self._by_pairs(lambda series, theta, q, _: series.curvature(np.cos(theta)) / q**2, theta, q, q)

    def covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ(u)φ(v) for E uv = `k`.

        Notes
        -----
        Absolute error 1e-15 of √(E φ(u)² E φ(v)²). Closed forms cost 10-40 ns an entry, Mehler's series 20-200 ns.
        """
        if self.closed is not None:
            return closed_covariance(self.closed.covariance, k, q1, q2)
        return mehler_covariance(lambda q: hermite_table(self, q), 0, k, q1, q2)

    def slope_covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ'(u)φ'(v) for E uv = `k`."""
        if self.closed is not None:
            return closed_covariance(self.closed.slope_covariance, k, q1, q2)
        return mehler_covariance(lambda q: hermite_table(self, q), 1, k, q1, q2)

    # ------------------------------------------------------------------ parts

    def _moments_of_octave(self, number: int, q: FloatArray) -> FloatArray:
        """The seven moments as columns, for variances of one quarter octave."""
        if self.taylor is not None and q[-1] <= largest_variance(self.strip):
            p = _polynomials(self.taylor)
            return np.asarray(q[:, None] ** np.arange(p.shape[1]) @ p.T)
        self._confirm(number)
        z, w1, w2 = _weights(number, self.strip)
        out = np.empty((len(q), 7))
        chunk = max(1, _NODES_AT_ONCE // len(z))
        for start in range(0, len(q), chunk):
            rows = slice(start, start + chunk)
            s = np.sqrt(q[rows])[:, None]
            x = s * z
            f, g = self.function(x), self.slope(x)
            square = f * f
            out[rows, 0] = f @ w1[:, 0]
            out[rows, 1] = square @ w1[:, 0]
            out[rows, 2] = (square * square) @ w1[:, 0]
            out[rows, 3::3] = (g * g) @ w1
            out[rows, 4:6] = (f * g) @ w2 / np.concatenate([s, 2 * s**3], axis=1)
            out[rows, 6] /= 2 * q[rows]
        return out

    def _confirm(self, number: int) -> None:
        """Check strip and slope of a φ from outside the catalogue, once for a quarter octave."""
        if self.closed is None and self.taylor is None:
            _confirmed(self, number)

    def _two_scales(self, q1: Any, q2: Any, factor: Any, of: Callable[..., FloatArray]) -> Any:
        """`of(w, √q₁ z, √q₂ z, (√q₂ - √q₁) z, factor)` for every pair, by the rule of the larger variance."""
        given = variances(q1=q1, q2=q2)
        f = checked_factor(factor)
        require_fitting(**given, factor=f)
        a, b, f = np.broadcast_arrays(given["q1"], given["q2"], f)
        flat1, flat2, flat_f = a.ravel(), b.ravel(), f.ravel()
        out = np.empty(flat1.size)
        for number, rows in _by_octave(np.maximum(flat1, flat2)):
            self._confirm(number)
            z, w = rule_of_octave(number, self.strip)
            chunk = max(1, _NODES_AT_ONCE // len(z))
            for start in range(0, len(rows), chunk):
                part = rows[start : start + chunk]
                s1, s2 = (np.sqrt(each[part])[:, None] for each in (flat1, flat2))
                apart = (flat2[part] - flat1[part])[:, None] / (s1 + s2)  # of nearly equal roots, with its digits
                out[part] = of(w, s1 * z, s2 * z, apart * z, flat_f[part][:, None])
        return out.reshape(a.shape)[()]

    def _by_pairs(self, of: Callable[..., FloatArray], theta: Any, q1: Any, q2: Any) -> Any:
        """`of(series, theta, q1, q2)` for every pair of variances; many of them share one table of coefficients."""
        at = angles(theta)
        given = variances(q1=q1, q2=q2)
        q1, q2 = given["q1"], given["q2"]
        distinct = np.unique(np.concatenate([np.ravel(q1), np.ravel(q2)]))
        if len(distinct) <= 2:
            return by_pairs(lambda theta, a, b: of(_series(self, a, b), theta, a, b), at, q1, q2)
        rows = dict(zip(distinct.astype(np.float64).tolist(), hermite_table(self, distinct), strict=True))
        return by_pairs(lambda theta, a, b: of(Mehler.of(rows[a], rows[b]), theta, a, b), at, q1, q2)


def hermite_table(phi: Smooth, q: Any) -> FloatArray:
    """a_k(q), shape (number of variances, terms), read-only; the last few tables are kept."""
    return _table(phi, tuple(np.ravel(q).astype(np.float64).tolist()))


@lru_cache(maxsize=32)
def _table(phi: Smooth, q: tuple[float, ...]) -> FloatArray:
    if phi.taylor is not None and max(q) <= largest_variance(phi.strip):
        a = hermite_from_taylor(phi.taylor, np.array(q))
    else:
        a = hermite_coefficients(phi.function, q, phi.strip)
        if octave(max(q)) <= octave(phi.largest_variance):  # the series has few enough terms at times where no rule has
            phi._confirm(octave(max(q)))
    a.flags.writeable = False
    return a


@lru_cache(maxsize=256)
def _series(phi: Smooth, q1: float, q2: float) -> Mehler:
    """Mehler's series for a pair of variances."""
    if q1 == q2:
        a = _table(phi, (q1,))
        return Mehler.of(a[0], a[0])
    a = _table(phi, (q1, q2))
    return Mehler.of(a[0], a[1])


@lru_cache(maxsize=512)
def _confirmed(phi: Smooth, number: int) -> None:
    """Refuse a strip too wide, by sums at half the step, and a wrong slope, by Stein's identity.

    E zφ = √q E φ' sees the odd part of φ, E (z² - 1)φ = √q E zφ' the even one.
    """
    q = variance_of_octave(number)
    z, w = rule_of_octave(number, phi.strip)
    half = (z[1:] + z[:-1]) / 2
    w_half = (z[1] - z[0]) / math.sqrt(2 * math.pi) * np.exp(-(half**2) / 2)
    s = math.sqrt(q)
    f, f_half, g, g_half = phi.function(s * z), phi.function(s * half), phi.slope(s * z), phi.slope(s * half)
    for square, coarse, between in (("φ²", f**2 @ w, f_half**2 @ w_half), ("φ'²", g**2 @ w, g_half**2 @ w_half)):
        fine = (coarse + between) / 2
        if not abs(coarse - fine) <= _STRIP_TOL * fine:
            raise DomainError(
                f"E {square} of '{phi.name}' at variance {q:.3g} is {coarse:.12g}, at half the step {fine:.12g}: "
                f"the strip is not as wide as stated, {phi.strip:.6g}.",
                "φ or φ' has a singularity or a kink closer to the real axis, grows too fast, or has few digits.",
                "State the distance of the nearest singularity in the complex plane as the strip (tanh: π/2, poles at "
                "±iπ/2), or use from_callable, which needs none.",
            )
    z, w = np.concatenate([z, half]), np.concatenate([w, w_half]) / 2
    f, g = np.concatenate([f, f_half]), s * np.concatenate([g, g_half])
    centred = f - f @ w
    size = math.sqrt(centred**2 @ w) + math.sqrt(g**2 @ w)
    rounding = 1e-14 * math.sqrt(f**2 @ w)
    for of_function, of_slope in ((z * centred @ w, g @ w), ((z**2 - 1) * centred @ w, z * g @ w)):
        if not abs(of_function - of_slope) <= _STEIN_TOL * size + rounding:
            raise DomainError(
                f"By the values of '{phi.name}' E φ' (or E zφ') at variance {q:.3g} is {of_function / s:.10g}, "
                f"by its slope {of_slope / s:.10g}.",
                "The slope is not the derivative of the function: another function's, or a factor is missing.",
                "Correct the slope; from_callable does without one.",
            )


@lru_cache(maxsize=64)
def _polynomials(taylor: tuple[float, ...]) -> FloatArray:
    return moment_polynomials(taylor)


@lru_cache(maxsize=128)
def _weights(number: int, strip: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """z, and the weights of E, E (z² - 1) and of E z, E (z³ - 3z), as columns."""
    z, w = rule_of_octave(number, strip)
    return z, np.stack([w, w * (z**2 - 1)], axis=1), np.stack([w * z, w * z * (z**2 - 3)], axis=1)


def _by_octave(q: FloatArray) -> list[tuple[int, Any]]:
    """The quarter octaves that occur and the indices of the variances in each, these in increasing order."""
    if q.size == 0:
        return []
    numbers = np.array([octave(x) for x in q.tolist()], dtype=np.int64)
    order = np.lexsort((q, numbers))
    distinct, first = np.unique(numbers[order], return_index=True)
    return list(zip(distinct.tolist(), np.split(order, first[1:]), strict=True))
