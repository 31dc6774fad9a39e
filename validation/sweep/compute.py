"""What a worker does: call the unit's function, and bring back its outcome or its error as plain data.

Nothing that the function raises leaves this file as an exception, so an error that cannot be pickled, or that stands
for something else to the executor, does no harm; what remains for the executor to report is the death of a process.
Only a KeyboardInterrupt that may be somebody's Ctrl-C goes on.
"""

from __future__ import annotations

import datetime
import importlib
import platform
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .outcome import Outcome, outcome_of
from .processor import processor
from .unit import Function

_VERSIONED = ("gpdeep", "numpy", "scipy", "torch")
_LONGEST_ERROR = 4000


@dataclass(frozen=True)
class Record:
    """What is kept of one member of a call."""

    status: str  # done | failed | crashed
    result: str | None = None
    diverged: bool = False
    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    error: str | None = None
    host: str | None = None
    started: str | None = None
    ended: str | None = None
    cpu_seconds: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None

    def __post_init__(self) -> None:
        if self.error is not None:  # surrogates, as of file names that are not UTF-8, could be neither kept nor printed
            object.__setattr__(self, "error", self.error.encode("utf-8", "backslashreplace").decode())


def compute(
    function: Function, specifications: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], batched: bool
) -> list[Record]:
    """The records of the members of one call, in their order."""
    started, cpu = _now(), time.process_time()
    outcomes: list[Outcome | str]
    try:
        call = _imported(function) if isinstance(function, str) else function
        if batched:
            answers = list(call(list(specifications), **settings))
            if len(answers) != len(specifications):
                raise ValueError(f"{len(answers)} outcomes came back for the {len(specifications)} members of a batch.")
        else:
            answers = [call(specifications[0], **settings)]
        outcomes = [_kept(answer) for answer in answers]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _signals_come_here():
            raise
        outcomes = [_described(error)] * len(specifications)
    about: dict[str, Any] = {
        "host": socket.gethostname(),
        "started": started,
        "ended": _now(),
        "cpu_seconds": (time.process_time() - cpu) / len(specifications),
        "versions": _versions(),
    }
    return [_record(outcome, about) for outcome in outcomes]


def _kept(answer: Any) -> Outcome | str:
    """The outcome, or the reason why it cannot be kept: a member's own fault."""
    try:
        outcome = outcome_of(answer)
        _ = outcome.json, outcome.numeric_arrays
    except Exception as error:
        return _described(error)
    return outcome


def _record(outcome: Outcome | str, about: Mapping[str, Any]) -> Record:
    if isinstance(outcome, str):
        return Record("failed", error=outcome, device=_device(), **about)
    return Record(
        "done",
        result=outcome.json,
        diverged=outcome.diverged,
        arrays=outcome.numeric_arrays,
        device=outcome.device or _device(),
        **about,
    )


def _imported(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"'{function}' is a {type(found).__name__}, not a function.")
    return found  # type: ignore[no-any-return]


def _signals_come_here() -> bool:
    """Whether Ctrl-C can have raised KeyboardInterrupt here; elsewhere, as in our workers, only the function can."""
    return threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    )


def _described(error: BaseException) -> str:
    """The error with the end of its traceback, from the unit's own code on."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join(lines)[-_LONGEST_ERROR:].rstrip()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _versions() -> dict[str, str]:
    """Versions of Python and of those libraries that the process has loaded."""
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in _VERSIONED}
    return {"python": platform.python_version(), **{name: str(found) for name, found in loaded.items() if found}}


def _device() -> str:
    """The GPU that the process uses through torch, or the name of its CPU; torch is not loaded for the question."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    return f"cpu ({processor()})"
