r"""How long the layers are: steps ρ_l that put layers where the representation moves.

    c_l = |A_l - A_{l-1}| / (ρ_l |A_{l-1}|),        wanted: ρ_l c_l the same in all layers,   Σ ρ_l = 1,   ρ_l L̃ < 1

c is a speed as a function of p, of which a network shows the mean over each layer. `equidistribute` cumulates it and
puts the new nodes at equal fractions; that is monotone, and right at once where c is constant within layers.

`papers_rule`, ρ_l ∝ 1/c_l, solves the same equation by iteration in the index of the layer. But the speed belongs to
the place p, and where a layer comes to lie depends on all steps before it. With fast zones at the ends, that settles in
5 to 10 sweeps. With a fast zone inside, layers jump in and out of it for ever, and after any number of sweeps some move
up to 1000 times as far as others. Raising the change to the power 0.3 damps that: some 30 sweeps.

A. Jacot and A. Kaiser (2024), arXiv:2405.17573, for c_l, for their rule and for the irregular steps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import real
from ..result import FloatArray
from .checks import check_effective_depth, check_matrices
from .network_arguments import checked_rho, counted, layer_matrices

_ROUNDING = 1e-12
_MOST_SWEEPS = 10_000


def distances(A: Any, rho: Any) -> FloatArray:
    r"""The speed of the representation in each layer, relative to its size, c_l.

        c_l = |A_l - A_{l-1}| / (ρ_l |A_{l-1}|)

    Parameters
    ----------
    A : array_like, shape (L + 1, w, N)
        Representations, as from `forward`.
    rho : array_like, shape (L,)
        Steps, positive, of sum 1.

    Returns
    -------
    ndarray, shape (L,)

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or a representation is 0.

    Examples
    --------
    >>> distances([[[1.0]], [[1.5]], [[3.0]]], [0.25, 0.75]).round(3)
    array([2.   , 1.333])
    """
    steps = checked_rho(rho)
    path = layer_matrices("A", A, len(steps))
    size = np.linalg.norm(path[:-1], axis=(1, 2))
    if not size.all():
        raise DomainError(
            f"The representation that goes into layer {int(np.argmin(size)) + 1} is 0.",
            "All samples are 0 there, so that no distance is relative to them.",
            "Give representations of a network with data, and with weights.",
        )
    speed: FloatArray = np.linalg.norm(np.diff(path, axis=0), axis=(1, 2)) / (steps * size)
    return speed


def equidistribute(
    rho: Any, A: Any, effective_depth: float, *, floor: float = 0.15, sweeps: int = 1, most: float = 0.95
) -> FloatArray:
    r"""New steps over each of which the representation moves equally far.

        q_l = c_l + floor · Σ_k ρ_k c_k,      new nodes at equal fractions of the cumulated ρ_l q_l,      ρ_l L̃ ≤ most

    Parameters
    ----------
    rho : array_like, shape (L,)
        Steps, positive, of sum 1.
    A : array_like, shape (L + 1, w, N)
        Representations at their ends.
    effective_depth : float
        L̃.
    floor : float
        ≥ 0; what the speed is raised by, relative to its mean: where nothing moves, layers are at most 1 + 1/floor
        times as long as they would be if equal.
    sweeps : int
        How often; after the first, with representations in straight lines between those given. One is enough, unless
        `most` is in the way.
    most : float
        Between 0 and 1: the longest step in natural time. What it cuts off, the others get in proportion.

    Returns
    -------
    ndarray, shape (L,)
        Positive, of sum 1.

    Raises
    ------
    DomainError
        L layers of `most` do not reach L̃, shapes do not fit, or a number is out of range.

    Notes
    -----
    Weights belong to places p: give the network with new steps `carry_weights` of its old ones, else its function
    jumps. Then train on. Three to five rounds bring all ρ_l q_l within 5 % of each other.

    Examples
    --------
    A path that moves 3.3 times as fast in its first half gets three of four layers there:

    >>> A = np.exp(np.array([0.0, 0.3, 0.6, 0.7, 0.8]))[:, None, None]
    >>> equidistribute([0.25] * 4, A, 1.0, floor=0.0).round(3)
    array([0.163, 0.163, 0.163, 0.512])
    """
    steps, depth = checked_rho(rho), check_effective_depth(effective_depth)
    raised = real("floor", floor, -1e-300, 1e6, "what the speed is raised by, in units of its mean")
    longest = real("most", most, 1e-12, 1.0, "the longest step in natural time, ρ_l L̃") / depth
    needed = math.ceil((1 - _ROUNDING) / longest)
    if len(steps) < needed:
        raise DomainError(
            f"{len(steps)} layers of at most ρ_l L̃ = {most:g} do not reach L̃ = {depth:g}.",
            "A layer forgets the share ρ_l L̃ of its input, so each covers less than 1 of the effective depth.",
            f"Use {needed} layers or more, or a smaller effective depth.",
        )
    path = layer_matrices("A", A, len(steps))
    nodes = _nodes(steps)
    for _ in range(counted("sweeps", sweeps, _MOST_SWEEPS)):
        density = distances(_at(_nodes(steps), nodes, path), steps)
        density = density + raised * float(steps @ density)
        if not density.any():
            return steps
        steps = limited(_inverted(steps, density), longest)
    return steps


def papers_rule(rho: Any, A: Any, *, damping: float = 1.0) -> FloatArray:
    r"""The adaptive steps of Jacot & Kaiser, ρ_l ← c_l⁻¹/Σ c_i⁻¹, if wanted damped.

        ρ_l ← ρ_l (target_l/ρ_l)^damping, normalised

    Parameters
    ----------
    rho : array_like, shape (L,)
        Steps, positive, of sum 1.
    A : array_like, shape (L + 1, w, N)
        Representations at their ends.
    damping : float
        In (0, 1]; 1 is the rule of the paper, 0.3 converges in some 30 sweeps where that does not.

    Returns
    -------
    ndarray, shape (L,)

    Raises
    ------
    DomainError
        A layer does not move at all, shapes do not fit, or a number is out of range.

    Notes
    -----
    Undamped it oscillates for ever when the representation is fast somewhere inside: layers that are short because
    they were in the fast zone find themselves outside, and the reverse. `equidistribute` does not.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    >>> A = np.exp(np.array([0.0, 0.3, 0.4]))[:, None, None]
    >>> papers_rule([0.5, 0.5], A).round(3)
    array([0.231, 0.769])
    """
    steps = checked_rho(rho)
    power = real("damping", damping, 0.0, 1 + 1e-12, "the power to which the change is raised")
    speed = distances(A, steps)
    if not speed.all():
        raise DomainError(
            f"Layer {int(np.argmin(speed)) + 1} does not move the representation.",
            "Its step would become infinite.",
            "Use equidistribute, whose floor allows for it.",
        )
    changed = steps * (1 / (speed * steps)) ** power
    changed /= changed.sum()
    return changed


def irregular_steps(layers: int, a: float) -> FloatArray:
    r"""Steps that are shorter at both ends than in the middle, the same for every representation.

        ρ_l ∝ 1 + a (1/4 - |l/L - 1/2|),      l = 1..L

    Parameters
    ----------
    layers : int
        L ≥ 1.
    a : float
        In [0, 1); 0 for equal steps.

    Returns
    -------
    ndarray, shape (L,)

    Raises
    ------
    DomainError
        An argument is out of range.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    >>> irregular_steps(4, 0.8).round(3)
    array([0.25, 0.3 , 0.25, 0.2 ])
    """
    count = counted("layers", layers)
    strength = real("a", a, -1e-300, 1.0, "how much longer the middle is")
    rho: FloatArray = 1 + strength * (0.25 - np.abs(np.arange(1, count + 1) / count - 0.5))
    rho /= rho.sum()
    return rho


def carry_weights(weights: Any, rho: Any, new_rho: Any) -> FloatArray:
    """Weights for new steps: W as a function of p, linear between the middles of the old layers, at those of the new.

    Parameters
    ----------
    weights : array_like, shape (L, w, m)
        W_l in p-time.
    rho : array_like, shape (L,)
        Their steps.
    new_rho : array_like, shape (L',)
        The new ones, which may be more or fewer.

    Returns
    -------
    ndarray, shape (L', w, m)
        Before the first middle and beyond the last W is constant.

    Raises
    ------
    DomainError
        Shapes do not fit, or steps are not positive of sum 1.

    Examples
    --------
    >>> W = np.array([1.0, 3.0])[:, None, None]
    >>> carry_weights(W, [0.5, 0.5], [0.5, 0.25, 0.25]).ravel()
    array([1. , 2.5, 3. ])
    """
    old, new = checked_rho(rho), checked_rho(new_rho)
    W = check_matrices("weights", weights)
    if W.ndim != 3 or len(W) != len(old):
        raise DomainError(
            f"weights have shape {W.shape}, with {len(old)} steps.",
            "Each layer has its weights and its step.",
            f"Give weights of shape ({len(old)}, w, w + 1).",
        )
    return _at(_middles(new), _middles(old), W)


def limited(rho: FloatArray, longest: float) -> FloatArray:
    """Steps of sum 1 with none above `longest`: what is cut off, the others get in proportion to what they are."""
    steps: FloatArray = rho / rho.sum()
    held = np.zeros(len(steps), dtype=bool)
    while (steps > longest).any():  # each round holds one more step, and the last of them cannot be too long
        held |= steps > longest
        steps[held] = longest
        if held.all():
            break
        free = steps[~held]
        steps[~held] = free * ((1 - longest * held.sum()) / free.sum())
    steps /= steps.sum()
    return steps


def _nodes(rho: FloatArray) -> FloatArray:
    """P_0 = 0, ..., p_L = 1."""
    nodes = np.concatenate([[0.0], np.cumsum(rho)])
    nodes /= nodes[-1]
    return nodes


def _middles(rho: FloatArray) -> FloatArray:
    nodes = _nodes(rho)
    middles: FloatArray = 0.5 * (nodes[1:] + nodes[:-1])
    return middles


def _at(places: FloatArray, nodes: FloatArray, values: FloatArray) -> FloatArray:
    """Values (n, ...) at increasing nodes, linear between them and constant outside, at `places`."""
    if len(nodes) == 1:
        return np.repeat(values, len(places), axis=0)
    left = np.clip(np.searchsorted(nodes, places, side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((places - nodes[left]) / (nodes[left + 1] - nodes[left]), 0.0, 1.0)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    found: FloatArray = (1 - share) * values[left] + share * values[left + 1]
    return found


def _inverted(rho: FloatArray, density: FloatArray) -> FloatArray:
    """Steps that divide the cumulated density, constant within each old step, into equal parts."""
    total = np.concatenate([[0.0], np.cumsum(rho * density)])
    nodes = np.interp(np.linspace(0, total[-1], len(rho) + 1), total, _nodes(rho))
    nodes[0], nodes[-1] = 0.0, 1.0
    steps: FloatArray = np.diff(nodes)
    return steps
