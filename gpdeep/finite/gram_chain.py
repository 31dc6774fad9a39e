r"""One layer of the exact Gram chain, and the chain: k inputs through a random network, any activation, any wiring.

Let C be triangular coordinates of the post-activation vectors of one layer divided by √n, so that C Cᵀ = Q is their
Gram matrix. With iid normal G (k x n) and ξ (1 x n) the pre-activations of the next layer have, given C, the law of

    H = σ_w C G + σ_b 1 ξ,                             (Gaussian weights)
    H = σ_w C √m F + σ_b 1 ξ,     m = max(n_in, n),    (orthogonal weights)

whatever n_in is in the first case (Hanin & Nica 2018); F are the first n columns of k orthonormal rows in R^m, uniform
among such: a Haar matrix takes any orthonormal basis of the span of k vectors to a uniform frame. The factor √m is that
of `gpdeep.finite.wiring`. A residual layer adds to the H before it, α H + β(...). W is independent of the past, so this
is exact too, but C alone is no longer the state: H, k x n numbers, goes with it. Layer normalisation acts on H as it
stands. The next C comes from φ by Gram-Schmidt. No square root of a nearly singular matrix is taken, so angles are
right down to the rounding of the vectors themselves, about 1e-15, instead of 1e-8 for a covariance's Cholesky factor.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation
from ..errors import DomainError
from ..gaussian.arguments import shown
from ..result import FloatArray, IntArray
from .backend import Backend, Normal
from .orthonormal import coordinates, haar_frame
from .wiring import Kind, Weights, Wiring

SMALLEST_SIN = 1e-13
"""Angles below this are lost in rounding: the Gram chain calls them not measurable."""

_SHORTEST, _LONGEST = 1e-140, 1e150  # beyond them squares of lengths, and of their digits, leave float64


@dataclass(frozen=True)
class GramLayer:
    """One hidden layer of the chain: fan-in, width, standard deviations, wiring."""

    fan_in: int
    width: int
    sigma_w: float
    sigma_b: float
    wiring: Wiring

    @property
    def drawn(self) -> int:
        """Normal numbers drawn for each input."""
        return max(self.fan_in, self.width) if self.wiring.weights is Weights.ORTHOGONAL else self.width


def gram_layers(
    fan_in: int, widths: IntArray, sigma_w: FloatArray, sigma_b: FloatArray, wirings: tuple[Wiring, ...], inputs: int
) -> list[GramLayer]:
    """The layers of a network with input dimension `fan_in`, for a chain of k = `inputs` inputs.

    Raises
    ------
    DomainError
        Orthogonal weights act on fewer dimensions than there are inputs.
    """
    sizes = [fan_in, *widths.tolist()]
    layers = [
        GramLayer(*pair, weight, bias, wiring)
        for pair, weight, bias, wiring in zip(
            itertools.pairwise(sizes), sigma_w.tolist(), sigma_b.tolist(), wirings, strict=True
        )
    ]
    for number, layer in enumerate(layers, start=1):
        if layer.wiring.weights is Weights.ORTHOGONAL and layer.fan_in < inputs:
            raise DomainError(
                f"Layer {number} has orthogonal weights, {layer.fan_in} inputs, and {inputs} vectors to act on.",
                "So many vectors cannot all be independent in so few dimensions, which the frame of an orthogonal "
                "matrix takes them to be.",
                f"Use at most {layer.fan_in} inputs, wider layers, or Gaussian weights.",
            )
    return layers


def carried_numbers(layers: list[GramLayer], inputs: int) -> int:
    """The most numbers that a sample carries from layer to layer besides its coordinates: H before residual layers."""
    return max((inputs * layer.width for layer in layers if layer.wiring.kind is Kind.RESIDUAL), default=0)


def run_gram_chain(
    start: Any, layers: list[GramLayer], phi: Callable[[Any], Any], rng: Any, backend: Backend
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
    _check_function(xp, phi, c[:1, :1, :1])
    carried: Any = None
    for number, (layer, after) in enumerate(itertools.zip_longest(layers, layers[1:]), start=1):
        next_c, counts = [], []
        added = carried if layer.wiring.kind is Kind.RESIDUAL else None
        kept = after is not None and after.wiring.kind is Kind.RESIDUAL
        if not kept:
            carried = None
        elif added is None:  # else each block is written where it was read
            carried = xp.empty((samples, inputs, layer.width), dtype=c.dtype, device=backend.device)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused after the layer
            for block, normal in zip(blocks, streams, strict=True):
                step = max(1, backend.block_elements // (layer.drawn * inputs))
                for first in range(block.start, block.stop, step):
                    rows = slice(first, min(block.stop, first + step))
                    h = pre_activations(xp, normal, c[rows], layer)
                    if added is not None:
                        h = layer.wiring.alpha * added[rows] + layer.wiring.beta * h
                    if kept:
                        carried[rows] = h
                    f = post_activations(xp, phi, h, layer.wiring)
                    on = f != 0
                    counts.append(xp.sum(xp.astype(on | on[:, :1, :], f.dtype), axis=-1))
                    next_c.append(coordinates(xp, f) / layer.width**0.5)
        c = xp.concat(next_c)
        _check_lengths(xp, c, number)
        yield c, xp.concat(counts)


def _check_function(xp: Any, phi: Any, like: Any) -> None:
    """Refuse a function of the user's that does not make an array of numbers of an array, entry by entry."""
    if isinstance(phi, Activation):
        return
    h = xp.reshape(xp.linspace(-1.0, 1.0, 12, dtype=like.dtype, device=like.device), (1, 2, 6))
    try:
        made = phi(h)
        fits = tuple(made.shape) == (1, 2, 6)
    except (TypeError, AttributeError) as error:
        raise _no_function(phi, f"fails on an array ({error})") from error
    if not fits:
        raise _no_function(phi, f"makes {shown(made, 60)} of an array of shape (1, 2, 6)")


def _no_function(phi: Any, found: str) -> DomainError:
    return DomainError(
        f"The activation {shown(phi, 60)} {found}.",
        "It is a function of a single number, a class, or one that changes the shape.",
        "Give a function of an array that acts on each entry by itself, such as numpy.tanh.",
    )


def pre_activations(xp: Any, normal: Normal, c: Any, layer: GramLayer) -> Any:
    """W φ + b for fresh weights, shape (N, k, n), from coordinates C, shape (N, k, k)."""
    samples, inputs = c.shape[0], c.shape[1]
    drawn = normal((samples, inputs, layer.drawn))
    if layer.wiring.weights is Weights.ORTHOGONAL:
        drawn = layer.drawn**0.5 * haar_frame(xp, drawn)[:, :, : layer.width]
    h = layer.sigma_w * (c @ drawn)
    if layer.sigma_b:
        h = h + layer.sigma_b * normal((samples, 1, layer.width))
    return h


def post_activations(xp: Any, phi: Callable[[Any], Any], h: Any, wiring: Wiring) -> Any:
    """φ(h), or φ of h normalised over the neurons, shape (N, k, n)."""
    if wiring.kind is Kind.LAYER_NORM:
        h = h - xp.mean(h, axis=-1, keepdims=True)
        std = xp.sqrt(xp.mean(h**2, axis=-1, keepdims=True))
        h = h / xp.where(std > 0, std, xp.ones_like(std))
    return phi(h)


def pair_of(xp: Any, c: Any, counts: Any, j: int = 1) -> tuple[Any, Any, Any, Any]:
    """ln sin² of the angle between inputs 0 and j; which pairs died, are parallel, are too close to tell; each (N,).

    Dead: all units of one of them are zero. Parallel (or antiparallel): a single unit is non-zero for either, as for
    all pairs in a layer of one neuron.
    """
    base, other = c[:, 0, 0], c[:, j, :]
    length = xp.sqrt(xp.vecdot(other, other))
    across = xp.sqrt(xp.vecdot(other[:, 1:], other[:, 1:]))
    dead = (base == 0) | (length == 0)
    parallel = ~dead & (counts[:, j] == 1)
    lost = ~dead & ~parallel & (across <= SMALLEST_SIN * length)
    ratio = xp.where(dead | parallel | lost, xp.ones_like(across), across / xp.where(length > 0, length, 1.0))
    return xp.clip(2 * xp.log(ratio), None, 0.0), dead, parallel, lost


def _check_lengths(xp: Any, c: Any, layer: int) -> None:
    """Refuse post-activations that are not finite, or so short or long that their squares leave float64."""
    size = xp.max(xp.abs(c), axis=-1)
    fine = ((size > _SHORTEST) & (size < _LONGEST)) | (size == 0)
    if not bool(xp.all(fine)):
        bad = size[~fine]
        raise DomainError(
            f"After layer {layer} a vector of activations has length {float(bad[0]):.3g}·√n.",
            "The variances let lengths grow or shrink from layer to layer until they leave float64, or the activation "
            "gives NaN or infinity there.",
            "Use a sigma_w and residual coefficients that keep the variance, or fewer layers.",
        )
