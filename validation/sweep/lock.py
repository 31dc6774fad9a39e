"""One driver at a time: a lock that the operating system takes back when its holder ends, however it ends.

The lock is an open write transaction on a small SQLite file beside the store, in which nothing is ever written. SQLite
locks files on every system, also against a second use in the same process, and a child process does not inherit the
lock. A file that merely exists, or a row that says "taken", would outlive a driver that is killed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

_SECONDS_BETWEEN_KNOCKS = 0.1


@contextlib.contextmanager
def only_driver(path: Path, wait: float) -> Iterator[bool]:
    """Whether this driver has the lock `path`, for as long as the context is open; `wait` is in seconds."""
    lock = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        lock.execute("CREATE TABLE IF NOT EXISTS lock (held)")  # an empty file would need a journal to be locked
        lock.execute("PRAGMA busy_timeout = 0")
        until = time.monotonic() + wait
        while not (taken := _take(lock)) and time.monotonic() < until:
            time.sleep(_SECONDS_BETWEEN_KNOCKS)
        yield taken
    finally:
        lock.close()


def _take(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True
