r"""Random weights of unit variance, E W_ij² = 1/fan-in, each tensor from a stream of its own.

    gaussian           W_ij ~ N(0, 1/fan-in), independent
    orthogonal         √s × a corner of a Haar matrix, s = max(1, c_out/fan-in)
    delta_orthogonal   orthogonal c_out x c_in at the centre tap, 0 at the others; fan-in = c_in

fan-in = c_in · taps, c_in the input channels of a group; the groups of a convolution are independent. For
c_out ≤ fan-in the rows are orthonormal, above that the columns are orthogonal of squared length s, as in
`gpdeep.finite.wiring`. The corner is Q of the QR decomposition of a Gaussian matrix with the signs of R's diagonal
taken out, without which Q is not uniform (Mezzadri 2007). Delta-orthogonal: Xiao et al. 2018, arXiv:1806.05393.

A stream is keyed by the seed and the tensor's name, so what a tensor gets depends on neither the order of the layers,
nor what other layers there are, nor torch's global state.
"""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DomainError
from ..finite.backend import seed_sequence
from ..gaussian.arguments import shown
from ..result import FloatArray


class WeightLaw(enum.StrEnum):
    """The law of a layer's weights."""

    GAUSSIAN = "gaussian"
    ORTHOGONAL = "orthogonal"
    DELTA_ORTHOGONAL = "delta_orthogonal"


def weight_law(name: Any) -> WeightLaw:
    """The law called `name`.

    Raises
    ------
    DomainError
        There is none of that name.
    """
    try:
        return WeightLaw(name)
    except (ValueError, TypeError) as error:
        raise DomainError(
            f"weights is {shown(name)}.", "The name of the law is misspelt.", f"Use one of {', '.join(WeightLaw)}."
        ) from error


def root_of(rng: Any) -> np.random.SeedSequence:
    """The seed of a whole network: from an integer, a SeedSequence, or a Generator, which it advances."""
    return seed_sequence(rng, "init")


def stream(root: np.random.SeedSequence, name: str) -> np.random.Generator:
    """The stream of the tensor called `name`; 128 bits of the name enter."""
    words = np.frombuffer(hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=16).digest(), "<u4")
    key = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *words.tolist()))
    return np.random.Generator(np.random.SFC64(key))


def draw_weight(rng: np.random.Generator, shape: Sequence[int], groups: int, law: WeightLaw) -> FloatArray:
    """Weights of the shape (c_out, c_in, *kernel), c_in the channels of a group."""
    outputs, channels, *kernel = shape
    if law is WeightLaw.GAUSSIAN:
        return rng.standard_normal(tuple(shape)) / math.sqrt(channels * math.prod(kernel))
    taps = math.prod(kernel) if law is WeightLaw.ORTHOGONAL else 1
    matrix = np.concatenate([_orthogonal(rng, outputs // groups, channels * taps) for _ in range(groups)])
    if law is WeightLaw.ORTHOGONAL:
        return matrix.reshape(shape)
    centre = np.zeros(tuple(kernel))
    centre[tuple(k // 2 for k in kernel)] = 1.0
    return matrix.reshape(outputs, channels, *(1 for _ in kernel)) * centre


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> FloatArray:
    """√s × the first rows and columns of a Haar matrix of size max(rows, columns)."""
    long, short = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(rng.standard_normal((long, short)))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0) * math.sqrt(long / columns)
    return q if rows == long else q.T
