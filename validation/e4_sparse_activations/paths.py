r"""Variances of random networks for one input, drawn from their exact law, beside what theory says of them.

    K_{l+1} = σ_b² + (σ_w²/n) Σ_i φ(√K_l z_i)²

A path beyond 10¹² stops there. The share of zeros of a layer is taken as its expectation given K_l.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpdeep.result import FloatArray
from gpdeep.sparse import escape_probability, sample_variances, shares

from .layers import Layer, layer_of

CEILING = 1e12
OUTSIDE = (0.2, 5.0)
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_LOOK = 30


def variance_paths(specification: Mapping[str, Any], *, device: str) -> dict[str, Any]:
    """Shares of paths that left, mean at the last layer of those that stayed, sparsity, and the predictions."""
    s, layer = specification, layer_of(specification)
    looks = [k for k in (_LOOK, s["depth"]) if k <= s["depth"]]
    seed = np.random.SeedSequence([s["seed"], 4, *(ord(c) for c in f"{layer.phi.name} {s['wrong']}")])
    draw = _on_cpu if device == "cpu" else _on_gpu
    at, highest = draw(s, layer, looks, seed, device)
    last, stayed = at[:, -1], highest <= layer.threshold
    theory = escape_probability(
        layer.phi,
        sigma_w=layer.sigma_w,
        sigma_b=layer.sigma_b,
        width=s["width"],
        depth=s["depth"],
        threshold=layer.threshold,
    )
    inside = last[stayed]
    return {
        "networks": len(last),
        "looks": looks,
        "outside": [float(((k < OUTSIDE[0]) | (k > OUTSIDE[1])).mean()) for k in at.T],
        "quantiles": [np.quantile(k, _LEVELS).tolist() for k in at.T],
        "escaped": int((~stayed).sum()),
        "stayed_mean": float(inside.mean()) if len(inside) else None,
        "sparsity": float(np.mean(shares(layer.phi, np.minimum(last, CEILING)).zero)),
        "threshold": layer.threshold,
        "predicted_escape": float(theory.probability[-1]),
        "predicted_escape_error": theory.error,
        "predicted_mean": float(theory.q_mean[-1]),
        "predicted_std": float(theory.q_std[-1]),
        "other_fixed_points": list(layer.other_fixed_points),
    }


def _on_cpu(
    s: Mapping[str, Any], layer: Layer, looks: list[int], seed: np.random.SeedSequence, device: str
) -> tuple[FloatArray, FloatArray]:
    """Variances at the layers `looks`, and the highest of each path."""
    paths = sample_variances(
        layer.phi,
        sigma_w=layer.sigma_w * s["wrong"],
        sigma_b=layer.sigma_b,
        width=s["width"],
        depth=s["depth"],
        ceiling=CEILING,
        n_samples=s["networks"],
        rng=seed,
    )
    return paths[:, [k - 1 for k in looks]], paths.max(axis=1)


def _on_gpu(
    s: Mapping[str, Any], layer: Layer, looks: list[int], seed: np.random.SeedSequence, device: str
) -> tuple[FloatArray, FloatArray]:
    """The same chain in torch, with the numbers of the device's own generator."""
    import torch

    from gpdeep.nn import module_of

    phi = module_of(layer.phi)
    generator = torch.Generator(device).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
    at_once = max(1, 2**27 // s["width"])
    parts = []
    for start in range(0, s["networks"], at_once):
        count = min(at_once, s["networks"] - start)
        k = torch.ones(count, dtype=torch.float64, device=device)
        highest, kept = k.clone(), []
        for number in range(1, s["depth"] + 1):
            if number > 1:
                z = torch.randn((count, s["width"]), dtype=torch.float64, device=device, generator=generator)
                after = phi(k.sqrt()[:, None] * z).square_().mean(1) * (layer.sigma_w * s["wrong"]) ** 2
                k = torch.where(k <= CEILING, after + layer.sigma_b**2, k)
                highest = torch.maximum(highest, k)
            if number in looks:
                kept.append(k)
        parts.append((torch.stack(kept, 1).cpu().numpy(), highest.cpu().numpy()))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def standard_error(p: float, n: int) -> float:
    """Of a share p of n networks, one network more and one less counted in, so that it is never 0."""
    share = (p * n + 1) / (n + 2)
    return math.sqrt(share * (1 - share) / n)
