r"""Activation vectors as affine forms in the input and the active units: the algebra behind the normal form.

    v = F [1, x, h_1, ..., h_l],      h_l = φ_l(A_l [1, x, h_1, ..., h_{l-1}])

Dense layers, sums, concatenations and scalings of affine forms are affine forms. An activation keeps the rows of its
linear channels as they are; the rows of its active channels become a matrix A_l, and its outputs there new variables.
So any graph of such operations ends in one affine form over nothing but the surviving units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DomainError, MemoryBudgetError
from ..result import FloatArray

_COPIES = 3  # of a form: the one that is read, the one that is made, and a skip


class AffineForms:
    """Builds the forms of one network, operation by operation.

    Parameters
    ----------
    inputs : int
        Number d of input features.
    memory_budget : int
        Bytes that forms may take.

    Attributes
    ----------
    matrices : list of ndarray
        A_l, shape (k_l, 1 + d + k_1 + ... + k_{l-1}), of the activations with active units.
    slopes : list of ndarray, shape (k_l,)
        Slopes of these units on their negative side.

    Examples
    --------
    x + φ(W x) for W = 2, with a ReLU:

    >>> forms = AffineForms(1)
    >>> x = forms.input()
    >>> forms.add(x, forms.activate(forms.dense(x, np.array([[2.0]])), np.zeros(1))), forms.matrices
    (array([[0., 1., 1.]]), [array([[0., 2.]])])
    """

    def __init__(self, inputs: int, memory_budget: int = 2**32) -> None:
        self._inputs = inputs
        self._columns = 1 + inputs
        self._budget = memory_budget
        self.matrices: list[FloatArray] = []
        self.slopes: list[FloatArray] = []

    def input(self) -> FloatArray:
        """The form of x."""
        self._require(self._inputs)
        return np.eye(self._inputs, 1 + self._inputs, k=1)

    def dense(self, form: FloatArray, weight: FloatArray, bias: FloatArray | None = None) -> FloatArray:
        """W v + b."""
        if weight.ndim != 2 or weight.shape[1] != len(form) or (bias is not None and bias.shape != weight.shape[:1]):
            raise DomainError(
                f"A layer of shape {weight.shape} is given {len(form)} features.",
                "Weights are (outputs, inputs), biases (outputs,), and each layer takes what the one before it gives.",
                "Transpose the weights, or correct the widths.",
            )
        self._require(len(weight))
        return self._shifted(weight @ form, bias)

    def scale(self, form: FloatArray, factor: FloatArray | float, shift: FloatArray | None = None) -> FloatArray:
        """Channel by channel factor · v + shift."""
        return self._shifted(np.broadcast_to(factor, len(form))[:, None] * form, shift)

    def add(self, *forms: FloatArray) -> FloatArray:
        """v + v' + ..."""
        if len({len(form) for form in forms}) != 1:
            raise DomainError(
                f"Vectors of {', '.join(str(len(form)) for form in forms)} features are added.",
                "The ends of a skip have different widths.",
                "Project one of them, or pad it.",
            )
        total = self._widened(forms[0])
        for form in forms[1:]:
            total = total + self._widened(form)
        return total

    def concatenate(self, *forms: FloatArray) -> FloatArray:
        """(v, v', ...)."""
        self._require(sum(len(form) for form in forms))
        return np.concatenate([self._widened(form) for form in forms])

    def activate(self, form: FloatArray, slopes: FloatArray) -> FloatArray:
        """max(v, 0) + a min(v, 0) with slopes a; those equal to 1 leave their channel as it is."""
        if slopes.shape != (len(form),):
            raise DomainError(
                f"{slopes.size} slopes are given for {len(form)} channels.",
                "An activation needs a slope for each channel of the layer before it.",
                "Give one slope for each, 0 for ReLU and 1 for a linear channel.",
            )
        active = np.flatnonzero(slopes != 1)
        if not active.size:
            return form
        self.matrices.append(self._widened(form)[active])
        self.slopes.append(slopes[active].astype(np.float64))
        first = self._columns
        self._columns += active.size
        self._require(len(form))
        out = self._widened(form)
        out[active] = 0
        out[active, first + np.arange(active.size)] = 1
        return out

    def widened(self, form: FloatArray) -> FloatArray:
        """`form` over all variables so far."""
        return self._widened(form)

    def _shifted(self, form: FloatArray, shift: FloatArray | None) -> FloatArray:
        if shift is not None:
            form[:, 0] += shift
        return form

    def _widened(self, form: FloatArray) -> FloatArray:
        out = np.zeros((len(form), self._columns))
        out[:, : form.shape[1]] = form
        return out

    def _require(self, rows: int) -> None:
        """Refuse forms that do not fit."""
        needed = _COPIES * 8 * rows * self._columns + 8 * sum(matrix.size for matrix in self.matrices)
        if needed > self._budget:
            raise MemoryBudgetError(
                f"The normal form needs {needed / 2**20:.0f} MiB; the budget is {self._budget / 2**20:.0f} MiB.",
                f"A layer of {rows} channels is written over {self._columns - 1 - self._inputs} active units and "
                f"{self._inputs} inputs.",
                "Cut the chain (cuts='cheapest'), linearise more units, or raise memory_budget.",
            )


def units(values: FloatArray, slopes: Sequence[float] | FloatArray) -> FloatArray:
    """max(v, 0) + a min(v, 0), the last axis running over channels; the identity where a = 1."""
    return np.where(values > 0, values, np.asarray(slopes) * values)
