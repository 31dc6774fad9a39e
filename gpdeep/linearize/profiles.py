r"""How deep a network is along its paths: both average lengths, their distribution, and the depth that angles see.

    APL      every path the same weight                      NAPL    every branch the same weight
    D        branch mean of g(slope) with shares of the second moment at initialisation

It is what ``gpdeep path-length`` prints: one call for the numbers that belong together.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DomainError, ValidityWarning
from ..gaussian.arguments import shown
from ..result import SCHEMA_VERSION, FloatArray, IntArray, Result, render_table
from .graph import Graph
from .length_options import Conventions, Products
from .path_distribution import path_length_distribution
from .path_lengths import PathLayer, path_length

_LONGEST = 5000  # units up to which all lengths are told apart


@dataclass(frozen=True, kw_only=True, eq=False)
class PathProfile(Result):
    """Path lengths of a network.

    Attributes
    ----------
    average_path_length, normalised_average_path_length : float
        APL and NAPL.
    degeneracy_depth : float or None
        D of a network that is initialised so that every activation and every operand of an addition has the same second
        moment; None where an activation has no g, or sees what is not near Gaussian (the status says which).
    log10_paths : float
        Decimal logarithm of the number of paths.
    lengths, probability : arrays (K,)
        How likely a branch-weighted path has each length; empty beyond 5,000 units.
    layers : tuple of PathLayer
        Activations from input to output, with what each adds to NAPL.
    conventions : Conventions
        Of NAPL.
    options : dict
        What was asked for.
    """

    average_path_length: float
    normalised_average_path_length: float
    degeneracy_depth: float | None
    log10_paths: float | None
    lengths: IntArray
    probability: FloatArray
    layers: tuple[PathLayer, ...]
    conventions: Conventions
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep path-length --json`` prints."""
        plain = super().to_dict()
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "path-length",
            "inputs": plain.pop("options"),
            **plain,
        }

    def __str__(self) -> str:
        rows = [
            (layer.name, layer.kind, str(layer.channels), f"{layer.nonlinear:g}", f"{layer.contribution:.4g}")
            for layer in self.layers
        ]
        depth = "not defined here" if self.degeneracy_depth is None else f"{self.degeneracy_depth:.6g}"
        mean, paths = self.normalised_average_path_length, self.log10_paths
        notes = [
            f"average path length {self.average_path_length:.6g} over all paths"
            + ("" if paths is None else f" (10^{paths:.1f} of them)"),
            f"normalised average path length {mean:.6g} (every branch the same weight)",
            f"degeneracy depth D at initialisation: {depth}",
        ]
        if len(self.probability):
            spread = float((self.probability * (self.lengths - mean) ** 2).sum()) ** 0.5
            least = int(self.lengths[(self.probability > 0).argmax()])
            notes.append(f"lengths from {least} to {int(self.lengths[-1])}, standard deviation {spread:.4g}")
        columns = ["activation", "kind", "channels", "nonlinear", "adds"]
        return render_table("path lengths", columns, rows, [*notes, *self.status.messages])


def path_profile(
    graph: Graph,
    *,
    products: Products = None,
    count: Mapping[str, float] | None = None,
    output: str | int | None = None,
    options: Mapping[str, Any] | None = None,
) -> PathProfile:
    """Both average path lengths of a network, the distribution of lengths, and its degeneracy depth.

    Parameters
    ----------
    graph : Graph
        Written with `Graph.input`, or read from a torch module by `gpdeep.nn.graph_of`.
    products, count, output
        As in `path_length`.
    options : mapping, optional
        What is to be recorded as the inputs of the result.

    Returns
    -------
    PathProfile

    Raises
    ------
    DomainError
        As `path_length`.

    References
    ----------
    Mehmeti-Göpel & Disselhoff 2023, arXiv:2211.17180 (APL and NAPL).

    Examples
    --------
    >>> x = h = Graph.input(1)
    >>> for _ in range(4):
    ...     h = h.dense(4).relu()
    >>> found = path_profile(Graph.of(x + h.dense(1)))
    >>> found.normalised_average_path_length, round(found.average_path_length, 4), found.probability.tolist()
    (2.0, 3.9844, [0.5, 0.0, 0.0, 0.0, 0.5])
    """
    if options is not None and not isinstance(options, Mapping):
        raise DomainError(
            f"options is {shown(options)}.",
            "Options that a result remembers have names.",
            "Give a dict, or leave it out.",
        )
    asked: dict[str, Any] = {"products": products, "count": count, "output": output}
    branch, path = (path_length(graph, weight=weight, **asked) for weight in ("branch", "path"))
    status, depth = branch.status, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ValidityWarning)  # its message is kept
            found = path_length(graph, weight="variance", unit="g", **asked)
        usable = found.status.code == "ok"
        depth = found.value if usable else None
        status &= type(status)(messages=found.status.messages)
    except DomainError as error:
        status &= type(status)(messages=(f"No degeneracy depth: {error.found}",))
    lengths, probability = _lengths(graph, branch.value, asked)
    return PathProfile(
        average_path_length=path.value,
        normalised_average_path_length=branch.value,
        degeneracy_depth=depth,
        log10_paths=path.log10_paths,
        lengths=lengths,
        probability=probability,
        layers=branch.layers,
        conventions=branch.conventions,
        options=dict(options or {}),
        status=status,
    )


def _lengths(graph: Graph, mean: float, asked: Mapping[str, Any]) -> tuple[IntArray, FloatArray]:
    """The distribution of lengths, empty where `count` has no integers or the network is very deep."""
    import numpy as np

    none = np.zeros(0, dtype=np.int64), np.zeros(0)
    if mean > _LONGEST:
        return none
    try:
        found = path_length_distribution(graph, weight="branch", **asked)
    except DomainError:
        return none
    return found.lengths, found.probability
