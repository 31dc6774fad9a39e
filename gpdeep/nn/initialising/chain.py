"""The chain Linear, φ, Linear, φ, ..., Linear that a torch module computes.

The module is traced by `torch.fx` (its forward runs once with symbols in place of numbers) and the operations
between input and output are read one after the other. Each must take the result of the one before it and of
nothing else; what is not a dense layer, an activation of the catalogue or an identity is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import fx, nn
from torch.nn import functional as F

from ...activations import Activation
from ...errors import DomainError
from ..layers import Owners, is_weight_layer
from ..reading.phi import phi_of_call, phi_of_module, same_function
from ..reading.tracing import argument, is_batch_size, is_sizes, label_of, live_nodes, target_name, trace, unwrapped
from ..reading.weights import entries, require_module

_CAUSE = "architecture_of reads chains of torch.nn.Linear with one activation of the catalogue between them."
_CHANGE = "Take it out, or describe the network as text, such as '784,128x50,10'."

# Functions that are identities.
_FUNCTIONS = {
    F.dropout: "dropout",
    torch.flatten: "flatten",
    torch.reshape: "reshape",
}
_METHODS = {"flatten": "flatten", "view": "reshape", "reshape": "reshape"}

# Why an operation is refused; the first pattern that occurs in the name of its type or function decides.
_WHY = (
    (r"batch_?norm|instance_?norm", "its output depends on the batch's other samples or on running averages"),
    (r"norm", "it rescales each sample, which the law of a plain dense layer does not cover"),
    (r"conv", "a convolution shares weights between positions; only dense layers are read so far"),
    (r"softmax|softmin", "it couples the outputs; end with the last linear layer (return the logits)"),
    (r"dropout", "it drops channels or shifts values"),
    (r"pool", "it pools positions"),
    (r"rnn|lstm|gru|attention|transformer|embedding|linear|matmul|^mm$|addmm|einsum",
     "it is not a torch.nn.Linear module"),
    (r"^cat$|concat|stack", "it joins branches; only chains are read"),
    (r"relu|tanh|sigmoid|gelu|silu|swish|mish|elu|softplus|softsign|^sin|^erf|^abs|clamp|shrink|threshold",
     "this activation is not among those read from modules, or not with these parameters"),
)  # fmt: skip


@dataclass(frozen=True)
class Chain:
    """The linear layers with their qualified names, first to last, and the activation between them."""

    linears: tuple[tuple[str, nn.Linear], ...]
    phi: Activation


@dataclass
class _Reader:
    """The chain read so far; `last` is the label of its last layer or activation."""

    linears: list[tuple[str, nn.Linear]] = field(default_factory=list)
    phi: Activation | None = None
    phi_label: str = ""
    last: str = ""
    ends_with_phi: bool = False
    view: int | None = None  # the width that a view to (-1, width) promised the next linear layer
    owners: Owners = field(default_factory=Owners)

    def add_phi(self, label: str, phi: Activation) -> None:
        """Take an activation, or refuse it."""
        if not self.linears:
            _refuse(label, "an activation stands before the first linear layer")
        if self.ends_with_phi:
            _refuse(label, f"it follows another activation, {self.last}", "Keep one of the two.")
        if self.phi is None:
            self.phi, self.phi_label = phi, label
        if not same_function(phi, self.phi):
            why = f"it is {phi.name} where {self.phi_label} is {self.phi.name}: two different activations"
            _refuse(label, why, "Use one activation throughout.")
        self.last, self.ends_with_phi = label, True

    def add_linear(self, label: str, name: str, linear: nn.Linear) -> None:
        """Take a linear layer, or refuse it."""
        conflict = self.owners.conflict(label, linear)
        if conflict:
            _refuse(label, f"{conflict}; layers that share weights or biases are dependent", "Give each its own.")
        if self.linears and not self.ends_with_phi:
            why = f"it follows {self.last} without an activation: two linear layers in a row"
            _refuse(label, why, "Put the activation between them, or merge them into one.")
        arriving = [before.out_features for before in self._last_linear()] + [self.view or linear.in_features]
        for n in arriving:
            if n != linear.in_features:
                why = f"it takes {linear.in_features} features where {n} arrive"
                _refuse(label, why, "Let each layer take all features of the one before it.")
        self.linears.append((name, linear))
        self.last, self.ends_with_phi, self.view = label, False, None

    def _last_linear(self) -> list[nn.Linear]:
        return [linear for _, linear in self.linears[-1:]]

    def chain(self) -> Chain:
        """The whole chain, or a refusal of its end."""
        if self.ends_with_phi:
            why = "an activation stands after the output layer"
            _refuse(self.last, why, "End with the last linear layer, and apply the activation outside.")
        if self.phi is None:
            raise DomainError(
                f"The network has {len(self.linears)} linear layer(s) and no hidden layer.",
                "Depth is counted in hidden layers: a linear layer, its activation, and a layer after it.",
                "Give a network such as Sequential(Linear(784, 128), ReLU(), Linear(128, 10)).",
            )
        return Chain(tuple(self.linears), self.phi)


def read_chain(module: nn.Module) -> Chain:
    """The chain that `module` computes.

    Raises
    ------
    DomainError
        The module is no such chain; the message names the operation.
    """
    require_module(module)
    module, graph = trace(unwrapped(module))
    reader = _Reader()
    live = live_nodes(graph)
    current: fx.Node | None = None
    for node in graph.nodes:
        label = label_of(node, module)
        if is_sizes(node) or is_batch_size(node) or (node.op == "placeholder" and node not in live):
            continue
        if node not in live:
            _refuse(label, "its result is not used (a change in place is not read)", "Use the result.")
        if node.op == "placeholder":
            if current is not None:
                _refuse(label, "the network has more than one input")
            current = node
        elif node.op == "output":
            if node.args[0] is not current:
                _refuse(label, "the network returns more or other than the result of its last layer")
        else:
            what = _read(node, label, module)
            sources = [n for n in node.all_input_nodes if not (is_sizes(n) or is_batch_size(n))]
            if sources != [current]:
                names = ", ".join(f"'{n.name}'" for n in sources) or "nothing"
                _refuse(label, f"it takes {names} and not the result before it, '{current}': a branch")
            current = node
            if isinstance(what, Activation):
                reader.add_phi(label, what)
            elif isinstance(what, int):
                reader.view = what
            elif what is not None:
                reader.add_linear(label, str(node.target), what)
    return reader.chain()


def _read(node: fx.Node, label: str, module: nn.Module) -> nn.Linear | Activation | int | None:
    """The linear layer or activation at `node`; the width of a view; None for an identity."""
    if node.op == "call_module":
        return _read_module(module.get_submodule(str(node.target)), label, str(node.target))
    if node.op == "get_attr":
        _refuse(label, "forward uses this tensor directly, outside of a torch.nn.Linear")
    known: dict[Any, str] = _METHODS if node.op == "call_method" else _FUNCTIONS
    phi = phi_of_call(node)
    if phi is not None:
        return phi
    kind = known.get(node.target)
    if kind == "dropout":
        if argument(node, 1, "p", 0.5) != 0 and argument(node, 2, "training", True) is not False:
            _refuse(label, "dropout is active", "Pass training=self.training and call module.eval() before.")
        return None
    if kind == "flatten":
        if (argument(node, 1, "start_dim", 0), argument(node, 2, "end_dim", -1)) != (1, -1):
            _refuse(label, "it does not flatten to (batch, features)", "Use flatten(x, 1).")
        return None
    if kind == "reshape":
        return _read_view(node, label)
    if re.fullmatch(r"i?(add|sub)_?", target_name(node)) and len(node.all_input_nodes) > 1:
        _refuse(label, "a residual addition: two branches are added; only chains are read")
    _refuse(label, _why(target_name(node)))


def _read_module(module: nn.Module, label: str, name: str) -> nn.Linear | Activation | None:
    """The layer or activation that a leaf module is; None for an identity."""
    if _is_linear(module):
        return module
    phi = phi_of_module(module)
    if phi is not None:
        return phi
    if type(module) is nn.LeakyReLU:
        _refuse(label, f"its slope is {module.negative_slope}, not a finite number")
    if type(module) is nn.PReLU:
        slopes = entries(name, "weight", module)
        _refuse(label, f"its {slopes.size} channels have different slopes, from {slopes.min():g} to {slopes.max():g}")
    if type(module) is nn.Identity:
        return None
    if type(module) is nn.Dropout:
        if module.training and module.p != 0:
            _refuse(
                label,
                f"dropout with p = {module.p:g} is active in training mode",
                "Call module.eval() before.",
            )
        return None
    if type(module) is nn.Flatten:
        if (module.start_dim, module.end_dim) != (1, -1):
            _refuse(label, "it does not flatten to (batch, features)", "Use torch.nn.Flatten().")
        return None
    if "quantized" in type(module).__module__:
        _refuse(label, "its weights are quantised", "Read the network before it is quantised.")
    _refuse(label, _why(type(module).__name__))


def _read_view(node: fx.Node, label: str) -> int | None:
    """None for a view to (batch, -1); the width for one to (batch, width)."""
    shape = node.args[1:]
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    if len(shape) == 2:
        batch, features = shape
        if isinstance(features, int) and (is_batch_size(batch) or (batch == -1 and features > 0)):
            return features if features > 0 else None
    _refuse(label, f"it reshapes to {shape}, not to (batch, features)", "Use flatten(x, 1).")


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and is_weight_layer(module)


def _why(kind: str) -> str:
    """Why an operation called `kind` is refused."""
    for pattern, why in _WHY:
        if re.search(pattern, kind.lower()):
            return why
    return "it is neither a dense layer, an activation of the catalogue nor an identity"


def _refuse(label: str, why: str, change: str = _CHANGE) -> NoReturn:
    raise DomainError(f"{label[0].upper()}{label[1:]} is refused: {why}.", _CAUSE, change)
