"""Random networks with residual, normalised and orthogonal layers as anyone would write them. No code of gpdeep."""

from itertools import pairwise

import numpy as np
from scipy.special import ndtr
from scipy.stats import ks_2samp

BATCH = 2**21


def gelu(x):
    return x * ndtr(x)


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def gaussian_matrices(rng, samples, fan_in, width):
    """W ~ N(0, 1/n_in), shape (N, n_in, n)."""
    return rng.standard_normal((samples, fan_in, width)) / np.sqrt(fan_in)


def orthogonal_matrices(rng, samples, fan_in, width):
    """Corners of Haar matrices with E W² = 1/n_in: the QR factor of a Gaussian matrix, its signs set right."""
    size = max(fan_in, width)
    q, r = np.linalg.qr(rng.standard_normal((samples, size, size)))
    haar = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    return haar[:, :fan_in, :width] * np.sqrt(size / fan_in)


def forward(
    inputs,
    widths,
    phi,
    *,
    n_samples,
    seed,
    sigma_w=1.0,
    sigma_b=0.0,
    kind="dense",
    alpha=1.0,
    beta=1.0,
    matrices=gaussian_matrices,
):
    """Post-activations of the last layer of `n_samples` networks, shape (N, k, n_L)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    x = np.asarray(inputs, dtype=float)
    sizes = [x.shape[1], *widths]
    batch = max(1, min(n_samples, BATCH // max(a * b for a, b in pairwise(sizes))))
    parts = []
    for first in range(0, n_samples, batch):
        rows = min(batch, n_samples - first)
        active, h = np.broadcast_to(x, (rows, *x.shape)), None
        for fan_in, width in pairwise(sizes):
            branch = sigma_w * active @ matrices(rng, rows, fan_in, width)
            branch = branch + sigma_b * rng.standard_normal((rows, 1, width))
            residual = kind == "res" and h is not None and h.shape[2] == width
            h = alpha * h + beta * branch if residual else branch
            u = h
            if kind == "ln":
                u = (h - h.mean(axis=2, keepdims=True)) / h.std(axis=2, keepdims=True)
            active = phi(u)
        parts.append(active)
    return np.concatenate(parts)


def gram(activity):
    """φᵀφ/n, shape (N, k, k)."""
    return activity @ activity.swapaxes(1, 2) / activity.shape[2]


def smallest_p(one, two):
    """The smallest Kolmogorov-Smirnov p-value of entries, their sum and a difference, and how many there are."""
    k = one.shape[1]
    statistics = [lambda q, i=i, j=j: q[:, i, j] for i in range(k) for j in range(i, k)]
    statistics += [lambda q: q.sum(axis=(1, 2)), lambda q: q[:, 0, 1] - q[:, k - 1, k - 1]]  # joint laws
    # what is exactly equal in all samples differs by rounding; 12 decimals remove it from ties
    return min(ks_2samp(np.round(s(one), 12), np.round(s(two), 12)).pvalue for s in statistics), len(statistics)
