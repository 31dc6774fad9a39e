"""Results of the chains found again by what they are of, and means over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..experiment import Results, Settings
from .design import plan

Arm = Mapping[str, Any]


def accuracies(arm: Arm, classes: int = 10) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of the seeds; a network that diverged counts as chance."""
    return np.array([1 / classes if a is None else a for a in arm["accuracy"]], dtype=np.float64)


def left(arm: Arm, width: int) -> float:
    """Share of units that are nonlinear, over seeds and layers."""
    return float(np.mean(arm["active"])) / width


@dataclass
class Chains:
    """All arms of one shape of network on one kind of data.

    Parameters
    ----------
    specification : mapping
        Of the units, without penalty.
    base, linear, shuffled : arm or None
    arms : dict
        Penalty to the arms by name.
    record : mapping
        Of the data.
    """

    specification: Mapping[str, Any]
    base: Arm | None = None
    linear: Arm | None = None
    shuffled: Arm | None = None
    arms: dict[float, Mapping[str, Arm]] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Such as ``templates.4`` or ``sum.8.skips``."""
        s = self.specification
        return f"{s['data']}.{s['depth']}" + (".skips" if s["skips"] else "")

    @property
    def width(self) -> int:
        """Of a layer."""
        return int(self.specification["width"])

    def by_share(self) -> list[tuple[float, Mapping[str, Arm]]]:
        """Penalties with the share of units that late networks keep, from many to few."""
        rows = [(left(arms["late"], self.width), arms) for arms in self.arms.values()]
        return sorted(rows, key=lambda row: -row[0])


@dataclass
class Found:
    """Everything that came back, by part."""

    start: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)
    sums: list[Mapping[str, Any]] = field(default_factory=list)
    modules: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)
    chains: dict[str, Chains] = field(default_factory=dict)
    failed: int = 0

    @classmethod
    def of(cls, settings: Settings, results: Results) -> Found:
        """Sort results by the specification of their units; failed ones are counted."""
        found = cls()
        for unit, result in zip(plan(settings), results, strict=True):
            s = unit.specification
            if result is None:
                found.failed += 1
            elif s["part"] == "start":
                found.start.append((s, result))
            elif s["part"] == "sums":
                found.sums += result["members"]
            elif s["part"] == "module":
                found.modules.append((s, result))
            else:
                found._chain(s, result)
        return found

    def _chain(self, s: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        arms: Mapping[str, Arm] = result["arms"]
        shape = {key: value for key, value in s.items() if key not in ("omega", "shuffled")}
        new = Chains(shape)
        chain = self.chains.setdefault(new.name, new)
        if "omega" in s:
            chain.arms[s["omega"]] = arms
        elif s.get("shuffled"):
            chain.shuffled = arms["active"]
        else:
            chain.base, chain.linear = arms["active"], arms["linear"]
            chain.record = result.get("record", {})


def mean_and_error(values: Sequence[float] | np.ndarray[Any, Any]) -> tuple[float, float | None]:
    """Mean and standard error; no error of a single value."""
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        return float("nan"), None
    return float(array.mean()), float(array.std(ddof=1) / np.sqrt(array.size)) if array.size > 1 else None
