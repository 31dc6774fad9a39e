"""Rules for layers that sum over channels: linear layers, convolutions, embeddings."""

from __future__ import annotations

from typing import Any

import torch

from ...linearize.wires import Wire
from .call import Call
from .channel_labels import Tracked, aligned, fresh, gathered, narrow
from .rules import built_in

MOST_ENTRIES = 10**7


@built_in("linear")
def linear(call: Call) -> Tracked:
    """x Wᵀ + b, along the last axis."""
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    if call.state(weight) is not None or call.state(bias) is not None:
        call.refuse("its weights depend on the input")
    return times(call, call.argument(0, "input"), weight)


def times(call: Call, x: torch.Tensor, weight: torch.Tensor) -> Tracked:
    """The last axis of x times a constant matrix (outputs, inputs).

    Where channels lie along other axes as well, each set of inputs that an output is made of is a group; where they lie
    along others only, the layer mixes positions.
    """
    tracked = call.known(call.state(x))
    axis = len(tracked.shape) - 1
    outputs, shape = int(weight.shape[0]), call.shape
    elsewhere = [k for k in range(axis) if tracked.varies(k)]
    if elsewhere and not tracked.varies(axis):
        call.try_another_axis(tracked)
        wire = gathered(tracked.wire, tracked.labels).copy("pool")
        return Tracked(wire, aligned(fresh(tracked.labels), len(shape)), shape)
    whole = tracked.labels.expand([*tracked.labels.shape[:-1], tracked.shape[-1]])
    wire, labels = grouped(call, tracked, whole.reshape(-1, tracked.shape[-1]), outputs)
    if call.moments is not None:
        alive = (whole.reshape(-1, tracked.shape[-1]).amax(dim=1) > 0).numpy()
        means = call.moments.second(call.value(x), whole).reshape(-1, tracked.shape[-1])[alive]
        call.moments.edges(wire, weight.repeat(int(alive.sum()), 1), means.ravel())
    return Tracked(wire, narrow(labels.reshape([*tracked.labels.shape[:-1], outputs])), shape)


def grouped(call: Call, tracked: Tracked, rows: torch.Tensor, outputs: int) -> tuple[Wire, torch.Tensor]:
    """Every row of labels made into `outputs` channels of its own; a row of constants alone into none."""
    if rows.numel() > MOST_ENTRIES or len(rows) * outputs > MOST_ENTRIES:
        call.refuse("its channel axis is lost")
    alive = rows.amax(dim=1) > 0
    groups = int(alive.sum())
    if not groups:
        call.refuse("it reads constants alone")
    wire = gathered(tracked.wire, rows[alive]).dense(groups * outputs, groups=groups, name=call.path)
    number = torch.cumsum(alive, 0) - 1
    return wire, torch.where(alive[:, None], number[:, None] * outputs + torch.arange(1, outputs + 1), 0)


@built_in(*(f"conv{d}d" for d in (1, 2, 3)), *(f"conv_transpose{d}d" for d in (1, 2, 3)))
def convolution(call: Call) -> Tracked:
    """A convolution: all channels of the group, along the axis before the positions."""
    transposed = "transpose" in call.name
    x, weight = call.argument(0, "input"), call.argument(1, "weight")
    groups = int(call.argument(6, "groups", 1))
    if call.state(weight) is not None:
        call.refuse("its weights depend on the input")
    tracked = call.known(call.state(x))
    axis = len(tracked.shape) - 1 - int(call.name[-2])
    wire = call.channels(tracked, axis).dense(int(call.shape[axis]), groups=groups, name=call.path)
    if call.moments is not None:
        place = torch.ones([n if k == axis else 1 for k, n in enumerate(tracked.shape)])
        forwards = _forwards(weight, groups) if transposed else weight
        call.moments.edges(wire, forwards, call.moments.second(call.value(x), place))
    return _along(wire, call.shape, axis)


def _forwards(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The weight of a transposed convolution, inputs first, with its outputs first, as in a convolution."""
    parts = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    return parts.transpose(1, 2).reshape(groups * weight.shape[1], weight.shape[0] // groups, *weight.shape[2:])


def _along(wire: Wire, shape: tuple[int, ...], axis: int) -> Tracked:
    """A wire whose channels lie along an axis."""
    place = [wire.channels if k == axis else 1 for k in range(len(shape))]
    return Tracked(wire, torch.arange(1, wire.channels + 1).reshape(place), shape)


@built_in("embedding", "embedding_bag")
def embedding(call: Call) -> Any:
    """Rows of a table: every channel of the token, which is one."""
    first, second = call.args[0], call.args[1] if len(call.args) > 1 else call.kwargs["weight"]
    indices, table = (first, second) if not first.is_floating_point() else (second, first)
    state = call.state(indices)
    if state is None:
        call.refuse("its table depends on the input")
    tracked = call.known(state)
    if tracked.labels.numel() > 1:
        call.refuse("its indices have channels")
    wire = gathered(tracked.wire, tracked.labels).dense(int(table.shape[1]), name=call.path)
    made = _along(wire, call.shape, len(call.shape) - 1)
    return made if isinstance(call.result, torch.Tensor) else (made, None, None, None)
