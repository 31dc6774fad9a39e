r"""The exact Gram chain: k inputs through a random network with biases and any activation.

Let Q^l be the Gram matrix of the post-activations divided by the width. Given it, the pre-activations of the next
layer are n iid rows N(0, K), K = σ_w² Q^l + σ_b² 11ᵀ, whatever the shape of the weights (Hanin & Nica 2018). Here K is
never formed: with triangular coordinates C of the post-activation vectors, C Cᵀ = Q, and iid normal G (k x n) and ξ (1
x n),

    H = σ_w C G + σ_b 1 ξ,      the next C from the coordinates of φ(H)/√n.

No square root of a nearly singular matrix is taken, so angles are right down to the rounding of the vectors themselves,
about 1e-15, instead of 1e-8 for a Cholesky factor of K. (For smaller angles, without bias, see `gpdeep.finite.chain`.)

Assumptions: Gaussian weights and biases. Exact at every width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..activations import TwoSlope, activation
from ..errors import DomainError
from ..result import FloatArray, IntArray
from .backend import Backend, last, require_memory, to_numpy
from .chain import MEMORY_BUDGET
from .checks import check_integer, check_scale, check_sigmas, check_widths
from .orthonormal import coordinates

SMALLEST_SIN = 1e-13
"""Angles below this are lost in rounding: the chain with bias calls them not measurable."""


def run_gram_chain(
    start: Any,
    widths: IntArray,
    phi: Callable[[Any], Any],
    sigma_w: FloatArray,
    sigma_b: FloatArray,
    rng: Any,
    backend: Backend,
) -> Iterator[tuple[Any, Any]]:
    """Coordinates C, shape (N, k, k), and counts of non-zero units, after each layer.

    `start` are coordinates of the inputs with C Cᵀ = X Xᵀ/n_0, shape (N, k, k). The counts, shape (N, k), tell for
    each input j > 0 how many units are non-zero for it or for input 0.
    """
    xp = backend.xp
    c = start
    samples, inputs = c.shape[0], c.shape[1]
    blocks = backend.blocks(samples)
    streams = backend.streams(rng, len(blocks), "gram")
    for width, weight, bias in zip(widths.tolist(), sigma_w.tolist(), sigma_b.tolist(), strict=True):
        next_c, counts = [], []
        for block, normal in zip(blocks, streams, strict=True):
            step = max(1, backend.block_elements // (width * inputs))
            for first in range(block.start, block.stop, step):
                part = c[first : min(block.stop, first + step)]
                h = weight * (part @ normal((part.shape[0], inputs, width)))
                if bias:
                    h = h + bias * normal((part.shape[0], 1, width))
                f = phi(h)
                on = f != 0
                counts.append(xp.sum(xp.astype(on | on[:, :1, :], f.dtype), axis=-1))
                next_c.append(coordinates(xp, f) / width**0.5)
        c = xp.concat(next_c)
        yield c, xp.concat(counts)


def pair_of(xp: Any, c: Any, counts: Any, j: int = 1) -> tuple[Any, Any, Any, Any]:
    """ln sin² of the angle between inputs 0 and j; which pairs died, are parallel, are too close to tell; each (N,)."""
    base, other = c[:, 0, 0], c[:, j, :]
    length = xp.sqrt(xp.vecdot(other, other))
    across = xp.sqrt(xp.vecdot(other[:, 1:], other[:, 1:]))
    dead = (base == 0) | (length == 0)
    parallel = ~dead & (counts[:, j] == 1)
    lost = ~dead & ~parallel & (across <= SMALLEST_SIN * length)
    ratio = xp.where(dead | parallel | lost, xp.ones_like(across), across / xp.where(length > 0, length, 1.0))
    return xp.clip(2 * xp.log(ratio), None, 0.0), dead, parallel, lost


def sample_gram(
    inputs: Any,
    widths: Any,
    *,
    phi: str | TwoSlope | Callable[[Any], Any] = "relu",
    sigma_w: Any = None,
    sigma_b: Any = 0.0,
    n_samples: int = 1000,
    rng: Any = 0,
    memory_budget: float = MEMORY_BUDGET,
) -> Any:
    r"""Draw the Gram matrix φ(h^L)ᵀφ(h^L)/n_L of k inputs after the last hidden layer from its exact law.

    Parameters
    ----------
    inputs : array_like, shape (k, d)
        The inputs x; the first layer sees K¹ = σ_w² XXᵀ/d + σ_b².
    widths : sequence of int, shape (L,)
        Hidden widths, from 1 to 10^6.
    phi : str, TwoSlope or callable
        The activation: a name, or a function of an array that acts on each element (and takes tensors if `inputs` is
        one).
    sigma_w, sigma_b : float or sequence of float, shape (L,)
        Standard deviations of weights (times √fan-in) and biases; σ_w defaults to the value that keeps the variance.
    n_samples, rng, memory_budget
        Number of networks N, seed, bytes.

    Returns
    -------
    array, shape (N, k, k)
        numpy, or torch on the device of `inputs`.

    Raises
    ------
    DomainError
        An argument is out of range, or σ_w is missing for an activation that has no default.
    MemoryBudgetError
        The samples do not fit the budget.

    Examples
    --------
    The mean square activation of a He network keeps its mean, and has second moment 1 + 5/n after one layer:

    >>> import numpy as np
    >>> gram = sample_gram(np.ones((1, 3)), [50], n_samples=40_000, rng=0)[:, 0, 0]
    >>> bool(abs(gram.mean() - 1) < 4 * gram.std() / 200), bool(abs((gram**2).mean() - 1.1) < 0.02)
    (True, True)
    """
    layers = check_widths(widths)
    n_samples = check_integer("n_samples", n_samples, 1, 10**9)
    backend = Backend.of(inputs)
    x = np.asarray(to_numpy(inputs), dtype=float)
    if x.ndim != 2 or 0 in x.shape or not np.isfinite(x).all():
        raise DomainError(
            f"inputs has shape {x.shape}" + (" and holds NaN or infinite numbers." if x.ndim == 2 and x.size else "."),
            "The Gram chain needs a matrix with one input a row.",
            "Give a finite matrix of shape (inputs, features).",
        )
    function = activation(phi) if isinstance(phi, (str, TwoSlope)) else phi
    if sigma_w is None:
        if not isinstance(function, TwoSlope):
            raise DomainError(
                "sigma_w is missing.",
                "Only for two-slope activations is there one value that keeps the variance at every scale.",
                "Give sigma_w, the standard deviation of the weights times the square root of the fan-in.",
            )
        sigma_w = function.he_sigma_w
    weights = check_sigmas("sigma_w", sigma_w, len(layers), positive=True)
    biases = check_sigmas("sigma_b", sigma_b, len(layers))
    if isinstance(function, TwoSlope):
        check_scale(weights, biases, function.second_moment)
    k = len(x)
    require_memory(2 * n_samples * k * k + 4 * k * int(layers.max()), memory_budget, f"{n_samples} Gram matrices")
    start = backend.array(coordinates(Backend.of().xp, x[None]) / np.sqrt(x.shape[1]))
    start = backend.xp.ones((n_samples, 1, 1), dtype=backend.xp.float64, device=backend.device) * start
    c, _ = last(run_gram_chain(start, layers, function, weights, biases, rng, backend))
    return c @ backend.xp.matrix_transpose(c)
