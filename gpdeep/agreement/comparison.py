r"""One prediction with a declared truncation t against one measurement x ± s: do they agree?

With d = x - p, ν = R - 1 degrees of freedom where s was estimated from R replicates (∞ where it is known), t_ν
Student's law, F claims in the family:

    AGREE         |d| + t_ν(5 %) s ≤ t,  unless s > t/2     two one-sided tests: P(AGREE) ≤ 5 % if the true error is ≥ t
    DISAGREE      |d| - t_ν(α/2F) s > t                     P(DISAGREE) ≤ α/F if the true error is ≤ t
    INCONCLUSIVE  otherwise

"No significant difference" is not agreement: a measurement that could not have seen an error of t is refused AGREE,
and says how many replicates would decide. t comes from the theory (next omitted term, bound, quadrature error) and is
fixed before looking.

Assumptions: the replicates are independent, so networks (or pairs of architecture and seed), never layers, pairs of
inputs or samples of one network; and x̄ is normal. Student's law is exact for normal replicates at every R ≥ 2. For
others see `gpdeep.agreement.seed_scores`, which can take the skewness from theory.

Schuirmann (1987), J. Pharmacokinet. Biopharm. 15, 657, for the two one-sided tests. "All claims of a family AGREE"
needs no correction for their number: it is false with probability at most 5 % (Berger 1982, Technometrics 24, 295).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import DomainError
from ..gaussian.arguments import text
from ..result import Result
from .checks import count, finite, level, not_negative, replicate_count
from .operating import COARSE
from .planning import replicates_to_decide
from .tails import upper_quantile, upper_tail, welch_degrees_of_freedom
from .verdicts import EQUIVALENCE_ALPHA, FAMILY_ALPHA, Verdict


@dataclass(frozen=True, kw_only=True, eq=False)
class Agreement(Result):
    """A verdict on one prediction, and what it rests on.

    Attributes
    ----------
    verdict : Verdict
        AGREE, DISAGREE or INCONCLUSIVE.
    claim : str
        What is claimed, in words.
    estimate, standard_error : float
        x and s; s includes the error of a sampled prediction.
    prediction, truncation : float
        p and t.
    error : float
        d = x - p.
    rival, rival_error : float or None
        Prediction of the rival theory, and x minus it.
    rival_name : str
    p_agree : float
        p-value of "the true error is t or more"; AGREE needs 0.05 or less.
    p_disagree : float
        p-value of "the true error is t or less", of this claim alone.
    p_adjusted : float
        The same times F (Bonferroni); a `Family` replaces it by Holm's.
    family : int
        F.
    alpha : float
    replicates : int or None
    degrees_of_freedom : float
        ν; infinite where s is known.
    basis : str
        Which law the quantiles are from: normal, student, welch or kolmogorov.
    replicates_to_decide : int or None
        Where INCONCLUSIVE: the number from which an exact prediction would AGREE and one off by 2t would DISAGREE, each
        with 80 % probability. None where it is not known or no number is enough.
    reason : str
        The verdict in a sentence.
    """

    verdict: Verdict
    claim: str
    estimate: float
    standard_error: float
    prediction: float
    truncation: float
    error: float
    rival: float | None
    rival_error: float | None
    rival_name: str
    p_agree: float
    p_disagree: float
    p_adjusted: float
    family: int
    alpha: float
    replicates: int | None
    degrees_of_freedom: float
    basis: str
    replicates_to_decide: int | None
    reason: str

    def __str__(self) -> str:
        of = "" if self.replicates is None else f", {self.replicates} replicates"
        rival = "no rival theory" if self.rival_error is None else f"error of {self.rival_name} {self.rival_error:+.4g}"
        return "\n".join(
            [
                f"{self.verdict}" + (f": {self.claim}" if self.claim else ""),
                f"  estimate   {self.estimate:.6g} ± {self.standard_error:.2g} ({self.basis}{of})",
                f"  prediction {self.prediction:.6g}, declared truncation {self.truncation:.3g}",
                f"  error {self.error:+.4g}, standard error {self.standard_error:.2g}, {rival}",
                f"  {self.reason}",
                *(f"  note: {message}" for message in self.status.messages),
            ]
        )


def compare(
    estimate: float,
    standard_error: float,
    prediction: float,
    truncation: float,
    *,
    family: int = 1,
    alpha: float = FAMILY_ALPHA,
    replicates: int | None = None,
    known_error: bool = False,
    prediction_error: float = 0.0,
    rival: float | None = None,
    rival_name: str = "the rival theory",
    claim: str = "",
) -> Agreement:
    r"""Whether a measurement x ± s and a prediction p with truncation t agree: AGREE, DISAGREE or INCONCLUSIVE.

    Parameters
    ----------
    estimate : float
        x, a mean over replicates.
    standard_error : float, not negative
        s, standard deviation over replicates divided by √R.
    prediction, truncation : float
        p, and t > 0: the bound on |true value - p| that theory declares.
    family : int, from 1
        F, claims in the family.
    alpha : float, in (0, 1)
        Error rate of the family's DISAGREE.
    replicates : int, from 2, optional
        R. Without it s counts as known.
    known_error : bool
        s is theory's own standard deviation divided by √R, not an estimate from the replicates: normal quantiles.
    prediction_error : float, not negative
        Standard error of p where it was itself sampled (with many samples). It adds to s in quadrature.
    rival, rival_name : float, str
        What the theory that one would use otherwise predicts.
    claim : str
        What is claimed, in words.

    Returns
    -------
    Agreement

    Raises
    ------
    DomainError
        An argument is out of range; t = 0, which is a question for `consistent`.

    Examples
    --------
    ln sin²θ after 20 layers of width 64 from 4,000 networks; infinite width is off by half a nat.

    >>> print(compare(-3.129, 0.017, -3.068, 0.155, replicates=4000, rival=-2.59, rival_name="infinite width"))
    AGREE
      estimate   -3.129 ± 0.017 (student, 4000 replicates)
      prediction -3.068, declared truncation 0.155
      error -0.061, standard error 0.017, error of infinite width -0.539
      |error| + 1.65 s = 0.089 is within the truncation.

    Eight networks cannot show it:

    >>> few = compare(-3.129, 0.39, -3.068, 0.155, replicates=8)
    >>> few.verdict.value, few.replicates_to_decide
    ('INCONCLUSIVE', 871)
    """
    x = finite("estimate", estimate, "a mean over replicates")
    p = finite("prediction", prediction, "what theory predicts")
    own = not_negative("standard_error", standard_error, "a standard error")
    t = not_negative("truncation", truncation, "the declared bound of the prediction's error")
    s_p = not_negative("prediction_error", prediction_error, "a standard error")
    comparisons, rate = count("family", family), level("alpha", alpha)
    R = replicate_count(replicates, known_error)
    if t == 0:
        raise DomainError(
            "truncation = 0.",
            "The prediction is exact: no finite measurement can show agreement, only fail to show disagreement.",
            "Make an exact test (mean_test, law_test, ...) and judge it with `consistent`.",
        )
    s = math.hypot(own, s_p)
    estimated = R is not None and not known_error
    nu = welch_degrees_of_freedom(own, s_p, R) if estimated and R is not None else math.inf
    d = x - p
    p_agree, p_disagree = (_limit(abs(d) <= t), _limit(abs(d) > t)) if s == 0 else _p_values(abs(d), s, t, nu)
    verdict = verdict_of(p_agree, s > t / COARSE, min(1.0, comparisons * p_disagree), rate)
    needed = None
    if verdict is Verdict.INCONCLUSIVE and R is not None:
        needed = replicates_to_decide(
            own * math.sqrt(R), t, family=comparisons, alpha=rate, known_std=known_error, prediction_error=s_p
        )
    return Agreement(
        verdict=verdict,
        claim=text(claim),
        estimate=x,
        standard_error=s,
        prediction=p,
        truncation=t,
        error=d,
        **rival_of(x, rival, rival_name),
        p_agree=p_agree,
        p_disagree=p_disagree,
        p_adjusted=min(1.0, comparisons * p_disagree),
        family=comparisons,
        alpha=rate,
        replicates=R,
        degrees_of_freedom=nu,
        basis="normal" if math.isinf(nu) else "student" if s_p == 0 else "welch",
        replicates_to_decide=needed,
        reason=_in_words(verdict, abs(d), s, t, nu, rate / comparisons) + _advice(verdict, R, needed),
    )


def verdict_of(p_agree: float, coarse: bool, p_adjusted: float, alpha: float) -> Verdict:
    """The rule, from p-values; `coarse`: the measurement may not say AGREE."""
    if p_adjusted < alpha:
        return Verdict.DISAGREE
    return Verdict.AGREE if p_agree <= EQUIVALENCE_ALPHA and not coarse else Verdict.INCONCLUSIVE


def rival_of(x: float, rival: float | None, name: str) -> dict[str, Any]:
    """The fields of a result that hold the rival theory."""
    if rival is None:
        return {"rival": None, "rival_error": None, "rival_name": text(name)}
    value = finite("rival", rival, "what the rival theory predicts")
    return {"rival": value, "rival_error": x - value, "rival_name": text(name)}


def _p_values(size: float, s: float, t: float, nu: float) -> tuple[float, float]:
    return upper_tail((t - size) / s, nu), min(1.0, 2 * upper_tail((size - t) / s, nu))


def _limit(holds: bool) -> float:
    """The p-value that a measurement without error gives."""
    return 0.0 if holds else 1.0


def _in_words(verdict: Verdict, size: float, s: float, t: float, nu: float, share: float) -> str:
    q, Q = upper_quantile(EQUIVALENCE_ALPHA, nu), upper_quantile(share / 2, nu)
    if verdict is Verdict.AGREE:
        return f"|error| + {q:.3g} s = {size + q * s:.3g} is within the truncation"
    if verdict is Verdict.DISAGREE:
        return f"|error| - {Q:.3g} s = {size - Q * s:.3g} exceeds the truncation"
    if s > t / COARSE:
        return "The standard error exceeds half the truncation"
    low, high = size - Q * s, size + q * s
    return f"The truncation lies between |error| - {Q:.3g} s = {low:.3g} and |error| + {q:.3g} s = {high:.3g}"


def _advice(verdict: Verdict, replicates: int | None, needed: int | None) -> str:
    if verdict is not Verdict.INCONCLUSIVE:
        return "."
    if replicates is None:
        return "; with their number given, this says how many replicates would decide."
    if needed is None:
        return "; no number of replicates decides while the prediction itself is sampled this coarsely."
    if needed > replicates:
        return f"; {needed} replicates would tell an exact prediction from one that is off by twice the truncation."
    return "; so many replicates tell an exact prediction from one off by twice the truncation: the error is near it."
