r"""What is trained, for how long, and when channels are pulled towards linear ones.

    steps 0 ............. T/3 ............. 2T/3 .. 0.7 T ............ T
          |---- early ----|----- late -----|
    rate  |---------------- constant -------------|--- cosine to 0 ---|

Both windows have one length, both are over before the rate falls, and every run has the same steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gpdeep.errors import DomainError
from gpdeep.linearize import clean_step, crossing_distance, travel_time

ARMS = ("active", "linear", "early", "late")
"""ReLU throughout; linear from the first step; channels made linear in the first or in the second third."""


@dataclass(frozen=True, order=True)
class Member:
    """One network among those that are trained together.

    Parameters
    ----------
    seed : int
        Of data, weights and order of the samples, which all arms share.
    arm : {'active', 'linear', 'early', 'late'}
    omega : float
        Penalty ω √|1-α| of each slope while the window is open; 0 in the first two arms.
    """

    seed: int
    arm: str
    omega: float = 0.0

    def __post_init__(self) -> None:
        if self.arm not in ARMS or (self.omega > 0) != (self.arm in ("early", "late")):
            raise DomainError(
                f"The arm {self.arm!r} with the penalty {self.omega!r}.",
                "A penalty needs a window, and a window a penalty.",
                "Give 'early' or 'late' with omega > 0, or 'active' or 'linear' with omega 0.",
            )


@dataclass(frozen=True)
class Design:
    """Network and training, the same for all members.

    Parameters
    ----------
    epochs, steps_per_epoch : int
        T is their product.
    hidden_layers, width, batch : int
    rate, momentum, decay : float
        Of stochastic gradient descent with Nesterov's momentum; `decay` on matrices only.
    slope_rate : float
        Of the slopes, without momentum or decay; it falls as `rate` does.
    snap : float
        τ: a slope closer to 1 than this becomes 1 for good.
    hold : float
        Share of the steps with a constant rate.
    """

    epochs: int
    steps_per_epoch: int
    hidden_layers: int = 12
    width: int = 32
    batch: int = 256
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 5e-4
    slope_rate: float = 0.5
    snap: float = 0.01
    hold: float = 0.7

    def __post_init__(self) -> None:
        if self.steps < 3:
            raise DomainError(
                f"{self.steps} steps of training.",
                "Early and late windows are a third of training each.",
                "Use more epochs.",
            )

    @property
    def steps(self) -> int:
        """T."""
        return self.epochs * self.steps_per_epoch

    def window(self, arm: str) -> range:
        """Steps in which the arm's penalty acts."""
        third = self.steps // 3
        return {"early": range(third), "late": range(third, 2 * third)}.get(arm, range(0))

    def share_of_rate(self, step: int) -> float:
        """Learning rate at a step, in units of the first one.

        Examples
        --------
        >>> design = Design(epochs=10, steps_per_epoch=10)
        >>> [round(design.share_of_rate(step), 2) for step in (0, 70, 85, 99)]
        [1.0, 1.0, 0.5, 0.0]
        """
        after = max(0.0, step / self.steps - self.hold) / (1.0 - self.hold)
        return 0.5 * (1.0 + math.cos(math.pi * after))

    def reaches(self, omega: float) -> bool:
        """Whether the penalty alone carries a ReLU's slope to 1 within a window.

        Examples
        --------
        In 640 steps the penalty of 0.006 does, and that of 0.004 does not:

        >>> design = Design(epochs=60, steps_per_epoch=32)
        >>> design.reaches(0.006), design.reaches(0.004)
        (True, False)
        """
        return bool(travel_time(0.0, self.slope_rate * omega) <= len(self.window("early")))

    def leap(self, omega: float) -> float:
        """The largest |1-α| from which a step of the penalty crosses 1; 0 where slopes end within τ before they do."""
        step = self.slope_rate * omega
        return crossing_distance(step) if step > clean_step(self.snap) else 0.0
