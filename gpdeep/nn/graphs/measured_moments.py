"""Second moments of the tensors of a forward pass, as they meet in dense layers and additions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ...linearize.wires import Wire
from ...result import FloatArray
from .channel_labels import entry_means


class Moments:
    """What a run has measured, by the wire that it belongs to.

    Parameters
    ----------
    centred : bool
        Measure operands of additions by their variance over inputs and positions, not by their second moment.
    """

    def __init__(self, centred: bool) -> None:
        self._centred = centred
        self.found: dict[int, FloatArray] = {}
        self._kept: list[Wire] = []  # ids stay those of these wires

    def of(self, values: torch.Tensor, labels: torch.Tensor) -> FloatArray:
        """The second moment, or the variance, of what belongs to each entry of narrow labels."""
        square = self.second(values, labels)
        if not self._centred:
            return square
        mean: FloatArray = entry_means(values, labels)
        return np.maximum(square - mean**2, 0.0)

    def second(self, values: torch.Tensor, labels: torch.Tensor) -> FloatArray:
        """The second moment of what belongs to each entry of narrow labels."""
        found: FloatArray = entry_means(values.detach().cpu().double().square(), labels)
        return found

    def operands(self, wire: Wire, moments: Sequence[FloatArray]) -> None:
        """Those of the operands of an addition."""
        self._keep(wire, np.stack(moments))

    def edges(self, wire: Wire, weight: torch.Tensor, moments: FloatArray) -> None:
        """Those of a dense layer: the squares of its weights (outputs, inputs of a group, taps...) times E x²."""
        squares = weight.detach().double().square()
        squares = squares.flatten(2).sum(dim=2) if squares.ndim > 2 else squares
        outputs, inputs = squares.shape
        groups = len(moments) // inputs
        each = np.repeat(moments.reshape(groups, inputs), outputs // groups, axis=0)
        self._keep(wire, squares.cpu().numpy() * each)

    def _keep(self, wire: Wire, moments: Any) -> None:
        self._kept.append(wire)
        self.found[id(wire)] = moments
