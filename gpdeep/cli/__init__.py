"""The command line: one file a sub-command, each one call of a public function and then printing.

Data go to stdout, everything else to stderr. Exit codes: 0 answer; 1 computation failed; 2 usage; 3 answer given but
outside its validity or not converged. With 1 and 2 stdout stays empty.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import typer
from threadpoolctl import threadpool_limits

from ..errors import DomainError, GpdeepError, ValidityWarning
from .about import cite, schema, version
from .calibrate import calibrate
from .check import check
from .clip import clip
from .depth import depth
from .eoc import eoc
from .explore import explore
from .geodesic import geodesic
from .maps import maps
from .path_length import path_length

_INTERRUPTED = 130  # what typer returns for Ctrl-C
_USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
    name="gpdeep",
    help="How deep can this network be, and why?",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("depth")(depth)
app.command("maps")(maps)
app.command("eoc")(eoc)
app.command("clip")(clip)
app.command("geodesic")(geodesic)
app.command("path-length")(path_length)
app.command("check")(check)
app.command("calibrate")(calibrate)
app.command("explore")(explore)
app.command("cite")(cite)
app.command("schema")(schema)


@app.callback()
def _root(
    version_wanted: bool = typer.Option(
        False, "--version", callback=version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """How deep can this network be, and why?"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the entry point of the ``gpdeep`` command."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115  closed by the caller, as in `gpdeep ... 2>&-`
    if sys.stdout is None:
        return _fail(
            GpdeepError(
                "Standard output is closed.",
                "The command was started with >&-, so that its answer has nowhere to go.",
                "Leave >&- out; > /dev/null throws the answer away.",
            )
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without θ gets a question mark, not a traceback
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", ValidityWarning)  # part of the answer's status
        warnings.showwarning = _show_warning
        try:
            threadpool_limits(1)  # small matrices: more threads only get in each other's way on a busy machine
            result = app(arguments, standalone_mode=False, prog_name="gpdeep")
        except _USAGE_ERROR as error:
            context = getattr(error, "ctx", None)
            return _fail(
                DomainError(
                    error.format_message(),
                    "The command line does not fit the command.",
                    f"See: {context.command_path if context else 'gpdeep'} --help",
                )
            )
        except (typer.Abort, KeyboardInterrupt):
            print("Interrupted; nothing was written.", file=sys.stderr)
            return 1
        except GpdeepError as error:
            return _fail(error)
        except (ArithmeticError, ValueError, MemoryError) as error:
            return _fail(
                GpdeepError(
                    f"{type(error).__name__}: {error}",
                    "A number is far out of the usual range, or this is a mistake in gpdeep.",
                    "Use more usual numbers; if they are, please report the command.",
                )
            )
        except BrokenPipeError:  # the reader went away, as in `gpdeep ... | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except OSError as error:
            return _fail(
                GpdeepError(
                    f"{type(error).__name__}: {error}",
                    "A file cannot be read or written.",
                    "Check the path, the permissions and the space left.",
                )
            )
    if result == _INTERRUPTED:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 1
    return int(result or 0)


def _fail(error: GpdeepError) -> int:
    """Print the three-part message; usage errors are 2, failures of the computation 1."""
    with contextlib.suppress(OSError):  # a full disk under stderr changes nothing about the exit code
        print(error, file=sys.stderr, flush=True)
    return 2 if isinstance(error, DomainError) else 1


def _show_warning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    print(f"{category.__name__}: {message}", file=sys.stderr)
