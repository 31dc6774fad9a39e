r"""The networks of E3: how far they train, and how fast the angle between two inputs shrinks before training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpdeep.finite.layer_statistics import layer_statistics
from gpdeep.meanfield import depth_scales

from ..data import prepared
from ..sweep import Outcome

_FIRST = 2  # layers after which angles are small throughout


def train_cells(specifications: Sequence[Mapping[str, Any]], *, device: str, data: str) -> list[Outcome]:
    """Train the members, which differ in φ's weights, learning rate and seed; accuracies and what diverged."""
    import torch

    from gpdeep.nn import Ensemble, train_ensemble

    one = specifications[0]
    split = prepared(data, one["seed"][0]).split
    scales = [depth_scales(s["phi"], sigma_w=s["sigma_w"], sigma_b=math.sqrt(s["sigma_b2"])) for s in specifications]
    sigma_b = [math.sqrt(s["sigma_b2"]) for s in specifications]
    nets = Ensemble(
        f"{split.train_x.shape[1]},{one['width']}x{one['depth']},{split.classes}",
        len(specifications),
        activation=[s["phi"] for s in specifications],
        sigma_w=[s["sigma_w"] for s in specifications],
        sigma_b=sigma_b,
        first_sigma_w=[math.sqrt(scale.q_star - b * b) for scale, b in zip(scales, sigma_b, strict=True)],
        first_sigma_b=sigma_b,
        seeds=[_weights_seed(s) for s in specifications],
        dtype=torch.float32,
        device=device,
    )
    found = train_ensemble(
        nets,
        split.train_x,
        split.train_y,
        steps=one["steps"],
        lr=[s["lr"] for s in specifications],
        batch=one["batch"],
        test=(split.test_x, split.test_y),
        record_at=(one["steps"] // 2,),
        own_batches=True,
        rng=one["seed"][0],
    )
    chance = 1 / split.classes
    test = found.test_accuracy
    assert test is not None
    return [
        Outcome(
            {
                "train_accuracy": float(found.accuracy[m]) if found.alive[m] else chance,
                "test_accuracy": float(test[m]) if found.alive[m] else chance,
                "best_accuracy": float(found.best_accuracy[m]),
                "diverged": not found.alive[m],
                "died_at": int(found.died_at[m]),
            }
        )
        for m in range(len(specifications))
    ]


def decay(specification: Mapping[str, Any], **_: Any) -> dict[str, Any]:
    """By how much ln sin² of a small angle falls a layer, its standard error, and what it falls by at infinite width.

    Networks are drawn by the exact law of finite width. The first layers, in which the angle still has to become
    small, are left out. κ = E φ'⁴/(E φ'²)² goes into the truncation.
    """
    s = specification
    sigma_b = math.sqrt(s["sigma_b2"])
    scales = depth_scales(s["phi"], sigma_w=s["sigma_w"], sigma_b=sigma_b)
    theta = 0.02
    x = np.zeros((2, 16))
    x[:, 0], x[1, 1] = 4 * math.cos(theta), 4 * math.sin(theta)
    x[0, 0] = 4.0
    found = layer_statistics(
        x,
        [s["width"]] * s["depth"],
        1,
        phi=s["phi"],
        sigma_w=[math.sqrt(scales.q_star - s["sigma_b2"]), *[s["sigma_w"]] * (s["depth"] - 1)],
        sigma_b=sigma_b,
        n_samples=s["networks"],
        rng=np.random.SeedSequence([s["seed"], 3, round(1e6 * s["sigma_w"])]),
    )
    layers = s["depth"] - 1 - _FIRST
    each = (found.log_sin2[:, -1] - found.log_sin2[:, _FIRST]) / layers
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    slope2 = (1 - np.tanh(math.sqrt(scales.q_star) * z) ** 2) ** 2
    kappa = float(weight @ slope2**2 * weight.sum() / (weight @ slope2) ** 2)
    return {
        "rate": float(each.mean()),
        "standard_error": float(each.std(ddof=1) / math.sqrt(len(each))),
        "predicted": -1 / scales.xi_c,
        "xi_q": scales.xi_q,
        "kappa": kappa,
    }


def _weights_seed(s: Mapping[str, Any]) -> np.random.SeedSequence:
    """Equal for the learning rates of a cell, so that they are compared on the same networks."""
    return np.random.SeedSequence([*s["seed"], round(1e6 * s["sigma_w"]), s["depth"], round(1e6 * s["sigma_b2"])])
