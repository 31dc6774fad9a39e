r"""Functions of an angle and two variances over arrays of them, one call for every distinct pair of variances.

What is tabulated for (q₁, q₂) serves (q₂, q₁), and all angles that come with either; a kernel between normalised inputs
is one pair. Covariances become angles by θ = arctan2(√(q₁q₂ - K²), K).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..errors import DomainError
from ..gaussian.arguments import LEAST_VARIANCE, REAL_KINDS, as_array, require_fitting, shown
from ..gaussian.arguments import variances as checked
from ..result import FloatArray

OfPair = Callable[[FloatArray, float, float], FloatArray]


def variances(**given: Any) -> dict[str, FloatArray]:
    """The named variances in float64.

    Raises
    ------
    DomainError
        One of them is not a positive finite number.
    """
    return {name: checked(name, value) for name, value in given.items()}


def by_pairs(one: OfPair, theta: FloatArray, q1: Any, q2: Any) -> Any:
    """`one(angles, q1, q2)` for every distinct unordered pair of variances, put together in the common shape."""
    given = variances(q1=q1, q2=q2)
    require_fitting(theta=theta, **given)
    at, a, b = np.broadcast_arrays(theta, given["q1"], given["q2"])
    flat, low, high = at.ravel(), np.minimum(a, b).ravel(), np.maximum(a, b).ravel()
    out = np.empty(flat.size)
    if flat.size and (low == low[0]).all() and (high == high[0]).all():
        out[:] = one(flat, float(low[0]), float(high[0]))
    elif flat.size:
        pairs, which = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
        order = np.argsort(which.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(which.ravel()))[:-1]
        for rows, (x, y) in zip(np.split(order, ends), pairs, strict=True):
            out[rows] = one(flat[rows], float(x), float(y))
    return out.reshape(at.shape)[()]


def from_covariances(one: OfPair, k: Any, q1: Any, q2: Any) -> Any:
    """`by_pairs` at the angles that belong to the covariances `k`; tensors go to the host and the result comes back.

    Raises
    ------
    DomainError
        As `prepared_covariance`.
    """
    tensor, xp, value, q1, q2 = prepared_covariance(k, q1, q2)
    if tensor is not None:
        value, q1, q2 = (x.detach().cpu().numpy() for x in (value, q1, q2))
    top = np.sqrt(q1) * np.sqrt(q2)
    sine = np.sqrt(np.maximum((top - value) * (top + value), 0))
    out = by_pairs(one, np.arctan2(sine, value), q1, q2)
    return out if tensor is None else xp.asarray(out, dtype=tensor.dtype, device=tensor.device)


def prepared_covariance(k: Any, q1: Any, q2: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The first tensor among the arguments (or None), its namespace, and `k`, `q1`, `q2` in float64 there.

    Raises
    ------
    DomainError
        A variance is not a positive finite number; |k| exceeds √(q1 q2) by more than 1e-9 of it (1e-6 if one of the
        three is float32), or is NaN; text, truth values or complex numbers.
    """
    given = (k, q1, q2)
    tensor = next((x for x in given if is_torch_array(x)), None)
    # float32 covariances exceed the product of the roots by its rounding
    narrow = any("float32" in str(getattr(x, "dtype", "")) for x in given)
    top = 1 + (1e-6 if narrow else 1e-9)
    if not _real(k):
        raise DomainError(
            f"The covariance is {shown(k)}.",
            "Covariances are real numbers; text, truth values, complex numbers or ragged lists were given.",
            "Give a float or an array of floats.",
        )
    if tensor is None:
        xp: Any = np
        k, q1, q2 = np.asarray(k, dtype=np.float64), checked("q1", q1), checked("q2", q2)
    else:
        xp = array_namespace(tensor)
        for name, q in (("q1", q1), ("q2", q2)):
            usual = is_torch_array(q) and _real(q) and bool(((q >= LEAST_VARIANCE) & (q <= 1 / LEAST_VARIANCE)).all())
            if not usual:
                checked(name, as_array(q.detach() if q.is_meta else q.detach().cpu()) if is_torch_array(q) else q)
        k, q1, q2 = (
            xp.astype(x, xp.float64) if is_torch_array(x) else xp.asarray(x, dtype=xp.float64, device=tensor.device)
            for x in (k, q1, q2)
        )
    require_fitting(k=k, q1=q1, q2=q2)
    if not bool((xp.abs(k) <= (xp.sqrt(q1) * top) * xp.sqrt(q2)).all()):
        raise DomainError(
            "A covariance exceeds √(q1 q2) in magnitude, or is NaN.",
            "The matrix is not positive semidefinite, or variances and standard deviations are mixed up.",
            "Give covariances with |k| ≤ √(q1 q2), where q1 and q2 are variances.",
        )
    return tensor, xp, k, q1, q2


def _real(x: Any) -> bool:
    """Whether `x` holds integers or floats."""
    if is_torch_array(x):
        dense = not (x.is_meta or x.is_sparse or x.is_quantized)
        return dense and not x.is_complex() and str(x.dtype) != "torch.bool"
    return as_array(x).dtype.kind in REAL_KINDS
