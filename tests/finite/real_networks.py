"""Networks as anyone would write them: weight matrices drawn, inputs multiplied through. Shares no code with gpdeep."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

ELEMENTS = 2**21


class Real(NamedTuple):
    """N networks: post-activations of the last layer, (N, k, n_L), and what happened on the way.

    `dead`, (N, k): if an input had no active neuron in some layer. `parallel`: if in some layer one neuron only
    was active for inputs 0 and 1, and for both. `joint`: whether they share an active neuron in the last layer.
    """

    activity: np.ndarray
    dead: np.ndarray
    parallel: np.ndarray
    joint: np.ndarray


def slopes(negative, positive=1.0):
    """φ with two slopes."""
    return lambda x: np.where(x > 0, positive * x, negative * x)


def draw(inputs, widths, phi, *, n_samples, seed, sigma_w2=2.0, sigma_b2=0.0):
    """Run `n_samples` networks, W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²), on `inputs`, shape (k, d)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    x = np.asarray(inputs, dtype=float)
    sizes = [x.shape[1], *widths]
    largest = max(a * b for a, b in pairwise(sizes))
    batch = max(1, min(n_samples, ELEMENTS // largest))
    parts = []
    for first in range(0, n_samples, batch):
        rows = min(batch, n_samples - first)
        h = np.broadcast_to(x, (rows, *x.shape))
        dead, parallel = np.zeros((rows, len(x)), bool), np.zeros(rows, bool)
        for fan_in, width in pairwise(sizes):
            weights = rng.standard_normal((rows, fan_in, width)) * np.sqrt(sigma_w2 / fan_in)
            bias = rng.standard_normal((rows, 1, width)) * np.sqrt(sigma_b2)
            h = phi(h @ weights + bias)
            on = h != 0
            dead |= ~on.any(axis=2)
            one, two = on[:, 0], on[:, min(1, len(x) - 1)]
            joint = (one & two).any(axis=1)
            parallel |= joint & ((one | two).sum(axis=1) == 1)
        parts.append((h, dead, parallel, joint))
    return Real(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def log_sin2(u, v):
    """ln sin² of the angle between vectors, by Kahan's half-angle form."""
    a, b = (w / np.linalg.norm(w, axis=-1, keepdims=True) for w in (u, v))
    half = np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return 2 * np.log(np.sin(2 * half))


def pair(theta0, dimension=7):
    """Two inputs of different lengths at the angle θ₀."""
    x = np.zeros((2, dimension))
    x[0, 0] = 3.0
    x[1, :2] = 0.5 * np.cos(theta0), 0.5 * np.sin(theta0)
    return x


def pair_angles(theta0, widths, phi, **options):
    """ln sin²θ_L of the surviving pairs, and the fractions dead, collapsed and orthogonal (after the last layer)."""
    real = draw(pair(theta0), widths, phi, **options)
    dead = real.dead.any(axis=1)
    collapsed = real.parallel & ~dead
    # a pair that collapsed cannot be told from rounding, and may die later: it counts as collapsed, as it did first
    collapsed_first = real.parallel & dead
    alive = ~(dead | real.parallel)
    x = np.where(real.joint[alive], log_sin2(real.activity[alive, 0], real.activity[alive, 1]), 0.0)
    return x, dead & ~collapsed_first, collapsed | collapsed_first, alive & ~real.joint
