r"""An activation from a user's own Python function, known only by its values.

    φ ≈ polynomials on panels  →  φ', φ''  →  E φ(u)φ(v) and all the rest by quadrature split at the kinks

The function is called on arrays; kinks are found (`kink_search`), reported and used as ends of panels. What cannot be
treated is refused: a function that jumps, that grows as fast as e^{x²}, that is constant, or that returns NaN.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..errors import DomainError, ValidityWarning
from ..gaussian.arguments import as_float, entries, shown
from ..gaussian.kink_split import REACH, kink_split_rule
from ..gaussian.piecewise_chebyshev import PiecewiseChebyshev, fit_panels
from ..result import FloatArray
from .kink_search import Knot, find_knots, noise_level, starting_panels
from .knots import check_name
from .piecewise_smooth import PiecewiseSmooth

SPAN = (-100.0, 100.0)
_LARGEST = 1e150  # squares stay within float64
_SMALLEST = 1e-140
_RINGS = 13  # around a singularity, each half as wide as the one before, down to 1e-5: a hundred of the finest panels
_GROWTH = 0.01  # of ∫ φ'² with the last of them
_LASTING = 0.97  # their ratio; |x|^p has 2^(1-2p)
_TOLD = 1e-10  # errors above are worth a warning
_FINEST = 1e-7
_ROUGH = 1e-4


def from_callable(
    function: Callable[[Any], Any],
    name: str | None = None,
    *,
    slope: Callable[[Any], Any] | None = None,
    knots: Sequence[float] | None = None,
    span: tuple[float, float] = SPAN,
) -> PiecewiseSmooth:
    r"""The activation φ(x) = `function`(x), with its kinks found and its accuracy estimated.

    Parameters
    ----------
    function : callable
        φ, continuous; must take a numpy array of any shape and return one of that shape. Where the activation is
        applied to a tensor, the function is called with that tensor.
    name : str, optional
        How results call it; the function's own name if None.
    slope : callable, optional
        φ', the same way. If None it is the derivative of the polynomials that represent φ.
    knots : sequence of float, optional
        Kinks that are known; no warning is given for them. Others are searched for all the same.
    span : tuple of float
        φ is represented between these two points; variances up to about (span/11)² can be asked for.

    Returns
    -------
    PiecewiseSmooth
        Its attribute `error` estimates the relative error of E φ² and E φ'² at variance 1.

    Raises
    ------
    DomainError
        The function does not take arrays, returns another shape, complex numbers, NaN or a constant, depends on the
        other entries of an array, jumps, or grows too fast for E φ² at variance 1; the slope is not its derivative;
        knots or span are not finite numbers.

    Warns
    -----
    ValidityWarning
        A kink was found that was not in `knots` (C''(1) is infinite then), or `error` exceeds 1e-10: the function is
        computed in float32, is noisy, or is singular somewhere.

    Notes
    -----
    *Accuracy.* E φ² to 1e-14, E φ'² to 1e-13, E φ''² to 1e-10 where φ is given to rounding. Detected: jumps of φ' and
    φ'' above 1e-6 of the size of φ. Features narrower than 0.05 between sampling points can be missed.
    *Cost.* 10⁴ values of the function, some milliseconds. The first pair of a variance costs a table: for tanh without
    its slope 0.2 s at q = 0.6 and 2 s at q = 10, with its slope a third to a half of that. Where a table would take
    more than 10⁸ values (10 s), up to 64 angles are integrated one by one instead; what costs more is refused.

    References
    ----------
    Pachón, Platte & Trefethen 2010, IMA J. Numer. Anal. 30, 898 (splitting at singularities).

    Examples
    --------
    >>> swish = from_callable(lambda x: x / (1 + np.exp(-x)), "swish")
    >>> print(f"{swish.moments(1.0).second:.12f}", swish.kinks)
    0.355775519817 ()
    """
    if name is not None:
        check_name(name)
    label = name or str(getattr(function, "__name__", "callable")).replace("<lambda>", "callable")
    f = _Vectorised(function, label)
    low, high, size = _usable_span(f, span)
    known = _known(knots, low, high)
    _refuse_extremes(f, size)
    _refuse_company(f, size)
    noise = noise_level(f, low, high, size)
    if noise > _ROUGH:
        raise DomainError(
            f"The values of '{label}' scatter by {noise:.1e} of its size between points 1e-4 apart.",
            "It is random, computed in half precision, not differentiable anywhere, or turns on a scale below 1e-3.",
            "Use a function that is smooth between few kinks, computed in float32 or float64.",
        )
    _refuse_constant(f, low, high, size, noise)
    tol = max(1e-14, 8 * noise)
    found = find_knots(f, low, high, known, size, tol)
    splits = sorted({knot.x for knot in found})
    panels = np.unique([*starting_panels(low, high), *splits])
    fit = fit_panels(f, panels, tol=tol, floor=size, least=_FINEST)
    missing = _missing_slope(f, fit)
    derivative: Any = _Tabulated(fit.derivative(), (low, high), label)
    if slope is not None:
        tabulated, derivative = derivative, _Vectorised(slope, f"the slope of {label}")
        steep = _refuse_wrong_slope(derivative, tabulated, fit, label)
        fit = fit_panels(derivative, fit.edges, tol=tol, floor=steep, least=_FINEST)
    curvature = _Tabulated(fit.derivative() if slope is not None else fit.derivative().derivative(), (low, high), label)
    sharp = sorted((knot for knot in found if not knot.harmless), key=lambda knot: knot.x)
    at = {knot.x for knot in sharp}
    phi = PiecewiseSmooth(
        label,
        f,
        derivative,
        curvature,
        tuple(knot.x for knot in sharp),
        tuple(knot.jump for knot in sharp),
        tuple(x for x in fit.edges[1:-1].tolist() if x not in at),
        (low, high),
    )
    phi = replace(phi, error=max(noise, _discrepancy(phi), missing))
    _warn(phi, sharp, known, fit)
    return phi


@dataclass(frozen=True, eq=False)
class _Vectorised:
    """A user's function with its answers checked; tensors are handed through."""

    function: Callable[[Any], Any]
    label: str

    def __call__(self, x: Any) -> Any:
        if is_torch_array(x):
            return self.function(x)
        at = np.asarray(x)
        at = at if at.dtype.kind == "f" else at.astype(np.float64)
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(self.function(at))
        except Exception as error:  # whatever a user's function raises
            usual = isinstance(error, (TypeError, ValueError, AttributeError, RuntimeError))
            raise DomainError(
                f"The function '{self.label}' failed on an array ({type(error).__name__}: {error}).",
                "It takes one number at a time, as with `if x > 0` or the math module, or it takes tensors only."
                if usual
                else "An error inside the function, or it takes one number at a time.",
                "Write it with numpy (np.where, np.tanh), wrap it as np.vectorize(f, otypes=[float]), "
                "or convert: lambda x: f(torch.as_tensor(x)).numpy().",
            ) from error
        if value.shape != at.shape or value.dtype.kind not in "biuf":
            raise DomainError(
                f"The function '{self.label}' returned {value.dtype} of shape {value.shape} for shape {at.shape}.",
                "It is complex, sums over the array, or returns a constant that does not depend on the shape.",
                "Return one real number for every element, for a constant branch with np.full_like(x, value).",
            )
        wide = value.astype(np.float64)
        if np.isnan(wide).any():
            raise DomainError(
                f"The function '{self.label}' is NaN at x = {_least(at[np.isnan(wide)]):.6g}.",
                "It is not defined there (a logarithm or root of a negative number), or ∞ - ∞ was formed.",
                "Use a function of all real numbers, or a narrower span that covers the variances of interest.",
            )
        return value if at.dtype == np.float32 else wide[()]


@dataclass(frozen=True, eq=False)
class _Tabulated:
    """A derivative from the polynomials on panels; tensors are taken to the host and back."""

    series: PiecewiseChebyshev
    span: tuple[float, float]
    label: str

    def __call__(self, x: Any) -> Any:
        if is_torch_array(x):
            value = self(x.detach().cpu().numpy())
            return array_namespace(x).asarray(value, dtype=x.dtype, device=x.device)
        at = np.asarray(x, dtype=np.float64)
        if at.size and not (self.span[0] <= at.min() and at.max() <= self.span[1]):
            raise DomainError(
                f"A derivative of '{self.label}' is asked for outside {self.span}.",
                "It is known from values on that span only, or an argument is NaN.",
                "Give from_callable a wider span, or the slope.",
            )
        return self.series(at)


def _usable_span(f: _Vectorised, span: Any) -> tuple[float, float, float]:
    """The part of the span on which f is below 1e150, and max |f| on [-3, 3]."""
    ends = list(map(as_float, entries("span", span, "numbers")))
    low, high = ends if len(ends) == 2 else (math.nan, math.nan)
    if not (math.isfinite(low) and math.isfinite(high) and low <= -REACH and high >= REACH):
        raise DomainError(
            f"span = {shown(span)} is not a pair of finite numbers around [-{REACH}, {REACH}].",
            "It is too narrow for variance 1, infinite, or not a pair.",
            "Give for instance span=(-100, 100).",
        )
    x = np.unique(np.append(np.linspace(low, high, 4001), [0.0, 1.0, -1.0]))
    with np.errstate(over="ignore"):
        large = ~(np.abs(f(x)) < _LARGEST)
    if large[np.abs(x) <= REACH].any():
        raise DomainError(
            f"The function '{f.label}' is infinite or above 1e150 at x = {_least(x[large]):.6g}.",
            "It has a pole, or grows too fast for its second moment to exist.",
            "Use a function that is finite on the real line and grows more slowly than exp(x²/4).",
        )
    right, left = x[large & (x > 0)], x[large & (x < 0)]
    step = (high - low) / 4000
    high = float(right.min() - step) if right.size else high
    low = float(left.max() + step) if left.size else low
    size = float(np.abs(f(np.linspace(-3, 3, 601))).max())
    return low, high, size if size > 0 else float(np.abs(f(np.linspace(low, high, 601))).max())


def _known(knots: Sequence[float] | None, low: float, high: float) -> list[float]:
    values = sorted(set(map(as_float, () if knots is None else entries("knots", knots, "numbers"))))
    if not all(low < value < high for value in values):
        raise DomainError(
            f"knots = {shown(knots)} are not numbers inside the span ({low:g}, {high:g}).",
            "A knot is NaN, infinite or outside the span.",
            "Give the points where φ' or φ'' jumps, such as knots=(0.0,).",
        )
    return values


def _refuse_constant(f: _Vectorised, low: float, high: float, size: float, noise: float) -> None:
    value = f(np.linspace(max(low, -REACH), min(high, REACH), 2001))
    if size == 0 or np.ptp(value) <= 50 * max(noise, 1e-16) * size:
        raise DomainError(
            f"The function '{f.label}' is constant ({float(value.flat[0]):g}) on [-{REACH}, {REACH}].",
            "All inputs become the same after one layer; a threshold may lie beyond the reach of a Gaussian.",
            "Use a function that depends on its argument.",
        )


def _refuse_extremes(f: _Vectorised, size: float) -> None:
    """Refuse what is zero or next to it, and what answers differently when asked again."""
    if size < _SMALLEST:
        raise DomainError(
            f"The function '{f.label}' is at most {size:.3g} in magnitude: it is "
            + ("constant (0)." if size == 0 else "so small that its square is 0 in float64."),
            "It is zero everywhere, or is scaled by a factor near the smallest floats.",
            "Use a function with values of order 1; put scales into sigma_w of the next layer.",
        )
    x = np.linspace(-3, 3, 257)
    first, second = f(x), f(x)
    if not np.array_equal(first, second):
        worst = int(np.argmax(np.abs(first - second)))
        raise DomainError(
            f"The function '{f.label}' is noisy: the same x gave different values, {first[worst]:.6g} and "
            f"{second[worst]:.6g} at x = {x[worst]:.6g}.",
            "It draws random numbers (dropout, noise), or keeps a state between calls.",
            "Use a function of x alone; set a module to evaluation mode, fix the noise.",
        )


def _refuse_company(f: _Vectorised, size: float) -> None:
    """Refuse what makes the value at x depend on the other entries of the array."""
    x = np.linspace(-3, 3, 64)
    value = f(x)
    for where in (slice(None, None, -1), slice(5, 23), slice(None, None, 7)):
        other = f(x[where])
        if not np.allclose(other, value[where], rtol=0.0, atol=_ROUGH * size):
            worst = int(np.argmax(np.abs(other - value[where])))
            raise DomainError(
                f"The function '{f.label}' depends on more than its argument: {value[where][worst]:.6g} and "
                f"{other[worst]:.6g} at x = {x[where][worst]:.6g}, in arrays of other entries.",
                "It normalises, sorts or sums: a layer of its own, such as a softmax, and no activation.",
                "Use a function of each entry alone; normalised layers are written ln(128x10) in an architecture.",
            )


def _missing_slope(f: _Vectorised, fit: PiecewiseChebyshev) -> float:
    """The relative error of E φ'² at variance 1 by what the finest panels miss around points that stay unresolved.

    D_k = ∫ φ'² over 0.05 · 2^-k-1 < |x - t| < 0.05 · 2^-k falls geometrically where the sum exists; where it stays
    the same, as next to √|x - t|, it is refused.
    """
    if fit.resolved.all():
        return 0.0
    slope = fit.derivative()
    y, w = np.polynomial.legendre.leggauss(24)
    half = np.diff(fit.edges)[fit.resolved, None] / 2
    x = fit.edges[:-1][fit.resolved, None] + half * (1 + y)
    whole = float(np.sum(half * w * slope(x) ** 2 * np.exp(-(x**2) / 2))) / math.sqrt(2 * math.pi)
    outer = 0.05 * 0.5 ** np.arange(_RINGS)
    distance = outer[:, None] * (3 + y) / 4
    missing = 0.0
    middle = (fit.edges[:-1] + fit.edges[1:])[~fit.resolved] / 2
    for t in sorted(middle.tolist(), key=abs)[:32]:
        squares = slope(np.clip(t + distance, *fit.edges[[0, -1]])) ** 2
        squares += slope(np.clip(t - distance, *fit.edges[[0, -1]])) ** 2
        d = squares @ w * outer / 4
        ratio = float((d[-1] / max(d[-7], 1e-300)) ** (1 / 6))
        if ratio > _LASTING and d[-1] > _GROWTH * d.sum() and d[-1] > 1e-4 * whole:
            raise DomainError(
                f"E φ'² of '{f.label}' is infinite: ∫ φ'² around x = {t:.6g} grows by {d[-1] / d.sum():.1%} with every "
                "halving of the distance to it.",
                "The function has a vertical tangent there, as √|x| has at 0.",
                "Use a function whose slope is square integrable; √(|x| + 0.01) has the same shape from afar.",
            )
        finest = d[-1] * ratio ** math.log2(outer[-1] / _FINEST) / max(1 - ratio, 1e-3)
        missing += finest * math.exp(-(t**2) / 2) / math.sqrt(2 * math.pi) / whole
    return missing


def _refuse_wrong_slope(slope: _Vectorised, tabulated: _Tabulated, fit: PiecewiseChebyshev, label: str) -> float:
    """max |φ'| on [-3, 3], once the slope agrees with the derivative of the polynomials."""
    middle = (fit.edges[1:] + fit.edges[:-1])[fit.resolved & (np.diff(fit.edges) > 1e-4)] / 2
    middle = np.append(middle[np.abs(middle) < 20], 0.7071)
    mine, theirs = tabulated(middle), slope(middle)
    steep = float(np.abs(tabulated(np.linspace(-3, 3, 601))).max())
    worst = int(np.argmax(np.abs(mine - theirs) / (np.abs(mine) + steep)))
    x, right, wrong = middle[worst], mine[worst], theirs[worst]
    if not abs(right - wrong) <= 1e-4 * (abs(right) + steep):
        raise DomainError(
            f"The slope of '{label}' at {x:.6g} is {wrong:.6g}; from the values of φ it is {right:.6g}.",
            "The slope belongs to another function, or a factor is missing.",
            "Correct the slope, or leave it out: it is then computed.",
        )
    return steep


def _discrepancy(phi: PiecewiseSmooth) -> float:
    """Relative change of E φ² when every panel is halved, and how far E φ' is from E z φ (Stein); at variance 1."""
    moments = phi.moments(1.0)
    edges = np.array(sorted({*phi.knots, *phi.breaks}))
    finer = np.concatenate([edges, (edges[1:] + edges[:-1]) / 2, np.linspace(-REACH, REACH, 17)])
    reach = float(np.nanmax(np.append(phi._reach(np.ones(1), 2), REACH)))
    z, w = kink_split_rule(1.0, tuple(finer), reach=reach)
    f, g = phi._f(z), phi._g(z)
    stein = abs(np.sum(w * g) - np.sum(w * z * f)) / math.sqrt(moments.slope_second)
    return max(abs(float(np.sum(w * f**2)) / float(moments.second) - 1), float(stein))


def _warn(phi: PiecewiseSmooth, sharp: list[Knot], known: list[float], fit: PiecewiseChebyshev) -> None:
    kinks = [knot for knot in sharp if knot.jump and knot.x not in known]
    if kinks:
        shown = ", ".join(f"x = {knot.x:.10g} (φ' jumps by {knot.jump:.4g})" for knot in kinks[:5])
        more = f" and {len(kinks) - 5} more" if len(kinks) > 5 else ""
        warnings.warn(
            f"The function '{phi.name}' has a kink at {shown}{more}. Quadrature is split there and stays exact, but "
            f"C''(1) is infinite and correlations approach 1 as 1/l². Give knots=... if this is known.",
            ValidityWarning,
            stacklevel=3,
        )
    if phi.error > _TOLD:
        rough = fit.edges[:-1][~fit.resolved]
        where = f", and is not resolved near x = {_least(rough):.6g}" if rough.size else ""
        warnings.warn(
            f"Expectations of '{phi.name}' have a relative error of about {phi.error:.1e}: the function is "
            f"noisy (float32?) or rough{where}.",
            ValidityWarning,
            stacklevel=3,
        )


def _least(x: FloatArray) -> float:
    """The element closest to 0."""
    return float(x[np.argmin(np.abs(x))])
