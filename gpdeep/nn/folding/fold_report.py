"""What folding did, segment by segment, and what it left and why."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...result import Result, render_table


@dataclass(frozen=True)
class FoldedSegment:
    """Layers that became one.

    Attributes
    ----------
    name : str
        Of the new layer.
    layers : tuple of str
        What it was made of, in order of execution.
    before, after : float
        Multiplications, in the units of the report.
    exact : bool
        Whether it is equal everywhere.
    affected, positions : int
        Positions of its output that may differ, of how many in an image; 0 of 0 where that is not known.
    """

    name: str
    layers: tuple[str, ...]
    before: float
    after: float
    exact: bool
    affected: int = 0
    positions: int = 0


@dataclass(frozen=True)
class Unfolded:
    """Two affine layers in a row, or the branches of a sum, that were left; and why."""

    first: str
    second: str
    why: str


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldReport(Result):
    """What `fold` says of the model that it answers.

    Attributes
    ----------
    segments : tuple of FoldedSegment
        What was merged.
    left : tuple of Unfolded
        What was not.
    removed : tuple of str
        Activations that were linear in every channel.
    multiplications_before, multiplications_after : float
        Of all affine layers: for one input of the example's size; without example for each position of the last output
        of a chain of layers, for large images.
    per : {'input', 'position'}
        What multiplications are counted for.
    change, scale : float
        Largest difference between the outputs of both models on the example, and the largest output; NaN without.
    """

    segments: tuple[FoldedSegment, ...]
    left: tuple[Unfolded, ...]
    removed: tuple[str, ...]
    multiplications_before: float
    multiplications_after: float
    per: str
    change: float = math.nan
    scale: float = math.nan

    @property
    def exact(self) -> bool:
        """Whether all that was merged is equal everywhere."""
        return all(segment.exact for segment in self.segments)

    def __str__(self) -> str:
        """A table of the segments, and what was left."""
        rows = [
            [
                part.name,
                _joined(part.layers),
                f"{part.before:,.0f}",
                f"{part.after:,.0f}",
                "yes" if part.exact else f"no: {part.affected} of {part.positions} positions",
            ]
            for part in self.segments
        ]
        measured = f"outputs differ by {self.change:.3g}, the largest is {self.scale:.3g}"
        notes = [
            f"multiplications for each {self.per}: {self.multiplications_before:,.0f} -> "
            f"{self.multiplications_after:,.0f}",
            *([f"linear activations taken out: {', '.join(self.removed)}"] if self.removed else []),
            *([] if math.isnan(self.change) else [measured]),
            *(f"left: {part.first} | {part.second}: {part.why}" for part in self.left),
            *(f"note: {message}" for message in self.status.messages),
        ]
        title = f"{sum(len(part.layers) for part in self.segments)} layers folded into {len(self.segments)}"
        return render_table(title, ["layer", "made of", "before", "after", "exact"], rows, notes)


def _joined(names: tuple[str, ...]) -> str:
    """Names of layers for a table."""
    shown = names if len(names) <= 5 else (*names[:2], f"... ({len(names) - 3} more)", names[-1])
    return " + ".join(shown)
