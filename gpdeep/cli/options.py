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
