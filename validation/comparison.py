"""Two runs side by side: which verdicts differ, and which estimates moved.

In folders, runs are compared that were asked for the same: experiment, size, data and seed. Device, versions and
commit may differ; they are what a comparison is for. Two files are compared whatever they were asked for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from gpdeep.errors import DomainError
from gpdeep.result import render_table

from .claim import Claim
from .data.source_names import data_name
from .evidence import DIGITS, Evidence, load_evidence, shown

_Asked = tuple[str, str, str, int]  # experiment, size, data, seed


@dataclass(frozen=True)
class _Run:
    """Evidence and the file that it is in."""

    path: Path
    evidence: Evidence

    @property
    def device(self) -> str:
        return str(self.evidence.settings["device"])

    @property
    def asked(self) -> _Asked:
        """What it was asked for, the device apart."""
        settings = self.evidence.settings
        return self.evidence.id, str(settings["size"]), self._data, int(settings["seed"])

    @property
    def _data(self) -> str:
        """Data as the file's name tells them: two machines keep the same data in different folders."""
        id, settings = self.evidence.id, self.evidence.settings
        head, tail = f"{id}-{settings['size']}-", f"-seed{settings['seed']}" if settings["seed"] else ""
        data, stem = str(settings["data"]), self.path.stem
        known = data in ("digits", "templates") or not stem.startswith(head)
        return data_name(data) if known else stem.removeprefix(head).removesuffix(tail)

    def __str__(self) -> str:
        return f"{_told(self)}, {self.device}"


def compared(first: Path, second: Path) -> tuple[str, bool]:
    """Tables of what two runs, or two folders of them, say about the same claims, and whether a verdict differs.

    Raises
    ------
    DomainError
        The two have no run in common, or one of them holds two that were asked for the same.
    """
    one, two = _read(first), _read(second)
    files = not first.is_dir() and not second.is_dir()
    pairs = list(zip(one, two, strict=True)) if files else _pairs(one, two)
    if not pairs or pairs[0][0].evidence.id != pairs[0][1].evidence.id:
        raise DomainError(
            f"'{first}' ({_listed(one)}) and '{second}' ({_listed(two)}) have nothing in common.",
            "They are of other experiments, sizes, data or seeds; only what was asked for the same is compared.",
            "Name two files of one experiment: these are compared whatever their settings are.",
        )
    tables, changed = [], False
    for a, b in pairs:
        rows, differs = _rows(a.evidence, b.evidence)
        changed |= differs
        settings = f"{_told(a)}: {a.device} and {b.device}" if a.asked == b.asked else f"{a} and {b}"
        title = f"{a.evidence.id} ({settings}): {a.path} beside {b.path}"
        tables.append(f"{title}\n{render_table('', ['claim', 'first', 'verdict', 'second', 'verdict', ''], rows)}")
    alone = [
        f"Only {place} holds {run.evidence.id} ({run})."
        for place, runs, side in ((first, one, 0), (second, two, 1))
        for run in runs
        if run not in [pair[side] for pair in pairs]
    ]
    return "\n\n".join([*tables, *(["\n".join(alone)] if alone else [])]), changed


def _pairs(one: list[_Run], two: list[_Run]) -> list[tuple[_Run, _Run]]:
    """Runs of the same settings; of one device where there is a choice."""
    pairs = []
    left, right = _by_settings(one), _by_settings(two)
    for asked in sorted(left.keys() & right.keys()):
        a, b = left[asked], right[asked]
        both = sorted(a.keys() & b.keys())
        pairs += [(a[device], b[device]) for device in both]
        others = zip(sorted(a.keys() - b.keys()), sorted(b.keys() - a.keys()), strict=False)
        pairs += [(a[device], b[other]) for device, other in others]
    return pairs


def _by_settings(runs: list[_Run]) -> dict[_Asked, dict[str, _Run]]:
    found: dict[_Asked, dict[str, _Run]] = defaultdict(dict)
    for run in runs:
        other = found[run.asked].setdefault(run.device, run)
        if other is not run:
            raise DomainError(
                f"'{other.path}' and '{run.path}' are both {run.evidence.id} ({run}).",
                "A copy lies beside the evidence.",
                "Name one of the two files instead of their folder.",
            )
    return found


def _rows(one: Evidence, two: Evidence) -> tuple[list[list[str]], bool]:
    """The rows of a table, and whether a verdict differs."""
    first, second = ({claim.id: claim for claim in each.claims} for each in (one, two))
    rows, changed = [], False
    for id in sorted(first.keys() | second.keys()):
        a, b = first.get(id), second.get(id)
        mark = ""
        if a is not None and b is not None:
            differs = a.verdict != b.verdict
            changed |= differs
            mark = "differs" if differs else _moved(a.estimate, b.estimate)
        rows.append([id, *_side(a), *_side(b), mark])
    return rows, changed


def _moved(a: float | None, b: float | None) -> str:
    """By how much an estimate moved; empty where both are the same to the digits that are kept.

    >>> _moved(0.25, 0.2500001), _moved(0.25, 0.250000001), _moved(None, None), _moved(1.0, None)
    ('moved by 1e-07', '', '', 'moved')
    """
    numbers = [number for number in (a, b) if number is not None and math.isfinite(number)]
    if len(numbers) < 2:
        return "moved" if numbers else ""
    change = numbers[1] - numbers[0]
    least = 10.0 ** (1 - DIGITS) * max(map(abs, numbers))  # each is rounded by half of that at most
    return f"moved by {change:.2g}" if abs(change) > least else ""


def _side(claim: Claim | None) -> tuple[str, str]:
    return ("", "missing") if claim is None else (shown(claim.estimate), claim.verdict)


def _told(run: _Run) -> str:
    _, size, data, seed = run.asked
    return f"{size}, {data}, seed {seed}"


def _listed(runs: list[_Run]) -> str:
    return "; ".join(f"{run.evidence.id} {run}" for run in runs)


def _read(path: Path) -> list[_Run]:
    files = [*sorted(path.glob("*/E[0-9]*-*.json")), *sorted(path.glob("E[0-9]*-*.json"))] if path.is_dir() else [path]
    if not files:
        raise DomainError(
            f"'{path}' holds no evidence.", "It is another folder.", "Name one that python -m validation run wrote."
        )
    return [_Run(file, load_evidence(file)) for file in files]
