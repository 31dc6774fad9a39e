r"""When entries of a path meet a kink: crossings, and stretches on which they rest there.

A discrete path whose entries lie exactly on kinks (`kink_orthant`) is read entry by entry: a change of the piece of φ
is a crossing, several nodes on a kink are an arc with its two ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ..result import FloatArray, IntArray
from .nonlinearity import Nonlinearity

CROSS, IN, OUT = "cross", "in", "out"


@dataclass(frozen=True)
class Event:
    """At time t entry (neuron, sample) meets `kink`: it crosses, comes to rest, or leaves; `after` is its code then."""

    t: float
    kind: str
    neuron: int
    sample: int
    kink: int
    after: int


def codes(A: FloatArray, kinks: FloatArray) -> IntArray:
    """2j between kinks j-1 and j, 2j + 1 on kink j."""
    return np.searchsorted(kinks, A, side="left") + np.searchsorted(kinks, A, side="right")


def untouched(A: FloatArray, phi: Nonlinearity) -> bool:
    """Whether every entry of a path stays strictly on one side of all kinks."""
    at = codes(A, np.array([t for t, _ in phi.kinks]))
    return not ((at != at[0]).any() or (at % 2).any())


def events(t: FloatArray, A: FloatArray, kinks: FloatArray) -> tuple[list[Event], IntArray]:
    """All events of a path in order of time, and the codes at its start (just after t = 0), (w, N).

    A single node on a kink between two stretches of one piece is no event.
    """
    at = codes(A, kinks)
    found = []
    initial = at[0].copy()
    for neuron, sample in np.ndindex(*A.shape[1:]):
        runs = _runs(at[:, neuron, sample])
        kept = []
        for first, last, code in runs:
            alone = code % 2 and first == last
            if alone and (first == 0 or last == len(t) - 1 or _neighbours_agree(at[:, neuron, sample], first)):
                continue  # an end on a kink, or a touch
            kept.append((first, last, code))
        initial[neuron, sample] = kept[0][2]
        for (_, end, code), (begin, _, after) in itertools.pairwise(kept):
            if code == after:
                continue
            if after % 2:
                found.append(Event(float(t[begin]), IN, neuron, sample, after // 2, after))
            elif code % 2:
                found.append(Event(float(t[end]), OUT, neuron, sample, code // 2, after))
            else:
                kink = min(code, after) // 2
                x, y = A[end, neuron, sample], A[begin, neuron, sample]
                share = float((kinks[kink] - x) / (y - x))
                found.append(Event(float(t[end] + share * (t[begin] - t[end])), CROSS, neuron, sample, kink, after))
    return sorted(found, key=lambda event: event.t), initial


def _runs(code: IntArray) -> list[tuple[int, int, int]]:
    """(first, last, value) of the constant stretches; a single node on a kink between two pieces is dropped."""
    ends = np.flatnonzero(np.diff(code)).tolist()
    firsts, lasts = [0, *(k + 1 for k in ends)], [*ends, len(code) - 1]
    runs = [(a, b, int(code[a])) for a, b in zip(firsts, lasts, strict=True)]
    inner = range(1, len(runs) - 1)
    crossed = {k for k in inner if runs[k][2] % 2 and runs[k][0] == runs[k][1] and runs[k - 1][2] != runs[k + 1][2]}
    return [run for k, run in enumerate(runs) if k not in crossed]


def _neighbours_agree(code: IntArray, k: int) -> bool:
    return bool(code[k - 1] == code[k + 1])
