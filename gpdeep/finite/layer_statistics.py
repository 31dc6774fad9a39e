r"""What random networks of finite width show layer by layer: angles, variances, zeros, gradients, by their exact law.

    G ã = h,   ã = (σ_w φ(h^l)/√n_l, σ_b),   h = h^{l+1},   G iid normal          given the past, so that
    Wᵀδ = (σ_w/√n_l) [ã (h·δ)/|ã|² + |δ| P ξ]_W,    P = 1 - ããᵀ/|ã|²,   ξ normal

The first line is the Gram chain, forward, for several inputs at once; the second the gradient of one of them backward
through the same weights: what G does along ã is known from the way forward, all else is fresh. No weight matrix is
drawn, and nothing is approximated: a sample has the joint law of what is measured on a real network.

Assumptions: plain dense layers with Gaussian weights N(0, σ_w²/fan-in) and biases N(0, σ_b²).
Hanin & Nica (2018), arXiv:1812.05994, for the chain; the backward step is derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError
from ..result import FloatArray
from .backend import Backend
from .checks import check_integer, check_sigmas, check_widths
from .gram import weight_sigma
from .gram_chain import GramLayer, gram_layers, pre_activations
from .orthonormal import coordinates
from .wiring import Wiring, layer_wirings

_NUMBERS = 4_000_000  # of a block of networks
STATISTICS = ("log_sin2", "variance", "sparsity", "log_grad_norm2")


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """One row for each network, one column for each hidden layer.

    Attributes
    ----------
    log_sin2 : array (N, L)
        Mean over pairs of ln sin² of the angle between the φ(h^l) of a pair; -inf or NaN once one collapsed or died.
    variance : array (N, L)
        Mean over inputs of |h^l|²/n_l.
    sparsity : array (N, L)
        Share of exact zeros of φ(h^l), over inputs.
    log_grad_norm2 : array (N, L)
        ln |∂(v·y)/∂h^l|² at the first input, y the outputs and v standard normal.
    """

    log_sin2: FloatArray
    variance: FloatArray
    sparsity: FloatArray
    log_grad_norm2: FloatArray


def layer_statistics(
    inputs: Any,
    widths: Any,
    outputs: int,
    *,
    phi: str | Activation = "relu",
    sigma_w: Any = None,
    sigma_b: Any = 0.0,
    n_samples: int = 1000,
    rng: Any = 0,
) -> LayerStatistics:
    """Draw what N random networks show on given inputs, hidden layer by hidden layer.

    Parameters
    ----------
    inputs : array_like, shape (2P, d)
        P pairs: rows 0 and 1, rows 2 and 3, ...
    widths : sequence of int, shape (L,)
        Hidden widths.
    outputs : int
        Number of outputs.
    phi : str or Activation
    sigma_w, sigma_b : float or sequence of float, shape (L,)
        As in `sample_gram`; the output layer has those of the last hidden layer.
    n_samples : int
        N.
    rng : int, SeedSequence or Generator

    Returns
    -------
    LayerStatistics

    Raises
    ------
    DomainError
        The number of inputs is odd, or another argument is out of range.

    Notes
    -----
    Cost: 2P n_l normal numbers a network and layer, and as many again for the gradient of one input.

    Examples
    --------
    A He network keeps its variance and its gradient, whose logarithm falls by Jensen's inequality only:

    >>> import numpy as np
    >>> found = layer_statistics(np.eye(2) * 2**0.5, [500] * 4, 10, n_samples=500)
    >>> found.variance.mean(axis=0).round(1).tolist(), found.sparsity.mean(axis=0).round(1).tolist()
    ([2.0, 2.0, 2.0, 2.0], [0.5, 0.5, 0.5, 0.5])
    >>> bool(np.ptp(found.log_grad_norm2.mean(axis=0)) < 0.1)
    True
    """
    x = np.asarray(inputs, dtype=float)
    if x.ndim != 2 or not x.size or len(x) % 2 or not np.isfinite(x).all():
        raise DomainError(
            f"inputs has the shape {x.shape}.",
            "Rows 0 and 1 are a pair, rows 2 and 3, and so on; a row is an input, all numbers are finite.",
            "Give an even number of rows.",
        )
    hidden = check_widths(widths)
    function = activation(phi)
    samples = check_integer("n_samples", n_samples, 1, 10**9)
    outgoing = check_integer("outputs", outputs, 1, 10**6)
    weights = check_sigmas("sigma_w", weight_sigma(function, sigma_w), len(hidden), positive=True)
    biases = check_sigmas("sigma_b", sigma_b, len(hidden))
    layers = gram_layers(x.shape[1], hidden, weights, biases, layer_wirings(Wiring(), hidden), len(x))
    last = GramLayer(int(hidden[-1]), outgoing, float(weights[-1]), float(biases[-1]), layers[-1].wiring)
    at_once = max(1, int(_NUMBERS // (len(x) * hidden.max() + 2 * hidden.sum())))
    parts = -(-samples // at_once)
    streams = Backend.of().streams(rng, parts, "statistics")
    found = []
    for k, normal in enumerate(streams):
        count = min(at_once, samples - k * at_once)
        found.append(_block(x, layers, last, function, count, normal))
    return LayerStatistics(*(np.concatenate([part[i] for part in found]) for i in range(len(STATISTICS))))


def _block(
    x: FloatArray, layers: list[GramLayer], last: GramLayer, phi: Activation, count: int, normal: Any
) -> tuple[FloatArray, ...]:
    """The four statistics of `count` networks."""
    c = np.broadcast_to(coordinates(np, x[None]) / np.sqrt(x.shape[1]), (count, len(x), len(x)))
    log_sin2, variance, sparsity = (np.empty((count, len(layers))) for _ in range(3))
    ways: list[tuple[FloatArray, FloatArray]] = []
    with np.errstate(all="ignore"):  # dead and collapsed pairs are infinite or NaN
        for k, layer in enumerate(layers):
            h = pre_activations(np, normal, c, layer)
            a = np.asarray(phi(h))
            variance[:, k] = (h**2).mean(axis=(1, 2))
            sparsity[:, k] = (a == 0).mean(axis=(1, 2))
            log_sin2[:, k] = _log_sin2(a[:, ::2], a[:, 1::2]).mean(axis=1)
            ways.append((h[:, 0].copy(), a[:, 0].copy()))
            c = coordinates(np, a / np.sqrt(layer.width))
        return log_sin2, variance, sparsity, _gradients(ways, layers, last, phi, normal)


def _log_sin2(u: FloatArray, v: FloatArray) -> FloatArray:
    """ln sin² of the angles between vectors along the last axis."""
    u, v = (w / np.linalg.norm(w, axis=-1, keepdims=True) for w in (u, v))
    product = np.linalg.norm(u - v, axis=-1) * np.linalg.norm(u + v, axis=-1) / 2
    return np.asarray(2 * np.log(product))


def _gradients(
    ways: list[tuple[FloatArray, FloatArray]], layers: list[GramLayer], last: GramLayer, phi: Activation, normal: Any
) -> FloatArray:
    """ln |∂(v·y)/∂h^l|² from the pre- and post-activations of one input."""
    count = len(ways[0][0])
    found = np.empty((count, len(layers)))
    v = normal((count, last.width))
    scale = last.sigma_w / np.sqrt(last.fan_in) * np.linalg.norm(v, axis=1, keepdims=True)
    back = scale * normal((count, last.fan_in))  # outputs are not looked at: W is fresh in every direction
    for k in range(len(layers) - 1, -1, -1):
        h, _ = ways[k]
        delta = back * np.asarray(phi.derivative(h))
        found[:, k] = np.log((delta**2).sum(axis=1))
        if k:
            back = _through(ways[k - 1][1], h, delta, layers[k], normal)
    return found


def _through(a: FloatArray, h: FloatArray, delta: FloatArray, layer: GramLayer, normal: Any) -> FloatArray:
    """Wᵀδ given that W and b made h of a."""
    root = layer.sigma_w / np.sqrt(layer.fan_in)
    known = np.concatenate([root * a, np.full((len(a), 1), layer.sigma_b)], axis=1)
    square = (known**2).sum(axis=1, keepdims=True)
    square = np.where(square > 0, square, 1.0)  # a dead input: nothing is known
    fresh = normal(known.shape)
    fresh = fresh - known * ((known * fresh).sum(axis=1, keepdims=True) / square)
    length = np.linalg.norm(delta, axis=1, keepdims=True)
    along = (h * delta).sum(axis=1, keepdims=True) / square
    return np.asarray(root * (known * along + length * fresh)[:, :-1])
