"""The core network of a torch model: what is left of it is its active units, each fed by the input and earlier ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from ...gaussian.arguments import memory_budget as require_budget
from ...gaussian.arguments import wholes
from ...linearize.normal_form import CoreNetwork, CoreSegment, assembled
from ...linearize.normal_form import core_network as core_of_chain
from ..reading.partial_tracing import trace_partial
from ..reading.weights import require_module
from .core_reading import FormReader

_MOST_LAYERS = 10**6


def core_network(model: nn.Module, *, cuts: Sequence[int] | str = (), memory_budget: int = 2**32) -> CoreNetwork:
    """The core network of a dense torch model: its active units, each fed by the input and all earlier ones.

    Parameters
    ----------
    model : torch.nn.Module
        Stays as it is; in evaluation mode. Channels of `PartialReLU` with slope exactly 1 are linear, all others
        active; so are all of an ordinary ReLU.
    cuts : sequence of int, or 'cheapest'
        Hidden layers of a chain that are kept as whole vectors, from 1; for models without skips.
    memory_budget : int
        Bytes that the matrices may take.

    Returns
    -------
    gpdeep.linearize.CoreNetwork
        In float64; inputs are vectors, images flattened.

    Raises
    ------
    DomainError
        An operation is not of these; the message names it.
    UntraceableError
        `torch.fx` cannot follow the model.
    MemoryBudgetError
        The matrices would not fit.

    Examples
    --------
    >>> import torch
    >>> from gpdeep.nn import PartialReLU
    >>> model = nn.Sequential(nn.Linear(5, 8), PartialReLU(8), nn.Linear(8, 8), PartialReLU(8), nn.Linear(8, 2))
    >>> _ = model[1].freeze(torch.arange(8) > 0), model[3].freeze(torch.arange(8) > 1)
    >>> core = core_network(model)
    >>> [matrix.shape for matrix in core.matrices]
    [(1, 6), (2, 7), (2, 9)]
    >>> x = torch.randn(3, 5)
    >>> np.allclose(core.evaluate(x), model(x).detach(), atol=1e-6)
    True
    """
    require_module(model)
    budget = require_budget(memory_budget)
    cuts = cuts if isinstance(cuts, str) else tuple(wholes("cuts", cuts, 1, _MOST_LAYERS))
    owner, graph = trace_partial(model)
    reader = FormReader(owner, graph, budget, chain=cuts != ())
    form = reader.result()
    if cuts != ():
        W = [matrix[:, 1:] for matrix in (*reader.layers, form)]
        b = [matrix[:, 0] for matrix in (*reader.layers, form)]
        core = core_of_chain(W, b, reader.slopes, cuts=cuts, memory_budget=memory_budget)
        segments = core.segments
    else:
        forms = reader.forms
        segments = (CoreSegment(tuple(forms.matrices), tuple(forms.slopes), forms.widened(form), np.ones(len(form))),)
    return assembled(
        reader.width,
        segments,
        names=tuple(reader.names),
        channels=[slopes.size for slopes in reader.slopes],
        active=[int(np.count_nonzero(slopes != 1)) for slopes in reader.slopes],
        parameters=reader.parameters,
        multiplications=reader.multiplications,
    )
