"""One row of the store: what a unit was, how it ended, and where."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .compute import Record

TABLE = """
CREATE TABLE IF NOT EXISTS unit (
    key TEXT PRIMARY KEY,
    specification TEXT NOT NULL,
    function TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed', 'crashed')),
    diverged INTEGER NOT NULL,
    result TEXT,
    arrays TEXT NOT NULL,
    error TEXT,
    tries INTEGER NOT NULL,
    host TEXT,
    started TEXT,
    ended TEXT,
    cpu_seconds REAL,
    versions TEXT NOT NULL,
    device TEXT,
    "commit" TEXT
) WITHOUT ROWID
"""

_COLUMNS = (
    "key", "specification", "function", "status", "diverged", "result", "arrays", "error", "tries", "host", "started",
    "ended", "cpu_seconds", "versions", "device", "commit",
)  # fmt: skip

SELECT = "SELECT " + ", ".join(f'"{column}"' for column in _COLUMNS) + " FROM unit"

# What is done stays as it is; the tries of earlier runs are added to a unit that is tried again.
UPSERT = (
    f"INSERT INTO unit VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(
        f'"{column}" = ' + ("unit.tries + excluded.tries" if column == "tries" else f'excluded."{column}"')
        for column in _COLUMNS[1:]
    )
    + " WHERE unit.status <> 'done'"
)


@dataclass(frozen=True)
class Row:
    """What the store knows of one unit.

    Attributes
    ----------
    key : str
        24 hexadecimal digits.
    specification : dict
        What was computed.
    function : str
        ``module:name``.
    status : str
        ``done``, ``failed`` (the function raised) or ``crashed`` (its process died again and again).
    diverged : bool
        The network diverged; such a unit is done.
    result : dict or None
        The values that the function returned.
    arrays : tuple of str
        Names of its arrays, see `Store.arrays`.
    error : str or None
        The traceback of a failed unit, the cause of a crash.
    tries : int
        How often it was begun, over all runs.
    host, started, ended, cpu_seconds, versions, device, commit
        Where, when (UTC) and with what it was computed; CPU seconds of its process, a batch's in equal shares.
    """

    key: str
    specification: Mapping[str, Any]
    function: str
    status: str
    diverged: bool
    result: Mapping[str, Any] | None
    arrays: tuple[str, ...]
    error: str | None
    tries: int
    host: str | None
    started: str | None
    ended: str | None
    cpu_seconds: float | None
    versions: Mapping[str, str]
    device: str | None
    commit: str | None


def row_of(found: sqlite3.Row | tuple[Any, ...]) -> Row:
    """The row from what `SELECT` gives."""
    values = dict(zip(_COLUMNS, found, strict=True))
    for name in ("specification", "versions", "arrays"):
        values[name] = json.loads(values[name])
    values["result"] = None if values["result"] is None else json.loads(values["result"])
    return Row(**{**values, "arrays": tuple(values["arrays"]), "diverged": bool(values["diverged"])})


def columns_of(
    key: str, specification: str, function: str, record: Record, tries: int, commit: str | None
) -> tuple[Any, ...]:
    """What `UPSERT` takes."""
    return (
        key, specification, function, record.status, int(record.diverged), record.result,
        json.dumps(sorted(record.arrays)), record.error, tries, record.host, record.started, record.ended,
        record.cpu_seconds, json.dumps(record.versions), record.device, commit,
    )  # fmt: skip
