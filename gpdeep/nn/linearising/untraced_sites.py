"""Activations of a model that `torch.fx` cannot trace: its modules, seen while it runs on an example."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ...errors import DomainError
from ..modules.partial_relu import PartialReLU
from ..reading.activation_sites import is_kind, slope_of
from ..reading.example_runs import run
from .channel_axes import Layout, checked, layout_of
from .slope_choice import SlopeChoice, reference

_FUNCTIONS = re.compile(r"relu_?|leaky_relu_?|prelu|clamp_min_?")


def replace_untraced(
    model: nn.Module, kinds: Collection[type[nn.Module]], arguments: tuple[Any, ...], choice: SlopeChoice
) -> dict[str, PartialReLU]:
    """Exchange the activation modules of `model`, in it, by what they are given when it runs on the example.

    A module that is called several times has one set of slopes.

    Raises
    ------
    DomainError
        The channels of one are not known or change from call to call, or activations are called as functions.
    """
    seen = _watched(model, kinds, arguments)
    modules: dict[str, PartialReLU] = {}
    for name, module in list(model.named_modules()):
        if not is_kind(module, kinds) or module not in seen:
            continue
        label = f"module '{name}' ({type(module).__name__})"
        calls = [(found, shape) for found, shape in seen[module]]
        if len({found for found, _ in calls}) > 1:
            raise DomainError(
                f"{label[0].upper()}{label[1:]} is called with channels and axes {sorted({str(f) for f, _ in calls})}.",
                "One module serves layers of different widths, and the model cannot be traced to tell them apart.",
                "Give each layer an activation module of its own.",
            )
        found, shape = calls[0]
        modules[name] = choice.make(label, name, found, shape, slope_of(module), reference(model))
        for other, same in list(model.named_modules(remove_duplicate=False)):
            if same is module:
                put(model, other, modules[name])
    _refuse_functions(model, arguments)
    return modules


def put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Register `module` under a qualified name."""
    prefix, _, last = name.rpartition(".")
    setattr(model.get_submodule(prefix), last, module)


def _watched(
    model: nn.Module, kinds: Collection[type[nn.Module]], arguments: tuple[Any, ...]
) -> dict[nn.Module, list[tuple[Layout | None, tuple[int, ...]]]]:
    """What the activations are given: channels and axis by the last layer before them whose output has that shape."""
    seen: dict[nn.Module, list[tuple[Layout | None, tuple[int, ...]]]] = {}
    last: list[tuple[Layout, tuple[int, ...]]] = []

    def after(module: nn.Module, given: Any, output: Any) -> None:
        found = layout_of(module, None)
        if found is not None and isinstance(output, torch.Tensor):
            last[:] = [(found, tuple(output.shape))]

    def before(module: nn.Module, given: Any) -> None:
        shape = tuple(given[0].shape)
        found = last[0][0] if last and last[0][1] == shape else None
        seen.setdefault(module, []).append((checked(found, shape), shape))

    handles = []
    try:
        for part in model.modules():
            if is_kind(part, kinds):
                handles.append(part.register_forward_pre_hook(before))
            elif not isinstance(part, torch.jit.ScriptModule):
                handles.append(part.register_forward_hook(after))
        run(model, arguments)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _refuse_functions(model: nn.Module, arguments: tuple[Any, ...]) -> None:
    """Refuse ReLUs that are still called, as functions."""
    found: list[str] = []

    class Watch(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = str(getattr(func, "__name__", ""))
            if _FUNCTIONS.fullmatch(name) and not inside:
                found.append(name)
            return func(*args, **(kwargs or {}))

    inside: list[nn.Module] = []  # PartialReLU itself calls prelu
    handles = []
    try:
        for part in model.modules():
            if isinstance(part, PartialReLU):
                handles.append(part.register_forward_pre_hook(lambda module, given: inside.append(module)))
                handles.append(part.register_forward_hook(lambda module, given, output: (inside.pop(), None)[1]))
        with Watch():
            run(model, arguments)
    finally:
        for handle in handles:
            handle.remove()
    if found:
        raise DomainError(
            f"Function '{found[0]}' is called {len(found)} times in a model that cannot be traced.",
            "A function cannot be exchanged where the operations of forward are not known.",
            "Register activations as modules, such as self.act = nn.ReLU(), and call these.",
        )
