"""Which neighbours of a chain of affine layers to merge: as few multiplications as possible, or as few layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .specs import AffineSpec, Obstacle, composed, obstacle


@dataclass(frozen=True)
class Link:
    """One layer of a chain, for its partition.

    Attributes
    ----------
    spec : AffineSpec
    cost : float
        Multiplications as it is, for each position of its output.
    positions : float
        Positions of its output, in units that the chain has in common.
    sizes : tuple of int or None
        Positions of its input along each axis, where they are known.
    """

    spec: AffineSpec
    cost: float
    positions: float
    sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Group:
    """Layers first, ..., last - 1 of a chain, merged into one; what it costs, and whether only the border differs."""

    first: int
    last: int
    spec: AffineSpec
    cost: float
    border: bool


def partition(links: Sequence[Link], *, exact: bool, cheaper: bool) -> list[Group]:
    """The best partition of a chain into groups.

    Parameters
    ----------
    links : sequence of Link
    exact : bool
        Merge only what is equal everywhere, the border included.
    cheaper : bool
        Fewest multiplications, and among these the fewest layers; else the other way round.
    """
    best: list[tuple[tuple[float, float], list[Group]]] = [((0.0, 0.0), [])]
    groups = [_groups(links, first, exact) for first in range(len(links))]
    for last in range(1, len(links) + 1):
        found = []
        for first in range(last):
            group = next((g for g in groups[first] if g.last == last), None)
            if group is not None:
                (one, other), before = best[first]
                step = (group.cost, 1.0) if cheaper else (1.0, group.cost)
                found.append(((one + step[0], other + step[1]), [*before, group]))
        best.append(min(found, key=lambda item: item[0]))
    return best[-1][1]


def relative_positions(strides: Sequence[float]) -> list[float]:
    """Positions of the outputs of a chain for one position of the last, for large images."""
    return [math.prod(strides[k + 1 :]) for k in range(len(strides))]


def between(left: Group, right: Group, links: Sequence[Link]) -> tuple[Obstacle | None, float, float]:
    """What stands between two neighbouring groups: an obstacle, or the costs of both apart and as one."""
    found = obstacle(left.spec, right.spec)
    if found is not None:
        return found, 0.0, 0.0
    merged = composed(left.spec, right.spec).weights * links[right.last - 1].positions
    return None, left.cost + right.cost, merged


def _groups(links: Sequence[Link], first: int, exact: bool) -> list[Group]:
    """What can be merged from one layer on."""
    link = links[first]
    spec, border = link.spec, False
    found = [Group(first, first + 1, spec, link.cost * link.positions, border)]
    for last in range(first + 1, len(links)):
        barrier = obstacle(spec, links[last].spec)
        if barrier is not None and (exact or not barrier.border):
            break
        border = border or barrier is not None
        spec = composed(spec, links[last].spec)
        if spec.mode == "circular" and link.sizes and any(p > n for p, n in zip(spec.padding, link.sizes, strict=True)):
            break  # torch wraps around once at most
        found.append(Group(first, last + 1, spec, spec.weights * links[last].positions, border))
    return found
