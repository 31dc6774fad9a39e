r"""Where a path keeps few dimensions, and how many: a bottleneck read from energy, weights and cost of identity.

    r_H = -2H/L̃                                 from the energy, by the median over nodes or layers
    r_W = #{i : σ_i(W/L̃) > 0.1 max(σ_1, 1)}     from the weights, by the median in p over the interval below
    r_S = 2 dS*/dL̃                              from actions at two depths; equals r_H, and is only reported

In natural time 2h = |v|²_K - COI, so r_H is COI where the path rests: the number k* of dimensions kept. As L̃ grows, r_H
rises to k* from below, the least COI_γ falls to it from above, and W/L̃ has k* singular values near 1 while the others
vanish. At small L̃ kinetic energy dominates, r_H is negative and no rank. The verdict is k* = round(r_H) where

    |r_H - r_W| < 0.3,      r_H ≤ min COI_γ + 0.1,      and the path solves its equations,

and "no bottleneck at this effective depth" otherwise. The interval is the longest where COI_γ < min COI_γ + 0.5.

Which γ. Two curves are computed, γ = 1e-2 and 1e-4 times the largest eigenvalue of K at each node (and the path's own γ
where that is larger). A dimension of eigenvalue λ counts λ/(λ + γ) in COI_γ. The bias makes the largest eigenvalue
large, so the coarse curve undershoots: to 1.60 on a path of rank 2 with r_H = 1.985. There r_H ≤ min COI_γ would fail
for a reason that is no property of the path, so condition and interval use the fine curve, which is 1.998. It still
ignores what is below 1 % in amplitude; γ = 0 would not, and blows up inside converged bottlenecks. On a path with γ = 0
energy conservation gives r_H ≤ COI_γ + γ|B|² for every γ > 0, so a converged path that violates the second condition is
carried by directions below 1 %. A wide gap between both minima says that small directions matter to the reading.

r_W counts from 0.1 max(σ_1, 1), not 0.1 σ_1, so that a path which passes nothing has rank 0 and not 1; kept dimensions
have σ near 1. The median serves where energies of layers are given, whose largest steps, at both ends, err most.

Jacot & Kaiser 2024, arXiv:2405.17573, for r_H and COI; the rule is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import real
from ..result import FloatArray, IntArray
from .checks import check_effective_depth, check_geometry, check_matrices, check_numbers, check_pair
from .geometry import Geometry
from .row_space import RowSpace

COARSE, FINE = 1e-2, 1e-4  # γ, in units of the largest eigenvalue of K
AGREE, ABOVE, WITHIN, LARGE = 0.3, 0.1, 0.5, 0.1
SOLVED = 1e-2  # of the stationarity residual: beyond, energies of a network mean nothing


@dataclass(frozen=True)
class Bottleneck:
    """Where a path keeps few dimensions, or why it does not.

    Attributes
    ----------
    rank : int or None
        k*, the number of dimensions kept; None without a bottleneck. 0: nothing but the bias passes the middle.
    start, end : float or None
        The interval of p with COI_γ below its minimum + 0.5; None without a bottleneck. An end at the first or last
        node means that the representation is as narrow there.
    reason : str
        The numbers behind the verdict.
    r_H : float
        -2H/L̃, median over nodes or layers.
    r_H_spread : float
        Its standard deviation over them.
    r_W : int
        Singular values of W/L̃ above 0.1 max(σ_1, 1), the median in p over the interval.
    r_S : float or None
        2 dS*/dL̃, where it was given.
    coi_coarse, coi_fine : float
        The least COI_γ over the nodes, with γ = 1e-2 and 1e-4 times the largest eigenvalue of K.
    """

    rank: int | None
    start: float | None
    end: float | None
    reason: str
    r_H: float
    r_H_spread: float
    r_W: int
    r_S: float | None
    coi_coarse: float
    coi_fine: float


def read_bottleneck(
    p: Any,
    A: Any,
    B: Any,
    effective_depth: float,
    *,
    activation: Any = "relu",
    bias: float = 1.0,
    gamma: float = 0.0,
    hamiltonian: Any = None,
    weights: Any = None,
    residual: float = 0.0,
    action_slope: float | None = None,
) -> Bottleneck:
    r"""Rank and place of the bottleneck of a path or of a trained network, or the reason why there is none.

    Parameters
    ----------
    p : array_like, shape (P,)
        Increasing, in [0, 1].
    A, B : array_like, shape (P, w, N)
        Representations and momenta at p. Of a trained network give A_{l-1} and B_l, layer by layer l = 1..L.
    effective_depth : float
        L̃.
    activation, bias, gamma
        As `kernel`; γ is the one the path was made with.
    hamiltonian : float or array_like, optional
        H, or its value in each layer (p-time); of a network preferably the corrected energies, which fluctuate by the
        square of the step only. Default: H(A, B) at the nodes.
    weights : array_like, shape (P, w, w + 1), optional
        W of a network that is not quite stationary. Default: L̃ B Sg(A)ᵀ.
    residual : float
        The stationarity residual of the path or network, relative; above 1e-2 nothing is read.
    action_slope : float, optional
        dS*/dL̃, from two depths; reported as r_S = 2 dS*/dL̃.

    Returns
    -------
    Bottleneck

    Raises
    ------
    DomainError
        An argument is out of range, or not what its name says.

    Notes
    -----
    One singular value decomposition of w + 1 by N a node.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    One sample that shrinks from 2 to 0.5 without bias, A = 2^{1-2p}, keeps its one dimension everywhere:

    >>> p, L = np.linspace(0, 1, 9), 7.0
    >>> A = 2.0 ** (1 - 2 * p)[:, None, None]
    >>> found = read_bottleneck(p, A, (1 - 2 * np.log(2) / L) / A, L, bias=0.0)
    >>> found.rank, found.start, found.end, round(found.r_H, 3)
    (1, 0.0, 1.0, 0.961)

    At a depth of 1 it moves too fast to say so:

    >>> print(read_bottleneck(p, A, (1 - 2 * np.log(2)) / A, 1.0, bias=0.0).reason)
    No bottleneck at effective depth 1: -2H/L̃ = -0.922 is negative, kinetic energy dominates.
    """
    a, b = check_pair(("A", "B"), A, B)
    depth, geometry = check_effective_depth(effective_depth), check_geometry(activation, bias, gamma)
    at = _nodes(p, a, b)
    coarse, fine = identity_curves(a, geometry)
    low, high, first, last = _narrow(at, fine)
    inside = slice(first, last + 1)
    sigma = np.linalg.svd(_weights(weights, a, b, depth, geometry)[inside], compute_uv=False)
    counts = np.count_nonzero(sigma > LARGE * np.maximum(sigma[:, :1], 1.0), axis=1)
    energies = geometry.hamiltonian(a, b) if hamiltonian is None else check_numbers("hamiltonian", hamiltonian) / depth
    r_H, r_W = float(np.median(-2 * energies)), _median(at, counts, first)
    rank, reason = verdict(
        r_H,
        r_W,
        float(fine.min()),
        effective_depth=depth,
        residual=real("residual", residual, -1e-300, math.inf, _RESIDUAL),
    )
    if rank is not None and (low, high) == (at[0], at[-1]):
        reason += " The representation is as narrow everywhere."
    slope = None if action_slope is None else 2 * real("action_slope", action_slope, -math.inf, math.inf, "dS*/dL̃")
    return Bottleneck(
        rank=rank,
        start=None if rank is None else low,
        end=None if rank is None else high,
        reason=reason,
        r_H=r_H,
        r_H_spread=float(np.std(2 * energies)),
        r_W=r_W,
        r_S=slope,
        coi_coarse=float(coarse.min()),
        coi_fine=float(fine.min()),
    )


def verdict(
    r_H: float, r_W: int, least_coi: float, *, effective_depth: float, residual: float = 0.0
) -> tuple[int | None, str]:
    """The rank of the bottleneck and the numbers that agree, or None and which of the conditions fail.

    Parameters
    ----------
    r_H, r_W
        As in `Bottleneck`.
    least_coi : float
        min COI_γ of the fine curve.
    effective_depth, residual
        As `read_bottleneck`.

    Examples
    --------
    >>> verdict(1.72, 3, 3.13, effective_depth=7.0)[0] is None
    True
    >>> verdict(1.85, 2, 2.004, effective_depth=14.0)
    (2, 'Rank 2: -2H/L̃ = 1.85, 2 large singular values of W/L̃, least COI 2.004.')
    """
    if not residual <= SOLVED:
        failed = [
            f"the residual {residual:.3g} is above {SOLVED:g}, so the path is not stationary and H is no constant of it"
        ]
    else:
        failed = []
        if not abs(r_H - r_W) < AGREE:
            failed.append(
                f"-2H/L̃ = {r_H:.3g} is negative, kinetic energy dominates"
                if r_H < 0
                else f"-2H/L̃ = {r_H:.3g} and the {_large(r_W)} of W/L̃ differ by {AGREE:g} or more"
            )
        if not r_H <= least_coi + ABOVE:
            failed.append(
                f"-2H/L̃ = {r_H:.3g} is above the least COI {least_coi:.3g}, "
                "so features below 1 % of the largest carry the path"
            )
    if failed:
        return None, f"No bottleneck at effective depth {effective_depth:g}: {'; '.join(failed)}."
    return r_W, f"Rank {r_W}: -2H/L̃ = {r_H:.4g}, {_large(r_W)} of W/L̃, least COI {least_coi:.4g}."


def identity_curves(A: FloatArray, geometry: Geometry) -> tuple[FloatArray, FloatArray]:
    """COI_γ at every node, coarse and fine, each of shape (P,) for A of shape (P, w, N).

    γ is 1e-2 or 1e-4 times the largest eigenvalue of K at the node, and at least the path's own.

    Raises
    ------
    DomainError
        β = γ = 0 and no feature is left at a node.
    """
    curves = np.empty((2, len(A)))
    for number, M in enumerate(A):
        path = RowSpace.of(geometry.features(M))
        for curve, relative in zip(curves, (COARSE, FINE), strict=True):
            g = max(geometry.gamma, relative * float(path.top))
            if g == 0:
                raise DomainError(
                    f"All features {geometry.phi.phi.name}(A) are 0 at node {number} of the path.",
                    "Without bias and gamma no weights lead out of there: A is not a path, or bias was forgotten.",
                    "Give the bias and gamma that the path was made with.",
                )
            curve[number] = path.squared_norm(M, g)
    return curves[0], curves[1]


_RESIDUAL = "the relative stationarity residual, 0 or more"


def _large(count: int) -> str:
    return f"{count} large singular value{'' if count == 1 else 's'}"


def _narrow(p: FloatArray, coi: FloatArray) -> tuple[float, float, int, int]:
    """The longest interval of p with COI below its minimum + 0.5, linear between nodes; its first and last node."""
    level = float(coi.min()) + WITHIN
    edges = np.flatnonzero(np.diff(np.concatenate([[False], coi < level, [False]]).astype(np.int8)))
    found = []
    for first, after in edges.reshape(-1, 2).tolist():
        low, high = float(p[first]), float(p[after - 1])
        if first:
            low -= (low - float(p[first - 1])) * _share(level, coi[first], coi[first - 1])
        if after < len(p):
            high += (float(p[after]) - high) * _share(level, coi[after - 1], coi[after])
        found.append((low, high, first, after - 1))
    return max(found, key=lambda run: run[1] - run[0])


def _median(p: FloatArray, counts: IntArray, first: int) -> int:
    """The count that half of the interval from node `first` on does not exceed."""
    edges = np.concatenate([p[:1], 0.5 * (p[1:] + p[:-1]), p[-1:]])
    share = np.diff(edges)[first : first + len(counts)]
    order = np.argsort(counts, kind="stable")
    middle = np.searchsorted(np.cumsum(share[order]), 0.5 * share.sum())
    return int(counts[order][min(int(middle), len(counts) - 1)])


def _share(level: float, inside: float, outside: float) -> float:
    """How far towards `outside` the level is reached."""
    return float((level - inside) / (outside - inside)) if math.isfinite(outside) else 0.0


def _nodes(p: Any, A: FloatArray, B: FloatArray) -> FloatArray:
    at = check_numbers("p", p)
    if A.shape != B.shape or A.ndim != 3 or len(A) != len(at) or len(at) < 2:
        raise DomainError(
            f"p has shape {at.shape}, A has shape {A.shape}, B has shape {B.shape}.",
            "A path is read at two nodes or more, each with one representation and one momentum.",
            "Give p of shape (P,), and A and B of shape (P, w, N).",
        )
    if not (np.diff(at) > 0).all() or at[0] < 0 or at[-1] > 1:
        raise DomainError(
            f"p runs from {at[0]:g} to {at[-1]:g}"
            + ("." if (np.diff(at) > 0).all() else ", and not upwards throughout."),
            "Natural time t = L̃p, layer numbers or steps were given instead of p.",
            "Give increasing numbers from 0 to 1, such as the cumulated steps of the layers.",
        )
    return at


def _weights(given: Any, A: FloatArray, B: FloatArray, depth: float, geometry: Geometry) -> FloatArray:
    """W/L̃ at the nodes."""
    if given is None:
        return geometry.weights(A, B)
    W = check_matrices("weights", given)
    expected = (len(A), A.shape[1], A.shape[1] + bool(geometry.bias))
    if W.shape != expected:
        raise DomainError(
            f"weights have shape {W.shape}, and {expected} is expected.",
            "There is one matrix for each node; the bias column is the last, and missing only if bias = 0.",
            "Append the weights of the bias feature β as the last column.",
        )
    return W / depth
