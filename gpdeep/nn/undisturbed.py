"""Running a module of the user's and leaving it, and torch's random state, as they were.

What a forward pass may change of a module, besides what its own code sets, are its buffers: running averages of batch
normalisation in training mode, the vectors of spectral normalisation. Flags and gradients of parameters are ours to
leave alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ..errors import DomainError


@contextlib.contextmanager
def undisturbed(module: nn.Module, *, seed: int, differentiable: bool) -> Iterator[None]:
    """Within it `module` may be run, with gradients even inside ``torch.no_grad`` or ``torch.inference_mode``.

    Parameters
    ----------
    module : torch.nn.Module
    seed : int
        Seeds the random numbers that a forward may draw (dropout), on the CPU and on the module's GPUs.
    differentiable : bool
        Let every parameter of real numbers require a gradient meanwhile: for inputs that cannot (integers).
    """
    parameters = list(module.parameters())
    flags = [parameter.requires_grad for parameter in parameters]
    buffers = [(part, dict(part._buffers)) for part in module.modules()]
    held = [tensor for _, named in buffers for tensor in named.values() if tensor is not None]
    _require_numbers(module)
    gpus = sorted({tensor.device.index for tensor in (*parameters, *held) if tensor.device.type == "cuda"})
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=gpus):
        values = [(tensor, tensor.detach().clone()) for tensor in held]
        try:
            torch.default_generator.manual_seed(seed)
            for gpu in gpus:  # not torch.manual_seed: that also seeds the GPUs which are not restored
                torch.cuda.default_generators[gpu].manual_seed(seed)
            for parameter in parameters if differentiable else ():
                if parameter.is_floating_point():
                    parameter.requires_grad_(True)
            yield
        finally:
            for parameter, flag in zip(parameters, flags, strict=True):
                if parameter.requires_grad != flag:
                    parameter.requires_grad_(flag)
            for part, named in buffers:
                part._buffers.clear()
                part._buffers.update(named)
            with torch.no_grad():
                for tensor, value in values:
                    if not torch.equal(tensor, value):  # batch normalisation does not count versions
                        tensor.copy_(value)


def _require_numbers(module: nn.Module) -> None:
    """Refuse parameters and buffers that have no values, or that no gradient may pass."""
    for kind, named in (("parameter", module.named_parameters()), ("buffer", module.named_buffers())):
        for name, tensor in named:
            if is_lazy(tensor):
                found, cause = "is not initialised yet", "A lazy layer learns its shape at the first input."
                change = "Run the module once on an input of the right shape."
            elif tensor.is_meta:
                found, cause = "is on the meta device and has no values", "The module was built as a skeleton."
                change = "Materialise it with to_empty(device=...) and initialise it."
            elif tensor.is_inference():
                found, cause = "was created in inference mode", "Such tensors can take no part in gradients."
                change = "Build the module outside of torch.inference_mode()."
            else:
                continue
            raise DomainError(f"The {kind} '{name}' {found}.", cause, change)
