"""``gpdeep depth``: predict how deep a network can be, from its widths."""

from __future__ import annotations

import contextlib
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..activations.catalogue import NAMES, activation
from ..errors import DomainError, ValidityWarning
from ..result import Status, StatusCode
from .options import SigmaW, names_module, sigma_w_of
from .output import answer, progress

if TYPE_CHECKING:
    from ..architecture import Architecture


def depth(
    architectures: Annotated[
        list[str],
        typer.Argument(
            metavar="ARCH...",
            help="Widths such as 784,128x50,10 (? for a width to be found), with blocks res(128x50,alpha=1,beta=0.1) "
            "and ln(128x50), or FILE.py:FACTORY of a torch module.",
        ),
    ],
    activation_name: Annotated[
        str,
        typer.Option(
            "--activation", help=f"Activation: {', '.join(NAMES)}; with its parameters, as in leaky_relu:0.1."
        ),
    ] = "relu",
    sigma_w: SigmaW = None,
    sigma_b: Annotated[float, typer.Option(help="Standard deviation of biases.")] = 0.0,
    weights: Annotated[str, typer.Option(help="Law of the weight matrices: gaussian or orthogonal.")] = "gaussian",
    angle: Annotated[float | None, typer.Option(help="Angle between the two inputs in radians; default π/2.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Take the angles from data: digits, a folder of idx files, or a .npy file.")
    ] = None,
    centre: Annotated[bool, typer.Option("--centre/--no-centre", help="Subtract the data's mean first.")] = True,
    threshold: Annotated[float, typer.Option(help="ln sin² below which inputs are indistinguishable.")] = -4.0,
    confidence: Annotated[float, typer.Option(help="Share of initialisations that must tell them apart.")] = 0.5,
    method: Annotated[
        str,
        typer.Option(help="auto, grid, chain, closure, diffusion, jakub-nica, jakub-nica-density or infinite."),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of pairs and sampled networks.")] = 0,
    samples: Annotated[int, typer.Option(help="Sampled networks, where the method samples.")] = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per network, one per line.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write a plot to this file (png, pdf or svg).")] = None,
) -> int:
    """Predict how deep a network can be before its inputs become indistinguishable.

    Angles are those of the post-activations of hidden layers; the law is that of random initialisation.

    Exit codes: 0 answer, 1 failed, 2 usage, 3 answer outside its validity or not converged.
    """
    if plot is not None and len(architectures) > 1:
        raise DomainError(
            f"--plot was given with {len(architectures)} architectures.",
            "A plot shows one network.",
            "Give one architecture, or leave out --plot.",
        )
    if plot is not None:
        from ..plots import picture_file, plot_depth, save_figure

        picture_file(plot)  # before the work is done
    networks, doubts = zip(
        *(_network(text, activation_name, sigma_w, sigma_b, weights) for text in architectures), strict=True
    )
    from ..depth import predict_depth

    with progress("layers of sampled networks, or widths tried") as report:
        answers = [
            predict_depth(
                network,
                angle=angle,
                data=data,
                centre=centre,
                threshold=threshold,
                confidence=confidence,
                method=method,
                seed=seed,
                samples=samples,
                progress=report,
            )
            for network in networks
        ]
    answers = [replace(found, status=found.status & doubt) for found, doubt in zip(answers, doubts, strict=True)]
    if plot is not None:
        save_figure(plot_depth(answers[0]), plot)
    return answer(answers, as_json)


def _network(text: str, name: str, sigma_w: float | None, sigma_b: float, weights: str) -> tuple[Architecture, Status]:
    """The architecture, with the activation and variances of the options, or those of the user's module."""
    if names_module(text):
        return _network_of_module(text, name, sigma_w, sigma_b, weights)
    phi = activation(name)
    sigma_w = sigma_w_of(phi, sigma_w)
    from ..architecture import Architecture

    return Architecture.parse(text, phi=phi, sigma_w=sigma_w, sigma_b=sigma_b, weights=weights), Status()


def _network_of_module(
    text: str, name: str, sigma_w: float | None, sigma_b: float, weights: str
) -> tuple[Architecture, Status]:
    """The architecture of a torch module, and what its weights mean for the validity of the answer."""
    if name != "relu" or sigma_w is not None or sigma_b or weights != "gaussian":
        raise DomainError(
            "--activation, --sigma-w, --sigma-b or --weights was given with a torch module.",
            "The module already says which activation and which variances it has; its law is that of Gaussian weights.",
            "Leave these options out, or write the architecture as text.",
        )
    from ..nn import architecture_of, load_factory

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ValidityWarning)
        try:
            with contextlib.redirect_stdout(sys.stderr):  # what the user's file prints is not the answer
                network = architecture_of(load_factory(text))
        except SystemExit as error:
            raise DomainError(
                f"'{text}' left the program (SystemExit {error.code!r}) while its module was read.",
                "The module's forward calls exit.",
                "Remove the call.",
            ) from error
    doubts = tuple(str(warning.message) for warning in caught if issubclass(warning.category, ValidityWarning))
    return network, Status(StatusCode.OUTSIDE_VALIDITY, doubts) if doubts else Status()
