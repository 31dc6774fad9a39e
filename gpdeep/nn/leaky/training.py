r"""Training a leaky ResNet until it is stationary, which is later than when its loss looks converged.

    minimise   C(R A_L) + λS + (λ/2)(c_in |E|² + c_out |R|²),        S = (1/2L̃) Σ ρ_l |W_l|²
    Adam  →  L-BFGS  →  Newton's method in the metric of the tangent kernel

Only a stationary network is a trajectory of the Hamiltonian flow, and only then do its energies say anything: after
thousands of steps of Adam the stationarity residual may still be of order 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...errors import ConvergenceError, DomainError
from ...gaussian.arguments import callback as checked_callback
from ...gaussian.arguments import flag
from ..arguments import LARGEST, number, whole
from .data import CostFunction, Task
from .descent import adam, lbfgs
from .energies import check_lam
from .newton import newton as newton_phase
from .objective import LeakyObjective
from .outcome import Phase, outcome, phase_of
from .resnet import LeakyResNet
from .steps import AdaptiveSteps
from .training_result import LeakyTraining

Callback = Callable[[str, int, float], None]


def train_leaky(
    model: LeakyResNet,
    X: Any,
    Y: Any,
    *,
    lam: float,
    cost: str | CostFunction = "squared",
    adam_steps: int = 500,
    lbfgs_steps: int = 500,
    newton: bool = True,
    newton_steps: int = 300,
    learning_rate: float = 0.01,
    tol: float = 1e-6,
    read_in_penalty: float = 1.0,
    read_out_penalty: float = 1.0,
    adaptive: AdaptiveSteps | None = None,
    callback: Callback | None = None,
) -> LeakyTraining:
    r"""Train `model` in place on all samples, to a stationary point of C + λS.

    Parameters
    ----------
    model : LeakyResNet
        Where training starts; in any type, on any device. Float64 where energies are wanted to more than four digits.
    X : array_like or torch.Tensor, shape (N, in_features)
        Rows are samples.
    Y : array_like or torch.Tensor, shape (N, out_features)
        Targets; for cross-entropy also class numbers (N,).
    lam : float
        λ > 0.
    cost : {'squared', 'cross_entropy'} or callable
        C: |Y - output|²/N, softmax cross-entropy averaged over samples, or a function of outputs and Y whose value is
        a scalar tensor.
    adam_steps, lbfgs_steps, newton_steps : int
        At most so many of each; 0 leaves a phase out. Without Adam, training continues from a network that is almost
        stationary, such as one from a geodesic; Adam would leave it.
    newton : bool
        Whether to finish with Newton's method, which runs in float64 on the processor and is quadratic at the end. It
        takes named costs only. `newton_steps` are for each of the six sharpnesses where kinks are rounded.
    learning_rate : float
        Of Adam at its start, for W_l/L̃ and the maps.
    tol : float
        Stationarity residual to stop at.
    read_in_penalty, read_out_penalty : float
        c_in and c_out, for maps that are learned.
    adaptive : AdaptiveSteps, optional
        Moves the layer steps during Adam.
    callback : callable, optional
        Called as ``callback(phase, iteration, objective)`` after every step of Adam and every ten of L-BFGS.

    Returns
    -------
    LeakyTraining
        Its status is `not_converged` where the residual is above 0.01. The model keeps the weights.

    Raises
    ------
    DomainError
        Shapes do not fit the model, or a number is out of range.

    Warns
    -----
    ValidityWarning
        The residual is above 0.3, and the energies say nothing.

    Notes
    -----
    *Kinks.* A minimum of a network with ReLU has entries that rest on the kink, where the slope is between 0 and 1.
    Gradient methods chatter around it: the residual stays at 0.1 and more, with the objective right to four digits.
    Newton's method rounds the kinks, up to a sharpness at which that costs 1e-5 of the objective, and residual and
    energies are then those of the rounded network (`LeakyTraining.sharpness`).

    *What it costs.* Newton's method alone, ``adam_steps=0, lbfgs_steps=0``, is the quickest way for a few neurons and
    samples, and from a start near a solution. From random weights of 30 neurons it takes hundreds of iterations, each
    as long as some ten of L-BFGS; after 300 of L-BFGS some 150 are enough.

    *Local minima.* There are several, and more the larger L̃ is: their bottlenecks may have different ranks.

    References
    ----------
    A. Jacot and A. Kaiser, "Hamiltonian Mechanics of Feature Learning: Bottleneck Structure in Leaky ResNets",
    arXiv:2405.17573.

    Examples
    --------
    One neuron that has to keep its value of 1 against the leak: W = L̃ all the way, nearly, and -2H/L̃ = 1.

    >>> model = LeakyResNet(1, 20, 2.0, bias=0.0, sigma_w=0.0, dtype=torch.float64)
    >>> _ = torch.nn.init.constant_(model.weights, 1.0)
    >>> found = train_leaky(model, [[1.0]], [[1.0]], lam=1e-3, adam_steps=0)
    >>> round(found.rank_like, 2), round(found.action, 2), found.status.code
    (1.0, 1.0, <StatusCode.OK: 'ok'>)
    """
    task = Task.of(model, X, Y, cost)
    penalties = [
        number(name, value, 1e-50, LARGEST, "the weight of |map|² beside the action")
        for name, value in (("read_in_penalty", read_in_penalty), ("read_out_penalty", read_out_penalty))
    ]
    objective = LeakyObjective(model, task, check_lam(lam), *penalties)
    rate = number("learning_rate", learning_rate, 0.0, LARGEST, "the first step of Adam in the weights W/L̃")
    goal = number("tol", tol, 0.0, 1.0, "the stationarity residual to stop at")
    newton = flag("newton", newton)
    for name, given, arguments in (("callback", callback, ("", 1, 0.5)), ("adaptive", adaptive, (1, model, task.X))):
        if given is not None:
            checked_callback(name, given, *arguments)
    counts = [
        _count(n, v)
        for n, v in (("adam_steps", adam_steps), ("lbfgs_steps", lbfgs_steps), ("newton_steps", newton_steps))
    ]
    if not model.weights.requires_grad:
        raise DomainError(
            "The weights of the model do not require gradients.",
            "They were frozen with requires_grad_(False).",
            "Call model.weights.requires_grad_(True) before training.",
        )

    def told(phase: str) -> Callable[[int, float], None]:
        def after(iteration: int, value: float) -> None:
            if phase == "adam" and adaptive is not None:
                adaptive(iteration, model, task.X)
            if callback is not None:
                callback(phase, iteration, lam * value)

        return after

    phases: list[Phase] = []
    with torch.enable_grad(), _undone(objective):
        if counts[0]:
            phases.append(phase_of(objective, "adam", adam(objective, counts[0], rate, told("adam"))))
        if counts[1]:
            phases.append(phase_of(objective, "lbfgs", lbfgs(objective, counts[1], told("lbfgs"), goal)))
        if newton and counts[2]:
            phases.append(phase_of(objective, "newton", newton_phase(objective, counts[2], goal)))
    objective.clear()
    return outcome(objective, phases)


@contextmanager
def _undone(objective: LeakyObjective) -> Iterator[None]:
    """Give the model back as it was where its parameters, or what they cost, are no longer finite numbers."""
    begin = objective.snapshot()
    try:
        yield
    except Exception as error:
        finite = all(bool(torch.isfinite(values).all()) for values in objective.parameters)
        if finite and not (isinstance(error, DomainError) and _not_finite_cost(objective)):
            raise
        objective.restore(begin)
        raise ConvergenceError(
            "Training left the range of finite numbers; the model is as it was before.",
            "Inputs or targets are far from order 1, learning_rate is too large, or the cost is not finite on the way.",
            "Scale X and Y to entries of order 1, or use a smaller learning_rate.",
        ) from error


def _not_finite_cost(objective: LeakyObjective) -> bool:
    """Whether C can be computed and is NaN or infinite."""
    try:
        return not math.isfinite(objective.cost())
    except DomainError:
        return False


def _count(name: str, value: Any) -> int:
    """A number of iterations, from 0 to 10 million."""
    return 0 if isinstance(value, int) and value == 0 else whole(name, value, 10**7, counts="iterations")
