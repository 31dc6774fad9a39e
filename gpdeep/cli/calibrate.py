"""``gpdeep calibrate``: the threshold of ln sin² of the user's own runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..activations.catalogue import NAMES, activation
from ..architecture import Architecture
from ..errors import DomainError
from .options import AsJson, Plot, SigmaW, sigma_w_of
from .output import answer


def calibrate(
    runs: Annotated[
        Path,
        typer.Argument(
            metavar="RUNS.csv",
            help="A line a run: columns architecture, and accuracy or trained (1 or 0).",
        ),
    ],
    activation_name: Annotated[
        str, typer.Option("--activation", help=f"Activation of the runs: {', '.join(NAMES)}.")
    ] = "relu",
    sigma_w: SigmaW = None,
    sigma_b: Annotated[float, typer.Option(help="Standard deviation of biases.")] = 0.0,
    angle: Annotated[float | None, typer.Option(help="Angle between the two inputs in radians; default π/2.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Take the angles from data: digits, a folder of idx files, or a .npy file.")
    ] = None,
    cut: Annotated[
        float | None, typer.Option(help="Accuracy from which a run counts as trained; default half way.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Confidence of the interval.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of pairs and sampled networks.")] = 0,
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Fit the threshold of ln sin² below which networks fail to train, for `gpdeep depth --threshold`.

    Exit codes: 0 answer, 1 all runs trained or none did, 2 usage, 3 the runs do not tell that ln sin² matters.
    """
    if plot is not None:
        from ..plots import picture_file

        picture_file(plot)
    from ..depth import calibrate as fit
    from ..depth import read_runs

    try:
        names, outcomes = read_runs(runs)
    except OSError as error:
        raise DomainError(
            f"There is no file '{runs}' (seen from '{Path.cwd()}')."
            if isinstance(error, FileNotFoundError)
            else f"'{runs}' cannot be read: {error.strerror or error}.",
            "A typing error, a folder in its place, or permission is missing.",
            "Give a CSV file with the columns architecture, and accuracy or trained.",
        ) from error
    phi = activation(activation_name)
    sigma = sigma_w_of(phi, sigma_w)
    networks = {
        name: Architecture.parse(name, phi=phi, sigma_w=sigma, sigma_b=sigma_b) for name in dict.fromkeys(names)
    }
    options = {
        "runs": str(runs),
        "activation": activation_name,
        "sigma_w": sigma,
        "sigma_b": sigma_b,
        "angle": angle,
        "data": data,
        "seed": seed,
    }
    found = fit(
        [networks[name] for name in names],
        outcomes,
        cut=cut,
        confidence=confidence,
        options=options,
        angle=angle,
        data=data,
        seed=seed,
    )
    if plot is not None:
        from ..plots import plot_calibration, save_figure

        save_figure(plot_calibration(found), plot)
    return answer([found], as_json)
