"""Which positions a merged layer may get wrong: those that see what a layer inside padded with.

Along each axis a position is right if all it sees is right. What lies outside of a layer's input is right where padding
commutes with the layers before it, and wrong where it does not. A position of an image is right if it is on every axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...result import BoolArray
from .specs import AffineSpec


@dataclass(frozen=True)
class Step:
    """A layer on the way; `commutes`: what it sees beyond its input is right."""

    spec: AffineSpec
    commutes: bool = True


@dataclass(frozen=True)
class Fork:
    """A sum of branches, each of steps in a row; an empty branch is the identity."""

    branches: tuple[tuple[Step | Fork, ...], ...]


def entered_wrongly(part: Step | Fork) -> Step | Fork:
    """The same where what lies beyond its input is wrong."""
    if isinstance(part, Step):
        return replace(part, commutes=False)
    return Fork(tuple((*map(entered_wrongly, branch[:1]), *branch[1:]) for branch in part.branches))


def always_commutes(part: Step | Fork) -> bool:
    """Whether all is right everywhere."""
    if isinstance(part, Step):
        return part.commutes
    return all(always_commutes(inner) for branch in part.branches for inner in branch)


def affected_positions(parts: Sequence[Step | Fork], sizes: Sequence[int]) -> tuple[int, int]:
    """Positions of the output of layers in a row that may be wrong, and all positions.

    Parameters
    ----------
    parts : sequence of Step or Fork
    sizes : sequence of int
        Positions of the input along each axis.

    Examples
    --------
    Two 3 x 3 convolutions that pad with a ring of zeros each, on 17 x 17:

    >>> conv = AffineSpec(1, 1, kernel=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 1))
    >>> affected_positions([Step(conv), Step(conv, commutes=False)], (17, 17))
    (64, 289)
    """
    right = [np.ones(size, dtype=np.bool_) for size in sizes]
    for part in parts:
        right = _after(part, right)
    total = math.prod(line.size for line in right)
    return total - math.prod(int(line.sum()) for line in right), total


def _after(part: Step | Fork, right: list[BoolArray]) -> list[BoolArray]:
    """Which outputs are right along each axis."""
    if isinstance(part, Step):
        spec = part.spec.on_axes(len(right))
        return [_seen(spec, axis, line, part.commutes) for axis, line in enumerate(right)]
    outcomes = []
    for branch in part.branches:
        now = right
        for inner in branch:
            now = _after(inner, now)
        outcomes.append(now)
    return [np.logical_and.reduce([now[axis] for now in outcomes]) for axis in range(len(right))]


def _seen(spec: AffineSpec, axis: int, right: BoolArray, commutes: bool) -> BoolArray:
    """Which outputs along an axis see nothing wrong."""
    k, s, p, d = spec.kernel[axis], spec.stride[axis], spec.padding[axis], spec.dilation[axis]
    count = (right.size + 2 * p - d * (k - 1) - 1) // s + 1
    padded = np.pad(right, p, constant_values=commutes)
    taps = s * np.arange(count)[:, None] + d * np.arange(k)
    return np.asarray(padded[taps].all(axis=1), dtype=np.bool_)
