r"""Joint cumulants of what one channel adds to the Gram matrix of two inputs, in the frame of the first.

With u = g, v = c g + s z the two pre-activations, c = cos θ, s = sin θ, and φ_a the channel's activation, put

    h = φ_a(u),      w = (φ_a(v) - c φ_a(u))/s,

which stay O(1) as θ → 0, and, with the layer's means A₀ = E h², λ = E[hw]/A₀, E₀ = E w² - λ E[hw] over all channels,

    h̃ = h/√A₀,      w̃ = (w - λh)/√E₀.

This file gives the cumulants of (h̃², h̃w̃, w̃²), averaged over the channels of the layer: of each slope by itself, then
weighted by its share, since the channels are independent and the number with each slope is fixed.

*Moments.* (g, z) = ρ (cos p, sin p) with a Rayleigh radius, E ρ^{2d} = 2^d d!, and a uniform angle. φ_a has a different
slope for each input on four arcs,

    p from θ - π/2 to π/2:       h = cos p,     w = sin p              (both positive; both negative: a times these)
    p = q - π/2, q from 0 to θ:  h = sin q,     w = -a cos q - (1 - a) c sin q/s
    p = q + π/2, q from 0 to θ:  h = -a sin q,  w = cos q - (1 - a) c sin q/s

on each of which a trigonometric polynomial of degree up to 4P is summed by Gauss-Legendre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..result import FloatArray
from .triple_series import DEGREE, DEGREES, FACTORIALS, MONOMIALS, logarithm

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(2 * DEGREE + 8)
_SLOPES_AT_ONCE = 4


@dataclass(frozen=True)
class NeuronCumulants:
    """What one layer's channels do on average at T angles.

    `cos`, `sin`: of the next angle at infinite width, shape (T,). `cumulants`: coefficients of the generating function
    of (h̃², h̃w̃, w̃²), averaged over channels, shape (M, T).
    """

    cos: FloatArray
    sin: FloatArray
    cumulants: FloatArray


def neuron_cumulants(z: FloatArray, slopes: FloatArray, shares: FloatArray) -> NeuronCumulants:
    """The averages for slopes of shape (S,) and their shares (S,) at the angles θ = 2 arctan e^-z, z of shape (T,)."""
    second = sum(
        share * _second_moments(z, slope) for slope, share in zip(slopes.tolist(), shares.tolist(), strict=True)
    )
    hh, hw, ww = np.asarray(second)
    along = hw / hh
    across = ww - along * hw
    c, s = np.tanh(z), 1 / np.cosh(z)
    cosine, sine = (c + s * along) * np.sqrt(hh), s * np.sqrt(across)
    length = np.hypot(cosine, sine)
    total = np.zeros((len(MONOMIALS), len(z)))
    for first in range(0, len(slopes), _SLOPES_AT_ONCE):
        block = slice(first, first + _SLOPES_AT_ONCE)
        moments = _moments(z, slopes[block], hh, along, across)
        total += np.einsum("mst,s->mt", logarithm(moments), shares[block])
    return NeuronCumulants(cosine / length, sine / length, total)


def _arcs(z: FloatArray, a: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """h and w at radius one, and the weights of the angle, for slopes of shape (S,): shape (4 Q, S, T)."""
    theta, rest = (2 * np.arctan(np.exp(sign * z))[None, None] for sign in (-1, 1))
    a = a[None, :, None]
    node, weight = (_NODE[:, None, None] + 1) / 2, _WEIGHT[:, None, None] / (4 * np.pi)
    lean = np.sinh(z)[None, None]  # c/s
    # from the middle of the arc, which is θ/2: its ends are where one of the inputs is 0
    p = theta / 2 + rest * (node - 0.5)
    q = theta * node
    cos_p, sin_p, cos_q, sin_q = np.cos(p), np.sin(p), np.cos(q), np.sin(q)
    one = np.ones_like(a)
    across = (1 - a) * lean * sin_q
    h = [one * cos_p, a * cos_p, one * sin_q, -a * sin_q]
    w = [one * sin_p, a * sin_p, -a * cos_q - across, cos_q - across]
    measure = [one * weight * rest] * 2 + [one * weight * theta] * 2
    return np.concatenate(h), np.concatenate(w), np.concatenate(measure)


def _second_moments(z: FloatArray, slope: float) -> FloatArray:
    """E h², E hw, E w² of a channel, shape (3, T)."""
    h, w, measure = _arcs(z, np.array([slope]))
    return np.stack([2 * (measure * pair).sum(axis=(0, 1)) for pair in (h * h, h * w, w * w)])


def _moments(z: FloatArray, a: FloatArray, hh: FloatArray, along: FloatArray, across: FloatArray) -> FloatArray:
    """E[h̃^{2i+j} w̃^{j+2k}]/(i! j! k!) of each slope, shape (M, S, T)."""
    h, w, measure = _arcs(z, a)
    w = (w - along * h) / np.sqrt(across)
    h = h / np.sqrt(hh)
    powers_h, powers_w = [measure], [np.ones_like(w)]
    for _ in range(2 * DEGREE):
        powers_h.append(powers_h[-1] * h)
        powers_w.append(powers_w[-1] * w)
    known: dict[tuple[int, int], FloatArray] = {}
    moments = np.empty((len(MONOMIALS), len(a), len(z)))
    for index, (i, j, k) in enumerate(MONOMIALS):
        key = (2 * i + j, j + 2 * k)
        if key not in known:
            radius = 2.0 ** DEGREES[index] * math.factorial(int(DEGREES[index]))
            known[key] = radius * np.einsum("qst,qst->st", powers_h[key[0]], powers_w[key[1]])
        moments[index] = known[key] / FACTORIALS[index]
    moments[0] = 1.0
    return moments
