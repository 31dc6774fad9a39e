"""The weight layers of a user's model in the order in which they are executed, and what stands between them.

`read_plan` goes through the steps of `execution` and applies the rules under which the theory of a design holds: weight
layers and the design's activation take turns, and what changes the variance on the way is refused or becomes a note.
A pool, dropout or padded zeros matter only where an activation still follows: what is done to the input of the output
layer, which theory leaves free, disturbs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from torch import nn

from ...activations import Activation
from ...errors import DomainError
from ..layers import Owners, zero_padding
from ..reading.phi import same_function
from ..reading.tracing import UntraceableError, unwrapped
from ..weight_draws import WeightLaw
from .execution import Disturbance, Softmax, Step, executed, refuse, registered

_ZEROS = (
    "pads with zeros: outputs at the edges are sums over fewer inputs, and their variance falls below the design's; "
    "padding_mode='circular' keeps it ('reflect' and 'replicate' do, too)."
)


@dataclass(frozen=True)
class PlannedLayer:
    """A weight layer, what messages call it, its qualified name, and whether an activation follows."""

    label: str
    name: str
    layer: Any
    hidden: bool


@dataclass(frozen=True)
class Plan:
    """The weight layers in order, and what weakens the theory's statements about them."""

    layers: tuple[PlannedLayer, ...]
    notes: tuple[tuple[str, str], ...]  # what it is about, and the statement


@dataclass
class _Reader:
    """What has been read so far."""

    phi: Activation
    weights: WeightLaw
    layers: list[PlannedLayer] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    pending: list[tuple[str, Disturbance]] = field(default_factory=list)  # since the last activation
    owners: Owners = field(default_factory=Owners)
    last: str = ""
    ends_with_phi: bool = False
    softmax: str = ""

    def add_phi(self, label: str, phi: Activation) -> None:
        """Take the design's activation, or refuse it."""
        if not same_function(phi, self.phi):
            refuse(
                label,
                f"its activation is '{phi.name}' where the design is for '{self.phi.name}'",
                "Use gpdeep.nn.module_of(design) there.",
            )
        if not self.layers:
            refuse(label, "an activation stands before the first weight layer")
        if self.ends_with_phi:
            refuse(label, f"it follows another activation, {self.last}", "Keep one of the two.")
        for where, disturbance in self.pending:
            if disturbance.fatal:
                refuse(where, disturbance.what, disturbance.change)
            self.notes.append((where, disturbance.what))
        self.pending.clear()
        before = self.layers[-1]
        self.layers[-1] = PlannedLayer(before.label, before.name, before.layer, hidden=True)
        self.last, self.ends_with_phi = label, True

    def add_layer(self, label: str, name: str, layer: Any) -> None:
        """Take a weight layer, or refuse it."""
        conflict = self.owners.conflict(label, layer)
        if conflict:
            refuse(label, f"{conflict}; layers that share weights or biases are dependent", "Give each its own.")
        if self.layers and not self.ends_with_phi:
            refuse(
                label,
                f"it follows {self.last} without an activation: two weight layers in a row",
                "Put gpdeep.nn.module_of(design) between them (a module: in a forward that cannot be traced, calls are "
                "not seen), or merge them into one.",
            )
        if zero_padding(layer, self.weights is WeightLaw.DELTA_ORTHOGONAL):
            self.pending.append((label, Disturbance(_ZEROS)))
        self.layers.append(PlannedLayer(label, name, layer, hidden=False))
        self.last, self.ends_with_phi = label, False


def read_plan(model: nn.Module, phi: Activation, weights: WeightLaw) -> Plan:
    """The weight layers of `model`, with `phi` between them.

    Raises
    ------
    DomainError
        The model is no chain of weight layers with φ between them; the message names the module or function.
    """
    model = unwrapped(model)
    try:
        return _plan(model, list(executed(model)), _Reader(phi, weights))
    except UntraceableError as error:
        untraced = error
    statement = (
        "were taken in the order of registration: calls inside forward, branches and layers used twice were not seen. "
        f"{untraced.found}"
    )
    reader = _Reader(phi, weights, notes=[(f"the modules of {type(model).__name__}", statement)])
    try:
        return _plan(model, list(registered(model)), reader)
    except DomainError as error:
        cause = f"{error.cause} And the modules of the model {statement}"
        raise DomainError(error.found, cause, error.change) from untraced


def _plan(model: nn.Module, steps: list[Step], reader: _Reader) -> Plan:
    """What `reader` makes of the steps of a model."""
    for step in steps:
        _take(reader, step)
    if not any(layer.hidden for layer in reader.layers):
        raise DomainError(
            f"{type(model).__name__} has {len(reader.layers)} weight layer(s) and no activation.",
            "A design is for hidden layers, each a weight layer with the design's activation after it.",
            "Give a network such as Sequential(Linear(784, 300), module_of(design), Linear(300, 10)).",
        )
    _refuse_rest(model, steps)
    return Plan(tuple(reader.layers), tuple(reader.notes))


def _take(reader: _Reader, step: Step) -> None:
    """Add one step to what has been read."""
    if reader.softmax and isinstance(step.what, (Activation, nn.Module)):
        refuse(reader.softmax, f"it couples the channels, and {step.label} comes after it", "Let it be the last step.")
    if isinstance(step.what, Softmax):
        reader.softmax = step.label
    elif isinstance(step.what, Disturbance):
        reader.pending.append((step.label, step.what))
    elif isinstance(step.what, Activation):
        reader.add_phi(step.label, step.what)
    else:
        reader.add_layer(step.label, step.name, step.what)


def _refuse_rest(model: nn.Module, steps: list[Step]) -> None:
    """Refuse parameters that no step has read."""
    read = {id(p) for step in steps if step.module is not None for p in step.module.parameters()}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) not in read:
            _refuse_parameter(model, name)


def _refuse_parameter(model: nn.Module, name: str) -> NoReturn:
    owner, _, _ = name.rpartition(".")
    label = f"parameter '{name}' of {type(model.get_submodule(owner)).__name__}"
    refuse(
        label,
        "forward does not use it in a layer that is initialised here, so that it would keep its old values",
        "Take it out, or initialise that part by itself.",
    )
