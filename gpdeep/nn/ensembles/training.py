r"""Training the members of an ensemble side by side, each as if it were alone.

    p_m ← p_m - η_m(s) · direction(∂C_m/∂p_m),     C_m the mean of a cost over a batch,     s = 0..steps-1

The sum of the C_m is differentiated, which for member m is ∂C_m/∂p_m. A member whose cost or gradient is no longer
finite rests from that step on where it was; the step and the reason are kept, and the others go on unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...errors import DomainError
from ...gaussian.arguments import callback, entries, flag
from ...result import Status, StatusCode
from ..arguments import LARGEST, whole
from ..memory_budget import require_memory
from ..one_thread import one_thread
from .batches import Feed, batches
from .full_precision import full_precision
from .member_step import ROWS, MemberStep
from .members import Ensemble, require_ensemble
from .outcome import EnsembleTraining, Record
from .recording import recorder_for
from .samples import Samples
from .statistics import ensemble_statistics
from .training_arguments import column, looks_at, schedule_of, stepper_of
from .walking import Walk

LARGEST_RATE = 1e10  # with gradients below 1e19 no step leaves the range of float32
_MOST_STEPS = 10**8
_PROBED = 256  # samples of a look, where none are given


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
    graphs: bool | str = "auto",
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
    graphs : {'auto', True, False}
        Whether a step is recorded as a CUDA graph and replayed: one launch in place of some hundred. By itself where
        that pays: on a GPU, M n² up to 2e6, 50 steps or more. The first replay is compared with the step itself.
    progress : callable, optional
        Called with (step, steps). A KeyboardInterrupt ends the training; what has been trained is returned, with the
        status NOT_CONVERGED.

    Returns
    -------
    EnsembleTraining

    Raises
    ------
    DomainError
        Shapes do not fit, a name is unknown, a number is out of range, parameters are frozen, or graphs are
        wanted where there is no GPU.
    MemoryBudgetError
        A step needs more memory than the device has free; raised before it is taken.

    Warns
    -----
    EagerTrainingWarning
        A graph could not be made or did something else than the step; all steps are done as they stand.

    Notes
    -----
    One CPU thread (`gpdeep.nn.one_thread`). On the CPU a member's weights after any number of steps are bitwise those
    that it has when trained alone; on a GPU they are close. Matrices are multiplied in their own type, not in TF32.
    Gradients are written where the optimiser reads them: hooks on parameters do not see them.

    Examples
    --------
    Four networks at four learning rates; the last diverges at once, and the others do not notice:

    >>> import numpy as np
    >>> nets = Ensemble("2,16x2,2", 4, seeds=[1, 1, 1, 1])
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = train_ensemble(nets, X, (X[:, 0] > 0).astype(int), steps=60, lr=[0.0, 0.1, 0.3, 1e9])
    >>> found.alive.tolist(), found.died_at.tolist()[-1] < 5
    ([True, True, True, False], True)
    >>> bool(found.accuracy[2] > 0.9), found.status.code
    (True, <StatusCode.OK: 'ok'>)
    """
    require_ensemble(ensemble)
    if not all(parameter.requires_grad for parameter in ensemble.parameters()):
        raise DomainError(
            "Some parameters of the ensemble have requires_grad=False.",
            "They were frozen; training moves all weights and biases.",
            "Call ensemble.requires_grad_(True), or give members that shall rest lr=0.",
        )
    data = Samples.of(ensemble, X, Y, cost)
    total = whole("steps", steps, _MOST_STEPS, counts="steps of training")
    size = min(whole("batch", batch, counts="samples of a step"), len(data.x))
    rates = column(ensemble, "lr", lr, LARGEST_RATE)
    bounds = None if clip is None else column(ensemble, "clip", clip, LARGEST)
    factor = schedule_of(schedule)
    stepper = stepper_of(optimizer, momentum, nesterov, weight_decay)
    looks = looks_at(record_at, total)
    own_batches = flag("own_batches", own_batches)
    if progress is not None:
        callback("progress", progress, 1, total)
    inputs, pairs = (data.x[:_PROBED], None) if probe is None else _two("probe", probe, "inputs and pairs")
    held_out = None
    if test is not None:
        X_test, Y_test = _two("test", test, "samples and targets")
        held_out = Samples.of(ensemble, X_test, Y_test, cost)
    recorder = recorder_for(ensemble, graphs, total, size)
    device = data.x.device
    require_memory(ensemble.bytes_needed(size, recorder is not None), device, "members, the width or the batch")
    shape = (ensemble.members, size) if own_batches else (size,)
    records: list[Record] = []

    with one_thread(), torch.inference_mode(False), torch.enable_grad(), full_precision():
        step = MemberStep(ensemble, data, stepper, rates, bounds, shape)

        def look(number: int) -> None:
            layer_norms = step.flat.layer_norms().double().cpu().numpy()
            seen = ensemble_statistics(ensemble, inputs, pairs=pairs)
            held = None if held_out is None else held_out.score(ensemble)
            records.append(Record(number, data.score(ensemble), held, seen, layer_norms))

        feed = Feed(
            batches(len(data.x), size, total + 1, rng, ensemble, own_batches),
            step.index,
            ROWS if recorder is not None or device.type != "cpu" else 1,
        )
        walk = Walk(step, feed, recorder, total, factor, progress)
        try:
            interrupted = walk.go(looks, look)
            if interrupted:
                walk.stand()
            costs = walk.ledger().costs()
            last = len(costs) - 1
            if not records or records[-1].step != last:
                look(last)
        finally:
            step.flat.release()
    ledger = walk.ledger()
    alive = ledger.died_at < 0
    dead = int((~alive).sum())
    messages = [interrupted] if interrupted else []
    messages += (
        [f"{dead} of {ensemble.members} members diverged; they rest where they last were finite."] if dead else []
    )
    return EnsembleTraining(
        status=Status(StatusCode.NOT_CONVERGED if interrupted else StatusCode.OK, tuple(messages)),
        alive=alive,
        died_at=ledger.died_at,
        reason=tuple(ledger.reason),
        cost=costs,
        records=tuple(records),
        steps=last,
        replayed=walk.replayed,
    )


def _two(name: str, value: Any, what: str) -> list[Any]:
    """A pair of arrays."""
    found = entries(name, value, what)
    if len(found) != 2:
        raise DomainError(
            f"{name} has {len(found)} entries.", f"It holds two arrays, {what}.", f"Give {name} as a tuple of two."
        )
    return found
