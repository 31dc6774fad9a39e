r"""What pictures of a clipped design show: V with and without the clip, V' and V'' against the level, escapes.

Results that `gpdeep.plots` draws and nothing that is not in `design`, `clipping` and `escape_probability`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DomainError, InfeasibleError
from ..finite.checks import check_widths
from ..gaussian.arguments import as_floats, shown, whole
from ..meanfield.fixed_point import FixedPoint
from ..result import FloatArray, IntArray, Result, render_table
from .clipping import clip_curvature, clip_slope
from .design_result import Design
from .escape import escape_probability
from .families import ThresholdFamily, edge_layer, family
from .thresholds import threshold

_POINTS = 241
_WIDTHS = np.unique(np.geomspace(30, 3000, 25).round().astype(np.int64)).tolist()
_SPREAD = 30.0  # fixed points further apart than this take logarithmic axes
_LEVELS = (0.02, 4.0)  # in units of √q*


@dataclass(frozen=True, kw_only=True, eq=False)
class VarianceCurves(Result):
    """What `variance_curves` answers.

    Attributes
    ----------
    activation, unclipped_activation : str
        Names; the second is empty for a family of one's own, and where there is no edge of chaos without the clip.
    q, clipped, unclipped : ndarray, shape (M,)
        Variances, V(q) of the design, and V(q) of the same activation without the clip on its own edge of chaos at
        the same q* (NaN where there is none).
    fixed_points : tuple of FixedPoint
        Of the design.
    q_star : float
    """

    activation: str
    unclipped_activation: str
    q: FloatArray
    clipped: FloatArray
    unclipped: FloatArray
    fixed_points: tuple[FixedPoint, ...]
    q_star: float

    def __str__(self) -> str:
        rows = [
            [f"{self.q[k]:.4g}", f"{self.clipped[k]:.6g}", f"{self.unclipped[k]:.6g}"]
            for k in range(0, len(self.q), 20)
        ]
        return render_table(f"variance maps of {self.activation}", ["q", "V clipped", "V unclipped"], rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipCurves(Result):
    """What `clip_curves` answers.

    Attributes
    ----------
    kind : str
    sparsity : ndarray, shape (S,)
    m : ndarray, shape (M,)
        Clip levels in units of √q*.
    slope, curvature : ndarray, shape (S, M)
        V'(q*) and q* V''(q*) on the edge of chaos.
    """

    kind: str
    sparsity: FloatArray
    m: FloatArray
    slope: FloatArray
    curvature: FloatArray

    def __str__(self) -> str:
        columns = ["m", *(f"V' at {s:g}" for s in self.sparsity), *(f"V'' at {s:g}" for s in self.sparsity)]
        rows = [
            [f"{self.m[k]:.4g}", *(f"{v:.6g}" for v in (*self.slope[:, k], *self.curvature[:, k]))]
            for k in range(0, len(self.m), 20)
        ]
        return render_table(f"{self.kind}: slope and curvature against the clip level", columns, rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class EscapeCurve(Result):
    """What `escape_curve` answers.

    Attributes
    ----------
    activation : str
    depth : int
    threshold, p_fail : float
        What counts as an escape, and which probability of it is tolerated.
    width : ndarray of int, shape (W,)
    probability, error : ndarray, shape (W,)
        P(escape within the depth) and its estimated error.
    """

    activation: str
    depth: int
    threshold: float
    p_fail: float
    width: IntArray
    probability: FloatArray
    error: FloatArray

    def __str__(self) -> str:
        title = f"{self.activation}, {self.depth} layers: P(variance > {self.threshold:.4g})"
        rows = [[str(n), f"{p:.4g}"] for n, p in zip(self.width.tolist(), self.probability.tolist(), strict=True)]
        return render_table(title, ["width", "escaped"], rows)


def variance_curves(design: Design) -> VarianceCurves:
    """V of a design and of its activation without the clip, against q.

    Parameters
    ----------
    design : Design

    Returns
    -------
    VarianceCurves
        From 0 to beyond the last fixed point, or to three times q*; from q*/4 on, evenly spaced in the logarithm, where
        that is far away.

    Examples
    --------
    >>> from gpdeep.sparse import design
    >>> curves = variance_curves(design("crelu", 0.9, slope=0.9))
    >>> bool((curves.unclipped >= curves.q * (1 - 1e-12)).all()), bool((curves.clipped >= curves.q).all())
    (True, False)
    """
    _require(design)
    top = max([3 * design.q_star, *(1.3 * point.q for point in design.fixed_points)])
    if top > _SPREAD * design.q_star:
        q = np.geomspace(design.q_star / 4, top, _POINTS)
    else:
        q = np.linspace(top / 1000, top, _POINTS)
    members = family(design.options["family"], design.tau) if design.tau is not None else None
    name, unclipped = "", np.full(_POINTS, np.nan)
    if isinstance(members, ThresholdFamily):
        with contextlib.suppress(InfeasibleError):  # for τ < 0 there is no edge of chaos without the clip
            bare = edge_layer(members.unclipped, design.q_star)
            name, unclipped = members.unclipped.name, np.asarray(bare(q))
    return VarianceCurves(
        activation=design.activation,
        unclipped_activation=name,
        q=q,
        clipped=np.asarray(design.layer(q)),
        unclipped=unclipped,
        fixed_points=design.fixed_points,
        q_star=design.q_star,
    )


def clip_curves(kind: str, sparsity: float | Sequence[float]) -> ClipCurves:
    """Slope and curvature of the variance map at q* against the clip level, for several sparsities.

    Parameters
    ----------
    kind : str
        ``crelu`` or ``cst``.
    sparsity : float or sequence of float
        Fractions of exact zeros.

    Returns
    -------
    ClipCurves

    Raises
    ------
    DomainError, InfeasibleError
        As `threshold`; or there is no sparsity.

    Examples
    --------
    >>> curves = clip_curves("crelu", [0.8, 0.9])
    >>> curves.slope.shape, bool((np.diff(curves.slope) > 0).all())
    ((2, 241), True)
    """
    family(kind)
    given = as_floats(sparsity)
    if given is None or given.ndim > 1:
        raise DomainError(
            f"sparsity is {shown(sparsity)}.",
            "Text, a truth value, a table or a ragged list was given.",
            "Give one number between 0 and 1, or a list of them.",
        )
    each = np.atleast_1d(given).tolist()
    h = [threshold(kind, s) for s in each]
    if not h:
        raise DomainError("There is no sparsity.", "The list is empty.", "Give one or several numbers.")
    m = np.geomspace(*_LEVELS, _POINTS)
    return ClipCurves(
        kind=kind,
        sparsity=np.array(each, dtype=np.float64),
        m=m,
        slope=np.array([[clip_slope(x, mu) for mu in m.tolist()] for x in h]),
        curvature=np.array([[clip_curvature(x, mu) for mu in m.tolist()] for x in h]),
    )


def escape_curve(design: Design, depth: int, widths: Sequence[int] | None = None) -> EscapeCurve:
    """The probability of escape against the width.

    Parameters
    ----------
    design : Design
    depth : int
        L.
    widths : sequence of int, optional
        Default 25 from 30 to 3000.

    Returns
    -------
    EscapeCurve

    Raises
    ------
    DomainError
        An argument is out of range.

    Examples
    --------
    >>> from gpdeep.sparse import design
    >>> curve = escape_curve(design("cst", 0.8, slope=0.8), 50, [50, 100, 200])
    >>> bool((np.diff(curve.probability) < 0).all())
    True
    """
    _require(design)
    layers = whole("depth", depth, 1, 10**5)
    chosen = check_widths(_WIDTHS if widths is None else widths)
    found = [
        escape_probability(
            design.phi,
            sigma_w=design.sigma_w,
            sigma_b=design.sigma_b,
            width=n,
            depth=layers,
            threshold=design.escape_threshold,
            q=design.q_star,
            law=design.options["law"],
        )
        for n in chosen.tolist()
    ]
    return EscapeCurve(
        activation=design.activation,
        depth=layers,
        threshold=design.escape_threshold,
        p_fail=design.options["p_fail"],
        width=chosen,
        probability=np.array([one.probability[-1] for one in found]),
        error=np.array([one.error for one in found]),
    )


def _require(design: Design) -> None:
    if not isinstance(design, Design):
        raise DomainError(
            f"The design is {shown(design, 200)}.", "It is something else.", "Give what gpdeep.sparse.design returns."
        )
