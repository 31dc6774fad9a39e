r"""The weights of an ensemble in one matrix, a row a member, so that a step of the optimiser is a few operations.

    W^l_m, b^l_m  are views of row m of P of shape (M, parameters);  their gradients are views of G

A norm over all layers of a member is a sum along a row, a learning rate for each member a column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from .members import Ensemble


@dataclass(frozen=True, eq=False)
class FlatMembers:
    """Parameters P and gradients G, shape (M, parameters), that the ensemble's own tensors are views of.

    Attributes
    ----------
    values, gradients : torch.Tensor, shape (M, parameters)
    layers : tuple of slice
        Columns of the weights of each layer, without biases.
    parameters, views : list of torch.Tensor
        The ensemble's own tensors, and where in `gradients` theirs belong.
    """

    values: Any
    gradients: Any
    layers: tuple[slice, ...]
    parameters: list[Any]
    views: list[Any]

    @classmethod
    def of(cls, ensemble: Ensemble) -> FlatMembers:
        """Move the parameters of `ensemble` into one matrix; they stay the same objects."""
        parameters = [p for pair in zip(ensemble.weights, ensemble.biases, strict=True) for p in pair]
        sizes = [p[0].numel() for p in parameters]
        values = torch.cat([p.detach().reshape(ensemble.members, -1) for p in parameters], dim=1)
        gradients = torch.zeros_like(values)
        start, layers, views = 0, [], []
        for parameter, size in zip(parameters, sizes, strict=True):
            shape = parameter.shape
            parameter.data = values[:, start : start + size].view(shape)
            views.append(gradients[:, start : start + size].view(shape))
            layers.append(slice(start, start + size))
            start += size
        return cls(values, gradients, tuple(layers[::2]), parameters, views)

    def differentiate(self, cost: Any) -> None:
        """Put ∂cost/∂P into G."""
        with torch.no_grad():
            torch._foreach_copy_(self.views, torch.autograd.grad(cost, self.parameters))

    def squared_norms(self) -> Any:
        """|G_m|² of every member, shape (M,)."""
        return self.gradients.square().sum(1)

    def layer_norms(self) -> Any:
        """|∂C/∂W^l| of every member and layer, shape (M, layers)."""
        return torch.stack([self.gradients[:, columns].norm(dim=1) for columns in self.layers], dim=1)
