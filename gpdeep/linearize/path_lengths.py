r"""The average length of the paths through a network: how many nonlinear units lie between input and output.

    APL  = (1/N) Σ over all N paths of their lengths                       weight="path"
    NAPL = mean length of a walk backwards that chooses evenly             weight="branch"

A path goes from an input channel to an output channel, its length is the number of active units on it. The walk starts
at an output channel, goes on to one of the input channels of a dense node, and to one of the operands of an addition,
all with equal chances. A skip over four layers of four ReLUs, between single neurons, has 257 paths: APL 1024/257,
NAPL 2. In a ResNet a block of width n has n² paths for each one that skips it, so nearly all run through nearly all
layers: APL is close to the full depth, and the normalised length is the one that tells networks apart.

Both quantities: Mehmeti-Göpel & Disselhoff 2023, arXiv:2211.17180. Conventions beyond its abstract (nested sums,
concatenations, zero padding, products) are decisions made here, and every result lists them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import ValidityWarning
from ..gaussian.arguments import flag
from ..result import Result, Status, StatusCode, render_table
from .graph import Graph, require_graph
from .length_options import (
    Conventions,
    Products,
    Shares,
    Weight,
    counts,
    listed,
    moments,
    named_products,
    one_of,
    output_name,
    resolved_products,
    rules,
    selected,
)
from .operations import Act
from .path_distribution import PathLengthDistribution, path_length_distribution
from .second_moments import leaves_gaussian
from .tensor_lengths import require_branch, tensor_lengths
from .visits import visits
from .walk import Rules, Walk, reached

_TITLES = {
    ("branch", "binary"): "Normalised average path length",
    ("path", "binary"): "Average path length over all paths",
    ("variance", "binary"): "Average path length by shares of the second moment",
    ("branch", "g"): "Branch mean of g",
    ("path", "g"): "Path mean of g",
    ("variance", "g"): "Degeneracy depth D",
}


@dataclass(frozen=True)
class PathLayer:
    """An activation of the network, on the way from input to output.

    Attributes
    ----------
    name, kind : str
    channels : int
    nonlinear : int or float
        Channels that are active; no integer where a channel holds units of both sorts.
    contribution : float
        What this activation adds to the average: the mean number of its units on a path.
    """

    name: str
    kind: str
    channels: int
    nonlinear: int | float
    contribution: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PathLength(Result):
    """An average path length, and how it was counted.

    Attributes
    ----------
    value : float
    fraction : str or None
        The same without rounding, such as "29/2", where exact=True.
    error : float
        Bound of the rounding in `value`.
    log10_paths : float or None
        Decimal logarithm of the number of paths; None at the level of tensors.
    layers : tuple of PathLayer
        Activations from input to output; their contributions (and what `count` adds) sum to the value.
    distribution : PathLengthDistribution or None
        On request.
    conventions : Conventions
    """

    value: float
    fraction: str | None
    error: float
    log10_paths: float | None
    layers: tuple[PathLayer, ...]
    distribution: PathLengthDistribution | None
    conventions: Conventions

    @property
    def exact(self) -> Fraction | None:
        """The value as a fraction, where it was computed so."""
        return None if self.fraction is None else Fraction(self.fraction)

    def __str__(self) -> str:
        c = self.conventions
        title = f"{_TITLES[c.weight, c.unit]}: {self.value:.6g}" + (f" = {self.fraction}" if self.fraction else "")
        rows = [
            (layer.name, layer.kind, str(layer.channels), f"{layer.nonlinear:g}", f"{layer.contribution:.4g}")
            for layer in self.layers
        ]
        notes = [f"log10 of the number of paths: {self.log10_paths:.4g}"] if self.log10_paths is not None else []
        return render_table(
            title,
            ["activation", "kind", "channels", "nonlinear", "contribution"],
            rows,
            [*notes, *self.status.messages],
        )


def path_length(
    graph: Graph,
    *,
    weight: Weight = "branch",
    unit: str = "binary",
    level: str = "channel",
    concat: str = "channel",
    count: Mapping[str, float] | None = None,
    products: Products = None,
    shares: Shares = None,
    output: str | int | None = None,
    merge_additions: bool = True,
    exact: bool = False,
    distribution: bool = False,
) -> PathLength:
    r"""The average number of nonlinear units on the paths from input to output.

    Parameters
    ----------
    graph : Graph
        Written with `Graph.input`, or read from a torch module by `gpdeep.nn.graph_of`.
    weight : {"branch", "path", "variance"}
        How paths are weighted: by a walk backwards that chooses evenly at every dense node and addition (NAPL, the
        default); all paths alike (APL); or by a walk that chooses with shares of the second moment.
    unit : {"binary", "g"}
        What an activation adds: 1 if it is not linear, or g(a) = (1 - a)²/(1 + a²) for its slope a. With
        weight="variance" the latter is the degeneracy depth D of a branched network: 3π (1/θ_out - 1/θ_in) → D for
        small angles.
    level : {"channel", "tensor"}
        "tensor" keeps one number a tensor. It is the same for branch weights without groups and zero padding.
    concat : {"channel", "operand"}
        Whether a dense node that reads a concatenation chooses among all channels, or among its operands first.
    count : mapping from str to float, optional
        What kinds of operations add that add nothing by themselves, such as {"max_pool": 1}, {"softmax": 1},
        {"product": 1}; for a kind of activation its units are multiplied, {"sigmoid": 0}.
    products : {"value", "merge"} or mapping, optional
        How paths pass products of tensors that both depend on the input (gates, attention): by the operand that carries
        the features, or by all as in an addition; or for names of products (or patterns: "*.gate.mul") either of
        these, or the number of the operand. Needed where there are any.
    shares : VarianceShares, str or float, optional
        For weight="variance": measured (`gpdeep.nn.variance_shares`), or those of an initialisation, as
        `moments_at_initialisation`; default "matched".
    output : str or int, optional
        One of several outputs. Else a path is as likely to end at each of them.
    merge_additions : bool
        Whether x + (a + b) is a sum of three; else sums are taken as written.
    exact : bool
        Compute in fractions, without rounding: for graphs of up to some thousand channels.
    distribution : bool
        Also give the probability of each length.

    Returns
    -------
    PathLength

    Raises
    ------
    DomainError
        An option is not known; there are products and nothing says how to pass them; a path runs through something that
        is not known; no path leads from input to output; or there is no g or second moment for an activation.

    Warns
    -----
    ValidityWarning
        D was asked for where activations see a sum with a tensor that is itself the output of an activation (a
        post-activation residual block): not near Gaussian, so that D is no statement about angles there. Or measured
        shares lack some node, where the walk then chooses evenly.

    Notes
    -----
    One pass; cost and memory are proportional to the number of channels. The number of paths is carried as a logarithm.
    The weights of the pass, applied backwards, give what each activation contributes. By hand: a post-activation block
    of two layers contributes 1 + 1/2 to NAPL, a pre-activation block of two layers 2/2, a bottleneck block 1 + 2/2.

    References
    ----------
    Mehmeti-Göpel & Disselhoff 2023, arXiv:2211.17180 (APL and NAPL); D is derived here.

    Examples
    --------
    A skip over four layers of four ReLUs:

    >>> x = h = Graph.input(1)
    >>> for _ in range(4):
    ...     h = h.dense(4).relu()
    >>> graph = Graph.of(x + h.dense(1))
    >>> path_length(graph).value, path_length(graph, weight="path", exact=True).fraction
    (2.0, '1024/257')

    Nine pre-activation blocks with half of the channels of every ReLU made linear: half of the length, and a third of
    the degeneracy depth, p/(2 - p) at p = 1/2.

    >>> half = [1] * 8 + [0] * 8
    >>> x = Graph.input(3).dense(16)
    >>> for _ in range(9):
    ...     x = x + x.relu(half).dense(16).relu(half).dense(16)
    >>> graph = Graph.of(x.relu(half).dense(10))
    >>> depth = path_length(graph, weight="variance", unit="g")
    >>> path_length(graph).value, round(depth.value, 12)
    (5.0, 3.333333333333)
    """
    outputs = selected(require_graph(graph), output)
    one_of("weight", weight, "branch", "path", "variance")
    one_of("unit", unit, "binary", "g")
    one_of("level", level, "channel", "tensor")
    one_of("concat", concat, "channel", "operand")
    distribution = flag("distribution", distribution)
    extra = counts(graph, count)
    passed = resolved_products(graph, outputs, products)
    second = moments(graph, weight, shares)
    chosen = rules(
        outputs,
        weight=weight,
        unit=unit,
        concat=concat,
        count=extra,
        products=passed,
        shares=second,
        merged=merge_additions,
        exact=exact,
    )
    status = Status()
    if level == "tensor":
        require_branch(weight)
        tensors = tensor_lengths(graph, chosen)
        value, log10_paths = tensors.value, None
        visited = tensors.visits
    else:
        walk = Walk(graph, chosen)
        value, log10_paths = walk.result()[0], chosen.numbers.log10(walk.paths())
        visited = visits(walk)
        status = _unmeasured(walk)
    if weight == "variance" and unit == "g":
        status &= _gaussian(graph)
    found = PathLength(
        value=float(value),
        fraction=str(value) if exact else None,
        error=0.0 if exact else _rounding(graph, float(value)),
        log10_paths=log10_paths,
        layers=_layers(graph, chosen, visited),
        distribution=path_length_distribution(
            graph,
            weight=weight,
            concat=concat,
            count=count,
            products=products,
            shares=second,
            output=output,
            merge_additions=merge_additions,
            exact=exact,
        )
        if distribution
        else None,
        conventions=Conventions(
            weight=weight,
            unit=unit,
            level=level,
            concat=concat,
            additions="merged" if merge_additions else "as written",
            count=extra,
            products=named_products(graph, passed),
            shares="" if second is None else second.how,
            output=output_name(outputs),
        ),
        status=status,
    )
    return found


def _layers(graph: Graph, chosen: Rules, visited: list[Any]) -> tuple[PathLayer, ...]:
    """The table of activations that paths run through; `visited`: how often each channel is, or one number."""
    numbers = chosen.numbers
    followed = reached(graph, chosen.outputs, chosen.products)
    found = []
    for number, node in enumerate(graph.nodes):
        operation = node.operation
        if not isinstance(operation, Act) or number not in followed:
            continue
        factor = numbers.numbers(np.asarray(chosen.count.get(operation.kind, 1)))[()]
        added = numbers.numbers(chosen.units(operation)) * factor
        every = visited[number] * (added if np.ndim(visited[number]) else added.sum() / len(added))
        active = float(operation.active.sum())
        found.append(PathLayer(node.name, operation.kind, node.channels, _count(active), float(np.sum(every))))
    return tuple(found)


def _count(number: float) -> int | float:
    return int(number) if number.is_integer() else number


def _rounding(graph: Graph, value: float) -> float:
    """Rounding of a pass: each node averages with an error of a few eps, and so does the pairwise sum in it."""
    return 8 * len(graph.nodes) * float(np.finfo(np.float64).eps) * abs(value)


def _unmeasured(walk: Walk) -> Status:
    """Say where measured shares were missing."""
    if not walk.evenly:
        return Status()
    message = f"No second moments for {listed(walk.evenly)}: there the walk chooses evenly."
    warnings.warn(message, ValidityWarning, stacklevel=3)
    return Status(messages=(message,))


def _gaussian(graph: Graph) -> Status:
    """Say where D means nothing."""
    found = leaves_gaussian(graph)
    if not found:
        return Status()
    message = (
        f"{listed(found)} see a sum with the output of an activation, which is not Gaussian (a post-activation "
        "residual block): there D is no statement about angles."
    )
    warnings.warn(message, ValidityWarning, stacklevel=3)
    return Status(StatusCode.OUTSIDE_VALIDITY, (message,))
