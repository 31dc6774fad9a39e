"""The operations of a module's forward, as `torch.fx` records them."""

from __future__ import annotations

import operator
import os
import traceback
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import fx, nn

from ...errors import DomainError
from ..layers import is_weight_layer
from ..modules.clipped import Thresholded
from ..modules.module_of import Elementwise
from ..modules.partial_relu import PartialReLU
from ..undisturbed import restored

AS_TEXT = "describe the network as text, such as '784,128x50,10'"
_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_NOT_THE_USERS = tuple(f"{Path(file).parent}{os.sep}" for file in (torch.__file__, __file__))


class UntraceableError(DomainError):
    """`torch.fx` cannot follow a forward: of what it does nothing is known."""


class Tracer(fx.Tracer):  # type: ignore[misc]
    """A tracer that keeps layers and activations whole, also those of the user's own classes with torch's forward."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether `m` is recorded as one operation."""
        whole = isinstance(m, (Thresholded, Elementwise, PartialReLU)) or is_weight_layer(m)
        return whole or super().is_leaf_module(m, module_qualified_name)

    def path_of_module(self, mod: nn.Module) -> str:
        """The qualified name of `mod`; refuses a module that the model does not know as its own."""
        try:
            return str(super().path_of_module(mod))
        except NameError as error:
            refuse_stranger(self.root, mod, error)


def refuse_stranger(owner: nn.Module, module: nn.Module, cause: Exception | None = None) -> NoReturn:
    """Raise the error about a module that `owner` uses and does not register."""
    raise DomainError(
        f"{type(owner).__name__} uses a {type(module).__name__} that is none of its submodules.",
        "It lies in a plain list or dictionary, where neither parameters() nor an optimiser finds it, or is made in "
        "forward.",
        "Register it in __init__: self.layers = nn.ModuleList([...]), nn.ModuleDict, or self.act = ...",
    ) from cause


def unwrapped(module: nn.Module) -> nn.Module:
    """What torch.compile, DataParallel and DistributedDataParallel wrap."""
    while True:
        inner = module.module if isinstance(module, _PARALLEL) else getattr(module, "_orig_mod", module)
        if inner is module:
            return module
        module = inner


def trace(module: nn.Module, otherwise: str = AS_TEXT) -> tuple[nn.Module, fx.Graph]:
    """The graph of `module`, which stays as it is, like the global random state; and what its names refer to.

    As it is, so far as `restored` goes: what forward does to lists of its own stays done. `otherwise` is what the user
    can do where it cannot be traced.

    Raises
    ------
    UntraceableError
        The module cannot be traced.
    DomainError
        Its forward calls modules that are not registered.
    """
    if Tracer().is_leaf_module(module, ""):
        module = nn.Sequential(module)
    try:
        with restored(module), torch.random.fork_rng(devices=[]):
            return module, Tracer().trace(module)
    except DomainError:
        raise
    except Exception as error:
        raise UntraceableError(
            f"{type(module).__name__} cannot be traced by torch.fx{_place(error)} ({type(error).__name__}: {error}).",
            "Its forward takes decisions that depend on the input's numbers or shape, or is compiled.",
            f"Write forward without such branches, or {otherwise}.",
        ) from error


def _place(error: Exception) -> str:
    """The last line of the user's own code on the way to an error."""
    lines = [
        f", at '{frame.line}' ({Path(frame.filename).name}, line {frame.lineno})"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.line and not frame.filename.startswith(_NOT_THE_USERS)
    ]
    return lines[-1] if lines else ""


def live_nodes(graph: fx.Graph) -> set[fx.Node]:
    """The nodes that the output depends on."""
    live: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node.op == "output" or any(user in live for user in node.users):
            live.add(node)
    return live


def argument(node: fx.Node, position: int, name: str, default: Any) -> Any:
    """An argument of a call, given by position or by name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def is_sizes(node: Any) -> bool:
    """Whether a node is ``x.shape`` or ``x.size()``."""
    if not isinstance(node, fx.Node):
        return False
    if node.op == "call_method" and node.target == "size":
        return len(node.args) == 1 and not node.kwargs
    return node.op == "call_function" and node.target is getattr and node.args[1] == "shape"


def is_batch_size(node: Any) -> bool:
    """Whether a node is ``x.shape[0]``, ``x.size()[0]`` or ``x.size(0)``."""
    if not isinstance(node, fx.Node):
        return False
    if node.op == "call_method" and node.target == "size":
        return bool(argument(node, 1, "dim", None) == 0)
    return node.target is operator.getitem and is_sizes(node.args[0]) and node.args[1] == 0


def label_of(node: fx.Node, module: nn.Module) -> str:
    """How messages call the operation at `node`."""
    if node.op == "call_module":
        return f"module '{node.target}' ({type(module.get_submodule(str(node.target))).__name__})"
    if node.op == "call_function":
        return f"function '{target_name(node)}' (node '{node.name}')"
    if node.op == "call_method":
        return f"method '.{node.target}()' (node '{node.name}')"
    kind = {"get_attr": "tensor", "placeholder": "input"}.get(node.op, node.op)
    return f"{kind} '{node.target}'"


def target_name(node: fx.Node) -> str:
    """The name of the function or method that a node calls."""
    return str(getattr(node.target, "__name__", node.target))
