"""What a node of a graph does: how each of its channels is made of those of its sources.

A node is a tensor seen as a list of channels; kernel taps and positions are not told apart. Every operation says what
it needs of its sources and how many channels it makes, and refuses what does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import DomainError
from ..result import FloatArray, IntArray

Policy = Literal["value", "merge"]


@dataclass(frozen=True, eq=False)
class Input:
    """A source: its channels are where paths start."""

    size: int

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        return self.size


@dataclass(frozen=True, eq=False)
class Dense:
    """A sum over all channels of the same group: a linear layer or a convolution."""

    size: int
    groups: int = 1

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        (inputs,) = sources
        if self.size % self.groups or inputs % self.groups:
            raise DomainError(
                f"A dense node of {self.groups} groups takes {inputs} channels and makes {self.size}.",
                "Groups divide both numbers into equal parts, as in a grouped convolution.",
                "Give a number of groups that divides both.",
            )
        return self.size


@dataclass(frozen=True, eq=False)
class Act:
    """A function of each channel by itself; `active` counts it (1) or not (0), in between a share of its units.

    `slopes` are those for negative arguments where the function is x for positive ones: 0 of a ReLU, 1 of the
    identity; None for other functions.
    """

    kind: str
    active: FloatArray
    slopes: FloatArray | None = None

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        (inputs,) = sources
        if len(self.active) != inputs:
            raise DomainError(
                f"An activation of {len(self.active)} channels follows {inputs} channels.",
                "Masks and slopes have one entry for each channel of the tensor before.",
                f"Give {inputs} entries, or a single number for all of them.",
            )
        return inputs


@dataclass(frozen=True, eq=False)
class Copy:
    """Channel c is made of channel c alone, without a unit: normalisation, pooling, scaling, dropout, softmax.

    `power` is the factor by which a scaling changes the second moment, one number or one for each channel.
    `normalised` is the number of equal groups of channels that are each brought to a mean square of 1, None if none.
    """

    kind: str
    power: FloatArray
    normalised: int | None = None

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        (inputs,) = sources
        if self.power.shape not in ((), (inputs,)):
            raise DomainError(
                f"Factors of shape {self.power.shape} scale {inputs} channels.",
                "There is one factor, or one for each channel.",
                f"Give a number, or {inputs} of them.",
            )
        if self.normalised is not None and inputs % self.normalised:
            raise DomainError(
                f"{inputs} channels are normalised in {self.normalised} groups.",
                "The groups are of equal size.",
                "Give a number of groups that divides the number of channels.",
            )
        return inputs


@dataclass(frozen=True, eq=False)
class Add:
    """Channel c is the sum of channels c of all operands."""

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        return _equal("An addition", sources)


@dataclass(frozen=True, eq=False)
class Concat:
    """The channels of all operands, one after the other."""

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        return sum(sources)


@dataclass(frozen=True, eq=False)
class Index:
    """Channel c is channel `index[c]` of the source, or a structural zero, where no path ends, if that is -1."""

    index: IntArray

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        (inputs,) = sources
        if self.index.ndim != 1 or not len(self.index) or self.index.min() < -1 or self.index.max() >= inputs:
            raise DomainError(
                f"An index map with {self._range()} is applied to {inputs} channels.",
                "Channels count from 0; -1 is a channel that is 0 whatever the input is.",
                f"Give a list of integers from -1 to {inputs - 1}.",
            )
        return len(self.index)

    def _range(self) -> str:
        return f"entries {self.index.min()} to {self.index.max()}" if self.index.size else "no entry"


@dataclass(frozen=True, eq=False)
class Product:
    """Channel c is the product of channels c of all operands, or what else depends on two tensors jointly.

    `value` is the operand that carries the features, None where none is told apart; `policy` how paths pass: by that
    operand alone ("value"), by all like an addition ("merge"), or None: not decided.
    """

    value: int | None = None
    policy: Policy | None = None

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        if self.value is not None and not 0 <= self.value < len(sources):
            raise DomainError(
                f"A product of {len(sources)} operands has operand {self.value} for its value.",
                "Operands count from 0.",
                f"Give an integer from 0 to {len(sources) - 1}.",
            )
        return _equal("A product", sources)


@dataclass(frozen=True, eq=False)
class Opaque:
    """Something that depends on its sources in a way that is not known; what it was, and what to do about it."""

    size: int
    found: str
    cause: str
    change: str

    def channels(self, sources: Sequence[int]) -> int:
        """Number of channels."""
        return self.size

    def error(self) -> DomainError:
        """The refusal of a path through it."""
        return DomainError(self.found, self.cause, self.change)


Operation = Input | Dense | Act | Copy | Add | Concat | Index | Product | Opaque


@dataclass(frozen=True, eq=False)
class Node:
    """A tensor of a graph: its name, what makes it, of which nodes (their numbers), and how many channels it has."""

    name: str
    operation: Operation
    sources: tuple[int, ...]
    channels: int


def _equal(what: str, sources: Sequence[int]) -> int:
    if not sources or len(set(sources)) > 1:
        raise DomainError(
            f"{what} has operands of {', '.join(map(str, sources)) or 'no'} channels.",
            "Operands have the same number of channels; a zero-padded shortcut is an index map with -1.",
            "Pad the smaller operand with .pad(before, after), or project it with .dense(channels).",
        )
    return sources[0]
