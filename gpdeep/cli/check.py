"""``gpdeep check``: does a network's initialisation do what theory says?"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ..activations.catalogue import NAMES
from ..errors import DomainError
from .options import AsJson, Plot, SigmaW, names_module
from .output import answer


def check(
    architecture: Annotated[
        str,
        typer.Argument(
            metavar="ARCH",
            help="Widths such as 64,64x20,10, with blocks res(64x20,alpha=1,beta=0.1) and ln(64x20), or "
            "FILE.py:FACTORY of a torch module.",
        ),
    ],
    activation_name: Annotated[
        str | None,
        typer.Option("--activation", help=f"Activation of ARCH in text: {', '.join(NAMES)}; default relu."),
    ] = None,
    sigma_w: SigmaW = None,
    sigma_b: Annotated[float, typer.Option(help="Standard deviation of biases.")] = 0.0,
    angle: Annotated[float | None, typer.Option(help="Angle between the two inputs in radians; default π/2.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Take inputs from data: digits, a folder of idx files, or a .npy file.")
    ] = None,
    centre: Annotated[bool, typer.Option("--centre/--no-centre", help="Subtract the data's mean first.")] = True,
    seeds: Annotated[int, typer.Option(help="Networks that are measured.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="Where networks are measured: cpu or cuda.")] = "cpu",
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Measure angles, variances, zeros and gradients of random networks, layer by layer, beside their prediction.

    What is predicted is the initialisation given by --sigma-w and --sigma-b. A factory is called once a seed, after
    torch has been seeded; the file is your own code and is run. Its module has dense layers, plain, residual, or with
    LayerNorm before the activation; of one whose channels have become linear (PReLU, PartialReLU with slope 1) path
    lengths are given too. Convolutions are not predicted: gpdeep.nn.probe measures them.

    Exit codes: 0 they agree, 1 failed, 2 usage, 3 the network departs from the prediction.
    """
    if plot is not None:
        from ..plots import picture_file

        picture_file(plot)
    own = names_module(architecture)
    from ..nn import check as compare
    from ..nn import load_factory

    _require_device(device)
    if own and activation_name is not None:
        raise DomainError(
            f"--activation {activation_name} was given with a module.",
            "The activation of a module is read from it.",
            "Leave --activation out.",
        )
    found = compare(
        partial(load_factory, architecture) if own else architecture,
        activation=activation_name,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        angle=angle,
        data=data,
        centre=centre,
        seeds=seeds,
        seed=seed,
        device=device,
        label=architecture,
    )
    if plot is not None:
        from ..plots import plot_check, save_figure

        save_figure(plot_check(found)[0], plot)
    return answer([found], as_json)


def _require_device(device: str) -> None:
    """Refuse a device that is not there, by the name of the option."""
    from ..nn.arguments import kind_of

    try:
        kind_of(None, device)
    except DomainError as error:
        reason = str(error.__cause__).splitlines()[0][:200]
        raise DomainError(
            f"--device {device}: {reason}",
            "It is misspelt, or this machine or this build of torch has no such device.",
            "Leave --device out, or write --device cpu.",
        ) from error
