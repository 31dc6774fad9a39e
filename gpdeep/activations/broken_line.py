r"""Piecewise-linear activations, for which every expectation is exact:

    φ(x) = a + b x + Σ_j c_j (x - t_j)_+,        slopes m_0 = b, m_j = m_{j-1} + c_j

One variable (h_j = t_j/√q; p_j the density of N(0, q) at t_j):

    dE φ²/dq   = E φ'² + Σ_j c_j φ(t_j) p_j = E[z φφ']/√q,
    dE φ'²/dq  = Σ_j (m_j² - m_{j-1}²) t_j p_j / 2q,
    d²E φ²/dq² = Σ_j [ (m_j² - m_{j-1}²) t_j + c_j φ(t_j)(h_j² - 1) ] p_j / 2q

Two variables, with I and S of `gaussian.ramp_pairs` at the kinks h_i = t_i/√q₁ and k_j = t_j/√q₂:

    gap(θ)  = √(q₁q₂) { E[φ'(√q₁ z)φ'(√q₂ z)] 2 sin²(θ/2) - Σ_ij c_i c_j I(h_i, k_j, θ) }
    E φ'φ'  = E[φ'(√q₁ z)φ'(√q₂ z)] - Σ_ij c_i c_j S(h_i, k_j, θ)

by Price's theorem and one integration by parts in the angle. Assumption: Gaussian pre-activations. Price 1958.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..errors import DomainError
from ..gaussian.arguments import angles, exponents, require_fitting, shown, sine, supplement, variances
from ..gaussian.ramp_moments import normal_density
from ..gaussian.ramp_pairs import angle_density, ramp_overlap, ramp_slope_overlap
from ..result import FloatArray
from .base import HIGHEST_ORDER, Activation, Moments, checked_factor, function_argument, wide_argument
from .knots import merged_knots
from .linear_covariance import linear_covariance
from .linear_panels import Panels, Pieces, expectations
from .narrow_steps import NarrowSteps, by_steps, with_rest

_INV_TWO_PI = 1 / (2 * math.pi)


@dataclass(frozen=True)
class PiecewiseLinear(Activation):
    r"""φ(x) = a + b x + Σ_j c_j (x - t_j)_+.

    Parameters
    ----------
    name : str
        How messages and results call it.
    a, b : float
        Value at 0 and slope of the leftmost line.
    t : tuple of float
        Knots, in any order; coincident ones are merged.
    c : tuple of float
        Jumps of the slope at the knots; a knot without a jump is dropped.
    at_knots : tuple of float, optional
        φ(t_j), where a, b and c round: a level that shall be met to the last bit.

    Raises
    ------
    DomainError
        The name is no text; something is no number, not finite or beyond 1e50; a knot is nearer to 0 than 1e-50
        without being 0; t and c differ in length; φ is 0 everywhere; `at_knots` contradicts the rest.

    Notes
    -----
    Two variables: sums over all pairs of kinks, each with 48 nodes an angle, so the cost grows with their square (150
    kinks: 5 s a gap). Close kinks of opposite jumps cancel in them. A line with steps below 0.03 √q (`narrow_steps`) is
    integrated over the steps instead, 1 to 10 ms a call and 0.2 ms an angle, without cancellation unless steps go up
    and down. Any other φ warns (`ValidityWarning`) where rounding may exceed 1e-9 of a result, and raises
    `ConvergenceError` where it may exceed 1e-3. Knots at t, a distance w apart, are themselves known to 1e-16 t/w of w.

    Evaluated by pieces, so a dead zone is exactly 0 and a clipped part exactly flat; the sum of ramps is neither.

    Examples
    --------
    >>> import numpy as np
    >>> hinge = PiecewiseLinear("hinge", 0.0, 0.0, (0.0,), (1.0,))
    >>> hinge(np.array([-1.0, 2.0])), float(hinge.moments(4.0).second)
    (array([0., 2.]), 2.0)
    """

    name: str
    a: float = 0.0
    b: float = 0.0
    t: tuple[float, ...] = ()
    c: tuple[float, ...] = ()
    at_knots: tuple[float, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        t, c, levels = merged_knots(self.name, self.a, self.b, self.t, self.c, self.at_knots)
        derived = {"a": float(self.a), "b": float(self.b), "t": t, "c": c, "at_knots": levels}
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    # ------------------------------------------------------------------ the function

    @cached_property
    def pieces(self) -> Pieces:
        """The lines between the knots."""
        return Pieces.of(self.a, self.b, self.t, self.c, self.at_knots)

    @cached_property
    def narrow_steps(self) -> NarrowSteps | None:
        """φ as a line with steps, if it is one."""
        return NarrowSteps.of(self.pieces, self.at_knots)

    @property
    def slopes(self) -> tuple[float, ...]:
        """m_0, ..., m_K from left to right."""
        return tuple(self.pieces.slopes.tolist())

    @property
    def linear(self) -> bool:
        """Whether φ has no kink: a + b x."""
        return not self.t

    @property
    def homogeneous(self) -> bool:
        """Whether φ(λx) = λφ(x) for all λ > 0: a = 0 and no kink but at 0."""
        return self.a == 0 and self.t in ((), (0.0,))

    @property
    def odd(self) -> bool:
        """Whether φ(-x) = -φ(x): knots and slopes are symmetric about 0, where φ is 0."""
        symmetric = tuple(-t for t in reversed(self.t)) == self.t and self.slopes == self.slopes[::-1]
        return symmetric and float(self(np.zeros(1))[0]) == 0

    @property
    def even(self) -> bool:
        """Whether φ(-x) = φ(x): knots are symmetric about 0, slopes antisymmetric."""
        return tuple(-t for t in reversed(self.t)) == self.t and tuple(-m for m in self.slopes[::-1]) == self.slopes

    @property
    def kinks(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t_j, c_j²)."""
        return tuple((t, c * c) for t, c in zip(self.t, self.c, strict=True))

    def scaled(self, factor: float) -> PiecewiseLinear:
        r"""The activation λφ(x/λ), λ = `factor` > 0.

        Networks of φ and of λφ(x/λ) are the same up to the factor λ² in all variances, σ_b² included.

        Raises
        ------
        DomainError
            The factor is not positive and finite.

        Examples
        --------
        >>> PiecewiseLinear("hinge", t=(1.0,), c=(1.0,)).scaled(2.0).t
        (2.0,)
        """
        scale = float(factor)
        if not 0 < scale < math.inf:
            raise DomainError(
                f"factor = {shown(factor)}.",
                "Lengths are scaled by positive numbers.",
                "Give a positive, finite factor.",
            )
        levels = None if self.at_knots is None else tuple(scale * v for v in self.at_knots)
        return PiecewiseLinear(
            f"{self.name}*{scale!r}", scale * self.a, self.b, tuple(scale * t for t in self.t), self.c, levels
        )

    def __call__(self, x: Any) -> Any:
        """φ(x), elementwise, for a numpy array or a torch tensor of any shape."""
        x, tensor = _array(x)
        xp, pieces = array_namespace(x), self.pieces
        if self.linear:
            y = self.a + self.b * x
        else:
            first, point, value = (float(p[0]) for p in (pieces.slopes, pieces.points, pieces.values))
            left = x.clip(self.t[0], self.t[0]) if first == 0 else x.clip(None, self.t[0])  # NaN stays NaN
            y = _line(left, first or 1.0, point if first else self.t[0], value)
            for j, knot in enumerate(self.t, start=1):
                slope, point, value = float(pieces.slopes[j]), float(pieces.points[j]), float(pieces.values[j])
                line = xp.full_like(y, value) if slope == 0 else _line(x, slope, point, value)
                y = xp.where(x > knot, line, y)
        return y if tensor else y[()]

    def derivative(self, x: Any) -> Any:
        """φ'(x), elementwise, for a numpy array or a torch tensor; at a kink the mean of both sides."""
        x, tensor = _array(x)
        xp, slopes = array_namespace(x), self.slopes
        y = slopes[0] + x.clip(0, 0)  # NaN stays NaN
        for j, knot in enumerate(self.t, start=1):
            y = xp.where(x > knot, xp.full_like(y, slopes[j]), y)
            y = xp.where(x == knot, xp.full_like(y, (slopes[j - 1] + slopes[j]) / 2), y)
        return y if tensor else y[()]

    def second_derivative(self, x: Any) -> Any:
        """φ'' = 0 off the kinks."""
        return np.zeros_like(wide_argument(x))[()]

    # ------------------------------------------------------------------ one variable

    def moments(self, q: Any) -> Moments:
        """`Moments` at the variances `q`.

        Raises
        ------
        DomainError
            A variance is not positive and finite.

        Notes
        -----
        Relative error below 1e-14 for E φ², E φ⁴, E φ'², and E φ where φ has one sign, for kinks at any distance; the
        derivatives in q are sums over kinks and absolutely accurate to 1e-15 of their largest term. d_second equals
        slope_second to the last bit if φ vanishes at its kinks. Cost: 0.3 ms, and 1 to 3 µs a variance.
        """
        variance = variances("q", q)
        if self.homogeneous or self.linear:
            return self._closed_moments(variance)
        vanishing = not any(self._levels)

        def columns(panels: Panels, s: FloatArray) -> list[FloatArray]:
            value, slope = panels.value(s), panels.slope(s)
            square = value * value
            slope_second = panels.mean(slope * slope)
            d_second = slope_second if vanishing else panels.mean(panels.z * slope * value) / s
            return [panels.mean(value), panels.mean(square), panels.mean(square * square), slope_second, d_second]

        s = np.sqrt(variance).reshape(-1)
        parts = [part.reshape(variance.shape)[()] for part in expectations(self.pieces, [s], columns)]
        mean, second, fourth, slope_second, d_second = parts
        curved, steeper = self._second_derivatives(variance)
        return Moments(mean, second, fourth, slope_second, d_second, curved, steeper)

    @property
    def _levels(self) -> tuple[float, ...]:
        """φ(t_j)."""
        p = self.pieces
        return tuple(float(p.values[j] + p.slopes[j] * (knot - p.points[j])) for j, knot in enumerate(self.t, start=1))

    def _second_derivatives(self, q: FloatArray) -> tuple[Any, Any]:
        """d²E φ²/dq² and dE φ'²/dq."""
        s = np.sqrt(q)
        curved, steeper = np.zeros_like(q), np.zeros_like(q)
        for j, (knot, jump, level) in enumerate(zip(self.t, self.c, self._levels, strict=True)):
            density = normal_density(knot / s) / s / (2 * q)
            squares = (self.slopes[j + 1] + self.slopes[j]) * jump * knot
            steeper = steeper + squares * density
            curved = curved + (squares + jump * level * ((knot / s) ** 2 - 1)) * density
        return curved[()], steeper[()]

    def _closed_moments(self, q: FloatArray) -> Moments:
        """Where φ is homogeneous (a = 0) or a line."""
        left, right, a2 = self.slopes[0], self.slopes[-1], self.a**2
        half = (left * left + right * right) / 2 + 0.0 * q
        with np.errstate(over="ignore"):  # of the fourth moment, to infinity
            fourth = a2 * a2 + 6 * a2 * half * q + 1.5 * (left**4 + right**4) * q * q
        return Moments(
            mean=(self.a + (right - left) * np.sqrt(q * _INV_TWO_PI))[()],
            second=(a2 + half * q)[()],
            fourth=fourth[()],
            slope_second=half[()],
            d_second=half[()],
            d2_second=(0.0 * q)[()],
            d_slope_second=(0.0 * q)[()],
        )

    def derivative_moment(self, order: int, q: Any) -> Any:
        """E[(φ^(k)(√q z))²] for k = `order`: infinite for k ≥ 2 if φ has a kink, else 0."""
        (order,) = exponents(HIGHEST_ORDER, order=order)
        if order in (0, 1):
            moments = self.moments(q)
            return moments.second if order == 0 else moments.slope_second
        return (0.0 * variances("q", q) + (0.0 if self.linear else math.inf))[()]

    def comonotone(self, q1: Any, q2: Any) -> Any:
        """E φ(√q₁ z)φ(√q₂ z): the covariance at angle 0."""
        if self.homogeneous:
            first, second = variances("q1", q1), variances("q2", q2)
            require_fitting(q1=first, q2=second)
            product = np.sqrt(first) * np.sqrt(second)
            return (self._half_squares * product)[()]
        return self._two_scales(q1, q2, lambda panels, s1, s2: [panels.mean(panels.value(s1) * panels.value(s2))])

    def difference_second(self, factor: Any, q1: Any, q2: Any) -> Any:
        r"""E (φ(√q₂ z) - f φ(√q₁ z))², f = `factor`.

        Where both are on one piece the difference is m z (√q₂ - √q₁) + (1 - f) φ(√q₁ z), with √q₂ - √q₁ from q₂ - q₁.
        """
        if self.homogeneous:
            first, second, f = variances("q1", q1), variances("q2", q2), checked_factor(factor)
            require_fitting(q1=first, q2=second, factor=f)
            s1, s2 = np.sqrt(first), np.sqrt(second)
            wider = (second - first) / (s1 + s2)
            return (self._half_squares * (wider + (1 - f) * s1) ** 2)[()]

        def columns(
            panels: Panels, s1: FloatArray, s2: FloatArray, f: FloatArray, wider: FloatArray
        ) -> list[FloatArray]:
            first, slope = panels.value(s1), panels.slope(s1)
            apart = panels.index(s1) != panels.index(s2)
            difference = np.where(apart, panels.value(s2) - first, slope * wider[:, None, None] * panels.z)
            return [panels.mean((difference + (1 - f)[:, None, None] * first) ** 2)]

        return self._two_scales(q1, q2, columns, checked_factor(factor))

    def _two_scales(self, q1: Any, q2: Any, columns: Any, factor: Any = None) -> Any:
        first, second = variances("q1", q1), variances("q2", q2)
        f = np.ones(()) if factor is None else checked_factor(factor)
        require_fitting(q1=first, q2=second, factor=f)
        first, second, f = np.broadcast_arrays(first, second, f)
        shape = first.shape
        s1, s2, f = np.sqrt(first).reshape(-1), np.sqrt(second).reshape(-1), f.reshape(-1)
        further = [] if factor is None else [f, (second - first).reshape(-1) / (s1 + s2)]
        (out,) = expectations(self.pieces, [s1, s2], columns, further)
        return out.reshape(shape)[()]

    @property
    def _half_squares(self) -> float:
        """(m_0² + m_K²)/2: E φ² at q = 1 for homogeneous φ."""
        return (self.slopes[0] ** 2 + self.slopes[-1] ** 2) / 2

    # ------------------------------------------------------------------ two variables

    def gap(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        r"""What the covariance lacks to its value at angle 0.

        Notes
        -----
        Relative error below 1e-12 at any angle (even φ, whose gap vanishes at π, included), if φ is a line with steps
        or has no close kinks; else two of opposite jumps at a distance of d √q lose 1e-16/d² of it. Cost: 2 µs an
        angle for each pair of kinks, 0.2 ms for each pair of narrow steps.

        Raises
        ------
        DomainError
            An angle is outside [0, π], or a variance not positive and finite.
        ConvergenceError
            Rounding may exceed 1e-3 of the gap, the kinks being too close.

        Warns
        -----
        ValidityWarning
            Rounding may exceed 1e-9 of the gap.
        """
        t, s1, s2 = _angles_and_scales(theta, q1, q2)
        if self.even:  # θ and π - θ are the same
            t = np.minimum(t, supplement(t))
        t, s1, s2 = np.broadcast_arrays(t, s1, s2)
        out, narrow = by_steps(self.name, self.narrow_steps, "gap", t, s1, s2)
        if narrow is None or not narrow.all():
            straight = self._aligned_slopes(q1, q2) * (2 * np.sin(t / 2) ** 2)
            pairs, size = self._over_pairs(ramp_overlap, t, s1, s2, q2 is None)
            out = with_rest(
                self.name, "gap", out, narrow, s1 * s2 * (straight - pairs), s1 * s2 * (np.abs(straight) + size)
            )
        return out[()]

    def remainder(self, theta: Any, q: Any) -> Any:
        """q E φ'² (1 - cos θ) - gap(θ) = q Σ_ij c_i c_j I(h_i, h_j, θ); errors and warnings as `gap`."""
        t, s = np.broadcast_arrays(*_angles_and_scales(theta, q, None)[:2])
        out, narrow = by_steps(self.name, self.narrow_steps, "remainder", t, s, s)
        if narrow is None or not narrow.all():
            pairs, size = self._over_pairs(ramp_overlap, t, s, s, True)
            out = with_rest(self.name, "remainder", out, narrow, s * s * pairs, s * s * size)
        return out[()]

    def slope_product(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """E φ'(u)φ'(v); errors and warnings as `gap`, relative to E φ'(√q₁ z)φ'(√q₂ z)."""
        t, s1, s2 = np.broadcast_arrays(*_angles_and_scales(theta, q1, q2))
        if self.odd:  # θ and π - θ are the same
            t = np.minimum(t, supplement(t))
        out, narrow = by_steps(self.name, self.narrow_steps, "slopes", t, s1, s2)
        if narrow is None or not narrow.all():
            straight = self._aligned_slopes(q1, q2)
            pairs, size = self._over_pairs(ramp_slope_overlap, t, s1, s2, q2 is None)
            value = straight - pairs
            out = with_rest(self.name, "slopes", out, narrow, value, np.abs(straight) + size, straight)
        return out[()]

    def curvature_product(self, theta: Any, q: Any) -> Any:
        """E φ''(u)φ''(v) = Σ_ij c_i c_j e(h_i, h_j, θ)/(q sin θ); infinite at θ = 0 if φ has a kink."""
        t, s, _ = _angles_and_scales(theta, q, None)
        total, _ = self._over_pairs(angle_density, t, s, s, True)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = np.where(total == 0, 0.0, total / (sine(t) * s * s))
        return value[()]

    def _aligned_slopes(self, q1: Any, q2: Any) -> FloatArray:
        """E φ'(√q₁ z)φ'(√q₂ z)."""
        if self.homogeneous or self.linear:
            return np.asarray(self._half_squares)
        if q2 is None:
            s = np.sqrt(variances("q1", q1))
            (out,) = expectations(self.pieces, [s.reshape(-1)], lambda panels, s: [panels.mean(panels.slope(s) ** 2)])
            return out.reshape(s.shape)
        return np.asarray(
            self._two_scales(q1, q2, lambda panels, s1, s2: [panels.mean(panels.slope(s1) * panels.slope(s2))])
        )

    def _over_pairs(self, function: Any, theta: FloatArray, s1: FloatArray, s2: FloatArray, symmetric: bool) -> Any:
        """Σ_ij c_i c_j function(t_i/s₁, t_j/s₂, θ), and the sum of the sizes of its terms."""
        total = 0.0 * (theta + s1 + s2)
        size = total
        for i, (t1, c1) in enumerate(zip(self.t, self.c, strict=True)):
            for j, (t2, c2) in enumerate(zip(self.t, self.c, strict=True)):
                if symmetric and j < i:
                    continue
                times = 2 if symmetric and j > i else 1
                value = times * c1 * c2 * function(t1 / s1, t2 / s2, theta)
                total, size = total + value, size + np.abs(value)
        return total, size

    def covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        r"""E φ(u)φ(v) for E uv = `k`, in numpy or torch.

        Notes
        -----
        Absolute error below 1e-14 √(E φ(u)² E φ(v)²) for kinks 0.1 √q apart, else 1e-16/d² of it at a distance of
        d √q; below d = 1e-3 warnings and errors as `gap`, and a line with steps goes by its gap (numpy). Cost: see
        `linear_covariance`.
        """
        return linear_covariance(self, k, q1, q2)

    def slope_covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ'(u)φ'(v) for E uv = `k`, in numpy or torch; cost as `covariance`."""
        return linear_covariance(self, k, q1, q2, slope=True)


def _line(x: Any, slope: float, point: float, value: float) -> Any:
    """v + m (x - x_j), without the operations that change nothing."""
    y = x - point if point else x
    y = y if slope == 1 else slope * y
    return y + value if value else y


def _array(x: Any) -> tuple[Any, bool]:
    """`x` as a float array or tensor, and whether it is a tensor."""
    x = function_argument(x)
    if is_torch_array(x):
        return (x if x.is_floating_point() else x.double()), True
    return x, False


def _angles_and_scales(theta: Any, q1: Any, q2: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """θ, √q₁ and √q₂ in float64."""
    t, s1 = angles(theta), np.sqrt(variances("q1", q1))
    s2 = s1 if q2 is None else np.sqrt(variances("q2", q2))
    require_fitting(theta=t, q1=s1, q2=s2)
    return t, s1, s2
