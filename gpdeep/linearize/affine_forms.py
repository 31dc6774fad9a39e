r"""Activation vectors as affine forms in the input and the active units: the algebra behind the normal form.

    v = F [1, x, h_1, ..., h_l],      h_l = φ_l(A_l [1, x, h_1, ..., h_{l-1}])

Dense layers, sums, concatenations and scalings of affine forms are affine forms. An activation keeps the rows of its
linear channels as they are; the rows of its active channels become a matrix A_l, and its outputs there new variables.
So any graph of such operations ends in one affine form over nothing but the surviving units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DomainError, MemoryBudgetError
from ..gaussian.arguments import REAL_KINDS, as_array, shown, whole
from ..gaussian.arguments import memory_budget as bytes_of
from ..result import FloatArray

_MOST_INPUTS = 10**9
_LARGEST = 1e100
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
        self._inputs = whole("inputs", inputs, 1, _MOST_INPUTS)
        self._columns = 1 + self._inputs
        self._budget = bytes_of(memory_budget)
        self.matrices: list[FloatArray] = []
        self.slopes: list[FloatArray] = []

    def input(self) -> FloatArray:
        """The form of x."""
        self._require(self._inputs)
        return np.eye(self._inputs, 1 + self._inputs, k=1)

    def dense(self, form: FloatArray, weight: FloatArray, bias: FloatArray | None = None) -> FloatArray:
        """W v + b."""
        form, weight = self._form(form), _real("weight", weight)
        bias = None if bias is None else _real("bias", bias)
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
        form, factors = self._form(form), _real("factor", factor)
        shift = None if shift is None else _real("shift", shift)
        for name, given in (("factor", factors), ("shift", np.zeros(()) if shift is None else shift)):
            if given.shape not in ((), (1,), (len(form),)):
                raise DomainError(
                    f"{name} has shape {given.shape} for {len(form)} channels.",
                    "There is one number for each channel, or one for all.",
                    f"Give {len(form)} numbers.",
                )
        return self._shifted(np.broadcast_to(factors, len(form))[:, None] * form, shift)

    def add(self, *forms: FloatArray) -> FloatArray:
        """v + v' + ..."""
        forms = tuple(map(self._form, forms))
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
        forms = tuple(map(self._form, forms))
        if not forms:
            raise DomainError("Nothing is concatenated.", "The list of vectors is empty.", "Give one vector or more.")
        self._require(sum(len(form) for form in forms))
        return np.concatenate([self._widened(form) for form in forms])

    def activate(self, form: FloatArray, slopes: FloatArray) -> FloatArray:
        """max(v, 0) + a min(v, 0) with slopes a; those equal to 1 leave their channel as it is."""
        form, slopes = self._form(form), _real("slopes", slopes)
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
        self.slopes.append(slopes[active])
        first = self._columns
        self._columns += active.size
        self._require(len(form))
        out = self._widened(form)
        out[active] = 0
        out[active, first + np.arange(active.size)] = 1
        return out

    def widened(self, form: FloatArray) -> FloatArray:
        """`form` over all variables so far."""
        return self._widened(self._form(form))

    def _form(self, form: Any) -> FloatArray:
        """What this object's methods return: a matrix over the constant, the inputs and some of the units so far."""
        rows = _real("form", form)
        if rows.ndim != 2 or not 1 + self._inputs <= rows.shape[1] <= self._columns:
            raise DomainError(
                f"A form has shape {rows.shape}.",
                f"It has a row for each channel and {1 + self._inputs} to {self._columns} columns: the constant, the "
                "inputs, and the units that are active so far.",
                "Give what .input() or another method of the same object returned.",
            )
        return rows

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


def _real(name: str, value: Any) -> FloatArray:
    """`value` as an array of ordinary real numbers, without a copy where it is one."""
    array = as_array(value)
    if array.dtype.kind in REAL_KINDS:
        array = array.astype(np.float64, copy=False)
    if array.dtype != np.float64 or not (np.abs(array) <= _LARGEST).all():
        raise DomainError(
            f"{name} is {shown(value)}.",
            "It holds NaN, numbers beyond 1e100, text, truth values or rows of unequal length.",
            f"Give {name} as an array of finite real numbers.",
        )
    return array


def units(values: FloatArray, slopes: Sequence[float] | FloatArray) -> FloatArray:
    """max(v, 0) + a min(v, 0), the last axis running over channels; the identity where a = 1."""
    return np.where(values > 0, values, np.asarray(slopes) * values)
