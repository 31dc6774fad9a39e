"""Partial linearisation: networks in which some channels have lost their nonlinearity, and how deep what is left is.

`slope_penalty`, `slope_prox` and `check_window` are the penalty that makes channels linear, and what a run needs for it
to work; `core_network` writes a partly linear network over its active units alone, `cheapest_cuts` says where to cut
it, and `summarise_units` counts what is left. `nonlinearity` is what infinite width sees of a layer's slopes,
`predict_angle` what a chain of such layers does to the angle between two inputs. `path_length` is how many active units
lie on the paths through a `Graph`, however branched. Each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .affine_forms import AffineForms
    from .angle_prediction import AnglePrediction
    from .chain_angles import predict_angle
    from .chain_profile import ChainProfile
    from .core_cuts import CoreCuts, cheapest_cuts
    from .graph import Graph
    from .length_options import Conventions
    from .live_gates import small_angle_constant
    from .mixture_angles import cross_moment, mixture_gap, mixture_map, mixture_slope
    from .normal_form import CoreNetwork, CoreSegment, core_network
    from .path_distribution import PathLengthDistribution, path_length_distribution
    from .path_lengths import PathLayer, PathLength, path_length
    from .profiles import PathProfile, path_profile
    from .second_moments import moments_at_initialisation
    from .shares import VarianceShares
    from .slopes import equivalent_slope, gate_kurtosis, nonlinearity, preserving_sigma_w, weight_correction
    from .sparsity_prior import (
        CaptureWarning,
        TravelTimeWarning,
        capture_half_width,
        check_window,
        clean_step,
        crossing_distance,
        prox_threshold,
        slope_penalty,
        slope_prox,
        travel_time,
    )
    from .thin_limit import depth_budget
    from .unit_summary import UnitSummary, summarise_units
    from .wires import Wire

_HOME = {
    "AffineForms": "affine_forms",
    "AnglePrediction": "angle_prediction",
    "CaptureWarning": "sparsity_prior",
    "ChainProfile": "chain_profile",
    "Conventions": "length_options",
    "CoreCuts": "core_cuts",
    "CoreNetwork": "normal_form",
    "CoreSegment": "normal_form",
    "Graph": "graph",
    "PathLayer": "path_lengths",
    "PathLength": "path_lengths",
    "PathLengthDistribution": "path_distribution",
    "PathProfile": "profiles",
    "TravelTimeWarning": "sparsity_prior",
    "UnitSummary": "unit_summary",
    "VarianceShares": "shares",
    "Wire": "wires",
    "capture_half_width": "sparsity_prior",
    "cheapest_cuts": "core_cuts",
    "check_window": "sparsity_prior",
    "clean_step": "sparsity_prior",
    "core_network": "normal_form",
    "cross_moment": "mixture_angles",
    "crossing_distance": "sparsity_prior",
    "depth_budget": "thin_limit",
    "equivalent_slope": "slopes",
    "gate_kurtosis": "slopes",
    "mixture_gap": "mixture_angles",
    "mixture_map": "mixture_angles",
    "mixture_slope": "mixture_angles",
    "moments_at_initialisation": "second_moments",
    "nonlinearity": "slopes",
    "path_length": "path_lengths",
    "path_length_distribution": "path_distribution",
    "path_profile": "profiles",
    "predict_angle": "chain_angles",
    "preserving_sigma_w": "slopes",
    "prox_threshold": "sparsity_prior",
    "slope_penalty": "sparsity_prior",
    "slope_prox": "sparsity_prior",
    "small_angle_constant": "live_gates",
    "summarise_units": "unit_summary",
    "travel_time": "sparsity_prior",
    "weight_correction": "slopes",
}

__all__ = [
    "AffineForms",
    "AnglePrediction",
    "CaptureWarning",
    "ChainProfile",
    "Conventions",
    "CoreCuts",
    "CoreNetwork",
    "CoreSegment",
    "Graph",
    "PathLayer",
    "PathLength",
    "PathLengthDistribution",
    "PathProfile",
    "TravelTimeWarning",
    "UnitSummary",
    "VarianceShares",
    "Wire",
    "capture_half_width",
    "cheapest_cuts",
    "check_window",
    "clean_step",
    "core_network",
    "cross_moment",
    "crossing_distance",
    "depth_budget",
    "equivalent_slope",
    "gate_kurtosis",
    "mixture_gap",
    "mixture_map",
    "mixture_slope",
    "moments_at_initialisation",
    "nonlinearity",
    "path_length",
    "path_length_distribution",
    "path_profile",
    "predict_angle",
    "preserving_sigma_w",
    "prox_threshold",
    "slope_penalty",
    "slope_prox",
    "small_angle_constant",
    "summarise_units",
    "travel_time",
    "weight_correction",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpdeep.linearize' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
