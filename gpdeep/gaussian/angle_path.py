r"""The angle between two inputs after each of many infinitely wide layers:  θ_l = f(θ_{l-1}), f the angle map.

One home for the loop: the same path is the infinite-width side of every finite-width answer.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError, MemoryBudgetError
from ..result import FloatArray
from .angle_map import _log_sin2, _log_sin2_array, _next, _next_array
from .arguments import angles, kink_in_range, shown

MEMORY_BUDGET = 2**31
"""Bytes that a path may take."""

_ONE_BY_ONE = 16  # up to so many angles a loop over floats is quicker than one over arrays


def iterate_angle_map(theta0: float | ArrayLike, depth: int, kink: float = 1.0) -> tuple[Any, Any]:
    r"""Angles after layers 1..L of infinite width and their ln sin², θ_l and x_l.

        θ_l = f(θ_{l-1}),   x_l = ln sin² θ_l

    Parameters
    ----------
    theta0 : float or array_like, any shape S
        Angle θ_0 between the inputs, in [0, π].
    depth : int
        Number of layers L ≥ 1.
    kink : float
        r = (a-b)²/(a²+b²) of the activation, in [0, 2]: 1 for ReLU.

    Returns
    -------
    theta, log_sin2 : ndarray, shape (L, *S)
        float64; ln sin² is -inf where an angle is exactly 0 or π.

    Raises
    ------
    DomainError
        An angle, the kink or the depth is out of range.
    MemoryBudgetError
        The two arrays would take more than 2 GiB; raised before they are allocated.

    Notes
    -----
    *Conditioning.* As `angle_map`: rounding errors contract with depth. Iterating cos θ instead has a floor at
    θ ~ 1e-8 and loses all digits on the way there.

    *Cost.* Up to 16 angles 2.5 µs an angle and layer, for more 0.3 µs.

    References
    ----------
    Cho & Saul 2009, NIPS 22, sec. 2.

    Examples
    --------
    >>> theta, log_sin2 = iterate_angle_map(np.pi / 2, 3)
    >>> print(np.round(theta, 4), np.round(log_sin2, 4))
    [1.2469 1.0544 0.9212] [-0.1068 -0.2794 -0.4554]
    """
    r, start = kink_in_range(kink), angles(theta0)
    layers = depth_of(depth)
    needed = 16 * layers * start.size
    if needed > MEMORY_BUDGET:
        raise MemoryBudgetError(
            f"{layers:.3g} layers of {start.size} angles take {needed / 2**30:.1f} GiB; the budget is 2 GiB."
            if needed < 2**60
            else f"{shown(layers)} layers of {start.size} angles take more memory than any machine has.",
            "The whole path is kept, every layer of every angle.",
            f"Use up to {MEMORY_BUDGET // (16 * start.size)} layers, fewer angles, or the law at large depth, "
            "gpdeep.meanfield.angle_asymptote.",
        )
    shape = (layers, *start.shape)
    if start.size > _ONE_BY_ONE:
        theta, log_sin2 = _many(start, layers, r)
    else:
        theta, log_sin2 = np.empty((layers, start.size)), np.empty((layers, start.size))
        for column, first in enumerate(start.ravel().tolist()):
            for layer, (angle, x) in zip(range(layers), layer_by_layer(first, r), strict=False):
                theta[layer, column], log_sin2[layer, column] = angle, x
    return theta.reshape(shape), log_sin2.reshape(shape)


def layer_by_layer(theta0: float, r: float) -> Iterator[tuple[float, float]]:
    """(θ_l, ln sin² θ_l) for l = 1, 2, ... without end, from one checked angle and kink."""
    theta = theta0
    while True:
        s, q, w, c = _next(theta, r)
        theta = 2 * math.atan2(s * math.sqrt(q), math.sqrt(w))
        yield theta, _log_sin2(s, q, w, c)


def depth_of(depth: Any) -> int:
    """`depth` as a Python integer of 1 or more."""
    try:
        layers = 0 if isinstance(depth, (bool, np.bool_)) else operator.index(depth)
    except TypeError:
        layers = 0
    if layers < 1:
        raise DomainError(
            f"depth = {shown(depth)} is not an integer of 1 or more.",
            "It is zero, negative, a truth value, or a float that came out of a division.",
            "Give the number of layers as an int, such as 50.",
        )
    return layers


def _many(start: FloatArray, layers: int, r: float) -> tuple[FloatArray, FloatArray]:
    """The path of an array of angles."""
    theta, log_sin2 = np.empty((layers, *start.shape)), np.empty((layers, *start.shape))
    now = start
    for layer in range(layers):
        s, q, w, c = _next_array(now, r)
        now = theta[layer] = 2 * np.arctan2(s * np.sqrt(q), np.sqrt(w))
        log_sin2[layer] = _log_sin2_array(s, q, w, c)
    return theta, log_sin2
