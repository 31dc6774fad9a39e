"""Weight layers: which modules are one, whether they can be initialised, and where their weights lie."""

from __future__ import annotations

from typing import Any, NoReturn

from torch import nn
from torch.nn.parameter import is_lazy

from ..errors import DomainError

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def is_weight_layer(module: Any) -> bool:
    """Whether `module` computes W x + b, densely or as a convolution, with torch's own forward."""
    return any(isinstance(module, kind) and type(module).forward is kind.forward for kind in _KINDS)


def address(layer: nn.Module) -> int:
    """Where the weights of a layer lie, which is one place for all views of one tensor; else who they are."""
    weight = layer._parameters.get("weight")
    if weight is None:  # computed from other tensors
        return id(layer)
    return id(weight) if is_lazy(weight) else int(weight.data_ptr()) or id(weight)


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
        the meta device, quantised, complex or empty.
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
        if tensor.is_quantized or not tensor.is_floating_point():
            refuse_layer(label, f"has a {what} of the type {tensor.dtype}", "Use real floating-point weights.")
        if tensor.is_inference():
            refuse_layer(label, "was made in inference mode", "Make the network outside torch.inference_mode().")
    if not layer.weight.numel():
        refuse_layer(label, f"has a weight of shape {tuple(layer.weight.shape)}", "Give every layer a channel.")


def refuse_layer(label: str, found: str, change: str) -> NoReturn:
    """Raise the error for the layer that messages call `label`."""
    raise DomainError(
        f"{label[0].upper()}{label[1:]} {found}.",
        "An initialisation sets independent weights of a layer that computes W x + b.",
        change,
    )
