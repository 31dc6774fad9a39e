"""Pictures of a path through a Leaky ResNet: its energies, spectra, shape, branches in depth, and steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..gaussian.arguments import shown
from ..result import FloatArray
from .figure import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, axes, finish, finite, require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..leaky import BranchDiagram, GeodesicResult

_TOLD_APART = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_DECADES = 1e-6  # of the largest singular value: what is shown of those that vanish
_NEGATIVE = -1.5  # a rank-like energy below says only that kinetic energy dominates
_MANY = 30  # samples from which on their lines are drawn faintly


def plot_path_energies(result: GeodesicResult, ax: Axes | None = None) -> Axes:
    r"""Cost of identity, kinetic energy and Hamiltonian along the path, in numbers of dimensions.

        -2H/L̃ = COI - |dA/dt|²,      t = L̃p

    Parameters
    ----------
    result : GeodesicResult
        From `gpdeep.leaky.geodesic`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        All in units of L̃/2, in which a kept dimension counts 1: COI_γ and the kinetic term |dA/dt|²_{K_γ} with γ 10⁻²
        of the largest eigenvalue of K, the former also with 10⁻⁴, where it differs in small directions only; and
        -2H/L̃, which is constant. Were γ 0, the difference of the first two would be the third. A curve with 10⁻⁴ that
        is high above the others leaves the picture. The bottleneck, read from that curve, is shaded.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(result, "GeodesicResult")
    ax = axes(ax)
    scale, p = 2 / result.effective_depth, result.p
    kept = result.bottleneck
    if kept.start is not None and kept.end is not None:
        label = f"bottleneck of rank {kept.rank}"
        ax.axvspan(kept.start, kept.end, color=GREY, alpha=0.12, linewidth=0, label=label)
    coarse, fine = finite(result.cost_of_identity), _fine_identity(result)
    relation = r"\geq" if result.gamma else "="
    identity = rf"cost of identity $\|A\|^2_{{K_\gamma}}$, $\gamma {relation} $"
    ax.plot(p, coarse, color=BLUE, label=rf"{identity}$10^{{-2}}\,\|K\|$")
    if fine is not None:
        ax.plot(p, fine, color=SKY, linewidth=1.2, label=rf"{identity}$10^{{-4}}\,\|K\|$")
    moving = r"kinetic $\|dA/dt\|^2_{K_\gamma}$, $t = \tilde L p$"
    ax.plot(p, finite(scale * result.kinetic), color=VERMILLION, linestyle="--", label=moving)
    energy = -scale * result.effective_depth * result.geometry.hamiltonian(result.A, result.B)
    ax.plot(p, energy, color="black", label=rf"$-2H/\tilde L = {result.rank_like:.5g}$")
    ax.axhline(0.0, color=GREY, linewidth=0.7)
    shown = np.concatenate([coarse, scale * result.kinetic, energy, [0.0]])
    shown = shown[np.isfinite(shown)]
    margin = 0.05 * float(np.ptp(shown))
    ax.set_ylim(float(shown.min()) - margin, float(shown.max()) + margin)
    _title(ax, result)
    _p_axis(ax)
    ax.set_ylabel(r"energy in units of $\tilde L/2$ (dimensions)")
    finish(ax, [], below=True, columns=2)
    return ax


def plot_path_singular_values(result: GeodesicResult, ax: Axes | None = None, *, of: Literal["A", "W"] = "A") -> Axes:
    r"""Singular values of the representation A_p, or of the weights W_p/L̃, along the path.

    Parameters
    ----------
    result : GeodesicResult
        From `gpdeep.leaky.geodesic`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    of : {"A", "W"}
        Of the representation, or of the weights in natural time.

    Returns
    -------
    Axes
        On a logarithmic axis, which leaves out what is below 10⁻⁶ of the largest; the first six in colours, the others
        in grey. Weights that keep a dimension have a singular value near 1, which is marked.

    Raises
    ------
    DomainError
        `of` is neither.
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(result, "GeodesicResult")
    if not isinstance(of, str) or of not in ("A", "W"):
        raise DomainError(
            f"of = {shown(of, 80)} is neither 'A' nor 'W'.",
            "The representation A_p and the weights W_p have singular values here.",
            "Give of='A' or of='W'.",
        )
    ax = axes(ax)
    matrices = result.A if of == "A" else result.W / result.effective_depth
    sigma = np.linalg.svd(matrices, compute_uv=False)
    top = float(sigma.max()) or 1.0
    if of == "W":
        ax.axhline(1.0, color=GREY, linewidth=1, linestyle=":", label="1: a dimension that is kept")
    for k, values in enumerate(sigma.T[: len(_TOLD_APART)]):
        ax.plot(result.p, values, color=_TOLD_APART[k], label=rf"$\sigma_{k + 1}$")
    others = sigma.T[len(_TOLD_APART) :]
    for k, values in enumerate(others):
        label = f"{len(others)} more" if k == 0 else None
        ax.plot(result.p, values, color=GREY, linewidth=0.6, alpha=0.6, label=label)
    ax.set_yscale("log")
    ax.set_ylim(max(0.5 * float(sigma.min()), _DECADES * top), 2 * top)
    _title(ax, result)
    _p_axis(ax)
    ax.set_ylabel(r"singular values of $A_p$" if of == "A" else r"singular values of $W_p/\tilde L$")
    finish(ax, [], below=True, columns=4)
    return ax


def plot_path_components(result: GeodesicResult, ax: Axes | None = None) -> Axes:
    r"""The way of every sample in the plane of the two largest principal components of the path.

    Parameters
    ----------
    result : GeodesicResult
        From `gpdeep.leaky.geodesic`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        One line a sample, from a ring to a full dot. Components are those of all samples at all p, each p weighted by
        the stretch around it, and the axes say which share of the variance they hold. Of a single neuron its value is
        drawn against p.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(result, "GeodesicResult")
    ax = axes(ax)
    x, y, names = _components(result.p, result.A)
    faint = x.shape[1] > _MANY
    for sample in range(x.shape[1]):
        colour = _TOLD_APART[sample % len(_TOLD_APART)]
        ax.plot(x[:, sample], y[:, sample], color=colour, linewidth=0.7 if faint else 1.5, alpha=0.5 if faint else 1.0)
        ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": colour, "clip_on": False}
        ring["markersize"] = 3 if faint else 6
        ax.plot(x[:1, sample], y[:1, sample], **ring, markerfacecolor="white")
        ax.plot(x[-1:, sample], y[-1:, sample], **ring)
    for face, label in (("white", "$p = 0$"), (GREY, "$p = 1$")):
        ax.plot([], [], color=GREY, marker="o", linestyle="none", markerfacecolor=face, label=label)
    if result.A.shape[1] > 1:
        ax.set_aspect("equal", adjustable="datalim")
    _title(ax, result)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    finish(ax, [f"{x.shape[1]} sample{'s' * (x.shape[1] != 1)}"], below=True, columns=3)
    return ax


def plot_branches(
    diagram: BranchDiagram, ax: Axes | None = None, *, quantity: Literal["action", "rank_like"] = "action"
) -> Axes:
    r"""Branches of critical paths against the effective depth: their action above the lowest, or -2H/L̃.

    Parameters
    ----------
    diagram : BranchDiagram
        From `gpdeep.leaky.continue_in_depth`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    quantity : {"action", "rank_like"}
        S less the lowest S at the same depth, or -2H/L̃, twice the slope of S.

    Returns
    -------
    Axes
        A line a branch: full dots where it is a minimum, rings and a dashed line where it is a saddle, a cross where it
        was lost. The six lowest at the last depth are told apart by colours. Values of -2H/L̃ far below 0, where
        kinetic energy dominates, leave the picture.

    Raises
    ------
    DomainError
        `quantity` is neither.
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(diagram, "BranchDiagram")
    if not isinstance(quantity, str) or quantity not in ("action", "rank_like"):
        raise DomainError(
            f"quantity = {shown(quantity, 80)} is neither 'action' nor 'rank_like'.",
            "Branches are drawn by their action or by -2H/L̃.",
            "Give quantity='action' or quantity='rank_like'.",
        )
    ax = axes(ax)
    depth, action = diagram.effective_depth, diagram.action
    known = np.isfinite(action)
    if quantity == "action":
        lowest = np.where(known.any(axis=0), np.min(np.where(known, action, np.inf), axis=0, initial=np.inf), np.nan)
        values = action - lowest
    else:
        values = diagram.rank_like
    order = np.argsort(depth, kind="stable")
    lost = {event.branch for event in diagram.events}
    for rank, branch in enumerate(_by_last_action(action[:, order])):
        colour = _TOLD_APART[rank] if rank < len(_TOLD_APART) else GREY
        label = f"branch {branch}" if rank < len(_TOLD_APART) else "others" if rank == len(_TOLD_APART) else None
        _branch(ax, depth[order], values[branch, order], diagram.is_minimum[branch, order], colour, label)
        if branch in lost and known[branch].any():
            at = np.flatnonzero(known[branch])[-1]  # in the order in which it was followed
            ax.plot(depth[at], values[branch, at], "x", color=colour, markersize=11, markeredgewidth=2, zorder=4)
    saddle: dict[str, Any] = {"color": GREY, "marker": "o", "markerfacecolor": "white", "linestyle": "--"}
    if (diagram.is_minimum == 0).any():
        ax.plot([], [], **saddle, label="saddle")
    if lost:
        ax.plot([], [], "x", color=GREY, markersize=9, markeredgewidth=2, label="lost on the way")
    notes = [] if known.any() else ["no branch at any of the depths"]
    if quantity == "rank_like" and known.any() and np.nanmin(values) < _NEGATIVE:
        top = max(float(np.nanmax(values)), 0.5)
        ax.set_ylim(_NEGATIVE, top + 0.05 * (top - _NEGATIVE))
        notes.append("far below 0: kinetic energy dominates")
    if quantity == "rank_like":
        for dimensions in range(0, math.ceil(ax.get_ylim()[1])):
            ax.axhline(dimensions, color=GREY, linewidth=0.7, linestyle=":" if dimensions else "-", zorder=1)
    ax.set_xlabel(r"effective depth $\tilde L$")
    ax.set_ylabel(
        r"action above the lowest, $S - S_{\min}$" if quantity == "action" else r"$-2H/\tilde L$ (dimensions)"
    )
    finish(ax, notes, below=True, columns=3)
    return ax


def plot_steps(steps: GeodesicResult | ArrayLike, ax: Axes | None = None, *, layers: int | None = None) -> Axes:
    r"""How long the layers of a network are along p, in units of equal ones, ρ_l L.

    Parameters
    ----------
    steps : GeodesicResult or array_like, shape (L,)
        A path, whose equidistributed steps are drawn; or steps ρ of one's own.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    layers : int, optional
        L of the steps along a path; default 24, or 1.5 L̃ if that is more.

    Returns
    -------
    Axes
        Stairs over the stretches of p that the layers cover, with all ends of layers marked, beside equal steps. Of a
        path also the length ρL̃ = 1, at which a layer forgets its input, where that is near.

    Raises
    ------
    DomainError
        So few layers cannot follow the path, or the steps are none.
    MissingExtraError
        matplotlib is not installed.
    """
    from ..leaky.geodesic_result import GeodesicResult
    from ..leaky.network_arguments import checked_rho

    ax = axes(ax)
    limit = np.inf
    if isinstance(steps, GeodesicResult):
        rho = steps.network(layers or max(24, math.ceil(1.5 * steps.effective_depth)))[0]
        name, limit = "equal shares of what changes", len(rho) / steps.effective_depth
        _title(ax, steps)
    else:
        rho, name = checked_rho(steps), "these steps"
    L = len(rho)
    edges = np.concatenate([[0.0], np.cumsum(rho)])
    ax.plot([0, 1], [1, 1], color=VERMILLION, linestyle="--", label=f"{L} equal steps")
    ax.stairs(rho * L, edges, baseline=None, color=BLUE, linewidth=1.6, label=name)
    ax.plot(edges, np.full(L + 1, 0.025), "|", color=BLUE, markersize=9, transform=ax.get_xaxis_transform())
    top = 1.15 * max(1.0, float(rho.max() * L))
    if limit < 1.5 * top:
        top = max(top, 1.1 * limit)
        ax.axhline(limit, color=GREY, linestyle=":", label=r"$\rho_l\tilde L = 1$: a layer forgets its input")
    ax.set_ylim(0.0, top)
    _p_axis(ax)
    ax.set_ylabel(r"length of a layer $\rho_l L$ (equal steps: 1)")
    finish(ax, [])
    return ax


def _fine_identity(result: GeodesicResult) -> FloatArray | None:
    """COI with the small γ from which the bottleneck is read; None where the path's own γ is as large."""
    from ..leaky.bottleneck import identity_curves

    coarse, fine = identity_curves(result.A, result.geometry)
    return None if np.array_equal(coarse, fine) else fine


def _components(p: FloatArray, A: FloatArray) -> tuple[FloatArray, FloatArray, tuple[str, str]]:
    """Coordinates (P, N) of all samples in two principal components, and what the axes are called."""
    P, w, N = A.shape
    points = np.swapaxes(A, 1, 2)
    if w == 1:
        return np.repeat(p[:, None], N, axis=1), points[:, :, 0], ("position $p$", "value of the neuron")
    weight = np.zeros(P)
    weight[1:] += 0.5 * np.diff(p)
    weight[:-1] += 0.5 * np.diff(p)
    centred = points - np.tensordot(weight, points, axes=1).mean(axis=0)
    _, sigma, directions = np.linalg.svd(
        (np.sqrt(weight)[:, None, None] * centred).reshape(P * N, w), full_matrices=False
    )
    share = sigma**2 / max(float((sigma**2).sum()), 1e-300)
    first, second = np.moveaxis(centred @ directions[:2].T, 2, 0)
    names = [f"component {k + 1} ({100 * share[k]:.3g} % of the variance)" for k in range(2)]
    return first, second, (names[0], names[1])


def _by_last_action(action: FloatArray) -> list[int]:
    """Branches in the order of their action at the last depth; those that end before come last."""
    return sorted(range(len(action)), key=lambda b: (np.isnan(action[b, -1]), np.nan_to_num(action[b, -1]), b))


def _branch(
    ax: Any, depth: FloatArray, values: FloatArray, minimum: FloatArray, colour: str, label: str | None
) -> None:
    """One branch: solid between minima, dashed where a saddle is one of the ends; dots and rings at the depths."""
    ax.plot([], [], color=colour, marker="o", markersize=4, label=label)
    for k in range(len(depth) - 1):
        solid = minimum[k] == 1 and minimum[k + 1] == 1
        ax.plot(depth[k : k + 2], values[k : k + 2], color=colour, linestyle="-" if solid else "--", linewidth=1.4)
    for kind, face in ((1, colour), (0, "white")):
        here = minimum == kind
        ax.plot(
            depth[here], values[here], "o", color=colour, markerfacecolor=face, markersize=4 if kind else 6, zorder=3
        )


def _title(ax: Any, result: GeodesicResult) -> None:
    w, N = result.A.shape[1:]
    size = f"{w} neuron{'s' * (w != 1)}, {N} sample{'s' * (N != 1)}"
    ax.set_title(rf"{result.activation}, {size}, $\tilde L = {result.effective_depth:g}$", fontsize="medium")


def _p_axis(ax: Any) -> None:
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("position $p$ (input 0, output 1)")
