"""What a probe is asked for: which modules, which inputs, which scalar of the output, which initialisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation, activation
from ...errors import DomainError
from ...gaussian.arguments import callback, shown
from ..arguments import LARGEST, number, real_inputs, require_sigma
from ..modules.partial_relu import PartialReLU
from ..reading.phi import phi_of_module, phi_of_slope

_NOT_ELEMENTWISE = (nn.GLU, nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax)


def aim(
    design: Any, sigma_w: float | None, sigma_b: float | None
) -> tuple[Activation | None, float | None, float | None, float | None]:
    """φ, σ_w, σ_b and q* of the prediction, None where there is none."""
    if design is None and sigma_w is None:
        if sigma_b is not None:
            raise DomainError(
                f"sigma_b = {sigma_b!r} without sigma_w.",
                "Only half of the initialisation was described.",
                "Give both, or neither.",
            )
        return None, None, None, None
    q_star = phi = None
    if design is not None:
        if sigma_w is not None or sigma_b is not None:
            raise DomainError(
                f"A design was given together with sigma_w = {sigma_w!r} and sigma_b = {sigma_b!r}.",
                "The design says already with which variances it is initialised.",
                "Give the design, or the two standard deviations.",
            )
        try:
            phi, sigma_w, sigma_b = activation(design.phi), design.sigma_w, design.sigma_b
            q_star = number("design.q_star", design.q_star, -math.inf, math.inf, "the variance that the design keeps")
        except AttributeError as error:
            raise DomainError(
                f"The design is a {type(design).__name__} and lacks something ({error}).",
                "It is no design of gpdeep.sparse.",
                "Give an object with phi, sigma_w, sigma_b and q_star, or sigma_w=... and sigma_b=...",
            ) from error
    sigma_w = number("sigma_w", sigma_w, 0.0, LARGEST, "the standard deviation of the weights, times √fan-in")
    return phi, sigma_w, 0.0 if sigma_b is None else require_sigma("sigma_b", sigma_b), q_star


def sites_of(model: nn.Module, own: Any, phi: Activation | None) -> dict[nn.Module, tuple[str, Activation | None]]:
    """The modules to look at, by name and function; `phi` stands in for an unknown function."""
    given = _named(own)
    inside = {part for module in given if isinstance(module, nn.Module) for part in module.modules()}
    parts = {module: name or "(the module itself)" for name, module in model.named_modules()}
    for module in given:
        if module not in parts:
            raise DomainError(
                f"activations holds a {type(module).__name__} that is no part of the model.",
                "A class, a name or a copy was given, or the module of another model.",
                "Give the modules themselves, such as [model.act].",
            )
    sites: dict[nn.Module, tuple[str, Activation | None]] = {}
    for module, name in parts.items():
        if module in given:
            function = given.get(module)
            sites[module] = name, _phi_at(module) or phi if function is None else activation(function)
        elif module not in inside and _is_activation(module):
            sites[module] = name, _phi_at(module) or phi
    if not sites:
        raise DomainError(
            f"{type(model).__name__} has no activation among its {len(parts)} modules.",
            "Its forward calls activations as functions, such as torch.relu(x): these cannot be hooked; or they are "
            "modules of the user's own.",
            "Make them modules (self.act = nn.ReLU(), then self.act(x)), or name your own with activations=[...].",
        )
    return sites


def _named(own: Any) -> Mapping[Any, Any]:
    """The modules that were named, with their φ or None; a module alone is one of them."""
    if isinstance(own, Mapping):
        return own
    alone = isinstance(own, nn.Module) and not isinstance(own, nn.ModuleList)
    try:
        return dict.fromkeys([own] if alone else own)
    except TypeError as error:
        raise DomainError(
            f"activations is a {type(own).__name__} ({error}).",
            "It is neither a module, a list of modules, nor a mapping from modules to their functions.",
            "Give the modules themselves, such as [model.act], or {model.act: 'crelu:1,1.5'}.",
        ) from error


def _phi_at(module: nn.Module) -> Activation | None:
    """φ of a module; of a `PartialReLU` where all its slopes are one number."""
    if not isinstance(module, PartialReLU):
        return phi_of_module(module)
    slopes = module.slopes().detach().double().unique().tolist()
    return phi_of_slope(slopes[0]) if len(slopes) == 1 and math.isfinite(slopes[0]) else None


def _is_activation(module: nn.Module) -> bool:
    if isinstance(module, PartialReLU) or phi_of_module(module) is not None:
        return True
    own_of_torch = type(module).__module__ == "torch.nn.modules.activation"
    return own_of_torch and not isinstance(module, _NOT_ELEMENTWISE)


def batch_of(model: nn.Module, inputs: Any) -> torch.Tensor:
    """The inputs as a tensor on the model's device, of its type."""
    numbers = next((p for p in (*model.parameters(), *model.buffers()) if p.is_floating_point()), None)
    inputs = real_inputs(inputs)
    if not isinstance(inputs, torch.Tensor):
        inputs = torch.from_numpy(np.array(inputs, np.float64 if inputs.dtype.kind == "f" else np.int64))
    if inputs.ndim < 2 or inputs.numel() == 0:
        raise DomainError(
            f"The inputs have the shape {tuple(inputs.shape)}.",
            "The axis of inputs is missing, or there are none.",
            "Give shape (inputs, ...); one input x is x[None].",
        )
    words = any(isinstance(part, (nn.Embedding, nn.EmbeddingBag)) for part in model.modules())
    if inputs.is_floating_point() or not words:
        inputs = inputs.to(torch.get_default_dtype() if numbers is None else numbers.dtype)
    return inputs if numbers is None else inputs.to(numbers.device)


def scalar_of(stream: np.random.Generator, loss: Callable[[Any], torch.Tensor] | None) -> Callable[[Any], torch.Tensor]:
    """From the output to S."""
    if loss is not None and (not callable(loss) or isinstance(loss, type)):
        raise DomainError(
            f"The loss is {shown(loss)}.",
            "The name of a loss, or its value, was given in place of the function.",
            "Give a function of the output, such as loss=lambda output: output.square().",
        )

    if loss is not None:
        callback("The loss", loss, None)

    def scalar(output: Any) -> torch.Tensor:
        value = output if loss is None else loss(output)
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            what = type(value).__name__ + (f" of type {value.dtype}" if isinstance(value, torch.Tensor) else "")
            raise DomainError(
                f"The {'output' if loss is None else 'loss'} is a {what}.",
                "The model returns several things or class labels." if loss is None else "It was made a Python number.",
                "Give loss=lambda output: ..., a real tensor made of the output.",
            )
        if loss is not None:
            return value.sum()
        wide = value.to(torch.promote_types(value.dtype, torch.float32))  # v·y itself may be beyond half precision
        v = torch.from_numpy(stream.standard_normal(value.shape)).to(wide.dtype)
        return (wide * v.to(wide.device)).sum()

    return scalar
