r"""Where to cut a chain so that its normal form has the fewest multiplications.

Between hidden layers i < j that are kept as whole vectors, everything is written over v_i and the active units between:

    cost(i, j) = Σ_{i<l<j} k_l (n_i + Σ_{i<m<l} k_m) + n_j (n_i + Σ_{i<l<j} k_l)

n_l being widths and k_l active units of layer l. A cut at every layer is the chain as it was, no cut the normal form;
the cheapest set of cuts is a shortest path over the L + 2 layers. For one layer of k active units out of n between two
kept ones of width n it is n² + 2nk against 2n²: cheaper iff k < n/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import wholes
from ..result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreCuts(Result):
    """Cuts of a chain, and what they cost.

    Attributes
    ----------
    cuts : tuple of int
        Hidden layers, from 1, that are kept as whole vectors.
    multiplications : int
        With these cuts, for one input; slopes are not counted.
    uncut, chain : int
        Without a cut, and of the chain as it is.
    """

    cuts: tuple[int, ...]
    multiplications: int
    uncut: int
    chain: int

    def __str__(self) -> str:
        """The three costs."""
        where = ", ".join(map(str, self.cuts)) or "nowhere"
        return (
            f"cut at hidden layers: {where}\n"
            f"multiplications: {self.multiplications} (uncut {self.uncut}, original chain {self.chain})"
        )


def cheapest_cuts(widths: Sequence[int], active: Sequence[int]) -> CoreCuts:
    """The cuts at which the normal form of a chain has the fewest multiplications.

    Parameters
    ----------
    widths : sequence of int, shape (L+2,)
        Inputs, hidden layers, outputs.
    active : sequence of int, shape (L,)
        Active units k_l of the hidden layers.

    Returns
    -------
    CoreCuts
        Of several cheapest, the one with the fewest cuts.

    Raises
    ------
    DomainError
        The numbers do not fit together.

    Notes
    -----
    Cost O(L²).

    Examples
    --------
    A square layer with a quarter of its units active, and with three quarters:

    >>> cheapest_cuts([8, 8, 8], [2]).cuts, cheapest_cuts([8, 8, 8], [6]).cuts
    ((), (1,))
    """
    n, k = wholes("widths", widths, 1, 10**9), wholes("active", active, 0, 10**9)
    if len(n) != len(k) + 2 or any(not 0 <= a <= b for a, b in zip(k, n[1:-1], strict=True)):
        raise DomainError(
            f"widths = {n} and active = {k} do not fit together.",
            "Widths name inputs, hidden layers and outputs; a hidden layer has at most its width of active units.",
            "Give two more widths than counts of active units.",
        )
    last = len(n) - 1
    total = np.concatenate([[0], np.cumsum([0, *k])]).tolist()  # total[l] = k_1 + ... + k_{l-1}
    squares = np.concatenate([[0], np.cumsum([0, *(count**2 for count in k)])]).tolist()

    def cost(i: int, j: int) -> int:
        K, K2 = total[j] - total[i + 1], squares[j] - squares[i + 1]
        return int(n[i] * K + (K * K - K2) // 2 + n[j] * (n[i] + K))

    best: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    for j in range(1, last + 1):
        best.append(
            min(
                ((best[i][0] + cost(i, j), best[i][1] + ((i,) if i else ())) for i in range(j)),
                key=lambda found: (found[0], len(found[1])),
            )
        )
    chain = sum(cost(i, i + 1) for i in range(last))
    return CoreCuts(cuts=best[last][1], multiplications=best[last][0], uncut=cost(0, last), chain=chain)
