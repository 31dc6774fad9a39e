"""From a figure's name to its files: the picture in each format, its numbers, and a line in figures.json."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpdeep.result import provenance, write_atomically
from validation.sweep.revision import commit

from .catalogue import Entry
from .drawing import style

INDEX = "figures.json"
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Producer": None},
    "svg": {"Date": None},
}


@dataclass(frozen=True)
class Written:
    """What one figure has become."""

    name: str
    files: tuple[str, ...]
    seconds: float
    record: Mapping[str, Any]


def write_figure(entry: Entry, parameters: Mapping[str, Any], out: Path, formats: Sequence[str]) -> Written:
    """Draw one figure and write its files into `out`, each complete or not at all."""
    start = time.perf_counter()
    drawing = entry.draw(**parameters)
    names = []
    for ending in formats:
        buffer = io.BytesIO()
        with style():
            drawing.figure.savefig(buffer, format=ending, metadata=_UNDATED[ending])
        names.append(write_atomically(out / f"{entry.name}.{ending}", buffer.getvalue()).name)
    names.append(write_atomically(out / f"{entry.name}.csv", drawing.numbers.csv().encode()).name)
    record = {
        "title": entry.module.TITLE,
        "parameters": {
            key: str(value) if isinstance(value, Path) else value
            for key, value in {**entry.parameters, **parameters}.items()
        },
        "evidence": dict(drawing.evidence),
        "notes": list(drawing.notes),
        "files": names,
        "versions": provenance(),
        "commit": commit(),
    }
    return Written(entry.name, tuple(names), time.perf_counter() - start, record)


def write_index(out: Path, written: Sequence[Written]) -> Path:
    """Say what every figure in `out` was made from; what an earlier run wrote about others stays."""
    path = out / INDEX
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {each.name: each.record for each in written}
    return write_atomically(path, (json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
