r"""The exact chain of two inputs through layers whose channels have slopes of their own, by sampling.

Per channel, with u = g and v = c g + s ζ the pre-activations, c and s cosine and sine of θ, and g, ζ ~ N(0, 1),

    h = φ_a(g),      w = (φ_a(v) - c φ_a(g))/s = a ζ + (1 - a) max( ζ + κ min(g, 0), -κ max(g, 0) ),      κ = c/s,

and with the sums A = |h|², D = h·w and the residual r = w - (D/A) h over the n channels, exactly

    ln sin²θ' = ln sin²θ + ln |r|² - ln B,      B = |c h + s w|²,      cos θ' = (c A + s D)/√(A B).

This is the frame of `gpdeep.finite.frame`, which takes one activation a layer, for one slope a channel. It holds at
every width and angle, 1e-150 included; the error is that of sampling.

*Events.* Channels of slope 0 fall silent. If an input has no live channel the pair is dead; if one channel alone is
live, and for both, it is parallel from there on; these pairs are left out. They are counted in layers with fewer than
two channels of another slope; in all others neither can happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..finite.backend import Backend, Normal, require_memory
from ..finite.chain import MEMORY_BUDGET
from ..result import BoolArray, FloatArray
from .fisher_grid import Layer

_STEEPEST = 1e100
_ELEMENTS = 2**16


@dataclass(frozen=True)
class SampledLaw:
    """Mean and standard deviation of ln sin² after each layer given survival, and P(survival): shape (L,) each.

    `x`: ln sin² of the pairs that survive all layers.
    """

    mean: FloatArray
    std: FloatArray
    survival: FloatArray
    x: FloatArray


def sample_chain(theta0: float, layers: Sequence[Layer], n_samples: int, rng: int | np.random.Generator) -> SampledLaw:
    """N pairs of inputs at the angle θ_0 through independent networks."""
    require_memory(8 * n_samples, MEMORY_BUDGET, f"The state of {n_samples} sampled networks")
    cos, log_sin = np.full(n_samples, np.cos(theta0)), np.full(n_samples, np.log(np.sin(theta0)))
    alive = np.ones(n_samples, bool)
    backend = Backend.of()
    blocks = backend.blocks(n_samples)
    streams = backend.streams(rng, len(blocks), "slopes")
    columns = []
    for n, slopes, counts in layers:
        a = np.repeat(slopes, counts)
        rows = max(1, _ELEMENTS // n)
        for block, normal in zip(blocks, streams, strict=True):
            for first in range(block.start, block.stop, rows):
                part = slice(first, min(block.stop, first + rows))
                cos[part], log_sin[part], survives = _step(normal, cos[part], log_sin[part], a)
                alive[part] &= survives
        x = 2 * log_sin[alive]
        moments = (x.mean(), x.std()) if x.size else (np.nan, np.nan)
        columns.append((*moments, alive.mean()))
    mean, std, survival = np.array(columns).T
    return SampledLaw(mean, std, survival, x)


def _step(
    normal: Normal, cos: FloatArray, log_sin: FloatArray, a: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """The next cosines and ln sines of pairs, shape (N,), through channels of slopes `a`, and which pairs survive."""
    c, s = cos[:, None], np.exp(log_sin)[:, None]
    kappa = np.clip(c / np.maximum(s, 1 / _STEEPEST), -_STEEPEST, _STEEPEST)
    g, zeta = normal((len(cos), a.size)), normal((len(cos), a.size))
    up = np.maximum(g, 0.0)
    ramp = np.maximum(zeta + kappa * (g - up), -kappa * up)
    h, w = a * g + (1 - a) * up, a * zeta + (1 - a) * ramp
    aa, hw = (h * h).sum(axis=1), (h * w).sum(axis=1)
    bb = ((c * h + s * w) ** 2).sum(axis=1)
    survives = np.ones(len(cos), bool)
    if np.count_nonzero(a) < 2:
        base, other = (a != 0) | (g > 0), (a != 0) | (ramp > -kappa * up)
        dead = ~base.any(axis=1) | ~other.any(axis=1)
        survives = ~dead & ((base | other).sum(axis=1) > 1)
    residual = w - (hw / np.where(aa > 0, aa, 1.0))[:, None] * h
    rr = (residual**2).sum(axis=1)
    survives &= (aa > 0) & (bb > 0) & (rr > 0)
    aa, bb, rr = (np.where(survives, value, 1.0) for value in (aa, bb, rr))
    next_cos = np.clip((c[:, 0] * aa + s[:, 0] * hw) / np.sqrt(aa * bb), -1.0, 1.0)
    next_log = np.minimum(log_sin + (np.log(rr) - np.log(bb)) / 2, 0.0)
    return np.where(survives, next_cos, 0.0), np.where(survives, next_log, 0.0), survives
