"""What a model is called with to read its graph, and along which axes of its inputs the channels lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ...errors import DomainError
from ...gaussian.arguments import shown
from ...linearize.wires import Wire, source
from ..arguments import native, real_inputs
from .channel_labels import Tracked

# Axes that may hold the channels, by the number of axes, the likeliest first; None: there is one channel.
_CHOICES: dict[int, tuple[int | None, ...]] = {
    0: (None,),
    1: (0, None),
    2: (1, None),
    3: (1, 2, 0, None),
    4: (1, 3, 0, None),
    5: (1, 4, 0, None),
}

_MOST_NUMBERS = 10**8  # of an example that is drawn


class Arguments:
    """Arguments of a forward, by position and by name; arrays become tensors of the model's type, on its device."""

    def __init__(self, model: nn.Module, example: Any) -> None:
        self.args: list[Any] = []
        self.kwargs: dict[str, Any] = {}
        if isinstance(example, Mapping):
            self.kwargs = {str(name): _tensor(model, x) for name, x in example.items()}
        elif isinstance(example, (tuple, list)) and example and all(type(n) is int for n in example):
            self.args = [_of_shape(model, tuple(example))]
        elif isinstance(example, (tuple, list)) and any(isinstance(x, (torch.Tensor, np.ndarray)) for x in example):
            self.args = [_tensor(model, x) for x in example]
        else:
            self.args = [_tensor(model, example)]

    def copied(self) -> tuple[list[Any], dict[str, Any], list[tuple[str, torch.Tensor]]]:
        """Copies, which a forward may overwrite; and the tensors among them, with names."""
        args = [_copy(x) for x in self.args]
        kwargs = {name: _copy(x) for name, x in self.kwargs.items()}
        named = [(f"input{k}", x) for k, x in enumerate(args)] + list(kwargs.items())
        inputs = [(name, x) for name, x in named if isinstance(x, torch.Tensor)]
        return args, kwargs, [("input", x) for _, x in inputs] if len(inputs) == 1 else inputs


class ChannelAxes:
    """The axis of each input that holds its channels: given, or a guess that the first layers confirm or refute."""

    def __init__(self, given: int | Sequence[int] | None) -> None:
        self._given = given
        self.guessing = given is None
        self._refuted: dict[str, int] = {}
        self._mixed: set[str] = set()
        self._axes: dict[str, int] = {}

    def refute(self, names: Sequence[str], layer: bool) -> None:
        """Take the next guess for these inputs; the first ones for good, where there is none left.

        That there is no axis of channels at all (or that it is the first) is for layers to say.
        """
        for name in names:
            self._refuted[name] = self._refuted.get(name, 0) + 1
            self._mixed |= set() if layer else {name}
            if self._refuted[name] >= len(self._choices(name)):
                self.guessing, self._refuted = False, {}
                return

    def _choices(self, name: str) -> tuple[int | None, ...]:
        choices = _CHOICES.get(self._axes[name], (1, self._axes[name] - 1, None))
        return choices[: 1 if len(choices) < 4 else 2] if name in self._mixed else choices

    def input(self, name: str, number: int, x: torch.Tensor) -> Tracked:
        """An input as a wire; of integers (words) there is one channel."""
        self._axes[name] = x.ndim
        axis = self._axis(name, number, x) if x.is_floating_point() else None
        channels = 1 if axis is None or not x.ndim else int(x.shape[axis])
        place = [channels if k == axis else 1 for k in range(x.ndim)]
        wire: Wire = source(max(channels, 1), name)
        return Tracked(wire, torch.arange(1, channels + 1).reshape(place), tuple(x.shape))

    def _axis(self, name: str, number: int, x: torch.Tensor) -> int | None:
        if self._given is None:
            return self._choices(name)[self._refuted.get(name, 0)]
        axes: list[Any] | None = list(self._given) if isinstance(self._given, (list, tuple)) else None
        axis = self._given if axes is None else axes[number] if number < len(axes) else None
        if not isinstance(axis, int) or isinstance(axis, bool) or not -x.ndim <= axis < max(x.ndim, 1):
            raise DomainError(
                f"channel_axis = {shown(self._given)}, for input {number} of shape {tuple(x.shape)}.",
                "It is the number of an axis of the input, or a list with one for each input.",
                "Give channel_axis=1, or -1 for sequences of vectors.",
            )
        return int(axis % max(x.ndim, 1))


def _of_shape(model: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """Random numbers of a shape, from a fixed seed."""
    if min(shape) < 1 or math.prod(shape) > _MOST_NUMBERS:
        raise DomainError(
            f"The example has the shape {shape}.",
            "A tuple of integers is the shape of one input, batch included.",
            f"Give positive integers such as (1, 3, 32, 32), for {_MOST_NUMBERS} numbers at most, or a tensor.",
        )
    made: torch.Tensor = _tensor(model, torch.randn(shape, generator=torch.Generator().manual_seed(0)).numpy())
    return made


def _tensor(model: nn.Module, x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return x.detach()
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    array = torch.as_tensor(native(real_inputs(x)))
    like = next(iter(model.parameters()), None)
    dtype = like.dtype if like is not None else torch.get_default_dtype()
    return array.to(device=None if like is None else like.device, dtype=dtype if array.is_floating_point() else None)


def _copy(x: Any) -> Any:
    return x.clone() if isinstance(x, torch.Tensor) else x
