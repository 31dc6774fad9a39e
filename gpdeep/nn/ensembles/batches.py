"""Which samples are in a step: every epoch a permutation, cut into batches; the same for all members, or their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ...result import IntArray
from ..weight_draws import root_of, stream
from .members import Ensemble


def batches(samples: int, size: int, steps: int, rng: Any, ensemble: Ensemble, own: bool) -> Iterator[IntArray]:
    """Row numbers of `steps` batches, (size,) for all members or (M, size) of their own; an epoch's rest is dropped.

    Own batches depend on `rng` and on the seed of the member, and not on the company.
    """
    root = root_of(rng)
    if not own:
        yield from _indices(stream(root, "batches"), samples, size, steps)
        return
    key = int(stream(root, "batches").integers(2**63))
    streams = [stream(root_of(seed), f"batches.{key}") for seed in ensemble.seeds]
    for each in zip(*(_indices(own_stream, samples, size, steps) for own_stream in streams), strict=True):
        yield np.stack(each)


class Feed:
    """Batches in the place where a step reads them, brought to the device several at a time.

    Parameters
    ----------
    drawn : iterator of ndarray
    place : torch.Tensor
        Row numbers of the step that comes; stays the same tensor.
    at_once : int
        Batches of a transfer: each waits for the device.
    """

    def __init__(self, drawn: Iterator[IntArray], place: Any, at_once: int) -> None:
        self._drawn, self._place, self._at_once = drawn, place, at_once
        self._rows: Any = ()
        self._next = 0

    @property
    def empty(self) -> bool:
        """Whether the next batch needs a transfer."""
        return self._next == len(self._rows)

    def turn(self) -> None:
        """Put the next batch in its place."""
        if self._at_once == 1:
            self._place.copy_(torch.from_numpy(next(self._drawn)))
            return
        if self.empty:
            self.draw()
        self._place.copy_(self._rows[self._next])
        self._next += 1

    def draw(self) -> None:
        """Draw and bring the batches that follow; none are left to place."""
        drawn = list(itertools.islice(self._drawn, self._at_once))
        if drawn:
            self._rows, self._next = torch.as_tensor(np.stack(drawn), device=self._place.device), 0


def _indices(rng: np.random.Generator, samples: int, size: int, steps: int) -> Iterator[IntArray]:
    def forever() -> Iterator[IntArray]:
        while True:
            order = rng.permutation(samples)
            yield from (order[k : k + size] for k in range(0, samples - size + 1, size))

    return itertools.islice(forever(), steps)
