r"""The gradient of one input, backward through the weights that its way forward has already seen.

    h^{l+1} = α h^l + β f,    f = W a + b,    a = φ(u),    u = h^l, or (h^l - mean)/s where the layer is normalised
    g^l = α g^{l+1} + J(φ'(u) β Wᵀ g^{l+1}),      J(δ) = δ, or (δ - mean δ - u mean(u δ))/s

with g^l = ∂(v·y)/∂h^l; a plain layer has α = 0, β = 1, and J is the transposed derivative of the normalisation. Of
these only Wᵀg needs a law. The rows of G = (√n W/σ_w, b/σ_b) are iid standard normal, f is G ã with
ã = (σ_w a/√n, σ_b), and

    G = f ãᵀ/|ã|² + G P,    P = 1 - ããᵀ/|ã|²,    G P independent of f.

The way forward depends on G through f alone, and g^{l+1} on the way forward and on later weights: neither on G P. So

    Wᵀg = (σ_w/√n) [ã (f·g)/|ã|² + |g| P ξ]_W,      ξ standard normal, [.]_W all but the entry of the bias,

has the law that it has in a network with weight matrices, given its way forward; of the output layer's weights nothing
is known, and Wᵀv = (σ_w/√n) |v| ξ. Nothing else is random, whatever the wiring.

Assumptions: Gaussian weights N(0, σ_w²/fan-in), biases N(0, σ_b²). Derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation
from ..result import FloatArray
from .gram_chain import GramLayer
from .wiring import Kind


@dataclass(frozen=True)
class Way:
    """What one input of N networks left behind at a hidden layer, each of shape (N, n).

    Attributes
    ----------
    f : W a + b of the layer before
    u : what φ is given
    a : φ(u)
    std : s of shape (N, 1) where the layer is normalised, else None
    """

    f: FloatArray
    u: FloatArray
    a: FloatArray
    std: FloatArray | None


def normalised(h: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(h - mean)/s over the last axis, and s, with 1 for the s of equal entries."""
    u = h - h.mean(axis=-1, keepdims=True)
    std = np.sqrt((u**2).mean(axis=-1, keepdims=True))
    std = np.where(std > 0, std, 1.0)
    return u / std, std


def log_gradients(
    ways: Sequence[Way], layers: Sequence[GramLayer], last: GramLayer, phis: Sequence[Activation], normal: Any
) -> FloatArray:
    """ln |g^l|², shape (N, L), of networks whose outputs nobody has looked at."""
    count = len(ways[0].u)
    found = np.empty((count, len(layers)))
    v = normal((count, last.width))
    scale = last.sigma_w / np.sqrt(last.fan_in) * np.linalg.norm(v, axis=1, keepdims=True)
    back = scale * normal((count, last.fan_in))  # ∂(v·y)/∂a
    past: FloatArray | None = None  # what goes past the layer, by a skip
    for k in range(len(layers) - 1, -1, -1):
        way, wiring = ways[k], layers[k].wiring
        g = _before_normalisation(back * np.asarray(phis[k].derivative(way.u)), way)
        g = g if past is None else past + g
        found[:, k] = np.log((g**2).sum(axis=1))
        if k:
            back = _through(ways[k - 1].a, way.f, g, layers[k], normal)
            past = None
            if wiring.kind is Kind.RESIDUAL:
                back, past = wiring.beta * back, wiring.alpha * g
    return found


def _before_normalisation(delta: FloatArray, way: Way) -> FloatArray:
    """J(δ)."""
    if way.std is None:
        return delta
    along = way.u * (way.u * delta).mean(axis=1, keepdims=True)
    found: FloatArray = (delta - delta.mean(axis=1, keepdims=True) - along) / way.std
    return found


def _through(a: FloatArray, f: FloatArray, g: FloatArray, layer: GramLayer, normal: Any) -> FloatArray:
    """Wᵀg given that W and b made f of a."""
    root = layer.sigma_w / np.sqrt(layer.fan_in)
    known = np.concatenate([root * a, np.full((len(a), 1), layer.sigma_b)], axis=1)
    square = (known**2).sum(axis=1, keepdims=True)
    square = np.where(square > 0, square, 1.0)  # a dead input: nothing is known
    fresh = normal(known.shape)
    fresh = fresh - known * ((known * fresh).sum(axis=1, keepdims=True) / square)
    length = np.linalg.norm(g, axis=1, keepdims=True)
    along = (f * g).sum(axis=1, keepdims=True) / square
    return np.asarray(root * (known * along + length * fresh)[:, :-1])
