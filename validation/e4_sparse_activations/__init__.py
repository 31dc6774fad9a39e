"""E4: why sparse networks need a clip, and which clip lets them train."""

from __future__ import annotations

from collections.abc import Sequence

from ..claim import Claim
from ..experiment import Experiment, Results, Settings
from .grid import plan


def _claims(settings: Settings, results: Results) -> Sequence[Claim]:
    from .claims import claims  # here: a plan takes no scipy

    return claims(settings, results)


EXPERIMENT = Experiment(
    id="E4",
    title="Sparsifying activations with and without a clip",
    question="Does the variance map tell which sparse networks keep their variance, and which of them train?",
    plan=plan,
    claims=_claims,
    limits="Failure to train without a clip is asserted for plain SGD only: with the gradient clipped shifted ReLUs do "
    "train in spite of huge variances. The designs keep the depth below the number n(1 - s) of active units; deeper "
    "networks did not train within reach of a CPU, whatever their variance.",
)
