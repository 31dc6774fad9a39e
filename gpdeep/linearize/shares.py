"""Shares of the second moment: how much of a tensor's size came along which way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import DomainError
from ..result import FloatArray, Result
from .graph import Graph, require_graph
from .operations import Add, Dense


@dataclass(frozen=True, kw_only=True, eq=False)
class VarianceShares(Result):
    """Second moments, by which ``path_length(graph, weight="variance", shares=...)`` weights.

    `gpdeep.nn.variance_shares` measures them on a batch; `moments_at_initialisation` computes them.

    Attributes
    ----------
    nodes : mapping from str to ndarray
        By the name of a node. Of a dense node what its outputs get from each input channel, up to a factor for each
        output: shape (inputs,), or (outputs, inputs of a group). Of an addition that of each operand, as they are
        written there, and each channel: shape (operands, channels).
    outputs : mapping from str to ndarray
        By the name of an output, the second moment of each of its channels.
    how : str
        Where they come from.
    """

    nodes: Mapping[str, FloatArray]
    outputs: Mapping[str, FloatArray] = field(default_factory=dict)
    how: str = "given"

    def require(self, graph: Graph) -> None:
        """Refuse shares that are not those of `graph`.

        Raises
        ------
        DomainError
            A name does not occur there, a shape is another, or a moment is negative or not finite.
        """
        require_graph(graph)
        expected: dict[str, tuple[tuple[int, ...], ...]] = {}
        for node in graph.nodes:
            sizes = [graph.nodes[k].channels for k in node.sources]
            if isinstance(node.operation, Dense):
                expected[node.name] = (sizes[0],), (node.channels, sizes[0] // node.operation.groups)
            elif isinstance(node.operation, Add):
                expected[node.name] = ((len(sizes), node.channels),)
        outputs = {name: ((graph.nodes[k].channels,),) for name, k in graph.outputs.items()}
        for given, known in ((self.nodes, expected), (self.outputs, outputs)):
            for name, moments in given.items():
                if np.shape(moments) not in known.get(name, ()):
                    raise DomainError(
                        f"The shares of '{name}' have shape {np.shape(moments)}, and "
                        f"{' or '.join(map(str, known.get(name, ()))) or 'no such node takes any'} is expected.",
                        "They were measured on another model, or on an older form of this one.",
                        "Measure them anew: gpdeep.nn.variance_shares(model, example).",
                    )
                if not np.isfinite(moments).all() or np.min(moments) < 0:
                    raise DomainError(
                        f"The shares of '{name}' are not all finite and 0 or more.",
                        "The model gave NaN or infinities on the batch.",
                        "Measure on inputs on which the model gives finite numbers.",
                    )
