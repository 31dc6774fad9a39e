r"""What a network's output Z = R A_L costs: value, gradient, and the curvature that Newton's method needs.

    squared          C = |Y - Z|²/N,                    ∂C/∂Z = -(2/N)(Y - Z),     curvature (2/N) I
    cross-entropy    C = -(1/N) Σ_ki Y_ki log p_ki,     ∂C/∂Z = (p - Y)/N,         curvature (diag p_i - p_i p_iᵀ)/N

p_i = softmax(z_i), columns of Y sum to 1. The curvature of sample i is S_i S_iᵀ with S_i = √(2/N) I, or
diag(√p_i)(I - √p_i √p_iᵀ)/√N: exact, because √p_i has length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_array, as_floats, shown
from ..result import FloatArray


class Cost(Protocol):
    """C as a function of outputs Z of shape (d, N)."""

    @property
    def target(self) -> FloatArray:
        """Y, shape (d, N)."""

    def value(self, Z: FloatArray) -> float:
        """C(Z)."""

    def gradient(self, Z: FloatArray) -> FloatArray:
        """∂C/∂Z, shape (d, N)."""

    def curvature_times(self, Z: FloatArray, V: FloatArray) -> FloatArray:
        """The Hessian in Z times V, shape (d, N)."""

    def root(self, Z: FloatArray) -> FloatArray:
        """S_i with S_i S_iᵀ the curvature of sample i, shape (N, d, d)."""


@dataclass(frozen=True)
class SquaredCost:
    """|Y - Z|²/N."""

    target: FloatArray

    def value(self, Z: FloatArray) -> float:
        """C(Z)."""
        return float(np.sum((self.target - Z) ** 2)) / len(Z.T)

    def gradient(self, Z: FloatArray) -> FloatArray:
        """∂C/∂Z."""
        return (Z - self.target) * (2 / len(Z.T))

    def curvature_times(self, Z: FloatArray, V: FloatArray) -> FloatArray:
        """The Hessian times V."""
        return V * (2 / len(Z.T))

    def root(self, Z: FloatArray) -> FloatArray:
        """√(2/N) I for every sample."""
        d, n = Z.shape
        return np.broadcast_to(np.sqrt(2 / n) * np.eye(d), (n, d, d))


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy, averaged over samples; columns of the target are probabilities."""

    target: FloatArray

    def value(self, Z: FloatArray) -> float:
        """C(Z)."""
        shifted = Z - Z.max(axis=0)
        log_sum = np.log(np.exp(shifted).sum(axis=0))
        return float(log_sum.sum() - np.sum(self.target * shifted)) / len(Z.T)

    def gradient(self, Z: FloatArray) -> FloatArray:
        """∂C/∂Z."""
        return (softmax(Z) - self.target) / len(Z.T)

    def curvature_times(self, Z: FloatArray, V: FloatArray) -> FloatArray:
        """The Hessian times V."""
        p = softmax(Z)
        weighted = p * V
        product: FloatArray = (weighted - p * weighted.sum(axis=0)) / len(Z.T)
        return product

    def root(self, Z: FloatArray) -> FloatArray:
        """diag(√p)(I - √p √pᵀ)/√N for every sample."""
        u = np.sqrt(softmax(Z)).T
        projection = np.eye(len(Z)) - u[:, :, None] * u[:, None, :]
        root: FloatArray = u[:, :, None] * projection / np.sqrt(len(Z.T))
        return root


_LARGEST = 1e70  # as of all matrices
COSTS: dict[str, type[SquaredCost] | type[CrossEntropy]] = {"squared": SquaredCost, "cross_entropy": CrossEntropy}


def softmax(Z: FloatArray) -> FloatArray:
    """Softmax of every column."""
    p: FloatArray = np.exp(Z - Z.max(axis=0))
    p /= p.sum(axis=0)
    return p


def cost_of(name: str, target: Any, outputs: int, samples: int) -> Cost:
    """The cost called `name` against targets (d, N), or for cross-entropy class numbers (N,).

    Raises
    ------
    DomainError
        The name is unknown, the shape does not fit, a number is not finite, or a column is no probability.
    """
    if not isinstance(name, str) or name not in COSTS:
        raise DomainError(f"cost = {shown(name)}.", "The name is misspelt.", f"Use {' or '.join(COSTS)}.")
    given = as_array(target)
    if name == "cross_entropy" and given.ndim == 1:
        given = _one_hot(given, outputs)
    wide = as_floats(given)
    if wide is None or given.shape != (outputs, samples) or not (np.abs(wide) <= _LARGEST).all():
        raise DomainError(
            f"Y has shape {given.shape} and dtype {given.dtype}; the outputs are {outputs} x {samples}.",
            "Rows are outputs and columns samples; perhaps it is transposed, holds NaN or numbers beyond 1e70, or a "
            "read-out is missing.",
            f"Give finite targets of shape {outputs, samples}, or a read_out of shape (d, width).",
        )
    Y = wide
    if name == "squared":
        return SquaredCost(Y)
    if (Y < 0).any() or not np.allclose(Y.sum(axis=0), 1, rtol=0, atol=1e-9):
        raise DomainError(
            f"Columns of Y sum to {float(Y.sum(axis=0).min()):.6g} ... {float(Y.sum(axis=0).max()):.6g}.",
            "Cross-entropy compares probabilities; regression targets were given.",
            "Give class numbers of shape (N,), one-hot columns, or cost='squared'.",
        )
    return CrossEntropy(Y)


def _one_hot(classes: Any, outputs: int) -> FloatArray:
    """Columns with a single 1."""
    if classes.dtype.kind not in "iu" or (classes.size and (classes.min() < 0 or classes.max() >= outputs)):
        raise DomainError(
            f"Y holds class numbers {shown(classes, 80)} for {outputs} outputs.",
            "Classes count from 0, and each needs its output.",
            f"Give integers from 0 to {outputs - 1}, or a read_out with more rows.",
        )
    return np.eye(outputs)[:, classes]
