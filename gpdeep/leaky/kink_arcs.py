"""Where entries of a path rest at a kink of the activation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SlidingArc:
    """A stretch of the path on which an entry of A rests exactly at a kink of the activation.

    Attributes
    ----------
    neuron, sample : int
        Row and column of A.
    kink : float
        Where it rests: 0 for ReLU.
    start, end : float
        In p.
    """

    neuron: int
    sample: int
    kink: float
    start: float
    end: float
