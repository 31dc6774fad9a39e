"""All evidence on one page: HTML that needs nothing else, and Markdown that git shows."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gpdeep.result import write_atomically

from .benchmark.throughput import COLUMNS as TIMES
from .benchmark.throughput import Throughput
from .claim import Claim, Kind
from .evidence import Evidence, shown
from .pictures import picture

_COLUMNS = ("claim", "what is claimed", "estimate", "predicted", "rival", "verdict")
_CLASSES = {True: "good", False: "bad", None: "open"}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #00704f; --bad: #b3401a; --open: #666; }
@media (prefers-color-scheme: dark) { :root { --good: #3fc79a; --bad: #ff8a5c; --open: #aaa; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .4rem .6rem; }
tr { border-top: 1px solid var(--line); } .verdict { font-weight: 600; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
.small { color: var(--open); font-size: .875rem; }
svg { max-width: 100%; height: auto; display: block; margin: .5rem 0; }
@media (max-width: 45rem) { table, tbody, tr, td { display: block; } thead { display: none; }
  td { padding: .1rem 0; } td::before { content: attr(data-name) ": "; color: var(--open); } tr { padding: .6rem 0; } }
"""


def write_report(found: Sequence[Evidence], folder: Path, times: Sequence[Throughput] = ()) -> tuple[Path, Path]:
    """Write ``index.html`` and ``report.md`` into a folder, each complete or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    return (
        write_atomically(folder / "index.html", page(found, times).encode()),
        write_atomically(folder / "report.md", markdown(found, times).encode()),
    )


def page(found: Sequence[Evidence], times: Sequence[Throughput] = ()) -> str:
    """The HTML page; `times` of benchmarks stand at its end."""
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>gpdeep: theory beside trained networks</title><style>{_STYLE}</style></head><body>",
        "<h1>Theory beside trained networks</h1>",
        f"<p>{_totals(found)}</p>",
    ]
    for evidence in found:
        parts.append(f"<h2 id='{evidence.id}-{evidence.settings['size']}'>{html.escape(_heading(evidence))}</h2>")
        parts.append(f"<p>{html.escape(evidence.question)}</p>")
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        rows = "".join(_row(claim) for claim in evidence.claims)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        parts += [f"<p class=small>Limits: {html.escape(evidence.limits)}</p>"] if evidence.limits else []
        parts.append(f"<p class=small>{html.escape(_run(evidence))}</p>")
        parts += [f"<p class='small bad'>Without a result: {html.escape(text)}</p>" for text in evidence.failures]
    for throughput in times:
        parts.append(f"<h2>Benchmark: {html.escape(throughput.title)}</h2>")
        head = "".join(f"<th>{name}</th>" for name in TIMES)
        rows = "".join(_cells_row(TIMES, timing.cells()) for timing in throughput.timings)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        parts += [f"<p class=small>{html.escape(note)}</p>" for note in (*throughput.notes, _origin(throughput))]
    return "\n".join([*parts, "</body></html>\n"])


def markdown(found: Sequence[Evidence], times: Sequence[Throughput] = ()) -> str:
    """The Markdown file."""
    lines = ["# Theory beside trained networks", "", _totals(found), ""]
    for evidence in found:
        lines += [f"## {_heading(evidence)}", "", evidence.question, ""]
        lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
        lines += [
            "| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(claim)) + " |" for claim in evidence.claims
        ]
        lines += ["", f"Limits: {evidence.limits}", ""] if evidence.limits else [""]
        lines += [_run(evidence), ""]
        lines += [f"Without a result: {text}" for text in evidence.failures]
    for throughput in times:
        lines += ["", f"## Benchmark: {throughput.title}", ""]
        lines += ["| " + " | ".join(TIMES) + " |", "|" + "---|" * len(TIMES)]
        lines += ["| " + " | ".join(timing.cells()) + " |" for timing in throughput.timings]
        lines += ["", *(f"{note}\n" for note in (*throughput.notes, _origin(throughput)))]
    return "\n".join(lines).rstrip() + "\n"


def _totals(found: Sequence[Evidence]) -> str:
    counts = Counter(claim.verdict for evidence in found for claim in evidence.claims)
    told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
    return f"{sum(counts.values())} claims: {told}."


def _heading(evidence: Evidence) -> str:
    settings = evidence.settings
    return f"{evidence.id}: {evidence.title} ({settings['size']}, {settings['device']}, {settings['data']})"


def _run(evidence: Evidence) -> str:
    return f"{evidence.done} of {evidence.units} units, {evidence.diverged} diverged; {_origin(evidence)}"


def _origin(found: Evidence | Throughput) -> str:
    return (
        f"{found.cpu_seconds:.0f} s of work on {found.machine}; seed {found.settings['seed']}; "
        + ", ".join(f"{name} {version}" for name, version in found.versions.items())
        + f"; commit {found.commit}."
    )


def _cells(claim: Claim) -> tuple[str, ...]:
    error = "" if claim.standard_error is None else f" ± {claim.standard_error:.2g}"
    number = "" if claim.n is None else f" (n = {claim.n})"
    bound = "" if not claim.truncation else f" ± {claim.truncation:.2g}"
    said = shown(claim.prediction) + bound
    if claim.kind is Kind.BAR and claim.prediction is not None:
        said = f"bar {said}"
    rival = "" if claim.rival is None else f"{claim.rival_name or 'rival'}: {shown(claim.rival)}"
    notes = " ".join(text for text in (claim.limits, claim.power) if text)
    statement = claim.statement + (f" [{claim.source}]" if claim.source else "") + (f" {notes}" if notes else "")
    return (claim.id, statement, shown(claim.estimate) + error + number, said, rival, claim.verdict)


def _row(claim: Claim) -> str:
    cells = [html.escape(cell) for cell in _cells(claim)]
    cells[1] += picture(claim)
    classes = ["", "", "", "", "", f" class='verdict {_CLASSES[claim.good]}'"]
    marked = zip(_COLUMNS, classes, cells, strict=True)
    return "<tr>" + "".join(f"<td data-name='{name}'{kind}>{cell}</td>" for name, kind, cell in marked) + "</tr>"


def _cells_row(names: Sequence[str], cells: Sequence[str]) -> str:
    """A row without classes."""
    marked = zip(names, cells, strict=True)
    return "<tr>" + "".join(f"<td data-name='{name}'>{html.escape(cell)}</td>" for name, cell in marked) + "</tr>"
