r"""A ReLU whose channels can become linear one by one.

    φ_a(x) = max(x, 0) + a min(x, 0),      a = 0: ReLU,   a = 1: identity

Each channel has its own slope a, a parameter; a mask says which channels are frozen at 1 for good. A frozen channel is
the identity to the last bit, and its slope has no gradient. A unit counts as active as long as it is not frozen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from ...errors import DomainError
from ...gaussian.arguments import as_array, shown, whole, wholes
from ...result import FloatArray

_MOST = 10**8  # channels; as many slopes take seconds to make


class PartialReLU(nn.Module):  # type: ignore[misc]
    """Channel-wise PReLU with channels that are frozen to be linear.

    Parameters
    ----------
    num_channels : int
        Channels C of its input.
    alpha : float or array_like, shape as the slopes
        Slopes to start from; 0 is the ReLU, with its gradient (at x = 0, too).
    channel_dim : int
        Axis of the channels: 1 after convolutions and in batches of vectors, -1 where vectors come in sequences.
    shape : tuple of int, optional
        Of the slopes: (C,) by default; (1,) is one slope for all channels; the shape of one input, without the batch
        axis, is a slope for each unit (its axis `channel_dim` - 1 has length C).

    Attributes
    ----------
    alpha : torch.nn.Parameter
        Slopes. Where frozen the number does not matter.
    frozen : torch.Tensor of bool
        A buffer of the same shape: it is saved with the state, copied, and moved.
    granularity : {'channel', 'layer', 'unit'}
        What has a slope of its own.

    Raises
    ------
    DomainError
        An argument is not what its name says.

    Notes
    -----
    A module that is called several times is as many activations with one set of slopes. `torch.nn.PReLU` computes the
    same where nothing is frozen; it has the channels on axis 1.

    Examples
    --------
    >>> phi = PartialReLU(3, alpha=0.25)
    >>> phi.freeze(torch.tensor([False, True, False]))
    1
    >>> phi(torch.tensor([[-4.0, -4.0, 2.0]])), phi.channel_slopes()
    (tensor([[-1., -4.,  2.]], grad_fn=<PreluKernelBackward0>), tensor([0.2500, 1.0000, 0.2500]))
    """

    alpha: Any
    frozen: Any

    def __init__(
        self, num_channels: int, alpha: Any = 0.0, channel_dim: int = 1, *, shape: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.num_channels = whole("num_channels", num_channels, 1, _MOST)
        self.channel_dim = whole("channel_dim", channel_dim, -_MOST, _MOST)
        size = (self.num_channels,) if shape is None else tuple(wholes("shape", shape, 1, _MOST))
        self.granularity = self._granularity(size)
        self.alpha = nn.Parameter(_start(alpha, size))
        self.register_buffer("frozen", torch.zeros(size, dtype=torch.bool))

    def slopes(self) -> Any:
        """The slopes in use, 1 where frozen; differentiable in `alpha` elsewhere."""
        return torch.where(self.frozen, torch.ones_like(self.alpha), self.alpha)

    def channel_slopes(self) -> Any:
        """Slopes per channel, shape (C,), detached: exactly 1 where the channel is linear.

        With a slope for each unit it is the mean over a channel's positions, 1 only where all of them are.
        """
        slopes = self.slopes().detach()
        if self.granularity == "layer":
            return slopes.expand(self.num_channels).clone()
        if self.granularity == "channel":
            return slopes.clone()
        per_unit = slopes.movedim(self._axis(slopes.dim() + 1) - 1, 0).flatten(1)
        mean = per_unit.mean(1)
        below = torch.nextafter(torch.ones_like(mean), torch.zeros_like(mean))
        linear = (per_unit == 1).all(1)
        return torch.where(linear, torch.ones_like(mean), torch.where(mean == 1, below, mean))

    def freeze(self, mask: Any) -> int:
        """Make the units of `mask` linear, for good.

        Parameters
        ----------
        mask : torch.Tensor of bool
            Of the shape of `alpha`, or broadcasts to it.

        Returns
        -------
        int
            Units that were not frozen before.
        """
        chosen = _mask(mask, self.frozen)
        with torch.no_grad():
            new = int((chosen & ~self.frozen).sum())
            self.frozen |= chosen
            self.alpha.masked_fill_(self.frozen, 1.0)
        return new

    def forward(self, x: Any) -> Any:
        """φ(x), channel by channel."""
        axis = self._axis(x.dim())
        if not 0 <= axis < x.dim() or x.shape[axis] != self.num_channels:
            raise DomainError(
                f"An input of shape {tuple(x.shape)} has not {self.num_channels} channels on axis {self.channel_dim}.",
                "The channels are on another axis, or the activation belongs to another layer.",
                "Give channel_dim=-1 where vectors come in sequences, 1 after convolutions.",
            )
        slopes = self.slopes().to(x.dtype)
        if self.granularity == "unit" or x.dim() == 1:
            return torch.where(x > 0, x, slopes * x)
        if axis == 1 or self.granularity == "layer":
            return F.prelu(x, slopes)  # saves x alone for the backward pass
        return F.prelu(x.transpose(axis, 1), slopes).transpose(axis, 1)

    def extra_repr(self) -> str:
        """Size, axis, and how many are frozen."""
        text = f"{self.num_channels}, channel_dim={self.channel_dim}, granularity={self.granularity}"
        return f"{text}, frozen={int(self.frozen.sum())}/{self.frozen.numel()}"

    def _axis(self, dimensions: int) -> int:
        return self.channel_dim + dimensions if self.channel_dim < 0 else self.channel_dim

    def _granularity(self, shape: tuple[int, ...]) -> str:
        """What slopes of a shape belong to; refuses shapes that do not fit."""
        axis = self._axis(len(shape) + 1) - 1
        if len(shape) > 1 and 0 <= axis < len(shape) and shape[axis] == self.num_channels:
            return "unit"
        if shape not in ((1,), (self.num_channels,)):
            raise DomainError(
                f"Slopes of shape {shape} do not fit {self.num_channels} channels on axis {self.channel_dim}.",
                "Slopes are one for each channel, one for all, or one for each unit of an input (without batch axis).",
                f"Leave shape out, give (1,), or give a shape with {self.num_channels} channels.",
            )
        return "channel" if shape == (self.num_channels,) else "layer"


def require_finite_slopes(label: str, slopes: FloatArray) -> None:
    """Refuse slopes of the activation `label` that a training left without a value."""
    bad = np.count_nonzero(~np.isfinite(slopes))
    if bad:
        raise DomainError(
            f"{bad} of {np.size(slopes)} slopes of {label} are NaN or infinite.",
            "The training diverged: such a channel is neither linear nor not.",
            "Go back to a state in which all are finite; train with a smaller rate or clipped gradients.",
        )


def require_finite_slopes_of(label: str, module: nn.Module) -> None:
    """The same for the slopes in use of a `PartialReLU` or `torch.nn.PReLU`; any other module passes."""
    if isinstance(module, PartialReLU):
        slopes = module.slopes()
    elif type(module) is nn.PReLU and not is_lazy(module.weight):
        slopes = module.weight
    else:
        return
    if not (slopes.is_meta or torch.isfinite(slopes).all()):
        require_finite_slopes(label, slopes.detach().double().cpu().numpy())


def _mask(mask: Any, frozen: Any) -> Any:
    """`mask` as truth values of the shape of `frozen`."""
    try:
        given = mask.detach() if isinstance(mask, torch.Tensor) else torch.as_tensor(np.array(as_array(mask)))
        usable = given.dtype == torch.bool or (not given.is_complex() and bool(((given == 0) | (given == 1)).all()))
        return (given if usable else given.new_empty(0, 0)).to(frozen.device, torch.bool).expand_as(frozen)
    except (RuntimeError, TypeError, ValueError) as error:
        raise DomainError(
            f"The mask is {shown(mask)}.",
            "It has another shape than the slopes, or holds something else than truth values.",
            f"Give True or False for each slope, shape {tuple(frozen.shape)}.",
        ) from error


def partial_relus(model: nn.Module) -> Iterator[tuple[str, PartialReLU]]:
    """The `PartialReLU` modules of a model with their names, each once, in the order of registration."""
    for name, module in model.named_modules():
        if isinstance(module, PartialReLU):
            yield name or "(the model itself)", module


def _start(alpha: Any, shape: tuple[int, ...]) -> Any:
    """Slopes to start from, in torch's default type or that of `alpha`."""
    try:
        tensor = isinstance(alpha, torch.Tensor)
        given = alpha.detach() if tensor else torch.as_tensor(np.array(as_array(alpha)), device="cpu")
        usable = not given.is_complex() and given.dtype != torch.bool
        given = given if usable else given.new_zeros((), dtype=torch.float32)
        own = (tensor or isinstance(alpha, np.ndarray)) and given.is_floating_point()
        start = given.to(given.dtype if own else torch.get_default_dtype()).expand(shape).clone()
        usable = usable and bool(torch.isfinite(start).all())
        start = start if tensor else start.to(torch.get_default_device())
    except (RuntimeError, TypeError, ValueError):
        usable = False
    if not usable:
        raise DomainError(
            f"alpha = {shown(alpha, 200)} are not slopes of shape {shape}.",
            "A slope is a finite number: 0 for ReLU, 1 for a linear channel, 0.01 for torch's LeakyReLU.",
            f"Give a number, or numbers of shape {shape}.",
        )
    return start
