r"""Training the arms of E4: accuracy, death, exact zeros before and after, and where variances start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data import prepared
from ..sweep import Outcome
from .layers import layer_of

_LEVELS = (0.05, 0.5, 0.95, 0.99, 1.0)
_PROBES = 256


def train_arms(specifications: Sequence[Mapping[str, Any]], *, device: str, data: str) -> list[Outcome]:
    """Train the members, which share shape, steps and whether the gradient is clipped."""
    import torch

    from gpdeep.nn import Ensemble, ensemble_statistics, train_ensemble

    one = specifications[0]
    split = prepared(data, one["seed"][0]).split
    layers = [layer_of(s) for s in specifications]
    sigma_b = [layer.sigma_b for layer in layers]
    nets = Ensemble(
        f"{split.train_x.shape[1]},{one['width']}x{one['depth']},{split.classes}",
        len(specifications),
        activation=[layer.phi for layer in layers],
        sigma_w=[layer.sigma_w for layer in layers],
        sigma_b=sigma_b,
        first_sigma_w=[math.sqrt(1 - b * b) for b in sigma_b],
        first_sigma_b=sigma_b,
        seeds=[_weights_seed(s) for s in specifications],
        dtype=torch.float32,
        device=device,
    )
    quantiles = _variances_over_inputs(nets, split.train_x[:_PROBES])
    found = train_ensemble(
        nets,
        split.train_x,
        split.train_y,
        steps=one["steps"],
        lr=[s["lr"] for s in specifications],
        clip=one["clip"],
        batch=one["batch"],
        test=(split.test_x, split.test_y),
        own_batches=True,
        rng=one["seed"][0],
    )
    after = ensemble_statistics(nets, split.test_x)
    test = found.test_accuracy
    assert test is not None
    chance = 1 / split.classes
    return [
        Outcome(
            {
                "train_accuracy": float(found.accuracy[m]) if found.alive[m] else chance,
                "test_accuracy": float(test[m]) if found.alive[m] else chance,
                "diverged": not found.alive[m],
                "died_at": int(found.died_at[m]),
                "reason": found.reason[m],
                "initial_zeros": float(found.records[0].statistics.zeros[m].mean()),
                "final_zeros": float(after.zeros[m].mean()),
                "sparsity": layers[m].sparsity,
                "initial_variance": quantiles[m],
            }
        )
        for m in range(len(specifications))
    ]


def _variances_over_inputs(nets: Any, x: Any) -> list[list[float | None]]:
    """Quantiles over inputs of |h^L|²/n of the last hidden layer, by member; None where it overflows."""
    import torch

    with torch.no_grad():
        a = torch.as_tensor(x, device=nets.weights[0].device).double().expand(nets.members, *x.shape)
        for W, b in zip(nets.weights[:-1], nets.biases[:-1], strict=True):
            h = torch.baddbmm(b.double(), a, W.double())
            a = nets._phi(h)
        q = h.square().mean(2).cpu().numpy()
    found = np.quantile(q, _LEVELS, axis=1).T
    return [[float(v) if math.isfinite(v) else None for v in row] for row in found]


def _weights_seed(s: Mapping[str, Any]) -> np.random.SeedSequence:
    """Equal for both optimisers, so that they are compared on the same networks."""
    arm = f"{s['kind']} {s['sparsity']} {s.get('slope')} {s['width']} {s['depth']}"
    return np.random.SeedSequence([*s["seed"], *(ord(c) for c in arm)])
