"""What functions of `gpdeep.nn` are given: numbers, which may be tensors, types and devices, and inputs."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import torch

from ..errors import DomainError
from ..gaussian.arguments import real, shown

LARGEST = 1e50
_MOST = 10**9


def number(name: str, value: Any, low: float, high: float, meaning: str) -> float:
    """`value` as a float with low < value < high, also from a tensor of one entry; `meaning` says what it is."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and value.layout is torch.strided:
        value = value.detach().reshape(())
    return real(name, value, low, high, meaning)


def whole(name: str, value: Any, most: int = _MOST, *, counts: str) -> int:
    """`value` as an int from 1 to `most`; `counts` says of what."""
    try:
        found = 0 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except (TypeError, RuntimeError):
        found = 0
    if not 1 <= found <= most:
        raise DomainError(
            f"{name} = {shown(value, 100)} is not a whole number of 1 or more, up to {most}.",
            f"{name} counts {counts}; what was given is no int, or out of range.",
            f"Give {name} as an int, such as 30.",
        )
    return found


def require_sigma(name: str, value: Any) -> float:
    """`value` as a standard deviation, 0 or more."""
    sigma = number(name, value, -math.inf, LARGEST, "a standard deviation")
    if sigma < 0:
        raise DomainError(
            f"{name} = {shown(value)}.", "A standard deviation is not negative.", f"Give a {name} of 0 or more."
        )
    return sigma


def real_inputs(x: Any) -> Any:
    """`x` as an array, or as the dense tensor that it is, of real numbers.

    Raises
    ------
    DomainError
        It is ragged, masked, no numbers or complex, or a tensor that is sparse, quantised or on the meta device.
    """
    if np.ma.is_masked(x):
        raise DomainError(
            f"{int(np.ma.getmaskarray(x).sum())} of the inputs are masked.",
            "They are missing, and what lies beneath a mask is no value.",
            "Leave these samples out, or fill them in: x.filled(0).",
        )
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


def native(x: Any) -> Any:
    """A copy of an array that torch can read: in the machine's byte order, in a type that torch has."""
    if x.dtype.kind == "f" and x.dtype.itemsize > 8:
        x = x.astype(np.float64)
    if x.dtype.kind == "u" and x.dtype.itemsize > 1:
        x = x.astype(np.float64)
    return np.array(x, dtype=x.dtype.newbyteorder("="))


def tensor_of(values: Any, device: Any) -> Any:
    """Real numbers as a tensor on a device, in a type of their own."""
    values = real_inputs(values)
    return torch.as_tensor(values if isinstance(values, torch.Tensor) else native(values), device=device).detach()


def kind_of(dtype: Any, device: Any) -> dict[str, Any]:
    """Type and device of parameters, as tensors of torch are asked for; refused where torch has no such thing here."""
    kind = {"dtype": torch.get_default_dtype() if dtype is None else dtype, "device": device}
    try:
        made = torch.empty(0, **kind)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise DomainError(
            f"dtype = {shown(dtype, 50)}, device = {shown(device, 50)}: {str(error).splitlines()[0]:.200}",
            "It is misspelt, a type of numpy, or a device that this machine or this build of torch does not have.",
            "Give such as torch.float64 and 'cpu', or leave them out.",
        ) from error
    if not made.is_floating_point():
        raise DomainError(
            f"dtype = {shown(dtype)}.",
            "Weights are real numbers with a gradient.",
            "Give torch.float64 or torch.float32.",
        )
    return kind
