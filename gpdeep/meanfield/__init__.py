"""Infinite width: what depth does to lengths, to the angle between two inputs, and to gradients.

`variance_map` and `correlation_map` are one layer; `fixed_points`, `edge_of_chaos` and `depth_scales` say where many
layers lead and how fast; `edge_law` and `critical_law` what happens on the edge itself; `propagate_pair` follows two
inputs of different lengths, `convolution_map` images. `nngp` and `ntk` are the kernels of whole networks.
`phase_diagram`, `scan_depth_scales` and `map_curves` are what the pictures show. `angle_path` and its companions are
the special case of two-slope activations without bias. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_loader import attach

if TYPE_CHECKING:
    from .angle_decay import angle_asymptote, angle_path, infinite_degeneracy_depth, log_sin2_asymptote
    from .compiled_map import CompiledMap
    from .convolution import ConvolutionMap, convolution_map
    from .correlation import CorrelationMap, compile_map, correlation_map
    from .curves import MapCurves, map_curves
    from .depth_scale_scan import DepthScaleScan, scan_depth_scales
    from .edge import EdgeOfChaos, edge_of_chaos
    from .edge_decay import EdgeLaw, edge_law
    from .fixed_point import FixedPoint, FixedPoints, fixed_points
    from .kernels import nngp, ntk
    from .pair_map import PairHistory, pair_step, propagate_pair
    from .phases import PhaseDiagram, phase_diagram
    from .pooling import average_pool, flatten, global_average_pool, max_pool
    from .scales import DepthScales, Phase, depth_scales
    from .site_covariance import input_covariance
    from .variance import VarianceMap, variance_map
    from .zero_criticality import CriticalLaw, critical_law

_HOME = {
    "angle_decay": ["angle_asymptote", "angle_path", "infinite_degeneracy_depth", "log_sin2_asymptote"],
    "compiled_map": ["CompiledMap"],
    "convolution": ["ConvolutionMap", "convolution_map"],
    "correlation": ["CorrelationMap", "compile_map", "correlation_map"],
    "curves": ["MapCurves", "map_curves"],
    "depth_scale_scan": ["DepthScaleScan", "scan_depth_scales"],
    "edge": ["EdgeOfChaos", "edge_of_chaos"],
    "edge_decay": ["EdgeLaw", "edge_law"],
    "fixed_point": ["FixedPoint", "FixedPoints", "fixed_points"],
    "kernels": ["nngp", "ntk"],
    "pair_map": ["PairHistory", "pair_step", "propagate_pair"],
    "phases": ["PhaseDiagram", "phase_diagram"],
    "pooling": ["average_pool", "flatten", "global_average_pool", "max_pool"],
    "scales": ["DepthScales", "Phase", "depth_scales"],
    "site_covariance": ["input_covariance"],
    "variance": ["VarianceMap", "variance_map"],
    "zero_criticality": ["CriticalLaw", "critical_law"],
}

__all__ = [
    "CompiledMap",
    "ConvolutionMap",
    "CorrelationMap",
    "CriticalLaw",
    "DepthScaleScan",
    "DepthScales",
    "EdgeLaw",
    "EdgeOfChaos",
    "FixedPoint",
    "FixedPoints",
    "MapCurves",
    "PairHistory",
    "Phase",
    "PhaseDiagram",
    "VarianceMap",
    "angle_asymptote",
    "angle_path",
    "average_pool",
    "compile_map",
    "convolution_map",
    "correlation_map",
    "critical_law",
    "depth_scales",
    "edge_law",
    "edge_of_chaos",
    "fixed_points",
    "flatten",
    "global_average_pool",
    "infinite_degeneracy_depth",
    "input_covariance",
    "log_sin2_asymptote",
    "map_curves",
    "max_pool",
    "nngp",
    "ntk",
    "pair_step",
    "phase_diagram",
    "propagate_pair",
    "scan_depth_scales",
    "variance_map",
]

__getattr__, __dir__, _ = attach(__name__, submod_attrs=_HOME)
