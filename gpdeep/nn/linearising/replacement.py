"""`PartialReLU` in place of the ReLUs of a user's model.

The model is traced by `torch.fx`. Where every activation is a module of its own, these are exchanged and the model
keeps its class; where functions are called, or one module serves several places, the recorded graph is rewritten. What
cannot be traced is run on an example, and its modules are exchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from ...errors import DomainError
from ...gaussian.arguments import choice, shown
from ..modules.partial_relu import PartialReLU
from ..reading.activation_sites import KINDS, is_kind, others_in, slope_of
from ..reading.example_runs import as_arguments, run, same_answers
from ..reading.partial_tracing import trace_partial
from ..reading.tracing import UntraceableError, unwrapped
from ..reading.weights import require_module
from .graph_sites import GraphSites
from .replacement_report import Replacement
from .slope_choice import GRANULARITIES, SlopeChoice
from .untraced_sites import replace_untraced

REUSE = ("separate", "share")


def replace_activations(
    model: nn.Module,
    kinds: Collection[type[nn.Module]] = (nn.ReLU,),
    granularity: str = "channel",
    example: Any = None,
    *,
    channel_dim: int | Mapping[str, int] | None = None,
    reuse: str = "separate",
) -> Replacement:
    """A copy of a model with slopes that can be trained in place of its ReLUs.

    Parameters
    ----------
    model : torch.nn.Module
        Stays as it is, as do its parameters: train ``report.model``, with an optimiser of its own.
    kinds : collection of types
        Of `torch.nn.ReLU`, `torch.nn.LeakyReLU`, `torch.nn.PReLU`: what to replace, functions that do the same
        included. The new slopes begin with theirs.
    granularity : {'channel', 'layer', 'unit'}
        What has a slope of its own; a unit is a channel at a position, and needs the example.
    example : torch.Tensor or tuple, optional
        Arguments of the model, with a batch axis. Both models are run on it and must agree. Needed where the weights do
        not tell which axis holds the channels, and where the model cannot be traced.
    channel_dim : int or mapping of str to int, optional
        Axis of the channels, for all activations or by name, where neither weights nor example tell.
    reuse : {'separate', 'share'}
        Whether a module that is called several times gets slopes for each call, or one set for all calls.

    Returns
    -------
    Replacement

    Raises
    ------
    DomainError
        There is no such activation, its channels are not known, or the result does not compute the same; the message
        names the activation.
    UntraceableError
        `torch.fx` cannot follow the model, and no example was given.

    Notes
    -----
    *The model that comes out* keeps its class unless functions or several calls were replaced; then it is a
    `torch.fx.GraphModule` with the same names of parameters, and without attributes and methods of the class. Such a
    model has one graph for training and evaluation: a forward that asks for ``self.training`` is refused.

    *In place.* ``ReLU(inplace=True)`` changes the tensor that it is given, which a skip may read afterwards; the new
    activation changes nothing, and the skip is made to read its result.

    *Transformers.* The feed-forward activation of `torch.nn.TransformerEncoderLayer` and ``DecoderLayer`` is replaced,
    with channels on the last axis.

    Examples
    --------
    >>> report = replace_activations(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    >>> report.model[1], report.channels
    (PartialReLU(8, channel_dim=-1, granularity=channel, frozen=0/8), 8)
    """
    require_module(model)
    kinds = _checked(kinds, granularity, reuse)
    arguments = None if example is None else as_arguments(example)
    original = unwrapped(model)
    twin = copy.deepcopy(original)
    choice = SlopeChoice(granularity, channel_dim)
    modules = _in_transformers(twin, kinds, choice)
    if reuse == "separate":
        _give_each_its_own(twin)
    rewritten, note = False, ""
    left: list[tuple[str, str]] = []
    try:
        owner, graph = trace_partial(twin)
    except UntraceableError as error:
        if arguments is None:
            raise
        modules |= replace_untraced(twin, kinds, arguments, choice)
        note = f"activations were found by running the example; {error.found}"
    else:
        left = list(others_in(graph, owner, kinds))
        sites = GraphSites(owner, graph, kinds, arguments, choice)
        rewritten = sites.exchange(share=reuse == "share")
        modules |= sites.modules
        twin = fx.GraphModule(owner, graph, type(original).__name__) if rewritten else owner
    left += [(name, type(part).__name__) for name, part in twin.named_modules() if is_kind(part, kinds)]
    if not modules:
        raise DomainError(
            f"{type(original).__name__} calls no {' or '.join(kind.__name__ for kind in kinds)}.",
            "Its activations are of other kinds, or inside modules that torch.fx does not look into.",
            f"Give kinds among {', '.join(kind.__name__ for kind in KINDS)}, or put PartialReLU in by hand.",
        )
    if arguments is not None and not same_answers(run(original, arguments), run(twin, arguments)):
        raise DomainError(
            f"{type(original).__name__} answers otherwise with its activations replaced.",
            "Its forward takes decisions that a trace does not see, or relies on activations that work in place.",
            "Register every activation as a module of its own, not in place.",
        )
    return Replacement(twin, modules, rewritten, tuple(left), arguments is not None, (note,) if note else ())


def _checked(kinds: Any, granularity: str, reuse: str) -> tuple[type[nn.Module], ...]:
    """The kinds, if all arguments are what they may be."""
    given = tuple(kinds) if isinstance(kinds, (tuple, list, set, frozenset)) else (kinds,)
    unknown = [kind for kind in given if not any(kind is known for known in KINDS)]
    if unknown or not given:
        raise DomainError(
            f"kinds = {shown(kinds)}.",
            "Only activations of two slopes can become PartialReLU; a module was given in place of its class, or none.",
            f"Give some of {', '.join(kind.__name__ for kind in KINDS)}.",
        )
    for name, value, known in (("granularity", granularity, GRANULARITIES), ("reuse", reuse, REUSE)):
        choice(name, value, known)
    return given


def _give_each_its_own(model: nn.Module) -> None:
    """A ReLU that is registered in several places becomes several: it has no state to share."""
    seen: set[int] = set()
    for owner in list(model.modules()):
        for name, child in list(owner.named_children() if not owner._modules else owner._modules.items()):
            if child is None or not is_kind(child, (nn.ReLU, nn.LeakyReLU)):
                continue
            if id(child) in seen:
                setattr(owner, name, copy.deepcopy(child))
            seen.add(id(child))


def _in_transformers(
    model: nn.Module, kinds: Collection[type[nn.Module]], choice: SlopeChoice
) -> dict[str, PartialReLU]:
    """Exchange the activations inside torch's transformer layers, which a trace does not look into."""
    found: dict[str, PartialReLU] = {}
    for name, layer in model.named_modules():
        if not isinstance(layer, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            continue
        phi = layer.activation
        if (phi in (F.relu, torch.relu) and nn.ReLU in kinds) or (isinstance(phi, nn.Module) and is_kind(phi, kinds)):
            inner = f"{name}.activation" if name else "activation"
            alpha = slope_of(phi) if isinstance(phi, nn.Module) else 0.0
            linear = layer.linear1
            new = choice.make(f"activation '{inner}'", inner, (linear.out_features, -1), None, alpha, linear.weight)
            found[inner] = layer.activation = new
            layer.activation_relu_or_gelu = 0  # torch's fused kernel has a ReLU of its own
    return found
