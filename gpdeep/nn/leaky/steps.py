r"""Layer steps that follow the representation: short where it changes fast, long where it rests.

    c_l = |A_l - A_{l-1}|/(ρ_l |A_{l-1}|),       ρ → (1 - η) ρ + η ρ',       ρ' such that all ρ'_l c(p_l) are equal

The weights are a function of p = ρ_1 + ... + ρ_l. When the layers move, each takes the weight of its new place, by
interpolation between the middles of the old ones; else the function that the network computes would jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ...errors import DomainError
from ...gaussian.arguments import choice, flag, shown
from ...gaussian.arguments import whole as whole_between
from ...leaky.layer_steps import carry_weights, equidistribute, limited, papers_rule
from ..arguments import LARGEST, number, whole
from .data import rows_of
from .energies import numbers, representations, steps_in_float64
from .resnet import LeakyResNet

RULES = ("equidistribute", "paper")
_LONGEST = 0.95  # of ρ_l L̃, as in equidistribute


def adapt_steps(
    model: LeakyResNet, X: Any, *, blend: float = 0.3, rule: str = "equidistribute", carry: bool = True
) -> Any:
    """Move the layer steps of `model` towards equal changes of its representation, and its weights with them.

    In place, without gradients; where a step would reach ρ_l L̃ = 1 it is kept below.

    Parameters
    ----------
    model : LeakyResNet
    X : array_like or torch.Tensor, shape (N, in_features)
        Samples to measure on; a batch will do.
    blend : float
        η in (0, 1]: how far to go at once; with ``paper`` the power to which each change of a step is raised, 1 being
        the rule of the paper.
    rule : {'equidistribute', 'paper'}
        ``equidistribute`` finds the steps from the cumulated speed over p, with a floor under it, and settles in a few
        calls. ``paper`` gives layer l a step in proportion to 1/c_l: by the number of the layer and not by its place,
        so that undamped it oscillates where a fast zone lies inside.
    carry : bool
        Whether the weights move along; without, each layer keeps its own, and the function of the network jumps.

    Returns
    -------
    torch.Tensor, shape (depth,)
        The new ρ, a copy.

    Raises
    ------
    DomainError
        The rule is unknown, η is out of range, or the inputs do not fit.

    Notes
    -----
    *Smoothing.* Weights that are no smooth function of p yet, such as those of the start, lose size by interpolation.

    *Optimiser state.* Parameters stay the same objects. Adam's averages belong to the number of a layer and not to its
    place, and to the old step, to which gradients are proportional; with η = 0.3 and the steps of training they adapt
    within 1/(1 - β₂) steps. An L-BFGS optimiser has to be made anew: its memory is of another function.

    References
    ----------
    A. Jacot and A. Kaiser, arXiv:2405.17573, section on adaptive layer steps.

    Examples
    --------
    All that changes, changes in the second half; the layers go there:

    >>> W = [[[1.0]], [[1.0]], [[3.0]], [[3.0]]]
    >>> model = LeakyResNet.from_arrays([0.25] * 4, W, 1.0, activation="identity", bias=0.0)
    >>> adapt_steps(model, [[1.0]], blend=1.0)[0] > 0.4
    tensor(True)
    """
    choice("rule", rule, RULES)
    carry = flag("carry", carry)
    share = number("blend", blend, 0.0, 1.0 + 1e-12, "how far to go towards the new steps at once, 1 for all the way")
    rows = rows_of(model, X)
    rho, W = steps_in_float64(model), numbers(model.weights)
    A = representations(model, rows)
    if rule == RULES[0]:
        new = (1 - share) * rho + share * equidistribute(rho, A, model.effective_depth)
    else:
        new = limited(papers_rule(rho, A, damping=min(share, 1.0)), _LONGEST / model.effective_depth)
    with torch.no_grad():
        if carry:
            model.weights.copy_(torch.as_tensor(carry_weights(W, rho, new)))
        model.steps.copy_(torch.as_tensor(new))
    return model.steps.clone()


@dataclass
class AdaptiveSteps:
    """A callback for a training loop: `adapt_steps` now and then in the middle of training.

    Call it after every step of the optimiser; from `start` to `end`, shares of the whole, every so many steps it
    moves the layers. Early the representation says little yet, and late the network should settle.

    Attributes
    ----------
    total : int
        Steps of the whole training.
    every : int
        Steps between two moves.
    start, end : float
        0 ≤ start < end ≤ 1.
    blend : float
        η of a move.
    rule : str
        As in `adapt_steps`.

    Raises
    ------
    DomainError
        A number is out of range.

    Examples
    --------
    >>> import torch
    >>> model = LeakyResNet(4, 6, 2.0)
    >>> X, adaptive = torch.randn(10, 4), AdaptiveSteps(total=10, every=2)
    >>> [step for step in range(1, 11) if adaptive(step, model, X)]
    [2, 4, 6, 8]
    """

    total: int
    every: int = 100
    start: float = 0.2
    end: float = 0.8
    blend: float = 0.3
    rule: str = "equidistribute"

    def __post_init__(self) -> None:
        whole("total", self.total, counts="iterations of the training")
        whole("every", self.every, counts="iterations between two changes of the steps")
        number("blend", self.blend, 0.0, 1.0 + 1e-12, "how far to go towards the new steps at once, 1 for all the way")
        share = "a share of the training, from 0 to 1"
        for name in ("start", "end"):
            number(name, getattr(self, name), -LARGEST, LARGEST, share)
        if not 0 <= self.start < self.end <= 1:
            raise DomainError(
                f"start = {shown(self.start, 50)} and end = {shown(self.end, 50)}.",
                "They are shares of the training, from 0 to 1, the start before the end.",
                "Give such as start=0.2, end=0.8.",
            )
        choice("rule", self.rule, RULES)

    def due(self, step: int) -> bool:
        """Whether step number `step`, counted from 1, moves the layers."""
        step = whole_between("step", step, 0, 10**15)
        return step % self.every == 0 and self.start * self.total <= step <= self.end * self.total

    def __call__(self, step: int, model: LeakyResNet, X: Any) -> bool:
        """Move the layers if it is time; whether that was so."""
        if not self.due(step):
            return False
        adapt_steps(model, X, blend=self.blend, rule=self.rule)
        return True
