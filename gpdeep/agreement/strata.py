r"""A permutation test within strata: does a predictor say more than the strata do?

Under the null hypothesis the predictor's values are exchangeable within each stratum (say, networks of equal depth,
which depth itself cannot tell apart). With B random permutations within strata and the statistic T large where the
predictor is good,

    p = (1 + #{T* ≥ T})/(1 + B),

which is valid at every B (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39). Where there are no more than B
distinct permutations all of them are used once, the identity among them: p = #{T* ≥ T}/N.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DomainError, MemoryBudgetError
from ..finite.backend import seed_sequence
from ..gaussian.arguments import as_float, as_floats, callback, flag, shown
from ..result import IntArray, Result
from .checks import MOST_DRAWS, array_of_reals, count
from .ranks import strata_of

_BUDGET = 2**31  # bytes
_COPIES = 3  # of all permuted predictors
_TIE = 1e-12  # relative: sums in another order differ by rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class PermutationTest(Result):
    """A statistic beside what it is when the predictor is shuffled within strata.

    Attributes
    ----------
    statistic : float
    p_value : float
        One-sided, for large values.
    null_mean, null_std : float
        Of the statistic over permutations.
    n_permutations : int
    exact : bool
        Whether these were all.
    strata : int
        Number of strata with two members or more.
    """

    statistic: float
    p_value: float
    null_mean: float
    null_std: float
    n_permutations: int
    exact: bool
    strata: int

    def __str__(self) -> str:
        how = "all" if self.exact else "random"
        return (
            f"{self.statistic:.4g} against {self.null_mean:.4g} ± {self.null_std:.2g} by chance: "
            f"p = {self.p_value:.3g} ({self.n_permutations} {how} permutations within {self.strata} strata)"
        )


def permute_within(
    statistic: Callable[[Any], Any],
    predictor: Any,
    strata: Any,
    *,
    n_permutations: int = 9999,
    vectorized: bool = False,
    rng: Any = 0,
) -> PermutationTest:
    """Test whether a predictor orders what its strata leave open.

    Parameters
    ----------
    statistic : callable
        Function of the predictor, shape (A,), large where it is good; everything else is fixed within it.
    predictor : array_like, shape (A,)
    strata : sequence, shape (A,)
        Numbers or texts; values are exchanged between equal ones.
    n_permutations : int, from 99
    vectorized : bool
        `statistic` takes a leading axis of permutations.
    rng : int, SeedSequence or Generator

    Returns
    -------
    PermutationTest

    Raises
    ------
    DomainError
        No stratum has two members, shapes do not fit, or a value of the statistic is not finite.

    Examples
    --------
    Two depths, three widths each; accuracy follows the width: one of 3!·3! orders is as good.

    >>> from gpdeep.agreement import concordance
    >>> width, depth = [10.0, 20.0, 30.0] * 2, [5, 5, 5, 50, 50, 50]
    >>> accuracy = np.array([[0.7], [0.8], [0.9], [0.1], [0.2], [0.3]])
    >>> test = permute_within(lambda x: concordance(x, accuracy, depth), width, depth)
    >>> test.statistic, test.p_value == 1 / 36
    (1.0, True)
    """
    x = array_of_reals("predictor", predictor)
    if x.ndim != 1:
        raise DomainError(
            f"predictor has shape {x.shape}.",
            "It is one number an architecture, without seeds.",
            "Give shape (A,).",
        )
    labels = strata_of(strata, x.size)
    groups = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    groups = [group for group in groups if group.size > 1]
    if not groups:
        raise DomainError(
            f"{x.size} strata of one member each.",
            "Nothing can be exchanged within them.",
            "Use coarser strata.",
        )
    B = count("n_permutations", n_permutations, 99, MOST_DRAWS)
    vectorized = flag("vectorized", vectorized)
    callback("statistic", statistic, x)
    total = math.prod(math.factorial(group.size) for group in groups)
    exact = total <= B
    needed = _COPIES * 8 * min(total, B) * x.size
    if needed > _BUDGET:
        raise MemoryBudgetError(
            f"{min(total, B)} permutations of {x.size} architectures take {needed / 2**20:.0f} MiB; the limit is "
            f"{_BUDGET / 2**20:.0f} MiB.",
            "All permutations are kept at once.",
            f"Use n_permutations={_BUDGET // (_COPIES * 8 * x.size)} or fewer.",
        )
    if exact:
        orders = _every_order(groups, x.size)
    else:
        orders = _random_orders(groups, x.size, B, np.random.default_rng(seed_sequence(rng, "permutation")))
    observed = as_float(statistic(x))
    found = as_floats(statistic(x[orders]) if vectorized else [as_float(statistic(x[o])) for o in orders])
    values = np.full(0, np.nan) if found is None else found
    if values.shape != (len(orders),) or not math.isfinite(observed) or not np.isfinite(values).all():
        raise DomainError(
            f"The statistic is {shown(observed)}; over {len(orders)} permutations it has shape {values.shape} and "
            f"{int((~np.isfinite(values)).sum())} values that are not finite.",
            "All predictions or scores are equal, or the statistic does not treat the first axis as permutations.",
            "Use a statistic that is defined for equal values, or leave vectorized at False.",
        )
    reached = int((values >= observed - _TIE * max(abs(observed), 1.0)).sum())
    return PermutationTest(
        statistic=observed,
        p_value=reached / total if exact else (1 + reached) / (1 + B),
        null_mean=float(values.mean()),
        null_std=float(values.std()),
        n_permutations=len(orders),
        exact=exact,
        strata=len(groups),
    )


def _every_order(groups: list[IntArray], size: int) -> IntArray:
    orders = []
    for choice in itertools.product(*(itertools.permutations(group.tolist()) for group in groups)):
        order = np.arange(size)
        for group, permuted in zip(groups, choice, strict=True):
            order[group] = permuted
        orders.append(order)
    return np.array(orders)


def _random_orders(groups: list[IntArray], size: int, number: int, stream: np.random.Generator) -> IntArray:
    orders = np.tile(np.arange(size), (number, 1))
    for group in groups:
        orders[:, group] = stream.permuted(np.tile(group, (number, 1)), axis=1)
    return orders
