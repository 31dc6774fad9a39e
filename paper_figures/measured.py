"""What was measured: claims of the evidence that `python -m validation run` keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpdeep.errors import DomainError
from validation.claim import BAD, Claim
from validation.evidence import RESULTS, Evidence, load_evidence

SIZES = ("full", "quick")


def evidence(id: str, results: str | Path = RESULTS, device: str = "cpu") -> Evidence:
    """The largest run of an experiment that is kept.

    Parameters
    ----------
    id : str
        ``"E1"`` to ``"E6"``.
    results : path
        Folder of the evidence.
    device : str

    Raises
    ------
    DomainError
        There is none.
    """
    for size in SIZES:
        path = Path(results) / device / f"{id}-{size}.json"
        if path.exists():
            return load_evidence(path)
    raise DomainError(
        f"'{results}' holds no evidence of {id} on {device}.",
        "The experiment has not been run, or --results names another folder.",
        f"Run python -m validation run {id} --size quick, or draw figures that need no measurement.",
    )


def claim(found: Evidence, id: str) -> Claim:
    """One claim, with its verdict.

    Raises
    ------
    DomainError
        The evidence has no such claim.
    """
    for each in found.claims:
        if each.id == id:
            return each
    raise DomainError(
        f"The evidence of {found.id} ({found.settings['size']}) has no claim {id}.",
        "It was made by another version of the experiment.",
        f"Run python -m validation run {found.id} --size {found.settings['size']} again.",
    )


def details(found: Evidence, id: str) -> Mapping[str, Any]:
    """What a claim holds beside its verdict.

    Raises
    ------
    DomainError
        The evidence has no such claim.
    """
    return claim(found, id).details


def read_from(*found: Evidence) -> dict[str, str]:
    """What `Drawing.evidence` records."""
    return {f"{each.id}-{each.settings['size']} ({each.settings['device']})": str(each.commit) for each in found}


def misses(found: Evidence, *claims: str) -> tuple[str, ...]:
    """What speaks against theory, or against the experiment: verdicts of claims in words, for a caption.

    Parameters
    ----------
    found : Evidence
    *claims : str
        Beginnings of the claims that a figure shows; all of them if none is given.
    """
    return tuple(
        f"{each.id}, {each.verdict}: {each.statement}"
        for each in found.claims
        if each.verdict in BAD and (not claims or each.id.startswith(claims))
    )


def nonlinear_advantage(results: str | Path = RESULTS, device: str = "cpu") -> Mapping[str, Any]:
    """What ``python -m validation.nonlinear_advantage`` keeps.

    Raises
    ------
    DomainError
        There is none.
    """
    path = Path(results) / device / "nonlinear_advantage.json"
    try:
        kept: Mapping[str, Any] = json.loads(path.read_text())
    except OSError as error:
        raise DomainError(
            f"'{path}' cannot be read: {error.strerror}.",
            "The experiment has not been run, or --results names another folder.",
            "Run python -m validation.nonlinear_advantage, or draw figures that need no measurement.",
        ) from error
    return kept
