r"""What comes between and after convolutions, as linear maps of the covariance between positions.

    average pooling   Σ'[b, b'] = (1/w²) Σ_{a ∈ b} Σ_{a' ∈ b'} Σ[a, a'],   b, b' windows of w positions
    flattening        K_{xx'} = (1/N) Σ_a Σ_{xx'}[a, a]

Both act on activations, after φ: on `ConvolutionMap.activated`. Maximum pooling is no linear map, and the maximum of
several correlated neurons has no closed expectation: it is refused.

Novak et al. (2019), §3.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Never

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import shown, whole
from ..result import FloatArray
from .site_covariance import box, require_finite, stack_of


def average_pool(covariance: Any, window: int | tuple[int, ...]) -> FloatArray:
    r"""The covariance of averages over windows that do not overlap, P Σ Pᵀ.

    Parameters
    ----------
    covariance : array_like, shape (inputs, inputs, *positions, *positions) or (*positions, *positions)
        Of activations, for instance `ConvolutionMap.activated`.
    window : int or tuple of int
        Sides of a window, and the stride: an integer on a line, a pair on images. They divide the positions.

    Returns
    -------
    ndarray
        With positions divided by the window.

    Raises
    ------
    DomainError
        The shape is no covariance between positions, or the window does not divide it.

    Examples
    --------
    >>> average_pool(np.eye(4), 2)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    sides = box("window", window)
    stack, single = _finite(covariance, len(sides))
    positions = stack.shape[2 : 2 + len(sides)]
    if any(n % w for n, w in zip(positions, sides, strict=True)):
        raise DomainError(
            f"A window of {shown(sides)} does not divide the positions {positions}.",
            "Windows do not overlap and leave nothing out.",
            "Use a window that divides every side.",
        )
    split = [part for n, w in zip(positions, sides, strict=True) for part in (n // w, w)]
    axes = tuple(3 + 2 * axis for axis in range(2 * len(sides)))
    out = stack.reshape(*stack.shape[:2], *split, *split).mean(axis=axes)
    return np.asarray(out[0, 0] if single else out)


def global_average_pool(covariance: Any, dimensions: Literal[1, 2]) -> Any:
    """The covariance of averages over all positions, of shape (inputs, inputs); a number for one input.

    Parameters
    ----------
    covariance : array_like, shape (inputs, inputs, *positions, *positions) or (*positions, *positions)
    dimensions : {1, 2}
        Of the positions.

    Raises
    ------
    DomainError
        The shape is no covariance between positions.

    Examples
    --------
    >>> print(global_average_pool(np.eye(4), 1))
    0.25
    """
    size = _dimensions(dimensions)
    stack, single = _finite(covariance, size)
    out = stack.mean(axis=tuple(range(2, 2 + 2 * size)))
    return out[0, 0] if single else out


def flatten(covariance: Any, dimensions: Literal[1, 2]) -> Any:
    """What a dense layer sees of activations laid out as one vector: the mean of Σ[a, a], of shape (inputs, inputs).

    Parameters
    ----------
    covariance : array_like, shape (inputs, inputs, *positions, *positions) or (*positions, *positions)
    dimensions : {1, 2}
        Of the positions.

    Raises
    ------
    DomainError
        The shape is no covariance between positions.

    Notes
    -----
    Covariances between different positions do not enter: without pooling an infinitely wide network cannot tell a
    convolution from one whose weights are not shared (Novak et al. 2019, §3).

    Examples
    --------
    >>> print(flatten([[1.0, 0.9], [0.9, 2.0]], 1))
    1.5
    """
    size = _dimensions(dimensions)
    stack, single = _finite(covariance, size)
    count = math.prod(stack.shape[2 : 2 + size])
    out = np.trace(stack.reshape(*stack.shape[:2], count, count), axis1=2, axis2=3) / count
    return out[0, 0] if single else out


def max_pool(covariance: Any, window: int | tuple[int, ...]) -> Never:
    """Refused: the maximum over a window has no closed expectation.

    Raises
    ------
    DomainError
        Always.
    """
    raise DomainError(
        f"Maximum pooling with a window of {shown(window)} was asked for.",
        "The covariance of two maxima of correlated neurons has no closed form, and the maximum is not linear, so that "
        "covariances alone do not pass through it.",
        "Use average_pool, or draw networks and average (Monte Carlo).",
    )


def _finite(covariance: Any, dimensions: int) -> tuple[FloatArray, bool]:
    stack, single = stack_of(covariance, dimensions)
    require_finite(stack)
    return stack.astype(np.float64, copy=False), single


def _dimensions(value: Any) -> int:
    return whole("dimensions", value, 1, 2)
