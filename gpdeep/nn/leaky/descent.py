"""The first two phases of `train_leaky`: Adam finds a valley, L-BFGS goes down it.

Adam's rate falls along half a cosine to a hundredth. L-BFGS has a line search for the strong Wolfe conditions and is
started afresh with each call, so that nothing it remembers is of other layer steps than it walks on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .objective import LeakyObjective

CHUNK = 10  # steps of L-BFGS between two looks at how far it is
_MEMORY = 50
_LAST_RATE = 0.01  # of the first


@dataclass(frozen=True)
class Descended:
    """What a phase did.

    Attributes
    ----------
    iterations : int
    history : list of float
        F along the way.
    message : str
        What went wrong, or what there is to know.
    sharpness : float
        Of rounded kinks, where the network is stationary only so.
    """

    iterations: int
    history: list[float]
    message: str = ""
    sharpness: float = math.inf


def adam(objective: LeakyObjective, steps: int, rate: float, after: Callable[[int, float], None]) -> Descended:
    """`steps` steps of Adam on all samples, weights at `rate` L̃ and maps at `rate`; `after` is told step and F."""
    weights, *maps = objective.parameters
    groups = [{"params": [weights], "lr": rate * objective.model.effective_depth}]
    groups += [{"params": maps, "lr": rate}] if maps else []
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, k / steps)))
    )
    start = objective.snapshot()
    history: list[float] = []
    for step in range(1, steps + 1):
        value = float(objective.backward())
        if not math.isfinite(value):
            objective.restore(start)
            return Descended(
                step, history, f"Adam diverged in step {step} and was undone: use a smaller learning_rate."
            )
        history.append(value)
        optimizer.step()
        schedule.step()
        after(step, value)
    if not math.isfinite(objective.number()):
        objective.restore(start)
        return Descended(steps, history, "Adam diverged in its last step and was undone: use a smaller learning_rate.")
    return Descended(steps, history)


def lbfgs(objective: LeakyObjective, steps: int, after: Callable[[int, float], None], tol: float) -> Descended:
    """At most `steps` steps of L-BFGS, until the stationarity residual is `tol` or F falls no more.

    Where it stalls its memory is dropped; if it then stalls again, that is the end.
    """
    rounding = float(torch.finfo(objective.model.weights.dtype).eps)
    optimizer = _fresh(objective)
    best, least, done, stalls = objective.snapshot(), math.inf, 0, 0
    history: list[float] = []
    while True:
        value = float(objective.backward())
        if not math.isfinite(value):
            objective.restore(best)
            return Descended(done, history, "L-BFGS left the range of finite numbers and was taken back.")
        history.append(value)
        stalls = stalls + 1 if least - value <= rounding * abs(value) else 0
        if value < least:
            best, least = objective.snapshot(), value
        if done >= steps or stalls > 1 or objective.residual() <= tol:
            objective.restore(best)
            return Descended(done, history)
        if stalls:
            optimizer = _fresh(objective)
        count = min(CHUNK, steps - done)
        optimizer.param_groups[0]["max_iter"] = count
        optimizer.step(objective.backward)
        done += count
        after(done, value)


def _fresh(objective: LeakyObjective) -> Any:
    """L-BFGS without memory."""
    return torch.optim.LBFGS(
        objective.parameters,
        max_iter=CHUNK,
        history_size=_MEMORY,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
