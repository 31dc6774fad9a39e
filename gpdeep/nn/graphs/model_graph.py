"""The graph of channels of a torch module, read off one forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ...errors import DomainError
from ...gaussian.arguments import choice
from ...linearize.graph import Graph, numbered
from ...linearize.operations import Policy
from ...linearize.shares import VarianceShares
from ...linearize.wires import Wire
from ..reading.tracing import unwrapped
from ..reading.weights import require_module
from ..undisturbed import restored
from . import rules_dense, rules_modules, rules_movement, rules_pointwise, rules_products, rules_reduction
from .channel_labels import Blocked, WrongAxisError, gathered
from .inputs import Arguments, ChannelAxes
from .measured_moments import Moments
from .rules import Rule, Rulebook
from .run import Run

RULES = (rules_dense, rules_movement, rules_pointwise, rules_products, rules_reduction)
"""Modules that hold the rules which are built in: importing them makes these known."""


def graph_of(
    model: nn.Module,
    example: Any,
    *,
    channel_axis: int | Sequence[int] | None = None,
    products: Policy | None = None,
    rules: Mapping[Any, Rule | str] | None = None,
) -> Graph:
    """The graph of channels that paths run through, of a torch module.

    Parameters
    ----------
    model : torch.nn.Module
    example : torch.Tensor, array_like, tuple, list or dict
        What `forward` is called with: a tensor or array, a tuple or list of several arguments, or a dict of named ones.
        A tuple of integers such as (1, 3, 32, 32) is the shape, batch included, of one input of random numbers.
    channel_axis : int or sequence of int, optional
        The axis of each input that holds its channels. By default 1, or where the first layer says otherwise the last
        (sequences of vectors, images with channels last), 0 (no batch), or none (one channel, without an axis).
    products : {"value", "merge"}, optional
        How paths pass products of tensors that both depend on the input (gates, attention), unless
        `gpdeep.linearize.path_length` is told otherwise.
    rules : mapping, optional
        Rules for this graph alone, as `register_rule`.

    Returns
    -------
    Graph
        Its activations are called as the modules that compute them, ``name:2`` where a module is called again.

    Raises
    ------
    DomainError
        The model does not run on the example; an output depends on the input through an operation without a rule, or
        through one whose channels cannot be followed (the message names the operation, the module, and the line); or no
        output depends on the input.

    Notes
    -----
    The model runs once on the example (again, where the axis of channels is another than 1), in eval mode, without
    gradients and with the random state put back; parameters, buffers and the mode stay as they are. Decisions of a
    forward are those that the example takes. What is computed but not used is left out, and so are tensors that do not
    depend on the input: no path comes from them.

    *Read:* linear layers, convolutions, products with constant matrices, embeddings; all elementwise activations, in
    place or not, as modules or functions; `channel_slopes` of modules that have it; sums, differences, `cat`, `stack`;
    views, permutations, slices, padding, pixel and channel shuffles; pooling, means, resizing; normalisations; softmax
    and losses; products, gates, attention (`torch.nn.MultiheadAttention`, `scaled_dot_product_attention`, by hand). A
    product of functions of the very same numbers, x · sigmoid(x), is an activation. A linear layer over positions (as
    in an MLP-mixer) leaves channels as they are. Concatenation along positions is a sum. Recurrent layers are not read.

    Examples
    --------
    >>> from gpdeep.linearize import path_length
    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv1, self.conv2 = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
    ...     def forward(self, x):
    ...         return torch.relu_(x + self.conv2(torch.relu(self.conv1(x))))
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), Block(), Block(), nn.Flatten(), nn.Linear(288, 10))
    >>> graph = graph_of(net, torch.zeros(1, 3, 8, 8))
    >>> path_length(graph).value, [layer.name for layer in path_length(graph).layers]
    (4.0, ['1', '2.relu', '2.relu:2', '3.relu', '3.relu:2'])
    """
    outputs, _ = _read(model, example, channel_axis, products, rules, None)
    return Graph.of(outputs)


def variance_shares(
    model: nn.Module,
    example: Any,
    *,
    statistic: str = "second_moment",
    channel_axis: int | Sequence[int] | None = None,
    rules: Mapping[Any, Rule | str] | None = None,
) -> VarianceShares:
    """Second moments of a model on a batch, for ``path_length(graph, weight="variance", shares=...)``.

    Parameters
    ----------
    model : torch.nn.Module
    example
        A batch of inputs, as for `graph_of`; a hundred or more, of the data that the statement is about.
    statistic : {"second_moment", "variance"}
        Of the operands of additions: the mean square over inputs and positions of each channel, or its variance. Of
        dense layers it is the mean square, times the squared weights summed over taps.
    channel_axis, rules
        As `graph_of`, whose graph they belong to.

    Returns
    -------
    VarianceShares

    Raises
    ------
    DomainError
        As `graph_of`, or `statistic` is unknown.

    Notes
    -----
    Layers inside of attention and sums over axes are not measured; `gpdeep.linearize.path_length` warns that it chooses
    evenly there.

    Examples
    --------
    A branch that is scaled by 1/2 has a fifth of the second moment at initialisation:

    >>> from gpdeep.linearize import path_length
    >>> class Scaled(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = nn.Linear(2000, 2000, bias=False)
    ...         nn.init.kaiming_normal_(self.fc.weight)
    ...     def forward(self, x):
    ...         return x + 0.5 * self.fc(torch.relu(x))
    >>> net, x = Scaled(), torch.randn(200, 2000)
    >>> shares = variance_shares(net, x)
    >>> round(path_length(graph_of(net, x), weight="variance", shares=shares).value, 2)
    0.2
    """
    choice("statistic", statistic, ("second_moment", "variance"))
    moments = Moments(statistic == "variance")
    outputs, ends = _read(model, example, channel_axis, None, rules, moments)
    graph, number = numbered(outputs)
    nodes = {graph.nodes[number[k]].name: value for k, value in moments.found.items() if k in number}
    return VarianceShares(nodes=nodes, outputs=ends, how=f"measured, operands by their {statistic.replace('_', ' ')}")


def _read(
    model: nn.Module,
    example: Any,
    channel_axis: Any,
    products: Policy | None,
    rules: Any,
    moments: Moments | None,
) -> tuple[dict[str, Wire], dict[str, Any]]:
    """The outputs of a model as wires, and their second moments where these are measured."""
    require_module(model)
    if products is not None:
        choice("products", products, ("value", "merge"))
    model = unwrapped(model)
    _require_initialised(model)
    arguments, axes, book = Arguments(model, example), ChannelAxes(channel_axis), Rulebook(rules)
    while True:
        try:
            return _attempt(model, arguments, axes, book, products, moments)
        except WrongAxisError as error:
            axes.refute(error.inputs, error.layer)


def _require_initialised(model: nn.Module) -> None:
    """Refuse what running the model would change."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(tensor) or tensor.is_meta:
            raise DomainError(
                f"'{name}' has no numbers yet.",
                "A lazy layer learns its shape at the first input; a model on the meta device is a skeleton.",
                "Run the model once on an input, or materialise it by to_empty(device='cpu').",
            )


def _attempt(
    model: nn.Module,
    arguments: Arguments,
    axes: ChannelAxes,
    book: Rulebook,
    products: Policy | None,
    moments: Moments | None,
) -> tuple[dict[str, Wire], dict[str, Any]]:
    run = Run(model, book, rules_modules.rule_of_module, products, moments, axes.guessing)
    with ExitStack() as stack:
        stack.enter_context(_at_rest(model))
        if any(hasattr(module, "_orig_mod") for module in model.modules()) and hasattr(torch.compiler, "set_stance"):
            stack.enter_context(torch.compiler.set_stance("force_eager"))  # parts that torch.compile has wrapped
        args, kwargs, inputs = arguments.copied()
        for number, (name, x) in enumerate(inputs):
            run.start(x, axes.input(name, number, x))
        run.watch(stack, model)
        with run:
            result = _forward(model, args, kwargs)
        return _outputs(run, result, moments)


def _forward(model: nn.Module, args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return model(*args, **kwargs)
    except (DomainError, WrongAxisError):
        raise
    except Exception as error:
        raise DomainError(
            f"{type(model).__name__} does not run on the example ({type(error).__name__}: {error}).",
            "The example has another shape or type than the model's inputs, or a batch axis is missing.",
            "Give an input as the model takes it, such as torch.zeros(1, 3, 32, 32), or a tuple of several.",
        ) from error


@contextlib.contextmanager
def _at_rest(model: nn.Module) -> Iterator[None]:
    """Within it the model is in eval mode, and everything it changes is put back; so are the modes of its parts."""
    modes = [(module, module.training) for module in model.modules()]
    gpus = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    with restored(model), torch.random.fork_rng(devices=gpus), torch.inference_mode(False), torch.no_grad():
        try:
            for module, _ in modes:
                module.training = False
            yield
        finally:
            for module, training in modes:
                module.training = training


def _outputs(run: Run, result: Any, moments: Moments | None) -> tuple[dict[str, Wire], dict[str, Any]]:
    """The wires of everything that the model returns and that depends on the input."""
    wires: dict[str, Wire] = {}
    ends: dict[str, Any] = {}
    found = list(_named("output", result))
    for name, tensor in found:
        state = run.state(tensor)
        if isinstance(state, Blocked):
            raise state.error()
        if state is not None:
            wires[name] = gathered(state.wire, state.labels)
            if moments is not None:
                ends[name] = moments.second(tensor, state.labels)
    if not wires:
        raise DomainError(
            f"None of the {len(found)} tensors that the model returns depends on the input.",
            "The output is made of parameters alone, or of something that is no tensor.",
            "Let forward return tensors that are computed from its arguments.",
        )
    return wires, ends


def _named(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors in a result, with names: 'output', 'output[1]', or the key of a dictionary."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(str(key) if name == "output" else f"{name}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _named(f"{name}[{k}]" if len(value) > 1 else name, item)
