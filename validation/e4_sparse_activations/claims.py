"""The claims of E4: before training, in `initial_claims`; after it, in `training_claims`."""

from __future__ import annotations

from collections.abc import Sequence

from ..claim import Claim
from ..experiment import Results, Settings
from ..specified_results import SpecifiedResults
from .grid import plan
from .initial_claims import initial_claims
from .training_claims import training_claims


def claims(settings: Settings, results: Results) -> Sequence[Claim]:
    """All claims for which there are results."""
    known = SpecifiedResults(plan(settings), results)
    return [*initial_claims(settings, known), *training_claims(settings, known)]
