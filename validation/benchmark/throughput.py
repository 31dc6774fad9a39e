"""What is kept of a benchmark: member-steps a second beside the limits of the machine, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpdeep.result import SCHEMA_VERSION, render_table, write_atomically

from ..evidence import RESULTS, laid_out, rounded, shown
from .contenders import ENSEMBLE, GRAPHS, ONE_BY_ONE

COLUMNS = (
    "width",
    "depth",
    "members",
    "one by one",
    "ensemble",
    "graphs",
    "ratio",
    "of fp32",
    "of memory",
    "estimate",
    "H200 (estimate)",
    "memory",
)


@dataclass(frozen=True)
class Timing:
    """One case.

    Parameters
    ----------
    width, depth, members, steps, rounds : int
    member_steps : mapping of str to float
        A second, by contender.
    ratio : float
        Best of the ensemble over one by one.
    of_rate, of_bandwidth : float
        Shares of the measured ceilings that the best of the ensemble reaches.
    estimate, estimate_h200 : mapping of str to float or None
        Member-steps a second from the formulas: with the ceilings of this machine, and with those of an H200's data
        sheet.
    memory, memory_asked : int or None
        Bytes at the height of training, and what the ensemble asks for beforehand.
    """

    width: int
    depth: int
    members: int
    steps: int
    rounds: int
    member_steps: Mapping[str, float | None]
    ratio: float
    of_rate: float
    of_bandwidth: float
    estimate: Mapping[str, float | None]
    estimate_h200: Mapping[str, float | None]
    memory: int | None
    memory_asked: int

    def cells(self) -> tuple[str, ...]:
        """For a table, by `COLUMNS`."""
        fastest = GRAPHS if self.estimate.get(GRAPHS) else ENSEMBLE
        return (
            f"{self.width}",
            f"{self.depth}",
            f"{self.members}",
            *(shown(self.member_steps.get(name)) for name in (ONE_BY_ONE, ENSEMBLE, GRAPHS)),
            f"{self.ratio:.2f}",
            f"{self.of_rate:.0%}",
            f"{self.of_bandwidth:.0%}",
            shown(self.estimate[fastest]),
            f"{shown(self.estimate_h200[ENSEMBLE])}, graphs {shown(self.estimate_h200[GRAPHS])}",
            "" if self.memory is None else f"{self.memory / 2**20:.0f} MiB",
        )


@dataclass(frozen=True)
class Throughput:
    """A benchmark on one device.

    Parameters
    ----------
    settings : mapping
        size, device, seed.
    ceilings : mapping
        rate (operations a second), bandwidth (bytes a second), launch and replay (seconds).
    timings : tuple of Timing
    cpu_seconds, seconds : float
    load : float
        The highest that the machine had meanwhile: processes that wanted a processor, this one among them.
    versions : mapping of str to str
    machine : str
    commit : str or None
    """

    settings: Mapping[str, Any]
    ceilings: Mapping[str, float | None]
    timings: tuple[Timing, ...]
    cpu_seconds: float
    seconds: float
    load: float
    versions: Mapping[str, str]
    machine: str
    commit: str | None

    def path(self, folder: Path = RESULTS) -> Path:
        """Where it is kept: ``DEVICE/benchmark-SIZE.json``."""
        return folder / str(self.settings["device"]) / f"benchmark-{self.settings['size']}.json"

    def write(self, folder: Path = RESULTS) -> Path:
        """Write it, complete or not at all."""
        path = self.path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = {"schema_version": SCHEMA_VERSION, "id": "benchmark", **asdict(self)}
        return write_atomically(path, (laid_out(rounded(plain), "") + "\n").encode())

    @property
    def title(self) -> str:
        """What was measured, where."""
        return f"member-steps a second ({self.settings['size']}, {self.settings['device']}, {self.machine})"

    @property
    def notes(self) -> tuple[str, ...]:
        """How to read the table."""
        c = self.ceilings
        launch = f"a launch {1e6 * (c['launch'] or 0):.2g} µs"
        launch += f", {1e6 * c['replay']:.2g} µs in a graph" if c["replay"] else ""
        time = "device" if self.settings["device"] == "cuda" else "processor"
        return (
            f"Ceilings in this run: {(c['rate'] or 0) / 1e9:.4g} GF/s of fp32 products, "
            f"{(c['bandwidth'] or 0) / 1e9:.4g} GB/s of copies, {launch}.",
            f"Least {time} time of contenders in turn, one thread. The ratio and the shares are those of the faster "
            "ensemble; estimates come from formulas, with these ceilings and with an H200's.",
            f"The machine's load was at most {self.load:.1f}; beside busy neighbours all figures are low.",
        )

    def __str__(self) -> str:
        return render_table(self.title, COLUMNS, [timing.cells() for timing in self.timings], self.notes)


def load_throughput(path: Path) -> Throughput:
    """What `Throughput.write` wrote."""
    data = json.loads(path.read_text())
    data.pop("schema_version")
    data.pop("id")
    data["timings"] = tuple(Timing(**timing) for timing in data["timings"])
    return Throughput(**data)


def all_throughputs(folder: Path = RESULTS) -> Sequence[Throughput]:
    """Everything that is kept in a folder, by device and size."""
    return [load_throughput(path) for path in sorted(folder.glob("*/benchmark-*.json"))]
