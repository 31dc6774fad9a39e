"""Which rule says how an operation of torch's, or a module, makes channels of channels.

A rule is a function of a `gpdeep.nn.graphs.call.Call`, or the name of one of the simple ones. Rules are found by the
class of a module, or by the name of a function or method: ``torch.add``, ``x + y``, ``x.add_(y)``, ``x += y`` are one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from ...errors import DomainError
from ...gaussian.arguments import shown

if TYPE_CHECKING:
    from .call import Call

Rule = Callable[["Call"], Any]

_SIMPLE: dict[str, Rule] = {
    "copy": lambda call: call.copy("copy"),
    "activation": lambda call: call.activation(call.name),
    "normalise": lambda call: call.normalise(),
    "dense": lambda call: call.dense(),
    "add": lambda call: call.add(),
    "constant": lambda call: None,
}
_REGISTERED: dict[Any, Rule] = {}
_BUILT_IN: dict[str, Rule] = {}

_SAME = {
    "iadd": "add",
    "radd": "add",
    "isub": "sub",
    "subtract": "sub",
    "imul": "mul",
    "rmul": "mul",
    "multiply": "mul",
    "truediv": "div",
    "itruediv": "div",
    "true_divide": "div",
    "divide": "div",
    "rtruediv": "rdiv",
    "ipow": "pow",
    "imatmul": "matmul",
    "negative": "neg",
    "absolute": "abs",
    "concat": "cat",
    "concatenate": "cat",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "moveaxis": "movedim",
    "greater": "gt",
    "less": "lt",
}


def operation_name(operation: Any) -> str:
    """The name that in-place and operator forms of a function or method share."""
    name = operation if isinstance(operation, str) else getattr(operation, "__name__", type(operation).__name__)
    if name == "__get__":  # an attribute: x.T, x.mT
        name = getattr(getattr(operation, "__self__", None), "__name__", name)
    bare = name.strip("_") or name
    return _SAME.get(bare, bare)


def register_rule(op: Any, rule: Rule | str) -> None:
    """Say how an operation or a module makes its channels, for all graphs that are read from now on.

    Parameters
    ----------
    op : type, callable or str
        A class of modules (its instances, and those of subclasses, are then read as a whole), a function or method of
        torch's, or the name of one. A function of the user's own need not be registered: what it calls is seen.
    rule : callable or str
        "copy": channel c of channel c, nothing counts (also where positions change); "normalise": the same, for a
        normalisation; "activation": every channel is an active unit; "dense": every channel of all channels; "add": of
        the operands' channels c; "constant": it does not depend on the input. Or a function of a `Call`, which has
        these as methods, sees arguments and result, and returns what they return.

    Raises
    ------
    DomainError
        `op` is none of these, or there is no rule of that name.

    Notes
    -----
    For one graph only: ``graph_of(model, example, rules={op: rule})``.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from gpdeep.linearize import path_length
    >>> from gpdeep.nn import graph_of
    >>> class Sorted(nn.Module):
    ...     def forward(self, x):
    ...         return x.sort(dim=-1).values
    >>> net = nn.Sequential(nn.Linear(4, 8), Sorted(), nn.Linear(8, 2))
    >>> register_rule(Sorted, "activation")
    >>> path_length(graph_of(net, torch.ones(1, 4))).value
    1.0
    """
    key, function = checked(op, rule)
    _REGISTERED[key] = function


def checked(op: Any, rule: Any) -> tuple[Any, Rule]:
    """The key under which a rule is found, and the rule."""
    if isinstance(op, type) and issubclass(op, nn.Module):
        key: Any = op
    elif (isinstance(op, str) and op) or (callable(op) and not isinstance(op, type)):
        key = operation_name(op)
    else:
        raise DomainError(
            f"A rule is registered for {shown(op, 200)}.",
            "Rules are for classes of modules and for functions and methods of torch's.",
            "Give a class such as MyLayer, a function such as torch.cumsum, or its name.",
        )
    if isinstance(rule, str) and rule in _SIMPLE:
        return key, _SIMPLE[rule]
    if not callable(rule):
        raise DomainError(
            f"The rule for {shown(op, 100)} is {shown(rule, 100)}.",
            f"A rule is a function of a Call, or one of {', '.join(map(repr, _SIMPLE))}.",
            "Give one of these.",
        )
    return key, rule


class Rulebook:
    """Where rules are looked up: those for one graph, those registered, those built in."""

    def __init__(self, own: Mapping[Any, Rule | str] | None = None) -> None:
        if own is not None and not isinstance(own, Mapping):
            raise DomainError(
                f"rules is {shown(own)}.",
                "Rules are given by what they are for.",
                "Give a dict such as {MyLayer: 'copy'}.",
            )
        self._own = dict(checked(op, rule) for op, rule in (own or {}).items())

    def for_module(self, module: nn.Module) -> Rule | None:
        """The rule for a module as a whole, None if what it calls is to be seen."""
        for kind in type(module).__mro__:
            for rules in (self._own, _REGISTERED):
                if kind in rules:
                    return rules[kind]
        return None

    def for_call(self, name: str) -> Rule | None:
        """The rule for a function or method of this name."""
        return self._own.get(name) or _REGISTERED.get(name) or _BUILT_IN.get(name)


def built_in(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: the rule of gpdeep's own for functions and methods of these names."""

    def remember(rule: Rule) -> Rule:
        _BUILT_IN.update(dict.fromkeys(names, rule))
        return rule

    return remember
