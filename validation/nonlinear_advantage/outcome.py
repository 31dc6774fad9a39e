r"""What one network came to: its accuracy, and how nonlinear it still is.

    NAPL = Σ_l p_l,     G = Σ_l p_l/(2 - p_l),     p_l = nonlinear channels of layer l / channels

On a chain NAPL, the normalised average path length, is the number of nonlinear units on a path from input to output;
G is the depth of the ReLU network whose angles shrink as much. G ≤ NAPL, with equality where every layer is all or
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """A member after training.

    Parameters
    ----------
    seed, arm, omega
        Of the member.
    width : int
        Channels of a layer.
    active : tuple of int
        Channels of each layer that are not linear.
    accuracy : float
        Share of the test samples that are classified rightly; None where training diverged.
    diverged_at : int, optional
        Step whose loss or gradient was not finite. The member was stopped there.
    """

    seed: int
    arm: str
    omega: float
    width: int
    active: tuple[int, ...]
    accuracy: float | None
    diverged_at: int | None = None

    @property
    def napl(self) -> float:
        """Nonlinear layers left.

        Examples
        --------
        >>> half = Outcome(0, "late", 0.01, 32, (16, 16, 16), 0.9)
        >>> half.napl, half.g
        (1.5, 1.0)
        """
        return sum(self.active) / self.width

    @property
    def g(self) -> float:
        """Degeneracy depth."""
        return sum(count / (2 * self.width - count) for count in self.active)
