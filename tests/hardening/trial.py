"""One call with hostile arguments, judged: it answers, or refuses in three parts; nothing else may be seen."""

from __future__ import annotations

import functools
import importlib
import inspect
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import good_calls
import hostile_values
import numpy as np
from good_calls import importable

import gpdeep
from gpdeep.errors import GpdeepError, ValidityWarning

OS_ERRORS = ("load", "depth.read_runs", "finite.AngleLaw.save", "plots.save_figure")
"""Calls that name a file: what the file system says of it passes through, as their docstrings announce."""


def tables() -> Iterator[ModuleType]:
    """The tables of good calls whose dependencies are installed."""
    yield good_calls
    if importable("torch"):
        yield importlib.import_module("good_torch_calls")
    if importable("matplotlib"):
        yield importlib.import_module("good_picture_calls")


@functools.cache
def calls() -> dict[str, Callable[[], dict[str, Any]]]:
    """All good calls of this environment."""
    return {name: arguments for table in tables() for name, arguments in table.CALLS.items()}


@functools.cache
def values() -> dict[str, Callable[[], Any]]:
    """All hostile values of this environment."""
    found = dict(hostile_values.HOSTILE)
    if importable("torch"):
        found |= hostile_values.torch_values(importlib.import_module("torch"))
    return found


@functools.cache
def find(name: str) -> Callable[..., Any]:
    """The function, class or method of that public name; what follows a blank is a remark."""
    parts = name.partition(" ")[0].split(".")
    found: Any = gpdeep
    if parts[0] == "depth":  # a room without a name on the first page
        found, parts = importlib.import_module("gpdeep.depth"), parts[1:]
    for part in parts:
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


@functools.cache
def names_of_arguments(name: str) -> tuple[str, ...]:
    """The arguments that a user may give, `*name` for one that collects; not `self`, not options collected by name."""
    signature = inspect.signature(find(name))
    kinds = [(p.name, p.kind) for p in signature.parameters.values() if p.name != "self"]
    return tuple(
        ("*" if kind is kind.VAR_POSITIONAL else "") + argument
        for argument, kind in kinds
        if kind is not kind.VAR_KEYWORD
    )


@functools.cache
def places() -> tuple[tuple[str, str], ...]:
    """Every argument of every call."""
    return tuple((name, argument) for name in calls() for argument in names_of_arguments(name))


def arguments_with(name: str, hostile: dict[str, str]) -> dict[str, Any]:
    """The good arguments of a call, made afresh, with hostile values by name in place of some."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, that it will do without quantised tensors one day
        made = calls()[name]()
        for argument, value in hostile.items():
            given = values()[value]()
            made[argument] = (given, *made.get(argument, ())[1:]) if argument.startswith("*") else given
    return made


def call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """`function` of arguments by name, those of a `*name` one after another."""
    given = dict(arguments)
    place = [given.pop("self")] if "self" in given else []
    collected = next((name for name in given if name.startswith("*")), None)
    if collected is not None:
        for name in inspect.signature(function).parameters:
            if name == collected[1:]:
                break
            if name in given:
                place.append(given.pop(name))
        place += given.pop(collected)
    return function(*place, **given)


def finding(function: Callable[..., Any], arguments: dict[str, Any], *, files: bool = False) -> str | None:
    """What a call shows that it should not: None, or a line that says what and where.

    `files`: the call names a file, and what the file system says of it may pass.
    """
    before = {name: _seen(value) for name, value in arguments.items() if name not in ("self", "out")}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call(function, arguments)
        except GpdeepError as error:
            if not all(isinstance(p, str) and p.strip() for p in (error.found, error.cause, error.change)):
                return f"an error without its three parts: {error}"
        except Exception as error:
            if not _own(error, arguments) and not (files and isinstance(error, OSError)):
                return f"{type(error).__name__}: {_text(error)} [{_place(error)}]"
    for warning in caught:
        if not issubclass(warning.category, ValidityWarning):
            where = f"{warning.filename.rpartition('/gpdeep/')[2]}:{warning.lineno}"
            return f"{warning.category.__name__}: {str(warning.message)[:200]} [{where}]"
    changed = [name for name, value in before.items() if value != _seen(arguments[name])]
    return f"changed its argument {', '.join(changed)}" if changed else None


def trial(name: str, hostile: dict[str, str]) -> str | None:
    """`finding` of a call of the tables, whole sentence."""
    found = finding(find(name), arguments_with(name, hostile), files=name in OS_ERRORS)
    given = ", ".join(f"{argument} = {value}" for argument, value in hostile.items())
    return None if found is None else f"{name} with {given}: {found}"


def _own(error: Exception, arguments: dict[str, Any]) -> bool:
    """Whether it comes out of a hostile object itself, and thus is the user's: gpdeep lets it through untouched.

    That is: it was raised in a function of `hostile_values`, or in the call of a module of torch that was an argument.
    """
    given = {id(value) for value in arguments.values()}
    trace, innermost = error.__traceback__, None
    while trace is not None:
        innermost = trace.tb_frame
        if innermost.f_code.co_name == "_wrapped_call_impl" and id(innermost.f_locals.get("self")) in given:
            return True
        trace = trace.tb_next
    return innermost is not None and innermost.f_code.co_filename == hostile_values.__file__


def _text(error: Exception) -> str:
    try:
        return str(error)[:200]
    except ValueError:  # an integer of thousands of digits in it
        return "unspeakable"


def _place(error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/gpdeep/" in frame.filename]
    return " < ".join(f"{f.filename.rpartition('/gpdeep/')[2]}:{f.lineno} {f.name}" for f in reversed(frames[-3:]))


def _seen(value: Any, depth: int = 0) -> Any:
    """What of an argument a call must leave as it is: the numbers it holds."""
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), repr(value.tolist()) if value.dtype.hasobject else value.tobytes()
    if isinstance(value, (list, tuple)) and depth < 4:
        return [_seen(entry, depth + 1) for entry in value]
    if isinstance(value, dict) and depth < 4:
        return [(repr(key), _seen(entry, depth + 1)) for key, entry in value.items()]
    if type(value).__module__ == "torch" and hasattr(value, "detach"):
        try:
            return value.detach().clone().numpy().tobytes(), value.requires_grad
        except (TypeError, RuntimeError, NotImplementedError, AttributeError):
            return None  # without values that could change
    return value if isinstance(value, (float, int, str, bytes)) and value == value else None


def numbers_of(result: Any) -> list[Any]:
    """All numbers in an answer, in order: of arrays, tuples, mappings and results."""
    if isinstance(result, np.ndarray):
        return [np.asarray(result, dtype=np.float64).ravel()] if result.dtype.kind in "iufb" else []
    if isinstance(result, (float, int, np.number)):
        return [np.array([float(result)])]
    if isinstance(result, dict):
        return [number for value in result.values() for number in numbers_of(value)]
    if isinstance(result, (list, tuple)):
        return [number for value in result for number in numbers_of(value)]
    fields = getattr(result, "__dataclass_fields__", {})
    return [number for name in fields if hasattr(result, name) for number in numbers_of(getattr(result, name))]
