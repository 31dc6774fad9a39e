r"""Which networks train: accuracy by σ_w and depth, with the depth that theory predicts, nothing fitted.

Each cell is a network (mean over seeds, at its best learning rate); the line is 6 ξ_c, six depth scales of
correlations, on a fine grid; rings are the depths at which accuracy falls through one half, triangles say that it does
not within the grid. After Schoenholz et al. (2017, arXiv 1611.01232, fig. 5), whose factor 6 it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpdeep.errors import DomainError
from gpdeep.meanfield import scan_depth_scales
from gpdeep.plots.figure import VERMILLION
from gpdeep.result import FloatArray
from validation.e3_trainable_region.grid import FACTOR, SIGMA_B2
from validation.evidence import RESULTS

from ..drawing import Drawing, Numbers, panels
from ..measured import claim, evidence, read_from

TITLE = "trainable region: accuracy by σ_w and depth, with 6 ξ_c"
SMALL = {"points": 5}


def draw(*, sheet: str = "tanh", factor: float = FACTOR, points: int = 60, results: str = str(RESULTS)) -> Drawing:
    """A heat map of E3, tanh (of its full size also tanh-0.01, tanh-0.2, erf), with the line factor · ξ_c."""
    if not (factor > 0 and points >= 2):
        raise DomainError(
            f"factor={factor:g}, points={points}.", "A line needs two points above 0.", "Use factor=6, points=60."
        )
    kept = evidence("E3", results)
    overlap, half = claim(kept, f"E3.{sheet}.iou"), claim(kept, f"E3.{sheet}.l50")
    phi, _, text = sheet.partition("-")
    sigma_b2 = float(text) if text else SIGMA_B2
    sigma_w, depths, accuracy = (np.array(overlap.details[name]) for name in ("sigma_w", "depths", "accuracy"))
    inside, half_depth = np.array(half.details["inside"]), np.array(half.details["L50"])
    across, along = _borders(sigma_w), _borders(depths)
    scan = scan_depth_scales(phi, sigma_b=sigma_b2**0.5, sigma_w=np.geomspace(across[0], across[-1], points))
    (ax,) = panels(height=3.9)
    cells = ax.pcolormesh(across, along, accuracy.T, cmap="cividis", vmin=0, vmax=1, edgecolors="white", linewidth=0.3)
    ax.figure.colorbar(cells, ax=ax, label="training accuracy", pad=0.02)
    for colour, thickness in (("white", 4.0), (VERMILLION, 2.2)):
        label = rf"${factor:g}\,\xi_c$, predicted" if colour == VERMILLION else None
        ax.plot(scan.sigma_w, factor * scan.xi_c, color=colour, linewidth=thickness, label=label)
    marks: dict[str, Any] = {"color": "black", "markerfacecolor": "white", "linestyle": "none", "clip_on": False}
    ax.plot(sigma_w[inside], half_depth[inside], marker="o", markersize=6, **marks, label="accuracy falls below 1/2")
    if not inside.all():
        top = np.full((~inside).sum(), along[-1])
        ax.plot(sigma_w[~inside], top, marker="^", markersize=7, **marks, label="deeper than the grid")
    score = f": intersection over union {overlap.estimate:.2f}" if factor == FACTOR else ""
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(across[0], across[-1]),
        ylim=(along[0], along[-1]),
        title=rf"{phi}, $\sigma_b^2 = {sigma_b2:g}${score}",
        xlabel=r"standard deviation of weights $\sigma_w$ (times $\sqrt{\mathrm{fan\ in}}$)",
        ylabel="depth $L$ (layers)",
    )
    _ticks(ax.xaxis, sigma_w)
    _ticks(ax.yaxis, depths)
    ax.figure.legend(loc="outside lower center", ncols=3)
    numbers = Numbers()
    w, deep = np.meshgrid(sigma_w, depths, indexing="ij")
    numbers.add(shows="cell", sigma_w=w, depth=deep, training_accuracy=accuracy)
    numbers.add(shows="half", sigma_w=sigma_w, depth=half_depth, inside_the_grid=inside)
    numbers.add(shows="predicted", sigma_w=scan.sigma_w, depth=factor * scan.xi_c, xi_c=scan.xi_c)
    notes = (
        f"Cells above 1/2 and cells with L < {FACTOR:g} ξ_c: intersection over union {overlap.estimate:.3f} "
        f"({overlap.verdict}); {overlap.rival_name}: {overlap.rival:.3f}.",
        f"Limits: {kept.limits}",
    )
    return Drawing(ax.figure, numbers, read_from(kept), notes)


def _borders(values: FloatArray) -> FloatArray:
    """Borders of cells about `values`, halfway in their ratios."""
    middle = np.sqrt(values[1:] * values[:-1])
    return np.concatenate([[values[0] ** 2 / middle[0]], middle, [values[-1] ** 2 / middle[-1]]])


def _ticks(axis: Any, values: FloatArray) -> None:
    """The values that were trained, and no others; of neighbours that would touch one."""
    from matplotlib.ticker import NullLocator

    axis.set_major_locator(NullLocator())
    axis.set_minor_locator(NullLocator())
    shown = [values[0]]
    for value in values[1:]:
        if value >= 1.13 * shown[-1]:
            shown.append(value)
    axis.set_ticks(shown, labels=[f"{value:g}" for value in shown])
