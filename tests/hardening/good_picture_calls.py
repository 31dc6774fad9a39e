"""A small valid call of every picture; what it draws comes from the tables of `good_calls`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from good_calls import Arguments, calibration, chain_law, crelu, graph, importable, law, path, prediction

from gpdeep import finite, leaky, linearize, meanfield, plots, sparse

ROOMS = {"plots": plots}
NOT_CALLED = {} if importable("torch") else {"plots.plot_check": "shows a report of gpdeep.nn, which needs torch"}


@cache
def maps() -> Any:
    return meanfield.map_curves("tanh", sigma_w=1.5, sigma_b=0.25, layers=3)


@cache
def phases() -> Any:
    return meanfield.phase_diagram("erf")


@cache
def scan() -> Any:
    return meanfield.scan_depth_scales("erf", sigma_b=0.25, sigma_w=[1.0, 1.5])


@cache
def escape() -> Any:
    return sparse.escape_curve(crelu(), 5, [50, 100])


@cache
def levels() -> Any:
    return sparse.clip_curves("crelu", [0.75, 0.875])


@cache
def branches() -> Any:
    return leaky.continue_in_depth(path(), [2.0, 2.5])


@cache
def report() -> Any:
    from gpdeep import nn

    return nn.check("8,8x2,2", samples=20, seeds=3)


def axis() -> Any:
    return plots.side_by_side(1)[0]


CALLS: dict[str, Callable[[], Arguments]] = {
    "plots.picture_file": lambda: {"path": "picture.png"},
    "plots.plot_accuracy": lambda: {"curves": {"late": ([1.0, 2.0], [0.5, 0.75], [0.01, 0.01])}},
    "plots.plot_active_units": lambda: {"profiles": [linearize.path_profile(graph())], "labels": ["one"]},
    "plots.plot_angle_law": lambda: {"law": law()},
    "plots.plot_angle_law of samples": lambda: {"law": chain_law()},
    "plots.plot_branches": lambda: {"diagram": branches()},
    "plots.plot_calibration": lambda: {"found": calibration()},
    "plots.plot_clip_levels": lambda: {"curves": levels(), "designs": [crelu()]},
    "plots.plot_clipped_variance": lambda: {"curves": sparse.variance_curves(crelu())},
    "plots.plot_correlation_map": lambda: {"curves": maps()},
    "plots.plot_depth": lambda: {"prediction": prediction()},
    "plots.plot_depth_scales": lambda: {"scan": scan()},
    "plots.plot_escape": lambda: {"curve": escape()},
    "plots.plot_lengths": lambda: {"law": finite.length_law([8, 8])},
    "plots.plot_path_components": lambda: {"result": path()},
    "plots.plot_path_energies": lambda: {"result": path()},
    "plots.plot_path_lengths": lambda: {"found": linearize.path_profile(graph())},
    "plots.plot_path_singular_values": lambda: {"result": path()},
    "plots.plot_phase_diagram": lambda: {"diagram": phases(), "points": [(1.5, 0.25)]},
    "plots.plot_steps": lambda: {"steps": [0.5, 0.25, 0.25]},
    "plots.plot_variance_map": lambda: {"curves": maps()},
    "plots.save_figure": lambda: {"ax": axis(), "path": "picture.png"},
    "plots.side_by_side": lambda: {"count": 2},
}
if importable("torch"):
    CALLS["plots.plot_check"] = lambda: {"report": report()}
