"""What computed the results of a run: versions, machines and commits of the rows, which several runs may have left.

A store outlives processes: what is judged today may have been computed last year by another version. So each text
names all that the rows name, in the order in which they came, and the present process only where it judges with
something that no row was computed with: ``a, b; judged with c``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .sweep import Row

UNKNOWN = "unknown"


def commits_of(rows: Sequence[Row], judge: str | None) -> str | None:
    """The commits of the rows; ``unknown`` among them where some were computed without git.

    Parameters
    ----------
    rows : sequence of Row
    judge : str or None
        The commit of the present process.
    """
    names = [row.commit or UNKNOWN for row in _in_time(rows)]
    told = _told(names, judge or UNKNOWN)
    return None if told == UNKNOWN else told


def versions_of(rows: Sequence[Row], judge: Mapping[str, str]) -> dict[str, str]:
    """The versions of the rows; a library that no row's process had loaded has the present version."""
    ordered = _in_time(rows)
    names = dict.fromkeys([*judge, *(name for row in ordered for name in row.versions)])
    return {
        name: _told([row.versions[name] for row in ordered if name in row.versions], judge.get(name)) for name in names
    }


def machines_of(rows: Sequence[Row], here: str) -> str:
    """Processors and GPUs on which the rows were computed; `here` where there is no row."""
    names = [row.device.removeprefix("cpu (").removesuffix(")") if row.device else UNKNOWN for row in _in_time(rows)]
    return _told(names or [here], None)


def _in_time(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.started or "")


def _told(names: Sequence[str], judge: str | None) -> str:
    """All distinct names, and the judge's where it is none of them.

    >>> _told(["1.0", "1.1", "1.0"], "1.1"), _told(["1.0"], "1.1"), _told([], "1.1")
    ('1.0, 1.1', '1.0; judged with 1.1', '1.1')
    """
    distinct = list(dict.fromkeys(names))
    if judge is None or judge in distinct:
        return ", ".join(distinct)
    return "; judged with ".join(([", ".join(distinct)] if distinct else []) + [judge])
