"""Leaky ResNets: the path that a representation takes of least parameter norm, its Hamiltonian, its bottleneck.

`geodesic` finds the path between two ends with an error, a test for a minimum, and all other critical points it met;
`continue_in_depth` follows them in the effective depth. `hamiltonian`, `cost_of_identity` and their like are the
energies of a point or path; `read_bottleneck` reads rank and place. The finite network has `train_network`,
`layer_energies`, and steps that follow the path, `equidistribute`. Each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bottleneck import Bottleneck, read_bottleneck
    from .depth_continuation import BranchDiagram, continue_in_depth
    from .energies import (
        cost_of_identity,
        flow,
        flow_jacobian,
        hamiltonian,
        kernel,
        kinetic,
        lagrangian,
        momentum,
        speed,
        stable_rank,
        weights,
    )
    from .geodesic_result import CriticalPoint, GeodesicResult
    from .geodesics import geodesic
    from .kink_arcs import SlidingArc
    from .layer_steps import carry_weights, distances, equidistribute, irregular_steps, papers_rule
    from .network import backward, forward, layer_energies, sample_invariant, stationarity_residual
    from .network_continuation import continue_network
    from .network_newton import train_network
    from .network_result import NetworkSolution

_HOME = {
    "Bottleneck": "bottleneck",
    "BranchDiagram": "depth_continuation",
    "CriticalPoint": "geodesic_result",
    "GeodesicResult": "geodesic_result",
    "NetworkSolution": "network_result",
    "SlidingArc": "kink_arcs",
    "backward": "network",
    "carry_weights": "layer_steps",
    "continue_in_depth": "depth_continuation",
    "continue_network": "network_continuation",
    "cost_of_identity": "energies",
    "distances": "layer_steps",
    "equidistribute": "layer_steps",
    "flow": "energies",
    "flow_jacobian": "energies",
    "forward": "network",
    "geodesic": "geodesics",
    "hamiltonian": "energies",
    "irregular_steps": "layer_steps",
    "kernel": "energies",
    "kinetic": "energies",
    "lagrangian": "energies",
    "layer_energies": "network",
    "momentum": "energies",
    "papers_rule": "layer_steps",
    "read_bottleneck": "bottleneck",
    "sample_invariant": "network",
    "speed": "energies",
    "stable_rank": "energies",
    "stationarity_residual": "network",
    "train_network": "network_newton",
    "weights": "energies",
}

__all__ = [
    "Bottleneck",
    "BranchDiagram",
    "CriticalPoint",
    "GeodesicResult",
    "NetworkSolution",
    "SlidingArc",
    "backward",
    "carry_weights",
    "continue_in_depth",
    "continue_network",
    "cost_of_identity",
    "distances",
    "equidistribute",
    "flow",
    "flow_jacobian",
    "forward",
    "geodesic",
    "hamiltonian",
    "irregular_steps",
    "kernel",
    "kinetic",
    "lagrangian",
    "layer_energies",
    "momentum",
    "papers_rule",
    "read_bottleneck",
    "sample_invariant",
    "speed",
    "stable_rank",
    "stationarity_residual",
    "train_network",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpdeep.leaky' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
