r"""Products of matrices in the type that they are in, and the proof that they are.

    (1 + 2^-k) · 1 = 1 + 2^-k,     k = half the digits of the type:  float32 12, float64 26

A float32 product on a GPU may be computed in TF32, which keeps 10 binary digits: it answers 1, and is blind below
angles of 1e-3. Libraries switch it on, environment variables too, so the setting alone proves nothing.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ...errors import GpdeepError

_OPERATIONS = (("cuda", "matmul"), ("cuda", "conv"), ("cuda", "rnn"), ("mkldnn", "matmul"))
_SUMS = ("allow_bf16_reduced_precision_reduction", "allow_fp16_reduced_precision_reduction", "allow_fp16_accumulation")
_SIDE = 64  # of the matrices of the proof: what is smaller may be computed by another kernel


class LowPrecisionError(GpdeepError, ArithmeticError):
    """Products are computed with fewer digits than their type has."""


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Within it no product or convolution is computed in TF32 or bfloat16; afterwards all is as the user had it."""
    with contextlib.ExitStack() as stack:
        for device in ("cuda", "cpu"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        _switch_off_short_sums(stack)
        _switch_off_tf32(stack)
        yield


def _switch_off_short_sums(stack: contextlib.ExitStack) -> None:
    """Sums of short products in short numbers; whether a sum may be split is a second half of some switches."""
    matmul = torch.backends.cuda.matmul
    for name in _SUMS:
        allowed, split = (getattr(matmul, full, None) for full in (name, f"{name}_split_k"))
        if allowed is not None:
            stack.callback(setattr, matmul, name, allowed if split is None else (allowed, split))
            setattr(matmul, name, False if split is None else (False, split))


def _switch_off_tf32(stack: contextlib.ExitStack) -> None:
    """By operation where torch has that (2.9), which also serves who mixes its old and new switches."""
    read, write = (getattr(torch._C, f"_{verb}_fp32_precision_{verb}ter", None) for verb in ("get", "set"))
    if read is not None and write is not None:
        for where in _OPERATIONS:
            stack.callback(functools.partial(write, *where, read(*where)))
            write(*where, "ieee")
        return
    stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    stack.callback(setattr, torch.backends.cudnn, "allow_tf32", torch.backends.cudnn.allow_tf32)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def require_full_precision(
    dtype: Any, device: Any, multiply: Callable[[Any, Any], Any] = torch.bmm, *, side: int = _SIDE
) -> None:
    """Refuse a `multiply` of matrices that loses digits of `dtype`.

    Parameters
    ----------
    dtype : torch.dtype
    device : torch.device or str
    multiply : callable
        Of two tensors of shape (1, side, side).
    side : int

    Raises
    ------
    LowPrecisionError
        A product by the unit matrix is not what was multiplied.

    Examples
    --------
    >>> require_full_precision(torch.float32, "cpu")
    >>> def in_bfloat16(a, b):
    ...     return torch.bmm(a.bfloat16(), b.bfloat16()).float()
    >>> require_full_precision(torch.float32, "cpu", in_bfloat16)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    gpdeep.nn.ensembles.full_precision.LowPrecisionError: A product of torch.float32 matrices on cpu lost 1 + 2^-12: ...
    """
    digits = math.ceil(-math.log2(torch.finfo(dtype).eps) / 2)
    kind = {"dtype": dtype, "device": device}
    given = torch.full((1, side, side), 1 + 2.0**-digits, **kind)
    found = multiply(given, torch.eye(side, **kind)[None])
    lost = float((found - given).abs().max())
    if not lost == 0.0:
        raise LowPrecisionError(
            f"A product of {dtype} matrices on {device} lost 1 + 2^-{digits}: off by {lost:.2g}.",
            "It was computed in TF32 or bfloat16, by a setting of torch, of its libraries (NVIDIA_TF32_OVERRIDE), "
            "or by autocast.",
            "Switch that off, or measure with dtype=torch.float64.",
        )
