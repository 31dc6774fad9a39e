"""Which networks are trained: budgets of weights at many depths, and alternating wide and narrow layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from validation.data import data_name
from validation.experiment import Settings, Size
from validation.sweep import Batch

FUNCTION = "validation.e2_accuracy_and_degeneracy:trial"
_NARROWEST = 8


@dataclass(frozen=True)
class Shape:
    """A network's hidden layers.

    Parameters
    ----------
    budget : int
        Weights between hidden layers, about; equal for networks that are compared at equal parameters.
    depth : int
    ratio : float
        Of the widths of odd and even layers.
    """

    budget: int
    depth: int
    ratio: float = 1.0

    @property
    def pair(self) -> tuple[int, int]:
        """Widths a, ra of odd and even layers with (L-1) r a² the budget.

        >>> Shape(6000, 6).pair, Shape(24_000, 30, 3.2).pair
        ((35, 35), (16, 51))
        """
        narrow = math.sqrt(self.budget / (self.depth - 1) / self.ratio)
        return round(narrow), round(self.ratio * narrow)


@dataclass(frozen=True)
class Design:
    """What is trained, and how.

    Parameters
    ----------
    shapes : tuple of Shape
    activations : tuple of str
    seeds : int
    rates : tuple of float
    steps, batch : int
    start_shapes : tuple of Shape
        Networks that are looked at before training only, `start_seeds` of each.
    start_seeds : int
    """

    shapes: tuple[Shape, ...]
    activations: tuple[str, ...]
    seeds: int
    rates: tuple[float, ...]
    steps: int
    batch: int
    start_shapes: tuple[Shape, ...]
    start_seeds: int


_START = (
    *(Shape(12_000, depth) for depth in (6, 16, 30, 60)),
    *(Shape(24_000, depth) for depth in (10, 40)),
    *(Shape(24_000, 30, ratio) for ratio in (1.5, 3.2)),
)
_START_SEEDS = 96  # tell 30 layers of 16 and 51 from 30 of twice the width with 99 % probability, in a family of 8
_RATIOS = (1.0, 1.5, 2.2, 3.2)
_QUICK = (
    *(Shape(budget, depth) for budget in (6000, 12_000, 24_000, 48_000) for depth in (6, 10, 16, 24, 40, 60)),
    *(Shape(budget, 30, ratio) for budget in (12_000, 24_000) for ratio in _RATIOS),
)
_FULL = (
    *(
        Shape(budget, depth)
        for budget in (12_000, 48_000, 200_000, 800_000, 2_000_000)
        for depth in (6, 10, 16, 25, 40, 63, 100, 160, 250, 500)
    ),
    *(Shape(budget, depth, ratio) for budget in (48_000, 200_000) for depth in (30, 80) for ratio in _RATIOS),
)

DESIGNS = {
    Size.SMOKE: Design((), (), 0, (), 0, 128, _START, _START_SEEDS),
    Size.QUICK: Design(_QUICK, ("relu",), 8, (0.01, 0.03), 300, 128, _START, _START_SEEDS),
    Size.FULL: Design(
        tuple(shape for shape in _FULL if min(shape.pair) >= _NARROWEST),
        ("relu", "tanh", "crelu"),
        32,
        (0.003, 0.01, 0.03),
        300,
        128,
        _START,
        1024,
    ),
}


def batches(settings: Settings) -> list[Batch]:
    """One batch for each network and activation, the longest first."""
    design = DESIGNS[settings.size]
    common = {"experiment": "E2", "data": data_name(settings.data), "root": settings.seed}
    found = []
    for shape in design.start_shapes:
        about = common | _about(shape, "relu") | {"steps": 0, "batch": design.batch, "rate": 0.0}
        found.append([about | {"seed": seed} for seed in range(design.start_seeds)])
    for phi in design.activations:
        for shape in design.shapes:
            about = common | _about(shape, phi) | {"steps": design.steps, "batch": design.batch}
            found.append(
                [about | {"rate": rate, "seed": seed} for rate in design.rates for seed in range(design.seeds)]
            )
    how = {"device": settings.device, "data": settings.data}
    made = [Batch(FUNCTION, members, _flops(members), how) for members in found]
    return sorted(made, key=lambda batch: -(batch.flops or 0.0))


def _about(shape: Shape, phi: str) -> dict[str, Any]:
    return {"pair": list(shape.pair), "depth": shape.depth, "budget": shape.budget, "phi": phi}


def widths_of(specification: Mapping[str, Any]) -> tuple[int, ...]:
    """Hidden widths, the two of `pair` in turn.

    >>> widths_of({"pair": [8, 9], "depth": 3})
    (8, 9, 8)
    """
    return tuple(specification["pair"][layer % 2] for layer in range(specification["depth"]))


def name_of(specification: Mapping[str, Any]) -> str:
    """Such as ``16/51 x 30``."""
    return f"{'/'.join(map(str, dict.fromkeys(specification['pair'])))} x {specification['depth']}"


def _flops(members: list[dict[str, Any]]) -> float:
    """About: a step is three products, and small layers cost as much as 3,000 weights."""
    one = members[0]
    cost = float(sum(max(width**2, 3000) for width in widths_of(one)))
    return 6.0 * len(members) * cost * float(one["batch"]) * float(max(one["steps"], 3))
