"""``gpdeep path-length``: how nonlinear a network is along its paths, and how deep what is left of it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..errors import DomainError
from .options import AsJson, Plot
from .output import answer

if TYPE_CHECKING:
    from ..linearize.operations import Policy


def path_length(
    network: Annotated[
        str,
        typer.Argument(metavar="FILE.py:FACTORY", help="A function without arguments that returns a torch module."),
    ],
    input_shape: Annotated[str, typer.Option(help="Shape of an input with the batch, such as 1,3,32,32.")],
    products: Annotated[
        str | None,
        typer.Option(help="How paths pass gates and attention: value (the features alone), or merge (as in a sum)."),
    ] = None,
    output: Annotated[str | None, typer.Option(help="Name of one of several outputs.")] = None,
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Average path lengths of a torch module: over all paths, with every branch the same weight, and layer by layer.

    A PReLU channel is linear if its slope is exactly 1. The file is your own code and is run; the module is looked at
    in eval mode.

    Exit codes: 0 answer, 1 computation failed, 2 usage, or an operation that is not known, 3 outside its validity.
    """
    if plot is not None:
        from ..plots import picture_file

        picture_file(plot)
    shape = _shape(input_shape)
    from ..linearize import path_profile
    from ..nn import graph_of, load_factory

    model = load_factory(network).eval()
    policy: Policy | None = None if products is None else cast("Policy", products)
    if products not in (None, "value", "merge"):
        raise DomainError(
            f"--products is '{products}'.", "The word is misspelt.", "Write --products value, or --products merge."
        )
    options = {"network": network, "input_shape": list(shape), "products": products, "output": output}
    found = path_profile(graph_of(model, shape), products=policy, output=output, options=options)
    if plot is not None:
        from ..plots import plot_active_units, plot_path_lengths, save_figure, side_by_side

        axes = side_by_side(2)
        plot_active_units([found], axes[0])
        plot_path_lengths(found, axes[1])
        save_figure(axes[0], plot)
    return answer([found], as_json)


def _shape(text: str) -> tuple[int, ...]:
    """The numbers of a shape such as 1,3,32,32."""
    try:
        shape = tuple(int(number) for number in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise DomainError(
            f"--input-shape is '{text}'.",
            "A shape is positive integers with commas between them, the first of them the batch.",
            "Write such as --input-shape 1,3,32,32.",
        )
    return shape
