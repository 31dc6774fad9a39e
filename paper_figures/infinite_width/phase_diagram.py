r"""Phase diagram at infinite width: for how many layers inputs remain different, by variances of weights and biases.

Left of the edge of chaos (line) all inputs become alike, right of it any two become equally different; the colour says
within how many layers, ξ_c, which is infinite on the edge. It is white where no variance is stable; where two are, as
with gelu, areas lie on each other. After Schoenholz et al. (2017, arXiv 1611.01232, fig. 5) and Poole et al. (2016,
fig. 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpdeep.errors import DomainError
from gpdeep.meanfield import PhaseDiagram, phase_diagram
from gpdeep.result import BoolArray, FloatArray

from ..drawing import Drawing, Numbers, panels

TITLE = "phase diagram with depth scales"
SMALL = {"sigma_w2_max": 3.0}

_LEVELS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # of ξ_c
_STABLE = 1 + 1e-9  # the largest slope V'(q*) of a variance that stays
_FASTEST = 1e3  # the largest 1/ξ_c; without weights it is infinite
_ROWS = 32  # variances q*: as many as there are chaotic networks for


def draw(*, activation: str = "tanh", sigma_w2_max: float = 4.0, sigma_b2_max: float = 0.4) -> Drawing:
    """The plane of σ_w² and σ_b², up to the two ends."""
    if not (sigma_w2_max > 0 and sigma_b2_max > 0):
        raise DomainError(
            f"sigma_w2_max={sigma_w2_max:g}, sigma_b2_max={sigma_b2_max:g}.",
            "They are ends of axes of variances.",
            "Use numbers above 0.",
        )
    diagram = _diagram(activation, sigma_w2_max, sigma_b2_max)
    nets, far = diagram.networks, diagram.chaotic
    slope_of_c = np.where(nets.chi_1 <= _STABLE, np.minimum(nets.chi_1, 1.0), np.nan)
    sheets: dict[str, tuple[FloatArray, ...]] = {"ordered": (nets.sigma_w**2, nets.bias_var, slope_of_c, nets.slope)}
    if far is not None and far.q_star.size > 1:
        sheets["chaotic"] = (far.sigma_w**2, far.bias_var, far.slope_at_limit, far.slope)
    (ax,) = panels(height=3.6)
    numbers, areas = Numbers(), None
    for phase, (weights, biases, slope_at_limit, slope) in sheets.items():
        usable = np.isfinite(weights) & np.isfinite(biases) & np.isfinite(slope_at_limit) & (slope <= _STABLE)
        with np.errstate(divide="ignore"):
            rate = np.where(usable, np.abs(np.log(slope_at_limit)), np.nan)  # 1/ξ_c, which is finite on the edge
            inside = usable & (weights <= sigma_w2_max) & (biases >= 0) & (biases <= sigma_b2_max)
            numbers.add(
                phase=phase,
                sigma_w_squared=weights[inside],
                sigma_b_squared=biases[inside],
                xi_c=1 / rate[inside],
            )
        areas = _fill(ax, weights, biases, rate)
    exists = np.isfinite(diagram.sigma_w)
    x, y = diagram.sigma_w[exists] ** 2, diagram.sigma_b[exists] ** 2
    ax.plot(x, y, color="black", linewidth=2)
    near = (x <= sigma_w2_max) & (y <= sigma_b2_max)
    numbers.add(phase="edge", sigma_w_squared=x[near], sigma_b_squared=y[near], xi_c=np.inf)
    bar = ax.figure.colorbar(areas, ax=ax, pad=0.02, label=r"depth scale $\xi_c$ (layers)")
    bar.ax.invert_yaxis()  # deep is up
    bar.set_ticks([1 / level for level in _LEVELS], labels=[f"{level:g}" for level in _LEVELS])
    ax.set(
        xlim=(0, sigma_w2_max),
        ylim=(0, sigma_b2_max),
        title=f"{activation}; line: edge of chaos",
        xlabel=r"variance of weights $\sigma_w^2$ (times fan in)",
        ylabel=r"variance of biases $\sigma_b^2$",
    )
    return Drawing(ax.figure, numbers)


def _diagram(activation: str, sigma_w2_max: float, sigma_b2_max: float) -> PhaseDiagram:
    """The diagram for the variances q* that occur in the window."""
    top = 1.1 * sigma_w2_max**0.5
    coarse = phase_diagram(activation, chaotic=False, sigma_w_max=top)
    sheet = coarse.networks
    seen: BoolArray = np.asarray(((sheet.sigma_w**2 <= sigma_w2_max) & (sheet.bias_var <= sigma_b2_max)).any(axis=1))
    if not seen.any() or seen[-1]:  # variances of every size lie in the window
        return phase_diagram(activation, sigma_w_max=top)
    largest = coarse.q_star[seen].max()
    return phase_diagram(activation, q=1.1 * largest * np.linspace(0.005, 1.0, _ROWS) ** 2, sigma_w_max=top)


def _fill(ax: Any, x: FloatArray, y: FloatArray, rate: FloatArray) -> Any:
    """Areas between levels of ξ_c."""
    from matplotlib import colormaps

    known = ~np.isnan(rate)
    x, y = (np.where(known, side, 0.0) for side in (x, y))
    levels = [0.0, *(1 / level for level in reversed(_LEVELS)), _FASTEST]
    colours = colormaps["viridis"](np.linspace(1.0, 0.1, len(levels) - 1))
    return ax.contourf(x, y, np.ma.masked_where(~known, np.minimum(rate, _FASTEST)), levels=levels, colors=colours)
