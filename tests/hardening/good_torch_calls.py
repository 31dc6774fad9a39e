"""A small valid call of everything public in `gpdeep.nn`, as in `good_calls`.

The methods `forward` have no row: a module of torch takes tensors, and torch says itself what it cannot take.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from good_calls import Arguments, core, crelu, file, path, points
from torch import nn as layers

from gpdeep import nn

ROOMS = {"nn": nn}
NOT_CALLED: dict[str, str] = {}


def dense(*between: Any) -> Any:
    torch.manual_seed(0)
    phi = between or (layers.ReLU(),)
    return layers.Sequential(layers.Linear(3, 4), *phi, layers.Linear(4, 2)).eval()


def partial() -> Any:
    torch.manual_seed(0)
    phi = nn.PartialReLU(4, alpha=0.25)
    phi.freeze([True, False, True, False])
    return layers.Sequential(layers.Linear(3, 4), phi, layers.Linear(4, 2)).eval()


def leaky() -> Any:
    return nn.LeakyResNet(2, 4, 1.0, dtype=torch.float64)


def nets() -> Any:
    return nn.Ensemble("3,8x2,2", 2, sigma_b=0.1)


def penalty() -> Any:
    return nn.LinearityPenalty(partial())


def inputs() -> Any:
    return torch.tensor(points(), dtype=torch.float32)


def wide() -> Any:
    return layers.Sequential(layers.Linear(3, 64), nn.module_of(crelu()), layers.Linear(64, 64), nn.module_of(crelu()))


def ends() -> Arguments:
    return {"X": [[0.5, 1.0], [1.0, 0.25]], "Y": [[0.25, 1.0], [1.0, 0.5]], "lam": 0.01}


def factory() -> str:
    text = "from torch import nn\ndef net(): return nn.Linear(2, 3)\n"
    return f"{file('model.py', lambda where: Path(where).write_text(text))}:net"


@cache
def sorted_class() -> type:
    class Sorted(layers.Module):
        def forward(self, x: Any) -> Any:
            return x.sort(dim=-1).values

    return Sorted


CALLS: dict[str, Callable[[], Arguments]] = {
    "nn.AdaptiveSteps": lambda: {"total": 10, "every": 2},
    "nn.AdaptiveSteps.due": lambda: {"self": nn.AdaptiveSteps(10, every=2), "step": 4},
    "nn.CReLU": lambda: {"tau": 1.0, "m": 0.5},
    "nn.CST": lambda: {"tau": 1.0, "m": 0.5},
    "nn.CoreModel": lambda: {"core": core()},
    "nn.Ensemble": lambda: {"architecture": "3,8x2,2", "members": 2, "sigma_b": 0.1},
    "nn.Ensemble.bytes_needed": lambda: {"self": nets(), "samples": 8},
    "nn.Ensemble.flops": lambda: {"self": nets(), "samples": 8},
    "nn.LeakyResNet": lambda: {"width": 2, "depth": 4, "effective_depth": 1.0},
    "nn.LeakyResNet.from_arrays": lambda: {
        "steps": [0.25] * 4,
        "weights": np.ones((4, 1, 1)),
        "effective_depth": 1.0,
        "activation": "identity",
        "bias": 0.0,
    },
    "nn.LeakyResNet.from_geodesic": lambda: {"result": path(), "depth": 8},
    "nn.LeakyResNet.layer_energies": lambda: {"self": leaky(), **ends()},
    "nn.LeakyResNet.representations": lambda: {"self": leaky(), "x": torch.ones(3, 2, dtype=torch.float64)},
    "nn.LeakyResNet.sample_invariant": lambda: {"self": leaky(), **ends()},
    "nn.LeakyResNet.stationarity_residual": lambda: {"self": leaky(), **ends()},
    "nn.LinearityPenalty": lambda: {"model": partial(), "p": 0.5},
    "nn.LinearityPenalty.coefficient": lambda: {"self": penalty(), "name": "1"},
    "nn.LinearityPenalty.groups": lambda: {"self": penalty(), "lr": 0.1},
    "nn.LinearityPenalty.prox_step": lambda: {"self": penalty(), "step": 0.01},
    "nn.LinearityPenalty.snap": lambda: {"self": penalty(), "tau": 0.01},
    "nn.LinearizeSchedule": lambda: {"omega": 0.01, "start": 20, "stop": 40},
    "nn.LinearizeSchedule.after_step": lambda: {
        "self": nn.LinearizeSchedule(0.01),
        "time": 1.0,
        "penalty": penalty(),
    },
    "nn.LinearizeSchedule.check": lambda: {"self": nn.LinearizeSchedule(0.01, 0, 10), "penalty": penalty(), "lr": 0.1},
    "nn.LinearizeSchedule.on": lambda: {"self": nn.LinearizeSchedule(0.01), "time": 1.0},
    "nn.LinearizeSchedule.weight": lambda: {"self": nn.LinearizeSchedule(0.01), "time": 1.0},
    "nn.PartialReLU": lambda: {"num_channels": 3, "alpha": 0.25},
    "nn.PartialReLU.freeze": lambda: {"self": nn.PartialReLU(3), "mask": [True, False, True]},
    "nn.ReLUTau": lambda: {"tau": 1.0},
    "nn.SoftThreshold": lambda: {"tau": 1.0},
    "nn.active_units": lambda: {"model": partial()},
    "nn.adapt_steps": lambda: {"model": leaky(), "X": [[0.5, 1.0], [1.0, 0.25]]},
    "nn.architecture_of": lambda: {"module": dense()},
    "nn.check": lambda: {"network": "8,8x2,2", "samples": 20, "seeds": 3},
    "nn.core_network": lambda: {"model": partial()},
    "nn.ensemble_statistics": lambda: {"ensemble": nets(), "X": points(), "pairs": [[0, 1]]},
    "nn.fold": lambda: {"model": layers.Sequential(layers.Linear(3, 3), layers.Linear(3, 2)).eval()},
    "nn.graph_of": lambda: {"model": dense(), "example": inputs()},
    "nn.init_layer_": lambda: {"layer": layers.Linear(4, 3), "sigma_w": 1.5, "sigma_b": 0.0},
    "nn.initialize": lambda: {"model": wide(), "design": crelu(), "input_second_moment": 1.0},
    "nn.load_factory": lambda: {"spec": factory()},
    "nn.module_of": lambda: {"phi": "crelu:1,1.5"},
    "nn.probe": lambda: {"model": dense(), "inputs": inputs(), "sigma_w": 1.5},
    "nn.register_rule": lambda: {"op": sorted_class(), "rule": "activation"},
    "nn.replace_activations": lambda: {"model": dense()},
    "nn.scale_inputs": lambda: {"x": points(), "design": crelu()},
    "nn.train_ensemble": lambda: {"ensemble": nets(), "X": points(), "Y": [0, 1, 1], "steps": 2, "lr": 0.1},
    "nn.train_leaky": lambda: {
        "model": leaky(),
        **ends(),
        "adam_steps": 2,
        "lbfgs_steps": 2,
        "newton_steps": 2,
    },
    "nn.variance_shares": lambda: {"model": dense(), "example": inputs()},
    "nn.weight_report": lambda: {"module": dense()},
}
