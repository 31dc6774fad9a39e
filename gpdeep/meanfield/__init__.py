"""Infinite width: what depth does to lengths, to the angle between two inputs, and to gradients.

`variance_map` and `correlation_map` are one layer; `fixed_points`, `edge_of_chaos` and `depth_scales` say where many
layers lead and how fast; `edge_law` and `critical_law` what happens on the edge itself; `propagate_pair` follows two
inputs of different lengths, `convolution_map` images. `nngp` and `ntk` are the kernels of whole networks.
`phase_diagram`, `scan_depth_scales` and `map_curves` are what the pictures show. `angle_path` and its companions are
the special case of two-slope activations without bias. Each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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
    "CompiledMap": "compiled_map",
    "ConvolutionMap": "convolution",
    "CorrelationMap": "correlation",
    "CriticalLaw": "zero_criticality",
    "DepthScaleScan": "depth_scale_scan",
    "DepthScales": "scales",
    "EdgeLaw": "edge_decay",
    "EdgeOfChaos": "edge",
    "FixedPoint": "fixed_point",
    "FixedPoints": "fixed_point",
    "MapCurves": "curves",
    "PairHistory": "pair_map",
    "Phase": "scales",
    "PhaseDiagram": "phases",
    "VarianceMap": "variance",
    "angle_asymptote": "angle_decay",
    "angle_path": "angle_decay",
    "average_pool": "pooling",
    "compile_map": "correlation",
    "convolution_map": "convolution",
    "correlation_map": "correlation",
    "critical_law": "zero_criticality",
    "depth_scales": "scales",
    "edge_law": "edge_decay",
    "edge_of_chaos": "edge",
    "fixed_points": "fixed_point",
    "flatten": "pooling",
    "global_average_pool": "pooling",
    "infinite_degeneracy_depth": "angle_decay",
    "input_covariance": "site_covariance",
    "log_sin2_asymptote": "angle_decay",
    "map_curves": "curves",
    "max_pool": "pooling",
    "nngp": "kernels",
    "ntk": "kernels",
    "pair_step": "pair_map",
    "phase_diagram": "phases",
    "propagate_pair": "pair_map",
    "scan_depth_scales": "depth_scale_scan",
    "variance_map": "variance",
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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpdeep.meanfield' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
