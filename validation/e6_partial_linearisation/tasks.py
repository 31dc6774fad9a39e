"""What is learned: templates, sums of two digits, or a user's data; shuffled labels where a control wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gpdeep.data import LabelledSplit

from ..data import prepared
from ..data.streams import stream

SUM = "sum"


def record_of(specification: Mapping[str, Any], source: str | None = None) -> dict[str, Any]:
    """What was done to the samples, and the law of their angles; empty for sums, whose experiment has its own."""
    s = specification
    return {} if s["data"] == SUM else prepared(source or s["data"], s["data_seed"]).record


def split_of(specification: Mapping[str, Any], source: str | None = None) -> LabelledSplit:
    """Samples of the specification's ``data``, prepared; from `source` where that name stands for a folder."""
    s = specification
    if s["data"] == SUM:
        from ..nonlinear_advantage import TASKS

        split = TASKS[SUM].draw(s["data_seed"])
    else:
        split = prepared(source or s["data"], s["data_seed"]).split
    if s.get("shuffled"):
        order = stream("partial linearisation", s["data_seed"], "shuffled").permutation(len(split.train_y))
        split = replace(split, train_y=split.train_y[order])
    return split
