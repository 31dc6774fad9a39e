"""What is kept of a run: design, estimates, every network's outcome, and what computed them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpdeep.result import SCHEMA_VERSION, Result, provenance, render_table, write_atomically

from ..evidence import laid_out, machine
from .comparison import Gap, Level
from .design import Design
from .outcome import Outcome

CLAIM = (
    "On a task that needs depth, channels that become linear in the second third of training leave a more accurate "
    "network than channels that become linear in the first third, at the same number of nonlinear layers left (NAPL). "
    "On a task that a linear network solves there is no such difference."
)
SOURCE = "The observation is published in arXiv:2211.17180 (abstract); task, network and design are gpdeep's own."
_DECIMALS = 6


@dataclass(frozen=True)
class TaskEvidence:
    """One task.

    Parameters
    ----------
    design : Design
    omegas : tuple of float
    active, linear : Level
        ReLU throughout, and linear throughout.
    at_equal_napl, at_equal_g : tuple of Gap
        The comparison.
    at_equal_omega : tuple of Gap
        What it would be at equal penalties, which is no fair comparison.
    cpu_seconds, seconds : float
        Of this task, on the processor and on the clock.
    members : tuple of Outcome
    """

    design: Design
    omegas: tuple[float, ...]
    active: Level
    linear: Level
    at_equal_napl: tuple[Gap, ...]
    at_equal_g: tuple[Gap, ...]
    at_equal_omega: tuple[Gap, ...]
    cpu_seconds: float
    seconds: float
    members: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence(Result):
    """All tasks of a run.

    Parameters
    ----------
    tasks : mapping of str to TaskEvidence
    seeds : tuple of int
        Those that were asked for; what is missing of them is said in the status.
    versions : mapping of str to str
    device : str
    commit : str, optional
        Of the checkout, with "-dirty" where files differ from it.
    """

    claim: str = CLAIM
    source: str = SOURCE
    tasks: Mapping[str, TaskEvidence]
    seeds: tuple[int, ...]
    versions: Mapping[str, str]
    device: str
    commit: str | None

    def write(self, path: Path) -> Path:
        """Write JSON that git can diff, a network a line; the file appears complete or not at all."""
        record = {"schema_version": SCHEMA_VERSION, "experiment": "nonlinear_advantage", **self.to_dict()}
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_atomically(path, (laid_out(_rounded(record), "") + "\n").encode())

    def __str__(self) -> str:
        """A table a task."""
        return "\n\n".join(_table(name, task) for name, task in self.tasks.items())


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    import scipy
    import sklearn
    import torch

    return {**provenance(), "scipy": scipy.__version__, "scikit-learn": sklearn.__version__, "torch": torch.__version__}


def device(threads: int) -> str:
    """Processor and number of threads."""
    return f"cpu ({machine('cpu')}), {threads} thread{'s' if threads > 1 else ''}"


def _rounded(value: Any) -> Any:
    """`value` with six decimals, which is more than 4000 test samples resolve."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value


def _table(name: str, task: TaskEvidence) -> str:
    families = (("NAPL", task.at_equal_napl), ("G", task.at_equal_g), ("omega", task.at_equal_omega))
    rows = [_row(family, gap) for family, found in families for gap in found]
    diverged = sum(member.diverged_at is not None for member in task.members)
    notes = [
        f"ReLU throughout {task.active.accuracy:.4f} ± {task.active.error:.4f}, "
        f"linear throughout {task.linear.accuracy:.4f} ± {task.linear.error:.4f} (standard errors)",
        f"{len(task.members)} networks, {diverged} diverged; {task.cpu_seconds:.0f} s on the processor",
    ]
    columns = ["at equal", "early", "late", "late - early", "from", "to (95 %)", "seeds", "for"]
    return render_table(f"{name}: test accuracy", columns, rows, notes)


def _row(family: str, gap: Gap) -> list[str]:
    numbers = [_shown(gap.early), _shown(gap.late), _shown(gap.gap, "+"), _shown(gap.low, "+"), _shown(gap.high, "+")]
    return [f"{family} {gap.at:g}", *numbers, str(len(gap.seeds)), "" if family == "omega" else gap.verdict]


def _shown(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.4f}"
