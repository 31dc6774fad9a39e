r"""Samples seen from their mean, as directions.

    u_i = (x_i - m)/|x_i - m|,     m = (1/N) Σ_i x_i,     x_i in R^d, i = 1..N;     without centring m = 0.

The mean is summed relative to the first sample, a block of rows at a time, so features that do not vary are
exactly zero after centring. A sample that lies within the rounding of its own mean has no direction.
"""

from __future__ import annotations

import dataclasses
from typing import NoReturn

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import flag
from ..result import FloatArray, IntArray
from .reading import Source, read
from .samples import BLOCK_ROWS, Samples, blocks


def prepare(X: Source, *, centre: bool = True) -> FloatArray:
    """Samples as a network of unit-variance inputs wants them: centred, and scaled to |x|² = features.

    Parameters
    ----------
    X : array_like, shape (samples, features), or any source of `load_inputs`
        Real and finite. Trailing axes are flattened.
    centre : bool
        Subtract the mean over samples.

    Returns
    -------
    ndarray, shape (samples, features)
        In float64, the rows in the order of `X`.

    Raises
    ------
    DomainError
        A sample is zero, or equals the mean of all samples up to rounding (always so for a single sample or
        constant data): it cannot be scaled. Dropping it here would move the rows against their labels. Also
        what `load_inputs` refuses.

    Notes
    -----
    The mean is that of the samples given, so a subset has another centre than the whole.

    Examples
    --------
    >>> prepare([[3.0, 4.0], [0.0, 2.0]], centre=False)
    array([[0.84852814, 1.13137085],
           [0.        , 1.41421356]])
    """
    data, _ = read(X)
    cloud = Cloud.of(data, centre)
    lost = cloud.without_direction()
    if lost.size:
        refuse_directionless(lost, len(data), centre)
    return cloud.on_sphere(np.sqrt(data.shape[1]))


@dataclasses.dataclass(frozen=True)
class Cloud:
    """Samples seen from their centre m = (pivot + offset)/scale.

    `slack`: how far rounding may have moved each feature of the centre. `weight`: size of each feature.
    """

    X: Samples
    scale: float
    pivot: FloatArray
    offset: FloatArray
    slack: FloatArray
    weight: FloatArray

    @classmethod
    def of(cls, X: Samples, centre: bool) -> Cloud:
        """`X` seen from its mean over samples, or from the origin."""
        if not flag("centre", centre):
            zero = np.zeros(X.shape[1])
            return cls(X, 1.0, zero, zero, zero, np.abs(X[0].astype(np.float64)))
        for scale in (1.0, 2.0**-128):  # the second for entries near the largest float, whose sums overflow
            with np.errstate(over="ignore", invalid="ignore"):
                pivot = X[0].astype(np.float64) * scale
                offset, spread = np.zeros((2, X.shape[1]))
                for block in blocks(X.shape):
                    distance = X[block].astype(np.float64) * scale - pivot
                    offset += distance.sum(axis=0)
                    spread += np.abs(distance, out=distance).sum(axis=0)
            offset /= len(X)
            spread /= len(X)
            if np.isfinite(spread).all():
                break
        # Recursive summation of n terms errs by at most n eps Σ|x|: here a block's rows, then the blocks.
        terms = BLOCK_ROWS + sum(1 for _ in blocks(X.shape))
        return cls(X, scale, pivot, offset, terms * np.finfo(np.float64).eps * spread, spread)

    def directions(self, rows: slice | IntArray) -> FloatArray:
        """Unit vectors from the centre to the samples `rows`."""
        x = self.X[rows].astype(np.float64)
        x *= self.scale
        x -= self.pivot
        x -= self.offset
        x /= np.abs(x).max(axis=1, keepdims=True)  # squares neither overflow nor vanish
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x

    def on_sphere(self, radius: float) -> FloatArray:
        """All samples, moved along their directions to the distance `radius` from the origin."""
        placed = np.empty(self.X.shape)
        for block in blocks(self.X.shape):
            placed[block] = self.directions(block)
        placed *= radius
        return placed

    def without_direction(self) -> IntArray:
        """Samples that agree with the centre in every feature, up to rounding.

        The widest features are looked at first: they leave no suspect in a few steps on ordinary data.
        """
        suspects = np.arange(len(self.X))
        for k in np.argsort(-self.weight):
            x = self.X[suspects, k].astype(np.float64) * self.scale - self.pivot[k]
            suspects = suspects[np.abs(x - self.offset[k]) <= self.slack[k]]
            if not suspects.size:
                break
        return suspects


def no_direction(centre: bool) -> str:
    """Why samples have none, in words."""
    return "they equal the mean of all samples and have no direction" if centre else "they are zero"


def refuse_directionless(lost: IntArray, samples: int, centre: bool) -> NoReturn:
    """The error about the samples `lost`."""
    raise DomainError(
        f"{lost.size} of {samples} samples cannot be scaled: {no_direction(centre)}; the first is sample {lost[0]}.",
        "The data are constant, a single sample, or have empty rows.",
        "Give samples that differ" + (", or centre=False." if centre else ", without rows of zeros."),
    )
