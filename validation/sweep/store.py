"""What a sweep knows, in one SQLite file: a row a unit, written by the driver alone.

The write-ahead log lets others read while a sweep runs, and a driver that is killed at any moment leaves each row whole
or absent. Beside ``FILE`` lie ``FILE.arrays/`` (one ``.npz`` for each unit that has arrays) and ``FILE.lock``.
The file must be on a local disk: SQLite's log does not work on network file systems. Workers never touch it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import socket
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gpdeep.result import write_atomically

from .arrays import read_arrays, remove_partial_files, write_arrays
from .compute import Record
from .errors import StoreBusyError, StoreError
from .lock import only_driver
from .row import SELECT, TABLE, UPSERT, Row, columns_of, row_of
from .trouble import as_store_errors

_FORMAT = 1
_APPLICATION = 0x67706477  # "gpdw": the file says whose it is


class Store:
    """The results of sweeps in the file `path`, made if it is not there.

    Parameters
    ----------
    path : path
        On a local disk; by convention ``NAME.sqlite``.

    Raises
    ------
    StoreError
        The file cannot be opened or made, or belongs to something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._arrays = self.path.with_name(f"{self.path.name}.arrays")
        with as_store_errors(self.path, "open"):
            self._base = sqlite3.connect(self.path, isolation_level=None, timeout=30.0)
        try:
            with as_store_errors(self.path, "open"):
                self._prepare()
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a full disk does not hinder it."""
        with contextlib.suppress(sqlite3.Error):
            self._base.close()

    # ------------------------------------------------------------------ reading

    def get(self, key: str) -> Row | None:
        """The row of unit `key`."""
        with as_store_errors(self.path, "read"):
            found = self._base.execute(f"{SELECT} WHERE key = ?", (key,)).fetchone()
        return None if found is None else row_of(found)

    def rows(self, status: str | None = None) -> Iterator[Row]:
        """All rows, or those that are ``done``, ``failed`` or ``crashed``, by key."""
        with as_store_errors(self.path, "read"):
            for found in self._base.execute(f"{SELECT} WHERE ? IN (status, '') ORDER BY key", (status or "",)):
                yield row_of(found)

    def arrays(self, key: str) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of unit `key`; empty where it has none."""
        row = self.get(key)
        if row is None or not row.arrays:
            return {}
        with as_store_errors(self.path, f"read the arrays of {key} in"):
            return read_arrays(self._arrays, key)

    def known(self) -> dict[str, tuple[str, bool, str]]:
        """Status, divergence and function of each key."""
        with as_store_errors(self.path, "read"):
            found = self._base.execute("SELECT key, status, diverged, function FROM unit").fetchall()
        return {key: (status, bool(diverged), function) for key, status, diverged, function in found}

    def export(self, path: str | os.PathLike[str], keys: Collection[str] | None = None) -> Path:
        """Write rows (all, or those of `keys`) as JSON that git can compare: sorted by key, one entry a line.

        Arrays are named, not written; the name of the machine stays here. The file appears complete or not at all.
        """
        wanted = None if keys is None else set(keys)
        units = [dataclasses.asdict(row) for row in self.rows() if wanted is None or row.key in wanted]
        for unit in units:
            del unit["host"]
        text = json.dumps({"schema_version": _FORMAT, "units": units}, indent=1, sort_keys=True, allow_nan=False)
        return write_atomically(Path(path), f"{text}\n".encode())

    # ------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def driving(self, wait: float = 0.0) -> Iterator[None]:
        """The right to write, for one driver at a time.

        Raises
        ------
        StoreBusyError
            Another driver has it, and still had it after `wait` seconds.
        """
        lock = self.path.with_name(f"{self.path.name}.lock")
        with contextlib.ExitStack() as stack:
            with as_store_errors(lock, "lock"):
                taken = stack.enter_context(only_driver(lock, wait))
            if not taken:
                raise self._busy(wait)
            with as_store_errors(self.path, "write to"):
                driver = (
                    os.getpid(),
                    socket.gethostname(),
                    datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
                )
                self._base.execute("INSERT OR REPLACE INTO driver VALUES (1, ?, ?, ?)", driver)
            remove_partial_files(self._arrays)
            yield

    def write(
        self, function: str, members: Iterable[tuple[str, str, Record]], tries: int, commit: str | None = None
    ) -> None:
        """Keep the records of one call: all of them or, on an error, none. A row that is done stays as it is.

        Parameters
        ----------
        members : iterable of (key, canonical JSON of the specification, Record)
            The call's members.
        tries : int
            How often they were begun.

        Raises
        ------
        StoreError
            The disk is full, for instance; what was kept before is still there.
        """
        members = list(members)
        with as_store_errors(self.path, f"keep unit {members[0][0]} in"):
            for key, _, record in members:
                if record.arrays:
                    write_arrays(self._arrays, key, record.arrays)
            with self._transaction():
                columns = [columns_of(key, text, function, record, tries, commit) for key, text, record in members]
                self._base.executemany(UPSERT, columns)

    # ------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:  # SQLite has rolled back by itself after some errors
                with contextlib.suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        empty = (
            self._one("SELECT count(*) FROM sqlite_schema") == 0
        )  # asked first: another driver may just be making it
        pragma = {name: self._one(f"PRAGMA {name}") for name in ("application_id", "user_version")}
        if not empty and pragma != {"application_id": _APPLICATION, "user_version": _FORMAT}:
            raise StoreError(
                f"'{self.path}' is an SQLite file, but no store of this version ({pragma}).",
                "It belongs to another program, or to another version of this one.",
                "Give another file name.",
            )
        if self._one("PRAGMA journal_mode = WAL") != "wal":
            raise StoreError(
                f"'{self.path}' cannot have a write-ahead log.",
                "It lies on a network file system.",
                "Put the store on a local disk.",
            )
        self._base.execute("PRAGMA synchronous = NORMAL")  # whole after a kill; power loss may cost the last rows
        if empty:
            with self._transaction():
                self._base.execute(TABLE)
                self._base.execute(
                    "CREATE TABLE IF NOT EXISTS driver (one INTEGER PRIMARY KEY, pid INTEGER, host TEXT, since TEXT)"
                )
                self._base.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._base.execute(f"PRAGMA user_version = {_FORMAT}")

    def _one(self, question: str) -> Any:
        return self._base.execute(question).fetchone()[0]

    def _busy(self, waited: float) -> StoreBusyError:
        with as_store_errors(self.path, "read"):
            pid, host, since = self._base.execute("SELECT pid, host, since FROM driver").fetchone() or (None,) * 3
        return StoreBusyError(
            f"Another driver (process {pid} on {host}, since {since}) works on '{self.path}'; waited {waited:g} s.",
            "The same sweep, or another one with the same store, is running.",
            "Wait for it or stop it (what is done is kept), let this one wait (wait=SECONDS), or use another store.",
        )
