"""What a leaky ResNet is given: a shape, layer steps, linear maps at its ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ...errors import DomainError
from ...gaussian.arguments import as_floats, flag, shown
from ...result import FloatArray
from ..arguments import LARGEST, number, real_inputs, whole
from ..memory_budget import require_memory

LEAKY = ("steps", "weights", "effective_depth")  # what makes a module a leaky ResNet
_DEEPEST = 10**6
_BYTES = 24  # a weight, while it is drawn and converted
_ROUNDING = 1e-5  # steps that were kept in float32 add up to 1 within some 1e-7 a thousand layers


def require_leaky(model: Any) -> None:
    """Refuse what is no `LeakyResNet`."""
    if not isinstance(model, torch.nn.Module) or not all(hasattr(model, name) for name in LEAKY):
        raise DomainError(
            f"model is a {type(model).__name__}.",
            "Only leaky ResNets have layer steps and an effective depth.",
            "Give a gpdeep.nn.LeakyResNet.",
        )


def bias_of(value: Any) -> float:
    """β, 0 or more."""
    bias = number("bias", value, -math.inf, LARGEST, "the constant that the last column of the weights multiplies")
    if bias < 0:
        raise DomainError(f"bias = {shown(value)}.", "The constant β is not negative.", "Give a bias of 0 or more.")
    return bias


def array_of(name: str, value: Any) -> FloatArray:
    """`value`, an array or a tensor, as finite numbers in float64."""
    if isinstance(value, torch.Tensor):
        value = real_inputs(value).detach().cpu().to(torch.float64)
    found = as_floats(value, "biuf")
    if found is None:
        raise DomainError(
            f"{name} cannot be made an array of numbers: it is {shown(value)}.",
            "It is ragged, or holds text or complex numbers.",
            f"Give {name} as an array or tensor of real numbers.",
        )
    if not (np.abs(found) <= LARGEST).all():
        bad = int(np.count_nonzero(~(np.abs(found) <= LARGEST)))
        raise DomainError(
            f"{name} has {bad} entries of {found.size} that are NaN, infinite or beyond {LARGEST:g}.",
            "It was computed from something that overflowed.",
            f"Give {name} as finite numbers.",
        )
    return found


def steps_of(steps: Any, depth: int, effective_depth: float) -> FloatArray:
    """ρ_l > 0, summing to 1, with ρ_l L̃ < 1; equal ones where `steps` is None.

    Raises
    ------
    DomainError
        They are not that.
    """
    if depth > _DEEPEST:
        raise DomainError(
            f"depth = {shown(depth)} is above {_DEEPEST}.",
            "It has a digit too many.",
            f"Use at most {_DEEPEST} layers.",
        )
    if steps is None:
        if depth <= effective_depth:
            raise DomainError(
                f"{depth} equal layers at L̃ = {effective_depth:g} have ρ L̃ = {effective_depth / depth:.3g}.",
                "With ρ_l L̃ ≥ 1 a layer forgets its input, or turns it round, and is no step along a path.",
                f"Use a depth of more than {effective_depth:g}, such as {math.ceil(4 * effective_depth)}.",
            )
        return np.full(depth, 1.0 / depth)
    rho = array_of("steps", steps)
    if rho.shape != (depth,):
        raise DomainError(
            f"steps has the shape {rho.shape} for {depth} layers.",
            "There is one step ρ_l for each layer.",
            f"Give {depth} steps, or leave them out for equal ones.",
        )
    if not (rho > 0).all() or abs(rho.sum() - 1) > _ROUNDING:
        raise DomainError(
            f"The smallest step is {rho.min():.3g} and the steps add up to {rho.sum():.7g}.",
            "Steps ρ_l are positive shares of the way from p = 0 to 1; perhaps lengths ρ_l L̃ were given.",
            "Divide them by their sum.",
        )
    longest = int(rho.argmax())
    if rho[longest] * effective_depth >= 1:
        raise DomainError(
            f"Step {longest + 1} of {depth} has ρ L̃ = {rho[longest]:.3g} · {effective_depth:g} "
            f"= {rho[longest] * effective_depth:.3g}.",
            "With ρ_l L̃ ≥ 1 a layer forgets its input, or turns it round, and is no step along a path.",
            f"Keep every step below 1/L̃ = {1 / effective_depth:.3g}: shorten this one, or use more layers.",
        )
    return rho


def weights_of(weights: Any, bias: float) -> FloatArray:
    """`weights` as an array (L, w, w + 1), or (L, w, w) without bias."""
    W = array_of("weights", weights)
    extra = int(bias > 0)
    if W.ndim != 3 or not W.size or W.shape[2] != W.shape[1] + extra:
        raise DomainError(
            f"weights has the shape {W.shape} with bias = {bias:g}.",
            "There is one matrix a layer, and its last column multiplies the bias, where there is one.",
            f"Give weights of shape (layers, width, width{' + 1' if extra else ''}), or another bias.",
        )
    return W


def linear_map(
    name: str, value: Any, shape: tuple[int | None, int | None], draw: np.random.Generator, learned: bool
) -> FloatArray | None:
    """A map of `shape`, where None is any number: as given, drawn from N(0, 1/columns), or none."""
    rows, columns = (
        None if n is None else whole(n_name, n, counts="neurons or features")
        for n_name, n in zip(_names(name), shape, strict=True)
    )
    if value is not None:
        found = array_of(name, value)
        if found.ndim != 2 or not found.size or found.shape != (rows or found.shape[0], columns or found.shape[1]):
            wanted = ", ".join(label if n is None else str(n) for label, n in zip(_names(name), shape, strict=True))
            raise DomainError(
                f"{name} has the shape {found.shape}, not ({wanted}).",
                "A linear map has one row for each output and one column for each input, as torch.nn.Linear has.",
                f"Give {name} with the shape ({wanted}); perhaps it is the transpose.",
            )
        return found
    if rows is None or columns is None:
        if flag(f"learn_{name}", learned):
            raise DomainError(
                f"learn_{name} is true without a {name}.",
                "There is no map that could be learned.",
                f"Give {name}, or {'in_features' if name == 'read_in' else 'out_features'} to have one drawn.",
            )
        return None
    require_memory(_BYTES * rows * columns, "cpu", "rows or columns")
    return draw.standard_normal((rows, columns)) / math.sqrt(columns)


def _names(name: str) -> tuple[str, str]:
    """What rows and columns of a map are."""
    return ("width", "in_features") if name == "read_in" else ("out_features", "width")
