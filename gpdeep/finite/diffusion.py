r"""The diffusion limit: n → ∞ and L → ∞ with L/n fixed.

    dθ = -θ²/(3π) dl + θ √(2/n) dB,        t = Σ 1/n,    u = nθ/(3π):    du = -u² dt + √2 u dB.

Leading order in 1/n and in θ; one curve for all networks. From θ₀ = O(1) (u₀ = ∞), 1/u_t has the law of ∫₀ᵗ exp(√2 B_r
+ r) dr, so exactly

    E[1/u_t] = e^{2t}/u₀ + (e^{2t} - 1)/2,

and ln u has mean -ln t - 2t/3 and variance 2t/3 for small t, slopes -1 and 2 for large t.

Here each layer is one exact step of the deterministic flow, θ → θ/(1 + θ/(3π)), followed by a log-normal factor
exp(-1/n + √(2/n) ξ): exact in the limit, and for layers of different widths. Li & Nica (2023), arXiv 2310.12079, prove
the limit; the coordinates are ours. Validity: widths ≥ 64 and small angles; within O(1/n) and O(θ) elsewhere.
"""

from __future__ import annotations

import numpy as np

from .events import EventProbabilities
from .one_layer import Angles, Rule, normal_rule

_WIDEST = np.pi / 2 - 1e-3  # the limit knows no right angle: angles beyond are set to it


def diffusion_layer(angles: Angles, n: int, spacing: float) -> Rule:
    """One layer of the diffusion limit, for `gpdeep.finite.grid.propagate`."""
    small = angles.theta < 1e-6
    log_theta = np.where(small, angles.log_sin2 / 2, np.log(np.maximum(angles.theta, 1e-6)))
    drifted = log_theta - np.log1p(angles.theta / (3 * np.pi)) - 1 / n
    moved, weight = normal_rule(drifted, np.sqrt(2 / n))
    theta = np.minimum(np.exp(np.minimum(moved, 0.5)), _WIDEST)
    y = np.where(theta < 1e-6, 2 * moved, 2 * np.log(np.tan(np.maximum(theta, 1e-6))))
    nothing = np.zeros_like(log_theta)
    events = EventProbabilities(nothing, nothing, nothing)
    return Rule(y, weight, events, np.stack([nothing, nothing]))
