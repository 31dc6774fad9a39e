r"""What random networks of finite width show layer by layer: angles, variances, zeros, gradients, by their exact law.

    ã = (σ_w φ(u)/√n_l, σ_b),   f = G ã,   h^{l+1} = f  or  α h^l + β f,   u = h^{l+1}  or  (h^{l+1} - mean)/std

Forward it is the Gram chain of `gpdeep.finite.gram_chain` for several inputs at once: given the past, f is normal with
the Gram matrix of the ã for covariance, and residual and normalised layers do with it what they do in a network.
Backward, `gpdeep.finite.gradient_chain` takes the gradient of the first input through the same weights. No weight
matrix is drawn, and nothing is approximated: what is measured on a real network has the law of a sample. (The gradient
is drawn given the way of its own input: together with those of other inputs, in one network, it has not their joint
law.)

Assumptions: dense layers, plain, residual or normalised, with Gaussian weights N(0, σ_w²/fan-in) and biases N(0, σ_b²).
Hanin & Nica (2018), arXiv:1812.05994, for the chain; the backward step is derived in `gpdeep.finite.gradient_chain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError
from ..gaussian.arguments import whole
from ..result import FloatArray
from .backend import Backend
from .checks import check_sigmas, check_widths
from .gradient_chain import Way, log_gradients, normalised
from .gram import weight_sigma
from .gram_chain import GramLayer, gram_layers, pre_activations
from .orthonormal import coordinates
from .wiring import Kind, Weights, Wiring, is_plain, layer_wirings

_NUMBERS = 4_000_000  # of a block of networks
STATISTICS = ("log_sin2", "variance", "sparsity", "log_grad_norm2")


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """One row for each network, one column for each hidden layer.

    Attributes
    ----------
    log_sin2 : array (N, L)
        Mean over pairs of ln sin² of the angle between the φ of a pair; -inf or NaN once one collapsed or died.
    variance : array (N, L)
        Mean over inputs of |h^l|²/n_l: of what normalisation is given, where there is one.
    sparsity : array (N, L)
        Share of exact zeros after φ, over inputs.
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
    phi: str | Activation | Sequence[str | Activation] = "relu",
    sigma_w: Any = None,
    sigma_b: Any = 0.0,
    wiring: Wiring | Sequence[Wiring] | None = None,
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
    phi : str, Activation, or sequence of L of them
        Layers whose channels differ have a `Mixture`.
    sigma_w, sigma_b : float or sequence of float, shape (L,)
        As in `sample_gram`; the output layer has those of the last hidden layer. With an activation for each layer
        σ_w has no default.
    wiring : Wiring or sequence of Wiring, shape (L,), optional
        As in `sample_gram`, with Gaussian weights.
    n_samples : int
        N.
    rng : int, SeedSequence or Generator

    Returns
    -------
    LayerStatistics

    Raises
    ------
    DomainError
        The number of inputs is odd, weights are orthogonal, or another argument is out of range.

    Notes
    -----
    Cost: 2P n_l normal numbers a network and layer, and n_l for the gradient of one input.

    Examples
    --------
    A He network keeps its variance and its gradient, whose logarithm falls by Jensen's inequality only:

    >>> import numpy as np
    >>> found = layer_statistics(np.eye(2) * 2**0.5, [500] * 4, 10, n_samples=500)
    >>> found.variance.mean(axis=0).round(1).tolist(), found.sparsity.mean(axis=0).round(1).tolist()
    ([2.0, 2.0, 2.0, 2.0], [0.5, 0.5, 0.5, 0.5])
    >>> bool(np.ptp(found.log_grad_norm2.mean(axis=0)) < 0.1)
    True

    A residual layer adds β² σ_w²/2 of the variance before it to that:

    >>> found = layer_statistics(np.eye(2), [500] * 3, 10, wiring=Wiring("res", beta=0.5), n_samples=500)
    >>> found.variance.mean(axis=0).round(1).tolist()
    [1.0, 1.2, 1.6]
    """
    x = np.asarray(inputs, dtype=float)
    if x.ndim != 2 or not x.size or len(x) % 2 or not np.isfinite(x).all():
        raise DomainError(
            f"inputs has the shape {x.shape}.",
            "Rows 0 and 1 are a pair, rows 2 and 3, and so on; a row is an input, all numbers are finite.",
            "Give an even number of rows.",
        )
    hidden = check_widths(widths)
    phis = _activations(phi, len(hidden))
    samples = whole("n_samples", n_samples, 1, 10**9)
    outgoing = whole("outputs", outputs, 1, 10**6)
    weights = check_sigmas("sigma_w", _weights(phis, sigma_w), len(hidden), positive=True)
    biases = check_sigmas("sigma_b", sigma_b, len(hidden))
    wirings = layer_wirings(wiring, hidden)
    if any(wired.weights is not Weights.GAUSSIAN for wired in wirings):
        raise DomainError(
            "A layer has orthogonal weights.",
            "The step of the gradient backward is that of Gaussian weights, whose directions are independent.",
            "Use Gaussian weights, or gpdeep.finite.sample_gram, which has no gradients.",
        )
    layers = gram_layers(x.shape[1], hidden, weights, biases, wirings, len(x))
    last = GramLayer(int(hidden[-1]), outgoing, float(weights[-1]), float(biases[-1]), Wiring())
    kept = 2 if is_plain(wirings) else 4
    at_once = max(1, int(_NUMBERS // (len(x) * hidden.max() + kept * hidden.sum())))
    parts = -(-samples // at_once)
    streams = Backend.of().streams(rng, parts, "statistics")
    found = []
    for k, normal in enumerate(streams):
        count = min(at_once, samples - k * at_once)
        found.append(_block(x, layers, last, phis, count, normal))
    return LayerStatistics(*(np.concatenate([part[i] for part in found]) for i in range(len(STATISTICS))))


def _activations(phi: Any, depth: int) -> list[Activation]:
    """The activation of each layer."""
    found = [activation(phi)] * depth if isinstance(phi, (str, Activation)) else [activation(one) for one in phi]
    if len(found) != depth:
        raise DomainError(
            f"There are {len(found)} activations for {depth} hidden layers.",
            "A list of activations has one for each hidden layer.",
            f"Give one activation, or {depth}.",
        )
    return found


def _weights(phis: list[Activation], sigma_w: Any) -> Any:
    """`sigma_w`, or the value that keeps the variance with the one activation of all layers."""
    if sigma_w is None and any(phi != phis[0] for phi in phis):
        raise DomainError(
            "sigma_w is missing.",
            "Layers have different activations: no one value keeps the variance in all of them.",
            "Give sigma_w, the standard deviation of the weights times the square root of the fan-in; He's is √2.",
        )
    return weight_sigma(phis[0], sigma_w)


def _block(
    x: FloatArray, layers: list[GramLayer], last: GramLayer, phis: list[Activation], count: int, normal: Any
) -> tuple[FloatArray, ...]:
    """The four statistics of `count` networks."""
    c = np.broadcast_to(coordinates(np, x[None]) / np.sqrt(x.shape[1]), (count, len(x), len(x)))
    log_sin2, variance, sparsity = (np.empty((count, len(layers))) for _ in range(3))
    ways: list[Way] = []
    h = np.empty(0)
    with np.errstate(all="ignore"):  # dead and collapsed pairs are infinite or NaN
        for k, (layer, phi) in enumerate(zip(layers, phis, strict=True)):
            wiring = layer.wiring
            f = pre_activations(np, normal, c, layer)
            h = wiring.alpha * h + wiring.beta * f if wiring.kind is Kind.RESIDUAL else f
            u, std = normalised(h) if wiring.kind is Kind.LAYER_NORM else (h, None)
            a = np.asarray(phi(u))
            variance[:, k] = (h**2).mean(axis=(1, 2))
            sparsity[:, k] = (a == 0).mean(axis=(1, 2))
            log_sin2[:, k] = _log_sin2(a[:, ::2], a[:, 1::2]).mean(axis=1)
            ways.append(_first(f, u, a, std))
            c = coordinates(np, a / np.sqrt(layer.width))
        return log_sin2, variance, sparsity, log_gradients(ways, layers, last, phis, normal)


def _first(f: FloatArray, u: FloatArray, a: FloatArray, std: FloatArray | None) -> Way:
    """The way of the first input, apart from the others'."""
    own = f[:, 0].copy()
    return Way(own, own if u is f else u[:, 0].copy(), a[:, 0].copy(), None if std is None else std[:, 0].copy())


def _log_sin2(u: FloatArray, v: FloatArray) -> FloatArray:
    """ln sin² of the angles between vectors along the last axis."""
    u, v = (w / np.linalg.norm(w, axis=-1, keepdims=True) for w in (u, v))
    product = np.linalg.norm(u - v, axis=-1) * np.linalg.norm(u + v, axis=-1) / 2
    return np.asarray(np.minimum(2 * np.log(product), 0.0))  # rounding may leave a sine of 1 + 2e-16
