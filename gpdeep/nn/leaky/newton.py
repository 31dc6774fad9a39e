r"""The last phase of `train_leaky`: Newton's method of `gpdeep.leaky.train_network`, from where the model is.

It runs in float64 on the processor, and its answer is rounded to the model's type. A minimum of a network with kinks
has entries that rest on them, with a slope between those of the two sides, and no method for smooth functions gets
there. So kinks are rounded, at a sharpness k that grows fourfold from stage to stage; the objective comes down to that
of the kink as 1/k, and the rounded network, unlike the other, is stationary and has energies.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn

from ...errors import MemoryBudgetError, ValidityWarning
from ...leaky.network_newton import train_network
from ...leaky.nonlinearity import Nonlinearity
from .descent import Descended
from .energies import numbers, representations, steps_in_float64
from .objective import LeakyObjective

SHARPNESSES = (40.0, 160.0, 640.0, 2560.0, 10240.0, 40960.0)  # of kinks, over the root mean square of representations
_ON_THE_WAY = 1e-3  # residual of stages that are not the last
_WORSE = 1e-4  # what rounding may cost of the objective


def newton(objective: LeakyObjective, most: int, tol: float) -> Descended:
    """At most `most` iterations (with kinks, at each sharpness), until the stationarity residual is `tol`."""
    if objective.task.name is None:
        return Descended(0, [], "Newton's method was left out: it takes the costs squared and cross_entropy only.")
    model, phi = objective.model, Nonlinearity.of(objective.model.phi)
    before, values = objective.number(), objective.snapshot()
    stages = [math.inf]
    if not phi.smooth:
        size = float(np.sqrt(np.mean(representations(model, objective.task.X) ** 2)))
        stages = [k / (size or 1.0) for k in SHARPNESSES]
    done, sharpness = 0, math.inf
    for sharpness in stages:
        try:
            found = _solved(objective, sharpness, most, tol if sharpness == stages[-1] else max(tol, _ON_THE_WAY))
        except MemoryBudgetError as error:
            return Descended(done, [], f"Newton's method was left out. {error.found}")
        done += found.iterations
        _put(objective, found)
        if found.residual > _ON_THE_WAY:  # sharper kinks are harder
            break
    rounding = 4 * float(torch.finfo(model.weights.dtype).eps)
    taken = objective.number() <= before + (rounding if phi.smooth else _WORSE) * abs(before)
    if not taken:
        objective.restore(values)
    if phi.smooth:
        return Descended(done, [], "" if taken else "Newton's method found nothing lower and was undone.")
    if not taken:
        return Descended(done, [], f"Newton's method with the kinks of {phi.phi.name} rounded was undone: it went up.")
    message = f"Residual and energies are those of kinks of {phi.phi.name} rounded with the sharpness {sharpness:.3g}."
    return Descended(done, [], message, sharpness)


def _solved(objective: LeakyObjective, sharpness: float, most: int, tol: float) -> Any:
    """The network solution from where the model is."""
    model = objective.model
    maps: dict[str, Any] = {}
    for name, linear, penalty in (
        ("read_in", model.read_in, objective.in_penalty),
        ("read_out", model.read_out, objective.out_penalty),
    ):
        if linear is not None:
            maps[name] = numbers(linear)
        if isinstance(linear, nn.Parameter):
            maps[f"{name}_penalty"] = penalty
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)  # train_leaky warns, of the model that comes out
        return train_network(
            numbers(objective.task.X).T,
            objective.task.target_columns(),
            model.effective_depth,
            terminal_weight=objective.lam,
            rho=steps_in_float64(model),
            activation=model.phi,
            sharpness=sharpness,
            bias=model.bias,
            cost=objective.task.name or "",
            start=numbers(model.weights),
            tol=tol,
            max_iterations=most,
            **maps,
        )


def _put(objective: LeakyObjective, found: Any) -> None:
    """Weights, and maps that are learned, into the model."""
    model = objective.model
    with torch.no_grad():
        model.weights.copy_(torch.as_tensor(found.weights))
        for linear, value in ((model.read_in, found.read_in), (model.read_out, found.read_out)):
            if isinstance(linear, nn.Parameter):
                linear.copy_(torch.as_tensor(value))
