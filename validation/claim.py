"""A statement about networks, what was predicted, what was measured, and how the two stand to each other."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any


class Kind(enum.StrEnum):
    """What a verdict is about."""

    PREDICTION = "prediction"  # a number with a declared truncation: AGREE, DISAGREE, INCONCLUSIVE
    LAW = "law"  # an exact law: CONSISTENT, REJECTED
    BAR = "bar"  # a score that was declared beforehand to be good enough: MET, MISSED
    CONTROL = "control"  # a wrong theory, which has to be refused: REFUSED, NOT REFUSED
    REPORT = "report"  # a number that is only told: REPORTED, or SUPPORTED, REVERSED, INCONCLUSIVE


GOOD = {"AGREE", "CONSISTENT", "MET", "REFUSED"}
BAD = {"DISAGREE", "REJECTED", "MISSED", "NOT REFUSED"}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One line of a verdict table.

    Parameters
    ----------
    id : str
        Such as ``E2.rank``; the same in every run.
    kind : Kind
    statement : str
        What is claimed, in a sentence.
    source : str
        The function of gpdeep that predicts, or the paper that claims.
    estimate, standard_error : float or None
    n : int or None
        Independent replicates behind the estimate: networks, or pairs of architecture and seed.
    prediction, truncation : float or None
        What theory says, and the bound on its error that was declared beforehand; of a bar the least good score.
    rival, rival_name : float or None, str
        What the naive theory says, or scores.
    verdict : str
    p_adjusted : float or None
        Holm's, within the family of the experiment.
    power : str
        What the measurement could have seen.
    limits : str
        What the verdict does not say.
    details : mapping
        Further numbers, for the figure.
    """

    id: str
    kind: Kind
    statement: str
    source: str
    estimate: float | None = None
    standard_error: float | None = None
    n: int | None = None
    prediction: float | None = None
    truncation: float | None = None
    rival: float | None = None
    rival_name: str = ""
    verdict: str
    p_adjusted: float | None = None
    power: str = ""
    limits: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool | None:
        """Whether theory passed; None where nothing is asserted."""
        return True if self.verdict in GOOD else False if self.verdict in BAD else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"kind": str(self.kind)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Claim:
        """What `to_dict` gave."""
        return cls(**(data | {"kind": Kind(data["kind"])}))


def bar(score: float, least: float, *, at_most: bool = False) -> str:
    """MET or MISSED: whether `score` is at least (at most) what was declared to be good enough.

    >>> bar(0.9, 0.8), bar(0.9, 0.8, at_most=True), bar(float("nan"), 0.8)
    ('MET', 'MISSED', 'MISSED')
    """
    return "MET" if (score <= least if at_most else score >= least) else "MISSED"
