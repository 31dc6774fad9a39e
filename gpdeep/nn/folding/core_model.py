"""A core network as a torch module, to be run, timed or trained further."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...errors import DomainError
from ...linearize.normal_form import CoreNetwork
from ..arguments import kind_of
from ..modules.partial_relu import PartialReLU


class CoreModel(nn.Module):  # type: ignore[misc]
    """What a `gpdeep.linearize.CoreNetwork` computes, as a densely connected network of linear layers.

    Parameters
    ----------
    core : CoreNetwork
    dtype : torch.dtype, optional
        Of its parameters; torch's default type if not given.

    Raises
    ------
    DomainError
        `core` is no core network.

    Examples
    --------
    >>> from gpdeep.linearize import core_network
    >>> core = core_network([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], None, [[0.0, 1.0]])
    >>> CoreModel(core)(torch.tensor([[-1.0, 2.0], [3.0, 2.0]])).tolist()
    [[2.0], [5.0]]
    """

    def __init__(self, core: CoreNetwork, dtype: Any = None) -> None:
        super().__init__()
        if not isinstance(core, CoreNetwork):
            raise DomainError(
                f"A {type(core).__name__} was given where a CoreNetwork is needed.",
                "The model itself was passed.",
                "Give gpdeep.nn.core_network(model).",
            )
        dtype = kind_of(dtype, "cpu")["dtype"]
        self.segments = nn.ModuleList(
            nn.ModuleDict(
                {
                    "layers": nn.ModuleList(_linear(matrix, dtype) for matrix in part.matrices),
                    "activations": nn.ModuleList(_activation(slopes, dtype) for slopes in part.slopes),
                    "output": _linear(part.output, dtype),
                    "cut": _activation(part.output_slopes, dtype, freeze=True),
                }
            )
            for part in core.segments
        )

    def forward(self, x: Any) -> Any:
        """The outputs for inputs of shape (..., d)."""
        for segment in self.segments:
            known = x
            for layer, phi in zip(segment["layers"], segment["activations"], strict=True):
                known = torch.cat([known, phi(layer(known))], dim=-1)
            x = segment["cut"](segment["output"](known))
        return x


def _linear(matrix: Any, dtype: Any) -> nn.Linear:
    """The layer with constants in the first column of `matrix`."""
    layer = nn.Linear(matrix.shape[1] - 1, matrix.shape[0], dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(matrix[:, 1:]))
        layer.bias.copy_(torch.tensor(matrix[:, 0]))
    return layer


def _activation(slopes: Any, dtype: Any, *, freeze: bool = False) -> PartialReLU:
    new = PartialReLU(slopes.size, torch.tensor(slopes, dtype=dtype), channel_dim=-1)
    if freeze:
        new.freeze(torch.tensor(slopes == 1))
    return new
