"""Sums of two digits, by `validation.nonlinear_advantage`: a seed is a unit, and the comparison is its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..nonlinear_advantage import TASKS, Design, Outcome, gaps
from ..nonlinear_advantage.comparison import Gap

TASK = "sum"
EVIDENCE = Path(__file__).parents[1] / "results" / "cpu" / "nonlinear_advantage.json"
PLACES = (1.0, 1.5)  # nonlinear layers left


def trial(specification: Mapping[str, Any], device: str = "cpu") -> dict[str, Any]:
    """All networks of one seed: both limits, and both windows at every penalty."""
    from gpdeep.nn.one_thread import one_thread

    from ..nonlinear_advantage.experiment import members
    from ..nonlinear_advantage.training import train

    s = specification
    task = TASKS[s["task"]]
    design = Design(s["epochs"], task.steps_per_epoch)
    with one_thread():
        outcomes, _ = train(s["task"], {s["seed"]: task.draw(s["seed"])}, members([s["seed"]], s["omegas"]), design)
    return {"members": [asdict(outcome) for outcome in outcomes]}


def outcomes_of(rows: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Outcomes from what JSON kept of them."""
    return [Outcome(**{**row, "active": tuple(row["active"])}) for row in rows]


def committed(task: str = TASK) -> list[Outcome]:
    """The networks of the longer run whose results are kept beside the code; none where there is no file."""
    if not EVIDENCE.is_file():
        return []
    return outcomes_of(json.loads(EVIDENCE.read_text())["tasks"][task]["members"])


def compared(outcomes: Sequence[Outcome], places: Sequence[float] = PLACES) -> list[Gap]:
    """Late minus early at equal numbers of nonlinear layers left."""
    return gaps(outcomes, places)
