"""``python -m validation``: list, run, benchmark, report, compare.

Exit codes: 0 done and nothing speaks against theory, 1 failed or interrupted, 2 usage, 3 a claim is refuted, a bar is
missed, or units are lacking.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gpdeep.errors import DomainError, GpdeepError
from gpdeep.gaussian.arguments import whole
from gpdeep.result import made_folder

from .experiment import Settings, Size

app = typer.Typer(
    help="Theory beside networks that are really trained.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
_STORE = Path(__file__).parent / ".store"
Results = Annotated[Path | None, typer.Option(help="Folder of the evidence; default validation/results.")]


@app.command("list")
def list_() -> None:
    """Say which experiments there are, and how many networks each size has."""
    from gpdeep.result import render_table

    from .catalogue import IDS, experiment
    from .sweep import Batch

    rows = []
    for id in IDS:
        found = experiment(id)
        counts = []
        for size in Size:
            units = found.plan(Settings(size=size))
            counts.append(str(sum(len(u.specifications) if isinstance(u, Batch) else 1 for u in units)))
        rows.append([id, *counts, found.question])
    print(render_table("experiments", ["id", *Size, "question"], rows))


@app.command()
def run(
    experiments: Annotated[list[str], typer.Argument(metavar="E1...", help="E1 to E6, or all.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    size: Annotated[Size, typer.Option(help="How much is computed.")] = Size.QUICK,
    data: Annotated[str, typer.Option(help="digits, templates, or a folder with idx files.")] = "digits",
    seed: Annotated[int, typer.Option(help="Root of all streams.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes of one thread each.")] = 1,
    store: Annotated[
        Path | None, typer.Option(help="SQLite file of what is computed; default validation/.store/DEVICE.sqlite.")
    ] = None,
    results: Results = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Compute again what failed or crashed in earlier runs.")
    ] = False,
) -> None:
    """Compute what is lacking, judge it, and write the evidence.

    What was computed stays in the store: an interrupted run goes on where it was. So do failures, until --retry.
    """
    from .catalogue import chosen
    from .running import run_experiment

    settings = Settings(size=size, device=device, data=data, seed=_seed(seed))
    _require(device)
    _require_data(data)
    store = store or _STORE / f"{device}.sqlite"
    made_folder("The folder of --store", store.parent)
    folder = _folder(results)
    doubts = 0
    for each in chosen(experiments):
        found = run_experiment(each, settings, store=store, workers=workers, progress=True, retry=retry)
        print(found, flush=True)
        better = found.more_complete(folder)
        if not found.done:
            kept = "no unit has a result: no evidence is written"
        elif better is not None:
            kept = f"{found.path(folder)} stays as it is: {better.done} units are done in it, {found.done} in this run"
            kept += "; move it away if this run is to replace it"
        else:
            kept = str(found.write(folder))
        if found.failures:
            kept += (
                f"\nunits without a result: {len(found.failures)}; the same command with --retry computes them again"
            )
        print(f"{kept}\n", file=sys.stderr)
        lacking = found.done < found.units or better is not None
        doubts += lacking or any(claim.good is False for claim in found.claims)
    raise typer.Exit(3 if doubts else 0)


@app.command()
def benchmark(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    size: Annotated[Size, typer.Option(help="How much is timed; full is for a GPU.")] = Size.QUICK,
    seed: Annotated[int, typer.Option(help="Of weights and samples.")] = 0,
    results: Results = None,
) -> None:
    """Time ensembles beside networks one by one, and on a GPU beside replayed ones, against the machine's limits."""
    from .benchmark import measure

    seed = _seed(seed)
    _require(device)
    folder = _folder(results)
    found = measure(
        device,
        size,
        seed,
        tell=lambda t: print(f"{t.width} x {t.depth}, {t.members} members: ratio {t.ratio:.2f}", file=sys.stderr),
    )
    print(found, flush=True)
    print(found.write(folder), file=sys.stderr)


@app.command()
def report(
    results: Results = None,
    out: Annotated[Path | None, typer.Option(help="Where index.html and report.md go; default: the results.")] = None,
) -> None:
    """Write one HTML page and one Markdown file of all evidence: claims, verdicts, what was run, what failed."""
    from .benchmark import all_throughputs
    from .evidence import RESULTS, all_evidence
    from .report import write_report

    folder = results or RESULTS
    found = all_evidence(folder)
    if not found:
        raise DomainError(
            f"'{folder}' holds no evidence.", "Nothing has been run yet.", "Run python -m validation run all first."
        )
    for path in write_report(found, made_folder("--out", out or folder), all_throughputs(folder)):
        print(path)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A folder of evidence, or one of its files.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
) -> None:
    """Say which verdicts differ between two runs, and which estimates moved; exit code 3 where a verdict differs.

    In folders, runs of the same experiment, size, data and seed are compared; devices and versions may differ.
    Two files are compared whatever their settings are.
    """
    from .comparison import compared

    table, changed = compared(first, second)
    print(table)
    raise typer.Exit(3 if changed else 0)


def _seed(seed: int) -> int:
    """A root of streams that numpy and torch take."""
    return whole("--seed", seed, 0, 2**63 - 1, "is the root of all streams")


def _folder(results: Path | None) -> Path:
    """Where evidence goes; that it can go there is known before the work."""
    from .evidence import RESULTS

    return made_folder("--results", results or RESULTS)


def _require(device: str) -> None:
    """Refuse a device that is not there."""
    if device not in ("cpu", "cuda"):
        raise DomainError(f"--device {device}.", "The name is misspelt.", "Use cpu or cuda.")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise DomainError(
                "--device cuda, and torch sees no GPU.",
                "This machine has none, or torch is its CPU build.",
                "Use --device cpu, or install a CUDA build of torch.",
            )


def _require_data(data: str) -> None:
    """Refuse data that no experiment could read, before the first unit."""
    from .data import prepared

    if data not in ("digits", "templates"):
        prepared(data)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="python -m validation", standalone_mode=True)
    except KeyboardInterrupt:
        print("Interrupted: what was computed is in the store; run the same command again.", file=sys.stderr)
        sys.exit(1)
    except GpdeepError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, DomainError) else 1)
    except OSError as error:
        print(
            GpdeepError(
                f"{type(error).__name__}: {error}",
                "A file cannot be read or written.",
                "Check the space left; what was computed is in the store, and the same command goes on from there; "
                "with --retry it computes again what failed meanwhile.",
            ),
            file=sys.stderr,
        )
        sys.exit(1)
