"""``gpdeep geodesic``: the path of a representation through a Leaky ResNet, and its bottleneck."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..errors import DomainError
from ..result import write_atomically
from .options import AsJson, Plot
from .output import answer, progress

if TYPE_CHECKING:
    from ..leaky import GeodesicResult

_LONGEST = 0.95  # of a layer in natural time, ρL̃: what `GeodesicResult.network` chooses at most


def geodesic(
    x: Annotated[Path, typer.Argument(metavar="X.npy", help="Start: rows are neurons, columns samples.")],
    y: Annotated[Path, typer.Argument(metavar="Y.npy", help="End, in the same shape; with --terminal-weight targets.")],
    effective_depth: Annotated[float, typer.Option(metavar="LT", help="Effective depth L̃ > 0.")],
    activation_name: Annotated[
        str, typer.Option("--activation", help="Activation: relu, softplus:5, tanh, leaky_relu:0.1, ...")
    ] = "relu",
    bias: Annotated[float, typer.Option(help="Constant β of the bias feature; 0 for none.")] = 1.0,
    gamma: Annotated[float, typer.Option(help="Stabiliser γ, an absolute number.")] = 0.0,
    terminal_weight: Annotated[
        float | None, typer.Option(metavar="LAMBDA", help="Minimise |Y - A|²/N + λS instead of holding the end.")
    ] = None,
    starts: Annotated[
        int | None,
        typer.Option(help="Starts, the straight line first; default: about ten, more for deep paths. 1 is quick."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random starts.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes that share the starts.")] = 1,
    layers: Annotated[
        int | None, typer.Option(help="Layers of the network that --out holds; default: as many as the path's nodes.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write a network along the path to this .npz: arrays p, A, B at its nodes, W, rho by layers."
        ),
    ] = None,
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """The path from X to Y of least parameter norm, its Hamiltonian, and where it keeps few dimensions.

    Ctrl-C ends the search and prints the lowest path so far.

    Exit codes: 0 answer, 1 no path found, 2 usage, 3 not converged, not shown to be a minimum, or interrupted.
    """
    _refuse_beforehand(effective_depth, layers, out)
    if plot is not None:
        from ..plots import picture_file, side_by_side

        picture_file(plot)
        axes = side_by_side(4, rows=2)  # before the work is done, also to see whether there is matplotlib
    from ..leaky import geodesic as search

    ends = _matrix("X", x), _matrix("Y", y)
    with progress("paths searched") as report:
        found = search(
            *ends,
            effective_depth,
            activation=activation_name,
            bias=bias,
            gamma=gamma,
            terminal_weight=terminal_weight,
            starts=starts,
            seed=seed,
            workers=workers,
            progress=report,
        )
    layers = layers or max(len(found.p) - 1, _least_layers(found.effective_depth))
    files = {"X": str(x), "Y": str(y), "layers": layers, "out": None if out is None else str(out)}
    found = replace(found, options=files | found.options)
    if out is not None:
        _write_network(found, layers, out)
    if plot is not None:
        from ..plots import plot_path_components, plot_path_energies, plot_path_singular_values, save_figure

        plot_path_energies(found, axes[0])
        plot_path_components(found, axes[1])
        plot_path_singular_values(found, axes[2], of="A")
        plot_path_singular_values(found, axes[3], of="W")
        save_figure(axes[0], plot)
    return answer([found], as_json)


def _refuse_beforehand(effective_depth: float, layers: int | None, out: Path | None) -> None:
    """What can be known to fail after the search is refused before it."""
    if out is not None and out.suffix.lower() != ".npz":
        raise DomainError(
            f"--out '{out}' ends in '{out.suffix}'.",
            "Several arrays are written, which is numpy's .npz format.",
            "Give a file such as network.npz, and read it with numpy.load.",
        )
    if out is not None and (not out.parent.is_dir() or out.is_dir()):
        raise DomainError(
            f"The file '{out}' cannot be written.",
            "Its folder does not exist, or it is itself a folder.",
            "Give a file in an existing folder.",
        )
    if layers is None:
        return
    if out is None:
        raise DomainError(
            f"--layers {layers} was given without --out.",
            "The layers are those of the network that is written along the path; the path itself has none.",
            "Give --out network.npz, or leave out --layers.",
        )
    if layers < 1 or (0 < effective_depth < math.inf and layers < _least_layers(effective_depth)):
        least = _least_layers(effective_depth) if 0 < effective_depth < math.inf else 1
        raise DomainError(
            f"--layers {layers} is too few at effective depth {effective_depth:g}.",
            "A layer with ρ_l L̃ ≥ 1 forgets or reflects its input, and the path cannot be followed.",
            f"Use at least {least} layers, or leave out --layers.",
        )


def _least_layers(effective_depth: float) -> int:
    """The fewest layers that no step of length ρL̃ ≥ 1 is needed for."""
    return math.floor(effective_depth / _LONGEST) + 1


def _matrix(name: str, path: Path) -> Any:
    """The array in a .npy file; nothing is unpickled.

    Raises
    ------
    DomainError
        There is no such file, it is no array of numbers, or it does not have two axes.
    """
    from ..data.reading import _read_npy

    try:
        array = _read_npy(path)
    except FileNotFoundError as error:
        raise DomainError(
            f"There is no file '{path}' (seen from '{Path.cwd()}').",
            "A typing error, or the path is relative to another folder.",
            f"Store {name} with numpy.save('{name}.npy', {name}), and give that file.",
        ) from error
    except OSError as error:
        raise DomainError(
            f"'{path}' cannot be read ({type(error).__name__}: {error}).",
            "It is a folder, permission is missing, or a disk is not reachable.",
            "Give a .npy file that this user may read.",
        ) from error
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise DomainError(
            f"'{path}' holds an array of shape {array.shape} and type {array.dtype}.",
            "A representation is a matrix of real numbers: rows are neurons, columns are samples.",
            f"Store {name} with two axes and real numbers; one sample x is x[:, None], images are columns.",
        )
    return np.array(array, dtype=np.float64)


def _write_network(found: GeodesicResult, layers: int, out: Path) -> None:
    """The network along the path, whole or not at all."""
    rho, W, A = found.network(layers)
    p = np.concatenate([[0.0], np.cumsum(rho)])
    p[-1] = 1.0
    buffer = io.BytesIO()
    np.savez(buffer, p=p, A=A, B=found.at(p)[1], W=W, rho=rho)
    write_atomically(out, buffer.getvalue())
