"""Rules for what moves numbers about: views, permutations, slices, padding, joining.

The same function is applied to the labels. Axes of positions have size 1 there, so this costs little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from ...linearize.operations import Concat
from ...linearize.wires import Wire
from .call import Call
from .channel_labels import Blocked, Tracked, moved, narrow
from .nested_tensors import tensors
from .rules import built_in

_MOVEMENTS = (
    *(
        "squeeze",
        "unsqueeze",
        "permute",
        "transpose",
        "t",
        "T",
        "mT",
        "H",
        "mH",
        "adjoint",
        "movedim",
        "expand",
        "expand_as",
        "broadcast_to",
    ),
    *("repeat", "tile", "repeat_interleave", "narrow", "select", "getitem", "chunk", "split", "split_with_sizes"),
    *("tensor_split", "unsafe_chunk", "unsafe_split", "hsplit", "vsplit", "dsplit", "unbind", "roll", "flip", "fliplr"),
    *("flipud", "rot90", "index_select", "take_along_dim", "gather", "diagonal", "unfold"),
    *("pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "masked_select", "swapaxes"),
    *("atleast_1d", "atleast_2d", "atleast_3d", "select_copy", "take"),
)
_RESHAPED = ("view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "ravel", "view_copy")
_POSITIONS = ("triu", "tril")


@built_in(*_MOVEMENTS)
def movement(call: Call) -> Any:
    """The labels move as the numbers do."""
    states = [call.state(t) for t in tensors((call.args, call.kwargs))]
    if not isinstance(call.state(next(tensors(call.args))), Tracked):
        if states[0] is None:
            call.refuse("it selects of a constant by an index that depends on the input")
        call.known(states[0])
    tracked = call.first
    selected = [s for s in states[1:] if s is not None and not call.name.endswith("_as")]
    try:
        result = _on_labels(call, tracked.full)
    except NotImplementedError:  # im2col is for floats only
        result = _on_labels(call, tracked.full.double()).long()
    zeros = call.name in ("unfold", "im2col")  # padding at some positions
    made = [moved(tracked, _filled(labels) if zeros else labels) for labels in tensors(result)]
    if selected and any(not _spared(tracked, m) for m in made):
        call.refuse("which channels it selects depends on the input")
    return made[0] if isinstance(call.result, torch.Tensor) else tuple(made)


@built_in(*_RESHAPED)
def reshaped(call: Call) -> Tracked:
    """The numbers in their order, in other axes."""
    if any(isinstance(x, torch.dtype) for x in (*call.args, *call.kwargs.values())):
        call.refuse("it reads the numbers as another type")
    tracked = call.known(call.state(next(tensors(call.args))))
    return moved(tracked, tracked.full.reshape(call.shape))


@built_in("pixel_shuffle", "fold", "col2im")
def spread(call: Call) -> Tracked:
    """Channels that become positions: channel c is made of those that lie side by side, all of its positions."""
    tracked, shape = call.first, call.shape
    axis = len(shape) - 3
    before = call.channels(tracked, len(tracked.shape) - (3 if call.name == "pixel_shuffle" else 2))
    wire = before.dense(int(shape[axis]), groups=int(shape[axis]))
    place = [wire.channels if k == axis else 1 for k in range(len(shape))]
    return Tracked(wire, torch.arange(1, wire.channels + 1).reshape(place), shape)


@built_in(*_POSITIONS)
def positions(call: Call) -> Tracked:
    """Some positions become zero."""
    return call.same()


def _on_labels(call: Call, labels: torch.Tensor) -> Any:
    """What the operation makes of the labels in place of the numbers."""
    first = [True]

    def put(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if first[0]:
                first[0] = False
                return labels
            return value.detach().cpu()
        if isinstance(value, (list, tuple)):
            items = [put(item) for item in value]
            return type(value)(items) if type(value) in (list, tuple) else tuple(items)
        return value

    args = [put(value) for value in call.args]
    kwargs = {name: put(value) for name, value in call.kwargs.items() if name != "out"}
    return call.function(*args, **kwargs)


def _spared(before: Tracked, after: Tracked) -> bool:
    """Whether all channels are still there, each as often."""
    return bool(before.labels.numel() == after.labels.numel())


# ------------------------------------------------------------------------------------------ padding


@built_in("pad", "constant_pad_nd")
def pad(call: Call) -> Tracked:
    """Padding: an axis of channels gets structural zeros; positions are not told apart."""
    tracked = call.first
    widths = list(call.argument(1, "pad"))
    mode = call.argument(2, "mode", "constant") if call.name == "pad" else "constant"
    labels, shape = tracked.labels, call.shape
    ndim = len(shape)
    for k in range(len(widths) // 2):
        axis, (before, after) = ndim - 1 - k, widths[2 * k : 2 * k + 2]
        if (before, after) == (0, 0) or not tracked.holds_channels(axis):
            continue
        if mode != "constant":
            call.refuse(f"it pads channels in the mode '{mode}'")
        row = [0, 0] * k + [before, after]
        labels = F.pad(labels, row)
    return Tracked(tracked.wire, narrow(labels), shape)


# ------------------------------------------------------------------------------------------ joining


@built_in("cat", "hstack", "vstack", "dstack", "row_stack", "column_stack")
def cat(call: Call) -> Tracked:
    """A concatenation of channels; along positions a sum, since positions are not told apart."""
    parts = list(call.argument(0, "tensors"))
    states = [call.state(t) for t in parts]
    for state in states:
        if isinstance(state, Blocked):
            call.known(state)
    shape = call.shape
    if call.name != "cat" or any(t.ndim != len(shape) for t in parts):
        return joined(call, parts, call.function)
    axis = int(call.argument(1, "dim", 0)) % len(shape)
    tracked = [(t, s) for t, s in zip(parts, states, strict=True) if isinstance(s, Tracked)]
    if any(s.holds_channels(axis) for _, s in tracked):
        return joined(call, parts, call.function)
    grown = [(t, Tracked(s.wire, s.labels, shape)) for t, s in tracked]
    if len(grown) == 1:
        return grown[0][1]
    if call.moments is not None:
        call.values.update({id(t): _stretched(call.value(t), axis, shape[axis]) for t, _ in grown})
    return call.add(grown)


@built_in("stack")
def stack(call: Call) -> Tracked:
    """A new axis, whose entries are channels apart until something sums over it."""
    return joined(call, list(call.argument(0, "tensors")), call.function)


def joined(call: Call, parts: Sequence[torch.Tensor], join: Any) -> Tracked:
    """The labels joined by the same function, on a wire that holds the channels of all parts."""
    wires: list[Wire] = []
    labels, offset = [], 0
    for tensor in parts:
        state = call.state(tensor)
        if state is None:
            labels.append(torch.zeros(1, dtype=torch.int64).expand(tuple(tensor.shape)))
            continue
        tracked = call.known(state)
        labels.append(torch.where(tracked.full > 0, tracked.full + offset, 0))
        wires.append(tracked.wire)
        offset += tracked.wire.channels
    rest = {name: value for name, value in call.kwargs.items() if name not in ("tensors", "out")}
    whole = join(labels, *call.args[1:], **rest)
    wire = wires[0] if len(wires) == 1 else Wire(Concat(), wires)
    return Tracked(wire, narrow(whole), tuple(whole.shape))


@built_in("setitem")
def setitem(call: Call) -> Any:
    """x[where] = y: the labels of y in these places; zeros along positions do not count."""
    base, where, new = call.args
    states = call.state(base), call.state(new)
    if any(isinstance(s, Blocked) for s in states) or any(call.state(t) is not None for t in tensors(where)):
        call.refuse("where it writes, or what, depends on the input in a way that is not known")
    wires: list[Wire] = []
    pieces, offset = [], 0
    for value, state in zip((base, new), states, strict=True):
        if isinstance(state, Tracked):
            pieces.append(torch.where(state.full > 0, state.full + offset, 0))
            wires.append(state.wire)
            offset += state.wire.channels
        else:
            pieces.append(torch.zeros(tuple(getattr(value, "shape", ())), dtype=torch.int64))
    labels = pieces[0].clone(memory_format=torch.contiguous_format)
    labels[where] = pieces[1]
    wire = wires[0] if len(wires) == 1 else Wire(Concat(), wires)
    return Tracked(wire, narrow(_filled(labels)), tuple(base.shape))


@built_in("copy")
def copy_into(call: Call) -> Any:
    """x.copy_(y): x becomes y."""
    state = call.state(call.argument(1, "src"))
    if state is None:
        return None
    return call.same(call.known(state))


def _filled(labels: torch.Tensor) -> torch.Tensor:
    """Zeros at some positions of a channel take its label: positions are not told apart."""
    for axis in range(labels.ndim):
        top = labels.amax(dim=axis, keepdim=True)
        whole = bool(((labels == top) | (labels == 0)).all())
        if whole and labels.shape[axis] > 1 and top.numel() > 1:
            labels = top.expand(labels.shape)
    return labels


def _stretched(values: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    """A tensor whose mean over an axis is kept, in another size of that axis."""
    return values.mean(dim=axis, keepdim=True).expand([size if k == axis else n for k, n in enumerate(values.shape)])
