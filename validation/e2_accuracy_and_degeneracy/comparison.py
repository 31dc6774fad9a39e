"""Results as arrays: architectures by seeds, at each learning rate and at the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpdeep.result import FloatArray
from validation.experiment import Results
from validation.sweep import Batch

from .design import name_of
from .predictors import NAMES

Member = tuple[dict[str, Any], Mapping[str, Any]]


def members(plan: Sequence[Batch], results: Results) -> list[Member]:
    """Specifications with results, of those that came in."""
    specifications = [dict(member) for batch in plan for member in batch.specifications]
    return [(spec, found) for spec, found in zip(specifications, results, strict=True) if found is not None]


@dataclass(frozen=True, eq=False)
class Architectures:
    """A architectures, S seeds.

    Attributes
    ----------
    names : list of A texts
    predictors : mapping of str to array (A,)
        Larger is better.
    depths, budgets : arrays (A,)
    rates : list of float
    train, test : arrays (rates, A, S)
        Accuracy; chance where a network diverged.
    diverged : int
    left_out : int
        Architectures of which a seed did not come in.
    """

    names: list[str]
    predictors: dict[str, FloatArray]
    depths: Any
    budgets: Any
    rates: list[float]
    train: FloatArray
    test: FloatArray
    diverged: int
    left_out: int

    def best(self, scores: FloatArray) -> FloatArray:
        """Scores at the rate with the largest mean over seeds, architecture by architecture; shape (A, S)."""
        chosen = scores.mean(axis=2).argmax(axis=0)
        return np.asarray(scores[chosen, np.arange(scores.shape[1])])

    @property
    def strata(self) -> Any:
        """Equal for networks of equal depth and budget, shape (A,)."""
        return np.array([f"{depth}, {budget}" for depth, budget in zip(self.depths, self.budgets, strict=True)])


def architectures(found: Sequence[Member], phi: str) -> Architectures | None:
    """What was trained with an activation; None if there is nothing. Architectures with missing seeds are left out."""
    trained = [(spec, result) for spec, result in found if spec["steps"] and spec["phi"] == phi]
    if not trained:
        return None
    rates = sorted({spec["rate"] for spec, _ in trained})
    seeds = sorted({spec["seed"] for spec, _ in trained})
    groups: dict[str, dict[tuple[float, int], Member]] = {}
    for spec, result in trained:
        groups.setdefault(name_of(spec), {})[spec["rate"], spec["seed"]] = (spec, result)
    cells = [(rate, seed) for rate in rates for seed in seeds]
    whole = {name: group for name, group in groups.items() if len(group) == len(cells)}
    first = [next(iter(group.values())) for group in whole.values()]

    def scores(name: str) -> FloatArray:
        values = [[_score(*group[rate, seed], name) for group in whole.values() for seed in seeds] for rate in rates]
        return np.array(values).reshape(len(rates), len(whole), len(seeds))

    return Architectures(
        names=list(whole),
        predictors={name: np.array([result["predicted"][name] for _, result in first]) for name in NAMES},
        depths=np.array([spec["depth"] for spec, _ in first]),
        budgets=np.array([spec["budget"] for spec, _ in first]),
        rates=rates,
        train=scores("train"),
        test=scores("test"),
        diverged=sum(bool(result["diverged"]) for _, result in trained),
        left_out=len(groups) - len(whole),
    )


def _score(spec: Mapping[str, Any], result: Mapping[str, Any], name: str) -> float:
    return float(result["chance"] if result["diverged"] else result[name])
