"""Running a model on an example: shapes at every operation, and whether two models agree on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from ...errors import DomainError
from ...gaussian.arguments import shown
from ..undisturbed import undisturbed

Shapes = dict[fx.Node, tuple[int, ...]]

# One fused kernel against separate operations, as in torch's transformer layers: a few hundred roundings.
_ROUNDINGS = 1000


def as_arguments(example: Any) -> tuple[Any, ...]:
    """What the model is called with: a tensor stands for one argument."""
    given = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    if not any(isinstance(value, torch.Tensor) for value in given):
        raise DomainError(
            f"The example is {shown(example, 200)}.",
            "A shape or an array was given in place of inputs.",
            "Give a tensor with a batch axis, such as torch.randn(2, 3, 32, 32), or a tuple of all arguments.",
        )
    return given


def run(model: nn.Module, arguments: tuple[Any, ...]) -> Any:
    """What `model` answers, in the mode it is in; it and the arguments stay as they are."""
    with undisturbed(model, seed=0, differentiable=False), torch.no_grad(), _told(arguments):
        return model(*(value.clone() if isinstance(value, torch.Tensor) else value for value in arguments))


@contextlib.contextmanager
def _told(arguments: tuple[Any, ...]) -> Iterator[None]:
    """Within it, what a model cannot take becomes a `DomainError` about the example."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError(
            f"The model cannot be run on the example {shown(arguments)} ({str(error).splitlines()[0]:.200}).",
            "The example has another shape or type than the inputs of the model.",
            "Give inputs that model(*example) answers.",
        ) from error


def shapes_of(owner: nn.Module, graph: fx.Graph, arguments: tuple[Any, ...]) -> Shapes:
    """The shapes of all tensors in a graph, which is run once."""
    shapes: Shapes = {}

    class Recorder(fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor):
                shapes[n] = tuple(value.shape)
            return value

    with undisturbed(owner, seed=0, differentiable=False), torch.no_grad(), _told(arguments):
        Recorder(fx.GraphModule(owner, graph)).run(
            *(value.clone() if isinstance(value, torch.Tensor) else value for value in arguments)
        )
    return shapes


def difference(first: Any, second: Any) -> tuple[float, float]:
    """The largest absolute difference of two answers, and the largest entry of the first."""
    pairs = zip(pytree.tree_leaves(first), pytree.tree_leaves(second), strict=True)
    largest = scale = 0.0
    for one, other in pairs:
        if isinstance(one, torch.Tensor) and one.numel():
            one, other = one.detach().double(), other.detach().double()
            apart = torch.where(one == other, torch.zeros_like(one), (one - other).abs())
            apart = torch.where(one.isnan() & other.isnan(), torch.zeros_like(apart), apart)
            largest = max(largest, float(apart.nan_to_num(nan=float("inf")).max()))
            scale = max(scale, float(one.abs().nan_to_num(posinf=0.0).max()))
    return largest, scale


def same_answers(first: Any, second: Any) -> bool:
    """Whether two answers are one but for the rounding of fused kernels."""
    floats = [x for x in pytree.tree_leaves(first) if isinstance(x, torch.Tensor) and x.is_floating_point()]
    eps = max((torch.finfo(x.dtype).eps for x in floats), default=0.0)
    largest, scale = difference(first, second)
    return largest <= _ROUNDINGS * eps * scale
