"""Which channel of a graph each number of a tensor belongs to.

A tensor of the network is followed as a wire of the graph and an integer tensor of labels: k is channel k of the wire
(from 1), 0 no channel (a constant, a padded zero). Labels are kept with size 1 along axes on which they do not depend,
which are batch and positions; what remains are the axes of channels, wherever permutations, views and flattening have
put them. What merely moves numbers about (`view`, `permute`, slices) is done to the labels by the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ...errors import DomainError
from ...linearize.operations import Act, Copy, Dense, Index, Input, Opaque
from ...linearize.wires import Wire


@dataclass(frozen=True, eq=False)
class Tracked:
    """A tensor that depends on the input: its wire, narrow labels, shape.

    `origin` is the tensor that it is a function of number by number; None where it is that itself.
    """

    wire: Wire
    labels: torch.Tensor
    shape: tuple[int, ...]
    origin: Tracked | None = None

    @property
    def root(self) -> Tracked:
        """The tensor that this one is a function of, number by number."""
        return self.origin or self

    @property
    def full(self) -> torch.Tensor:
        """The labels in the shape of the tensor."""
        return self.labels.expand(self.shape)

    def varies(self, axis: int) -> bool:
        """Whether labels depend on an axis."""
        return bool(self.labels.shape[axis] > 1)

    def holds_channels(self, axis: int) -> bool:
        """Whether an axis is one of channels; of a tensor with a single channel it is the second or last, of size 1."""
        if self.varies(axis) or self.labels.numel() > 1:
            return self.varies(axis)
        single = 1 if len(self.shape) > 1 and self.shape[1] == 1 else len(self.shape) - 1
        return axis == single and self.shape[axis] == 1


@dataclass(frozen=True, eq=False)
class Blocked:
    """A tensor that depends on some wires in a way that no path may follow: what was found, why, what to change.

    `origin` as of `Tracked`, of a condition such as x > 0; `gate`: it comes out of a softmax or the like.
    """

    found: str
    cause: str
    change: str
    wires: tuple[Wire, ...]
    origin: Tracked | None = None
    gate: bool = False
    shape: tuple[int, ...] = ()

    def error(self) -> DomainError:
        """The refusal of paths through it."""
        return DomainError(self.found, self.cause, self.change)

    def wire(self, channels: int) -> Wire:
        """Its place in a graph."""
        return Wire(Opaque(channels, self.found, self.cause, self.change), self.wires)


State = Tracked | Blocked


class WrongAxisError(Exception):
    """What is done to inputs contradicts the axis that is taken for their channels; the names of these inputs.

    `layer`: it is a layer that takes its channels along another axis, not something that just mixes this one.
    """

    def __init__(self, inputs: tuple[str, ...], layer: bool) -> None:
        super().__init__(inputs, layer)
        self.inputs, self.layer = inputs, layer


def narrow(labels: torch.Tensor) -> torch.Tensor:
    """The labels with size 1 along every axis on which they do not depend."""
    for axis in range(labels.ndim):
        if labels.shape[axis] > 1:
            first = labels.narrow(axis, 0, 1)
            if labels.stride(axis) == 0 or bool((labels == first).all()):
                labels = first
    return labels


def aligned(labels: torch.Tensor, ndim: int) -> torch.Tensor:
    """The labels with axes of size 1 in front, as broadcasting does it."""
    return labels.reshape((1,) * (ndim - labels.ndim) + tuple(labels.shape))


def gathered(wire: Wire, labels: torch.Tensor) -> Wire:
    """A wire with one channel for each label."""
    index = labels.reshape(-1).numpy() - 1
    if len(index) == wire.channels and np.array_equal(index, np.arange(wire.channels)):
        return wire
    return wire.index(index)


def fresh(labels: torch.Tensor) -> torch.Tensor:
    """Labels 1, 2, ... in the places of those given; 0 stays."""
    numbers = torch.arange(1, labels.numel() + 1).reshape(labels.shape)
    return numbers * (labels > 0)


def remade(
    tracked: Tracked, make: Callable[[Wire], Wire], *, shape: tuple[int, ...] | None = None, pointwise: bool = False
) -> Tracked:
    """What `make` makes of the channels, one for each entry of the narrow labels; `pointwise`: number by number."""
    made = make(gathered(tracked.wire, tracked.labels))
    return Tracked(made, fresh(tracked.labels), shape or tracked.shape, tracked.root if pointwise else None)


def moved(tracked: Tracked, labels: torch.Tensor) -> Tracked:
    """The tensor whose labels, moved about as its numbers, are these."""
    return Tracked(tracked.wire, narrow(labels), tuple(labels.shape))


def reshaped(tracked: Tracked, shape: tuple[int, ...]) -> Tracked:
    """The same channels in a tensor whose axes of positions have other sizes."""
    return replace(tracked, shape=shape, origin=None)


def raw_inputs(wire: Wire) -> tuple[str, ...]:
    """The inputs that lie before a wire with no dense layer between."""
    stack, seen, found = [wire], set(), []
    while stack:
        at = stack.pop()
        if id(at) in seen:
            continue
        seen.add(id(at))
        if isinstance(at.operation, Input):
            found.append(at.name or "")
        elif not isinstance(at.operation, (Dense, Opaque)):
            stack.extend(at.sources)
    return tuple(found)


def last_operation(wire: Wire) -> str:
    """The kind of the activation or softmax that made a wire, scaling and reordering aside; '' for anything else."""
    while isinstance(wire.operation, Index) or (isinstance(wire.operation, Copy) and wire.operation.kind == "scale"):
        wire = wire.sources[0]
    return wire.operation.kind if isinstance(wire.operation, (Act, Copy)) else ""


def joint(tracked: list[Tracked], shape: tuple[int, ...]) -> list[torch.Tensor] | None:
    """The labels of several tensors, broadcast against each other; None where that crosses their channels."""
    labels = list(torch.broadcast_tensors(*(aligned(t.labels, len(shape)) for t in tracked)))
    if labels[0].numel() > max(t.labels.numel() for t in tracked):
        return None
    return labels


def entry_means(values: torch.Tensor, labels: torch.Tensor) -> Any:
    """The mean of `values` over what belongs to each entry of narrow labels, as a flat array."""
    axes = [axis for axis in range(values.ndim) if labels.shape[axis] == 1]
    numbers = values.detach().cpu().double()
    mean = numbers.mean(dim=axes, keepdim=True) if axes else numbers
    return mean.expand(labels.shape).reshape(-1).numpy()
