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
        |k| exceeds √(q1 q2) by more than rounding, or is NaN.
    """
    tensor = next((x for x in (k, q1, q2) if is_torch_array(x)), None)
    if tensor is not None:
        host = [x.detach().cpu().numpy() if is_torch_array(x) else x for x in (k, q1, q2)]
        value = np.asarray(from_covariances(one, *host))
        return array_namespace(tensor).asarray(value, dtype=tensor.dtype, device=tensor.device)
    given = variances(q1=q1, q2=q2)
    top = np.sqrt(given["q1"] * given["q2"])
    value = np.asarray(k, dtype=np.float64)
    # float32 covariances exceed the product of the roots by its rounding
    slack = 1e-6 if np.asarray(k).dtype == np.float32 else 1e-9
    if not (np.abs(value) <= top * (1 + slack)).all():
        raise DomainError(
            "A covariance exceeds √(q1 q2) in magnitude, or is NaN.",
            "The matrix is not positive semidefinite, or variances and standard deviations are mixed up.",
            "Give covariances with |k| ≤ √(q1 q2), where q1 and q2 are variances.",
        )
    sine = np.sqrt(np.maximum((top - value) * (top + value), 0))
    return by_pairs(one, np.arctan2(sine, value), given["q1"], given["q2"])
