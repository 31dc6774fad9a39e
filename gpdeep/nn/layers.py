"""Weight layers: which modules are one, whether they can be initialised, and where their parameters lie."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.parameter import is_lazy

from ..errors import DomainError

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def is_weight_layer(module: Any) -> bool:
    """Whether `module` computes W x + b, densely or as a convolution, with torch's own forward."""
    return any(isinstance(module, kind) and type(module).forward is kind.forward for kind in _KINDS)


class Owners:
    """The layers read so far, and where in memory their parameters lie."""

    def __init__(self) -> None:
        self._layers: set[int] = set()
        self._parameters: dict[int, list[tuple[str, Any, NDArray[Any]]]] = {}  # by storage

    def conflict(self, label: str, layer: nn.Module) -> str:
        """Add a layer, which messages call `label`; why it is not independent of those before, or nothing."""
        if id(layer) in self._layers:
            return "it is used more than once"
        self._layers.add(id(layer))
        for what in ("weight", "bias"):
            tensor = layer._parameters.get(what)
            if tensor is None:  # no bias, or computed from other tensors
                continue
            places = _addresses(tensor)
            there = self._parameters.setdefault(_storage(tensor), [])
            for owner, other, its_places in there:
                if tensor is other or np.shares_memory(places, its_places):
                    return f"its {what} lies in the memory of the {owner}"
            there.append((f"{what} of {label}", tensor, places))
        return ""


def has_memory(tensor: Any) -> bool:
    """Whether the numbers of a tensor lie at addresses: it is initialised, dense, and not on the meta device."""
    return not (is_lazy(tensor) or tensor.is_meta) and tensor.layout is torch.strided


def _storage(tensor: Any) -> int:
    """Where the memory begins that all views of one tensor share; else who it is."""
    return int(tensor.untyped_storage().data_ptr()) if has_memory(tensor) else id(tensor)


def _addresses(tensor: Any) -> NDArray[Any]:
    """An array at the addresses of a tensor, on whatever device: numpy compares these without reading there."""
    if not has_memory(tensor):
        return np.empty(0)
    size = tensor.element_size()
    strides = tuple(size * stride for stride in tensor.stride())
    memory = {"data": (tensor.data_ptr(), True), "shape": tuple(tensor.shape), "strides": strides}
    return np.asarray(SimpleNamespace(__array_interface__={**memory, "typestr": f"|V{size}", "version": 3}))


def _overlaps_itself(tensor: Any) -> bool:
    """Whether two entries may lie at one place: some step is not beyond all that the smaller steps reach."""
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


def fan_in(layer: Any) -> int:
    """Numbers that one output is a sum over: input channels of its group, times taps."""
    return int(layer.weight[0].numel())


def zero_padding(layer: Any, centre_only: bool) -> bool:
    """Whether some output of a convolution sees padded zeros; with the centre tap only, if `centre_only`."""
    if not hasattr(layer, "padding") or layer.padding_mode != "zeros" or layer.padding == "valid":
        return False
    if layer.padding == "same":
        return not centre_only and any(k > 1 for k in layer.kernel_size)
    reach = [d * (k // 2) if centre_only else 0 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    return any(p > r for p, r in zip(layer.padding, reach, strict=True))


def require_layer(label: str, layer: Any) -> None:
    """Refuse what has no weights that can be drawn: `label` is what messages call it.

    Raises
    ------
    DomainError
        It is not Linear, Conv1d, Conv2d or Conv3d, or its weights are computed from other tensors, uninitialised, on
        the meta device, sparse, quantised, complex or empty, or share memory among themselves.
    """
    if isinstance(layer, _TRANSPOSED):
        refuse_layer(
            label,
            "is a transposed convolution: how many taps an output is a sum over depends on stride and position",
            "Use a convolution, with nearest-neighbour upsampling before it.",
        )
    if "quantized" in type(layer).__module__:
        refuse_layer(label, "has quantised weights", "Initialise the network before it is quantised.")
    if not is_weight_layer(layer):
        refuse_layer(label, "is none of Linear, Conv1d, Conv2d, Conv3d", "Initialise it by torch.nn.init.")
    for what in ("weight", "bias"):
        # Not getattr: a parametrisation computes there, and spectral norm changes its state as it does.
        tensor = layer._parameters.get(what)
        if tensor is None:
            if what == "bias" and "bias" in layer._parameters:
                continue
            refuse_layer(
                label,
                f"has a {what} that is no parameter but is computed from other tensors",
                "Undo the weight or spectral normalisation, parametrisation or pruning (torch.nn.utils), initialise, "
                "and apply it again.",
            )
        if is_lazy(tensor):
            refuse_layer(label, "is not initialised yet", "Run the module once on an input of the right shape.")
        if tensor.is_meta:
            refuse_layer(label, "is on the meta device", "Materialise it by module.to_empty(device='cpu').")
        if tensor.layout is not torch.strided:
            refuse_layer(label, f"has a {what} of the layout {tensor.layout}", "Make it dense by to_dense().")
        if tensor.is_quantized or not tensor.is_floating_point():
            refuse_layer(label, f"has a {what} of the type {tensor.dtype}", "Use real floating-point weights.")
        if tensor.is_inference():
            refuse_layer(label, "was made in inference mode", "Make the network outside torch.inference_mode().")
        if _overlaps_itself(tensor):
            refuse_layer(
                label,
                f"has a {what} of shape {tuple(tensor.shape)} and strides {tensor.stride()}: entries share memory",
                f"Give every entry its own: layer.{what} = nn.Parameter(layer.{what}.detach().clone()).",
            )
    if not layer.weight.numel() or layer.weight.ndim != 2 + len(getattr(layer, "kernel_size", ())):
        refuse_layer(
            label,
            f"has a weight of shape {tuple(layer.weight.shape)}",
            "Give it the shape (outputs, inputs, *kernel), with a channel at least.",
        )


def refuse_layer(label: str, found: str, change: str) -> NoReturn:
    """Raise the error for the layer that messages call `label`."""
    raise DomainError(
        f"{label[0].upper()}{label[1:]} {found}.",
        "An initialisation sets independent weights of a layer that computes W x + b.",
        change,
    )
