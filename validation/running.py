"""Running experiments: units through a sweep, results through the analysis, evidence into a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .evidence import Evidence, evidence_of
from .experiment import Experiment, Settings
from .sweep import RETRIED, Batch, Store, key_of, run_sweep


def run_experiment(
    experiment: Experiment,
    settings: Settings,
    *,
    store: Path,
    workers: int = 1,
    progress: Any = True,
    retry: bool = False,
) -> Evidence:
    """Compute what an experiment lacks, and judge it.

    Parameters
    ----------
    experiment : Experiment
    settings : Settings
    store : path
        An SQLite file; what it holds already is not computed again.
    workers : int
        Processes.
    progress : bool or callable
        As `validation.sweep.run_sweep`.
    retry : bool
        Whether units that failed or crashed in earlier runs are computed again.

    Returns
    -------
    Evidence
    """
    units = list(experiment.plan(settings))
    specifications: list[Mapping[str, Any]] = []
    for unit in units:
        specifications += unit.specifications if isinstance(unit, Batch) else [unit.specification]
    store.parent.mkdir(parents=True, exist_ok=True)
    again = RETRIED if retry else ()
    report = run_sweep(units, store=store, workers=workers, progress=progress, retry=again)
    with Store(store) as kept:
        rows = [kept.get(key_of(specification)) for specification in specifications]
    results = [row.result if row is not None and row.status == "done" else None for row in rows]
    seconds = [row.cpu_seconds for row in rows if row is not None and row.cpu_seconds is not None]
    return evidence_of(
        experiment,
        settings,
        experiment.claims(settings, results),
        {
            "units": report.total,
            "done": report.done,
            "diverged": report.diverged,
            "failures": tuple(str(trouble) for trouble in report.troubles),
            "cpu_seconds": float(sum(seconds)),
            "seconds": report.seconds,
        },
        [row for row in rows if row is not None and row.status == "done"],
    )
