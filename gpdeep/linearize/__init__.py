"""Partial linearisation: networks in which some channels have lost their nonlinearity, and how deep what is left is.

`slope_penalty`, `slope_prox` and `check_window` are the penalty that makes channels linear, and what a run needs for it
to work; `core_network` writes a partly linear network over its active units alone, `cheapest_cuts` says where to cut
it, and `summarise_units` counts what is left. `nonlinearity` is what infinite width sees of a layer's slopes,
`predict_angle` what a chain of such layers does to the angle between two inputs. `path_length` is how many active units
lie on the paths through a `Graph`, however branched. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_loader import attach

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
    "affine_forms": ["AffineForms"],
    "angle_prediction": ["AnglePrediction"],
    "chain_angles": ["predict_angle"],
    "chain_profile": ["ChainProfile"],
    "core_cuts": ["CoreCuts", "cheapest_cuts"],
    "graph": ["Graph"],
    "length_options": ["Conventions"],
    "live_gates": ["small_angle_constant"],
    "mixture_angles": ["cross_moment", "mixture_gap", "mixture_map", "mixture_slope"],
    "normal_form": ["CoreNetwork", "CoreSegment", "core_network"],
    "path_distribution": ["PathLengthDistribution", "path_length_distribution"],
    "path_lengths": ["PathLayer", "PathLength", "path_length"],
    "profiles": ["PathProfile", "path_profile"],
    "second_moments": ["moments_at_initialisation"],
    "shares": ["VarianceShares"],
    "slopes": ["equivalent_slope", "gate_kurtosis", "nonlinearity", "preserving_sigma_w", "weight_correction"],
    "sparsity_prior": [
        "CaptureWarning",
        "TravelTimeWarning",
        "capture_half_width",
        "check_window",
        "clean_step",
        "crossing_distance",
        "prox_threshold",
        "slope_penalty",
        "slope_prox",
        "travel_time",
    ],
    "thin_limit": ["depth_budget"],
    "unit_summary": ["UnitSummary", "summarise_units"],
    "wires": ["Wire"],
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

__getattr__, __dir__, _ = attach(__name__, submod_attrs=_HOME)
