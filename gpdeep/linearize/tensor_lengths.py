"""The shortcut with one number a tensor: an activation adds its share of active channels.

It equals the channel level for branch weights where all dense nodes are ungrouped and there are no structural zeros:
then all channels that a dense node makes have one value. Where a shortcut is padded with zeros it counts the shortcut
as an operand for the padded channels, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import shown
from .additions import merged_operands
from .graph import Graph
from .operations import Act, Add, Concat, Copy, Input, Node, Opaque, Product
from .walk import Rules, reached


@dataclass(frozen=True)
class TensorLengths:
    """The mean length over the outputs, and for every node the probability that a path runs through it."""

    value: Any
    visits: list[Any]


def tensor_lengths(graph: Graph, rules: Rules) -> TensorLengths:
    """The mean path length at the level of tensors, in floats or (as the rules say) fractions."""
    one = Fraction(1) if not isinstance(rules.numbers.zeros(1)[0], np.floating) else 1.0
    counted = [kind for kind, value in rules.count.items() if value]
    nested = {k: node.sources for k, node in enumerate(graph.nodes) if isinstance(node.operation, (Add, Concat))}
    merged = merged_operands(graph, counted) if rules.merged else nested
    followed = reached(graph, rules.outputs, rules.products)
    values: list[Any] = []
    choices: list[list[tuple[int, Any]]] = []
    for number, node in enumerate(graph.nodes):
        if number in followed and isinstance(node.operation, Opaque):
            raise node.operation.error()
        choice = _choice(graph, number, node, merged, rules, one) if number in followed else []
        choices.append(choice)
        values.append(sum((values[k] * share for k, share in choice), 0 * one) + _added(node, rules, number) * one)
    visits = [0 * one for _ in graph.nodes]
    for number in rules.outputs.values():
        visits[number] += one / len(rules.outputs)
    value = sum(values[number] for number in rules.outputs.values()) / len(rules.outputs)
    for number in range(len(graph.nodes) - 1, -1, -1):
        for k, share in choices[number]:
            visits[k] += visits[number] * share
    return TensorLengths(value, visits)


def _choice(
    graph: Graph, number: int, node: Node, merged: Mapping[int, tuple[int, ...]], rules: Rules, one: Any
) -> list[tuple[int, Any]]:
    """The nodes that a path comes from, and their shares."""
    if isinstance(node.operation, Input):
        return []
    operands = node.sources
    if isinstance(node.operation, Product):
        chosen = rules.products[number]
        operands = operands if chosen is None else (operands[chosen],)
    elif isinstance(node.operation, Add) or (isinstance(node.operation, Concat) and rules.by_operand):
        operands = merged[number]
    if isinstance(node.operation, Concat) and not rules.by_operand:
        return [(k, one * graph.nodes[k].channels / node.channels) for k in operands]
    return [(k, one / len(operands)) for k in operands]


def _added(node: Node, rules: Rules, number: int) -> Any:
    """What a node adds to a length."""
    operation = node.operation
    if isinstance(operation, Act):
        amounts = rules.numbers.numbers(rules.units(operation))
        return (
            amounts.sum() / len(amounts) * rules.numbers.numbers(np.asarray(rules.count.get(operation.kind, 1.0)))[()]
        )
    kind = operation.kind if isinstance(operation, Copy) else "product"
    counts = isinstance(operation, Copy) or (isinstance(operation, Product) and rules.products.get(number) is None)
    return rules.numbers.numbers(np.asarray(rules.count.get(kind, 0.0) if counts else 0.0))[()]


def require_branch(weight: str) -> None:
    """Refuse the shortcut for other weights."""
    if weight != "branch":
        raise DomainError(
            f'level="tensor" with weight={shown(weight)}.',
            "Numbers of paths and second moments are those of channels.",
            'Use level="channel", which costs the number of channels.',
        )
