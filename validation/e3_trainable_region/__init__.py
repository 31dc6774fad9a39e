"""E3: can tanh and erf networks be trained down to six correlation lengths, and no further?"""

from __future__ import annotations

from collections.abc import Sequence

from ..claim import Claim
from ..experiment import Experiment, Results, Settings
from .grid import plan


def _claims(settings: Settings, results: Results) -> Sequence[Claim]:
    from .claims import claims  # here: a plan takes no scipy

    return claims(settings, results)


EXPERIMENT = Experiment(
    id="E3",
    title="Trainable region of tanh and erf networks",
    question="Do networks train down to six times the depth scale of correlations, with nothing fitted?",
    plan=plan,
    claims=_claims,
    limits="The factor 6 is a rule of thumb (4 to 9 were seen). Close to the edge of chaos xi_c is infinite and width, "
    "learning rate and number of steps set the limit instead: predictions are capped at the deepest network of the "
    "grid. Trained means half of the training samples right after a fixed number of steps.",
)
