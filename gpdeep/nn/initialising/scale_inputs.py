r"""Inputs as a design wants them:  x → x √(x̄²/mean(x²)),  sample by sample, x̄² = (q* - σ_b²)/σ_w².

With that mean square the first layer's pre-activations have the variance q* at once. Inputs of mean square 1 put it
at σ_w² + σ_b², for sparse designs up to twelve times q* and outside of any basin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...errors import DomainError
from ..arguments import real_inputs
from .initialisers import require_design

if TYPE_CHECKING:
    from ...sparse import Design


def scale_inputs(x: Any, design: Design) -> Any:
    r"""Each sample of `x`, scaled to the mean square x̄² that `design` wants of inputs.

    Parameters
    ----------
    x : array or tensor, shape (batch, ...)
        Real numbers, every sample (over all axes but the first) with an entry other than 0.
    design : Design
        Gives x̄² as `input_second_moment`.

    Returns
    -------
    array or tensor, the shape of `x`
        A tensor on the device of `x` for tensors. Floating-point types stay as they are (computed in float64);
        integers become float64, in tensors torch's default type.

    Raises
    ------
    DomainError
        A sample is zero, or has entries that are NaN or infinite (the message names it); `x` has no batch axis or is
        no dense array of real numbers.

    Notes
    -----
    Lengths are taken out, angles between samples stay. Where lengths carry information, use ``x * factor`` with one
    factor for all, and `initialize` with ``input_second_moment``.

    Examples
    --------
    >>> from gpdeep.sparse import design
    >>> crelu = design("crelu", 0.85, slope=0.7)
    >>> x = scale_inputs(np.random.default_rng(0).standard_normal((3, 784)), crelu)
    >>> (x**2).mean(axis=1) * crelu.sigma_w**2 + crelu.sigma_b**2
    array([1., 1., 1.])
    """
    require_design(design)
    values = real_inputs(x)
    tensor = isinstance(values, torch.Tensor)
    dtype = _result_type(values)
    wide = values.to(torch.float64) if tensor else values.astype(np.float64)
    if wide.ndim < 2 or 0 in tuple(wide.shape[1:]):
        raise DomainError(
            f"The inputs have the shape {tuple(wide.shape)}.",
            "The first axis runs over samples and the others over the numbers in one, of which there are none.",
            "Give an array of shape (batch, features), with a batch of 1 for a single sample.",
        )
    axes = tuple(range(1, wide.ndim))
    largest = abs(wide).amax(axes, keepdim=True) if tensor else abs(wide).max(axes, keepdims=True)
    for bad, what in ((~(largest < np.inf), "has entries that are NaN or infinite"), (largest == 0, "is zero")):
        if bad.any():
            raise DomainError(
                f"Sample {int(bad.reshape(-1).nonzero()[0][0])} of {len(wide)} {what} "
                f"({int(bad.sum())} of them in all).",
                "A sample without a length cannot be scaled to one: an empty image, or missing values.",
                "Drop such samples, or correct them.",
            )
    unit = wide / largest  # squares neither overflow nor underflow
    square = (unit * unit).mean(axes, keepdim=True) if tensor else (unit * unit).mean(axes, keepdims=True)
    scaled = unit * (design.input_second_moment / square) ** 0.5
    return scaled.to(dtype) if tensor else scaled.astype(dtype)


def _result_type(values: Any) -> Any:
    """The type of the scaled numbers."""
    if isinstance(values, torch.Tensor):
        return values.dtype if values.is_floating_point() else torch.get_default_dtype()
    return values.dtype if values.dtype.kind == "f" else np.float64
