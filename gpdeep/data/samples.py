"""What counts as a set of samples, and how to walk through one without a copy of it in float64.

Samples are rows. They stay in the type in which they were stored (MNIST: one byte an entry, 47 MB instead of
376) and become float64 a block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError

Samples = NDArray[Any]

_BLOCK_ENTRIES = 2**18
BLOCK_ROWS = 512


def blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices that cover the rows of an array of `shape`, `BLOCK_ROWS` and 2 MB in float64 at most."""
    rows = min(BLOCK_ROWS, max(1, _BLOCK_ENTRIES // shape[1]))
    for start in range(0, shape[0], rows):
        yield slice(start, start + rows)


def as_samples(array: Any, name: str) -> Samples:
    """`array` as samples x features, real and finite, in its own type; trailing axes are flattened.

    `name` is how messages call the array.

    Raises
    ------
    DomainError
        It is ragged, masked, complex, not numeric, has fewer than two axes or no entries, or holds NaN or
        infinities.
    """
    try:
        X = np.asanyarray(array)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DomainError(
            f"{name} cannot be made an array ({error}).",
            "The rows have different lengths, or it is a tensor that still carries a gradient.",
            "Give samples x features as a numpy array.",
        ) from error
    if isinstance(X, np.ma.MaskedArray):
        raise DomainError(
            f"{name} is a masked array with {int(np.sum(X.mask))} masked entries.",
            "Some features of some samples are missing; an angle needs all of them.",
            "Fill the masked entries or drop their samples, then give a plain array.",
        )
    X = np.asarray(X)
    if X.dtype.kind not in "buif":
        raise DomainError(
            f"{name} has the type {X.dtype}.",
            "The samples are complex, text, dates or Python objects.",
            "Give real numbers: floats, integers or booleans.",
        )
    if X.ndim < 2:
        raise DomainError(
            f"{name} has the shape {X.shape}: {X.ndim} axes instead of samples x features.",
            "It is a single sample, or the labels instead of the images.",
            "Give an array of shape (samples, features); one sample x is x[None, :].",
        )
    if X.size == 0:
        raise DomainError(
            f"{name} has the shape {X.shape}: {X.shape[0]} samples of {int(np.prod(X.shape[1:]))} features.",
            "A selection kept nothing.",
            "Give at least two samples with at least one feature each.",
        )
    X = X.reshape(X.shape[0], -1)
    if X.dtype.kind == "f":
        if X.dtype.itemsize > 8:
            with np.errstate(over="ignore", under="ignore"):
                X = X.astype(np.float64)
        _refuse_non_finite(X, name)
    return X


def _refuse_non_finite(X: Samples, name: str) -> None:
    count, first = 0, None
    for block in blocks(X.shape):
        finite = np.isfinite(X[block])
        if not finite.all():
            count += finite.size - int(np.count_nonzero(finite))
            if first is None:
                row, feature = np.argwhere(~finite)[0]
                first = (block.start + int(row), int(feature))
    if first is not None:
        raise DomainError(
            f"{name} has {count} entries of {X.size} that are NaN or infinite; "
            f"the first is {X[first]} in sample {first[0]}, feature {first[1]}.",
            "Missing values, or an overflow before the samples were stored.",
            "Drop these samples or fill the entries.",
        )
