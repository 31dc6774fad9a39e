"""Which networks are timed: widths by depths, as many at once as fill the machine without filling its memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..experiment import Size

INPUTS, CLASSES, BATCH = 64, 10, 128
WIDTHS, DEPTHS = (64, 300, 1024), (10, 30, 100)


@dataclass(frozen=True)
class Case:
    """Members of one shape.

    Parameters
    ----------
    width, depth : int
        Of the hidden layers.
    members : int
        Trained as one program.
    steps : int
        Timed in a round.
    """

    width: int
    depth: int
    members: int
    steps: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs.

        >>> Case(8, 3, 2, 1).widths
        (64, 8, 8, 8, 10)
        """
        return (INPUTS, *[self.width] * self.depth, CLASSES)


_ON_GPU: dict[Size, dict[int, tuple[int, ...]]] = {  # members
    Size.QUICK: {64: (64,), 300: (8,), 1024: (2,)},
    Size.FULL: {64: (8, 64, 512), 300: (1, 8, 64), 1024: (1, 8)},
}
_ON_CPU = {64: 8, 300: 8, 1024: 2}
_SECONDS = 0.3  # of a contender and round on a processor, where a step is shorter
_RATE = 60e9  # operations a second of one thread, about


def cases_of(size: Size, device: str) -> tuple[Case, ...]:
    """The cases of a size, the small ones first."""
    return tuple(_cases(size, device))


def rounds_of(size: Size) -> int:
    """How often each contender has its turn."""
    return {Size.SMOKE: 2, Size.QUICK: 5, Size.FULL: 5}[size]


def _cases(size: Size, device: str) -> Iterator[Case]:
    if size is Size.SMOKE:
        yield from (Case(width, depth, 2, 3) for width in (8, 16) for depth in (2, 3))
        return
    for width in WIDTHS:
        for depth in DEPTHS:
            if device == "cuda":
                yield from (Case(width, depth, members, 100) for members in _ON_GPU[size][width])
            else:
                members = _ON_CPU[width]
                step = 6.0 * BATCH * members * depth * width**2 / _RATE
                yield Case(width, depth, members, max(1, round(_SECONDS / step)))
