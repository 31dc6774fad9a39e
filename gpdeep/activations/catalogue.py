"""Activations by name: ``relu``, ``leaky_relu:0.1``, ``prelu:0.25``, ``abs``, ``identity``."""

from __future__ import annotations

from ..errors import DomainError
from .two_slope import TwoSlope

_FIXED_SLOPES = {"relu": (0.0, 1.0), "abs": (-1.0, 1.0), "identity": (1.0, 1.0)}
_NEGATIVE_SLOPE = {"leaky_relu": 0.01, "prelu": 0.25}  # name: PyTorch's default slope
NAMES = (*_FIXED_SLOPES, *_NEGATIVE_SLOPE)
RELU = TwoSlope("relu", 0.0, 1.0)
VARIANCE_PRESERVING = ("relu", "leaky_relu")  # those whose sigma_w has a default


def parse_activation(text: str) -> tuple[str, tuple[float, ...]]:
    """Split ``name:p1,p2`` into the name and its parameters.

    Raises
    ------
    DomainError
        A parameter is not a finite number.

    Examples
    --------
    >>> parse_activation("leaky_relu:0.1")
    ('leaky_relu', (0.1,))
    """
    name, colon, rest = text.strip().partition(":")
    try:
        parameters = tuple(float(item) for item in rest.split(",")) if colon else ()
    except ValueError as error:
        raise DomainError(
            f"Activation '{text}' has parameters '{rest}' that are not numbers.",
            "Parameters follow the name after a colon, separated by commas.",
            "Write for instance leaky_relu:0.1",
        ) from error
    return name.strip().lower(), parameters


def activation(text: str | TwoSlope) -> TwoSlope:
    """The activation called `text` in the catalogue.

    Parameters
    ----------
    text : str
        ``relu``, ``leaky_relu`` (slope 0.01) or ``leaky_relu:a``, ``prelu`` (0.25) or ``prelu:a``, ``abs``,
        ``identity``. An activation object is returned as it is.

    Raises
    ------
    DomainError
        The name is not in the catalogue, or it has the wrong number of parameters.

    Examples
    --------
    >>> activation("leaky_relu:0.1")
    TwoSlope(name='leaky_relu:0.1', negative=0.1, positive=1.0)
    """
    if isinstance(text, TwoSlope):
        return text
    if not isinstance(text, str):
        raise DomainError(
            f"The activation is {text!r}.",
            "Neither a name nor a TwoSlope was given.",
            "Write a name such as 'relu' or 'leaky_relu:0.1'.",
        )
    name, parameters = parse_activation(text)
    allowed = 1 if name in _NEGATIVE_SLOPE else 0
    if name not in NAMES:
        raise DomainError(
            f"Activation '{text}' is not in the catalogue.",
            "It is misspelt, or it belongs to a part of gpdeep that this version does not have yet.",
            f"Use one of: {', '.join(NAMES)} (leaky_relu and prelu take a slope, as in leaky_relu:0.1).",
        )
    if len(parameters) > allowed:
        raise DomainError(
            f"Activation '{text}' has {len(parameters)} parameters; {name} takes at most {allowed}.",
            "A parameter of another activation was given.",
            f"Write {name}" + (f" or {name}:{_NEGATIVE_SLOPE[name]}." if allowed else "."),
        )
    if name in _FIXED_SLOPES:
        return TwoSlope(name, *_FIXED_SLOPES[name])
    slope = parameters[0] if parameters else _NEGATIVE_SLOPE[name]
    return TwoSlope(f"{name}:{slope:g}", slope)
