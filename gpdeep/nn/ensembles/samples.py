"""What an ensemble learns: samples and targets on its device, and what a miss costs each member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...errors import DomainError
from ...gaussian.arguments import choice
from ...result import FloatArray
from ..arguments import tensor_of
from .members import Ensemble
from .statistics import member_cross_entropy

_AT_ONCE = 4096  # samples of a full pass


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples and targets on the device of the ensemble.

    Attributes
    ----------
    x : torch.Tensor, shape (N, n_in)
    y : torch.Tensor, shape (N,) or (N, n_out)
    classes : bool
        Whether `y` are class numbers.
    """

    x: Any
    y: Any
    classes: bool

    @classmethod
    def of(cls, ensemble: Ensemble, X: Any, Y: Any, cost: str) -> Samples:
        """Checked against the ensemble."""
        classes = choice("cost", cost, ("cross_entropy", "squared")) == "cross_entropy"
        like = ensemble.weights[0]
        x, y = (tensor_of(values, like.device) for values in (X, Y))
        x, y = x.to(like.dtype), y if classes else y.to(like.dtype)
        n, outputs = ensemble.widths[0], ensemble.widths[-1]
        rows = x.shape[:1]
        wanted = rows if classes else (*rows, outputs)
        if x.ndim != 2 or x.shape[1] != n or not len(x) or y.shape != wanted:
            raise DomainError(
                f"X has the shape {tuple(x.shape)} and Y {tuple(y.shape)}.",
                f"The members map {n} numbers to {outputs}; a sample is a row.",
                f"Give X of shape (N, {n}) and Y of shape {'(N,)' if classes else f'(N, {outputs})'}.",
            )
        if not bool(torch.isfinite(x).all()) or (not classes and not bool(torch.isfinite(y).all())):
            raise DomainError(
                f"The data are not all finite in {like.dtype}.",
                "Values are missing, or lie beyond what the type of the weights can hold.",
                "Remove them, scale the data, or make the ensemble with dtype=torch.float64.",
            )
        if classes and (y.is_floating_point() or not bool(((y >= 0) & (y < outputs)).all())):
            raise DomainError(
                f"Y holds {y.unique()[:12].tolist()} for {outputs} outputs.",
                "Classes are integers from 0, and each needs its output.",
                f"Give integers from 0 to {outputs - 1}.",
            )
        return cls(x, y.long() if classes else y, classes)

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
