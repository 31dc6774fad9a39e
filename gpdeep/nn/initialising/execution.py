"""The steps that a model executes, one after the other, in the words of the theory.

Where `torch.fx` can trace the model they are those of its forward, calls of functions included (`executed`); else its
modules in the order of registration (`registered`). What is neither a weight layer, an activation, nor harmless is
refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import fx, nn

from ...activations import Activation
from ...errors import DomainError
from ..layers import is_weight_layer, require_layer
from ..reading.phi import phi_of_call, phi_of_module
from ..reading.tracing import argument, is_sizes, label_of, live_nodes, refuse_stranger, target_name, trace
from ..reading.weights import entries

_CAUSE = "An initialisation from a design is for chains: weight layers with the design's activation after each."
_CHANGE = "Take it out, or initialise the chains around it one by one, or layer by layer by gpdeep.nn.init_layer_."


@dataclass(frozen=True)
class Disturbance:
    """What changes the variance of an activation's input: refused if `fatal`, else worth a warning."""

    what: str
    fatal: bool = False
    change: str = _CHANGE


class Softmax:
    """A map of the outputs, after which nothing may follow."""


@dataclass(frozen=True)
class Step:
    """What messages call a step, its qualified name, what it is, and the module whose parameters it accounts for."""

    label: str
    name: str
    what: nn.Module | Activation | Disturbance | Softmax
    module: nn.Module | None = None


_AVERAGE = Disturbance(
    "averages over positions between hidden layers: their next variance falls below the design's q*, by up to the "
    "number of positions. A convolution with stride keeps it."
)
_LARGEST = Disturbance(
    "it takes the largest of several positions between hidden layers, of which theory has no closed form: sparse "
    "activations become less sparse and their mean square up to as many times larger, above q*, where it escapes",
    fatal=True,
    change="Use a convolution with stride, or pool after the last activation only.",
)
_DROPOUT = Disturbance(
    "drops channels in training mode: the mean square of what the next layer is given grows by 1/(1 - p) at dropout "
    "probability p, and its variance exceeds the design's q*. The statements hold after model.eval()."
)
_PADDED = Disturbance("pads with constants: the variance at the edges is not the design's.")

_SAME_NUMBERS = (nn.Identity, nn.Flatten, nn.Unflatten, nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d,
                 nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d,
                 nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d)  # fmt: skip
_SAME_NUMBERS_FUNCTIONS = {torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.permute, torch.transpose}
_SAME_NUMBERS_METHODS = {"flatten", "unflatten", "view", "reshape", "squeeze", "unsqueeze", "permute", "transpose"}
_SAME_NUMBERS_METHODS |= {"contiguous", "clone", "to", "float", "double", "half", "bfloat16"}

# By the name of a type of torch's, or of a function or method.
_KNOWN: tuple[tuple[str, Disturbance | Softmax], ...] = (
    (r"(adaptive_?)?avg_?pool[123]d|mean", _AVERAGE),
    (r"(adaptive_?)?max_?pool[123]d(_with_indices)?|amax|max", _LARGEST),
    (r"(constant|zero)pad[123]d", _PADDED),
    (r"(log_?)?softmax(2d)?", Softmax()),
)

# Why an operation is refused; the first pattern that occurs in the name of its type or function decides.
_WHY = (
    (r"norm", "it rescales what the next layer is given, so that its variance is not what the design fixes"),
    (r"rnn|lstm|gru|recurrent", "a recurrent layer uses its weights again at every time"),
    (r"attention|transformer|softmax", "attention mixes positions by weights that depend on the input"),
    (r"embedding", "it looks rows up and is no sum over inputs"),
    (r"linear|conv|matmul|^mm$|addmm|einsum|bilinear", "it is not a module Linear, Conv1d, Conv2d or Conv3d"),
    (r"^cat$|concat|stack", "it joins branches"),
    (r"pool", "theory has no closed form for it"),
    (r"relu|tanh|sigmoid|gelu|silu|swish|mish|elu|softplus|softsign|^sin|^erf|^abs|clamp|shrink|threshold",
     "it is not recognised as the design's activation; use gpdeep.nn.module_of(design)"),
)  # fmt: skip


def refuse(label: str, why: str, change: str = _CHANGE) -> NoReturn:
    """Raise the error for what messages call `label`."""
    raise DomainError(f"{label[0].upper()}{label[1:]} is refused: {why}.", _CAUSE, change)


def executed(model: nn.Module) -> Iterator[Step]:
    """The steps of a model's forward, each of which takes the result of the one before it.

    Raises
    ------
    UntraceableError
        `torch.fx` cannot follow the forward.
    DomainError
        A step is of a kind that theory does not cover, or there are branches.
    """
    model, graph = trace(model)
    live, sizes = live_nodes(graph), _sizes(graph)
    current: fx.Node | None = None
    for node in graph.nodes:
        label = label_of(node, model)
        if node in sizes or (node.op == "placeholder" and node not in live):
            continue
        if node not in live:
            refuse(label, "its result is not used (a change in place is not read)", "Use the result.")
        if node.op == "placeholder":
            if current is not None:
                refuse(label, "the network has more than one input")
            current = node
            continue
        if node.op == "output":
            if node.args[0] is not current:
                refuse(label, "the network returns more or other than the result of its last step")
            continue
        sources = [n for n in node.all_input_nodes if n not in sizes]
        if len(sources) > 1 and re.fullmatch(r"i?(add|sub)_?", target_name(node)):
            refuse(label, "a residual addition: two branches are added, and so are their variances")
        module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
        what = _module(module, label, str(node.target)) if module is not None else _call(node, label)
        if sources != [current]:
            names = ", ".join(f"'{n.name}'" for n in sources) or "nothing"
            refuse(label, f"it takes {names} and not the result before it, '{current}': a branch")
        current = node
        if what is not None:
            yield Step(label, str(node.target), what, module)


def registered(model: nn.Module) -> Iterator[Step]:
    """The steps that the modules are, in the order of registration; raises as `executed` does."""
    known = set(model.modules())
    for owner in model.modules():
        for value in vars(owner).values():
            held = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
            for stranger in held:
                if isinstance(stranger, nn.Module) and stranger not in known:
                    refuse_stranger(owner, stranger)
    inside = ""  # what lies in a module that has been read as a whole
    for name, module in model.named_modules(remove_duplicate=False):
        container = next(module.children(), None) is not None and not module._parameters and not is_weight_layer(module)
        if container or (inside and name.startswith(inside)):
            continue
        label = f"module '{name or '(the model itself)'}' ({type(module).__name__})"
        what = _module(module, label, name)
        inside = f"{name}."
        if what is not None:
            yield Step(label, name, what, module)


def _sizes(graph: fx.Graph) -> set[fx.Node]:
    """Nodes that are sizes of tensors, or computed from sizes alone."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        inputs = node.all_input_nodes
        is_size = node.op == "call_method" and node.target == "size"
        if is_size or is_sizes(node) or (node.op == "call_function" and inputs and found.issuperset(inputs)):
            found.add(node)
    return found


def _module(module: nn.Module, label: str, name: str) -> nn.Module | Activation | Disturbance | Softmax | None:
    """What a module is; None for one that keeps the numbers as they are."""
    kind = type(module)
    if is_weight_layer(module):
        require_layer(label, module)
        return module
    phi = phi_of_module(module)
    if phi is not None:
        return phi
    if kind is nn.PReLU:
        refuse(label, f"its {entries(name, 'weight', module).size} channels have different slopes")
    if isinstance(module, nn.modules.dropout._DropoutNd) and kind.__module__.startswith("torch.nn"):
        return _DROPOUT if module.training and module.p > 0 else None
    if kind in _SAME_NUMBERS:
        return None
    if kind.__module__.startswith("torch.nn"):
        known = _known(kind.__name__)
        if known is not None:
            return known
    if "Transpose" in kind.__name__ or "quantized" in kind.__module__:
        require_layer(label, module)
    if module._parameters and not kind.__module__.startswith("torch.nn"):
        refuse(label, "it has parameters of its own, outside of a weight layer")
    refuse(label, _why(kind.__name__))


def _call(node: fx.Node, label: str) -> Activation | Disturbance | Softmax | None:
    """What a call of a function or method is; None for one that keeps the numbers as they are."""
    if node.op == "get_attr":
        refuse(label, "forward uses this tensor directly, outside of a weight layer")
    phi = phi_of_call(node)
    if phi is not None:
        return phi
    method = node.op == "call_method"
    if (node.target in _SAME_NUMBERS_METHODS) if method else (node.target in _SAME_NUMBERS_FUNCTIONS):
        return None
    name = target_name(node)
    if re.fullmatch(r"(feature_|alpha_|feature_alpha_)?dropout[123]?d?", name) and not method:
        default = "alpha" not in name  # torch's: active unless told otherwise
        return _DROPOUT if argument(node, 1, "p", 0.5) != 0 and argument(node, 2, "training", default) else None
    return _known(name) or refuse(label, _why(name))


def _known(name: str) -> Disturbance | Softmax | None:
    """What is told by its name."""
    return next((what for pattern, what in _KNOWN if re.fullmatch(pattern, name.lower())), None)


def _why(kind: str) -> str:
    """Why an operation called `kind` is refused."""
    for pattern, why in _WHY:
        if re.search(pattern, kind.lower()):
            return why
    return "it is neither a weight layer, the design's activation, nor known to keep variances"
