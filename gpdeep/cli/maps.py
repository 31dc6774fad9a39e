"""``gpdeep maps``: fixed points, phase and depth scales of a network at infinite width."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import ActivationName, Alpha, AsJson, Beta, LayerNorm, Plot, SigmaW, sigma_w_of
from .output import answer


def maps(
    activation_name: ActivationName,
    sigma_w: SigmaW = None,
    sigma_b: Annotated[float, typer.Option(help="Standard deviation of biases.")] = 0.0,
    q: Annotated[float, typer.Option(help="Variance of the first pre-activations.")] = 1.0,
    factor: Annotated[float, typer.Option(help="Trainable depth in units of the depth scale ξ_c.")] = 6.0,
    alpha: Alpha = 0.0,
    beta: Beta = 1.0,
    layer_norm: LayerNorm = False,
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Fixed points of the variance and correlation maps, phase and depth scales at infinite width.

    Exit codes: 0 answer, 1 failed, 2 usage, 3 answer outside its validity.
    """
    if plot is not None:
        from ..plots import picture_file

        picture_file(plot)  # before the work is done
    from ..activations import activation
    from ..meanfield.scales import depth_scales

    phi = activation(activation_name)
    wiring: dict[str, Any] = {"alpha": alpha, "beta": beta, "layer_norm": layer_norm}
    sigma_w = sigma_w_of(phi, sigma_w)
    found = depth_scales(phi, sigma_w=sigma_w, sigma_b=sigma_b, q=q, factor=factor, **wiring)
    if plot is not None:
        from ..meanfield.curves import map_curves
        from ..plots import plot_correlation_map, plot_variance_map, save_figure, side_by_side

        curves = map_curves(phi, sigma_w=sigma_w, sigma_b=sigma_b, q=q, factor=factor, **wiring)
        left, right = side_by_side()
        plot_variance_map(curves, left)
        save_figure(plot_correlation_map(curves, right), plot)
    return answer([found], as_json)
