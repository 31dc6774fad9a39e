"""The operations of a dense torch model, carried out on affine forms in place of tensors.

Linear layers, batch normalisation with fixed statistics, sums, differences, concatenation, scaling, and activations
with a slope for each channel. Whatever acts on positions (convolutions, attention) is refused by name.
"""

from __future__ import annotations

import operator
from typing import Any, NoReturn

import numpy as np
from torch import fx, nn
from torch.nn import functional as F

from ...activations import TwoSlope
from ...errors import DomainError
from ...linearize.affine_forms import AffineForms
from ...result import FloatArray
from ..layers import is_weight_layer
from ..modules.partial_relu import PartialReLU, require_finite_slopes_of
from ..reading.activation_sites import changes_input
from ..reading.in_place import hand_on
from ..reading.phi import phi_of_call, phi_of_module
from ..reading.tracing import argument, is_batch_size, is_sizes, label_of, live_nodes, target_name
from ..reading.weights import entries

_CAUSE = "A core network is made of dense layers: linear, batch normalisation, sums, concatenation, scaling, ReLUs."
_CHANGE = "Give the dense part of the model, in evaluation mode, or fold its convolutions by gpdeep.nn.fold."
_SAME = {"flatten", "view", "reshape", "contiguous", "clone", "detach"}


class FormReader:
    """Carries out a graph on affine forms.

    Parameters
    ----------
    owner : torch.nn.Module
        What the names in the graph refer to.
    graph : torch.fx.Graph
        It is changed: what works in place is made to hand on its result.
    budget : int
        Bytes that forms may take.
    chain : bool
        Whether each activation begins new forms, over its outputs.

    Attributes
    ----------
    width : int
        Features of the input.
    forms : AffineForms
        The last, or all.
    layers : list of ndarray
        Of a chain: the forms of the pre-activations.
    slopes : list of ndarray
    names : list of str
        Of the activations, in order of execution.
    parameters, multiplications : int
        Of the model.
    """

    def __init__(self, owner: nn.Module, graph: fx.Graph, budget: int, *, chain: bool) -> None:
        self._owner, self._graph, self._budget, self._chain = owner, graph, budget, chain
        self._values: dict[fx.Node, tuple[int, FloatArray]] = {}  # the stretch between activations, and the form
        self._stretch = 0
        self._counted: set[int] = set()
        self.layers: list[FloatArray] = []
        self.slopes: list[FloatArray] = []
        self.names: list[str] = []
        self.parameters = self.multiplications = 0
        self.width = _input_width(owner, graph)
        self.forms = AffineForms(self.width, budget)

    def result(self) -> FloatArray:
        """The form of the output."""
        for node in list(self._graph.nodes):
            if changes_input(node, self._owner):
                hand_on(node, self._owner)
        live = live_nodes(self._graph)
        for node in self._graph.nodes:
            if node not in live or node.op == "get_attr" or is_sizes(node) or is_batch_size(node):
                continue
            if node.op == "placeholder":
                if self._values:
                    _refuse(label_of(node, self._owner), "the model has more than one input")
                self._values[node] = (0, self.forms.input())
            elif node.op == "output":
                if not isinstance(node.args[0], fx.Node):
                    _refuse("the output", "the model returns more than one tensor")
                return self._form(node.args[0], "the output")
            else:
                form = self._read(node, label_of(node, self._owner))
                self._values[node] = (self._stretch, form)
        raise AssertionError("a graph ends with its output")  # pragma: no cover

    def _form(self, node: Any, label: str) -> FloatArray:
        """The form of an operand."""
        if not isinstance(node, fx.Node) or node not in self._values:
            _refuse(label, "one of its operands is no tensor of the network")
        stretch, form = self._values[node]
        if self._chain and stretch != self._stretch:
            _refuse(label, "a skip leads past an activation, and cuts are for chains", "Leave cuts out.")
        return form

    def _read(self, node: fx.Node, label: str) -> FloatArray:
        if node.op == "call_module":
            module = self._owner.get_submodule(str(node.target))
            return self._module(module, self._form(node.all_input_nodes[0], label), label, str(node.target))
        phi = phi_of_call(node)
        if isinstance(phi, TwoSlope) and phi.positive == 1:
            form = self._form(node.all_input_nodes[0], label)
            return self._activate(form, np.full(len(form), phi.negative), node.name)
        name = target_name(node).strip("_")
        if name in ("cat", "concat", "concatenate"):
            return self._concatenated(node, label)
        if name in ("add", "iadd", "sub", "isub", "mul", "imul", "div", "truediv", "itruediv", "neg"):
            return self._arithmetic(node, name.removeprefix("i") if name != "iadd" else "add", label)
        if name in _SAME:
            return self._form(node.all_input_nodes[0], label)
        if node.target is F.dropout and argument(node, 2, "training", True) is False:
            return self._form(node.all_input_nodes[0], label)
        _refuse(label, "it is no operation of a dense network")

    def _module(self, module: Any, form: FloatArray, label: str, name: str) -> FloatArray:
        if isinstance(module, nn.Linear) and is_weight_layer(module):
            weight = entries(name, "weight", module)
            bias = None if module.bias is None else entries(name, "bias", module)
            self._count(module, weight.size + (0 if bias is None else bias.size), weight.size)
            return self.forms.dense(form, weight, bias)
        if isinstance(module, nn.BatchNorm1d):
            return self._normalised(module, form, label)
        require_finite_slopes_of(label, module)
        if isinstance(module, PartialReLU):
            if module.granularity == "unit":
                _refuse(label, "its slopes belong to positions")
            return self._activate(form, module.channel_slopes().double().cpu().numpy(), name)
        if type(module) is nn.PReLU:
            return self._activate(form, np.broadcast_to(entries(name, "weight", module), len(form)).copy(), name)
        phi = phi_of_module(module)
        if isinstance(phi, TwoSlope) and phi.positive == 1:
            return self._activate(form, np.full(len(form), phi.negative), name)
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.training and module.p > 0:
            _refuse(label, "it drops units in training mode", "Call eval() before.")
        if isinstance(module, (nn.Identity, nn.Flatten, nn.modules.dropout._DropoutNd)):
            return form
        _refuse(label, "it is no operation of a dense network")

    def _normalised(self, module: Any, form: FloatArray, label: str) -> FloatArray:
        if module.training or module.running_mean is None or module.running_var is None:
            _refuse(label, "it normalises by the statistics of the batch", "Call eval(), with running statistics.")
        if module.num_features != len(form):
            _refuse(label, f"it takes {module.num_features} channels where {len(form)} arrive")
        scale = 1 / np.sqrt(_array(module.running_var) + module.eps)
        scale = scale if module.weight is None else scale * _array(module.weight)
        shift = -_array(module.running_mean) * scale
        shift = shift if module.bias is None else shift + _array(module.bias)
        self._count(module, 2 * len(form), len(form))
        return self.forms.scale(form, scale, shift)

    def _activate(self, form: FloatArray, slopes: FloatArray, name: str) -> FloatArray:
        again = sum(known.split(":")[0] == name for known in self.names)
        self.names.append(f"{name}:{again + 1}" if again else name)
        if slopes.shape != (len(form),):
            _refuse(f"activation '{name}'", f"it has {slopes.size} slopes where {len(form)} channels arrive")
        self.slopes.append(slopes)
        if not self._chain:
            return self.forms.activate(form, slopes)
        self.layers.append(form)
        self._stretch += 1
        self.forms = AffineForms(len(form), self._budget)
        return self.forms.input()

    def _concatenated(self, node: fx.Node, label: str) -> FloatArray:
        operands, axis = argument(node, 0, "tensors", ()), argument(node, 1, "dim", 0)
        if axis not in (1, -1) or not isinstance(operands, (list, tuple)):
            _refuse(label, f"it joins along axis {axis}, not along the channels")
        return self.forms.concatenate(*(self._form(operand, label) for operand in operands))

    def _arithmetic(self, node: fx.Node, name: str, label: str) -> FloatArray:
        """Sums and differences of tensors, and scaling and shifting by constants."""
        if name == "neg":
            return self.forms.scale(self._form(node.args[0], label), -1.0)
        first, second = node.args[:2] if len(node.args) > 1 else (node.args[0], node.kwargs.get("other"))
        by = node.kwargs.get("alpha", 1)
        tensors = [isinstance(one, fx.Node) and one in self._values for one in (first, second)]
        if name in ("add", "sub") and all(tensors) and isinstance(by, (int, float)):
            factor = float(by) if name == "add" else -float(by)
            return self.forms.add(self._form(first, label), self.forms.scale(self._form(second, label), factor))
        if all(tensors) or not any(tensors) or by != 1:
            _refuse(label, "two tensors of the network are multiplied, or none")
        form = self._form(first if tensors[0] else second, label)
        constant = self._constant(second if tensors[0] else first, len(form), label)
        if name in ("add", "sub"):
            if name == "sub" and not tensors[0]:
                return self.forms.scale(form, -1.0, constant)
            return self.forms.scale(form, 1.0, constant if name == "add" else -constant)
        if name == "mul":
            return self.forms.scale(form, constant)
        if not tensors[0]:
            _refuse(label, "it divides by a tensor of the network")
        return self.forms.scale(form, 1 / constant)

    def _constant(self, value: Any, channels: int, label: str) -> FloatArray:
        """A number or a parameter, for each channel."""
        if isinstance(value, fx.Node) and value.op == "get_attr":
            value = _array(operator.attrgetter(str(value.target))(self._owner))
        try:
            numbers = np.asarray(value, dtype=np.float64)
            return np.broadcast_to(numbers.reshape(-1) if numbers.size > 1 else numbers.reshape(()), channels).copy()
        except (TypeError, ValueError):
            _refuse(label, "its constant is neither a number nor one for each channel")

    def _count(self, module: nn.Module, parameters: int, multiplications: int) -> None:
        """Count a layer: its parameters once, its multiplications at every call."""
        self.multiplications += multiplications
        if id(module) not in self._counted:
            self._counted.add(id(module))
            self.parameters += parameters


def _input_width(owner: nn.Module, graph: fx.Graph) -> int:
    """Features of the input: those that the first layer takes."""
    waiting = [node for node in graph.nodes if node.op == "placeholder"]
    others = []
    for node in waiting:
        for user in node.users:
            module = owner.get_submodule(str(user.target)) if user.op == "call_module" else None
            if isinstance(module, nn.Linear):
                return int(module.in_features)
            if isinstance(module, nn.BatchNorm1d):
                return int(module.num_features)
            if isinstance(module, PartialReLU):
                return module.num_channels
            same = isinstance(module, (nn.Flatten, nn.Identity, nn.modules.dropout._DropoutNd))
            elementwise = module is not None and phi_of_module(module) is not None
            if (
                same
                or elementwise
                or (user.op != "call_module" and target_name(user) in (*_SAME, "mul", "add", "relu"))
            ):
                waiting.append(user)
            else:
                others.append(label_of(user, owner))
    what = f"{others[0]} takes it, and" if others else "it goes into"
    _refuse("the input", f"{what} no linear layer, so that its number of features is not known")


def _array(tensor: Any) -> FloatArray:
    numbers: FloatArray = tensor.detach().double().cpu().numpy()
    return numbers


def _refuse(label: str, why: str, change: str = _CHANGE) -> NoReturn:
    raise DomainError(f"{label[0].upper()}{label[1:]} is refused: {why}.", _CAUSE, change)
