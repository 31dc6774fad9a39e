r"""How theory sees a residual or normalised network of the user, or one whose channels have slopes of their own.

    h^{l+1} = α h^l + β f^{l+1},    f^{l+1} = W φ_l(u^l) + b,    u^l = h^l, or LayerNorm(h^l)

The graph of `torch.fx` is walked once. What stands at a node is the input, an activation, a normalised h, or a sum of
branches Σ c_j f^j. When an activation (or the normalisation before it) is given such a sum, it is h^{l+1}: β is the
coefficient of the branch that came last, and what is left has to be α times the sum that the layer before was given.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from torch import fx, nn

from ...activations import Activation, Mixture
from ...architecture import Architecture, Block, Kind
from ...errors import DomainError
from ..layers import Owners, is_weight_layer
from ..modules.partial_relu import PartialReLU, require_finite_slopes_of
from ..reading.in_place import hand_on
from ..reading.phi import phi_of_call, phi_of_module, phi_of_slope
from ..reading.tracing import argument, is_batch_size, is_sizes, label_of, live_nodes, target_name, trace, unwrapped
from ..reading.weights import Distribution, describe

_CAUSE = (
    "check predicts dense networks: plain ones, residual ones with h ← αh + β(Wφ(h) + b), and those with layer "
    "normalisation between a linear layer and φ."
)
_CHANGE = (
    "Take it out, describe the network as text, such as 64,res(64x20,alpha=1,beta=0.1),10 or 64,ln(64x20),10, or "
    "measure it alone by gpdeep.nn.probe(module, inputs)."
)
_PROBE = (
    "Use gpdeep.nn.probe(module, inputs, sigma_w=..., sigma_b=...): it measures the network, and predicts variances, "
    "zeros and gradients of convolutional chains at infinite width."
)
_WHY = (
    (r"conv", "it shares weights between positions, and the law at finite width is that of dense layers", _PROBE),
    (r"batch_?norm|instance_?norm", "its output depends on the batch's other samples or on running averages", _CHANGE),
    (r"norm", "of normalisations, torch.nn.LayerNorm over all neurons of a layer is predicted", _CHANGE),
)
_ROUNDING = 1e-12  # of products of some thousand coefficients


@dataclass(frozen=True)
class ReadLayer:
    """A hidden layer: its activation, its wiring, and which modules compute it."""

    width: int
    phi: Activation
    kind: Kind
    alpha: float
    beta: float
    activation: str
    norm: str | None
    eps: float

    @property
    def wiring(self) -> tuple[int, Kind, float, float]:
        """What layers of a block share."""
        return self.width, self.kind, self.alpha, self.beta


@dataclass(frozen=True)
class ReadNetwork:
    """The architecture of a module, its hidden layers, and the laws its weights seem to come from."""

    architecture: Architecture
    layers: tuple[ReadLayer, ...]
    laws: tuple[Distribution, ...]

    @property
    def phis(self) -> list[Activation]:
        """φ of each hidden layer."""
        return [layer.phi for layer in self.layers]


def activation_at(module: nn.Module) -> Activation | None:
    """φ of an activation module: of the catalogue, or a mixture where channels have slopes of their own."""
    if isinstance(module, PartialReLU):
        slopes = module.channel_slopes().double().numpy(force=True)
    elif type(module) is nn.PReLU and not phi_of_module(module):
        slopes = module.weight.detach().double().numpy(force=True)
    else:
        return phi_of_module(module)
    if not np.isfinite(slopes).all():
        return None
    values, counts = np.unique(slopes, return_counts=True)
    parts = tuple(map(phi_of_slope, values.tolist()))
    return parts[0] if len(parts) == 1 else Mixture(parts, tuple((counts / counts.sum()).tolist()))


def read_network(module: nn.Module) -> ReadNetwork:
    """The network that `module` computes.

    Raises
    ------
    DomainError
        It is none that `check` predicts: the message names the operation.
    """
    owner, graph = trace(unwrapped(module))
    for node in list(graph.nodes):
        if _in_place(node, owner):
            hand_on(node, owner)
    reader = _Reader(owner)
    live = live_nodes(graph)
    for node in graph.nodes:  # before what leads to it, such as another shape of the input
        kind = type(owner.get_submodule(node.target)).__name__ if node.op == "call_module" else target_name(node)
        if node in live and "conv" in kind.lower():
            _refuse(label_of(node, owner), *_why(kind))
    for node in graph.nodes:
        if node in live and not (is_sizes(node) or is_batch_size(node)):
            reader.read(node)
    return reader.network()


@dataclass(frozen=True)
class _Input:
    """The network's input, reshaped perhaps."""


@dataclass(frozen=True)
class _Branches:
    """Σ c_j f^j, each of `width` neurons."""

    shares: Mapping[int, float]
    width: int

    def plus(self, other: _Branches, factor: float) -> _Branches:
        """The sum with `factor` times another."""
        keys = dict.fromkeys([*self.shares, *other.shares])
        total = {j: self.shares.get(j, 0.0) + factor * other.shares.get(j, 0.0) for j in keys}
        return _Branches({j: c for j, c in total.items() if c}, self.width)

    def times(self, factor: float) -> _Branches:
        """`factor` times all."""
        return _Branches({j: factor * c for j, c in self.shares.items() if factor * c}, self.width)


@dataclass(frozen=True)
class _Normalised:
    """LayerNorm of a sum of branches."""

    h: _Branches
    name: str
    eps: float


@dataclass(frozen=True)
class _Active:
    """φ of hidden layer l."""

    layer: int


@dataclass
class _Reader:
    """What stands at the nodes read so far."""

    owner: nn.Module
    values: dict[fx.Node, Any] = field(default_factory=dict)
    linears: list[tuple[str, nn.Linear]] = field(default_factory=list)
    sums: list[_Branches] = field(default_factory=list)
    layers: list[ReadLayer] = field(default_factory=list)
    owners: Owners = field(default_factory=Owners)
    output: Any = None

    def read(self, node: fx.Node) -> None:
        """Take a node, or refuse it."""
        label = label_of(node, self.owner)
        if node.op == "output":
            self.output = self.values.get(node.args[0]) if isinstance(node.args[0], fx.Node) else None
        elif node.op == "placeholder":
            self.values[node] = _Input()
        elif node.op == "call_module":
            module = self.owner.get_submodule(str(node.target))
            self.values[node] = self._module(module, str(node.target), label, self._given(node, label))
        elif node.op == "get_attr":
            _refuse(label, "forward uses this tensor directly, and a number that is trained has no law here")
        else:
            self.values[node] = self._call(node, label)

    def _given(self, node: fx.Node, label: str) -> Any:
        """The one value that an operation takes."""
        found = [n for n in node.all_input_nodes if not (is_sizes(n) or is_batch_size(n))]
        if len(found) != 1:
            _refuse(label, f"it takes {len(found)} tensors")
        return self.values[found[0]]

    def _module(self, module: nn.Module, name: str, label: str, given: Any) -> Any:
        if isinstance(module, nn.Linear) and is_weight_layer(module):
            return self._linear(module, name, label, given)
        require_finite_slopes_of(label, module)
        phi = activation_at(module)
        if phi is not None:
            return self._activation(module, phi, name, label, given)
        if type(module) is nn.LayerNorm:
            return self._norm(module, name, label, given)
        if type(module) is nn.Identity or (type(module) is nn.Dropout and not module.training):
            return given
        if type(module) is nn.Flatten and isinstance(given, _Input):
            return given
        _refuse(label, *_why(type(module).__name__))

    def _linear(self, linear: nn.Linear, name: str, label: str, given: Any) -> _Branches:
        number = len(self.linears) + 1
        first = isinstance(given, _Input) and number == 1
        if not first and not (isinstance(given, _Active) and given.layer == number - 1):
            _refuse(label, "it takes something else than the activation of the layer before it")
        conflict = self.owners.conflict(label, linear)
        if conflict:
            _refuse(label, f"{conflict}; layers that share weights or biases are dependent")
        self.linears.append((name, linear))
        return _Branches({number: 1.0}, linear.out_features)

    def _norm(self, module: Any, name: str, label: str, given: Any) -> _Normalised:
        if not isinstance(given, _Branches) or len(given.shares) != 1:
            _refuse(label, "it normalises something else than the result of a linear layer, such as a residual sum")
        if tuple(module.normalized_shape) != (given.width,) or given.width < 2:
            _refuse(label, f"it normalises over {tuple(module.normalized_shape)} where {given.width} neurons arrive")
        for tensor, start in ((module.weight, 1.0), (module.bias, 0.0)):
            if tensor is not None and not bool((tensor == start).all()):
                _refuse(label, "its gain and shift are not 1 and 0, as they are at initialisation")
        return _Normalised(given, name, float(module.eps))

    def _activation(self, module: nn.Module, phi: Activation, name: str, label: str, given: Any) -> _Active:
        norm = given if isinstance(given, _Normalised) else None
        h = given.h if isinstance(given, _Normalised) else given
        if not isinstance(h, _Branches) or max(h.shares, default=0) != len(self.layers) + 1:
            _refuse(label, "it acts on something else than the pre-activations of a new layer")
        if isinstance(phi, Mixture) and _slopes(module) != h.width:
            _refuse(label, f"it has {_slopes(module)} slopes where {h.width} neurons arrive")
        kind, alpha, beta = Kind.LAYER_NORM, 1.0, 1.0
        if norm is None:
            kind, alpha, beta = self._wiring(h, label)
        elif h.shares != {len(self.layers) + 1: 1.0}:
            _refuse(label, "what is normalised before it was multiplied by a number")
        self.sums.append(h)
        self.layers.append(
            ReadLayer(h.width, phi, kind, alpha, beta, name, norm.name if norm else None, norm.eps if norm else 0.0)
        )
        return _Active(len(self.layers))

    def _wiring(self, h: _Branches, label: str) -> tuple[Kind, float, float]:
        """Kind, α and β of a layer whose pre-activations are `h`."""
        newest = len(self.layers) + 1
        rest = {j: c for j, c in h.shares.items() if j != newest}
        beta = h.shares[newest]
        if not rest:
            if beta != 1:
                _refuse(label, f"what it acts on is {beta:g} times the result of a linear layer")
            return Kind.DENSE, 1.0, 1.0
        before = self.sums[-1].shares
        ratios = [rest.get(j, math.nan) / c for j, c in before.items()]
        alike = len(rest) == len(before) and np.allclose(ratios, ratios[0], rtol=_ROUNDING, atol=0)
        if not alike or self.sums[-1].width != h.width:
            _refuse(label, "the skip before it does not start at what the activation before was given")
        alpha, so_far = ratios[0], self.layers[-1].alpha
        same = self.layers[-1].kind is Kind.RESIDUAL and math.isclose(alpha, so_far, rel_tol=_ROUNDING)
        return Kind.RESIDUAL, so_far if same else alpha, beta

    def _call(self, node: fx.Node, label: str) -> Any:
        """Sums, multiples, and reshapings of the input."""
        name = target_name(node).strip("_")
        values = [self.values.get(one) if isinstance(one, fx.Node) else one for one in node.args[:2]]
        branches = [one for one in values if isinstance(one, _Branches)]
        numbers = [float(one) for one in values if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if re.fullmatch(r"i?(add|sub)", name) and len(branches) == 2:
            one, other = branches
            if one.width != other.width:
                _refuse(label, f"it adds {other.width} to {one.width} neurons")
            factor = node.kwargs.get("alpha", 1)
            if isinstance(factor, (int, float)):
                return one.plus(other, float(factor) * (-1.0 if "sub" in name else 1.0))
        if re.fullmatch(r"i?(mul|multiply)", name) and len(branches) == len(numbers) == 1:
            return branches[0].times(numbers[0])
        if re.fullmatch(r"i?(truediv|div|divide)", name) and values[0] in branches and len(numbers) == 1 and numbers[0]:
            return branches[0].times(1 / numbers[0])
        if name == "neg" and len(branches) == 1:
            return branches[0].times(-1.0)
        if name in ("flatten", "reshape", "view") and isinstance(values[0], _Input):
            return values[0]
        if name in ("clone", "contiguous"):
            return values[0]
        if name == "dropout" and argument(node, 2, "training", True) is False:
            return values[0]
        if re.fullmatch(r"i?(add|sub|mul|multiply|truediv|div|divide)", name):
            _refuse(
                label,
                "a residual layer adds pre-activations h and W φ(h) + b, or multiplies them by numbers; this has other "
                "operands, such as φ(h), which may have overwritten h in place",
            )
        if phi_of_call(node) is not None:
            _refuse(
                label, "a function cannot be looked at", "Make it a module: self.act = nn.ReLU(), then self.act(x)."
            )
        _refuse(label, *_why(target_name(node)))

    def network(self) -> ReadNetwork:
        """All of it, or a refusal of its end."""
        depth = len(self.layers)
        last = self.output
        if not depth or not isinstance(last, _Branches) or last.shares != {depth + 1: 1.0}:
            raise DomainError(
                "The network does not end with a linear layer behind an activation, and nothing added to it.",
                _CAUSE,
                _CHANGE,
            )
        hidden = [describe(name, linear) for name, linear in self.linears[:-1]]
        blocks = []
        for _, group in itertools.groupby(self.layers, key=lambda layer: layer.wiring):
            alike = list(group)
            one = alike[0]
            blocks.append(Block(one.width, len(alike), one.kind, one.alpha, one.beta))
        architecture = Architecture(
            self.linears[0][1].in_features, tuple(blocks), last.width, self.layers[0].phi, sigma_w=1.0
        )
        return ReadNetwork(architecture, tuple(self.layers), tuple(layer.distribution for layer in hidden))


def _in_place(node: fx.Node, owner: nn.Module) -> bool:
    """Whether an operation overwrites its input."""
    if node.op == "call_module":
        return bool(getattr(owner.get_submodule(str(node.target)), "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_")
    return node.op == "call_function" and node.target in (
        operator.iadd,
        operator.isub,
        operator.imul,
        operator.itruediv,
    )


def _slopes(module: Any) -> int:
    return int(module.num_channels if isinstance(module, PartialReLU) else module.weight.numel())


def _why(kind: str) -> tuple[str, str]:
    """Why an operation called `kind` is not predicted, and what to do."""
    for pattern, why, change in _WHY:
        if re.search(pattern, kind.lower()):
            return why, change
    return "it is neither a dense layer, an activation of the catalogue, a skip nor an identity", _CHANGE


def _refuse(label: str, why: str, change: str = _CHANGE) -> NoReturn:
    raise DomainError(f"{label[0].upper()}{label[1:]} is not predicted: {why}.", _CAUSE, change)
