"""What `path_length` accepts, and how what it decided is recorded."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import flag, real, shown
from ..result import FloatArray
from .arithmetic import Floats, Fractions
from .graph import Graph
from .operations import Act, Copy, Policy, Product
from .second_moments import moments_at_initialisation
from .shares import VarianceShares
from .slopes import nonlinearity
from .walk import Rules, reached

Weight = Literal["branch", "path", "variance"]
Products = Policy | Mapping[str, "Policy | int"] | None
Shares = VarianceShares | str | float | None

COPIES = ("max_pool", "pool", "softmax", "loss", "product", "normalise", "dropout", "scale", "copy")


@dataclass(frozen=True)
class Conventions:
    """How paths were counted; a length means nothing without.

    Attributes
    ----------
    weight : str
        "branch", "path" or "variance": how a path chooses at a merge.
    unit : str
        "binary": an active channel counts 1; "g": it counts g(a) of its slope.
    level : str
        "channel" or "tensor".
    concat : str
        Weights at a concatenation: by "channel", or first by "operand".
    additions : str
        "merged" where nested sums are one, "as written" else.
    count : mapping from str to float
        What counts besides activations, or counts differently.
    products : mapping from str to str
        For each product of tensors how paths pass it.
    shares : str
        Where the second moments of weight="variance" come from; empty else.
    output : str
        The output, or "all": each output first has the same chance (with weight="path" each path).
    direction, taps, zeros : str
        Fixed: a walk goes backwards from the outputs, kernel taps and positions are not counted, and no path ends at a
        channel that is zero by construction.
    """

    weight: str
    unit: str
    level: str
    concat: str
    additions: str
    count: Mapping[str, float]
    products: Mapping[str, str]
    shares: str
    output: str
    direction: str = "backward"
    taps: str = "not counted"
    zeros: str = "skipped"


def one_of(name: str, value: Any, *known: str) -> str:
    """`value`, if it is one of the known words."""
    if not isinstance(value, str) or value not in known:
        raise DomainError(
            f"{name} = {shown(value, 200)}.",
            f"{name} is one of {', '.join(map(repr, known))}.",
            f"Give {name}={shown(known[0])}, or another of these.",
        )
    return value


def selected(graph: Graph, output: str | int | None) -> dict[str, int]:
    """The chosen outputs."""
    names = list(graph.outputs)
    if output is None:
        return dict(graph.outputs)
    if isinstance(output, int) and not isinstance(output, bool) and -len(names) <= output < len(names):
        output = names[output]
    if not isinstance(output, str) or output not in graph.outputs:
        raise DomainError(
            f"There is no output {shown(output)}.",
            f"The outputs are {', '.join(map(repr, names))}.",
            "Give one of these names, or its number from 0, or nothing for all.",
        )
    return {str(output): graph.outputs[str(output)]}


def output_name(outputs: Mapping[str, int]) -> str:
    """What the chosen outputs are called."""
    return "all" if len(outputs) > 1 else next(iter(outputs))


def resolved_products(graph: Graph, outputs: Mapping[str, int], products: Products) -> dict[int, int | None]:
    """For each product node the operand that paths follow, None for all."""
    given: Mapping[str, Any] = products if isinstance(products, Mapping) else {}
    everywhere = None if isinstance(products, Mapping) else products
    if everywhere is not None:
        one_of("products", everywhere, "value", "merge")
    nodes = {n.name: (k, n.operation) for k, n in enumerate(graph.nodes) if isinstance(n.operation, Product)}
    for pattern in given:
        if not isinstance(pattern, str) or not fnmatch.filter(nodes, pattern):
            raise DomainError(
                f"There is no product {shown(pattern)}.",
                f"The products of this graph are {', '.join(map(repr, nodes)) or 'none'}.",
                "Name one of these, or several by a pattern such as '*.gate.mul'.",
            )
    found: dict[int, int | None] = {}
    for name, (number, operation) in nodes.items():
        operands = len(graph.nodes[number].sources)
        policy = next((p for pattern, p in given.items() if fnmatch.fnmatchcase(name, pattern)), None)
        policy = policy if policy is not None else everywhere if everywhere is not None else operation.policy
        if policy == "merge":
            found[number] = None
        elif policy == "value":
            found[number] = -1 if operation.value is None else operation.value
        elif isinstance(policy, int) and not isinstance(policy, bool) and 0 <= policy < operands:
            found[number] = policy
        elif policy is None:
            found[number] = -2
        else:
            raise DomainError(
                f"The policy of the product '{name}' is {shown(policy)}.",
                f"It is 'value', 'merge' or the number of one of the {operands} operands.",
                "Give one of these.",
            )
    return _decided(graph, outputs, found)


def _decided(graph: Graph, outputs: Mapping[str, int], found: dict[int, int | None]) -> dict[int, int | None]:
    """Refuse products that paths reach and that nobody has decided on."""
    open_ = {k: None if v is not None and v < 0 else v for k, v in found.items()}
    for number in sorted(reached(graph, outputs, open_)):
        choice = found.get(number)
        if choice is None or choice >= 0:
            continue
        name = graph.nodes[number].name
        operands = ", ".join(f"{k} is '{graph.nodes[s].name}'" for k, s in enumerate(graph.nodes[number].sources))
        if choice == -2:
            raise DomainError(
                f"'{name}' multiplies tensors that both depend on the input, or chooses between them ({operands}).",
                "Gates, squeeze-and-excite and attention have no agreed path length.",
                'Say how paths pass: products="value" (by the features, as usual for gates and attention), or "merge" '
                "(by all operands, as in an addition).",
            )
        raise DomainError(
            f"The product '{name}' has no operand that is known to carry the features ({operands}).",
            "None of them is a gate by its look: a sigmoid, a softmax, or a factor that is the same at all positions.",
            f"Name the operand: products={{'{name}': 0}}, or use \"merge\".",
        )
    return found


def counts(graph: Graph, count: Mapping[str, float] | None) -> dict[str, float]:
    """What kinds of operations add, as numbers of 0 or more."""
    kinds = {n.operation.kind for n in graph.nodes if isinstance(n.operation, (Act, Copy))}
    known = sorted(kinds.union(COPIES))
    found = {}
    if count is not None and not isinstance(count, Mapping):
        raise DomainError(
            f"count is {shown(count)}.",
            "What kinds of operations add is given by their names.",
            "Give a dict such as {'max_pool': 1}, or leave it out.",
        )
    for kind, value in (count or {}).items():
        if kind not in known:
            raise DomainError(
                f"count has the kind {shown(kind)}.",
                f"Kinds of operations are {', '.join(known)}.",
                "Name one of these.",
            )
        found[kind] = max(real(f"count[{kind!r}]", value, -1e-300, 1e100, "what an operation adds, 0 or more"), 0.0)
    return found


def units(unit: str) -> Callable[[Act], FloatArray]:
    """What each channel of an activation adds."""
    return _binary if unit == "binary" else _nonlinearity


def _binary(operation: Act) -> FloatArray:
    return operation.active


def _nonlinearity(operation: Act) -> FloatArray:
    if operation.slopes is None:
        if not operation.active.any():
            return operation.active
        raise DomainError(
            f"An activation '{operation.kind}' has no g.",
            "g = (1 - a)²/(1 + a²) is that of slopes: of x for x > 0 and ax for x < 0, as in ReLU and PReLU.",
            'Use unit="binary", or write the graph with the slopes that stand for it.',
        )
    return np.asarray(nonlinearity(operation.slopes[:, None]))


def moments(graph: Graph, weight: str, shares: Shares) -> VarianceShares | None:
    """The second moments of a walk with weight="variance"."""
    if weight != "variance":
        if shares is not None:
            raise DomainError(
                f'Shares were given with weight="{weight}".',
                "Only a walk weighted by second moments uses them.",
                'Give weight="variance", or leave shares out.',
            )
        return None
    if isinstance(shares, VarianceShares):
        shares.require(graph)
        return shares
    return moments_at_initialisation(graph, "matched" if shares is None else shares)


def rules(
    outputs: Mapping[str, int],
    *,
    weight: str,
    unit: str,
    concat: str,
    count: Mapping[str, float],
    products: dict[int, int | None],
    shares: VarianceShares | None,
    merged: bool,
    exact: bool,
    distribution: bool = False,
) -> Rules:
    """The rules of a walk, of checked options."""
    return Rules(
        outputs=outputs,
        weight=weight,
        units=units(unit),
        count=count,
        moments=shares,
        by_operand=concat == "operand",
        products=products,
        merged=flag("merge_additions", merged),
        numbers=Fractions() if flag("exact", exact) else Floats(),
        distribution=distribution,
    )


def named_products(graph: Graph, products: Mapping[int, int | None]) -> dict[str, str]:
    """How each product is passed, for the record."""
    return {
        graph.nodes[k].name: "merge" if value is None else f"value: operand {value}"
        for k, value in products.items()
        if value is None or value >= 0
    }


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few of some names."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(f"'{name}'" for name in every[:most]) + more
