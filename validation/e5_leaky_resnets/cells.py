"""Results found again by what they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..experiment import Results, Settings
from .design import plan

Network = Mapping[str, Any]


@dataclass(frozen=True)
class Mean:
    """A mean over networks, its standard error (None of one network), and how many they are."""

    value: float
    error: float | None
    n: int

    @classmethod
    def of(cls, values: list[float]) -> Mean:
        """NaN where there are none."""
        array = np.array(values, dtype=np.float64)
        error = float(array.std(ddof=1) / np.sqrt(array.size)) if array.size > 1 else None
        return cls(float(array.mean()) if array.size else float("nan"), error, int(array.size))


class Cells:
    """The networks of a run by effective depth, number of layers, and steps; failed ones are left out."""

    def __init__(self, settings: Settings, results: Results) -> None:
        self._found: dict[tuple[float, int, str], list[Network]] = {}
        self.start: dict[str, Network] = {}
        self.failed = 0
        for unit, result in zip(plan(settings), results, strict=True):
            s = unit.specification
            if result is None:
                self.failed += 1
            elif "what" in s:
                self.start[f"{s['what']}.{s['activation']}" if "activation" in s else s["what"]] = result
            else:
                self._found.setdefault((s["effective_depth"], s["layers"], s["steps"]), []).append(result)

    def networks(self, depth: float, layers: int, steps: str = "equal") -> list[Network]:
        """Those of one cell, a seed each."""
        return self._found.get((depth, layers, steps), [])

    def all(self) -> list[Network]:
        """Every network that was trained."""
        return [network for cell in self._found.values() for network in cell]

    def depths(self, layers: int, steps: str = "equal") -> list[float]:
        """Effective depths with this number of layers and these steps, ascending."""
        return sorted(d for d, n, kind in self._found if (n, kind) == (layers, steps))

    def mean(self, of: Callable[[Network], float], depth: float, layers: int, steps: str = "equal") -> Mean:
        """Mean of a number over the networks of a cell."""
        return Mean.of([of(network) for network in self.networks(depth, layers, steps)])
