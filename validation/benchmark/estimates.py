r"""What a step of training needs, and how long that takes at least on a machine whose limits are known.

    operations  6 B W,     W = M Σ n n' weights (M L n² where layers are equal), B samples in a batch
    bytes       4 (6 W + 11 A),     A = M B Σ n numbers after layers: weights and activations as often as they are moved
    launches    9 L        kernels

    time = max(operations / rate, bytes / bandwidth, launches · time of a launch)

The three overlap on a device that runs ahead of its host. Estimates, which measurements may contradict.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from .cases import BATCH, Case

_SIZE = 4  # bytes of a float32


@dataclass(frozen=True)
class Machine:
    """What limits a step.

    Parameters
    ----------
    rate : float
        Floating-point operations a second, of float32.
    bandwidth : float
        Bytes a second, read and written.
    launch : float
        Seconds of an operation that has nothing to do.
    replay : float or None
        The same within a recorded step; None where there are no recordings.
    """

    rate: float
    bandwidth: float
    launch: float
    replay: float | None


H200 = Machine(rate=0.6 * 67e12, bandwidth=4.3e12, launch=7e-6, replay=1.5e-6)
"""An H200 with three fifths of the operations on its data sheet, and launches as they commonly are: an estimate."""


@dataclass(frozen=True)
class Work:
    """Of one step of all members.

    Parameters
    ----------
    operations, bytes : float
    launches : int
    """

    operations: float
    bytes: float
    launches: int

    @classmethod
    def of(cls, case: Case) -> Work:
        """By the formulas above.

        >>> work = Work.of(Case(64, 30, 8, 1))
        >>> f"{work.operations:.2g} {work.bytes:.2g} {work.launches}"
        '7.6e+08 1.1e+08 270'
        """
        weights = case.members * sum(n * out for n, out in itertools.pairwise(case.widths))
        activations = case.members * BATCH * sum(case.widths[1:])
        return cls(6.0 * BATCH * weights, _SIZE * (6.0 * weights + 11.0 * activations), 9 * case.depth)

    def seconds(self, machine: Machine, recorded: bool = False) -> float | None:
        """Of one step at least; None for a recorded one where there are no recordings."""
        launch = machine.replay if recorded else machine.launch
        if launch is None:
            return None
        return max(self.operations / machine.rate, self.bytes / machine.bandwidth, self.launches * launch)

    def member_steps(self, case: Case, machine: Machine, recorded: bool = False) -> float | None:
        """A second, at most.

        >>> case = Case(64, 30, 8, 1)
        >>> round(Work.of(case).member_steps(case, H200)), round(Work.of(case).member_steps(case, H200, True))
        (4233, 19753)
        """
        seconds = self.seconds(machine, recorded)
        return None if seconds is None else case.members / seconds
