"""What can be wrong with a store's file, in the user's terms."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .errors import StoreError

_FULL = (
    "The disk, a quota or a limit on the size of files is reached",
    "Make room and run the same again: what was done is kept and will be skipped.",
)
_CLOSED = (
    "The folder does not exist, or it may not be written to",
    "Make the folder, or give a path that can be written.",
)
_DAMAGED = (
    "The file is not what its name says, or it was damaged",
    "Move it away and give another path, or restore a copy.",
)
_TAKEN = ("Another program holds the file for longer than 30 s", "Close what has it open.")

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FULL,
    sqlite3.SQLITE_READONLY: _CLOSED,
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_BUSY: _TAKEN,
    sqlite3.SQLITE_LOCKED: _TAKEN,
}
_SYSTEM = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO), _FULL)


@contextlib.contextmanager
def as_store_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the system raise inside into `StoreError`."""
    try:
        yield
    except sqlite3.ProgrammingError:  # such as the use of a closed store: a mistake in the program, not in the file
        raise
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise _store_error(path, doing, f"{error}, {name}", *_SQLITE.get(primary, _DAMAGED)) from error
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise _store_error(path, doing, str(error), *_DAMAGED) from error
    except StoreError:
        raise
    except OSError as error:
        raise _store_error(path, doing, str(error), *_SYSTEM.get(error.errno or 0, _CLOSED)) from error


def _store_error(path: Path, doing: str, what: str, cause: str, change: str) -> StoreError:
    room = ""
    if cause == _FULL[0]:
        with contextlib.suppress(OSError):
            room = f" ({shutil.disk_usage(path.parent).free / 2**20:.3g} MiB are free there)"
    return StoreError(f"Could not {doing} '{path}': {what}.", f"{cause}{room}.", change)
