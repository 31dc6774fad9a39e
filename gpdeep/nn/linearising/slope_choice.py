"""Which `PartialReLU` takes the place of an activation: what has a slope of its own, and on which axis channels are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import nn

from ...errors import DomainError
from ...gaussian.arguments import whole
from ..modules.partial_relu import PartialReLU, require_finite_slopes
from .channel_axes import Layout

GRANULARITIES = ("channel", "layer", "unit")

_MOST_AXES = 100


@dataclass(frozen=True)
class SlopeChoice:
    """What `replace_activations` was asked for.

    Parameters
    ----------
    granularity : {'channel', 'layer', 'unit'}
    channel_dim : int, mapping of str to int, or None
        Axis for all activations, or by name; None leaves it to the model.
    """

    granularity: str
    channel_dim: int | Mapping[str, int] | None

    def make(
        self, label: str, name: str, found: Layout | None, shape: tuple[int, ...] | None, alpha: Any, like: Any
    ) -> PartialReLU:
        """The module for one activation.

        Parameters
        ----------
        label, name : str
            What messages call the activation, and the name that the new module gets.
        found : (channels, axis) or None
            What the model tells.
        shape : tuple of int or None
            Of the activation's input, with the batch axis.
        alpha : float or tensor
            Slope, or slopes by channel.
        like : torch.Tensor
            Of the type and on the device that slopes shall have.

        Raises
        ------
        DomainError
            The channels are not known, or slopes do not fit or are not finite.
        """
        channels, axis = self._axis(label, name, found, shape)
        slopes = torch.as_tensor(alpha, dtype=like.dtype, device=like.device)
        if not slopes.is_meta:
            require_finite_slopes(label, slopes.double().cpu().numpy())
        size = self._size(label, channels, shape)
        if slopes.numel() == 1:
            slopes = slopes.reshape(())
        elif self.granularity == "layer":
            _refuse(
                label,
                f"its {slopes.numel()} channels have slopes of their own",
                "One slope for the layer cannot start from several.",
                "Use granularity='channel'.",
            )
        elif self.granularity == "unit":
            place = axis - 1 if axis > 0 else axis
            slopes = slopes.reshape([channels if k == place % len(size) else 1 for k in range(len(size))])
        new = PartialReLU(channels, slopes.expand(size).clone(), axis, shape=size)
        new.to(like.device)
        return new

    def _axis(self, label: str, name: str, found: Layout | None, shape: tuple[int, ...] | None) -> Layout:
        """Channels and axis."""
        told = self.channel_dim.get(name) if isinstance(self.channel_dim, Mapping) else self.channel_dim
        told = None if told is None else whole("channel_dim", told, -_MOST_AXES, _MOST_AXES)
        if told is not None and shape is not None:
            if not -len(shape) < told < len(shape):
                why = f"its input of shape {shape} has no axis {told}"
                _refuse(label, why, "Another layout was meant.", "Give an axis of that shape.")
            return shape[told], told
        if found is not None and (told is None or told == found[1]):
            return found
        if found is not None and told is not None:
            return found[0], told
        where = "unknown" if shape is None else f"of shape {shape}"
        _refuse(
            label,
            f"its input is {where}, and which axis holds the channels cannot be told from the layers before it",
            "Axes were moved, merged or split since the last layer of known channels, or there is none.",
            f"Give channel_dim={{'{name}': 1}}, or another axis."
            if shape
            else "Give example=, inputs with a batch axis.",
        )

    def _size(self, label: str, channels: int, shape: tuple[int, ...] | None) -> tuple[int, ...]:
        """The shape of its slopes."""
        if self.granularity == "channel":
            return (channels,)
        if self.granularity == "layer":
            return (1,)
        if shape is None:
            _refuse(
                label, "its number of units is not known", "A slope for each unit needs the shape.", "Give example=."
            )
        return shape[1:]


def reference(model: nn.Module) -> Any:
    """A parameter of real numbers, which new slopes are made like; an empty tensor where there is none."""
    return next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))


def _refuse(label: str, why: str, cause: str, change: str) -> NoReturn:
    raise DomainError(f"{label[0].upper()}{label[1:]} is refused: {why}.", cause, change)
