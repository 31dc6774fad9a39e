"""What the host knows of a training: costs of every step, who died of what and when."""

from __future__ import annotations

import numpy as np

from ...result import BoolArray, FloatArray


class Ledger:
    """Filled from what steps leave behind, in their order.

    Attributes
    ----------
    died_at : array (M,) of int
        Number of the step; -1 for those alive.
    reason : list of M str
    """

    def __init__(self, members: int) -> None:
        self._costs: list[FloatArray] = []
        self.died_at = np.full(members, -1)
        self.reason = [""] * members
        self.steps = 0

    def enter(self, told: FloatArray) -> None:
        """The next steps: costs and squared norms of gradients, shape (steps, 2, M)."""
        finite: BoolArray = np.isfinite(told)
        fell: BoolArray = ~np.all(finite, axis=1)
        for m in np.flatnonzero(fell.any(axis=0) & (self.died_at < 0)):
            step = int(np.argmax(fell[:, m]))
            self.died_at[m] = self.steps + step
            self.reason[m] = "gradient not finite" if finite[step, 0, m] else "cost not finite"
        self._costs.append(told[:, 0].astype(np.float64))
        self.steps += len(told)

    def costs(self) -> FloatArray:
        """Of every step up to that at which the last member died, shape (steps, M)."""
        if not self._costs:
            return np.empty((0, len(self.died_at)))
        found = np.concatenate(self._costs)
        return found if (self.died_at < 0).any() else found[: self.died_at.max() + 1]
