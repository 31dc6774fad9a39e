"""Running a module of the user's and leaving it, and torch's random state, as they were.

What a forward pass may change of a module are its buffers (running averages of batch normalisation in training mode,
the vectors of spectral normalisation, counters) and the attributes that its own code sets. Flags and gradients of
parameters are ours to leave alone. What a forward does to lists and other objects that a module holds is not undone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ..errors import DomainError
from .layers import has_memory


@contextlib.contextmanager
def restored(module: nn.Module) -> Iterator[None]:
    """Within it `module` may be run: what forward binds to its parts, or writes into their tensors, is undone.

    These are buffers, and attributes (tensors among them); an attribute that is changed itself, such as a list to which
    something is appended, stays changed.
    """
    parts = [(part, dict(vars(part)), dict(part._buffers)) for part in module.modules()]
    held = {id(value): value for _, *named in parts for each in named for value in each.values()}
    with torch.inference_mode(False), torch.no_grad():
        values = [(t, t.clone()) for t in held.values() if isinstance(t, torch.Tensor) and has_memory(t)]
    try:
        yield
    finally:
        for part, attributes, buffers in parts:
            vars(part).clear()
            vars(part).update(attributes)
            left = dict(part._buffers)
            for name in left.keys() - buffers.keys():
                del part._buffers[name]
            for name, buffer in buffers.items():
                if left.get(name) is not buffer:
                    part._buffers[name] = buffer
        with torch.inference_mode(False), torch.no_grad():
            for tensor, value in values:
                if not torch.equal(tensor, value):  # batch normalisation does not count versions
                    tensor.copy_(value)


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
    _require_numbers(module)
    gpus = sorted({t.device.index for t in (*parameters, *module.buffers()) if t.device.type == "cuda"})
    with restored(module), torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=gpus):
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
