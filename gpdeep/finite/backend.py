"""Array namespaces and random streams for the samplers: numpy, or torch on any device, with the same code.

Which of the two is taken from the arguments: a torch tensor among them gives tensors on its device, everything else
numpy arrays. Samples are drawn in blocks of fixed size, each with its own stream keyed by the seed and the block's
number, so a result depends on the seed alone and not on memory or on what ran before.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import array_api_compat
import numpy as np

from ..errors import DomainError, MemoryBudgetError
from ..gaussian.arguments import as_array, memory_budget, shown

SAMPLES_PER_BLOCK = 1024
_ELEMENTS_IN_CACHE = 2**16
_ELEMENTS_ON_DEVICE = 2**24

Normal = Callable[[tuple[int, ...]], Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Backend:
    """Where and how samples are drawn."""

    xp: ModuleType
    device: Any

    @classmethod
    def of(cls, *arguments: Any) -> Backend:
        """The backend of the first torch tensor among the arguments, else numpy."""
        for argument in arguments:
            if array_api_compat.is_torch_array(argument):
                return cls(array_api_compat.array_namespace(argument), array_api_compat.device(argument))
        return cls(array_api_compat.array_namespace(np.zeros(0)), "cpu")

    @property
    def block_elements(self) -> int:
        """Neurons drawn at a time: what fits the cache, or what fills an accelerator."""
        return _ELEMENTS_IN_CACHE if str(self.device).startswith("cpu") else _ELEMENTS_ON_DEVICE

    def array(self, values: Any) -> Any:
        """`values` as a float64 array of the backend."""
        if array_api_compat.is_torch_array(values):
            return self.xp.astype(values, self.xp.float64)
        return self.xp.asarray(np.asarray(values, dtype=np.float64), device=self.device)

    def blocks(self, samples: int) -> list[slice]:
        """The blocks in which samples are drawn: of fixed size on a processor, all at once on an accelerator."""
        size = SAMPLES_PER_BLOCK if self.block_elements == _ELEMENTS_IN_CACHE else samples
        return [slice(start, min(samples, start + size)) for start in range(0, samples, size)]

    def streams(self, rng: Any, blocks: int, tag: str) -> list[Normal]:
        """One source of normal numbers for each block, keyed by the seed, `tag` and the block's number.

        `rng` is a seed, a `numpy.random.SeedSequence` or a `numpy.random.Generator` (from which children are spawned).
        """
        children = seed_sequence(rng, tag).spawn(blocks)
        if array_api_compat.is_numpy_namespace(self.xp):
            return [np.random.Generator(np.random.SFC64(child)).standard_normal for child in children]
        return [self._torch_stream(int(child.generate_state(1, np.uint64)[0] >> np.uint64(1))) for child in children]

    def _torch_stream(self, seed: int) -> Normal:
        generator = self.xp.Generator(device=self.device)
        generator.manual_seed(seed)

        def normal(shape: tuple[int, ...]) -> Any:
            return self.xp.randn(shape, generator=generator, device=self.device, dtype=self.xp.float64)

        return normal


def seed_sequence(rng: Any, tag: str) -> np.random.SeedSequence:
    """The seed sequence of the work called `tag`, from a seed, a SeedSequence or a Generator."""
    key = int.from_bytes(tag.encode(), "big") % 2**64
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence([int(rng.integers(2**63)), key])
    if isinstance(rng, np.random.SeedSequence):
        return np.random.SeedSequence(rng.entropy, spawn_key=(*rng.spawn_key, key % 2**32))
    if isinstance(rng, (bool, np.bool_)) or not isinstance(rng, (int, np.integer)) or rng < 0:
        raise DomainError(
            f"rng is {shown(rng)}.",
            "Random numbers need a seed that can be written down with the result.",
            "Give a non-negative integer, a numpy SeedSequence or a numpy Generator.",
        )
    return np.random.SeedSequence([int(rng), key])


def last(states: Iterable[T]) -> T:
    """The last of a non-empty sequence of states, keeping one at a time."""
    return deque(states, maxlen=1).pop()


def to_numpy(values: Any) -> Any:
    """A torch tensor as a numpy array, without its gradient and from wherever it is; anything else as it is."""
    if not array_api_compat.is_torch_array(values):
        return values
    try:
        return values.detach().cpu().numpy()
    except (TypeError, RuntimeError):  # sparse, quantised, bfloat16 or without values
        return as_array(values)


def require_memory(elements: float, budget: float, what: str) -> None:
    """Refuse an allocation of float64 numbers that exceeds `budget` bytes.

    Raises
    ------
    MemoryBudgetError
        With the number of bytes and the factor by which it is too large.
    """
    budget = memory_budget(budget)
    needed = 8 * elements
    if needed > budget:
        raise MemoryBudgetError(
            f"{what} would take {needed / 2**20:.0f} MiB; the budget is {budget / 2**20:.0f} MiB.",
            "Too many samples or inputs were asked for at once.",
            f"Use {math.ceil(needed / budget)} times fewer of them, in several calls with different seeds, "
            "or raise memory_budget.",
        )
