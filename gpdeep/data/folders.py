"""Idx files by the names that MNIST and its relatives give them, and what reading from a disk may run into."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import DomainError

Part = Literal["train", "t10k"]
Kind = Literal["images-idx3-ubyte", "labels-idx1-ubyte"]

_LISTED = 12
_IN_WORDS = {"train": "training", "t10k": "test", "images-idx3-ubyte": "images", "labels-idx1-ubyte": "labels"}


def find_idx(folder: Path, part: Part, kind: Kind) -> Path:
    """The file of `kind` of the training or test part in `folder`: also with a dot, and with ``.gz``.

    Raises
    ------
    DomainError
        There is none under any of these names.
    """
    name = f"{part}-{kind}"
    dotted = name.replace("-idx", ".idx")
    for spelling in (name, dotted, f"{name}.gz", f"{dotted}.gz"):
        if (folder / spelling).is_file():
            return folder / spelling
    there = sorted(entry.name for entry in folder.iterdir())
    listed = ", ".join(there[:_LISTED]) + (", ..." if len(there) > _LISTED else "")
    raise DomainError(
        f"The folder '{folder}' holds no {_IN_WORDS[part]} {_IN_WORDS[kind]}; its {len(there)} entries: "
        f"{listed or 'none'}.",
        "The idx files lie in a folder further down, or have other names.",
        f"Give the folder that holds {name} (or its .gz), or the path of the file itself."
        if (part, kind) == ("train", "images-idx3-ubyte")
        else f"Give the folder that holds {name} (or its .gz), beside the other files of the data set.",
    )


@contextlib.contextmanager
def reading_from(path: Path) -> Iterator[None]:
    """Within it, what the file system refuses becomes a `DomainError` about `path`."""
    try:
        yield
    except FileNotFoundError as error:
        raise DomainError(
            f"There is no file or folder '{path}' (seen from '{Path.cwd()}').",
            "A typing error, or the path is relative to another folder.",
            "Give an existing path, or 'digits' for the built-in images.",
        ) from error
    except OSError as error:
        raise DomainError(
            f"'{path}' cannot be read ({type(error).__name__}: {error}).",
            "Missing permission, or a disk that is not reachable.",
            "Give a file that this user may read.",
        ) from error
