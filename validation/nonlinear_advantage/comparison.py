r"""Late against early at an equal number of nonlinear layers left, seed by seed.

    A_arm(x; seed)   accuracy, interpolated linearly in x = NAPL over the penalties of one arm and one seed
    gap(x) = mean over seeds of  A_late(x; seed) - A_early(x; seed),     95 % interval: ± t_{0.975, S-1} s/√S

Never at an equal penalty: the same penalty leaves fewer nonlinear channels when it acts early, and what would be
measured is mostly that. A seed counts where penalties of both arms reach x from both sides: the run without a penalty
is no point of the curve, which would be a straight line to 12 layers from wherever the weakest penalty ends.

Intervals hold for one x at a time, and neighbouring ones rest on the same runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from .outcome import Outcome

Measure = Callable[[Outcome], float]


@dataclass(frozen=True)
class Gap:
    """Accuracies of both arms at one place, and their difference.

    Parameters
    ----------
    at : float
        NAPL, G or ω.
    early, late : float
        Means over `seeds`; NaN without seeds, as all others.
    gap : float
        late - early.
    low, high : float
        Its 95 % interval; NaN with fewer than two seeds.
    seeds : tuple of int
        Those whose arms both reach the place.
    """

    at: float
    early: float
    late: float
    gap: float
    low: float
    high: float
    seeds: tuple[int, ...]

    @property
    def verdict(self) -> str:
        """Which arm the interval speaks for."""
        return "late" if self.low > 0 else "early" if self.high < 0 else "open"


@dataclass(frozen=True)
class Level:
    """Mean accuracy of an arm without penalty, and its standard error."""

    accuracy: float
    error: float
    seeds: int


def gaps(outcomes: Iterable[Outcome], places: Sequence[float], by: Measure = lambda outcome: outcome.napl) -> list[Gap]:
    """Compare the arms at each of `places`, values of the measure `by`.

    Examples
    --------
    Late has 10 points more at every penalty, of which half come from the layers that it has more:

    >>> runs = [("early", 1.0, 32, 0.7), ("early", 0.5, 48, 0.8), ("late", 1.0, 48, 0.8), ("late", 0.5, 64, 0.9)]
    >>> runs = [Outcome(seed, arm, omega, 32, (n,), a + seed / 100) for seed in (0, 1) for arm, omega, n, a in runs]
    >>> [(gap.at, round(gap.gap, 3), gap.seeds) for gap in gaps(runs, [1.5, 1.9])]
    [(1.5, 0.0, (0, 1)), (1.9, nan, ())]
    >>> [round(gap.gap, 3) for gap in gaps_at_equal_omega(runs)]
    [0.1, 0.1]
    """
    finished = [outcome for outcome in outcomes if outcome.accuracy is not None]
    return [
        _gap(place, finished, lambda arm, seed, place=place: accuracy_at(place, _curve(finished, arm, seed), by))  # type: ignore[misc]
        for place in places
    ]


def gaps_at_equal_omega(outcomes: Iterable[Outcome]) -> list[Gap]:
    """What the comparison would be at equal penalties: for contrast only."""
    accuracy = {(o.arm, o.omega, o.seed): o.accuracy for o in outcomes if o.accuracy is not None}
    finished = [outcome for outcome in outcomes if outcome.accuracy is not None]
    shared = sorted({o.omega for o in finished if o.arm == "early"} & {o.omega for o in finished if o.arm == "late"})
    return [
        _gap(omega, finished, lambda arm, seed, omega=omega: accuracy.get((arm, omega, seed), math.nan))  # type: ignore[misc]
        for omega in shared
    ]


def level(outcomes: Iterable[Outcome], arm: str) -> Level:
    """How accurate the runs of an arm without a penalty are."""
    found = np.array([o.accuracy for o in outcomes if o.arm == arm and o.accuracy is not None], np.float64)
    mean = float(found.mean()) if found.size else math.nan
    error = float(found.std(ddof=1) / math.sqrt(found.size)) if found.size > 1 else math.nan
    return Level(mean, error, found.size)


def accuracy_at(place: float, curve: Sequence[Outcome], by: Measure) -> float:
    """Accuracy at a value of `by`, by linear interpolation; NaN outside.

    Runs that agree in `by` count as one with their mean accuracy.
    """
    x, group = np.unique([by(outcome) for outcome in curve], return_inverse=True)
    if not x.size or not x[0] <= place <= x[-1]:
        return math.nan
    y = np.bincount(group, [outcome.accuracy or 0.0 for outcome in curve]) / np.bincount(group)
    return float(np.interp(place, x, y))


def _curve(finished: Sequence[Outcome], arm: str, seed: int) -> list[Outcome]:
    return [o for o in finished if o.seed == seed and o.arm == arm]


def _gap(place: float, finished: Sequence[Outcome], accuracy: Callable[[str, int], float]) -> Gap:
    seeds = sorted({outcome.seed for outcome in finished})
    both = np.array([[accuracy(arm, seed) for arm in ("early", "late")] for seed in seeds]).reshape(-1, 2)
    reached = np.isfinite(both).all(axis=1)
    count = int(reached.sum())
    if not count:
        return Gap(place, math.nan, math.nan, math.nan, math.nan, math.nan, ())
    early, late = both[reached].mean(axis=0).tolist()
    gap, half = late - early, math.nan
    if count > 1:
        spread = float(np.diff(both[reached]).std(ddof=1))
        half = float(stdtrit(count - 1, 0.975)) * spread / math.sqrt(count)
    return Gap(place, early, late, gap, gap - half, gap + half, tuple(np.array(seeds)[reached].tolist()))
