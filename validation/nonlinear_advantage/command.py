"""``python -m validation.nonlinear_advantage``: run, print tables, keep the evidence."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from gpdeep.cli.output import answer, progress
from gpdeep.errors import DomainError, GpdeepError

RESULTS = Path(__file__).parents[1] / "results" / "cpu" / "nonlinear_advantage.json"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def nonlinear_advantage(
    task: Annotated[
        list[str] | None, typer.Option(help="sum, digit or teacher4; repeat for several. Default: sum and digit.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions; each takes a minute or two a task.")] = 5,
    epochs: Annotated[int | None, typer.Option(help="Instead of each task's own number.")] = None,
    omega: Annotated[list[float] | None, typer.Option(help="A penalty, instead of each task's own; repeat.")] = None,
    threads: Annotated[int, typer.Option(help="Of torch; more than one only on a machine that is idle.")] = 1,
    out: Annotated[Path, typer.Option(help="Where the evidence goes.")] = RESULTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the evidence instead of tables.")] = False,
) -> None:
    """Compare networks that lose their nonlinearity early in training with those that lose it late.

    After every seed what is done goes to FILE.partial, which an interrupted run leaves behind.

    Exit codes: 0 done, 1 interrupted or failed, 2 usage, 3 networks diverged or penalties are too weak.
    """
    try:
        from .evidence import Evidence
        from .experiment import run

        partial = out.with_name(out.name + ".partial")
        begun = time.perf_counter()

        def keep(evidence: Evidence) -> None:
            evidence.write(partial)
            if not sys.stderr.isatty():
                name, found = list(evidence.tasks.items())[-1]
                seed = found.members[-1].seed
                print(
                    f"{name}, seed {seed}: {time.perf_counter() - begun:.0f} s since start", file=sys.stderr, flush=True
                )

        with progress("nonlinear advantage") as report:
            evidence = run(
                task or ("sum", "digit"),
                seeds,
                epochs=epochs,
                omegas=omega,
                threads=threads,
                progress=report,
                keep=keep,
            )
        evidence.write(out)
        partial.unlink(missing_ok=True)
        raise typer.Exit(answer([evidence], as_json))
    except KeyboardInterrupt:
        kept = f"finished seeds are in {partial}" if partial.exists() else "no seed was finished"
        print(f"Interrupted: {kept}.", file=sys.stderr)
        raise typer.Exit(1) from None
    except GpdeepError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, DomainError) else 1) from None


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m validation.nonlinear_advantage")
