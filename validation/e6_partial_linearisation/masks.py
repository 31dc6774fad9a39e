"""Which units are linear from the first step, so that as many are left as a late network has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpdeep.result import BoolArray

Draw = Callable[[BoolArray, np.random.Generator], BoolArray]


def same(frozen: BoolArray, rng: np.random.Generator) -> BoolArray:
    """The very units that the late network lost."""
    return frozen


def per_layer(frozen: BoolArray, rng: np.random.Generator) -> BoolArray:
    """As many in each layer, others.

    >>> mask = np.array([[[True, True, False, False], [True, False, False, False]]])
    >>> per_layer(mask, np.random.default_rng(0)).sum(axis=2)
    array([[2, 1]])
    """
    return rng.permuted(frozen, axis=2)


def anywhere(frozen: BoolArray, rng: np.random.Generator) -> BoolArray:
    """As many in each network, in any layer."""
    return rng.permuted(frozen.reshape(len(frozen), -1), axis=1).reshape(frozen.shape)


DRAWS: dict[str, Draw] = {"same": same, "per_layer": per_layer, "anywhere": anywhere}
"""Names of the arms that start with fixed linear units, and how these are chosen."""
