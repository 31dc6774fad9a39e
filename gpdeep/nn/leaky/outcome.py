"""How `train_leaky` sums up: what each phase reached, the energies of the layers, and what to say about them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...leaky.network import MEANINGLESS, warn_if_meaningless
from ...leaky.nonlinearity import Nonlinearity
from ...result import Status, StatusCode
from .descent import Descended
from .objective import LeakyObjective
from .training_result import LeakyTraining

CONVERGED = 1e-2  # up to this residual the energies of layers are energies


@dataclass(frozen=True)
class Phase:
    """A phase of training, by its name, what it did, and F and the stationarity residual at its end."""

    name: str
    did: Descended
    value: float
    residual: float


def phase_of(objective: LeakyObjective, name: str, did: Descended) -> Phase:
    """The phase that has just ended."""
    return Phase(name, did, objective.number(), objective.along(did.sharpness)[1])


def outcome(objective: LeakyObjective, phases: list[Phase]) -> LeakyTraining:
    """The result for where the model is."""
    model, lam = objective.model, objective.lam
    sharpness = phases[-1].did.sharpness if phases else math.inf
    at, residual = objective.along(sharpness)
    warn_if_meaningless(residual, stacklevel=4)
    history = [value for phase in phases for value in (*phase.did.history, phase.value)]
    return LeakyTraining(
        status=_status(objective, phases, residual),
        objective=lam * objective.number(),
        cost=objective.cost(),
        action=model.parameter_cost().item(),
        residual=residual,
        sharpness=sharpness,
        energies=at.energies(corrected=False),
        corrected_energies=at.energies(corrected=True),
        steps=at.rho,
        phases=tuple(phase.name for phase in phases),
        iterations=np.array([phase.did.iterations for phase in phases], dtype=np.int64),
        phase_objectives=lam * np.array([phase.value for phase in phases]),
        phase_residuals=np.array([phase.residual for phase in phases]),
        history=lam * np.array(history),
        effective_depth=model.effective_depth,
        lam=lam,
        activation=model.phi.name,
    )


def _status(objective: LeakyObjective, phases: list[Phase], residual: float) -> Status:
    """What was not reached, and what the reader should know of the phases."""
    messages = [phase.did.message for phase in phases if phase.did.message]
    if residual <= CONVERGED:
        return Status(messages=tuple(messages))
    what = "say nothing" if not residual <= MEANINGLESS else "mean little"
    change = "Train on, or in float64."
    if not Nonlinearity.of(objective.model.phi).smooth and not any(p.did.sharpness < math.inf for p in phases):
        change = f"Entries rest on kinks of {objective.model.phi.name}: newton=True rounds them."
    messages.insert(0, f"The stationarity residual is {residual:.2g}, above {CONVERGED:g}: energies {what}. {change}")
    return Status(StatusCode.NOT_CONVERGED, tuple(messages))
