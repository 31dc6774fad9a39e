"""What the networks say: bars on chains, gaps that are told, angles that explain them."""

from __future__ import annotations

from collections.abc import Sequence

from ..claim import Claim
from ..experiment import Results, Settings


def claims(settings: Settings, results: Results) -> Sequence[Claim]:
    """All claims of a run, in the order in which they are read."""
    from . import chain_claims, gap_claims, start_claims
    from .cells import Found

    found = Found.of(settings, results)
    said = start_claims.claims(found)
    for chain in found.chains.values():
        said += [*chain_claims.claims(chain), *gap_claims.of_chain(chain), *gap_claims.explained(chain)]
    return [*said, *gap_claims.of_sums(found), *gap_claims.of_modules(settings, found)]
