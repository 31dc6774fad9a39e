"""Bulk arrays beside the store: one ``.npz`` file a unit, there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_PARTIAL = ".partial-"


def write_arrays(folder: Path, key: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write the arrays of unit `key`: under a temporary name, forced to disk, then renamed.

    Raises
    ------
    OSError
        The disk is full; nothing is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{_PARTIAL}{uuid.uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, _path(folder, key))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_arrays(folder: Path, key: str) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of unit `key`."""
    with _path(folder, key).open("rb") as file, np.load(file, allow_pickle=False) as archive:  # closed if it is damaged
        return dict(archive)


def remove_partial_files(folder: Path) -> None:
    """Remove what a driver left that was killed while it wrote."""
    for path in folder.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.npz"
