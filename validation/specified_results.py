"""The results of a plan, found by what was computed instead of by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .experiment import Results
from .sweep import Batch, Unit, key_of


class SpecifiedResults:
    """Results by specification; what failed is not among them.

    Parameters
    ----------
    units : sequence of Unit or Batch
        The plan.
    results : sequence
        One for each specification, in the order of the plan and of the members of its batches; None where it failed.
    """

    def __init__(self, units: Sequence[Unit | Batch], results: Results) -> None:
        specifications: list[Mapping[str, Any]] = []
        for unit in units:
            specifications += unit.specifications if isinstance(unit, Batch) else [unit.specification]
        pairs = zip(specifications, results, strict=True)
        self._known = {key_of(specification): result for specification, result in pairs if result is not None}

    def get(self, specification: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The result of `specification`, if there is one."""
        return self._known.get(key_of(specification))
