"""What the training of an ensemble gives: who is alive, and what was seen on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...result import FloatArray, Result, render_table
from .statistics import EnsembleStatistics


@dataclass(frozen=True, eq=False)
class Record:
    """A look at all members after a number of steps.

    Attributes
    ----------
    step : int
    train, test : (cost, accuracy), arrays of shape (M,)
        Over all samples; `test` is None without test data.
    statistics : EnsembleStatistics
        On the probe inputs.
    gradient_norms : array (M, L + 1)
        Norm of ∂C/∂W^l on the batch of this step.
    """

    step: int
    train: tuple[FloatArray, FloatArray]
    test: tuple[FloatArray, FloatArray] | None
    statistics: EnsembleStatistics
    gradient_norms: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class EnsembleTraining(Result):
    """What became of M networks.

    Attributes
    ----------
    alive : array (M,) of bool
        Cost and gradient were finite at every step.
    died_at : array (M,) of int
        Number of steps taken when they no longer were; -1 for those alive.
    reason : tuple of M str
        Which of them; empty for those alive.
    cost : array (steps + 1, M)
        On the batch of each step, and of the one that would follow; NaN or infinite for those that diverged.
    records : tuple of Record
        At the start, after the steps asked for, at the end; a member that died before is seen as it rests.
    steps : int
        Done: fewer than asked for where the training was interrupted, or the last member died.
    replayed : int
        Steps that were replays of a CUDA graph.
    """

    alive: Any
    died_at: Any
    reason: tuple[str, ...]
    cost: FloatArray
    records: tuple[Record, ...]
    steps: int
    replayed: int = 0

    @property
    def accuracy(self) -> FloatArray:
        """Accuracy of every member on all training samples at the end; of a diverged one as it rests."""
        return self.records[-1].train[1]

    @property
    def best_accuracy(self) -> FloatArray:
        """The largest accuracy on the training samples in any record."""
        found: FloatArray = np.max([record.train[1] for record in self.records], axis=0)
        return found

    @property
    def test_accuracy(self) -> FloatArray | None:
        """Accuracy on the test samples at the end."""
        last = self.records[-1].test
        return None if last is None else last[1]

    def __str__(self) -> str:
        rows = []
        for record in self.records:
            cost, accuracy = record.train
            row = [f"{record.step}", _told(np.mean, cost, ".4g"), _told(np.mean, accuracy)]
            row += [_told(np.min, accuracy), _told(np.max, accuracy)]
            rows.append(row + ([] if record.test is None else [_told(np.mean, record.test[1])]))
        head = ["step", "cost", "accuracy", "least", "most"] + (["test"] if self.records[-1].test else [])
        title = f"{len(self.alive)} networks, {int((~self.alive).sum())} diverged"
        return render_table(title, head, rows, self.status.messages)


def _told(of: Callable[[FloatArray], Any], values: FloatArray, shape: str = ".3f") -> str:
    """A number of those members that have one; nothing where none has."""
    known = values[~np.isnan(values)]
    return f"{of(known):{shape}}" if known.size else ""
