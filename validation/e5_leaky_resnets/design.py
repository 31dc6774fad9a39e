"""Which leaky ResNets are trained, at each size."""

from __future__ import annotations

from typing import Any

from ..experiment import Settings, Size
from ..sweep import Unit

HIDDEN = 2  # k*, the dimension of the task
_EVALUATIONS = 1.3  # of the gradient for each step of L-BFGS
INVARIANT = {"experiment": "E5", "width": 40, "layers": 16, "effective_depth": 4.0, "samples": 30, "lam": 0.02}
LEVEL_WIDTH, LEVEL_DEPTH = 100, 1.5
_LEVEL = {"experiment": "E5", "width": LEVEL_WIDTH, "layers": 12, "effective_depth": LEVEL_DEPTH}
# Adam has to bring a rough start down to a smooth path: up to L̃ = 7 small weights are nearer to one, and signals
# survive them; beyond, they would not, and the default start is taken, with a faster and longer Adam.
_QUICK: dict[str, Any] = {
    "width": 40,
    "samples": 150,
    "lam": 0.02,
    "sigma_w": 1.0,
    "rate": 0.01,
    "adam": 1500,
    "lbfgs": 800,
}
_FULL: dict[str, Any] = {
    "width": 200,
    "samples": 1000,
    "lam": 0.02,
    "sigma_w": None,
    "rate": 0.03,
    "adam": 3000,
    "lbfgs": 1000,
}


def plan(settings: Settings) -> list[Unit]:
    """Statements about the start first, then the networks; long runs come before short ones."""
    seed = settings.seed
    units = [
        Unit(f"{__package__}.start:invariant", {**INVARIANT, "what": "invariant", "activation": phi, "seed": seed})
        for phi in ("relu", "tanh")
    ]
    networks = 150 if settings.size is Size.SMOKE else 600
    units.append(Unit(f"{__package__}.start:level", {**_LEVEL, "what": "level", "networks": networks, "seed": seed}))
    return units + [
        Unit(f"{__package__}.trial:trial", s, flops=_flops(s), settings={"device": settings.device})
        for s in networks_of(settings)
    ]


def networks_of(settings: Settings) -> list[dict[str, Any]]:
    """Specifications of the networks that are trained."""
    if settings.size is Size.SMOKE:
        return []
    if settings.size is Size.QUICK:
        cells = [(depth, layers, "equal") for layers in (48, 24, 12) for depth in (1.5, 4.0)]
        cells += [(7.0, 24, "equal")] + [(depth, 24, "adaptive") for depth in (1.5, 4.0, 7.0)]
        base, seeds = _QUICK, 1
    else:
        kinds = ("equal", "adaptive")
        cells = [(d, 200, steps) for d in (4.0, 12.0, 20.0) for steps in kinds]
        cells += [(d, layers, steps) for layers in (48, 24, 12) for d in (1.5, 4.0, 7.0) for steps in kinds]
        base, seeds = _FULL, 2
    return [
        {"experiment": "E5", "effective_depth": d, "layers": n, "steps": steps, "seed": settings.seed + seed, **base}
        for d, n, steps in cells
        for seed in range(seeds)
    ]


def _flops(s: dict[str, Any]) -> float:
    """Of forward and backward passes."""
    passes = s["adam"] + _EVALUATIONS * s["lbfgs"]
    return float(6 * s["samples"] * s["width"] ** 2 * s["layers"] * passes)
