r"""Second moments of all channels of a network at its initialisation, for walks weighted by them.

    dense         q = σ_w² · mean of q over the group + σ_b²          activation   q = q (1 + a²)/2 for slopes (1, a)
    addition      q = Σ q_k                                           scaling      q = factor² q

Gaussian weights of variance σ_w²/fan-in; a normalisation brings the mean of q over its group to 1. Branches with
weights of their own are uncorrelated, so second moments add. Of a walk that chooses each operand of an addition with
its share of q, and each input of a dense node with its q, the mean sum of g(a) is to leading order in the angle θ
between two inputs 3π (1/θ_out - 1/θ_in): with weight="variance" and unit="g" the length is the degeneracy depth of a
branched network. What enters an activation must be near Gaussian for it, as it is in pre-activation networks.
Derived here from E φ_a² = (1 + a²)/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import real, shown
from ..result import FloatArray
from .graph import Graph, require_graph
from .operations import Act, Add, Concat, Copy, Dense, Index, Node, Product
from .shares import VarianceShares

SCHEMES = {"matched": None, "he": 2.0, "lecun": 1.0}


@dataclass(frozen=True)
class _Moment:
    """Second moments of a tensor, and those it had before the activation that it has just passed."""

    q: FloatArray
    before: FloatArray


def moments_at_initialisation(
    graph: Graph, scheme: str | float = "matched", *, bias_var: float = 0.0, input_var: float = 1.0
) -> VarianceShares:
    r"""Second moments of a freshly drawn network, as shares for `path_length`.

    Parameters
    ----------
    graph : Graph
    scheme : str or float
        σ_w², the variance of a weight times the fan-in: a number, "he" (2), "lecun" (1), or "matched", with which every
        dense node that follows an activation restores the second moment before it, σ_w² = 2/(mean of 1 + a²).
    bias_var : float
        σ_b².
    input_var : float
        Second moment of the inputs.

    Returns
    -------
    VarianceShares

    Raises
    ------
    DomainError
        An activation has no slopes (it is no ReLU or PReLU), or a number is out of range.

    Notes
    -----
    Pooling and products are taken for copies; measure where that is too coarse (`gpdeep.nn.variance_shares`).

    Examples
    --------
    Skip and branch of a pre-activation block are of one size; the branch of the next is half of its skip:

    >>> x = Graph.input(4).dense(8)
    >>> for _ in range(2):
    ...     x = x + x.relu().dense(8)
    >>> moments = moments_at_initialisation(Graph.of(x))
    >>> moments.nodes["add"][:, 0].tolist(), moments.nodes["add:2"][:, 0].tolist()
    ([1.0, 1.0], [2.0, 2.0])
    """
    require_graph(graph)
    gain = _gain(scheme)
    bias = real("bias_var", bias_var, -1e-300, 1e50, "the variance of a bias, 0 or more")
    start = real("input_var", input_var, 0.0, 1e50, "the second moment of an input")
    found: dict[str, FloatArray] = {}
    known: list[_Moment] = []
    for node in graph.nodes:
        parts = [known[k] for k in node.sources]
        if isinstance(node.operation, Dense):
            found[node.name] = parts[0].q
        elif isinstance(node.operation, Add):
            found[node.name] = np.stack([part.q for part in parts])
        known.append(_moment(node, parts, gain, max(bias, 0.0), start))
    outputs = {name: known[k].q for name, k in graph.outputs.items()}
    how = f"initialisation {scheme!r}" if isinstance(scheme, str) else f"initialisation with sigma_w**2 = {gain:g}"
    return VarianceShares(nodes=found, outputs=outputs, how=how)


def _moment(node: Node, parts: list[_Moment], gain: float | None, bias: float, start: float) -> _Moment:
    """The second moments of a node, of those it is made of."""
    operation = node.operation
    if isinstance(operation, Dense):
        shape = (operation.groups, -1)
        q, before = parts[0].q.reshape(shape).mean(axis=1), parts[0].before.reshape(shape).mean(axis=1)
        return _same(np.repeat((before if gain is None else gain * q) + bias, node.channels // operation.groups))
    if isinstance(operation, Act):
        if operation.slopes is None:
            raise DomainError(
                f"The activation '{node.name}' ({operation.kind}) has no slopes.",
                "The second moment behind it is known for ReLU, PReLU and their like: x for x > 0 and ax for x < 0.",
                'Measure the shares on a batch, gpdeep.nn.variance_shares, or use weight="branch".',
            )
        return _Moment(parts[0].q * (1 + operation.slopes**2) / 2, parts[0].before)
    if isinstance(operation, Copy):
        q, before = parts[0].q * operation.power, parts[0].before * operation.power
        return _Moment(q, before) if operation.normalised is None else _same(_normalised(q, operation.normalised))
    if isinstance(operation, Add):
        return _same(np.sum([part.q for part in parts], axis=0))
    if isinstance(operation, Concat):
        return _Moment(np.concatenate([p.q for p in parts]), np.concatenate([p.before for p in parts]))
    if isinstance(operation, Index):
        kept = operation.index >= 0
        return _Moment(parts[0].q[operation.index] * kept, parts[0].before[operation.index] * kept)
    if isinstance(operation, Product):
        return parts[operation.value or 0]
    return _same(np.full(node.channels, start))


def _normalised(q: FloatArray, groups: int) -> FloatArray:
    """`q` with a mean of 1 in each group; 0 where a group is 0."""
    grouped = q.reshape(groups, -1)
    mean = grouped.mean(axis=1, keepdims=True)
    return (grouped / np.where(mean == 0, 1, mean)).ravel()


def _same(q: FloatArray) -> _Moment:
    return _Moment(q, q)


def _gain(scheme: Any) -> float | None:
    if isinstance(scheme, str):
        if scheme not in SCHEMES:
            raise DomainError(
                f"The initialisation is {shown(scheme)}.",
                f"Known by name are {', '.join(SCHEMES)}.",
                "Give one of these, or the variance of a weight times the fan-in.",
            )
        return SCHEMES[scheme]
    return real("scheme", scheme, 0.0, 1e50, "the variance of a weight times the fan-in")


def leaves_gaussian(graph: Graph) -> tuple[str, ...]:
    """Names of activations that see a sum with a tensor which an activation has just made: after residual blocks."""
    fresh: list[bool] = []  # made by an activation, with copies on the way at most
    summed: list[bool] = []  # a sum with such an operand
    found = []
    for node in graph.nodes:
        before = [fresh[k] for k in node.sources]
        sums = [summed[k] for k in node.sources]
        acts = isinstance(node.operation, Act) and bool(node.operation.active.any())
        carries = isinstance(node.operation, (Copy, Index, Concat)) or (isinstance(node.operation, Act) and not acts)
        if acts and any(sums):
            found.append(node.name)
        fresh.append(acts or (carries and any(before)))
        is_sum = isinstance(node.operation, Add)
        summed.append((is_sum and (any(before) or any(sums))) or (carries and any(sums)))
    return tuple(found)
