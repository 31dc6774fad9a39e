r"""Training with a window in which slopes are pulled towards 1, the same for every network here.

    steps 0 ............. T/3 ............. 2T/3 .. 0.7 T ............ T
          |---- early ----|----- late -----|
    rate  |---------------- constant -------------|--- cosine to 0 ---|

All runs have the same steps, and both windows one length. Slopes have a rate of their own, which falls as the others'.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpdeep.errors import DomainError

ARMS = ("active", "linear", "early", "late")


@dataclass(frozen=True)
class Training:
    """How long and how fast.

    Parameters
    ----------
    steps, batch : int
    rate, momentum : float
        Of stochastic gradient descent, with Nesterov's momentum.
    slope_rate : float
        Of the slopes, without momentum.
    snap : float
        τ: a slope closer to 1 than this becomes 1 for good.
    """

    steps: int
    batch: int = 128
    rate: float = 0.05
    momentum: float = 0.9
    slope_rate: float = 0.5
    snap: float = 0.01

    def window(self, arm: str) -> tuple[int, int]:
        """First step of the arm's window, and the first one after it."""
        if arm not in ARMS:
            raise DomainError(f"The arm {arm!r:.50}.", "A misspelt name.", f"Use one of: {', '.join(ARMS)}.")
        third = self.steps // 3
        return {"early": (0, third), "late": (third, 2 * third)}.get(arm, (0, 0))

    def share_of_rate(self, step: int) -> float:
        """Learning rate at a step, in units of the first one.

        >>> [round(Training(100).share_of_rate(step), 2) for step in (0, 70, 85)]
        [1.0, 1.0, 0.5]
        """
        after = max(0.0, step / self.steps - 0.7) / 0.3
        return 0.5 * (1.0 + math.cos(math.pi * after))


def train(
    model: Any,
    loss: Callable[[Any, Any], Any],
    batches: Iterator[Any],
    training: Training,
    arm: str = "active",
    omega: float = 0.0,
) -> bool:
    """Train `model` in place; whether loss and gradient were finite to the end; if not, it rests where they last were.

    Parameters
    ----------
    model : torch.nn.Module
        With `gpdeep.nn.PartialReLU` modules.
    loss : callable
        Of the model and a batch.
    batches : iterator
    training : Training
    arm : {'active', 'linear', 'early', 'late'}
        When slopes are pulled: never, or with weight `omega` in the arm's window.
    omega : float
    """
    import torch

    from gpdeep.nn import LinearityPenalty, LinearizeSchedule

    start, stop = training.window(arm)
    penalty = LinearityPenalty(model)
    schedule = LinearizeSchedule(omega if stop else 0.0, start, max(stop, start + 1), training.snap)
    for slope in penalty.parameters():
        slope.requires_grad_(bool(schedule.omega))
    groups = penalty.groups(training.slope_rate, momentum=0.0, nesterov=False)
    if not schedule.omega:
        groups = groups[:1]
    optimizer = torch.optim.SGD(groups, lr=training.rate, momentum=training.momentum, nesterov=True)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, training.share_of_rate)
    finite = True
    model.train()
    for step in range(training.steps):
        weight = schedule.weight(step)
        total = loss(model, next(batches))
        if weight:
            total = total + weight * penalty()
        optimizer.zero_grad()
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf)  # clips nothing
        finite = bool(torch.isfinite(total + norm))
        if not finite:
            break
        optimizer.step()
        falling.step()
        schedule.after_step(step, penalty)
    model.eval()
    return finite


def orders(rng: np.random.Generator, samples: int, batch: int) -> Iterator[Any]:
    """Batches of sample numbers without end: one permutation of all samples after another."""
    left = np.empty(0, dtype=np.int64)
    while True:
        while len(left) < batch:
            left = np.concatenate([left, rng.permutation(samples)])
        yield left[:batch]
        left = left[batch:]
