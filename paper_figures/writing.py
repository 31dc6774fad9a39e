"""From a figure's name to its files: the picture in each format, its numbers, and a line in figures.json."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpdeep.errors import DomainError
from gpdeep.result import provenance, write_atomically
from validation.evidence import RESULTS
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
    contents = {}
    logging.getLogger("fontTools").setLevel(
        logging.ERROR
    )  # it warns of fonts without a date: these have none on purpose
    for ending in formats:
        buffer = io.BytesIO()
        with style():
            drawing.figure.savefig(buffer, format=ending, metadata=_UNDATED[ending])
        contents[ending] = buffer.getvalue()
    contents["csv"] = drawing.numbers.csv().encode()
    (out / entry.subject).mkdir(exist_ok=True)
    names = [f"{entry.subject}/{entry.name}.{ending}" for ending in contents]
    for name, content in zip(names, contents.values(), strict=True):
        write_atomically(out / name, content)
    record = {
        "title": entry.module.TITLE,
        "parameters": {key: value for key, value in entry.parameters.items() if value != str(RESULTS)}
        | dict(parameters),
        "evidence": dict(drawing.evidence),
        "notes": list(drawing.notes),
        "files": names,
        "versions": provenance(),
        "commit": commit(),
    }
    return Written(entry.name, tuple(names), time.perf_counter() - start, record)


def read_index(out: Path) -> dict[str, Any]:
    """What `write_index` wrote into `out`; nothing if it has not.

    Raises
    ------
    DomainError
        The file holds something else.
    """
    path = out / INDEX
    if not path.exists():
        return {}
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        known = error
    if not isinstance(known, dict):
        raise DomainError(
            f"{path} cannot be read as an index of figures.",
            "Another program wrote it, or it was changed by hand.",
            "Remove it, or name another folder with --out.",
        )
    return known


def write_index(out: Path, written: Sequence[Written]) -> Path:
    """Say what every figure in `out` was made from; what an earlier run wrote about others stays."""
    known = read_index(out) | {each.name: dict(each.record) for each in written}
    text = json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return write_atomically(out / INDEX, text.encode())
