r"""Where a function that is only known by its values is not smooth.

The function is fitted by polynomials on panels that are halved until they resolve it; a panel that stays unresolved at
width 2e-3 holds a knot. Polynomials L and R of degree 8 fitted on either side of it tell which kind, from D = R - L:

    D ≠ 0: φ jumps  |  D(t) = 0 ≠ D'(t): a kink, at the zero of D  |  D'(t) = 0 ≠ D''(t): φ'' jumps, at the zero of D'

so a kink of size c is found to rounding/c, as a crossing of two smooth curves, not by bisection of noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DomainError
from ..gaussian.piecewise_chebyshev import fit_panels, panel_nodes
from ..result import FloatArray

Function = Callable[[FloatArray], FloatArray]
WIDTH = 2e-3  # of a panel that is taken to hold a knot
MANY = 256
SAME = 1e-9  # knots closer than this are one
_DEGREE = 8
_SIDE = 0.05
_WIDER = (0.25, 0.1, 0.05, 0.02, 0.005)  # where the knot is known, the widest side that its polynomial resolves
_SHIFT = 0.13782460  # the panels begin where no one puts a kink
_GOLDEN = 0.6180339887498949
_SMALL = 1e-6  # jumps of derivatives below this part of the size of φ are not told from rounding


@dataclass(frozen=True)
class Knot:
    """A point x with the jumps of φ' and φ'' there."""

    x: float
    jump: float
    bend: float

    @property
    def harmless(self) -> bool:
        """Whether neither φ' nor φ'' jumps."""
        return self.jump == 0 and self.bend == 0


def starting_panels(low: float, high: float, shift: float = _SHIFT) -> FloatArray:
    """Ends of panels on [low, high]: 2 wide near 0, twice as wide from one to the next further out."""
    near = np.arange(-12, 13, 2) + shift
    far = 12 * 2.0 ** np.arange(1, 60)
    inner = np.concatenate([-far[::-1] + shift, near, far + shift])
    return np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]])


def noise_level(f: Function, low: float, high: float, size: float) -> float:
    """Relative rounding noise of f, from differences of order 8 at 48 places (Hamming 1973, ch. 6).

    A smooth f leaves h⁸ f⁽⁸⁾ in them, 1e-32 at h = 1e-4; noise of variance σ² leaves C(16, 8) σ².
    """
    low, high = max(low, -6.0), min(high, 6.0)
    at = low + (high - low - 1e-3) * ((np.arange(48) * _GOLDEN) % 1)
    difference = np.diff(f(at[:, None] + 1e-4 * np.arange(9)), n=8, axis=1)[:, 0]
    return float(np.quantile(np.abs(difference), 0.75)) / math.sqrt(math.comb(16, 8)) / size


def find_knots(f: Function, low: float, high: float, given: Sequence[float], size: float, tol: float) -> list[Knot]:
    """All knots of f between `low` and `high`, the `given` ones included; `size` is the magnitude of f.

    Raises
    ------
    DomainError
        f itself jumps, or is rough at more than 256 places.
    """
    known = [t for t in given if low < t < high]
    least = max(WIDTH, 5e4 * tol)  # noise hides a kink on narrow panels: it bends them by c · width/1000
    unresolved: list[tuple[float, float]] = []
    # twice: a kink closer to the end of a panel than its outermost node, 0.0014 of its width, is not seen there
    for shift in (_SHIFT, _SHIFT + _GOLDEN):
        fit = fit_panels(f, starting_panels(low, high, shift), tol=tol, floor=size, least=least)
        unresolved += zip(fit.edges[:-1][~fit.resolved].tolist(), fit.edges[1:][~fit.resolved].tolist(), strict=True)
    groups = _joined(unresolved, least / 4)
    if len(groups) > MANY:
        raise DomainError(
            f"The function is not smooth at {len(groups)} places or more between {low:g} and {high:g}.",
            "It is rough or noisy everywhere, or has many kinks in a span wider than needed.",
            "Give a narrower span, such as span=(-20, 20), or a function that is smooth between few kinks.",
        )
    # the search does not look at the given knots: where it finds a kink beside one, that was given inexactly
    alone = [t for t in known if all(t < a - least / 4 or t > b + least / 4 for a, b in groups)]
    around = sorted([*groups, *((t, t) for t in alone)])
    limits = [low, *(x for group in around for x in group), high]
    knots = []
    for k in sorted(range(len(around)), key=lambda k: abs(around[k][0])):  # complain about the one nearest to 0
        (a, b), below, above = around[k], limits[2 * k], limits[2 * k + 3]
        left, right = _side(f, a, max(below, a - _SIDE)), _side(f, b, min(above, b + _SIDE))
        if left is None or right is None:
            continue
        t = a
        if b > a:
            crossing = _crossing(f, a, b, left, right, size, tol)
            if crossing is None:
                continue
            t = next((x for x in known if abs(x - crossing) <= SAME * max(1.0, abs(x))), crossing)
        left, right = _resolving_side(f, t, below, size, tol), _resolving_side(f, t, above, size, tol)
        if left is not None and right is not None:
            knots.append(_jumps(t, left, right, size, tol))
    return knots


def _joined(intervals: list[tuple[float, float]], distance: float) -> list[tuple[float, float]]:
    """The intervals in order, those that overlap or are close to each other as one."""
    groups: list[tuple[float, float]] = []
    for a, b in sorted(intervals):
        if groups and a <= groups[-1][1] + distance:
            groups[-1] = (groups[-1][0], max(b, groups[-1][1]))
        else:
            groups.append((a, b))
    return groups


def _side(f: Function, end: float, other: float, degree: int = _DEGREE) -> np.polynomial.Polynomial | None:
    """The polynomial of f between `end` and `other`, in powers of x - end; None where there is no room."""
    if abs(other - end) < 1e-9:
        return None
    width = abs(other - end)
    low, high = sorted([0.0, (other - end) / width])
    y = panel_nodes(np.array([low]), np.array([high]), degree)[0]
    series = np.polynomial.Chebyshev.fit(y, f(end + width * y), degree, domain=[low, high])
    coefficients = np.zeros(degree + 1)  # the conversion trims zeros at the end
    power = series.convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1]).coef
    coefficients[: len(power)] = power
    return np.polynomial.Polynomial(coefficients / width ** np.arange(degree + 1))


def _resolving_side(f: Function, t: float, limit: float, size: float, tol: float) -> np.polynomial.Polynomial | None:
    """The polynomial of degree 12 of f on the widest side of t that it resolves: the least noise in its slope."""
    side = None
    for width in _WIDER:
        other = min(limit, t + width) if limit > t else max(limit, t - width)
        side = _side(f, t, other, 12)
        if side is None:
            return None
        at = t + (other - t) * np.array([0.013, 0.37, 0.81])
        if np.abs(side(at - t) - f(at)).max() <= 10 * tol * max(size, float(np.abs(f(at)).max())):
            return side
    return side


def _crossing(
    f: Function,
    a: float,
    b: float,
    left: np.polynomial.Polynomial,
    right: np.polynomial.Polynomial,
    size: float,
    tol: float,
) -> float | None:
    """Where f changes from `left` (powers of x - a) to `right` (of x - b); None where it is steep or singular."""

    def gap(t: float, order: int = 0) -> float:
        if order == 0:
            return float(right(t - b) - left(t - a))
        return float(right.deriv(order)(t - b) - left.deriv(order)(t - a))

    low, high = a, b
    while high - low > 4 * np.finfo(np.float64).eps * max(abs(low), abs(high), 1e-3):
        t = (low + high) / 2
        value = float(f(np.array([t]))[0])
        belongs_left = abs(value - left(t - a)) <= abs(value - right(t - b))
        low, high = (t, high) if belongs_left else (low, t)
    t = (low + high) / 2
    near = 1e-12 * max(1.0, abs(t))
    step = float(np.subtract(*f(np.array([t + near, t - near]))))
    size = max(size, abs(float(left(t - a))))
    small = max(1e-9, 100 * tol) * size  # polynomials continued by a tenth of their width err by 20 times the noise
    if abs(gap(t)) > small:
        if abs(step) < abs(gap(t)) / 2:
            return None
        raise _discontinuous(step, t)

    def refined(t: float, order: int) -> float:
        for _ in range(4):
            t -= gap(t, order - 1) / (gap(t, order) or math.inf)
        return t

    bend = refined(t, 2)
    if a <= bend <= b and abs(gap(bend)) <= max(1e-12, 10 * tol) * size and abs(gap(bend, 2)) > _SMALL * size:
        t = bend
    elif abs(gap(t, 1)) > max(_SMALL, 1e3 * tol) * size:
        kink = refined(t, 1)
        t = kink if a <= kink <= b else t
    return round(t, 9) + 0.0 if abs(t - round(t, 9)) < 1e-12 * max(1.0, abs(t)) else t


def _jumps(t: float, left: np.polynomial.Polynomial, right: np.polynomial.Polynomial, size: float, tol: float) -> Knot:
    """The knot at t, between polynomials in powers of x - t."""
    value, slope, bend = (float(k * (right.coef[n] - left.coef[n])) for n, k in ((0, 1), (1, 1), (2, 2)))
    size = max(size, abs(float(left.coef[0])))
    if abs(value) > max(1e-8, 100 * tol) * size:
        raise _discontinuous(value, t)
    threshold = max(_SMALL, 1e3 * tol) * size
    kinked = abs(slope) > threshold
    return Knot(t, slope if kinked else 0.0, bend if kinked or abs(bend) > 100 * threshold else 0.0)


def _discontinuous(step: float, t: float) -> DomainError:
    return DomainError(
        f"The function jumps by {step:.3g} at x = {t:.12g}.",
        "It is a step or has a pole; E φ' φ' is infinite there and no theory in gpdeep holds.",
        "Use a continuous function. One as steep as tanh(50 x) is fine; steeper than some 1,000 is slow, or refused.",
    )
