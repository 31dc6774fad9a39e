"""E1: do random networks have the laws that theory gives their angles and lengths?

small_angle   networks and sampler at a vanishing angle: the exact law of a layer, its drift, who is lost
sampler       networks with real weights beside the samplers that draw none; the exact law of lengths
means         the mean of ln sin²θ at practical angles against three theories, and how normal it is
maps          one layer of every activation against its infinite-width map, which is exact in the mean
by_layer      the mean of ln sin²θ after every layer of networks with real weights, for a figure
controls      wrong weights and wrong widths, which have to be refused
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from validation.claim import Claim
from validation.experiment import Experiment, Results, Settings
from validation.sweep import Unit

from .design import units


def plan(settings: Settings) -> list[Unit]:
    """The units of a size."""
    return units(settings)


def trial(specification: Mapping[str, Any], *, device: str = "cpu") -> Mapping[str, Any]:
    """One unit: simulate, and return tests and sums."""
    from . import by_layer, maps, means, sampler, small_angle

    parts = {
        "small_angle_networks": small_angle.networks,
        "small_angle_chain": small_angle.chain,
        "sampler": sampler.cell,
        "wrong_weights": sampler.wrong_weights,
        "means": means.sums,
        "maps": maps.layer,
        "by_layer": by_layer.sums,
    }
    return parts[specification["part"]](specification, device)


def claims(settings: Settings, results: Results) -> Sequence[Claim]:
    """The claims, from the results in the order of the plan."""
    from . import by_layer, controls, maps, means, power, sampler, small_angle
    from .design import DESIGNS, Cells

    cells = Cells(units(settings), results)
    design = DESIGNS[settings.size]
    return [
        *small_angle.claims(cells),
        *sampler.claims(cells),
        *maps.claims(cells),
        *means.claims(cells),
        *controls.claims(cells),
        power.claim(design),
        by_layer.claim(cells),
    ]


EXPERIMENT = Experiment(
    id="E1",
    title="Laws of initialisation",
    question="Do random networks of finite width have the laws of angles and lengths that theory gives?",
    plan=plan,
    claims=claims,
    limits="Plain dense layers with Gaussian weights and no bias; ReLU but for the maps of one layer. Nothing is "
    "trained. CONSISTENT never means more than that the stated departure would have been noticed.",
)
