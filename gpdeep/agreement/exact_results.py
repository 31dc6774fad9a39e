r"""What an exact test says, and the smallest departure that it would have found.

A p-value above its level shows nothing unless something worth finding would have been found. For a test at level a
with R replicates, power 1 - β, z = z(β) and standard error s:

    means      |δ| = (z(a/2) + z) s             known σ; with an estimated one the noncentral t's point, times s
    laws       D = k(a, R) + z/(2√R)            any law that is D away somewhere is found at least that often
    counts     p' with P(K ≥ k_a | p') = 1 - β  exact, k_a the critical count; the effect is p' - p
    χ²         w = √(λ/R)                       λ the noncentrality with P(χ²_ν(λ) > critical) = 1 - β; Cohen's w
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

from scipy.special import chndtrinc, kolmogi, ndtri

from ..result import Result
from .checks import level as check_level
from .planning import detection
from .tails import upper_quantile
from .verdicts import POWER


class TestKind(enum.StrEnum):
    """What was tested; the value names the effect."""

    __test__ = False  # pytest would take it for a test

    MEAN = "difference of means"
    LAW = "distance of the distribution functions"
    TWO_LAWS = "distance of the two distribution functions"
    COUNT = "excess probability"
    FREQUENCIES = "Cohen's w"
    BARE = "effect"


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactTest(Result):
    """A p-value of an exact law, with what is needed to say what it could have found.

    Attributes
    ----------
    kind : TestKind
    p_value : float
        Two-sided.
    statistic : float
        z, t, D, a count or χ².
    estimate, prediction, standard_error : float
        In the unit of the effect. For laws the estimate is D, the prediction 0 and the standard error the largest that
        an empirical distribution function has anywhere, 1/(2√R).
    rival_error : float or None
        The same error of the rival theory.
    replicates : int
    degrees_of_freedom : float
        Of t and χ²; infinite for the others.
    """

    kind: TestKind
    p_value: float
    statistic: float
    estimate: float
    prediction: float
    standard_error: float
    rival_error: float | None
    replicates: int
    degrees_of_freedom: float

    @property
    def error(self) -> float:
        """Estimate minus prediction."""
        return self.estimate - self.prediction

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types, with its error."""
        return {**super().to_dict(), "error": None if math.isnan(self.error) else self.error}

    @property
    def discrete(self) -> bool:
        """Whether the p-value has atoms, so that it is not uniform where the law is true."""
        return self.kind in (TestKind.COUNT, TestKind.FREQUENCIES)

    def detectable(self, level: float, power: float = POWER) -> float | None:
        """The smallest effect that is rejected at `level` with probability `power`.

        None where nothing is known (a bare p-value) or no excess at all would be found (a count of few trials).

        Raises
        ------
        DomainError
            A rate is not strictly between 0 and 1.
        """
        share, z = check_level("level", level), -float(ndtri(1 - check_level("power", power)))
        s, n, nu = self.standard_error, self.replicates, self.degrees_of_freedom
        match self.kind:
            case TestKind.MEAN:
                if math.isinf(nu):
                    return (upper_quantile(share / 2, nu) + z) * s
                return _student_effect(share, power, nu) * s
            case TestKind.LAW:
                from scipy.stats import kstwo

                return float(kstwo.isf(share, n)) + z * s
            case TestKind.TWO_LAWS:
                return (2 * float(kolmogi(share)) + z) * s
            case TestKind.COUNT:
                return _excess(self.prediction, n, share, power)
            case TestKind.FREQUENCIES:
                from scipy.stats import chi2

                return math.sqrt(float(chndtrinc(chi2.isf(share, nu), nu, 1 - power)) / n)
            case _:
                return None

    def __str__(self) -> str:
        rival = "" if self.rival_error is None else f", error of the rival theory {self.rival_error:+.4g}"
        return (
            f"{self.kind}: p = {self.p_value:.3g}, error {self.error:+.4g}, standard error {self.standard_error:.2g}"
            f"{rival} ({self.replicates} replicates)"
        )


def _student_effect(share: float, power: float, nu: float) -> float:
    """The noncentrality that a two-sided t-test at level `share` finds with probability `power`."""
    from scipy.optimize import brentq

    high = 1.0
    while detection(high, 1.0, share, nu) < power:
        high *= 2
    return float(brentq(lambda effect: detection(effect, 1.0, share, nu) - power, 0.0, high, xtol=1e-9))


def _excess(p: float, n: int, share: float, power: float) -> float | None:
    """The smallest excess probability with which the count reaches the critical one with probability `power`."""
    from scipy.special import betaincinv
    from scipy.stats import binom

    critical = int(binom.isf(share / 2, n, p)) + 1  # the smallest k with P(K ≥ k) ≤ share/2
    if critical > n:
        return None
    return float(betaincinv(critical, n - critical + 1, power)) - p  # P(K ≥ k) = I_p(k, n - k + 1)
