"""A step that is recorded once and replayed, after a comparison of both, and done as it stands where that fails.

A small network's step on a GPU is some hundred launches, which take longer than the work; a replay is one. It pays
where M n² is below about 2e6, n the width.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import torch

from ...errors import DomainError
from ...gaussian.arguments import shown
from ..memory_budget import has_room
from .member_step import MemberStep
from .members import Ensemble

LAUNCHES_DOMINATE = 2e6  # M n² up to which they do
_WARM = 3  # steps before a recording: libraries choose their kernels and make room
_LEAST_STEPS = 50  # in which a recording earns what it costs
# A replay runs the kernels of the step that it recorded: what differs is the order of sums, 1e-6 to 1e-4 of a step of
# a deep network in float32. A stale batch, rate or count differs by as much as a step is long.
_RTOL = 1e-3
_ROUNDINGS = 8.0


class EagerTrainingWarning(RuntimeWarning):
    """Training was to replay a recorded step, and does every step anew instead: as right, and slower."""


class Recorder(Protocol):
    """What records the work of a device."""

    def aside(self, call: Callable[[], None]) -> None:
        """Do the work of `call` where a recording can follow."""

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        """What does the work of `call` again; `call` itself may or may not have been done."""


class CudaRecorder:
    """CUDA graphs."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._aside = torch.cuda.Stream(device)

    def aside(self, call: Callable[[], None]) -> None:
        """On a stream of its own, before and after which the usual one waits."""
        with torch.cuda.device(self._device):
            usual = torch.cuda.current_stream()
            self._aside.wait_stream(usual)
            with torch.cuda.stream(self._aside):
                call()
            usual.wait_stream(self._aside)

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        """The replay of a graph; `call` is not done."""
        with torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                call()
        replay: Callable[[], None] = graph.replay
        return replay


def recorder_for(ensemble: Ensemble, graphs: bool | str, steps: int, batch: int) -> Recorder | None:
    """What records the steps of `ensemble`, None where they are done as they stand.

    Raises
    ------
    DomainError
        `graphs` is no choice, or True where there is no GPU.
    """
    device = ensemble.weights[0].device
    if not isinstance(graphs, bool) and not (isinstance(graphs, str) and graphs == "auto"):
        raise DomainError(
            f"graphs = {shown(graphs, 50)}.", "It is no choice.", "Give 'auto', True (needs CUDA) or False."
        )
    if graphs is True and device.type != "cuda":
        raise DomainError(
            f"graphs = True for an ensemble on {device}.",
            "Only CUDA records the work of a device.",
            "Leave it at 'auto', or make the ensemble with device='cuda'.",
        )
    if graphs == "auto":
        graphs = device.type == "cuda" and steps >= _LEAST_STEPS and launches_dominate(ensemble)
        graphs = graphs and has_room(ensemble.bytes_needed(batch, recorded=True), device)
    return CudaRecorder(device) if graphs else None


def launches_dominate(ensemble: Ensemble) -> bool:
    """Whether starting the kernels of a step takes longer than running them, on a GPU.

    >>> launches_dominate(Ensemble("64,64x3,10", 8)), launches_dominate(Ensemble("64,300x2,10", 64))
    (True, False)
    """
    weights = [n * out for n, out in itertools.pairwise(ensemble.widths)]
    return ensemble.members * sum(weights) / len(weights) <= LAUNCHES_DOMINATE


class RecordedStep:
    """A `MemberStep` that is replayed.

    Parameters
    ----------
    step : MemberStep
    recorder : Recorder

    Attributes
    ----------
    replayed : int
        Steps that were replays.
    """

    def __init__(self, step: MemberStep, recorder: Recorder) -> None:
        self._step, self._recorder = step, recorder
        self._warm = _WARM
        self._replay: Callable[[], None] | None = None
        self._eager = False
        self.replayed = 0

    def both(self) -> None:
        """The whole step: the first ones as they stand, then one compared with its replay, then replays."""
        if self._replay is not None:
            self._replay()
            self.replayed += 1
        elif self._eager:
            self._step.both()
        elif self._warm:
            self._warm -= 1
            self._recorder.aside(self._step.both)
        else:
            self._compare()

    def _compare(self) -> None:
        """Record, replay, and do the same step as it stands: its outcome is what is kept."""
        before = replayed = _Seen(self._step)
        why = ""
        try:
            replay = self._recorder.record(self._step.both)
            before.bring_back()
            replay()
            replayed = _Seen(self._step)
        except RuntimeError as error:
            why = f"the step could not be recorded ({(str(error) or repr(error)).splitlines()[0]:.200})"
        before.bring_back()
        self._step.both()
        why = why or replayed.differs_from(_Seen(self._step), before)
        if not why:
            self._replay = replay
            return
        self._eager = True
        warnings.warn(
            f"Every step is done anew, since {why}. Results are not affected; graphs=False silences this.",
            EagerTrainingWarning,
            stacklevel=6,
        )


class _Seen:
    """A copy of all that a step changes."""

    def __init__(self, step: MemberStep) -> None:
        self._step = step
        self._moving = [tensor.clone() for tensor in step.moving()]
        self._told = [tensor.clone() for tensor in step.told()]

    def bring_back(self) -> None:
        """Make the step as it was."""
        for tensor, copy in zip(self._step.moving() + self._step.told(), self._moving + self._told, strict=True):
            tensor.copy_(copy)

    def differs_from(self, other: _Seen, before: _Seen) -> str:
        """What this replay did otherwise than the step, in words; empty where they agree up to rounding."""
        (costs, *counts), (other_costs, *other_counts) = self._told, other._told
        if not all(torch.equal(one, two) for one, two in zip(counts, other_counts, strict=True)):
            return "its replay counted or died otherwise"
        if not torch.allclose(costs, other_costs, rtol=_RTOL, atol=0.0, equal_nan=True):
            return "its replay had other costs"
        for start, one, two in zip(before._moving, self._moving, other._moving, strict=True):
            lost = one.isnan() & two.isnan()  # of a member that began with NaN
            start, one, two = (t.masked_fill(lost, 0.0) for t in (start, one, two))
            gap, moved, size = (t.norm(dim=1) for t in (one - two, two - start, two))
            if not bool((gap <= _RTOL * moved + _ROUNDINGS * torch.finfo(two.dtype).eps * size).all()):
                return f"its replay moved a member otherwise, by up to {float(gap.max()):.2g}"
        return ""
