"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..activations.catalogue import NAMES
from ..errors import DomainError

if TYPE_CHECKING:
    from ..activations import Activation

ActivationName = Annotated[
    str,
    typer.Argument(
        metavar="ACT",
        help=f"Activation: {', '.join(NAMES)}; with its parameters, as in leaky_relu:0.1 or crelu:1.0,1.5.",
    ),
]
SigmaW = Annotated[
    float | None,
    typer.Option(help="Standard deviation of weights times √fan-in; default, for relu and the like: keep variances."),
]
Alpha = Annotated[float, typer.Option(help="Residual layers h ← alpha h + beta f(h): share of the input kept.")]
Beta = Annotated[float, typer.Option(help="Residual layers: factor of the branch f.")]
LayerNorm = Annotated[bool, typer.Option("--layer-norm", help="Normalise pre-activations before the activation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Plot = Annotated[Path | None, typer.Option(help="Write a plot to this file (png, pdf or svg).")]


_MODULE_MARK = ".py:"


def names_module(text: str) -> bool:
    """Whether ARCH is ``FILE.py:FACTORY``, a torch module of the user's, and not widths.

    Raises
    ------
    DomainError
        It names a file, and no module in it.
    """
    if _MODULE_MARK in text:
        return True
    if text.endswith(".py") or any(mark in text for mark in ":/\\"):
        file = text.partition(":")[0]
        raise DomainError(
            f"'{text}' is neither widths nor a network in a Python file.",
            "A network of one's own is named as FILE.py:FACTORY: a Python file, a colon, and a name in it."
            + ("" if file.endswith(".py") else f" '{file}' does not end in .py."),
            f"Write such as {file if file.endswith('.py') else 'model.py'}:make_network, or widths, 784,128x50,10.",
        )
    return False


def sigma_w_of(phi: Activation, sigma_w: float | None) -> float:
    """`sigma_w`, or where it was left out the value that keeps every variance with the activation `phi`.

    Raises
    ------
    DomainError
        It was left out and there is no such value.
    """
    found = phi.default_sigma_w if sigma_w is None else sigma_w
    if found is None:
        raise DomainError(
            f"--sigma-w is missing for the activation '{phi.name}'.",
            "Only homogeneous activations, such as relu, have a default: the value that keeps every variance.",
            f"Give --sigma-w; `gpdeep eoc {phi.name}` computes it on the edge of chaos.",
        )
    return found
