r"""One pass through a graph that gives every channel the number and the mean length of the paths that end there.

    dense         N = Σ N_i over the channels i of the group        m = Σ w_i m_i / Σ w_i
    activation    N unchanged                                       m = m + (1 if the channel is active)
    addition      N = Σ N_k over the operands k                     m = Σ w_k m_k / Σ w_k
    others        copies

Inputs have N = 1, m = 0; channels without a path take no part. The weights w are 1 ("branch": a backward walk that
chooses evenly), N ("path": every path counts the same) or second moments ("variance"). In place of m a column of
probabilities, one for each length, gives the whole distribution: an activation then shifts it by one. All channels of
a group of a dense node have one value, so a pass costs the number of channels, not of edges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DomainError
from ..result import FloatArray
from .additions import merged_operands
from .arithmetic import Arithmetic, Array, Floats, averaged, shares
from .graph import Graph
from .operations import Act, Add, Concat, Copy, Dense, Index, Node, Opaque, Product
from .shares import VarianceShares


@dataclass(frozen=True)
class Rules:
    """What a walk counts, and how it chooses.

    Attributes
    ----------
    outputs : mapping from str to int
        The outputs at which paths end, some of the graph's or all.
    weight : str
        "branch", "path" or "variance"; the last with `moments`.
    units : callable
        What each channel of an activation adds to a length.
    count : mapping from str to float
        What kinds of copies and products add, and by what those of activations are multiplied.
    by_operand : bool
        Whether a dense node that reads a concatenation first chooses among its operands.
    products : mapping from int to int or None
        For the number of each product the operand that paths follow, None for all.
    merged : bool
        Whether nested additions are one.
    """

    outputs: Mapping[str, int]
    weight: str
    units: Callable[[Act], FloatArray]
    count: Mapping[str, float] = field(default_factory=dict)
    moments: VarianceShares | None = None
    by_operand: bool = False
    products: Mapping[int, int | None] = field(default_factory=dict)
    merged: bool = True
    numbers: Arithmetic = field(default_factory=Floats)
    distribution: bool = False


@dataclass(frozen=True)
class Lengths:
    """What is known of a tensor: counts (C,), means (1, C) or probabilities (lengths, C), weights by operands (C,)."""

    counts: Array
    values: Array
    weights: Array


Choice = tuple[tuple[int, ...], Array]
"""The nodes that a node's channels choose from, and the probabilities of these."""

NOTHING: Array = np.empty(0)
NO_CHOICE: Choice = (), NOTHING


class Walk:
    """The pass over a graph; `lengths` by the number of a node, `choices` what a node's channels choose from."""

    def __init__(self, graph: Graph, rules: Rules) -> None:
        self.graph, self.rules, self.numbers = graph, rules, rules.numbers
        counted = [kind for kind, value in rules.count.items() if value]
        merges = rules.weight == "branch" and rules.merged
        written = {k: node.sources for k, node in enumerate(graph.nodes) if isinstance(node.operation, (Add, Concat))}
        self._operands = merged_operands(graph, counted) if merges else written
        followed = reached(graph, rules.outputs, rules.products)
        for number in sorted(followed):
            operation = graph.nodes[number].operation
            if isinstance(operation, Opaque):
                raise operation.error()
        self.lengths: list[Lengths] = []
        self.choices: list[Choice] = []
        self.evenly: list[str] = []  # nodes without moments, where a variance walk chooses evenly
        for number, node in enumerate(graph.nodes):
            if number in followed:
                made, choice = self._visit(number, node)
            else:
                made, choice = self._nothing(node.channels), NO_CHOICE
            self.lengths.append(made)
            self.choices.append(choice)
        self.ends = self._ends()

    # ------------------------------------------------------------------------------------------ forwards

    def _visit(self, number: int, node: Node) -> tuple[Lengths, Choice]:
        operation = node.operation
        if isinstance(operation, Dense):
            return self._dense(node, operation)
        if isinstance(operation, Add):
            return self._add(node, self._operands[number], node.name)
        if isinstance(operation, Concat):
            return self._concat(self._operands[number])
        if isinstance(operation, Product):
            return self._product(node, self.rules.products[number])
        if isinstance(operation, Index):
            return self._index(node.sources, operation)
        if isinstance(operation, (Act, Copy)):
            before = self.lengths[node.sources[0]]
            values = self._lengthened(before.values, self._added(operation))
            return Lengths(before.counts, values, before.weights), (node.sources, NOTHING)
        return self._start(node.channels), NO_CHOICE

    def _start(self, channels: int) -> Lengths:
        counts = self.numbers.counts(np.ones(channels, dtype=np.bool_))
        values = self.numbers.zeros(1, channels)
        if self.rules.distribution:
            values = values + 1
        return Lengths(counts, values, self._ones(channels))

    def _nothing(self, channels: int) -> Lengths:
        counts = self.numbers.counts(np.zeros(channels, dtype=np.bool_))
        return Lengths(counts, self.numbers.zeros(1, channels), self._ones(channels))

    def _dense(self, node: Node, operation: Dense) -> tuple[Lengths, Choice]:
        before = self.lengths[node.sources[0]]
        g = operation.groups
        counts = before.counts.reshape(g, -1)
        live = self.numbers.live(counts)
        values = before.values.reshape(len(before.values), g, -1)
        moments = self._moments(node.name)
        if self.rules.weight == "path":
            weights = self.numbers.relative(counts)
        elif moments is not None and moments.ndim == 2:  # one weight for each edge
            weights = self.numbers.numbers(moments).reshape(g, node.channels // g, -1) * live[:, None, :]
            weights = np.where(weights.sum(axis=-1, keepdims=True) == 0, 1 * live[:, None, :], weights)
        else:
            weights = (before.weights if moments is None else self.numbers.numbers(moments)).reshape(g, -1) * live
            weights = np.where(weights.sum(axis=-1, keepdims=True) == 0, 1 * live, weights)
        weights = self.numbers.numbers(weights)
        choice = shares(weights, axis=-1)
        each = node.channels // g
        if weights.ndim == 2:
            mean = np.repeat(averaged(values, weights), each, axis=-1)
        else:
            mean = np.stack([averaged(row[:, None, :], weights).ravel() for row in values])
        total = np.repeat(self.numbers.total(counts), each)
        return Lengths(total, mean, self._ones(node.channels)), (node.sources, choice)

    def _add(self, node: Node, operands: tuple[int, ...], moments_of: str | None) -> tuple[Lengths, Choice]:
        parts = [self.lengths[k] for k in operands]
        counts = np.stack([part.counts for part in parts], axis=-1)  # channels last here
        live = self.numbers.live(counts).T
        moments = self._moments(moments_of) if moments_of is not None else None
        if self.rules.weight == "path":
            weights = self.numbers.relative(counts).T
        else:
            weights = 1 * live if moments is None else self.numbers.numbers(moments) * live
            weights = np.where(weights.sum(axis=0, keepdims=True) == 0, 1 * live, weights)
        weights = self.numbers.numbers(weights)
        rows = max(len(part.values) for part in parts)
        values = np.stack([self._rows(part.values, rows) for part in parts], axis=-1)
        made = Lengths(self.numbers.total(counts), averaged(values, weights.T), self._ones(node.channels))
        return made, (operands, shares(weights, axis=0))

    def _concat(self, operands: tuple[int, ...]) -> tuple[Lengths, Choice]:
        parts = [self.lengths[k] for k in operands]
        rows = max(len(part.values) for part in parts)
        weights = [part.weights for part in parts]
        if self.rules.by_operand:
            weights = [shares(p.weights * self.numbers.live(p.counts), axis=0) for p in parts]
        made = Lengths(
            np.concatenate([part.counts for part in parts]),
            np.concatenate([self._rows(part.values, rows) for part in parts], axis=1),
            np.concatenate(weights),
        )
        return made, (operands, NOTHING)

    def _index(self, sources: tuple[int, ...], operation: Index) -> tuple[Lengths, Choice]:
        before, at = self.lengths[sources[0]], operation.index
        missing = at < 0
        counts, values, weights = before.counts[at], before.values[:, at], before.weights[at]
        if missing.any():
            counts = np.where(missing, self.numbers.counts(~missing), counts)
            values = np.where(missing, self.numbers.zeros(1, 1), values)
        return Lengths(counts, values, weights), (sources, NOTHING)

    def _product(self, node: Node, followed: int | None) -> tuple[Lengths, Choice]:
        operands = node.sources if followed is None else (node.sources[followed],)
        made, choice = self._add(node, operands, None)
        extra = self.rules.count.get("product", 0.0) if followed is None else 0.0
        return Lengths(made.counts, self._lengthened(made.values, np.asarray(extra)), made.weights), choice

    # ------------------------------------------------------------------------------------------ helpers

    def _added(self, operation: Act | Copy) -> Array:
        """What each channel adds to a length: a number for copies, an array for activations."""
        factor = self.rules.count.get(operation.kind)
        if isinstance(operation, Copy):
            return np.full((), 0.0 if factor is None else factor)
        units = self.numbers.numbers(self.rules.units(operation))
        return units if factor is None else np.asarray(units * self.numbers.numbers(np.asarray(factor)))

    def _lengthened(self, values: Array, added: Array) -> Array:
        """The values, each channel's lengths greater by what is added."""
        if not np.any(added):
            return values
        amount = np.broadcast_to(self.numbers.numbers(added), values.shape[1:])
        if not self.rules.distribution:
            return np.asarray(values + amount)
        steps = int(np.ceil(float(amount.max())))
        longer = self._rows(values, len(values) + steps)
        if steps == 1:  # a channel with a share of active units is a mixture
            return np.asarray(longer * (1 - amount) + np.roll(longer, 1, axis=0) * amount)
        made = longer.copy()
        for channel, shift in enumerate(amount.tolist()):
            made[:, channel] = np.roll(longer[:, channel], int(shift))
        return made

    def _rows(self, values: Array, rows: int) -> Array:
        """Probabilities for lengths up to rows - 1."""
        missing = rows - len(values)
        return np.concatenate([values, self.numbers.zeros(missing, values.shape[1])]) if missing else values

    def _ones(self, channels: int) -> Array:
        return self.numbers.numbers(np.ones(channels, dtype=np.int64))

    def _moments(self, name: str) -> FloatArray | None:
        if self.rules.weight != "variance" or self.rules.moments is None:
            return None
        found = self.rules.moments.nodes.get(name)
        if found is None:
            self.evenly.append(name)
        return found

    # ------------------------------------------------------------------------------------------ results

    def _ends(self) -> list[tuple[list[int], Array]]:
        """Groups of outputs that are as likely to be the end of a path, and the weights of their channels."""
        outputs = self.rules.outputs
        found: list[tuple[list[int], Array]] = []
        if self.rules.weight == "path":
            counts = np.concatenate([self.lengths[number].counts for number in outputs.values()])
            found.append((list(outputs.values()), self.numbers.relative(counts)))
        else:
            for name, number in outputs.items():
                lengths = self.lengths[number]
                live = self.numbers.live(lengths.counts)
                moments = self.rules.moments.outputs.get(name) if self.rules.moments is not None else None
                weights = (lengths.weights if moments is None else self.numbers.numbers(moments)) * live
                found.append(([number], self.numbers.numbers(np.where(weights.sum() == 0, 1 * live, weights))))
        found = [(numbers, weights) for numbers, weights in found if weights.any()]
        if not found:
            raise DomainError(
                "No path leads from an input to an output.",
                "Every output channel is a structural zero, or is made of constants alone.",
                "Check the index maps, and that the outputs depend on the inputs.",
            )
        return found

    def output_shares(self) -> list[tuple[int, Array]]:
        """For outputs their nodes and the probability that a path ends at each of their channels."""
        found: list[tuple[int, Array]] = []
        for numbers, weights in self.ends:
            cuts = np.cumsum([self.graph.nodes[number].channels for number in numbers])
            probability = shares(weights, axis=0) / len(self.ends)
            found += zip(numbers, np.split(probability, cuts[:-1]), strict=True)
        return found

    def result(self) -> Array:
        """The mean length (one entry), or the probability of each length, over the outputs."""
        rows = max(len(self.lengths[number].values) for numbers, _ in self.ends for number in numbers)
        means = [
            averaged(np.concatenate([self._rows(self.lengths[n].values, rows) for n in numbers], axis=1), weights)
            for numbers, weights in self.ends
        ]
        return np.asarray(sum(means) / len(means))

    def paths(self) -> Any:
        """The number of paths: its natural logarithm, or an integer."""
        counts = [self.lengths[number].counts for number in self.rules.outputs.values()]
        return self.numbers.total(np.concatenate(counts))[()]


def reached(graph: Graph, outputs: Mapping[str, int], products: Mapping[int, int | None]) -> set[int]:
    """The nodes that some path to these outputs may run through, given which operands of products paths follow."""
    found: set[int] = set()
    stack = list(outputs.values())
    while stack:
        number = stack.pop()
        if number in found:
            continue
        found.add(number)
        node = graph.nodes[number]
        followed = products.get(number)
        stack.extend(node.sources if followed is None else (node.sources[followed],))
    return found
