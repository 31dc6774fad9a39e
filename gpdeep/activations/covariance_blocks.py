r"""Covariances of many pairs at once, block by block so that what is worked on stays in cache; numpy arrays or tensors.

    closed forms:  E φ(u)φ(v) = F(K, q₁, q₂)          Mehler:  E φ(u)φ(v) = Σ_k a_k(q₁) a_k(q₂) ρ^k,  ρ = K/√(q₁q₂)

Mehler's series is summed by Horner's rule over k, every step adding an outer product of coefficients to a block of the
matrix. Where all entries share one pair of variances it is a polynomial in ρ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..gaussian.mehler import Mehler
from ..result import FloatArray
from .variance_pairs import prepared_covariance

_BLOCK = 2**14
_DISTINCT = 20_000
_TAIL = 1e-17


def closed_covariance(formula: Callable[..., Any], k: Any, q1: Any, q2: Any) -> Any:
    """`formula(k, q1, q2, xp)` elementwise.

    Raises
    ------
    DomainError
        A variance is not positive, or |k| exceeds √(q1 q2) by more than rounding, or is NaN.
    """
    tensor, xp, k, q1, q2 = prepared_covariance(k, q1, q2)
    if tensor is not None:
        return xp.astype(formula(k, q1, q2, xp), tensor.dtype)
    return _blockwise(lambda k, q1, q2: formula(k, q1, q2, np), k, q1, q2)


def mehler_covariance(table: Callable[[FloatArray], FloatArray], order: int, k: Any, q1: Any, q2: Any) -> Any:
    """Σ_m m!/(m-j)! a_m(q₁)a_m(q₂) ρ^{m-j} / √(q₁q₂)^j, j = `order` 0 or 1, elementwise.

    Parameters
    ----------
    table : callable
        Takes variances, shape (n,), and gives a_m, shape (n, terms).
    """
    tensor, xp, k, q1, q2 = prepared_covariance(k, q1, q2)
    host1, host2 = (np.asarray(x.detach().cpu()) if tensor is not None else x for x in (q1, q2))
    distinct = np.unique(np.concatenate([host1.ravel(), host2.ravel()]))
    if min(host1.size, host2.size) == 0:
        return k * q1 * q2
    if len(distinct) > _DISTINCT and tensor is None:
        return _blockwise(lambda k, q1, q2: _series(table, order, k, q1, q2, np), k, q1, q2, block=_DISTINCT // 2)
    value = _series(table, order, k, q1, q2, xp, distinct, host1, host2)
    return value if tensor is None else xp.astype(value, tensor.dtype)


def _series(
    table: Callable[[FloatArray], FloatArray],
    order: int,
    k: Any,
    q1: Any,
    q2: Any,
    xp: Any,
    distinct: FloatArray | None = None,
    host1: Any = None,
    host2: Any = None,
) -> Any:
    host1, host2 = (q1, q2) if host1 is None else (host1, host2)
    distinct = np.unique(np.concatenate([host1.ravel(), host2.ravel()])) if distinct is None else distinct
    first, second = host1.ravel()[0], host2.ravel()[0]
    if (host1 == first).all() and (host2 == second).all():
        a = table(np.unique([first, second]))
        series = Mehler.of(a[0], a[-1])
        scale = math.sqrt(first) * math.sqrt(second)
        rho = xp.clip(k / scale, -1.0, 1.0) * xp.ones_like(q1 * q2)
        return series.value(rho, xp) if order == 0 else series.slope(rho, xp) / scale
    left, right, parity = _rows(table(distinct), order)
    index1, index2 = (np.searchsorted(distinct, x) for x in (host1, host2))
    if xp is not np:
        device = k.device
        left, right, index1, index2 = (xp.asarray(x, device=device) for x in (left, right, index1, index2))
        return _horner(left, right, k, q1, q2, index1, index2, order, parity, xp)
    return _blockwise(
        lambda k, q1, q2, i, j: _horner(left, right, k, q1, q2, i, j, order, parity, np), k, q1, q2, index1, index2
    )


def _rows(a: FloatArray, order: int) -> tuple[FloatArray, FloatArray, int | None]:
    """Coefficients by rows (powers of ρ): those that count, and only every other one where φ has a parity."""
    right = a.T[order:]
    left = right * np.arange(1.0, len(right) + 1)[:, None] if order else right
    beyond = np.cumsum((left * right)[::-1], axis=0)[::-1]  # of ρ = 1 and q₁ = q₂; others are below by Cauchy-Schwarz
    count = int(np.count_nonzero((beyond > _TAIL * beyond[0]).any(axis=1)))
    left, right = left[:count], right[:count]
    zero = [not right[start::2].any() for start in (0, 1)]
    parity = None if True not in zero or len(right) < 3 else 1 - zero.index(True)
    chosen = slice(None) if parity is None else slice(parity, None, 2)
    return np.ascontiguousarray(left[chosen]), np.ascontiguousarray(right[chosen]), parity


def _horner(
    left: Any, right: Any, k: Any, q1: Any, q2: Any, i: Any, j: Any, order: int, parity: int | None, xp: Any
) -> Any:
    """Σ_m left_m[i] right_m[j] ρ^m, divided by √(q₁q₂) where slopes are meant; ρ^(2m + parity) with a parity."""
    scale = xp.sqrt(q1) * xp.sqrt(q2)
    rho = xp.clip(k / scale, -1.0, 1.0)
    x = rho if parity is None else rho * rho
    total = left[-1][i] * right[-1][j] + xp.zeros_like(rho)
    for m in range(len(left) - 2, -1, -1):
        # in place on arrays: half the traffic; not on tensors, whose gradients need every step
        total = np.multiply(total, x, out=total) if xp is np else total * x
        total += left[m][i] * right[m][j]
    if parity == 1:
        total = total * rho
    return total / scale if order else total


def _blockwise(of: Callable[..., Any], *arrays: Any, block: int = _BLOCK) -> Any:
    """`of(*arrays)` for broadcasting numpy arrays, over blocks of rows of the result."""
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    size = math.prod(shape)
    if size <= block or not shape:
        return of(*arrays)[()]
    if len(shape) == 1 or shape[0] == 1:
        inner, rows = 1, shape[0]
    else:
        inner, rows = math.prod(shape[1:]), shape[0]
    if rows == 1:
        return _blockwise(of, *(x.reshape(x.shape[1:]) if x.ndim == len(shape) else x for x in arrays), block=block)[
            None
        ]
    out = np.empty(shape)
    step = max(1, block // inner)
    for start in range(0, rows, step):
        part = [x[start : start + step] if x.ndim == len(shape) and x.shape[0] > 1 else x for x in arrays]
        out[start : start + step] = of(*part)
    return out
