"""What a family of claims came to: every claim with its verdict, one word for all, a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..result import Result, render_table
from .verdicts import REFUTATIONS, Verdict


@dataclass(frozen=True)
class JudgedClaim:
    """One claim with its verdict in the family.

    Attributes
    ----------
    name : str
    verdict : Verdict
    p_value, p_adjusted : float
        Of "true error at most the truncation" or of the exact law; alone, and by Holm in the family.
    error, standard_error, rival_error : float or None
    truncation : float
        0 for exact laws.
    detectable : float or None
        Exact laws: the smallest effect that this family would have rejected with 80 % probability.
    note : str
        The power statement, or the reason of the verdict.
    """

    name: str
    verdict: Verdict
    p_value: float
    p_adjusted: float
    error: float | None
    standard_error: float | None
    rival_error: float | None
    truncation: float
    detectable: float | None
    note: str


@dataclass(frozen=True, kw_only=True, eq=False)
class FamilyVerdicts(Result):
    """The verdicts on a family of claims, by name.

    Attributes
    ----------
    name : str
    size, alpha, independent
        As declared.
    claims : tuple of JudgedClaim
        Sorted by name; the test of uniformity, if there is one, is the last.
    """

    name: str
    size: int
    alpha: float
    independent: bool
    claims: tuple[JudgedClaim, ...]

    @property
    def refuted(self) -> tuple[str, ...]:
        """Names of the claims that DISAGREE or are REJECTED."""
        return tuple(claim.name for claim in self.claims if claim.verdict in REFUTATIONS)

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have each verdict."""
        found = Counter(claim.verdict.value for claim in self.claims)
        return {verdict.value: found[verdict.value] for verdict in Verdict}

    @property
    def verdict(self) -> Verdict:
        """One word for all: REJECTED or DISAGREE if any claim is, INCONCLUSIVE if any is, AGREE if all are.

        CONSISTENT if nothing speaks against an exact law and nothing else is open.
        """
        for one in (Verdict.REJECTED, Verdict.DISAGREE, Verdict.INCONCLUSIVE, Verdict.CONSISTENT):
            if any(claim.verdict is one for claim in self.claims):
                return one
        return Verdict.AGREE

    def __getitem__(self, name: str) -> JudgedClaim:
        for claim in self.claims:
            if claim.name == name:
                return claim
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types, with the common verdict and the counts."""
        return {**super().to_dict(), "verdict": self.verdict.value, "counts": self.counts}

    def __str__(self) -> str:
        rows = [
            [
                claim.name,
                claim.verdict.value,
                *(_shown(x) for x in (claim.error, claim.standard_error, claim.rival_error)),
                f"{claim.p_value:.2g}",
                f"{claim.p_adjusted:.2g}",
            ]
            for claim in self.claims
        ]
        title = f"{self.name or 'family'}: {self.verdict} ({self.size} claims declared, α = {self.alpha:g})"
        notes = [f"{claim.name}: {claim.note}" for claim in self.claims] + list(self.status.messages)
        return render_table(title, ["claim", "verdict", "error", "s.e.", "rival's error", "p", "p (Holm)"], rows, notes)


def _shown(x: float | None) -> str:
    return "" if x is None else f"{x:.4g}"
