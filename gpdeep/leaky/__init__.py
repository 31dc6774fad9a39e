"""Leaky ResNets: the path that a representation takes of least parameter norm, its Hamiltonian, its bottleneck.

`geodesic` finds the path between two ends with an error, a test for a minimum, and all other critical points it met;
`continue_in_depth` follows them in the effective depth. `hamiltonian`, `cost_of_identity` and their like are the
energies of a point or path; `read_bottleneck` reads rank and place. The finite network has `train_network`,
`layer_energies`, and steps that follow the path, `equidistribute`. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_loader import attach

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
    "bottleneck": ["Bottleneck", "read_bottleneck"],
    "depth_continuation": ["BranchDiagram", "continue_in_depth"],
    "energies": [
        "cost_of_identity",
        "flow",
        "flow_jacobian",
        "hamiltonian",
        "kernel",
        "kinetic",
        "lagrangian",
        "momentum",
        "speed",
        "stable_rank",
        "weights",
    ],
    "geodesic_result": ["CriticalPoint", "GeodesicResult"],
    "geodesics": ["geodesic"],
    "kink_arcs": ["SlidingArc"],
    "layer_steps": ["carry_weights", "distances", "equidistribute", "irregular_steps", "papers_rule"],
    "network": ["backward", "forward", "layer_energies", "sample_invariant", "stationarity_residual"],
    "network_continuation": ["continue_network"],
    "network_newton": ["train_network"],
    "network_result": ["NetworkSolution"],
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

__getattr__, __dir__, _ = attach(__name__, submod_attrs=_HOME)
