r"""Cost of identity, kinetic term and Hamiltonian along the geodesic, for several effective depths L̃.

    -2H/L̃ = |A|²_K - |dA/dt|²_K,      t = L̃p

H is constant along a path, its parts are not: the representation moves fast at both ends, where identity costs more
than it has to, and rests in between. With the depth a bottleneck opens, in which -2H/L̃ and the least cost of identity
come to the number of dimensions that are kept, from below and from above; at small depths -2H/L̃ is negative and no
rank. After A. Jacot and A. Kaiser (2024), arXiv:2405.17573, figure 1 (c), there of a trained network.

The paths are those of least action that were found between two matrices of 3 neurons and 3 samples (those of the
README, or files of one's own): a search at the largest depth, from there to smaller ones, and beside that from straight
lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpdeep import leaky
from gpdeep.errors import DomainError
from gpdeep.leaky import GeodesicResult
from gpdeep.plots.figure import BLUE, GREY, VERMILLION

from ..drawing import Drawing, Numbers, numbers_in, panels

TITLE = "energies along the geodesic for several effective depths"
SMALL = {"depths": "1,3", "starts": 1}

_INPUTS = [[0.9, -0.3, 0.4], [0.2, 0.8, -0.6], [-0.5, 0.1, 0.7]]
_OUTPUTS = [[0.3, 0.6, -0.2], [-0.4, 0.5, 0.9], [0.8, -0.1, 0.4]]


def draw(
    *, depths: str = "1,3,7,14", activation: str = "softplus:5", starts: int = 0, inputs: str = "", outputs: str = ""
) -> Drawing:
    """Paths at `depths`; `starts` 0 is the search's own choice; `inputs` and `outputs` are .npy files."""
    found = paths(depths, activation=activation, starts=starts, inputs=inputs, outputs=outputs)
    rows = -(-len(found) // 2)
    axs = panels(min(2, len(found)), rows, height=2.4)
    numbers = Numbers()
    for ax, path in zip(axs, found, strict=False):
        p, depth = path.p, path.effective_depth
        kinetic = 2 / depth * path.kinetic
        energy = -2 * path.geometry.hamiltonian(path.A, path.B)
        kept = path.bottleneck
        if kept.start is not None and kept.end is not None:
            ax.axvspan(kept.start, kept.end, color=GREY, alpha=0.13, linewidth=0)
        ax.plot(p, path.cost_of_identity, color=BLUE, label=r"cost of identity $\|A\|^2_{K_\gamma}$")
        ax.plot(p, kinetic, color=VERMILLION, linestyle="--", label=r"kinetic $\|dA/dt\|^2_{K_\gamma}$")
        ax.plot(p, energy, color="black", linestyle="-.", label=r"$-2H/\tilde L$, constant")
        ax.axhline(0.0, color=GREY, linewidth=0.6)
        rank = "" if kept.rank is None else f", rank {kept.rank}"
        ax.set_title(rf"$\tilde L = {depth:g}$: $-2H/\tilde L = {path.rank_like:.3g}${rank}")
        ax.set_xlim(0, 1)
        numbers.add(
            effective_depth=depth,
            p=p,
            cost_of_identity=path.cost_of_identity,
            kinetic=kinetic,
            minus_two_h_over_depth=energy,
            action=path.action,
        )
    for ax in axs[len(found) :]:
        ax.set_axis_off()
    for ax in axs[max(0, len(found) - 2) : len(found)]:
        ax.set_xlabel("position $p$ (input 0, output 1)")
    for ax in axs[::2]:
        ax.set_ylabel("dimensions")
    axs[0].plot([], [], color=GREY, alpha=0.3, linewidth=7, label="bottleneck")
    handles, labels = axs[0].get_legend_handles_labels()
    columns = min(4, 2 * len(found))
    axs[0].figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.2)
    return Drawing(axs[0].figure, numbers, notes=remarks(found))


def paths(
    depths: str, *, activation: str = "softplus:5", starts: int = 0, inputs: str = "", outputs: str = ""
) -> list[GeodesicResult]:
    """The lowest paths that were found, in the order of `depths`, which have commas between them."""
    X, Y = (_matrix(file) if file else np.array(own) for file, own in ((inputs, _INPUTS), (outputs, _OUTPUTS)))
    wanted = numbers_in(depths)
    lowest: dict[float, GeodesicResult] = {}
    deeper: GeodesicResult | None = None
    for depth in sorted(set(wanted), reverse=True):
        tried = [leaky.geodesic(X, Y, depth, activation=activation, starts=(starts or None) if deeper is None else 1)]
        if deeper is not None:
            tried.append(leaky.geodesic(X, Y, depth, activation=activation, start=deeper))
        deeper = lowest[depth] = min(tried, key=lambda path: path.action)
    return [lowest[depth] for depth in wanted]


def _matrix(file: str) -> Any:
    """What a .npy file holds; shapes and numbers are looked at where the path is sought."""
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DomainError(
            f"'{file}' cannot be read as a matrix: {error}.",
            "There is no such file, or it was not written by numpy.save.",
            "Name a .npy file of numbers: rows are neurons, columns samples.",
        ) from error


def remarks(found: list[GeodesicResult]) -> tuple[str, ...]:
    """What a caption says of these paths."""
    w, n = found[0].A.shape[1:]
    actions = ", ".join(f"{path.action:.6g} (L̃ = {path.effective_depth:g})" for path in found)
    return (
        f"{found[0].activation}, bias 1, {w} neurons, {n} samples. Energies in units of L̃/2, in which a kept dimension "
        "counts 1; γ is 1e-2 of the largest eigenvalue of K, so that the first two curves differ by the third up to γ.",
        f"The lowest paths that were found, S = {actions}; which one is the lowest of all cannot be proved. "
        "Those of different depths may lie on different branches.",
        *(
            f"L̃ = {path.effective_depth:g} is not shown to be a minimum."
            for path in found
            if not (path.is_minimum and path.status.code == "ok")
        ),
    )
