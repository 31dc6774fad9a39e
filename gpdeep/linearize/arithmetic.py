"""The numbers a walk computes with: floats, with counts of paths as logarithms, or integers and fractions.

A ResNet of 110 layers has 1e165 paths, one of 1,000 layers more than float64 can hold; so floats carry ln N. The exact
mode carries N as a Python integer and means as fractions, in numpy's arrays of objects.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from ..result import BoolArray

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]


class Floats:
    """float64; counts as their natural logarithms, -inf for none."""

    def zeros(self, *shape: int) -> Array:
        """Zeros."""
        return np.zeros(shape)

    def numbers(self, values: Array) -> Array:
        """`values`, in these numbers."""
        return np.asarray(values, dtype=np.float64)

    def counts(self, live: BoolArray) -> Array:
        """One path where `live`, none elsewhere."""
        return np.where(live, 0.0, -np.inf)

    def live(self, counts: Array) -> BoolArray:
        """Where there is a path."""
        return counts > -np.inf

    def total(self, counts: Array) -> Array:
        """The sum of counts over the last axis."""
        top = counts.max(axis=-1)
        finite = np.where(top > -np.inf, top, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(finite + np.log(np.exp(counts - finite[..., None]).sum(axis=-1)))

    def relative(self, counts: Array) -> Array:
        """The counts, over the largest of the last axis."""
        top = counts.max(axis=-1, keepdims=True)
        return np.asarray(np.exp(counts - np.where(top > -np.inf, top, 0.0)))

    def log10(self, count: Any) -> float:
        """The decimal logarithm of one count."""
        return float(count) / math.log(10)


class Fractions:
    """Python integers and fractions, without rounding."""

    _exact: Any = staticmethod(np.frompyfunc(Fraction, 1, 1))

    def zeros(self, *shape: int) -> Array:
        """Zeros."""
        return np.full(shape, Fraction(0), dtype=object)

    def numbers(self, values: Array) -> Array:
        """`values`, in these numbers: floats are taken for the binary fractions that they are."""
        exact: Array = np.asarray(self._exact(values), dtype=object)
        return exact

    def counts(self, live: BoolArray) -> Array:
        """One path where `live`, none elsewhere."""
        return live.astype(int).astype(object)

    def live(self, counts: Array) -> BoolArray:
        """Where there is a path."""
        return np.asarray(counts > 0, dtype=np.bool_)

    def total(self, counts: Array) -> Array:
        """The sum of counts over the last axis."""
        return np.asarray(counts.sum(axis=-1))

    def relative(self, counts: Array) -> Array:
        """The counts themselves: only their ratios matter."""
        return self.numbers(counts)

    def log10(self, count: Any) -> float:
        """The decimal logarithm of one count."""
        return math.log10(int(count)) if count else -math.inf


Arithmetic = Floats | Fractions


def shares(weights: Array, axis: int) -> Array:
    """Weights divided by their sum over an axis; 0 where that is 0."""
    total = weights.sum(axis=axis, keepdims=True)
    return np.asarray(weights / np.where(total == 0, 1, total))


def averaged(values: Array, weights: Array) -> Array:
    """Weighted means over the last axis, exact where sums are; 0 where all weights are."""
    total = weights.sum(axis=-1)
    return np.asarray((values * weights).sum(axis=-1) / np.where(total == 0, 1, total))
