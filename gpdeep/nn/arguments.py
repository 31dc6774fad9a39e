"""What functions of `gpdeep.nn` are given: numbers, which may be tensors, and inputs, as arrays or dense tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ..errors import DomainError
from ..gaussian.arguments import real

LARGEST = 1e50


def number(name: str, value: Any, low: float, high: float, meaning: str) -> float:
    """`value` as a float with low < value < high, also from a tensor of one entry; `meaning` says what it is."""
    try:
        return real(name, value, low, high, meaning)
    except RuntimeError:  # torch's, of a tensor that is no single number
        return real(name, str(value), low, high, meaning)


def require_sigma(name: str, value: Any) -> float:
    """`value` as a standard deviation, 0 or more."""
    sigma = number(name, value, -math.inf, LARGEST, "a standard deviation")
    if sigma < 0:
        raise DomainError(
            f"{name} = {value!r}.", "A standard deviation is not negative.", f"Give a {name} of 0 or more."
        )
    return sigma


def real_inputs(x: Any) -> Any:
    """`x` as an array, or as the dense tensor that it is, of real numbers.

    Raises
    ------
    DomainError
        It is ragged, no numbers or complex, or a tensor that is sparse, quantised or on the meta device.
    """
    if not isinstance(x, torch.Tensor):
        try:
            x = np.asarray(x)
        except (ValueError, TypeError, RuntimeError) as error:
            raise DomainError(
                f"The inputs cannot be made an array ({error}).",
                "The rows have different lengths, or are tensors on a GPU or with gradients.",
                "Give a numpy array or a torch tensor of real numbers, the first axis running over inputs.",
            ) from error
        kind = f"type {x.dtype}" if x.dtype.kind not in "buif" else ""
    elif x.is_meta:
        kind = "device meta, and no values"
    elif x.layout is not torch.strided:
        kind = f"layout {x.layout}"
    else:
        kind = f"type {x.dtype}" if x.is_complex() or x.is_quantized else ""
    if kind:
        raise DomainError(
            f"The inputs have the {kind}.",
            "Inputs are real numbers in a dense array; complex, sparse or quantised ones, text or objects were given.",
            "Convert them to floats: x.to_dense(), x.dequantize(), x.real.",
        )
    return x
