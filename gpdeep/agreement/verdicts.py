"""The five verdicts, and the error rates that stand behind them."""

from __future__ import annotations

import enum

FAMILY_ALPHA = 1e-3
"""P(a family calls anything false that is true): default of DISAGREE and REJECTED."""

EQUIVALENCE_ALPHA = 0.05
"""P(AGREE) of one claim whose error is as large as the declared truncation, or larger, is at most this."""

POWER = 0.8
"""The probability that stands behind "detectable" and behind planned numbers of replicates."""


class Verdict(enum.StrEnum):
    """What a measurement says about a prediction.

    AGREE, DISAGREE, INCONCLUSIVE are for predictions with a declared truncation; CONSISTENT, REJECTED for exact laws,
    of which no measurement can show more than that nothing speaks against them.
    """

    AGREE = "AGREE"
    DISAGREE = "DISAGREE"
    INCONCLUSIVE = "INCONCLUSIVE"
    CONSISTENT = "CONSISTENT"
    REJECTED = "REJECTED"


REFUTATIONS = (Verdict.DISAGREE, Verdict.REJECTED)
