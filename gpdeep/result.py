"""What every result shares: status, the inputs it rests on, a dictionary form, and a file form.

A result is a frozen dataclass that derives from `Result`. Its fields may be numbers, strings, None,
numpy arrays, enumerations, tuples, mappings and further dataclasses; the annotations are enough to rebuild
it, so ``load(path)`` returns an object equal to the one that was saved, infinities and NaN included.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import importlib
import json
import math
import os
import platform
import sys
import tempfile
import types
import typing
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DomainError

SCHEMA_VERSION = 1

# spelt out: numpy's NDArray is a different kind of alias from Python 3.12 on, which `_decode` could not look into
FloatArray = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]
IntArray = np.ndarray[tuple[Any, ...], np.dtype[np.int64]]
BoolArray = np.ndarray[tuple[Any, ...], np.dtype[np.bool_]]


class StatusCode(enum.StrEnum):
    """How far an answer may be trusted."""

    OK = "ok"
    OUTSIDE_VALIDITY = "outside_validity"
    NOT_CONVERGED = "not_converged"


@dataclasses.dataclass(frozen=True)
class Status:
    """Code and messages; the messages say why the code is not `ok`, or what the reader should know."""

    code: StatusCode = StatusCode.OK
    messages: tuple[str, ...] = ()

    def __and__(self, other: Status) -> Status:
        """The worse code of the two and the messages of both, each once."""
        order = list(StatusCode)
        worse = max(self.code, other.code, key=order.index)
        return Status(worse, tuple(dict.fromkeys(self.messages + other.messages)))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Base of all results: what it says about itself, and how it is kept."""

    status: Status = Status()

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types; NaN and infinities become None."""
        return typing.cast(dict[str, Any], _encode(self, lambda value: None))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result to `path` as strict JSON; `gpdeep.load` reads it back without loss.

        The file appears complete or not at all: it is written under a temporary name and renamed.

        Raises
        ------
        OSError
            The file cannot be written; nothing is left behind.
        DomainError
            `path` names no file.
        """
        return write_atomically(
            path_of(path),
            json.dumps(
                {
                    "schema_version": SCHEMA_VERSION,
                    "result": f"{_public_home(type(self))}:{type(self).__qualname__}",
                    "provenance": provenance(),
                    "data": _encode(self, str),
                },
                allow_nan=False,
            ).encode(),
        )

    def __eq__(self, other: object) -> bool:
        """Equal when of one type with equal fields (NaN equals NaN, arrays elementwise)."""
        if type(other) is not type(self):
            return NotImplemented
        return bool(_encode(self, str) == _encode(other, str))

    __hash__ = None  # type: ignore[assignment]


def render_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A plain-text table with right-aligned columns, a title above and notes below."""
    import io

    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False, header_style="")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(file=io.StringIO(), width=200, color_system=None, markup=False, highlight=False)
    console.print(table)
    text = typing.cast(io.StringIO, console.file).getvalue()
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def shown_layers(depth: int) -> list[int]:
    """The layers that a table of a network of `depth` layers shows: 1, 2, 5, every tenth (fewer if many), the last."""
    step = max(10, depth // 80 * 10)
    return sorted({layer for layer in (1, 2, 5, *range(10, depth, step), depth) if layer <= depth})


def load(path: str | os.PathLike[str]) -> Any:
    """The result that `Result.save` wrote to `path`.

    Raises
    ------
    DomainError
        The file is not one of gpdeep's results.
    OSError
        There is no such file, or it cannot be read.
    """
    file = path_of(path)
    try:
        record = json.loads(file.read_text())
        if record["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {record['schema_version']!r}; this version reads {SCHEMA_VERSION}")
        module, _, name = record["result"].partition(":")
        if module.partition(".")[0] != "gpdeep":
            raise ValueError(f"result type {record['result']!r}")
        cls = getattr(importlib.import_module(module), name)
        if not issubclass(cls, Result):
            raise TypeError(f"{name} is not a result")
        return _decode(cls, record["data"])
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, ArithmeticError, RecursionError) as error:
        raise DomainError(
            f"'{path}' does not hold a gpdeep result ({type(error).__name__}: {error}).",
            "The file was written by something else, by a newer gpdeep, or was cut short.",
            "Give a file that was written by a result's .save(path) with this version.",
        ) from error


def path_of(path: Any) -> Path:
    """`path` as the path of a file, which need not exist.

    Raises
    ------
    DomainError
        It is neither text nor a path, is empty, or holds characters that no file system has.
    """
    try:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"it is of the type {type(path).__name__}")
        found = Path(path)
        if not found.name or b"\0" in os.fsencode(found):
            raise ValueError("it names no file")
    except (TypeError, ValueError) as error:
        named = f"'{path!s:.200}'" if isinstance(path, (str, os.PathLike)) else f"a {type(path).__name__}"
        raise DomainError(
            f"A file is named by {named}: {error}.",
            "A variable was empty, or the content of a file was given in place of its name.",
            "Give the name of a file, such as 'result.json'.",
        ) from error
    return found


def provenance() -> dict[str, str]:
    """Versions of what computed a result."""
    import gpdeep

    return {"gpdeep": gpdeep.__version__, "python": platform.python_version(), "numpy": np.__version__}


def write_atomically(path: Path, content: bytes) -> Path:
    """Write `content` to `path` so that a reader sees the old file or the whole new one.

    Raises
    ------
    OSError
        It cannot be written; the error names `path`, not the temporary file beside it.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:  # an ordinary new file: permissions as the user's umask has them
            file.write(content)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    return path


def made_folder(option: str, path: Path) -> Path:
    """The folder `path`, made where it is not there; a file can be written into it.

    Raises
    ------
    DomainError
        It cannot be made or written to; `option` is the name under which the user gave it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"0")
    except OSError as error:
        raise DomainError(
            f"{option} {path}: nothing can be written there ({error.strerror}).",
            "A file is in its place, it belongs to somebody else, or the disk is full.",
            "Name another folder.",
        ) from error
    return path


def _public_home(cls: type) -> str:
    """The outermost package that shows `cls`: where it is found again when files move within it."""
    parts = cls.__module__.split(".")
    homes = [".".join(parts[:length]) for length in range(1, len(parts))]
    return next((home for home in homes if getattr(sys.modules[home], cls.__name__, None) is cls), cls.__module__)


def _encode(value: Any, non_finite: Callable[[float], Any]) -> Any:
    """`value` in JSON types, with `non_finite` applied to NaN and infinities."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _encode(getattr(value, field.name), non_finite) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return _encode(value.tolist(), non_finite)
        return value.tolist()
    if isinstance(value, np.generic):
        return _encode(value.item(), non_finite)
    if isinstance(value, Mapping):
        return {str(key): _encode(item, non_finite) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item, non_finite) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return non_finite(value)
    return value


def _decode(hint: Any, value: Any) -> Any:
    """The inverse of `_encode` for an annotation `hint`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        inner = [arg for arg in args if arg is not type(None)]
        matching = [arg for arg in inner if _accepts(arg, value)] or inner
        return _decode(matching[0], value)
    if origin is np.ndarray:
        dtype = typing.get_args(args[1])[0]
        return np.array(value, dtype=object).astype(dtype) if _has_text(value) else np.array(value, dtype)
    if origin is tuple:
        items = (args[0],) * len(value) if len(args) == 2 and args[1] is Ellipsis else args
        return tuple(_decode(arg, item) for arg, item in zip(items, value, strict=True))
    if origin in (dict, Mapping):
        return {key: _decode(args[1], item) for key, item in value.items()}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{name: _decode(hints[name], item) for name, item in value.items()})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if hint is float:
        return float(value)
    return value


def _accepts(hint: Any, value: Any) -> bool:
    """Whether a member of a union can hold the JSON value."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return isinstance(value, dict)
    if typing.get_origin(hint) in (np.ndarray, tuple):
        return isinstance(value, list)
    if hint is float:
        return isinstance(value, (int, float)) or value in ("nan", "inf", "-inf")
    return isinstance(hint, type) and isinstance(value, hint)


def _has_text(value: Any) -> bool:
    """Whether a nested list holds a spelled-out NaN or infinity."""
    if isinstance(value, list):
        return any(_has_text(item) for item in value)
    return isinstance(value, str)
