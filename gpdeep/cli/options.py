"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..activations.catalogue import NAMES

Activation = Annotated[
    str,
    typer.Argument(
        metavar="ACT",
        help=f"Activation: {', '.join(NAMES)}; with its parameters, as in leaky_relu:0.1 or crelu:1.0,1.5.",
    ),
]
Alpha = Annotated[float, typer.Option(help="Residual layers h ← alpha h + beta f(h): share of the input kept.")]
Beta = Annotated[float, typer.Option(help="Residual layers: factor of the branch f.")]
LayerNorm = Annotated[bool, typer.Option("--layer-norm", help="Normalise pre-activations before the activation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Plot = Annotated[Path | None, typer.Option(help="Write a plot to this file (png, pdf or svg).")]
