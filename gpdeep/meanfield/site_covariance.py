r"""Covariances between all positions of all inputs, Σ_{xx'}[a, a'], and what a convolution does to them.

    (A Σ)_{xx'}[a, a'] = (1/k) Σ_β Σ_{xx'}[a + β, a' + β]

A shifts both positions by the same tap β and averages over the k taps. In a circular image a + β is taken modulo the
size; with zero padding taps outside the image contribute nothing, and 1/k stays.

Arrays have the shape (inputs, inputs, *positions, *positions), positions (N,) or (H, W); one input may come as
(*positions, *positions). The number of dimensions is that of the kernel or window: 3 is one-dimensional, (3, 3) two.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..activations import Activation
from ..errors import DomainError, MemoryBudgetError
from ..gaussian.arguments import as_array, shown
from ..gaussian.arguments import memory_budget as bytes_of
from ..result import FloatArray
from .kernel_blocks import PANEL, mirror
from .kernel_profiles import BLOCK, EXCESS
from .variance_table import variance_table

MEMORY_BUDGET = 2**31
"""Bytes that covariances of a layer may take together."""

_SUMMABLE = 1e200  # sums of many such numbers stay within float64
_COPIES = 4  # the input, the matrix of sites, one between two axes, the result
_TEMPORARIES = 6  # panels alive at a time, those inside an activation included
_ROUNDING = 32 * np.finfo(np.float64).eps
_LEAST, _LARGEST = 1e-140, 1e140  # products of two variances stay within float64


def input_covariance(images: Any, *, memory_budget: float = MEMORY_BUDGET) -> FloatArray:
    r"""The covariance of pixels averaged over channels, Σ_0.

        Σ_0,xx'[a, a'] = (1/c) Σ_i x_i[a] x'_i[a']

    Parameters
    ----------
    images : array_like, shape (inputs, channels, N) or (inputs, channels, H, W)
        Finite real numbers.
    memory_budget : float
        Bytes that may be taken.

    Returns
    -------
    ndarray, shape (inputs, inputs, *positions, *positions)
        In float64. `ConvolutionMap.linear` of it is the covariance of the first layer's pre-activations.

    Raises
    ------
    DomainError
        Images of another shape, empty ones, or entries that are not finite numbers.
    MemoryBudgetError
        The covariance exceeds the budget: it grows with the fourth power of an image's side.

    Examples
    --------
    >>> input_covariance([[[1.0, 2.0], [3.0, 0.0]]])[0, 0]
    array([[5., 1.],
           [1., 2.]])
    """
    budget = bytes_of(memory_budget)
    x = as_array(images)
    if x.ndim not in (3, 4) or x.dtype.kind not in "iuf" or 0 in x.shape or not np.isfinite(x).all():
        raise DomainError(
            f"images is an array of type {x.dtype} and shape {x.shape}.",
            "The axis of the channels or of the inputs is missing or comes last, an axis is empty, or entries are NaN.",
            "Give finite numbers of shape (inputs, channels, N) or (inputs, channels, H, W).",
        )
    inputs, channels, *positions = x.shape
    require_memory(inputs, tuple(positions), budget)
    flat = x.astype(np.float64).swapaxes(0, 1).reshape(channels, -1)
    return from_sites(flat.T @ flat / channels, inputs, tuple(positions))


def tap_average(covariance: FloatArray, kernel: tuple[int, ...], circular: bool) -> FloatArray:
    """A Σ for a stack of shape (inputs, inputs, *positions, *positions); axis by axis, as taps fill a box."""
    positions = covariance.shape[2 : 2 + len(kernel)]
    for axis, (taps, size) in enumerate(zip(kernel, positions, strict=True)):
        if taps == 1:
            continue
        first, second = 2 + axis, 2 + len(kernel) + axis
        total = np.zeros(covariance.shape)
        for shift in range(-(taps // 2), taps // 2 + 1):
            for (to1, from1), (to2, from2) in itertools.product(_shifted(size, shift, circular), repeat=2):
                total[_at(first, to1, second, to2)] += covariance[_at(first, from1, second, from2)]
        total /= taps
        covariance = total
    return covariance


def activate_sites(phi: Activation, sites: FloatArray) -> None:
    """E φ(u)φ(v) in place of each entry of a symmetric matrix of covariances; its diagonal by one-variable moments."""
    q = _grouped(np.diagonal(sites))
    silent = q == 0
    q = np.where(silent, 1.0, q)
    roots = np.sqrt(q)
    rows = max(1, PANEL // len(q))  # large ones: smooth φ tabulate each variance anew in every call
    table = variance_table(phi, q, q)
    for first in range(0, len(q), rows):
        last = first + rows
        bound = roots[first:last, None] * roots[first:]
        k = np.clip(sites[first:last, first:], -bound, bound)
        if table is None:
            sites[first:last, first:] = phi.covariance(k, q[first:last, None], q[None, first:])
        else:
            sites[first:last, first:] = bound * table(np, np.arccos(k / bound), q[first:last, None], q[first:])
    mirror(sites, np)
    values, back = np.unique(q, return_inverse=True)
    moments = phi.moments(values)
    second = np.asarray(moments.second)[back]
    if silent.any():  # black pixels without bias: φ is the number φ(0) there, in a mixture one for each part
        row, square = _beside_zero(phi, values)
        row = np.where(silent, square, row[back])
        sites[silent] = row
        sites[:, silent] = row[:, None]
        second = np.where(silent, square, second)
    np.fill_diagonal(sites, second)


def _beside_zero(phi: Activation, q: FloatArray) -> tuple[FloatArray, float]:
    """φ(0) E φ(√q z) and φ(0)², each averaged over the parts of a mixture."""
    parts = phi.parts_with_shares
    if len(parts) == 1 and parts[0][1] is phi:
        at_zero = float(np.asarray(phi(np.zeros(1)))[0])
        return at_zero * np.asarray(phi.moments(q).mean), at_zero**2
    row, square = np.zeros(q.shape), 0.0
    for share, part in parts:
        one, two = _beside_zero(part, q)
        row, square = row + share * one, square + share * two
    return row, square


def to_sites(covariance: FloatArray, dimensions: int) -> FloatArray:
    """A new symmetric matrix, (inputs · positions)², of a stack.

    Raises
    ------
    DomainError
        It is no covariance, or a variance leaves float64.
    """
    inputs, positions = covariance.shape[0], covariance.shape[2 : 2 + dimensions]
    count = math.prod(positions)
    stacked = covariance.reshape(inputs, inputs, count, count).swapaxes(1, 2)
    sites = np.array(stacked, dtype=np.float64, order="C").reshape(inputs * count, inputs * count)
    q = np.diagonal(sites)
    with np.errstate(invalid="ignore"):
        usual = (q == 0) | ((q >= _LEAST) & (q <= _LARGEST))
    if not usual.all():
        raise DomainError(
            f"A variance on the diagonal of the covariance is {q[~usual][0]:.3g}.",
            "It is negative, NaN or beyond 1e±140; σ_w may make lengths grow or vanish from layer to layer.",
            "Give covariances of pre-activations; choose sigma_w near the value that keeps the variance, or a bias.",
        )
    # what was rounded to single precision exceeds the roots by that rounding
    slack = max(EXCESS, 16 * float(np.finfo(covariance.dtype).eps) if covariance.dtype.kind == "f" else 0.0)
    roots = np.sqrt(q)
    rows = max(1, BLOCK // len(q))
    for first in range(0, len(q), rows):
        block, other = sites[first : first + rows], sites[:, first : first + rows].T
        top = roots[first : first + rows, None] * roots
        if not ((np.abs(block) <= top * (1 + slack)) & (np.abs(block - other) <= top * slack)).all():
            raise DomainError(
                "An entry of the covariance exceeds the roots of its variances, differs from its mirror image, or is "
                "NaN.",
                "The axes may be in another order: both inputs come first, then both positions.",
                "Give a symmetric positive semidefinite array of shape (inputs, inputs, *positions, *positions).",
            )
    return sites


def from_sites(sites: FloatArray, inputs: int, positions: tuple[int, ...]) -> FloatArray:
    """A stack, as a view of the matrix that `to_sites` makes."""
    count = math.prod(positions)
    stacked = sites.reshape(inputs, count, inputs, count).swapaxes(1, 2)
    return stacked.reshape(inputs, inputs, *positions, *positions)


def stack_of(covariance: Any, dimensions: int) -> tuple[FloatArray, bool]:
    """`covariance` with the axes of the inputs, and whether they were missing.

    Raises
    ------
    DomainError
        Its shape is not that of covariances between positions.
    """
    given = as_array(covariance)
    single = given.ndim == 2 * dimensions
    stack = given[None, None] if single else given
    shape = stack.shape
    if (
        given.dtype.kind not in "iuf"
        or len(shape) != 2 + 2 * dimensions
        or shape[0] != shape[1]
        or shape[2 : 2 + dimensions] != shape[2 + dimensions :]
        or 0 in shape
    ):
        one, two = ("N, N", "inputs, inputs, N, N") if dimensions == 1 else ("H, W, H, W", "inputs, inputs, H, W, H, W")
        raise DomainError(
            f"The covariance is an array of type {given.dtype} and shape {given.shape}.",
            f"The kernel or window has {dimensions} dimension(s), so the shape is ({one}) or ({two}).",
            "Give that shape; a kernel of one number is one-dimensional, (3, 3) is two-dimensional.",
        )
    return stack, single


def require_finite(stack: FloatArray) -> None:
    """Refuse NaN, infinities and numbers whose sums leave float64.

    Raises
    ------
    DomainError
        There are some.
    """
    limit = min(_SUMMABLE, float(np.finfo(stack.dtype).max)) if stack.dtype.kind == "f" else _SUMMABLE
    if not (np.abs(stack) <= limit).all():
        raise DomainError(
            "The covariance has entries that are NaN or infinite (beyond 1e200).",
            "A layer before went beyond float64, or values are missing.",
            "Give finite covariances.",
        )


def box(name: str, value: Any) -> tuple[int, ...]:
    """The sides of a kernel or window, one or two positive integers.

    Raises
    ------
    DomainError
        They are not.
    """
    try:
        sides = tuple(map(operator.index, value if isinstance(value, (tuple, list)) else [value]))
    except TypeError:
        sides = ()
    if len(sides) not in (1, 2) or min(sides) < 1 or isinstance(value, bool):
        raise DomainError(
            f"{name} is {shown(value)}.",
            "It counts positions along one or two dimensions.",
            f"Give {name} as an integer (one dimension) or a pair such as (3, 3).",
        )
    return sides


def require_memory(inputs: int, positions: tuple[int, ...], budget: float) -> None:
    """Refuse covariances between `inputs` times `positions` sites beyond `budget` bytes.

    Raises
    ------
    MemoryBudgetError
        With the bytes, and how many sites fit.
    """
    sites, fixed = inputs * math.prod(positions), 8 * _TEMPORARIES * PANEL
    needed = 8 * _COPIES * sites**2 + min(fixed, 8 * _TEMPORARIES * sites**2)
    if needed > budget:
        fits = math.isqrt(max(0, int(budget) - fixed) // (8 * _COPIES))
        raise MemoryBudgetError(
            f"Covariances of {inputs} input(s) at {math.prod(positions)} positions take {needed} bytes; memory_budget "
            f"is {int(budget)}.",
            f"Every pair of sites is kept: {sites}² entries, {_COPIES} arrays; they grow with the fourth power of an "
            "image's side.",
            f"Use inputs and positions whose product is at most {fits}, pool first, or raise memory_budget.",
        )


def _shifted(size: int, shift: int, circular: bool) -> Iterator[tuple[slice, slice]]:
    """Slices (to, from) of an axis such that to = from - shift, in one piece or, around the circle, two."""
    low, high = max(0, -shift), min(size, size - shift)
    if low < high:
        yield slice(low, high), slice(low + shift, high + shift)
    if circular and shift > 0:
        yield slice(size - shift, size), slice(0, shift)
    if circular and shift < 0:
        yield slice(0, -shift), slice(size + shift, size)


def _at(first: int, one: slice, second: int, two: slice) -> tuple[slice, ...]:
    """The index with `one` on axis `first` and `two` on axis `second`."""
    everything = slice(None)
    between = (everything,) * (second - first - 1)
    return (*(everything,) * first, one, *between, two)


def _grouped(q: FloatArray) -> FloatArray:
    """`q` where entries that differ by rounding are one number, so that they share what is tabulated for it."""
    order = np.argsort(q, kind="stable")
    ascending = q[order]
    starts = np.append(True, ascending[1:] > ascending[:-1] * (1 + _ROUNDING))
    out = np.empty(len(q))
    out[order] = ascending[starts][np.cumsum(starts) - 1]
    return out
