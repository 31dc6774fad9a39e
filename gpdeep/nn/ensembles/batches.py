"""Which samples are in a step: every epoch a permutation, cut into batches; the same for all members, or their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..weight_draws import root_of, stream
from .members import Ensemble


def batches(samples: int, size: int, steps: int, rng: Any, ensemble: Ensemble, own: bool) -> Iterator[Any]:
    """`steps` index tensors, (size,) for all members, or (M, size) of their own; what is left of an epoch is dropped.

    Own batches depend on `rng` and on the seed of the member, and not on the company.
    """
    device = ensemble.weights[0].device
    root = root_of(rng)
    if not own:
        for index in _indices(stream(root, "batches"), samples, size, steps):
            yield torch.as_tensor(index, device=device)
        return
    key = int(stream(root, "batches").integers(2**63))
    streams = [stream(root_of(seed), f"batches.{key}") for seed in ensemble.seeds]
    for each in zip(*(_indices(own_stream, samples, size, steps) for own_stream in streams), strict=True):
        yield torch.as_tensor(np.stack(each), device=device)


def _indices(rng: np.random.Generator, samples: int, size: int, steps: int) -> Iterator[Any]:
    def forever() -> Iterator[Any]:
        while True:
            order = rng.permutation(samples)
            yield from (order[k : k + size] for k in range(0, samples - size + 1, size))

    return itertools.islice(forever(), steps)
