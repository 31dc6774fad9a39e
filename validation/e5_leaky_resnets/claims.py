"""What the networks say: verdicts on energies, ranks and adapted steps, with the bars that were set beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from ..claim import Claim
from ..experiment import Results, Settings, Size
from .cells import Cells


def claims(settings: Settings, results: Results) -> Sequence[Claim]:
    """All claims of a run, in the order in which they are read."""
    from . import adapted_claims, energy_claims, rank_claims, start_claims

    cells = Cells(settings, results)
    found = start_claims.claims(cells)
    if settings.size is Size.SMOKE:
        return found
    return [*found, *energy_claims.claims(cells), *rank_claims.claims(cells), *adapted_claims.claims(cells)]
