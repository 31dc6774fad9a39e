"""``gpdeep eoc``: weights and biases on the edge of chaos."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import ActivationName, Alpha, AsJson, Beta, LayerNorm, Plot
from .output import answer


def eoc(
    activation_name: ActivationName,
    q: Annotated[float | None, typer.Option(help="The variance of pre-activations that is to stay.")] = None,
    sigma_b: Annotated[float | None, typer.Option(help="Standard deviation of biases, instead of --q.")] = None,
    alpha: Alpha = 0.0,
    beta: Beta = 1.0,
    layer_norm: LayerNorm = False,
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Weight and bias variances on the edge of chaos, where signals and gradients reach furthest.

    Give exactly one of --q and --sigma-b.

    Exit codes: 0 answer, 1 there is no such point, 2 usage, 3 answer outside its validity.
    """
    if plot is not None:
        from ..plots import picture_file

        picture_file(plot)  # before the work is done
    from ..activations import activation
    from ..meanfield.edge import edge_of_chaos

    phi = activation(activation_name)
    wiring: dict[str, Any] = {"alpha": alpha, "beta": beta, "layer_norm": layer_norm}
    edge = edge_of_chaos(phi, q=q, sigma_b=sigma_b, **wiring)
    if plot is not None:
        from ..meanfield.phases import phase_diagram
        from ..plots import plot_phase_diagram, save_figure

        points = [(edge.sigma_w, edge.sigma_b), *((other.sigma_w, other.sigma_b) for other in edge.other_solutions)]
        diagram = phase_diagram(phi, sigma_w_max=2 * max(sigma_w for sigma_w, _ in points), **wiring)
        save_figure(plot_phase_diagram(diagram, points=points), plot)
    return answer([edge], as_json)
