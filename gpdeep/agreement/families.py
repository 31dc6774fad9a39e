r"""A family of claims, declared before looking, judged together.

The size of the family and its error rate are written down first; claims are then judged together, in any order:

    P(any true claim is called DISAGREE or REJECTED) ≤ α      by Holm's correction, under any dependence.

Claims that were declared and did not come in (a cell that was not run) count as p = 1. Where the claims are
independent of each other and their laws exact, all p-values together are uniform, which is one claim more: it also
finds errors too small for any single test, and tests that never reject.

Layers of one network are strongly dependent: a few registered ones (1, L/4, L/2, L) say as much as all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DomainError
from ..gaussian.arguments import entries, flag, text
from ..result import Status
from .checks import count, level
from .comparison import Agreement, verdict_of
from .exact_results import ExactTest
from .family_verdicts import FamilyVerdicts, JudgedClaim
from .law_tests import law_test
from .location_tests import bare_p_value
from .operating import COARSE
from .step_down import holm
from .verdicts import FAMILY_ALPHA, POWER, Verdict

Claim = Agreement | ExactTest | float

UNIFORMITY = "uniformity of all p-values"
_LEAST_UNIFORM = 5  # fewer p-values say nothing about their law


@dataclass(frozen=True)
class Family:
    """Claims that are judged together: how many, and at which error rate, declared before looking.

    Parameters
    ----------
    size : int, from 1
        Number of claims.
    alpha : float, in (0, 1)
        P(any true claim is refuted), at most.
    independent : bool
        The claims come from independent replicates, so that their p-values may be tested for uniformity; this is one
        comparison more.
    name : str

    Raises
    ------
    DomainError
        An argument is out of range.

    Examples
    --------
    >>> family = Family(3, alpha=0.01, name="drift")
    >>> verdicts = family.judge({"n = 32": 0.2, "n = 64": 0.003, "n = 128": 0.9})
    >>> verdicts.verdict.value, verdicts.refuted, round(verdicts["n = 64"].p_adjusted, 12)
    ('REJECTED', ('n = 64',), 0.009)
    """

    size: int
    alpha: float = FAMILY_ALPHA
    independent: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", count("size", self.size))
        object.__setattr__(self, "alpha", level("alpha", self.alpha))
        object.__setattr__(self, "independent", flag("independent", self.independent))
        object.__setattr__(self, "name", text(self.name))

    @property
    def comparisons(self) -> int:
        """Number of tests for which is corrected; give it as `family` to `compare` and to the planning functions."""
        return self.size + self.independent

    def judge(self, claims: Mapping[str, Claim]) -> FamilyVerdicts:
        """The verdicts on all claims together.

        Parameters
        ----------
        claims : mapping from name to Agreement, ExactTest or p-value
            At most `size`; their order does not matter.

        Returns
        -------
        FamilyVerdicts

        Raises
        ------
        DomainError
            There are none, more than declared, or something that is no claim.
        """
        number = len(claims) if isinstance(claims, Mapping) else 0
        if not 1 <= number <= self.size:
            raise DomainError(
                f"{number} claims for a family of {self.size}.",
                "Claims were added after the family was declared, or came without names, or there are none.",
                "Declare the family with its full size before looking, and give a mapping from name to claim.",
            )
        found = {str(name): _as_claim(claims[name]) for name in sorted(claims, key=str)}
        messages = []
        if self.independent:
            ours = [c.p_value for c in found.values() if isinstance(c, ExactTest) and not c.discrete]
            if len(ours) >= _LEAST_UNIFORM:
                found[UNIFORMITY] = law_test(ours, lambda p: p)
            else:
                messages.append(f"{len(ours)} continuous p-values are too few for a test of their uniformity.")
        if len(claims) < self.size:
            messages.append(f"{self.size - len(claims)} declared claims did not come in; they count as p = 1.")
        adjusted = holm([_null_p_value(claim) for claim in found.values()], self.comparisons)
        judged = [self._judged(name, claim, float(p)) for (name, claim), p in zip(found.items(), adjusted, strict=True)]
        return FamilyVerdicts(
            status=Status(messages=tuple(messages)),
            name=self.name,
            size=self.size,
            alpha=self.alpha,
            independent=self.independent,
            claims=tuple(judged),
        )

    def _judged(self, name: str, claim: Agreement | ExactTest, p_adjusted: float) -> JudgedClaim:
        if isinstance(claim, Agreement):
            coarse = claim.standard_error > claim.truncation / COARSE
            verdict = verdict_of(claim.p_agree, coarse, p_adjusted, self.alpha)
            truncation, effect = claim.truncation, None
            note = claim.reason if verdict is claim.verdict else f"In the family p is {p_adjusted:.2g} (Holm)."
        else:
            verdict = Verdict.REJECTED if p_adjusted < self.alpha else Verdict.CONSISTENT
            truncation, effect = 0.0, claim.detectable(self.alpha / self.comparisons)
            note = _power_statement(claim, effect)
        return JudgedClaim(
            name=name,
            verdict=verdict,
            p_value=_null_p_value(claim),
            p_adjusted=p_adjusted,
            error=_known(claim.error),
            standard_error=_known(claim.standard_error),
            rival_error=claim.rival_error,
            truncation=truncation,
            detectable=effect,
            note=note,
        )


def consistent(
    tests: Mapping[str, ExactTest | float] | Sequence[ExactTest | float],
    *,
    alpha: float = FAMILY_ALPHA,
    size: int | None = None,
    independent: bool = False,
) -> FamilyVerdicts:
    """Whether exact laws are CONSISTENT with what was measured, or REJECTED; and what would have been noticed.

    Parameters
    ----------
    tests : mapping from name to test, or sequence
        `ExactTest`s, or bare p-values (of whose power nothing can be said).
    alpha : float, in (0, 1)
        P(any true law is REJECTED), at most.
    size : int, optional
        Tests that were declared; the number given by default.
    independent : bool
        Test the uniformity of all p-values as well.

    Returns
    -------
    FamilyVerdicts

    Raises
    ------
    DomainError
        There are no tests, more than `size`, or something that is no test.

    Examples
    --------
    >>> verdicts = consistent([0.2, 0.7, 1e-5])
    >>> verdicts.verdict.value, verdicts.refuted
    ('REJECTED', ('test 3',))
    """
    if isinstance(tests, Mapping):
        named = dict(tests)
    else:
        listed = entries("tests", tests, "tests or p-values")
        digits = len(str(len(listed)))
        named = {f"test {i:0{digits}d}": test for i, test in enumerate(listed, start=1)}
    return Family(len(named) or 1 if size is None else size, alpha, independent).judge(named)


def _as_claim(claim: Any) -> Agreement | ExactTest:
    return claim if isinstance(claim, (Agreement, ExactTest)) else bare_p_value(claim)


def _null_p_value(claim: Agreement | ExactTest) -> float:
    return claim.p_disagree if isinstance(claim, Agreement) else claim.p_value


def _power_statement(test: ExactTest, effect: float | None) -> str:
    if effect is None:
        return "Power not known."
    kind = str(test.kind)
    return f"{kind[0].upper()}{kind[1:]}: {effect:.3g} would have been rejected with {POWER:.0%} probability."


def _known(x: float) -> float | None:
    return None if math.isnan(x) else x
