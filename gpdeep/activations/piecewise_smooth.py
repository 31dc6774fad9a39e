r"""Activations that are smooth between knots, where φ' or φ'' may jump: ELU, SELU, a user's own function.

    φ'' = curvature(x) + Σ_j c_j δ(x - t_j),   c_j = φ'(t_j+) - φ'(t_j-)

Everything is quadrature, split at the knots (`gaussian.kink_split`), and is exact to 1e-13 of the size of the answer.
One variable costs a few hundred values of φ a variance. Two variables are tabulated in the angle once for every pair
of variances (`pair_table`), at 0.01 s (ELU) to 2 s each, and the table is kept; then an angle costs a microsecond.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..errors import DomainError
from ..gaussian.arguments import angles, as_float, callback, entries, exponents, real, require_fitting
from ..gaussian.gauss_legendre import gauss_legendre
from ..gaussian.kink_split import NODES, REACH, differentiated, kink_split_pair, kink_split_rule
from ..result import FloatArray
from .base import HIGHEST_ORDER, Activation, Moments, checked_factor, function_argument, wide_argument
from .gaussian_reach import gaussian_reach, required
from .knots import check_name
from .pair_table import (
    CurvatureTable,
    SlopeTable,
    angle_by_angle,
    curvature_table,
    delta_part,
    difference_with_digits,
    slope_table,
    smooth_curvature_product,
)
from .variance_pairs import by_pairs, from_covariances, variances

Function = Callable[[Any], Any]
_FEW = 24  # up to so many angles of one pair of variances are integrated one by one
_NODES_AT_ONCE = 2**20


@dataclass(frozen=True)
class PiecewiseSmooth(Activation):
    r"""φ with its two derivatives between the knots.

    Parameters
    ----------
    name : str
    function, slope, curvature : callable
        φ, φ' and φ'' without its delta functions: elementwise on float64 arrays (and on tensors, where φ and φ' are
        to be used on tensors).
    knots : tuple of float
        Where φ' or φ'' jumps, increasing. φ itself is continuous.
    jumps : tuple of float
        c_j, the jump of φ' at each knot; 0 where only φ'' jumps.
    breaks : tuple of float
        Further ends of panels: between neighbours polynomials of degree 20 resolve φ to rounding. Not needed where a
        panel of 4.3 standard deviations is resolved as it is.
    span : tuple of float
        The functions may be called between these two points.
    error : float
        Relative error of E φ² at q = 1 that the inputs carry, as far as known.

    Raises
    ------
    DomainError
        Knots are not finite and increasing, or jumps and knots differ in number.

    Examples
    --------
    >>> import numpy as np
    >>> relu = PiecewiseSmooth("relu", lambda x: x.clip(0), lambda x: (x > 0) * 1.0, np.zeros_like, (0.0,), (1.0,))
    >>> print(f"{relu.gap(np.pi / 2, 1.0):.12f}")  # 1/2 - 1/2π
    0.340845056908
    """

    name: str
    function: Function = field(repr=False)
    slope: Function = field(repr=False)
    curvature: Function = field(repr=False)
    knots: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()
    breaks: tuple[float, ...] = field(default=(), repr=False)
    span: tuple[float, float] = (-math.inf, math.inf)
    error: float = 0.0

    def __post_init__(self) -> None:
        check_name(self.name)
        for name in ("function", "slope", "curvature"):
            callback(name, getattr(self, name), np.zeros(1))
        for name in ("knots", "jumps", "breaks", "span"):
            object.__setattr__(self, name, tuple(map(as_float, entries(name, getattr(self, name), "numbers"))))
        object.__setattr__(self, "error", real("error", self.error, -math.ulp(0.0), math.inf, "a relative error"))
        knots = np.asarray(self.knots, dtype=np.float64)
        if len(self.span) != 2 or not self.span[0] < self.span[1]:
            raise DomainError(
                f"Activation '{self.name}' has the span {self.span}.",
                "It is the interval on which derivatives are known, from its left to its right end.",
                "Give a pair such as (-100.0, 100.0).",
            )
        if len(self.jumps) != len(knots) or not np.isfinite([*knots, *self.jumps, *self.breaks]).all():
            raise DomainError(
                f"Activation '{self.name}' has knots {self.knots} with jumps {self.jumps}.",
                "A knot, jump or break is not finite, or there are not as many jumps as knots.",
                "Give one finite jump of φ' for every knot, 0 where φ' is continuous.",
            )
        if not (np.diff(knots) > 0).all():
            raise DomainError(
                f"Activation '{self.name}' has knots {self.knots}, which do not increase.",
                "They are not sorted, or one is given twice.",
                "Sort the knots and give each once.",
            )

    # ------------------------------------------------------------------ the function

    def __call__(self, x: Any) -> Any:
        """φ(x), elementwise."""
        return self.function(function_argument(x)) if is_torch_array(x) else self.function(function_argument(x))[()]

    def derivative(self, x: Any) -> Any:
        """φ'(x), elementwise; at a kink the mean of both sides."""
        at = function_argument(x)
        xp = array_namespace(at)
        value = self.slope(at)
        for knot, _ in self.kinks:
            step = 1e-9 * max(1.0, abs(knot))
            sides = np.asarray(self.slope(np.array([knot - step, knot + step])), dtype=np.float64)
            value = xp.where(at == knot, xp.asarray(sides.mean(), dtype=value.dtype), value)
        return value if is_torch_array(x) else value[()]

    def second_derivative(self, x: Any) -> Any:
        """φ''(x) off the kinks, elementwise, for a numpy array."""
        return self.curvature(wide_argument(x))[()]

    @property
    def kinks(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t, c²) of the points where φ' jumps and the squared jump."""
        return tuple((t, c**2) for t, c in zip(self.knots, self.jumps, strict=True) if c)

    # ------------------------------------------------------------------ one variable

    def moments(self, q: Any) -> Moments:
        r"""`Moments` at the variances `q`.

        The derivatives in q are taken on the Gaussian density, d E f(√q z)/dq = E (z² - 1) f/2q, so φ'' is not needed.

        Raises
        ------
        DomainError
            A variance is not positive, φ or φ' is not square integrable there, or `span` is too narrow for it.

        Notes
        -----
        *Conditioning.* Absolute errors of d_second are 1e-15 E|φφ'|/√q, of d2_second 1e-15 E|φφ'|/q^(3/2), of
        d_slope_second 1e-15 E φ'²/q. E φ⁴ is infinite where it does not exist.
        """
        variance = variances(q=q)["q"]

        def columns(z: FloatArray, w: FloatArray, s: FloatArray, fourth: bool) -> FloatArray:
            f, g = self._f(s * z), self._g(s * z)
            with np.errstate(over="ignore"):
                power = np.sum(w * f**4, axis=-1) if fourth else np.full(len(z), np.inf)
            fg = w * f * g
            return np.stack(
                [
                    np.sum(w * f, axis=-1),
                    np.sum(w * f**2, axis=-1),
                    power,
                    np.sum(w * g**2, axis=-1),
                    np.sum(fg * z, axis=-1) / s[:, 0],
                    np.sum(fg * z * (z**2 - 3), axis=-1) / (2 * s[:, 0] ** 3),
                    np.sum(w * g**2 * (z**2 - 1), axis=-1) / (2 * s[:, 0] ** 2),
                ]
            )

        out = np.empty((7, variance.size))
        flat = variance.ravel()
        reach4, reach2 = self._reach(flat, 4), self._reach(flat, 2)
        reach = np.where(np.isnan(reach4), self._required(reach2, flat), reach4)
        for far in np.unique(reach):
            for fourth in (False, True):
                for rows in self._chunks(np.flatnonzero((reach == far) & (np.isnan(reach4) != fourth))):
                    z, w = kink_split_rule(flat[rows], self._edges, reach=far)
                    out[:, rows] = columns(z, w, np.sqrt(flat[rows])[:, None], fourth)
        return Moments(*(row.reshape(variance.shape)[()] for row in out))

    @property
    def curvature_jumps(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t, J²) where φ'' jumps and φ' does not; jumps that are no more than rounding are left out."""
        smooth = np.array([t for t, jump in zip(self.knots, self.jumps, strict=True) if jump == 0])
        if not smooth.size:
            return ()
        step = 1e-9 * np.maximum(np.abs(smooth), 1.0)
        jumps = np.asarray(self.curvature(smooth + step)) - np.asarray(self.curvature(smooth - step))
        return tuple((float(t), float(j) ** 2) for t, j in zip(smooth, jumps, strict=True) if abs(j) > 1e-6)

    @property
    def largest_variance(self) -> float:
        """(span / 1.3 REACH)²: φ is known on so many standard deviations."""
        return (min(-self.span[0], self.span[1]) / (1.3 * REACH)) ** 2

    def derivative_moment(self, order: int, q: Any) -> Any:
        """E[(φ^(k)(√q z))²]; infinite for k ≥ 2 with a kink and for k ≥ 3 with any knot.

        For k ≥ 3 the curvature is differentiated on the panels of the rule; each order costs two digits.
        """
        (order,) = exponents(HIGHEST_ORDER, order=order)
        variance = variances(q=q)["q"]
        if order == 0:
            return self.moments(variance).second
        if order == 1:
            return self.moments(variance).slope_second
        if self.kinks or (self.knots and order > 2):
            return np.full(variance.shape, np.inf)[()]
        flat = variance.ravel()
        reach = self._required(self._reach(flat, 2), flat)
        far = float(reach.max(initial=REACH))
        out = np.empty(flat.size)
        for rows in self._chunks(np.arange(flat.size)):
            z, w = kink_split_rule(flat[rows], self._edges, reach=far)
            x = np.sqrt(flat[rows])[:, None] * z
            value = self._h(x)
            if order > 2:
                value = differentiated(value, x, order - 2)
            out[rows] = np.sum(w * value**2, axis=-1)
        return out.reshape(variance.shape)[()]

    def comonotone(self, q1: Any, q2: Any) -> Any:
        """E φ(√q₁ z)φ(√q₂ z)."""
        return self._two_scales(q1, q2, np.ones(()), lambda w, a, b, *_: np.sum(w * self._f(a) * self._f(b), axis=-1))

    def difference_second(self, factor: Any, q1: Any, q2: Any) -> Any:
        """E (φ(√q₂ z) - f φ(√q₁ z))², f = `factor`, without cancellation.

        With a = √q₁ z, b = √q₂ z close and no knot between them, φ(b) - φ(a) = (b - a) ∫₀¹ φ'(a + (b - a)τ) dτ.
        """
        _, from_left, weight = gauss_legendre(8)

        def squared(w: FloatArray, a: FloatArray, b: FloatArray, step: FloatArray, f: FloatArray) -> FloatArray:
            difference = self._f(b) - self._f(a)
            knots = np.asarray(self._edges)
            inside = (np.searchsorted(knots, a) == np.searchsorted(knots, b)) & (np.abs(step) <= 0.05 * np.abs(a))
            start, width = a[inside], step[inside]
            path = self._g(start[:, None] + width[:, None] * from_left / 2)
            difference[inside] = width * np.sum(path * weight / 2, axis=-1)
            return np.asarray(np.sum(w * (difference + (1 - f) * self._f(a)) ** 2, axis=-1))

        return self._two_scales(q1, q2, checked_factor(factor), squared)

    # ------------------------------------------------------------------ two variables

    def gap(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """What the covariance lacks to its value at angle 0, √(q₁q₂) ∫₀^θ E φ'φ' sin t dt, with relative accuracy.

        Raises
        ------
        DomainError
            φ turns so fast that no table resolves it, and there are more than 64 angles or their gaps are below 1e-4
            of the covariance.
        """
        return by_pairs(self._gap, angles(theta), q1, q1 if q2 is None else q2)

    def remainder(self, theta: Any, q: Any) -> Any:
        """q E φ'² (1 - cos θ) - gap(θ), with relative accuracy."""

        def one(theta: FloatArray, q: float, _: float) -> FloatArray:
            table = _curvatures(self, q)
            if table is None:
                linear = 2 * q * self.moments(q).slope_second * np.sin(theta / 2) ** 2
                return difference_with_digits(self.name, linear, self._gap(theta, q, q))
            return np.asarray((2 * np.sin(theta / 2)) ** table.power * table.remainder_ratio(theta))

        return by_pairs(one, angles(theta), q, q)

    def slope_product(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """E φ'(u)φ'(v)."""
        return by_pairs(
            self._slope_product,
            angles(theta),
            q1,
            q1 if q2 is None else q2,
        )

    def curvature_product(self, theta: Any, q: Any) -> Any:
        """E φ''(u)φ''(v), as a distribution where φ' jumps; infinite at θ = 0 then."""
        kinks = [(t, c) for t, c in zip(self.knots, self.jumps, strict=True) if c]

        def one(theta: FloatArray, q: float, _: float) -> FloatArray:
            table = _curvatures(self, q)
            value = self._smooth_curvature_product(theta, q) if table is None else table.smooth(theta)
            if not kinks:
                return value
            rate, sine = delta_part(theta, q, kinks), q * np.where(theta == np.pi, 0.0, np.sin(theta))
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(value + np.where(rate == 0, 0.0, rate / sine))

        return by_pairs(one, angles(theta), q, q)

    def covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ(u)φ(v) for E uv = `k`; absolute accuracy 1e-13.

        Tensors are taken to the host and the result back to their device. Few angles of one pair of variances are
        integrated one by one (1 ms each), more go through the table.
        """

        def one(theta: FloatArray, q1: float, q2: float) -> FloatArray:
            if theta.size > _FEW:
                table = _slopes(self, q1, q2)
                if table is None:
                    return angle_by_angle(self.name, self._f, theta, lambda f, t: self._pair(f, t, q1, q2))
                return np.asarray(self.comonotone(q1, q2) - self._gap(theta, q1, q2))
            return self._pair(self._f, theta, q1, q2)

        return from_covariances(one, k, q1, q2)

    def slope_covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ'(u)φ'(v) for E uv = `k`; tensors as in `covariance`."""

        def one(theta: FloatArray, q1: float, q2: float) -> FloatArray:
            if theta.size > _FEW:
                return self._slope_product(theta, q1, q2)
            return self._pair(self._g, theta, q1, q2)

        return from_covariances(one, k, q1, q2)

    # ------------------------------------------------------------------ parts

    @property
    def _edges(self) -> tuple[float, ...]:
        return tuple(sorted({*self.knots, *self.breaks}))

    # products of rules reach √2 further than the span has to, where their weight is below rounding: hence the clip

    def _f(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.function(x.clip(*self.span)), dtype=np.float64)

    def _g(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.slope(x.clip(*self.span)), dtype=np.float64)

    def _h(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.curvature(x.clip(*self.span)), dtype=np.float64)

    def _gap(self, theta: FloatArray, q1: float, q2: float) -> FloatArray:
        table = _slopes(self, q1, q2)
        if table is not None:
            return np.asarray(2 * math.sqrt(q1 * q2) * np.sin(theta / 2) ** 2 * table.gap_ratio(theta))
        covariance = angle_by_angle(self.name, self._f, theta, lambda f, t: self._pair(f, t, q1, q2))
        top = np.where(theta == 0, covariance, self.comonotone(q1, q2))
        return np.where(theta == 0, 0.0, difference_with_digits(self.name, top, np.where(theta == 0, 0.0, covariance)))

    def _slope_product(self, theta: FloatArray, q1: float, q2: float) -> FloatArray:
        table = _slopes(self, q1, q2)
        if table is not None:
            return table.slope_product(theta)
        return angle_by_angle(self.name, self._g, theta, lambda g, t: self._pair(g, t, q1, q2))

    def _smooth_curvature_product(self, theta: FloatArray, q: float) -> FloatArray:
        reach = float(self._required(self._reach(np.array([q]), 2), np.array([q])).max())

        def integral(h: Function, t: FloatArray) -> FloatArray:
            return smooth_curvature_product(h, t, q, self.knots, self.jumps, self.breaks, reach)

        return angle_by_angle(self.name, self._h, theta, integral)

    def _pair(self, g: Function, theta: FloatArray, q1: float, q2: float) -> FloatArray:
        both = np.array([q1, q2])
        reach = float(self._required(self._reach(both, 2), both).max())
        return np.asarray(kink_split_pair(g, g, theta, q1, q2, self.knots, self.breaks, reach=reach))

    def _reach(self, q: FloatArray, power: int) -> FloatArray:
        parts = self._chunks(np.arange(q.size))
        return gaussian_reach(self._f, self._g, self.span, q, power, parts)

    def _required(self, reach: FloatArray, q: FloatArray) -> FloatArray:
        return required(self.name, self.span, reach, q)

    def _chunks(self, rows: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> list[Any]:
        """`rows` in parts whose nodes fit in memory."""
        each = max(1, _NODES_AT_ONCE // (NODES * (len(self._edges) + 40)))
        return [rows[start : start + each] for start in range(0, len(rows), each)]

    def _two_scales(self, q1: Any, q2: Any, factor: FloatArray, integrate: Callable[..., FloatArray]) -> Any:
        """`integrate(w, a = √q₁ z, b = √q₂ z, b - a, factor)` over all variances; panels end at both's knots."""
        given = variances(q1=q1, q2=q2)
        require_fitting(**given, factor=factor)
        a, b, f = np.broadcast_arrays(given["q1"], given["q2"], factor)
        shape = a.shape
        a, b, f = a.ravel(), b.ravel(), f.ravel()
        reach = np.maximum(self._required(self._reach(a, 2), a), self._required(self._reach(b, 2), b))
        out = np.empty(a.size)
        edges = np.asarray(self._edges, dtype=np.float64)
        for far in np.unique(reach):
            for rows in self._chunks(np.flatnonzero(reach == far)):
                s1, s2 = np.sqrt(a[rows])[:, None], np.sqrt(b[rows])[:, None]
                step = (b[rows] - a[rows])[:, None] / (s1 + s2)
                scaled = np.concatenate([edges / s1, edges / s2], axis=-1)
                z, w = kink_split_rule(np.ones(len(rows)), scaled, reach=far)  # type: ignore[arg-type]
                out[rows] = integrate(w, s1 * z, s2 * z, step * z, f[rows][:, None])
        return out.reshape(shape)[()]


@lru_cache(maxsize=512)
def _slopes(activation: PiecewiseSmooth, q1: float, q2: float) -> SlopeTable | None:
    both = np.array([q1, q2])
    reach = float(activation._required(activation._reach(both, 2), both).max())
    size = float(np.sqrt(np.prod(activation.moments(both).slope_second)))
    # noise in φ' is not smooth in the angle: what lies below it is not resolved
    return slope_table(activation._g, q1, q2, activation.knots, activation.breaks, reach, size, activation.error)


@lru_cache(maxsize=512)
def _curvatures(activation: PiecewiseSmooth, q: float) -> CurvatureTable | None:
    one = np.array([q])
    reach = float(activation._required(activation._reach(one, 2), one).max())
    z, w = kink_split_rule(q, activation._edges, reach=reach)
    size = float(np.sum(w * activation._h(math.sqrt(q) * z) ** 2))
    error = 1e3 * activation.error  # of φ'', one derivative further
    return curvature_table(activation._h, q, activation.knots, activation.jumps, activation.breaks, reach, size, error)
