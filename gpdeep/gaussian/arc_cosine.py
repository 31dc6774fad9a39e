r"""Arc-cosine kernels: the inner product of two inputs seen by infinitely many neurons (z)_+^n:

    k_n(x, y) = 2 ∫ dw N(w; 0, 1) Θ(w·x) Θ(w·y) (w·x)^n (w·y)^n = (1/π) |x|^n |y|^n A_n(θ),

A_n = 2π J_{n,n}, θ the angle between x and y, Θ the unit step. n = 0 is a layer of steps, n = 1 of ReLUs,
n = 2 of squared ReLUs. Cho & Saul 2009 write A_n(θ) = (-1)^n s^{2n+1} ((1/s) d/dθ)^n ((π - θ)/s), which
is 0/0 at both ends; here A_n comes from the positive integral of `relu_moment`.

The angle is 2 arctan2(|u - v|, |u + v|) of the unit vectors (Kahan): arccos(u·v) has no angle below 1e-8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..result import FloatArray
from .arguments import as_array, exponents, shown
from .relu_moments import MAX_ORDER, relu_moment

BLOCK = 1 << 19  # entries of the kernel computed at once: temporaries of 4 MiB each, no N x M x d array


def angular_function(order: int, theta: ArrayLike) -> Any:
    r"""Angular part of the arc-cosine kernel of order n, A_n(θ).

        A_n(θ) = 2π J_{n,n}(θ) = (-1)^n s^{2n+1} ((1/s) d/dθ)^n ((π - θ)/s)

    Parameters
    ----------
    order : int
        n, from 0 to 150.
    theta : float or array_like, any shape
        Angle θ in [0, π].

    Returns
    -------
    float64 or ndarray, shape of theta
        A_n(θ): π (2n-1)!! at 0, decreasing to 0 at π.

    Raises
    ------
    DomainError
        The order is no integer, negative, or above 150; an angle is NaN or outside [0, π].

    Notes
    -----
    Relative accuracy and cost are those of `relu_moment`.

    References
    ----------
    Cho & Saul 2009, NIPS 22, sec. 2.

    Examples
    --------
    A_0 = π - θ and A_1 = sin θ + (π - θ) cos θ:

    >>> print(f"{angular_function(0, 1.0) + 1:.12f}  {angular_function(1, np.pi / 2):.12f}")
    3.141592653590  1.000000000000
    """
    n = _order(order)
    return 2 * np.pi * relu_moment(n, n, theta)


def arc_cosine_kernel(order: int, x: ArrayLike, y: ArrayLike) -> FloatArray:
    r"""Arc-cosine kernel between the rows of two matrices, k_n(x, y).

        k_n(x, y) = (1/π) |x|^n |y|^n A_n(θ)

    Parameters
    ----------
    order : int
        n, from 0 to 150.
    x : array_like, shape (N, d)
        One input a row.
    y : array_like, shape (M, d)
        One input a row.

    Returns
    -------
    ndarray, shape (N, M)
        The kernel in float64. k_n(x, x) = |x|^{2n} (2n-1)!!.

    Raises
    ------
    DomainError
        The order is not in 0..150; `x` or `y` is not a matrix of finite real numbers, or they have different
        numbers of columns; a kernel value exceeds float64.

    Notes
    -----
    *Zero vectors.* The integral decides: for n ≥ 1 it is 0. For n = 0 the step at 0 is Θ(0) = 1/2, as in Cho
    & Saul, so k_0(0, y) = 1/2 whatever y is, another zero vector included.

    *Accuracy.* Rows are scaled by their largest entry before they are normalised, so lengths neither overflow
    nor underflow. The angle has an absolute error of a few units of rounding, d^{1/2} of them at worst, at
    every angle.

    *Cost.* O(N M d) time without matrix products (these would lose the small angles); memory: the result
    and temporaries of 4 MiB each.

    References
    ----------
    Cho & Saul 2009, NIPS 22, sec. 2; Kahan 2006, "How futile are mindless assessments of roundoff", §12
    (angle).

    Examples
    --------
    Two orthogonal unit vectors: k_0 = 1/2, k_1 = 1/π, k_2 = 1/2.

    >>> for n in range(3):
    ...     print(arc_cosine_kernel(n, [[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]))
    [[1.  0.5]]
    [[1.         0.31830989]]
    [[3.  0.5]]
    """
    n = _order(order)
    x_unit, x_length = _normalised("x", x)
    y_unit, y_length = _normalised("y", y)
    if x_unit.shape[1] != y_unit.shape[1]:
        raise DomainError(
            f"x has {x_unit.shape[1]} columns and y has {y_unit.shape[1]}.",
            "The inputs lie in spaces of different dimension, or one matrix is transposed.",
            "Give x of shape (N, d) and y of shape (M, d).",
        )
    kernel = np.empty((len(x_unit), len(y_unit)))
    rows = max(1, BLOCK // max(1, len(y_unit)))
    for start in range(0, len(x_unit), rows):
        block = slice(start, start + rows)
        theta = _angles_between(x_unit[block], y_unit)
        theta[(x_length[block, None] == 0) | (y_length == 0)] = np.pi / 2  # Θ(0) = 1/2, see Notes
        with np.errstate(over="ignore", invalid="ignore"):
            kernel[block] = 2 * (x_length[block, None] * y_length) ** n * relu_moment(n, n, theta)
    if not np.isfinite(kernel).all():
        raise DomainError(
            f"k_{n} exceeds 1.8e308, the largest float64, in {np.sum(~np.isfinite(kernel))} entries.",
            f"The lengths of the inputs enter with power {n}, and some are very large.",
            "Scale the inputs down; the kernel scales with the power n of each length.",
        )
    return kernel


def _order(order: int) -> int:
    (n,) = exponents(order=order)
    if 2 * n > MAX_ORDER:
        raise DomainError(
            f"order = {shown(n)} is above {MAX_ORDER // 2}.",
            "The kernel of that order exceeds the largest float64, 1.8e308, for equal inputs.",
            f"Use an order up to {MAX_ORDER // 2}; orders 0, 1 and 2 are the usual ones.",
        )
    return n


def _normalised(name: str, data: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The rows divided by their lengths, and the lengths; zero rows stay zero."""
    given = as_array(data)
    if given.ndim != 2 or given.dtype.kind not in "iuf" or not np.isfinite(given).all():
        raise DomainError(
            f"{name} is an array of type {given.dtype} and shape {given.shape}"
            + (" with NaN or infinite entries." if given.ndim == 2 and given.dtype.kind in "iuf" else "."),
            "A single vector, text, complex numbers, ragged rows or missing values were given.",
            f"Give {name} as a matrix of finite real numbers, one input a row; a vector v as v[None, :].",
        )
    matrix = given.astype(np.float64)
    largest = np.abs(matrix).max(axis=1, initial=0.0)
    scaled = matrix / np.where(largest > 0, largest, 1.0)[:, None]
    length = np.sqrt(np.sum(scaled * scaled, axis=1))
    return scaled / np.where(length > 0, length, 1.0)[:, None], largest * length


def _angles_between(u: FloatArray, v: FloatArray) -> FloatArray:
    """Angles between unit rows, shape (rows of u, rows of v); cdist subtracts first and squares then."""
    from scipy.spatial.distance import cdist  # here: scipy.spatial takes longer to import than all of gpdeep

    theta: FloatArray = 2 * np.arctan2(cdist(u, v), cdist(u, -v))
    return theta
