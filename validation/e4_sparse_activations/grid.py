r"""What is sampled, and what is trained: arms (φ, sparsity, V'(1)) by optimiser by seed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ..data import data_name
from ..experiment import Settings, Size
from ..sweep import Batch, Unit

PATHS = "validation.e4_sparse_activations.paths:variance_paths"
TRAIN = "validation.e4_sparse_activations.networks:train_arms"
CLIPPED, UNCLIPPED = ("cst", "crelu"), ("st", "relu_tau")
SPARSITIES = (0.7, 0.8, 0.85)
PLAIN, CLIP = {"clip": None, "lr": 0.01}, {"clip": 1.0, "lr": 0.1}
SEEDS = 3
WRONG = 1.05  # of sigma_w, in the control

_ON_GPU = 2**33  # numbers that weights, gradients and copies of an ensemble may take


def arms_of(
    slopes: Sequence[float], sparsities: Sequence[float], kinds: Sequence[str] = (*CLIPPED, *UNCLIPPED)
) -> list[dict[str, Any]]:
    """Every kind with every sparsity; clipped kinds with every slope."""
    found: list[dict[str, Any]] = []
    for kind, sparsity in itertools.product(kinds, sparsities):
        found += [{"kind": kind, "sparsity": sparsity, "slope": slope} for slope in slopes if kind in CLIPPED]
        found += [{"kind": kind, "sparsity": sparsity}] if kind in UNCLIPPED else []
    return found


def path_specifications(settings: Settings) -> list[dict[str, Any]]:
    """Sampled variances of random networks, for one input of variance 1, and the control with wrong weights."""
    full = settings.size is Size.FULL
    shape = {"width": 200, "depth": 100, "networks": 10**6 if full else 400, "seed": settings.seed, "wrong": 1.0}
    slopes = (0.7,) if settings.size is Size.SMOKE else (0.5, 0.7, 0.9)
    arms = arms_of(slopes, (*SPARSITIES, 0.9) if full else SPARSITIES)
    found = [{"experiment": "E4", "part": "paths", **arm, **shape} for arm in arms]
    found += [one | {"wrong": WRONG} for one in found if one.get("slope") == 0.7]
    if full:
        wide = shape | {"width": 2048, "depth": 500, "networks": 10**5}
        found += [{"experiment": "E4", "part": "paths", **arm, **wide} for arm in arms_of((0.7, 0.9), (0.8,))]
    return found


def training_specifications(settings: Settings) -> list[dict[str, Any]]:
    """Every network that is trained, those of an arm and optimiser one after the other."""
    if settings.size is Size.SMOKE:
        return []
    full = settings.size is Size.FULL
    how = {"width": 200, "depth": 30, "batch": 64, "steps": 1200, "data": data_name(settings.data)}
    arms = [*arms_of((0.7,), SPARSITIES), *arms_of((0.9,), (0.8,), CLIPPED)]
    runs = [(arm, how, SEEDS) for arm in arms]
    if full:
        deep = how | {"width": 300, "depth": 100, "steps": 10_000}
        runs += [(arm, deep, SEEDS) for arm in arms_of((0.5, 0.7, 0.9), (*SPARSITIES, 0.9))]
    return [
        {"experiment": "E4", "part": "train", **arm, **shape, **optimiser, "seed": [settings.seed, seed]}
        for arm, shape, seeds in runs
        for optimiser in (PLAIN, CLIP)
        for seed in range(
            1 if arm["kind"] in UNCLIPPED and optimiser["clip"] else seeds
        )  # one where nothing is asserted
    ]


def plan(settings: Settings) -> Sequence[Unit | Batch]:
    """The sampled variances, then the ensembles."""
    common = {"device": settings.device}
    units: list[Unit | Batch] = [
        Unit(PATHS, one, 3e1 * one["networks"] * one["depth"] * one["width"], common)
        for one in path_specifications(settings)
    ]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in training_specifications(settings):
        alike = (one["width"], one["depth"], one["steps"], one["clip"])
        arm = () if settings.device != "cpu" else (one["kind"], one["sparsity"], one.get("slope"))
        groups.setdefault((*alike, *arm), []).append(one)
    for members in groups.values():
        most = (
            8 if settings.device == "cpu" else max(1, _ON_GPU // (4 * members[0]["depth"] * members[0]["width"] ** 2))
        )
        for start in range(0, len(members), most):
            part = members[start : start + most]
            flops = sum(6.0 * s["batch"] * s["steps"] * s["depth"] * s["width"] ** 2 for s in part)
            units.append(Batch(TRAIN, part, flops, common | {"data": settings.data}))
    return units
