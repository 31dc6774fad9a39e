"""What was measured: claims of the evidence that `python -m validation run` keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpdeep.errors import DomainError
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


def details(found: Evidence, claim: str) -> Mapping[str, Any]:
    """What one claim holds beside its verdict.

    Raises
    ------
    DomainError
        The evidence has no such claim.
    """
    for each in found.claims:
        if each.id == claim:
            return each.details
    raise DomainError(
        f"The evidence of {found.id} ({found.settings['size']}) has no claim {claim}.",
        "It was made by another version of the experiment.",
        f"Run python -m validation run {found.id} --size {found.settings['size']} again.",
    )


def read_from(*found: Evidence) -> dict[str, str]:
    """What `Drawing.evidence` records."""
    return {f"{each.id}-{each.settings['size']} ({each.settings['device']})": str(each.commit) for each in found}
