r"""Training the members of an ensemble side by side, each as if it were alone.

    p_m ← p_m - η_m(s) · direction(∂C_m/∂p_m),     C_m the mean of a cost over a batch,     s = 0..steps-1

The sum of the C_m is differentiated, which for member m is ∂C_m/∂p_m. A member whose cost or gradient is no longer
finite rests from that step on where it was; the step and the reason are kept, and the others go on unchanged.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...errors import DomainError
from ...result import FloatArray, Status, StatusCode
from ..arguments import LARGEST, number, real_inputs, whole
from ..memory_budget import require_memory
from ..one_thread import one_thread
from .batches import batches
from .flat_members import FlatMembers
from .member_optimisers import OPTIMISERS, SGD, Adam, Stepper
from .members import Ensemble, require_ensemble
from .outcome import EnsembleTraining, Record
from .statistics import ensemble_statistics, member_cross_entropy

LARGEST_RATE = 1e10  # with gradients below 1e19 no step leaves the range of float32
_AT_ONCE = 4096  # samples of a full pass
_TINY = 1e-30  # of a gradient norm that needs no clipping
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "linear": lambda share: 1.0 - share,
}


def train_ensemble(
    ensemble: Ensemble,
    X: Any,
    Y: Any,
    *,
    steps: int,
    lr: Any,
    batch: int = 128,
    optimizer: str = "sgd",
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    clip: Any = None,
    schedule: str | Callable[[float], float] = "constant",
    cost: str = "cross_entropy",
    test: tuple[Any, Any] | None = None,
    probe: tuple[Any, Any] | None = None,
    record_at: Sequence[int] = (),
    own_batches: bool = False,
    rng: Any = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EnsembleTraining:
    r"""Train every member for `steps` steps, in place.

    Parameters
    ----------
    ensemble : Ensemble
    X : array or tensor, shape (N, n_in)
    Y : integers, shape (N,), or real numbers, shape (N, n_out)
        Classes for ``cross_entropy``, targets for ``squared``.
    steps : int
    lr : float or array of shape (M,)
        η, at most 1e10.
    batch : int
        Samples in a step; all where it is N or more.
    optimizer : {'sgd', 'adam'}
    momentum, nesterov, weight_decay
        As for torch's optimisers; Adam's decay is decoupled.
    clip : float or array of shape (M,), optional
        Largest norm of a member's whole gradient.
    schedule : {'constant', 'cosine', 'linear'} or callable
        Factor of η at the share s/steps of the way.
    cost : {'cross_entropy', 'squared'}
    test : (X, Y), optional
        Its accuracy and cost are recorded as well.
    probe : (X, pairs), optional
        Inputs for q^l and zeros, and pairs of their rows for angles; default: the first 256 samples, no pairs.
    record_at : sequence of int
        Numbers of steps after which to look; the start (0) and the end always.
    own_batches : bool
        Whether each member draws its own batches; by default all see the same.
    rng : int, SeedSequence or Generator
        Key of the batches.
    progress : callable, optional
        Called with (step, steps). A KeyboardInterrupt ends the training; what has been trained is returned, with the
        status NOT_CONVERGED.

    Returns
    -------
    EnsembleTraining

    Raises
    ------
    DomainError
        Shapes do not fit, a name is unknown, or a number is out of range.
    MemoryBudgetError
        A step needs more memory than the device has free; raised before it is taken.

    Notes
    -----
    One CPU thread (`gpdeep.nn.one_thread`). On the CPU a member's weights after any number of steps are bitwise those
    that it has when trained alone.

    Examples
    --------
    Four networks at four learning rates; the last diverges at once, and the others do not notice:

    >>> nets = Ensemble("2,16x2,2", 4, seeds=[1, 1, 1, 1])
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = train_ensemble(nets, X, (X[:, 0] > 0).astype(int), steps=60, lr=[0.0, 0.1, 0.3, 1e9])
    >>> found.alive.tolist(), found.died_at.tolist()[-1] < 5
    ([True, True, True, False], True)
    >>> bool(found.accuracy[2] > 0.9), found.status.code
    (True, <StatusCode.OK: 'ok'>)
    """
    require_ensemble(ensemble)
    data = _Data.of(ensemble, X, Y, cost)
    total = whole("steps", steps)
    size = min(whole("batch", batch), len(data.x))
    rates = _column(ensemble, "lr", lr, LARGEST_RATE)
    bounds = None if clip is None else _column(ensemble, "clip", clip, LARGEST)
    factor = _schedule(schedule)
    stepper = _stepper(optimizer, momentum, nesterov, weight_decay)
    looks = _looks(record_at, total)
    inputs, pairs = (data.x[:256], None) if probe is None else probe
    held_out = None if test is None else _Data.of(ensemble, *test, cost)
    require_memory(ensemble.bytes_needed(size), ensemble.weights[0].device, "members, the width or the batch")
    flat = FlatMembers.of(ensemble)
    alive = torch.ones(ensemble.members, dtype=torch.bool, device=data.x.device)
    died_at = np.full(ensemble.members, -1)
    reason = [""] * ensemble.members
    costs: list[FloatArray] = []
    records: list[Record] = []
    interrupted = ""

    def look(step: int) -> None:
        layer_norms = flat.layer_norms().double().cpu().numpy()
        seen = ensemble_statistics(ensemble, inputs, pairs=pairs)
        held = None if held_out is None else held_out.score(ensemble)
        records.append(Record(step, data.score(ensemble), held, seen, layer_norms))

    with one_thread(), torch.enable_grad(), _full_precision():
        try:
            for step, index in enumerate(batches(len(data.x), size, total + 1, rng, ensemble, own_batches)):
                each = data.cost(ensemble(data.x[index]), data.y[index])
                flat.differentiate(each.sum())
                norms = flat.squared_norms()
                now = alive & torch.isfinite(each.detach()) & torch.isfinite(norms)
                if not bool((now == alive).all()):
                    for m in torch.nonzero(alive & ~now).flatten().tolist():
                        died_at[m] = step
                        reason[m] = (
                            "cost not finite" if not math.isfinite(float(each.detach()[m])) else "gradient not finite"
                        )
                    alive = now
                if step in looks:
                    look(step)
                costs.append(each.detach().double().cpu().numpy())
                if step == total or not bool(alive.any()):
                    break
                rate = rates * factor(step / total)
                if bounds is not None:
                    flat.gradients.mul_((bounds / norms.sqrt().clamp(min=_TINY)[:, None]).clamp(max=1.0))
                if not bool(alive.all()):
                    rate = torch.where(alive[:, None], rate, 0.0)
                    flat.gradients.copy_(torch.where(alive[:, None], flat.gradients, 0.0))
                stepper.step(flat.values, flat.gradients, rate)
                if progress is not None:
                    progress(step + 1, total)
        except KeyboardInterrupt:
            interrupted = f"Interrupted after {len(costs)} of {total} steps: the members are as trained so far."
        if not records or records[-1].step != total:
            look(min(len(costs), total))
    dead = int((~alive).sum())
    messages = [interrupted] if interrupted else []
    messages += (
        [f"{dead} of {ensemble.members} members diverged; they rest where they last were finite."] if dead else []
    )
    return EnsembleTraining(
        status=Status(StatusCode.NOT_CONVERGED if interrupted else StatusCode.OK, tuple(messages)),
        alive=alive.cpu().numpy(),
        died_at=died_at,
        reason=tuple(reason),
        cost=np.array(costs),
        records=tuple(records),
        steps=total,
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """Samples and targets on the device of the ensemble, and what a miss costs."""

    x: Any
    y: Any
    classes: bool

    @classmethod
    def of(cls, ensemble: Ensemble, X: Any, Y: Any, cost: str) -> _Data:
        """Checked against the ensemble."""
        if cost not in ("cross_entropy", "squared"):
            raise DomainError(f"cost = {cost!r:.50}.", "The name is misspelt.", "Use cross_entropy or squared.")
        classes = cost == "cross_entropy"
        like = ensemble.weights[0]
        x = torch.as_tensor(real_inputs(X), device=like.device).to(like.dtype)
        y = torch.as_tensor(real_inputs(Y), device=like.device)
        n, outputs = ensemble.widths[0], ensemble.widths[-1]
        wanted = (len(x),) if classes else (len(x), outputs)
        if x.ndim != 2 or x.shape[1] != n or not len(x) or tuple(y.shape) != wanted:
            raise DomainError(
                f"X has the shape {tuple(x.shape)} and Y {tuple(y.shape)}.",
                f"The members map {n} numbers to {outputs}; a sample is a row.",
                f"Give X of shape (N, {n}) and Y of shape {'(N,)' if classes else f'(N, {outputs})'}.",
            )
        if not bool(torch.isfinite(x).all()) or (not classes and not bool(torch.isfinite(y).all())):
            raise DomainError(
                "The data are not all finite.", "Missing values, or an overflow upstream.", "Remove them."
            )
        if classes and (y.is_floating_point() or not bool(((y >= 0) & (y < outputs)).all())):
            raise DomainError(
                f"Y holds {y.unique()[:12].tolist()} for {outputs} outputs.",
                "Classes are integers from 0, and each needs its output.",
                f"Give integers from 0 to {outputs - 1}.",
            )
        return cls(x, y if classes else y.to(like.dtype), classes)

    def cost(self, output: Any, target: Any) -> Any:
        """The mean cost of every member, shape (M,)."""
        if self.classes:
            return member_cross_entropy(output, target)
        return (output - target).square().sum(2).mean(1)

    def score(self, ensemble: Ensemble) -> tuple[FloatArray, FloatArray]:
        """Cost and accuracy of every member over all samples; accuracy NaN where there are no classes."""
        with torch.no_grad():
            output = torch.cat([ensemble(part) for part in self.x.split(_AT_ONCE)], dim=1)
            cost = self.cost(output, self.y).double().cpu().numpy()
            if not self.classes:
                return cost, np.full(ensemble.members, np.nan)
            return cost, (output.argmax(2) == self.y).double().mean(1).cpu().numpy()


def _column(ensemble: Ensemble, name: str, value: Any, most: float) -> Any:
    """One positive number a member, as a tensor (M, 1)."""
    try:
        found = np.broadcast_to(np.asarray(value, dtype=np.float64), (ensemble.members,))
    except (TypeError, ValueError) as error:
        raise DomainError(
            f"{name} = {value!r:.100}.",
            "It is no number, or a list of another length than there are members.",
            f"Give a number, or {ensemble.members} of them.",
        ) from error
    if not ((found >= 0) & (found <= most)).all():
        raise DomainError(
            f"{name} holds {found[~((found >= 0) & (found <= most))][0]!r}.",
            f"{name} lies between 0 and {most:g}.",
            f"Give such as {name}=0.1.",
        )
    like = ensemble.weights[0]
    return torch.tensor(found, dtype=like.dtype, device=like.device)[:, None]


def _schedule(given: Any) -> Callable[[float], float]:
    if callable(given):
        function: Callable[[float], float] = given
        return function
    if not isinstance(given, str) or given not in SCHEDULES:
        raise DomainError(f"schedule = {given!r:.50}.", "The name is misspelt.", f"Use {', '.join(SCHEDULES)}.")
    return SCHEDULES[given]


def _stepper(name: str, momentum: float, nesterov: bool, weight_decay: float) -> Stepper:
    decay = number("weight_decay", weight_decay, -math.inf, LARGEST, "the weight of |p|²/2 beside the cost")
    mu = number("momentum", momentum, -math.inf, 1.0, "the share of the last step that is kept")
    if name not in OPTIMISERS:
        raise DomainError(f"optimizer = {name!r:.50}.", "The name is misspelt.", f"Use {' or '.join(OPTIMISERS)}.")
    if decay < 0 or mu < 0:
        raise DomainError(f"momentum = {mu:g}, weight_decay = {decay:g}.", "Neither is negative.", "Give 0 or more.")
    if name == "adam":
        if mu or nesterov:
            raise DomainError(f"momentum = {mu:g} with adam.", "Adam's averages are its own.", "Leave momentum out.")
        return Adam(weight_decay=decay)
    return SGD(mu, bool(nesterov), decay)


def _looks(record_at: Sequence[int], steps: int) -> set[int]:
    """The steps after which to look: those given, the start and the end."""
    found = {0, steps}
    for step in record_at:
        if isinstance(step, (bool, np.bool_)) or not isinstance(step, (int, np.integer)) or not 0 <= step <= steps:
            raise DomainError(
                f"record_at holds {step!r:.50} with {steps} steps.",
                "It lists numbers of steps, from 0 to the last.",
                "Give such as (1, 10, 100).",
            )
        found.add(int(step))
    return found


@contextlib.contextmanager
def _full_precision() -> Iterator[None]:
    """Within it matrices are multiplied in their own type and not in TF32, which is blind below angles of 1e-3."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
