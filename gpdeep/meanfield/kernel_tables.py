r"""Kernel entries of activations whose pairs of variances are costly, read off one table a layer (`variance_table`):

    E φ(u)φ(v) = √(q₁q₂) f(θ; ln q₁, ln q₂),      y = cos θ.

Layers whose inputs have few different variances, or in which the table is not exact enough, use the plain covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from ..result import FloatArray
from .kernel_profiles import Profile, clip
from .variance_table import VarianceTable, variance_table


@dataclass(frozen=True)
class TableProfile(Profile):
    """Any φ: y is the correlation; `layers` are profiles with the tables of each layer, once they are made."""

    value: VarianceTable | None = None
    slope: VarianceTable | None = None
    layers: tuple[TableProfile, ...] = ()

    def coordinate(self, q: FloatArray) -> FloatArray:
        """√q."""
        return np.asarray(np.sqrt(q))

    def factor(self, q: FloatArray) -> FloatArray:
        """√q."""
        return np.asarray(np.sqrt(q))

    def of_layer(self, layer: int) -> Profile:
        """With the tables of that layer."""
        return self.layers[layer] if self.layers else self

    def with_tables(self, rows: Sequence[FloatArray], columns: Sequence[FloatArray], ntk: bool) -> TableProfile:
        """The same with tables for the variances `rows` and `columns`, one array of each a layer."""
        made = []
        for q1, q2 in zip(rows, columns, strict=True):
            value = variance_table(self.phi, q1, q2)
            slope = variance_table(self.phi, q1, q2, slope=True) if ntk and value is not None else None
            made.append(replace(self, value=value, slope=slope))
        return replace(self, layers=tuple(made))

    def covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any, out: Any, spare: Any) -> None:
        """As `Profile.covariance`."""
        if self.value is None:
            size = xp.sqrt(q1) * xp.sqrt(q2)
            out[...] = self.phi.covariance(self._bounded(xp, y * size, q1, q2), q1, q2)
            out /= size
            return
        clip(y)
        out[...] = self.value(xp, xp.acos(y), q1, q2)

    def slope_covariance(self, xp: ModuleType, y: Any, q1: Any, q2: Any) -> Any:
        """As `Profile.slope_covariance`."""
        if self.slope is None:
            return self.phi.slope_covariance(self._bounded(xp, y * (xp.sqrt(q1) * xp.sqrt(q2)), q1, q2), q1, q2)
        clip(y)
        return self.slope(xp, xp.acos(y), q1, q2)
