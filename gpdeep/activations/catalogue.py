"""Activations by name, with their parameters: ``relu``, ``leaky_relu:0.1``, ``crelu:1.0,1.5``, ``tanh``, ``gelu``..."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

from ..errors import DomainError
from ..gaussian.arguments import shown
from .base import Activation
from .two_slope import relu

RELU = relu()


@dataclass(frozen=True)
class _Entry:
    """Where an activation is, or is made of its parameters: their names, and defaults of the last of them."""

    home: str
    maker: str
    parameters: tuple[str, ...] = ()
    defaults: tuple[float, ...] = ()

    @property
    def usage(self) -> str:
        """What follows the name."""
        return ",".join(self.parameters)

    def make(self, parameters: tuple[float, ...]) -> Activation:
        """The activation with these parameters."""
        found = getattr(importlib.import_module(f".{self.home}", __package__), self.maker)
        made: Activation = found(*parameters) if self.parameters or not isinstance(found, Activation) else found
        return made


_CATALOGUE = {
    "relu": _Entry("two_slope", "relu"),
    "leaky_relu": _Entry("two_slope", "leaky_relu", ("slope",), (0.01,)),  # PyTorch's defaults
    "prelu": _Entry("two_slope", "prelu", ("slope",), (0.25,)),
    "abs": _Entry("two_slope", "absolute"),
    "identity": _Entry("two_slope", "identity"),
    "relu6": _Entry("piecewise_linear", "relu6"),
    "relu_tau": _Entry("piecewise_linear", "relu_tau", ("tau",)),
    "st": _Entry("piecewise_linear", "soft_threshold", ("tau",)),
    "crelu": _Entry("piecewise_linear", "crelu", ("tau", "m")),
    "cst": _Entry("piecewise_linear", "cst", ("tau", "m")),
    "hard_tanh": _Entry("piecewise_linear", "hard_tanh", ("m",), (1.0,)),
    "tanh": _Entry("smooth_catalogue", "TANH"),
    "erf": _Entry("smooth_catalogue", "ERF"),
    "sigmoid": _Entry("smooth_catalogue", "SIGMOID"),
    "gelu": _Entry("smooth_catalogue", "GELU"),
    "gelu_tanh": _Entry("smooth_catalogue", "GELU_TANH"),
    "silu": _Entry("smooth_catalogue", "SILU"),
    "mish": _Entry("smooth_catalogue", "MISH"),
    "softplus": _Entry("smooth_catalogue", "softplus", ("beta",), (1.0,)),
    "sin": _Entry("smooth_catalogue", "SIN"),
    "cos": _Entry("smooth_catalogue", "COS"),
    "exp": _Entry("smooth_catalogue", "EXP"),
    "elu": _Entry("elu", "elu", ("alpha",), (1.0,)),
    "selu": _Entry("elu", "selu"),
}
NAMES = tuple(_CATALOGUE)


def parse_activation(text: str) -> tuple[str, tuple[float, ...]]:
    """Split ``name:p1,p2`` into the name and its parameters.

    Raises
    ------
    DomainError
        It is no text, or a parameter is not a finite number.

    Examples
    --------
    >>> parse_activation("leaky_relu:0.1")
    ('leaky_relu', (0.1,))
    """
    if not isinstance(text, str):
        raise DomainError(
            f"The activation is {shown(text)}.",
            "Its name is a text, with parameters after a colon.",
            "Write for instance leaky_relu:0.1",
        )
    name, colon, rest = text.strip().partition(":")
    try:
        parameters = tuple(float(item) for item in rest.split(",")) if colon else ()
        if not all(map(math.isfinite, parameters)):
            raise ValueError
    except ValueError as error:
        raise DomainError(
            f"Activation {shown(text)} has parameters {shown(rest)} that are not finite numbers.",
            "Parameters follow the name after a colon, separated by commas.",
            "Write for instance leaky_relu:0.1",
        ) from error
    return name.strip().lower(), parameters


def activation(text: str | Activation) -> Any:
    """The activation called `text` in the catalogue.

    Parameters
    ----------
    text : str
        A name, with parameters after a colon: ``relu``, ``leaky_relu:slope`` (0.01), ``prelu:slope`` (0.25), ``abs``,
        ``identity``, ``relu6``, ``relu_tau:tau``, ``st:tau``, ``crelu:tau,m``, ``cst:tau,m``, ``hard_tanh:m`` (1),
        ``tanh``, ``erf``, ``sigmoid``, ``gelu``, ``gelu_tanh``, ``silu``, ``mish``, ``softplus:beta`` (1), ``sin``,
        ``cos``, ``exp``, ``elu:alpha`` (1), ``selu``; defaults in brackets. An activation object is returned as it is.

    Returns
    -------
    Activation

    Raises
    ------
    DomainError
        The name is not in the catalogue, or it has the wrong number of parameters, or one is out of range.

    Examples
    --------
    >>> activation("leaky_relu:0.1")
    TwoSlope(name='leaky_relu:0.1', negative=0.1, positive=1.0)
    """
    if isinstance(text, Activation):
        return text
    if not isinstance(text, str):
        raise DomainError(
            f"The activation is {shown(text)}.",
            "Neither a name nor an activation was given.",
            "Write a name such as 'relu' or 'leaky_relu:0.1'; a function of your own goes through "
            "gpdeep.activations.from_callable.",
        )
    name, parameters = parse_activation(text)
    if name not in _CATALOGUE:
        raise DomainError(
            f"Activation {shown(text)} is not in the catalogue.",
            "It is misspelt, or it is a function of your own (gpdeep.activations.from_callable takes one).",
            f"Use one of: {', '.join(NAMES)}.",
        )
    entry = _CATALOGUE[name]
    missing = len(entry.parameters) - len(parameters)
    if not 0 <= missing <= len(entry.defaults):
        raise DomainError(
            f"Activation '{text}' comes with {len(parameters)} numbers; {name} takes "
            + (entry.usage.replace(",", " and ") if entry.parameters else "none")
            + ".",
            "A parameter is missing, or one of another activation was given.",
            f"Write {name}" + (f":{entry.usage}, with numbers." if entry.parameters else "."),
        )
    return entry.make((*parameters, *entry.defaults[len(entry.defaults) - missing :]))
