"""E2: is a network that theory calls degenerate harder to train?

Networks of many depths and widths are trained alike, and their accuracy is ordered by what theory predicts for them
before training: the mean of ln sin² of the angle that two inputs of different classes have after the last layer. The
naive rivals stand beside it: depth (all that infinite width knows), Σ1/n, the number of parameters.

    design        which networks
    networks      a batch of equal networks: predictions, start, training
    predictors    what theory and its rivals say of a network
    scores        isotonic fit without the network that is predicted, partial rank correlation
    comparison    results as arrays of architectures by seeds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from validation.claim import Claim
from validation.experiment import Experiment, Results, Settings
from validation.sweep import Batch

from .design import batches


def plan(settings: Settings) -> Sequence[Batch]:
    """A batch for each architecture."""
    return batches(settings)


def trial(
    specifications: Sequence[Mapping[str, Any]], *, device: str = "cpu", data: str = "digits"
) -> list[dict[str, Any]]:
    """Networks of one architecture: accuracy, and what was predicted and seen before training."""
    from .networks import trial

    return trial(specifications, device, data)


def claims(settings: Settings, results: Results) -> Sequence[Claim]:
    """The claims, from the results in the order of the plan."""
    from . import initial, ranking
    from .comparison import members
    from .design import DESIGNS

    found = members(batches(settings), results)
    return [*initial.claims(found), *(ranking.claims(found) if DESIGNS[settings.size].shapes else [])]


EXPERIMENT = Experiment(
    id="E2",
    title="Accuracy and predicted degeneracy",
    question="Do networks train worse where theory predicts that their inputs cannot be told apart?",
    plan=plan,
    claims=claims,
    limits="Σ1/n orders networks about as well as the whole theory; only the isotonic fit separates the two. A large "
    "learning rate hides the effect. Plain networks, few steps of SGD without momentum: what is ordered is how soon "
    "networks train, not what they can reach.",
)
