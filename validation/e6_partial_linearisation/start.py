r"""Angles through partly linear networks before training, against `gpdeep.linearize.predict_angle`.

ln sin²θ_L  over random networks of width n,  a share p of the units of every layer ReLU, the others linear
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .stack import Stack

_AT_ONCE = 50  # networks of a block


def trial(specification: Mapping[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Mean and standard deviation of ln sin²θ after each layer over networks."""
    import torch

    s = specification
    width, depth, networks = s["width"], s["depth"], s["networks"]
    linear = np.arange(width) >= round(s["share"] * width)
    pair = np.zeros((2, width))
    pair[0, 0], pair[1, 0], pair[1, 1] = 1.0, np.cos(s["angle"]), np.sin(s["angle"])
    found = []
    for first in range(0, networks, _AT_ONCE):
        seeds = [s["seed"] * networks + net for net in range(first, min(networks, first + _AT_ONCE))]
        net = Stack(seeds, width, width, depth, 2).double()
        net.freeze(np.broadcast_to(linear, (len(seeds), depth, width)).copy())
        with torch.no_grad():
            layers = net.through(torch.as_tensor(pair.T).expand(len(seeds), -1, -1))[:-1]
        found.append(np.stack([_log_sin2(h.numpy()) for h in layers], axis=1))
    x = np.concatenate(found)
    return {"mean": x.mean(axis=0), "std": x.std(axis=0, ddof=1), "networks": len(x)}


def _log_sin2(h: Any) -> Any:
    """Of the angle between the two columns, shape (M,): 4 |u-v|²|u+v|²/16 of unit vectors, with no cosine near 1."""
    u = h / np.linalg.norm(h, axis=1, keepdims=True)
    minus, plus = np.linalg.norm(u[:, :, 0] - u[:, :, 1], axis=1), np.linalg.norm(u[:, :, 0] + u[:, :, 1], axis=1)
    return 2 * np.log(minus * plus / 2)
