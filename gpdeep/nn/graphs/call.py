"""One operation of a forward pass, as a rule sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import torch
from torch import nn

from ...errors import DomainError
from ...linearize.operations import Policy
from ...linearize.wires import Wire
from ..modules.partial_relu import require_finite_slopes
from .channel_labels import (
    Blocked,
    State,
    Tracked,
    WrongAxisError,
    aligned,
    fresh,
    gathered,
    joint,
    raw_inputs,
    remade,
    reshaped,
)
from .feature_operand import GATES, feature_operand
from .measured_moments import Moments
from .nested_tensors import tensors


class RefusedError(DomainError):
    """An operation whose channels cannot be followed; an error only where paths would run through it."""


@dataclass(eq=False)
class Call:
    """An operation on tensors that depend on the input, and the tools of a rule.

    A rule returns the `Tracked` tensor that the result is, a tuple of them for several results, or None for a
    result that does not depend on the input.

    Attributes
    ----------
    name : str
        Of the function or method, in-place and operator forms under one name; of a module its class.
    label : str
        How messages call it.
    path, place : str
        The name that a node of the graph gets, and that of the module around it.
    args, kwargs
        As the operation was given them.
    result
        What it returned.
    module : torch.nn.Module or None
        The module, for rules of modules.
    """

    name: str
    label: str
    path: str
    place: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    states: Callable[[Any], State | None]
    where: Callable[[], str]
    function: Any = None
    module: nn.Module | None = None
    policy: Policy | None = None
    guessing: bool = False
    moments: Moments | None = None
    values: dict[int, torch.Tensor] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------ what was given

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument, given by position or by name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    def state(self, value: Any) -> State | None:
        """What is known of a tensor; None for one that does not depend on the input."""
        return self.states(value) if isinstance(value, torch.Tensor) else None

    @property
    def inputs(self) -> list[State]:
        """What depends on the input among the arguments, in order."""
        found = (self.state(value) for value in tensors((self.args, self.kwargs)))
        return [state for state in found if state is not None]

    @property
    def first(self) -> Tracked:
        """The first of them, which must be known; the channels of most operations are its."""
        return self.known(self.inputs[0])

    def known(self, state: State | None) -> Tracked:
        """`state`, if it is known; else the operation is refused for the same reason."""
        if isinstance(state, Blocked):
            raise RefusedError(state.found, state.cause, state.change)
        if state is None:
            self.refuse("it is given tensors in an order that is not expected")
        return state

    def value(self, tensor: torch.Tensor) -> torch.Tensor:
        """The numbers of an argument before the operation, which may have worked in place."""
        return self.values.get(id(tensor), tensor)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result, or of the first of several."""
        return tuple(next(tensors(self.result)).shape)

    # ------------------------------------------------------------------------------------------ what it does

    def copy(self, kind: str = "copy", *, power: Any = 1.0, of: Tracked | None = None) -> Tracked:
        """Channel c of channel c, also at other positions; `power` is the factor of the second moment."""
        tracked = of or self.first
        scaled = np.asarray(power, dtype=np.float64)
        if kind == "scale":
            return remade(tracked, lambda wire: wire.scale(np.sqrt(scaled)), shape=self.shape, pointwise=True)
        made = remade(tracked, lambda wire: wire.copy(kind), shape=self._shape_for(tracked))
        return made

    def same(self, of: Tracked | None = None) -> Tracked:
        """The very channels of the operand: identity, dropout, adding a constant."""
        tracked = of or self.first
        return Tracked(tracked.wire, aligned(tracked.labels, len(self.shape)), self.shape, tracked.root)

    def activation(
        self, kind: str, *, slopes: Any = None, axis: int | None = None, active: Any = None, of: Tracked | None = None
    ) -> Tracked:
        """A unit for each channel; `slopes` are for negative arguments (it is x for positive ones), along `axis`."""
        tracked = of or self.first
        given = None if slopes is None else np.asarray(slopes, dtype=np.float64)
        if given is not None:
            self.require_finite(given)
            kind = "linear" if (given == 1).all() else kind
        share = None if active is None else np.asarray(active, dtype=np.float64)
        if axis is not None and (np.size(slopes) > 1 or np.size(active) > 1):
            size = max(np.size(slopes), np.size(active))
            place = tuple(size if k == axis % len(tracked.shape) else 1 for k in range(len(tracked.shape)))
            whole = torch.broadcast_shapes(tuple(tracked.labels.shape), place)
            tracked = Tracked(tracked.wire, tracked.labels.expand(whole), tracked.shape, tracked.origin)
            given, share = (
                None if each is None else np.broadcast_to(each.reshape(place), tuple(whole)).ravel()
                for each in (given, share)
            )
        elif tracked.labels.numel() > tracked.wire.channels:  # channels at many positions, as after a pixel shuffle
            return self._once_each(tracked, kind, given, share)
        name = self.path
        return remade(
            tracked, lambda wire: wire.activation(kind, slopes=given, active=share, name=name), pointwise=True
        )

    def require_finite(self, slopes: Any) -> None:
        """Refuse slopes that are NaN or infinite."""
        around = f" in '{self.place}'" if self.module is None and self.place else ""
        require_finite_slopes(f"{self.label[0].lower()}{self.label[1:]}{around}", slopes)

    def _once_each(self, tracked: Tracked, kind: str, slopes: Any, active: Any) -> Tracked:
        """An activation of a tensor in which channels come several times, along one axis (as flattened) or more."""
        if sum(1 for n in tracked.labels.shape if n > 1) > 1:
            wire = tracked.wire.activation(kind, slopes=slopes, active=active, name=self.path)
            return Tracked(wire, tracked.labels, tracked.shape, tracked.root)
        return remade(
            tracked,
            lambda wire: wire.activation(kind, slopes=slopes, active=active, name=self.path),
            pointwise=True,
        )

    def normalise(self, groups: int | None = None, *, of: Tracked | None = None, power: Any = None) -> Tracked:
        """A normalisation: of every channel by itself, or of equal groups of channels."""
        tracked = of or self.first
        made = remade(tracked, lambda wire: wire.normalise(groups))
        return made if power is None else self.copy("scale", power=power, of=made)

    def dense(self, *, channels: int | None = None, axis: int | None = None, of: Tracked | None = None) -> Tracked:
        """Every channel of all channels; they lie along `axis` of the result (where those of the operand lay)."""
        tracked = of or self.first
        if axis is None:
            lies = [k for k in range(len(tracked.shape)) if tracked.holds_channels(k)]
            axis = lies[0] if lies and lies[0] < len(self.shape) else min(1, len(self.shape) - 1)
        axis %= len(self.shape)
        size = channels or self.shape[axis]
        wire = gathered(tracked.wire, tracked.labels).dense(size, name=self.path)
        place = tuple(size if k == axis else 1 for k in range(len(self.shape)))
        return Tracked(wire, torch.arange(1, size + 1).reshape(place), self.shape)

    def add(self, operands: Sequence[tuple[torch.Tensor, Tracked]] | None = None) -> Tracked:
        """The sum of several tensors, channel by channel."""
        parts = operands or [(t, self.known(s)) for t in tensors((self.args, self.kwargs)) if (s := self.state(t))]
        if len(parts) == 1:
            return self.same(parts[0][1])
        labels = self._joint([tracked for _, tracked in parts])
        wires = [gathered(tracked.wire, label) for (_, tracked), label in zip(parts, labels, strict=True)]
        wire = wires[0].add(*wires[1:], name=self._named("add"))
        if self.moments is not None:
            values = [self.value(t).expand(self.shape) if t.numel() else t for t, _ in parts]
            self.moments.operands(wire, [self.moments.of(v, labels[0]) for v in values])
        present = torch.stack(list(labels)).amax(dim=0)
        roots = {id(tracked.root): tracked.root for _, tracked in parts}
        root = next(iter(roots.values())) if len(roots) == 1 else None
        return Tracked(wire, fresh(present), self.shape, root if root and root.shape == self.shape else None)

    def product(
        self,
        operands: Sequence[State],
        value: int | None = None,
        *,
        guess: bool = True,
        shape: tuple[int, ...] | None = None,
    ) -> Tracked:
        """A product of tensors; `value` is the operand that carries the features, by its looks if it is not given."""
        shape = shape or self.shape
        number = feature_operand(operands) if value is None and guess else value
        parts = list(operands)
        tracked = [state for state in parts if isinstance(state, Tracked)]
        if number is not None and isinstance(parts[number], Tracked) and joint(tracked, shape) is None:
            reason = "its channels lie along other axes than those of the features: the channel axis is lost"
            parts = [s if k == number else self._as_gate(s, reason) for k, s in enumerate(parts)]
            tracked = [s for s in parts if isinstance(s, Tracked)]
        if not tracked:
            self.known(operands[0])
        labels = self._joint(tracked, shape)
        places = iter(labels)
        wires = [gathered(s.wire, next(places)) if isinstance(s, Tracked) else s.wire(labels[0].numel()) for s in parts]
        wire = wires[0].product(*wires[1:], value=number, policy=self.policy, name=self._named("mul"))
        return Tracked(wire, fresh(torch.stack(labels).amax(dim=0)), shape)

    def _as_gate(self, state: State, why: str) -> State:
        """A gate whose own channels are not followed."""
        if isinstance(state, Blocked):
            return state
        return Blocked(
            f"A gate of {self.label}{self.where()} cannot be followed: {why}.",
            "It acts on features whose channels it does not share one by one.",
            'Use products="value", by which no path runs through gates.',
            (state.wire,),
            gate=True,
        )

    def refuse(self, why: str, change: str = "") -> NoReturn:
        """The operation cannot be followed; an error where a path would run through its result."""
        raise RefusedError(
            f"{self.label}{self.where()} cannot be followed: {why}.",
            "Path lengths need to know of which channels each channel is made.",
            change
            or "Say so by gpdeep.nn.register_rule(op, rule), for the operation or for the module around it, or write "
            "that part otherwise.",
        )

    def blocked(self, found: str, cause: str, change: str, *, condition: bool = False) -> Blocked:
        """A result that no path may run through, with the three parts of the message for those that try."""
        wires = {id(w): w for s in self.inputs for w in ((s.wire,) if isinstance(s, Tracked) else s.wires)}
        roots = [s.root if isinstance(s, Tracked) else s.origin for s in self.inputs]
        one = condition and all(root is roots[0] for root in roots)
        gate = condition or self.name in GATES or all(isinstance(s, Blocked) and s.gate for s in self.inputs)
        return Blocked(found, cause, change, tuple(wires.values()), roots[0] if one else None, gate)

    # ------------------------------------------------------------------------------------------ helpers

    def channels(self, tracked: Tracked, axis: int) -> Wire:
        """A wire with the channels along an axis; where they are others at other positions, the sum of these."""
        axis %= len(tracked.shape)
        other = [k for k in range(len(tracked.shape)) if k != axis and tracked.varies(k)]
        if not other:
            return gathered(tracked.wire, tracked.labels.reshape(-1).expand(tracked.shape[axis]))
        self.try_another_axis(tracked)
        rows = tracked.labels.movedim(axis, 0).flatten(1)
        sets = [[label for label in row.unique().tolist() if label] for row in rows]
        members = [label for row in sets for label in row]
        size = max(map(len, sets))
        if len(rows) < tracked.shape[axis] or len(set(members)) < len(members) or not size:
            self.misplaced(tracked, axis, other)
        table = torch.tensor([row + [0] * (size - len(row)) for row in sets])
        if size == 1:
            return gathered(tracked.wire, table)
        return gathered(tracked.wire, table).dense(len(table), groups=len(table))

    def misplaced(self, tracked: Tracked, axis: int, other: Sequence[int]) -> NoReturn:
        """Refuse to mix an axis that does not hold the channels; or try another axis of the input."""
        self.try_another_axis(tracked)
        self.refuse(
            f"it takes its channels along axis {axis}, and the channels of its input lie along "
            f"{'axis' if len(other) == 1 else 'axes'} {', '.join(map(str, other))}"
        )

    def try_another_axis(self, tracked: Tracked, layer: bool = True) -> None:
        """Where the axis of an input's channels is a guess and no layer has confirmed it, try another one."""
        inputs = raw_inputs(tracked.wire) if self.guessing else ()
        if inputs:
            raise WrongAxisError(inputs, layer)

    def spatial(self, tracked: Tracked, kind: str, axes: Sequence[int]) -> Tracked:
        """A pooling or resizing over axes of positions."""
        lost = [k for k in axes if tracked.varies(k)]
        if lost:
            self.try_another_axis(tracked, layer=False)
            self.refuse(f"it mixes positions along axis {lost[0]}, where the channels of its input lie")
        return reshaped(remade(tracked, lambda wire: wire.copy(kind)), self.shape)

    def _shape_for(self, tracked: Tracked) -> tuple[int, ...]:
        """The result's shape, in which the channels must still have their axes."""
        shape = self.shape
        if len(shape) != len(tracked.shape) or any(
            tracked.varies(k) and shape[k] != tracked.shape[k] for k in range(len(shape))
        ):
            self.refuse(f"it makes the shape {shape} of {tracked.shape}, and where channels lie then is not known")
        return shape

    def _joint(self, tracked: list[Tracked], shape: tuple[int, ...] | None = None) -> list[torch.Tensor]:
        found = joint(tracked, shape or self.shape)
        if found is None:
            self.refuse("it joins tensors whose channels lie along different axes: the channel axis is lost")
        return found

    def _named(self, kind: str) -> str:
        return f"{self.place}.{kind}" if self.place else kind
