"""How long the paths of a network are: the probability of each length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import shown
from ..result import FloatArray, IntArray, Result, render_table
from .graph import Graph, require_graph
from .length_options import (
    Conventions,
    Products,
    Shares,
    Weight,
    counts,
    moments,
    named_products,
    one_of,
    output_name,
    resolved_products,
    rules,
    selected,
)
from .operations import Act
from .walk import Walk


@dataclass(frozen=True, kw_only=True, eq=False)
class PathLengthDistribution(Result):
    """The probability of each path length.

    Attributes
    ----------
    lengths : ndarray of int64, shape (K,)
        0, 1, ..., the largest that occurs.
    probability : ndarray, shape (K,)
        Summing to 1 up to rounding.
    fractions : tuple of str or None
        The same without rounding, such as "63/256", where exact=True.
    mean, std : float
    conventions : Conventions
    """

    lengths: IntArray
    probability: FloatArray
    fractions: tuple[str, ...] | None
    mean: float
    std: float
    conventions: Conventions

    @property
    def exact(self) -> tuple[Fraction, ...] | None:
        """The probabilities as fractions, where they were computed so."""
        return None if self.fractions is None else tuple(Fraction(text) for text in self.fractions)

    def __str__(self) -> str:
        rows = [
            (str(k), f"{p:.6g}", *([self.fractions[k]] if self.fractions else []))
            for k, p in zip(self.lengths.tolist(), self.probability.tolist(), strict=True)
            if p > 0
        ]
        columns = ["length", "probability", *(["exactly"] if self.fractions else [])]
        return render_table(f"Path lengths: mean {self.mean:.6g}, standard deviation {self.std:.4g}", columns, rows)


def path_length_distribution(
    graph: Graph,
    *,
    weight: Weight = "branch",
    concat: str = "channel",
    count: Mapping[str, float] | None = None,
    products: Products = None,
    shares: Shares = None,
    output: str | int | None = None,
    merge_additions: bool = True,
    exact: bool = False,
) -> PathLengthDistribution:
    """The probability of each path length: how often a path runs through 0, 1, 2, ... active units.

    Parameters
    ----------
    graph, weight, concat, count, products, shares, output, merge_additions, exact
        As `path_length`; the numbers in `count` are integers.

    Returns
    -------
    PathLengthDistribution

    Raises
    ------
    DomainError
        As `path_length`, or something counts by no whole number.

    Notes
    -----
    Each channel carries the probabilities of all lengths that end there: exact, also where an identity skip ties the
    masks of two layers together. Multiplying the layers' fractions of active channels gives the right mean, but another
    spread. Cost: channels times lengths.

    Examples
    --------
    Three residual blocks of two ReLUs each, behind a stem with one, before an output layer:

    >>> x = Graph.input(3).dense(16).relu()
    >>> for _ in range(3):
    ...     x = (x + x.dense(16).relu().dense(16)).relu()
    >>> found = path_length_distribution(Graph.of(x.dense(10)), exact=True)
    >>> found.fractions, found.mean
    (('0', '0', '0', '0', '1/8', '3/8', '3/8', '1/8'), 5.5)
    """
    outputs = selected(require_graph(graph), output)
    one_of("weight", weight, "branch", "path", "variance")
    one_of("concat", concat, "channel", "operand")
    extra = counts(graph, count)
    passed = resolved_products(graph, outputs, products)
    _require_integers(graph, extra)
    second = moments(graph, weight, shares)
    walk = Walk(
        graph,
        rules(
            outputs,
            weight=weight,
            unit="binary",
            concat=concat,
            count=extra,
            products=passed,
            shares=second,
            merged=merge_additions,
            exact=exact,
            distribution=True,
        ),
    )
    found = walk.result()
    last = int(np.flatnonzero(found)[-1])
    found, lengths = found[: last + 1], np.arange(last + 1)
    probability = found.astype(np.float64)
    mean = float((found * lengths).sum())
    return PathLengthDistribution(
        lengths=lengths,
        probability=probability,
        fractions=tuple(str(p) for p in found) if exact else None,
        mean=mean,
        std=math.sqrt(max(float((probability * (lengths - mean) ** 2).sum()), 0.0)),
        conventions=Conventions(
            weight=weight,
            unit="binary",
            level="channel",
            concat=concat,
            additions="merged" if merge_additions else "as written",
            count=extra,
            products=named_products(graph, passed),
            shares="" if second is None else second.how,
            output=output_name(outputs),
        ),
    )


def _require_integers(graph: Graph, count: Mapping[str, Any]) -> None:
    """Refuse what lengthens a path by no whole number."""
    shared = any((n.operation.active % 1).any() for n in graph.nodes if isinstance(n.operation, Act))
    wrong = {kind: value for kind, value in count.items() if value % 1 or (shared and value > 1)}
    if wrong:
        raise DomainError(
            f"count is {shown(wrong)}.",
            "In a distribution lengths are integers; where only a share of a channel's units is active, each counts 1.",
            "Give integers here, or ask for the mean alone, path_length.",
        )
