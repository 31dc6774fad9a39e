"""What `train_ensemble` is given, checked: numbers a member, schedules, optimisers, steps to look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ...errors import DomainError
from ...gaussian.arguments import callback, choice, entries, flag, shown
from ..arguments import LARGEST, number
from .member_optimisers import OPTIMISERS, SGD, Adam, Stepper
from .members import Ensemble, one_each

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "linear": lambda share: 1.0 - share,
}


def column(ensemble: Ensemble, name: str, value: Any, most: float) -> Any:
    """One number of 0 or more a member, as a tensor (M, 1)."""
    found = one_each(name, value, ensemble.members)
    if not ((found >= 0) & (found <= most)).all():
        raise DomainError(
            f"{name} holds {shown(found[~((found >= 0) & (found <= most))][0])}.",
            f"{name} lies between 0 and {most:g}.",
            f"Give such as {name}=0.1.",
        )
    like = ensemble.weights[0]
    return torch.tensor(found, dtype=like.dtype, device=like.device)[:, None]


def schedule_of(given: Any) -> Callable[[float], float]:
    """The factor of the learning rate at a share of the way."""
    if not callable(given):
        return SCHEDULES[choice("schedule", given, SCHEDULES)]
    callback("schedule", given, 0.5)
    return lambda share: number("what schedule returns", given(share), -LARGEST, LARGEST, "a factor of the rate")


def stepper_of(name: str, momentum: float, nesterov: bool, weight_decay: float) -> Stepper:
    """The optimiser of a name."""
    decay = number("weight_decay", weight_decay, -math.inf, LARGEST, "the weight of |p|²/2 beside the cost")
    kept = "the share of the last step that is kept, from 0 to below 1 (at 1 nothing is ever forgotten)"
    mu = number("momentum", momentum, -math.inf, 1.0, kept)
    name, nesterov = choice("optimizer", name, OPTIMISERS), flag("nesterov", nesterov)
    if decay < 0 or mu < 0:
        raise DomainError(f"momentum = {mu:g}, weight_decay = {decay:g}.", "Neither is negative.", "Give 0 or more.")
    if name == "adam":
        if mu or nesterov:
            raise DomainError(f"momentum = {mu:g} with adam.", "Adam's averages are its own.", "Leave momentum out.")
        return Adam(weight_decay=decay)
    if nesterov and not mu:
        raise DomainError("nesterov=True with momentum = 0.", "Nesterov's step looks ahead along it.", "Give momentum.")
    return SGD(mu, nesterov, decay)


def looks_at(record_at: Sequence[int], steps: int) -> set[int]:
    """The steps after which to look: those given, the start and the end."""
    found = {0, steps}
    for step in entries("record_at", record_at, "numbers of steps"):
        if isinstance(step, (bool, np.bool_)) or not isinstance(step, (int, np.integer)) or not 0 <= step <= steps:
            raise DomainError(
                f"record_at holds {shown(step, 50)} with {steps} steps.",
                "It lists numbers of steps, from 0 to the last.",
                "Give such as (1, 10, 100).",
            )
        found.add(int(step))
    return found
