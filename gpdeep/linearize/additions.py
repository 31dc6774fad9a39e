"""Sums of sums: which operands an addition has, however it was written.

(x + a) + b, x + (a + b) and a sum of three are one function, so they are one addition with three operands. An addition
is merged into another when it is consumed by that one alone, directly or through copies of its channels (identity,
normalisation, scaling, pooling), each of them consumed once. A running sum that something else also reads stays what
it is: a tensor of its own, at which a path makes a choice of its own. Concatenations are merged in the same way.
"""

from __future__ import annotations

from collections.abc import Collection

from .graph import Graph
from .operations import Add, Concat, Copy


def merged_operands(graph: Graph, counted: Collection[str] = ()) -> dict[int, tuple[int, ...]]:
    """The operands of every addition and concatenation of a graph, with nested ones of its kind resolved.

    Parameters
    ----------
    graph : Graph
    counted : collection of str
        Kinds of copies that count as units: nothing is merged through them.

    Returns
    -------
    dict from int to tuple of int
        For the number of each addition and concatenation those of its operands, in order.
    """
    consumers = graph.consumers()
    found: dict[int, tuple[int, ...]] = {}

    def resolved(number: int, kind: type[Add | Concat]) -> tuple[int, ...]:
        """The operands that one operand stands for."""
        at, parent = number, consumers[number]
        while len(set(parent)) == 1 and parent[0] >= 0:
            operation = graph.nodes[at].operation
            if isinstance(operation, kind):
                return found[at]
            if not isinstance(operation, Copy) or operation.kind in counted:
                break
            at = graph.nodes[at].sources[0]
            parent = consumers[at]
        return (number,)

    for number, node in enumerate(graph.nodes):
        if isinstance(node.operation, (Add, Concat)):
            kind = type(node.operation)
            found[number] = tuple(k for source in node.sources for k in resolved(source, kind))
    return found
