"""What is kept of a run: claims with their verdicts, and what computed them, as JSON that git can diff."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpdeep.errors import DomainError
from gpdeep.result import SCHEMA_VERSION, provenance, render_table, write_atomically

from .claim import Claim
from .data.source_names import data_name
from .experiment import Experiment, Settings
from .origin import commits_of, machines_of, versions_of
from .sweep import Row
from .sweep.processor import processor
from .sweep.revision import commit

RESULTS = Path(__file__).parent / "results"
_LINE = 150
DIGITS = 8  # of every number that is kept


@dataclass(frozen=True)
class Evidence:
    """One experiment at one size on one device.

    Parameters
    ----------
    id, title, question, limits : str
        Of the experiment.
    settings : mapping
        What was asked for: size, device, data, seed.
    claims : tuple of Claim
    units, done, diverged : int
        Of the sweep.
    failures : tuple of str
        Units without a result, and why.
    cpu_seconds, seconds : float
        Sum over all units, wherever and whenever they were computed; wall time of this run.
    versions : mapping of str to str
    machine : str
    commit : str or None
        Of what computed the results, whenever that was; see `validation.origin` where there are several.
    """

    id: str
    title: str
    question: str
    limits: str
    settings: Mapping[str, Any]
    claims: tuple[Claim, ...]
    units: int
    done: int
    diverged: int
    failures: tuple[str, ...]
    cpu_seconds: float
    seconds: float
    versions: Mapping[str, str]
    machine: str
    commit: str | None

    def path(self, folder: Path = RESULTS) -> Path:
        """Where it is kept: ``DEVICE/ID-SIZE.json``; data other than digits and a seed other than 0 are in the name."""
        data, seed = str(self.settings["data"]), self.settings["seed"]
        extra = ("" if data == "digits" else f"-{data_name(data)}") + (f"-seed{seed}" if seed else "")
        return folder / str(self.settings["device"]) / f"{self.id}-{self.settings['size']}{extra}.json"

    def more_complete(self, folder: Path = RESULTS) -> Evidence | None:
        """What is kept under the same path, if more of its units have a result; what cannot be read is no evidence."""
        try:
            kept = load_evidence(self.path(folder))
        except DomainError:
            return None
        return kept if kept.done > self.done else None

    def write(self, folder: Path = RESULTS) -> Path:
        """Write it, complete or not at all."""
        path = self.path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = {"schema_version": SCHEMA_VERSION, **asdict(self), "claims": [c.to_dict() for c in self.claims]}
        return write_atomically(path, (laid_out(rounded(plain), "") + "\n").encode())

    def __str__(self) -> str:
        rows = [
            [
                claim.id,
                shown(claim.estimate),
                shown(claim.standard_error),
                shown(claim.prediction),
                shown(claim.rival),
                claim.verdict,
            ]
            for claim in self.claims
        ]
        notes = [f"{self.done} of {self.units} units, {self.diverged} diverged; {self.cpu_seconds:.0f} s of work"]
        notes += [f"limits: {self.limits}"] if self.limits else []
        columns = ["claim", "estimate", "s.e.", "predicted or bar", "rival", "verdict"]
        return render_table(f"{self.id}: {self.title}", columns, rows, [*notes, *self.failures])


def evidence_of(
    experiment: Experiment,
    settings: Settings,
    claims: Sequence[Claim],
    counts: Mapping[str, Any],
    rows: Sequence[Row],
) -> Evidence:
    """Evidence of a run that has just ended; `counts` are the fields from `units` to `seconds`, `rows` its results."""
    import scipy
    import torch

    return Evidence(
        id=experiment.id,
        title=experiment.title,
        question=experiment.question,
        limits=experiment.limits,
        settings={key: str(value) if key != "seed" else value for key, value in asdict(settings).items()},
        claims=tuple(claims),
        versions=versions_of(rows, {**provenance(), "scipy": scipy.__version__, "torch": torch.__version__}),
        machine=machines_of(rows, machine(settings.device)),
        commit=commits_of(rows, commit()),
        **counts,
    )


def load_evidence(path: Path) -> Evidence:
    """What `Evidence.write` wrote.

    Raises
    ------
    DomainError
        The file is not there, was cut short, or holds something else.
    """
    try:
        data = json.loads(path.read_text())
        data.pop("schema_version")
        data["claims"] = tuple(Claim.from_dict(claim) for claim in data["claims"])
        data["failures"] = tuple(data["failures"])
        for name in ("size", "device", "data", "seed"):
            data["settings"][name]
        return Evidence(**data)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DomainError(
            f"'{path}' cannot be read as evidence ({type(error).__name__}: {error}).",
            "There is no such file, or it was cut short, changed by hand, or written by something else.",
            "Name a file or a folder that python -m validation run wrote, and remove what is broken.",
        ) from error


def all_evidence(folder: Path = RESULTS) -> list[Evidence]:
    """Everything that is kept in a folder, by device, experiment and size."""
    return [load_evidence(path) for path in sorted(folder.glob("*/E[0-9]*-*.json"))]


def machine(device: str) -> str:
    """The processor, or the GPU."""
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name())
    return processor()


def shown(number: float | None) -> str:
    """A number for a table."""
    return "" if number is None else f"{number:.4g}"


def rounded(value: Any) -> Any:
    """Plain data for JSON: eight digits, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if hasattr(value, "tolist"):
        return rounded(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def laid_out(value: Any, margin: str) -> str:
    """JSON with one line for what fits on a line."""
    short = json.dumps(value, allow_nan=False, ensure_ascii=False)
    if len(margin) + len(short) <= _LINE or not isinstance(value, (dict, list)):
        return short
    inner = margin + " "
    if isinstance(value, dict):
        items = [f"{inner}{json.dumps(key)}: {laid_out(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{margin}}}"
    return "[\n" + ",\n".join(inner + laid_out(item, inner) for item in value) + f"\n{margin}]"
