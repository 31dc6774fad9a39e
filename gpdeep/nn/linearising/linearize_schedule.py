"""When the penalty on slopes is on: a window of training, at the start or late, in epochs or steps."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from ...gaussian.arguments import as_float, instance, real
from ...linearize.sparsity_prior import require_tau, window_warnings
from ..arguments import LARGEST, number
from ..modules.partial_relu import require_finite_slopes_of
from .linearity_penalty import LinearityPenalty


@dataclass(frozen=True)
class LinearizeSchedule:
    """The penalty with weight ω for start ≤ time < stop; at all other times training is as usual.

    What is frozen stays frozen after the window. To compare early with late give both windows of one length in runs of
    one length, a constant learning rate until both are closed, and compare at equal remaining path length, not at equal
    ω: at equal ω the early network ends more linear.

    Parameters
    ----------
    omega : float
        Weight ω ≥ 0 of the penalty.
    start, stop : float
        In whatever unit the methods are given the time in; `stop` may be infinite.
    tau : float
        Half-width τ of the window around slope 1 in which a unit is frozen.

    Raises
    ------
    DomainError
        A number is out of range.

    Examples
    --------
    >>> late = LinearizeSchedule(omega=0.01, start=20, stop=40)
    >>> [late.weight(epoch) for epoch in (0, 20, 39, 40)]
    [0.0, 0.01, 0.01, 0.0]
    """

    omega: float
    start: float = 0.0
    stop: float = math.inf
    tau: float = 0.01

    def __post_init__(self) -> None:
        number("omega", self.omega, -1e-300, LARGEST, "the weight of a penalty, 0 or more")
        start = number("start", self.start, -LARGEST, LARGEST, "the time at which the penalty is switched on")
        stop = as_float(self.stop)
        real("stop", min(stop, LARGEST), start, math.inf, "the time at which it is switched off, after start")
        require_tau(self.tau)

    def on(self, time: float) -> bool:
        """Whether the penalty is on."""
        now = number("time", time, -LARGEST, LARGEST, "a time in the units of start and stop")
        return bool(self.start <= now < self.stop)

    def weight(self, time: float) -> float:
        """ω while it is on, else 0."""
        return float(self.omega) if self.on(time) else 0.0

    def after_step(self, time: float, penalty: LinearityPenalty) -> int:
        """Freeze what has arrived, while the penalty is on: call it after every optimiser step.

        Returns
        -------
        int
            Units frozen now.

        Raises
        ------
        DomainError
            While the penalty is on, slopes are NaN or infinite.
        """
        instance("penalty", penalty, LinearityPenalty, "gpdeep.nn.LinearityPenalty")
        return penalty.snap(self.tau) if self.on(time) and self.omega else 0

    def check(self, penalty: LinearityPenalty, *, lr: float, steps: float = 1.0, momentum: float = 0.0) -> None:
        """Warn before training if slopes cannot arrive in the window, or would jump there.

        Parameters
        ----------
        penalty : LinearityPenalty
            With the slopes as they will be at the start of the window, as far as that is known.
        lr : float
            Learning rate of the slopes, of plain gradient descent; the law does not hold for Adam.
        steps : float
            Optimiser steps for each unit of time: batches per epoch where time counts epochs.
        momentum : float
            Of the slopes, in [0, 1); the rate counts as lr/(1 - momentum).

        Warns
        -----
        TravelTimeWarning
            Half of the units need longer than the window, by the penalty alone: `gpdeep.linearize.travel_time`.
        CaptureWarning
            Steps near 1 are longer than the window |1 - a| < τ: `gpdeep.linearize.clean_step`.

        Raises
        ------
        DomainError
            An argument is out of range, or slopes are NaN or infinite.
        """
        instance("penalty", penalty, LinearityPenalty, "gpdeep.nn.LinearityPenalty")
        rate = number("lr", lr, 0.0, LARGEST, "a learning rate")
        rate /= 1 - number("momentum", momentum, -1e-300, 1.0, "a momentum")
        each = number("steps", steps, 0.0, LARGEST, "a number of optimiser steps")
        sizes, slopes = [], []
        for name, module in penalty.modules.items():
            require_finite_slopes_of(f"'{name}'", module)
            live = module.alpha.detach()[~module.frozen].double().cpu().numpy()
            slopes.append(live)
            sizes.append(np.full(live.size, rate * self.omega * penalty.coefficient(name)))
        size = np.concatenate(sizes)
        if not size.size or not self.omega:
            return
        length = min((self.stop - self.start) * each, LARGEST)
        for warning in window_warnings(
            size, length, tau=self.tau, slopes=np.concatenate(slopes), p=penalty.p, crossing=True
        ):
            warnings.warn(warning, stacklevel=2)
