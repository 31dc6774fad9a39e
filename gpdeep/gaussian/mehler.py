r"""Two correlated Gaussian variables by one-dimensional sums: Mehler's formula in the coordinates that keep its digits.

    a_k(q) = E φ(√q z) He_k(z)/√k!,      E φ(√q₁ z₁)φ(√q₂ z₂) = Σ_k a_k(q₁) a_k(q₂) ρ^k,      ρ = cos θ

He_k(z)/√k! are orthonormal, so for q₁ = q₂ all terms are squares. What is lost against θ = 0 is, with p_k =
a_k(q₁)a_k(q₂), x = ρ² and 1 - x = sin²θ, for ρ ≥ 0 a sum of positive terms without any subtraction,

    Σ_k p_k (1 - ρ^k) = (1-x) Σ_j x^j E_j + (1-ρ) Σ_j O_j' + ρ(1-x) Σ_j x^j O_j
    E_j = Σ_{m>j} p_{2m},   O_j = Σ_{m>j} p_{2m+1},   O_j' = p_{2j+1},

and for ρ < 0 too, after 1 - ρ^k = 1 + |ρ|^k for odd k. The second differences of the same sums give what is left after
the linear term. References: Mehler 1866, J. reine angew. Math. 66, 161; Szegő 1939, Orthogonal Polynomials, ch. 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DomainError
from ..result import FloatArray
from .arguments import as_float, as_floats, callback, real, variances

MAX_TERMS = 60_000
_REACH = 12.6  # √f is 6e-18 of its top there
_ROWS = 256
_TAIL = 1e-17
_BLOCK = 2**12
_LEAST_STRIP = 1e-100


def hermite_coefficients(function: Callable[[FloatArray], FloatArray], q: Any, strip: float) -> FloatArray:
    r"""a_k(q) = E φ(√q z) He_k(z)/√k! for as many k as count.

    Parameters
    ----------
    function : callable
        φ, elementwise on float64 arrays, analytic for |Im x| < S, of polynomial growth on the real axis.
    q : array_like, shape (n,)
        Variances, positive.
    strip : float
        S; infinite for entire functions with |φ(x + iy)| ≲ e^{y²}.

    Returns
    -------
    ndarray, shape (n, terms)
        The sums of k² a_k² beyond the last one are below 1e-17 of the whole for each q.

    Raises
    ------
    DomainError
        60,000 terms do not suffice, φ is not finite where it is needed, or a variance is not positive.

    Notes
    -----
    Trapezoidal sums over Hermite functions ψ_k = He_k √(f/k!), which reach |z| = 2√k and frequency √k; their three-term
    recurrence is stable forwards. Errors of a_k are 1e-17 √E φ² whatever k; even and odd k see the even and the odd
    part of φ only, so a parity is exact. About 400 q/S² terms; milliseconds for S ≥ √q, 0.1-1 s at 1,000 times that.

    Examples
    --------
    Cubes: z³ = He_3 + 3 He_1.

    >>> a = hermite_coefficients(lambda x: x**3, [1.0], np.inf)[0]
    >>> print(np.round(a[:5] ** 2, 12) + 0.0)
    [0. 9. 0. 6. 0.]
    """
    callback("function", function, np.zeros(2))
    s = np.sqrt(np.atleast_1d(variances("q", q)))
    if s.ndim != 1 or not s.size:
        raise DomainError(
            f"q has the shape {s.shape}.",
            "Coefficients are a row for each variance; none, or a table of them, was given.",
            "Give one variance, or a list of them.",
        )
    if as_float(strip) != math.inf:
        strip = real("strip", strip, _LEAST_STRIP, math.inf, "the distance S of the nearest singularity")
    terms = 64
    while True:
        a = _coefficients(function, s, strip, terms)
        k = np.arange(terms)
        weighted = k**2 * a**2
        total = weighted.sum(axis=1)
        if (weighted[:, 3 * terms // 4 :].sum(axis=1) <= _TAIL * total).all():
            beyond = (np.cumsum(weighted[:, ::-1], axis=1)[:, ::-1] > _TAIL * total[:, None]).any(axis=0)
            return np.ascontiguousarray(a[:, : max(2, int(np.count_nonzero(beyond)) + 1)])
        if terms >= MAX_TERMS:
            raise DomainError(
                f"At variance q = {s.max() ** 2:.3g} the pair series of φ needs more than {MAX_TERMS:,} Hermite "
                "coefficients.",
                f"The variance is too large for the pair series of this activation: φ turns within {strip:.3g}, its "
                f"argument has standard deviation {s.max():.3g}. Less likely: "
                "the strip of a φ of one's own is not as wide as stated.",
                "Use a smaller variance, by standardised inputs or smaller weights and biases; where it is meant, take "
                "the step or the ramp that φ looks like from afar.",
            )
        terms = min(2 * terms, MAX_TERMS)


def _coefficients(function: Callable[[FloatArray], FloatArray], s: FloatArray, strip: float, terms: int) -> FloatArray:
    """The first `terms` a_k for every standard deviation in `s`."""
    largest = float(s.max())
    # φ̂ reaches up to ln(1e16)/S in units of 1/x (entire: √(4·37) for e^{-x²}), √f ψ_k up to √k + 6; no further needed
    frequency = largest * (12.2 if math.isinf(strip) else 37 / strip)
    h = 2 * math.pi / (min(frequency, math.sqrt(terms) + 8) + math.sqrt(terms) + 8)
    z = h * np.arange(math.ceil(_REACH / h) + 1)
    root = np.exp(-(z**2) / 4) / (2 * math.pi) ** 0.25
    x = s[:, None] * z
    right, left = as_floats(function(x)), as_floats(function(-x))
    if right is None or left is None or right.shape != x.shape or left.shape != x.shape:
        raise DomainError(
            f"φ makes no array of real numbers of shape {x.shape} of one of that shape.",
            "It returns nothing, or acts on something else than each entry by itself.",
            "Give a function of an array, such as numpy.tanh.",
        )
    if not (np.isfinite(right).all() and np.isfinite(left).all()):
        raise DomainError(
            "φ is not finite at every argument that its expectations need.",
            f"It is infinite or NaN for some |x| up to {float(x.max()):.3g}.",
            "Use a function of at most polynomial growth, or one with a closed form.",
        )
    half = np.where(z == 0, 0.5, 1.0) * h * root
    parts = ((right + left) * half, (right - left) * half)
    out = np.empty((len(s), terms))
    last, this = np.zeros_like(z), root
    for start in range(0, terms, _ROWS):
        rows = np.empty((min(_ROWS, terms - start), z.size))
        for i in range(len(rows)):
            rows[i] = this
            k = start + i
            last, this = this, (z * this - math.sqrt(k) * last) / math.sqrt(k + 1)
        for parity in (0, 1):  # `start` is even
            out[:, start + parity : start + len(rows) : 2] = parts[parity] @ rows[parity::2].T
    return out


@dataclass(frozen=True, eq=False)
class Mehler:
    r"""The series of products p_k = a_k(q₁)a_k(q₂) and what follows from it.

    Attributes
    ----------
    even, odd : ndarray
        p_0, p_2, p_4, ... and p_1, p_3, p_5, ...

    Notes
    -----
    All methods take angles in [0, π], shape (n,), float64. `gap` and `remainder` have relative accuracy 1e-15 for
    q₁ = q₂ at all angles; sums with powers of ρ < 0 have absolute accuracy 1e-16 of their value at ρ = 1.
    """

    even: FloatArray
    odd: FloatArray

    @classmethod
    def of(cls, a: FloatArray, b: FloatArray) -> Mehler:
        """The series of p_k = a_k b_k."""
        p = a * b
        return cls(p[0::2], p[1::2])

    def value(self, rho: Any, xp: Any = np) -> Any:
        """Σ p_k ρ^k."""
        x = rho * rho
        return power_sum(self.even, x, xp) + rho * power_sum(self.odd, x, xp)

    def slope(self, rho: Any, xp: Any = np) -> Any:
        """Σ k p_k ρ^{k-1}."""
        x = rho * rho
        even, odd = self._orders
        return rho * power_sum((even * self.even)[1:], x, xp) + power_sum(odd * self.odd, x, xp)

    def curvature(self, rho: Any, xp: Any = np) -> Any:
        """Σ k(k-1) p_k ρ^{k-2}."""
        x = rho * rho
        even, odd = self._orders
        first, second = (even * (even - 1) * self.even)[1:], (odd * (odd - 1) * self.odd)[1:]
        return power_sum(first, x, xp) + rho * power_sum(second, x, xp)

    def moment(self, order: int) -> float:
        """Σ k!/(k-m)! p_k, m = `order`."""
        even, odd = self._orders
        total = 0.0
        for k, p in ((even, self.even), (odd, self.odd)):
            falling = np.prod([k - i for i in range(order)], axis=0) if order else np.ones_like(k)
            total += float(np.sum(np.where(k >= order, falling, 0.0) * p))
        return total

    def gap(self, theta: FloatArray) -> FloatArray:
        """Σ p_k (1 - cos^k θ)."""
        r, fall, x, sin2 = _coordinates(theta)
        even = sin2 * power_sum(_tails(self.even), x)
        odd = fall * self.odd.sum() + r * sin2 * power_sum(_tails(self.odd), x)
        return np.asarray(np.where(theta <= math.pi / 2, even + odd, even + (2 * self.odd.sum() - odd)))

    def remainder(self, theta: FloatArray) -> FloatArray:
        """Σ p_k (k(1 - cos θ) - (1 - cos^k θ))."""
        r, fall, x, sin2 = _coordinates(theta)
        e, o = _tails(self.even), _tails(self.odd)
        e_sum, o_sum = power_sum(e, x), power_sum(o, x)
        out = np.empty_like(theta)
        acute = theta <= math.pi / 2
        r1, f1, x1 = r[acute], fall[acute], x[acute]
        even = e.sum() + (1 + r1) ** 2 * power_sum(_tails(e), x1)
        odd = 2 * (1 + r1) * power_sum(_tails(o), x1) + (2 + r1) * o_sum[acute]
        out[acute] = f1**2 * (even + odd)
        back = ~acute
        even = (1 + r[back]) * (2 * e.sum() - fall[back] * e_sum[back])
        odd = 2 * (1 + r[back]) * o.sum() + r[back] * sin2[back] * o_sum[back]
        out[back] = even + odd
        return out

    @property
    def _orders(self) -> tuple[FloatArray, FloatArray]:
        """k of the even and of the odd products."""
        k = np.arange(2 * max(len(self.even), len(self.odd)), dtype=np.float64)
        return k[0::2][: len(self.even)], k[1::2][: len(self.odd)]


def _coordinates(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """r = |cos θ|, 1 - r, r² and sin²θ = 1 - r², each with relative accuracy."""
    near, far = np.sin(theta / 2) ** 2, np.cos(theta / 2) ** 2
    r = np.abs(np.cos(theta))
    return r, 2 * np.minimum(near, far), r**2, 4 * near * far


def _tails(p: FloatArray) -> FloatArray:
    """T_j = Σ_{m > j} p_m, for j = 0, 1, ...; summed from the small end."""
    return np.cumsum(p[::-1])[::-1][1:]


def power_sum(c: FloatArray, x: Any, xp: Any = np) -> Any:
    """Σ_j c_j x^j for 0 ≤ |x| ≤ 1, coefficients that do not count at x = 1 left out.

    √J powers of x are multiplied by a matrix of coefficients, then come √J steps of Horner's rule with the next power
    (Paterson & Stockmeyer 1973): the sums of many terms run in compiled code. Arrays of any shape, numpy or tensors.
    """
    c = _trimmed(c)
    if len(c) == 0:
        return xp.zeros_like(x)
    block = max(1, math.isqrt(len(c) - 1) + 1)
    rows = -(-len(c) // block)
    table = np.zeros((rows, block))
    table.reshape(-1)[: len(c)] = c
    flat = xp.reshape(x, (-1,))
    size = flat.shape[0]
    coefficients = table if xp is np else xp.asarray(table, dtype=flat.dtype, device=flat.device)
    pieces = [_paterson(coefficients, flat[i : i + _BLOCK], xp) for i in range(0, size, _BLOCK)]
    whole = pieces[0] if len(pieces) == 1 else xp.concat(pieces) if pieces else flat
    return xp.reshape(whole, x.shape)


def _paterson(table: Any, x: Any, xp: Any) -> Any:
    rows, block = table.shape
    powers = [xp.ones_like(x)]
    for _ in range(block):
        powers.append(powers[-1] * x)
    inner, step = table @ xp.stack(powers[:block]), powers[block]
    out = inner[rows - 1]
    for i in range(rows - 2, -1, -1):
        out = out * step + inner[i]
    return out


def _trimmed(c: FloatArray) -> FloatArray:
    size = np.abs(c)
    beyond = np.cumsum(size[::-1])[::-1]
    return c[: np.count_nonzero(beyond > _TAIL * beyond[0])] if len(c) else c
