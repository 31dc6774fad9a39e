r"""What an experiment is: a plan that says which units are computed, and an analysis that turns results into claims.

    plan(settings) -> units        a result each, or batches, independent of all others, keyed by what it is
    claims(settings, results)      results in the order of the units; None where a unit failed

Units are computed by `validation.sweep`: in processes, resumable, each once. The analysis is quick, and is run again
whenever a report is made anew.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .claim import Claim
from .sweep import Batch, Unit


class Size(enum.StrEnum):
    """How much is computed."""

    SMOKE = "smoke"  # under a minute for all: laws of initialisation
    QUICK = "quick"  # 25 minutes on two cores for all
    FULL = "full"  # for a GPU


@dataclass(frozen=True)
class Settings:
    """What a run is asked for.

    Parameters
    ----------
    size : Size
    device : str
        cpu or cuda.
    data : str
        digits, templates, or a folder with idx files.
    seed : int
        Root of every stream.
    """

    size: Size = Size.QUICK
    device: str = "cpu"
    data: str = "digits"
    seed: int = 0


Results = Sequence[Mapping[str, Any] | None]


@dataclass(frozen=True)
class Experiment:
    """An experiment by its parts.

    Parameters
    ----------
    id : str
        E1 to E6.
    title : str
    question : str
        What it asks, in a sentence.
    plan : callable
        Settings to units.
    claims : callable
        Settings and results to claims.
    limits : str
        What no verdict of it says.
    """

    id: str
    title: str
    question: str
    plan: Callable[[Settings], Sequence[Unit | Batch]]
    claims: Callable[[Settings, Results], Sequence[Claim]]
    limits: str = ""
