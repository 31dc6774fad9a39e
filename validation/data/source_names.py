"""The name under which results know the data that networks were trained on."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


def data_name(data: str) -> str:
    """What the key of a result calls the data: of a folder its name and what its files hold, not where it lies.

    Two folders of one name with other files are other data; a copy elsewhere is the same.

    >>> data_name("digits"), data_name("somewhere/fashion-mnist/")
    ('digits', 'fashion-mnist')
    """
    name = data.replace("\\", "/").rstrip("/").rpartition("/")[2]
    if data in ("digits", "templates") or not Path(data).is_dir():
        return name
    return f"{name}-{_fingerprint(Path(data).resolve())}"


@functools.cache
def _fingerprint(folder: Path) -> str:
    """Eight digits of a hash of names and contents; read once a process."""
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
