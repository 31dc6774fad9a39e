"""Writing a graph down: a wire is a tensor in the making, and its methods are the operations on it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..gaussian.arguments import as_array, entries, shown
from ..result import FloatArray
from .operations import Act, Add, Concat, Copy, Dense, Index, Input, Opaque, Operation, Policy, Product

LARGEST = 10**8  # channels of a tensor
_LARGEST_FACTOR = 1e50  # its square stays within float64


class Wire:
    """A tensor, as the list of its channels, and how it came about.

    Wires are made by `Graph.input` and by the methods of wires; they do not change. ``x + y`` is an addition, ``2 * x``
    a scaling, ``x * y`` a product of two tensors, ``x[a:b]`` a slice of channels. Names are those of the table of
    layers; where none is given the graph makes one up.

    Attributes
    ----------
    channels : int
        Number of channels.

    Examples
    --------
    A residual block with a projection from 8 to 16 channels:

    >>> from gpdeep.linearize import Graph
    >>> x = Graph.input(8)
    >>> block = x.dense(16).relu().dense(16) + x.dense(16)
    >>> block.relu()
    Wire(Act 'relu', 16 channels)
    """

    __slots__ = ("channels", "name", "operation", "sources")

    channels: int

    def __init__(self, operation: Operation, sources: Sequence[Wire] = (), name: str | None = None) -> None:
        if not isinstance(operation, Operation):
            raise DomainError(
                f"The operation is {shown(operation)}.",
                "A tensor is made by an operation of gpdeep.linearize.operations.",
                "Start from Graph.input(channels), and use the methods of wires: .dense, .relu, .add and so on.",
            )
        sources = entries("sources", sources, "wires")
        for source in sources:
            if not isinstance(source, Wire):
                raise DomainError(
                    f"An operand is a {type(source).__name__}.",
                    "Tensors of a graph are wires, made by Graph.input(channels) and the methods of wires.",
                    "Leave constants out (no path comes from them), or scale by .scale(factor).",
                )
        self.operation, self.sources, self.name = operation, tuple(sources), name
        try:
            self.channels = operation.channels([source.channels for source in sources])
        except ValueError as error:
            if isinstance(error, DomainError):
                raise
            raise DomainError(
                f"{type(operation).__name__} was given {len(sources)} operands.",
                "It is made of one tensor.",
                "Use the methods of wires: .dense, .relu, .add and so on.",
            ) from error
        count("channels", self.channels, LARGEST)

    def dense(self, channels: int, *, groups: int = 1, name: str | None = None) -> Wire:
        """A linear layer or convolution to `channels`; each of the equal groups of channels by itself."""
        return Wire(Dense(count("channels", channels), count("groups", groups)), [self], name)

    def activation(
        self,
        kind: str = "activation",
        *,
        slopes: ArrayLike | None = None,
        active: ArrayLike | None = None,
        name: str | None = None,
    ) -> Wire:
        """An activation: with slopes for negative arguments (1 is linear), or with a mask of active channels.

        Without either all channels are active, of unknown slope. `active` may be a share between 0 and 1 where a
        channel holds units of both sorts; with slopes it overrides what these say.
        """
        a = None if slopes is None else _per_channel("slopes", slopes, self.channels, -np.inf, np.inf)
        if active is not None:
            p = _per_channel("active", active, self.channels, 0.0, 1.0)
        else:
            p = np.ones(self.channels) if a is None else (a != 1).astype(np.float64)
        return Wire(Act(kind, p, a), [self], name)

    def relu(self, active: ArrayLike | None = None, *, name: str | None = None) -> Wire:
        """A ReLU, on the channels of the mask `active` only: the rest is linear."""
        mask = np.ones(self.channels) if active is None else _per_channel("active", active, self.channels, 0.0, 1.0)
        if ((mask != 0) & (mask != 1)).any():
            raise DomainError(
                "A mask of a ReLU has an entry between 0 and 1.",
                "A channel has its nonlinearity or has lost it.",
                "Give 0 or 1 for each channel; shares of units go to .activation(slopes=..., active=...).",
            )
        return self.activation("relu", slopes=1 - mask, name=name)

    def copy(self, kind: str = "copy", *, name: str | None = None) -> Wire:
        """What makes channel c of channel c alone and is no unit: pooling, dropout, upsampling, softmax."""
        return Wire(Copy(kind, np.ones(())), [self], name)

    def scale(self, factor: ArrayLike, *, name: str | None = None) -> Wire:
        """A multiplication by a constant, or by one for each channel."""
        a = _numbers("factor", factor, -_LARGEST_FACTOR, _LARGEST_FACTOR)
        return Wire(Copy("scale", a**2), [self], name)

    def normalise(self, groups: int | None = None, *, name: str | None = None) -> Wire:
        """Batch normalisation (every channel by itself), or layer and group normalisation in equal groups (1, ...)."""
        parts = self.channels if groups is None else count("groups", groups)
        return Wire(Copy("normalise", np.ones(()), parts), [self], name)

    def add(self, *others: Wire, name: str | None = None) -> Wire:
        """The sum of two tensors or more."""
        return Wire(Add(), [self, *others], name)

    def concat(self, *others: Wire, name: str | None = None) -> Wire:
        """The channels of this tensor, followed by those of the others."""
        return Wire(Concat(), [self, *others], name)

    def index(self, channels: ArrayLike, *, name: str | None = None) -> Wire:
        """The channels with these numbers, from 0; -1 is a structural zero, where no path ends."""
        map_ = as_array(channels)
        if map_.dtype.kind not in "iu" or map_.ndim != 1:
            raise DomainError(
                f"An index map is an array of type {map_.dtype} with {map_.ndim} axes.",
                "It is a list of channel numbers.",
                "Give integers, such as [2, 0, 1, -1].",
            )
        return Wire(Index(map_.astype(np.int64)), [self], name)

    def pad(self, before: int, after: int = 0, *, name: str | None = None) -> Wire:
        """Channels that are zero before and after, as in the shortcut of a ResNet without projections."""
        zeros = [np.full(count("padding", k, least=0), -1) for k in (before, after)]
        return self.index(np.concatenate([zeros[0], np.arange(self.channels), zeros[1]]), name=name)

    def chunk(self, parts: int) -> tuple[Wire, ...]:
        """The channels in equal parts."""
        size, rest = divmod(self.channels, count("parts", parts))
        if rest:
            raise DomainError(
                f"{self.channels} channels are cut into {parts} parts.",
                "The parts are of equal size.",
                "Use slices, x[a:b], for parts of unequal size.",
            )
        return tuple(self[k * size : (k + 1) * size] for k in range(parts))

    def shuffle(self, groups: int, *, name: str | None = None) -> Wire:
        """The channel shuffle: written as a table of `groups` rows, read column by column."""
        if self.channels % count("groups", groups):
            raise DomainError(
                f"{self.channels} channels are shuffled in {groups} groups.",
                "The groups are of equal size.",
                "Give a number of groups that divides the number of channels.",
            )
        return self.index(np.arange(self.channels).reshape(groups, -1).T.ravel(), name=name)

    def flatten(self, positions: int, *, name: str | None = None) -> Wire:
        """Positions written out as channels, those of one channel side by side."""
        return self.index(np.repeat(np.arange(self.channels), count("positions", positions)), name=name)

    def product(
        self, *others: Wire, value: int | None = None, policy: Policy | None = None, name: str | None = None
    ) -> Wire:
        """A product of tensors; `value` is the number of the operand that carries the features (0 is this one)."""
        number = None if value is None else count("value", value, least=0)
        return Wire(Product(number, policy), [self, *others], name)

    def opaque(self, channels: int, found: str, cause: str, change: str, *, name: str | None = None) -> Wire:
        """Something that no path may pass, with the three parts of the message for those that try."""
        return Wire(Opaque(count("channels", channels), found, cause, change), [self], name)

    def __getitem__(self, channels: Any) -> Wire:
        try:
            chosen = np.arange(self.channels)[channels if isinstance(channels, slice) else np.asarray(channels)]
        except (IndexError, TypeError, ValueError) as error:
            raise DomainError(
                f"Channels {shown(channels, 100)} of a tensor of {self.channels} ({error}).",
                "Channels count from 0; a channel that is not there was asked for.",
                "Give a slice, or a list of channel numbers.",
            ) from error
        return self.index(np.atleast_1d(chosen))

    def __add__(self, other: Any) -> Wire:
        return self.add(other) if isinstance(other, Wire) else NotImplemented

    def __radd__(self, other: Any) -> Wire:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # sum([x, y]) begins with 0

    def __sub__(self, other: Any) -> Wire:
        return self.add(other) if isinstance(other, Wire) else NotImplemented

    def __neg__(self) -> Wire:
        return self.scale(-1.0)

    def __mul__(self, other: Any) -> Wire:
        return self.product(other) if isinstance(other, Wire) else self.scale(other)

    def __rmul__(self, other: Any) -> Wire:
        return self.scale(other)

    def __repr__(self) -> str:
        kind = self.name or getattr(self.operation, "kind", "")
        return f"Wire({type(self.operation).__name__}{f' {kind!r}' if kind else ''}, {self.channels} channels)"


def source(channels: int, name: str | None = None) -> Wire:
    """A new input."""
    return Wire(Input(count("channels", channels)), (), name)


def count(name: str, value: Any, most: int = LARGEST, least: int = 1) -> int:
    """`value` as an integer from `least` to `most`."""
    try:
        number = -1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = -1
    if not least <= number <= most:
        raise DomainError(
            f"{name} = {shown(value, 200)} is not an integer from {least} to {most}.",
            f"{name} counts something; a float, zero, a negative number or a list was given.",
            f"Give {name} as an int, such as 16.",
        )
    return number


def _per_channel(name: str, values: ArrayLike, channels: int, low: float, high: float) -> FloatArray:
    numbers = _numbers(name, values, low, high)
    if numbers.shape not in ((), (1,), (channels,)):
        raise DomainError(
            f"{name} has shape {numbers.shape}, for {channels} channels.",
            "There is one number for each channel, or one for all.",
            f"Give {channels} numbers.",
        )
    return np.broadcast_to(numbers, (channels,)).copy()


def _numbers(name: str, values: ArrayLike, low: float, high: float) -> FloatArray:
    given = as_array(values)
    if given.dtype.kind in "biuf":
        with np.errstate(over="ignore"):
            given = given.astype(np.float64)
    with np.errstate(invalid="ignore"):
        fits = given.dtype == np.float64 and ((given >= low) & (given <= high) & np.isfinite(given)).all()
    if not fits or not given.size:
        limits = f"from {low:g} to {high:g}" if np.isfinite(low) else "that are finite"
        raise DomainError(
            f"{name} = {shown(values)} are not numbers {limits}.",
            "NaN, text, nothing, a ragged list or numbers out of range were given.",
            f"Give one number, or one for each channel, {limits}.",
        )
    return given
