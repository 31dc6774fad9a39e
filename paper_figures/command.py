"""``python -m paper_figures [NAME...]``: draw the figures, all or some, with one's own parameters.

Exit codes: 0 all drawn, 1 a figure failed (the others are there) or interrupted, 2 usage, a refused --set included.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Annotated, Any

import typer

from gpdeep.errors import DomainError, GpdeepError
from gpdeep.result import made_folder
from validation.sweep.pool import HealingPool

from .catalogue import Entry, chosen, entries
from .writing import Written, read_index, write_figure, write_index

FORMATS = ("png", "pdf", "svg")
_INDENT = " " * 26

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def figures(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Figures or subjects; all.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the files; it is made.")] = Path("figures"),
    format: Annotated[str, typer.Option(help="png, pdf, svg; several with commas.")] = "png,pdf",
    set: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, a parameter of the one figure drawn.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    list: Annotated[bool, typer.Option("--list", help="Say which figures there are, and their parameters.")] = False,
) -> None:
    """Draw the papers' figures and write their numbers.

    Every figure becomes SUBJECT/NAME.png, .pdf and .csv in the folder --out; figures.json says what each was made from.
    """
    if list:
        print(_listed(), flush=True)
        return
    formats = _formats(format)
    found = chosen(names or [])
    parameters = _parameters(found, set or [])
    if workers < 1:
        raise DomainError(f"--workers {workers}.", "It counts processes.", "Use 1 or more.")
    made_folder("--out", out)
    read_index(out)  # if it cannot be read, better before than after the work
    failed = []
    for entry, result in _drawn(found, parameters, out, formats, workers):
        if isinstance(result, Written):
            write_index(out, [result])
            print(f"{result.seconds:6.1f} s  {' '.join(str(out / name) for name in result.files)}", flush=True)
        else:
            failed.append(entry)
            print(f"{entry.name}: {_told(result, parameters)}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(found)} figures were not drawn.", file=sys.stderr)
        raise typer.Exit(2 if parameters and isinstance(result, DomainError) else 1)


def _drawn(
    found: Sequence[Entry], parameters: Mapping[str, Any], out: Path, formats: Sequence[str], workers: int
) -> Iterator[tuple[Entry, Written | Exception]]:
    """Each figure as it is done, or what kept it from being drawn: whatever befalls one, the others are drawn."""
    if workers == 1 or len(found) == 1:
        for entry in found:
            try:
                yield entry, write_figure(entry, parameters, out, formats)
            except Exception as fault:
                yield entry, fault
        return
    pool = HealingPool(min(workers, len(found)))
    try:
        waiting = {pool.submit(write_figure, entry, parameters, out, formats): entry for entry in found}
        for future in as_completed(waiting):
            reason = future.exception()
            yield waiting[future], reason if isinstance(reason, Exception) else future.result()
    finally:
        pool.kill()  # the user may have stopped it


def _told(fault: Exception, parameters: Mapping[str, Any]) -> str:
    """What is said of a figure that was not drawn."""
    if isinstance(fault, MemoryError) and not isinstance(fault, GpdeepError):
        given = ", ".join(f"{name}={value}" for name, value in parameters.items()) or "its own parameters"
        fault = GpdeepError(
            f"The memory of this machine is too small for {given}" + (f" ({fault})." if str(fault) else "."),
            "A parameter has digits too many.",
            "Set it smaller, or leave --set out.",
        )
    return str(fault) if isinstance(fault, (GpdeepError, OSError)) else f"{type(fault).__name__}: {fault}"


def _formats(text: str) -> list[str]:
    formats = [*dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip())]
    unknown = [each for each in formats if each not in FORMATS]
    if unknown or not formats:
        raise DomainError(
            f"--format {text}.", "A format is missing or not written here.", f"Use some of {', '.join(FORMATS)}."
        )
    return formats


def _parameters(found: Sequence[Entry], given: Sequence[str]) -> dict[str, Any]:
    if not given:
        return {}
    if len(found) != 1:
        raise DomainError(
            f"--set with {len(found)} figures.", "Figures have parameters of their own.", "Name one figure."
        )
    pairs: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise DomainError(f"--set {each}.", "The = is missing.", "Write it as in --set width=64.")
        if name in pairs:
            raise DomainError(
                f"--set {name}={pairs[name]} and --set {each}.",
                "A parameter was set twice; a list of numbers is one value with commas, as in widths=16,64.",
                "Set it once; figures with several values are drawn one after the other.",
            )
        pairs[name] = value
    return found[0].read(pairs)


def _listed() -> str:
    """Subjects, their figures, and beneath each what `--set` takes."""
    lines = []
    for subject, some in itertools.groupby(entries(), key=lambda entry: entry.subject):
        lines.append(subject)
        for entry in some:
            lines.append(f"  {entry.name:22}  {entry.module.TITLE}")
            given = [shlex.quote(f"{name}={value}") for name, value in entry.parameters.items() if name != "results"]
            lines += textwrap.wrap(" ".join(given), 100, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return "\n".join(lines)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="python -m paper_figures", standalone_mode=True)
    except KeyboardInterrupt:
        print("Interrupted: the figures that were done are there.", file=sys.stderr)
        sys.exit(1)
    except GpdeepError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, DomainError) else 1)
    except OSError as error:  # of what is printed: a figure's own is told with the figure
        with contextlib.suppress(OSError):  # what is left to print would fail once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"The output cannot be written: {error.strerror or error}.", file=sys.stderr)
        sys.exit(1)
