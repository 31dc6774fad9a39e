"""The path length of a network some of whose channels have become linear."""

from __future__ import annotations

from typing import Any

from torch import nn

from ...errors import DomainError
from ...linearize.path_lengths import path_length
from ..graphs.model_graph import graph_of
from ..modules.partial_relu import PartialReLU
from .check_report import PathLengths


def is_linearised(module: nn.Module) -> bool:
    """Whether a channel of a `PartialReLU` or `torch.nn.PReLU` has the slope 1, exactly."""
    return any(
        bool((_slopes(part) == 1).any()) for part in module.modules() if isinstance(part, (PartialReLU, nn.PReLU))
    )


def path_lengths_of(module: nn.Module, inputs: int) -> PathLengths | None:
    """Both average path lengths, or why they are not known; None where nothing is linear."""
    if not is_linearised(module):
        return None
    try:
        graph = graph_of(module, (1, inputs))
        over_paths, over_branches = (path_length(graph, weight=weight).value for weight in ("path", "branch"))
    except DomainError as error:
        return PathLengths(None, None, str(error).splitlines()[0])
    return PathLengths(over_paths, over_branches, "")


def _slopes(module: Any) -> Any:
    return module.channel_slopes() if isinstance(module, PartialReLU) else module.weight.detach()
