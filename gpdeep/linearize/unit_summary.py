r"""What is left of a network whose units are linearised one by one: numbers that sum up the units per layer.

    p_l = k_l/C_l,      support = #{l: k_l > 0},      effective width = Σ k_l / support,
    participation depth = (Σ p_l)²/Σ p_l²,            centre of mass = Σ l p_l/Σ p_l

k_l of the C_l channels of activation l = 1..L are active, that is not linear. The participation depth is L for equal
p_l, and 1 when one activation holds them all; it does not see which. The centre of mass does, from 1 to L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_array, entries, shown
from ..result import FloatArray, IntArray, Result, render_table


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitSummary(Result):
    """Active units per activation, and what sums them up.

    Attributes
    ----------
    names : tuple of str
        Of the activations, in order.
    channels, active : ndarray of int64, shape (L,)
        C_l and k_l.
    fractions : ndarray, shape (L,)
        p_l.
    support : int
        Activations with an active unit.
    effective_width : float
        Mean k_l over these; 0 where there is none.
    participation_depth, centre_of_mass : float
        NaN where no unit is active.
    """

    names: tuple[str, ...]
    channels: IntArray
    active: IntArray
    fractions: FloatArray
    support: int
    effective_width: float
    participation_depth: float
    centre_of_mass: float

    def __str__(self) -> str:
        """A table of the activations, and the sums below."""
        rows = [
            [str(layer), name, str(c), str(k), f"{p:.4f}"]
            for layer, (name, c, k, p) in enumerate(
                zip(self.names, self.channels, self.active, self.fractions, strict=True), start=1
            )
        ]
        notes = [
            f"effective width {self.effective_width:.4g} over {self.support} of {len(self.names)} activations",
            f"participation depth {self.participation_depth:.4g}, centre of mass {self.centre_of_mass:.4g}",
            *(f"note: {message}" for message in self.status.messages),
        ]
        title = f"{self.active.sum()} of {self.channels.sum()} units are active"
        return render_table(title, ["layer", "name", "channels", "active", "fraction"], rows, notes)


def summarise_units(channels: Sequence[int], active: Sequence[int], names: Sequence[str] | None = None) -> UnitSummary:
    """Support, width, participation depth and centre of mass of the units that are left.

    Parameters
    ----------
    channels : sequence of int, shape (L,)
        Channels C_l ≥ 1 of each activation, first to last.
    active : sequence of int, shape (L,)
        Active ones, 0 ≤ k_l ≤ C_l.
    names : sequence of str, optional
        What tables call the activations; their numbers by default.

    Returns
    -------
    UnitSummary

    Raises
    ------
    DomainError
        The counts do not fit together.

    Examples
    --------
    >>> left = summarise_units([32, 32, 32, 32], [16, 8, 0, 0])
    >>> left.support, left.effective_width, round(left.centre_of_mass, 4), round(left.participation_depth, 4)
    (2, 12.0, 1.3333, 1.8)
    """
    C, k = _counts("channels", channels), _counts("active", active)
    if C.shape != k.shape or not C.size or (C < 1).any() or (k < 0).any() or (k > C).any():
        raise DomainError(
            f"channels = {C.tolist()} and active = {k.tolist()} do not fit together.",
            "Every activation has a channel at least, and as many active ones at most; the lists are of one length.",
            "Give one count of channels and one of active channels for each activation.",
        )
    given = range(1, C.size + 1) if names is None else entries("names", names, "texts")
    labels = tuple(map(str, given))
    if len(labels) != C.size:
        raise DomainError(
            f"{len(labels)} names were given for {C.size} activations.",
            "A name is missing, or one too many.",
            "Give one name for each activation, or none at all.",
        )
    p = k / C
    support, total = int(np.count_nonzero(k)), float(p.sum())
    return UnitSummary(
        names=labels,
        channels=C,
        active=k,
        fractions=p,
        support=support,
        effective_width=float(k.sum()) / support if support else 0.0,
        participation_depth=total**2 / float(p @ p) if total else float("nan"),
        centre_of_mass=float(np.arange(1, C.size + 1) @ p) / total if total else float("nan"),
    )


def _counts(name: str, values: Any) -> IntArray:
    """`values` as an array of whole numbers."""
    counts = as_array(values)
    if counts.ndim != 1 or counts.dtype.kind not in "iu":
        raise DomainError(
            f"{name} = {shown(values)} is not a list of whole numbers.",
            "Fractions, or a single number, were given.",
            f"Give {name} as integers, one for each activation.",
        )
    return counts.astype(np.int64)
