r"""The weights of an ensemble in one matrix, a row a member, so that a step of the optimiser is a few operations.

    W^l_m, b^l_m  are views of row m of P of shape (M, parameters);  their gradients are views of G

A norm over all layers of a member is a sum along a row, a learning rate for each member a column. What belongs to a
layer begins at a multiple of 32 numbers; the zeros between stay zero. A product of the way
back writes a gradient where it belongs: what autograd would hand over has to be copied, and at widths where a layer of
all members no longer fits into the cache that takes as long as an eighth of the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from .alignment import affine, product, rounded_up
from .members import Ensemble


@dataclass(frozen=True, eq=False)
class FlatMembers:
    """Parameters P and gradients G, shape (M, parameters), that the ensemble's own tensors are views of.

    Attributes
    ----------
    values, gradients : torch.Tensor, shape (M, parameters)
    layers : tuple of slice
        Columns of the weights of each layer, without biases.
    parameters : list of torch.nn.Parameter
        The ensemble's own.
    weights, biases : list of torch.Tensor
        Where in `gradients` those of each layer belong.
    """

    values: Any
    gradients: Any
    layers: tuple[slice, ...]
    parameters: list[Any]
    weights: list[Any]
    biases: list[Any]

    @classmethod
    def of(cls, ensemble: Ensemble) -> FlatMembers:
        """Move the parameters of `ensemble` into one matrix; they stay the same objects."""
        parameters = [p for pair in zip(ensemble.weights, ensemble.biases, strict=True) for p in pair]
        sizes = [p[0].numel() for p in parameters]
        values = parameters[0].new_zeros((ensemble.members, sum(map(rounded_up, sizes))), requires_grad=False)
        gradients = torch.zeros_like(values)
        start, layers, views = 0, [], []
        for parameter, size in zip(parameters, sizes, strict=True):
            shape = parameter.shape
            values[:, start : start + size] = parameter.detach().flatten(1)
            parameter.data = values[:, start : start + size].view(shape)
            views.append(gradients[:, start : start + size].view(shape))
            layers.append(slice(start, start + size))
            start += rounded_up(size)
        return cls(values, gradients, tuple(layers[::2]), parameters, views[::2], views[1::2])

    def release(self) -> None:
        """Give the ensemble's tensors memory of their own again: a view is pickled with all that it is a view of."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)

    def outputs(self, ensemble: Ensemble, x: Any) -> Any:
        """Those of `ensemble` for `x`; `backward` of what is made of them fills G."""
        places = zip(self.biases, self.weights, strict=True)
        return ensemble.outputs(x, lambda b, a, W: _Dense.apply(b, a, W, *next(places)))

    def squared_norms(self) -> Any:
        """|G_m|² of every member, shape (M,)."""
        return torch.linalg.vector_norm(self.gradients, dim=1).square()

    def layer_norms(self) -> Any:
        """|∂C/∂W^l| of every member and layer, shape (M, layers)."""
        return torch.stack([self.gradients[:, columns].norm(dim=1) for columns in self.layers], dim=1)


class _Dense(torch.autograd.Function):  # type: ignore[misc]
    """b + a W of all members; ∂C/∂b and ∂C/∂W are written to their places, and autograd is handed none."""

    @staticmethod
    def forward(ctx: Any, b: Any, a: Any, W: Any, place_b: Any, place_W: Any) -> Any:
        ctx.save_for_backward(a, W)
        ctx.places = place_b, place_W
        return affine(b, a, W)

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, slope: Any) -> tuple[Any, ...]:
        a, W = ctx.saved_tensors
        place_b, place_W = ctx.places
        torch.sum(slope, 1, keepdim=True, out=place_b)
        torch.bmm(a.mT, slope, out=place_W)
        return None, product(slope, W.mT) if ctx.needs_input_grad[1] else None, None, None, None
