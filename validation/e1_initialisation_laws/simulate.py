"""Networks with real weights, and the sampler that draws none, layer by layer from a pair of inputs at an angle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gpdeep.result import FloatArray

_BYTES = 2**25  # of the weights that are held at a time


def pair_at(theta: float) -> FloatArray:
    """Two inputs of mean square 1 in the plane."""
    return math.sqrt(2) * np.array([[1.0, 0.0], [math.cos(theta), math.sin(theta)]])


def real_networks(
    width: int,
    depth: int,
    theta: float,
    networks: int,
    root: np.random.SeedSequence,
    device: str,
    sigma_w2: float = 2.0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """ln sin²θ^l, and ln |h^l|²/n of both inputs in the mean and of the first alone; each (networks, depth)."""
    import torch

    from gpdeep.nn import Ensemble
    from gpdeep.nn.ensembles.statistics import ensemble_statistics
    from gpdeep.nn.one_thread import one_thread

    x = pair_at(theta)
    at_once = max(1, _BYTES // (8 * width * (2 + width * (depth - 1))))
    found = []
    with one_thread():
        seeds = root.spawn(networks)
        for start in range(0, networks, at_once):
            part = seeds[start : start + at_once]
            nets = Ensemble(
                f"2,{width}x{depth},1",
                len(part),
                sigma_w=math.sqrt(sigma_w2),
                seeds=part,
                dtype=torch.float64,
                device=device,
            )
            both = ensemble_statistics(nets, x, pairs=[[0, 1]])
            one = ensemble_statistics(nets, x[:1])
            with np.errstate(divide="ignore"):  # a dead network has q = 0
                found.append((both.log_sin2[:, :, 0], np.log(both.q), np.log(one.q)))
    angles, lengths, first = (np.concatenate(column) for column in zip(*found, strict=True))
    return angles, lengths, first


def sampled_layers(
    width: int, depth: int, theta: float, networks: int, root: np.random.SeedSequence, device: str
) -> Iterator[FloatArray]:
    """ln sin²θ^l after each layer, shape (networks,), by the exact chain; NaN dead, -inf collapsed."""
    from gpdeep.activations import activation
    from gpdeep.finite.backend import Backend, to_numpy
    from gpdeep.finite.chain import pair_frame, run_chain

    start: Any = theta
    if device != "cpu":
        import torch

        start = torch.tensor([theta], dtype=torch.float64, device=device)
    backend = Backend.of(start)
    frame = pair_frame(start, networks, root, backend)
    for state in run_chain(frame, np.full(depth, width), activation("relu"), root, backend):
        yield np.asarray(to_numpy(state.log_sin2))[:, 0]
