r"""What is true of a leaky ResNet before it is trained.

    a_l·b_l - a_{l-1}·b_{l-1} = h_l β w_l[:, last]·b_l     for ReLU, any weights: an identity, exact to rounding
    E a_l² = 1                                             at the default start, up to O(L̃/width)

The second is where a start that knows the length of its steps differs from He's: a layer of length h has weights √(2/h)
larger than a layer of a plain network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_SAMPLES = 30  # of a network, whose mean square is taken together


def invariant(specification: Mapping[str, Any], device: str = "cpu") -> dict[str, Any]:
    """The largest violation of the first statement, over the largest of its terms."""
    import torch

    from gpdeep.nn import LeakyResNet
    from gpdeep.nn.leaky.data import Task
    from gpdeep.nn.leaky.energies import trajectory

    s = specification
    rng = np.random.default_rng(s["seed"])
    x, y = rng.standard_normal((2, s["samples"], s["width"]))
    model = LeakyResNet(
        s["width"], s["layers"], s["effective_depth"], activation=s["activation"], rng=s["seed"], dtype=torch.float64
    )
    at = trajectory(model, Task.of(model, x, y, "squared"), s["lam"])
    terms = np.einsum("lwn,lwn->ln", at.A, at.B)
    return {"violation": float(np.abs(at.sample_invariant()).max() / np.abs(terms).max())}


def level(specification: Mapping[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Mean squares of the last representation over networks, at the default start and at He's weights."""
    import torch

    from gpdeep.nn import LeakyResNet

    s = specification
    width, layers, depth = s["width"], s["layers"], s["effective_depth"]
    found: dict[str, list[float]] = {"level": [], "he": []}
    for net in range(s["networks"]):
        x = torch.as_tensor(np.random.default_rng([s["seed"], net]).standard_normal((_SAMPLES, width)))
        for name, sigma in (("level", None), ("he", np.sqrt(2.0))):
            model = LeakyResNet(
                width, layers, depth, sigma_w=sigma, rng=np.random.SeedSequence([s["seed"], net]), dtype=torch.float64
            )
            with torch.no_grad():
                found[name].append(float(model(x).square().mean()))
    return {
        name: {"mean": float(np.mean(values)), "standard_error": float(np.std(values, ddof=1) / np.sqrt(len(values)))}
        for name, values in found.items()
    }
