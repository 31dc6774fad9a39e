"""``gpdeep clip``: the clip level, weights and biases of a sparsifying activation."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import AsJson, Plot
from .output import answer


def clip(
    family: Annotated[
        str,
        typer.Argument(metavar="FAMILY", help="crelu, cst, or hard_tanh (cst without a threshold); no parameters."),
    ],
    sparsity: Annotated[float | None, typer.Option(help="Wanted fraction of exact zeros, such as 0.85.")] = None,
    tau: Annotated[float | None, typer.Option(help="Threshold, instead of --sparsity.")] = None,
    slope: Annotated[
        float | None, typer.Option(help="Wanted V'(q*), between 0 and 1; default: the largest safe one.")
    ] = None,
    m: Annotated[float | None, typer.Option(help="Clip level, instead of --slope.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of the hidden layers, with --depth.")] = None,
    depth: Annotated[int | None, typer.Option(help="Number of hidden layers, with --width.")] = None,
    q: Annotated[float, typer.Option(help="The variance of pre-activations that is to stay.")] = 1.0,
    p_fail: Annotated[float, typer.Option(help="Tolerated probability that a network's variance escapes.")] = 0.01,
    law: Annotated[
        str, typer.Option(help="One-step law of the variance: exact, or the gamma closure of the literature.")
    ] = "exact",
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Clip level, weight and bias variance that make a sparse deep network trainable.

    Give --sparsity or --tau, and --slope or --m; or --width and --depth for the largest slope, in steps of 0.05, at
    which the variance of a random network stays with probability 1 - p_fail.

    Exit codes: 0 answer, 1 there is no such design, 2 usage, 3 a second stable variance or too many escapes.
    """
    if plot is not None:
        from ..plots import picture_file

        picture_file(plot)  # before the work is done
    from ..sparse import design

    found = design(family, sparsity, tau=tau, slope=slope, m=m, width=width, depth=depth, q=q, p_fail=p_fail, law=law)
    if plot is not None:
        from ..plots import plot_clip_levels, plot_clipped_variance, plot_escape, save_figure, side_by_side
        from ..sparse import clip_curves, escape_curve, variance_curves

        axes = side_by_side(2 if depth is None else 3)
        plot_clipped_variance(variance_curves(found), axes[0])
        plot_clip_levels(clip_curves(found.options["family"], found.sparsity), axes[1], designs=[found])
        if depth is not None:
            plot_escape(escape_curve(found, depth), axes[2])
        save_figure(axes[0], plot)
    return answer([found], as_json)
