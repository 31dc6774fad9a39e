r"""One layer at infinite width, for a catalogue of activations: variance map V and correlation map C.

Every activation stands on its edge of chaos at one common variance q* = q (σ_w and σ_b such that V(q) = q and
χ₁ = 1); those that have no edge there (marked °) have no bias and the σ_w with V(q) = q. V shows whether q* is kept:
it attracts where V crosses the diagonal from above to below. C shows how fast two inputs become alike: all curves
touch the diagonal at c = 1, and the further they bend from it, the fewer layers are needed. After Poole et al. (2016,
fig. 1 and 2) and Hayou, Doucet & Rousseau (2019).
"""

from __future__ import annotations

from itertools import cycle

import numpy as np

from gpdeep.errors import DomainError, InfeasibleError
from gpdeep.meanfield import correlation_map, edge_of_chaos, variance_map
from gpdeep.plots.figure import GREY

from ..drawing import COLOURS, Drawing, Numbers, panels

TITLE = "V and C maps of the catalogue of activations, on the edge of chaos"
SMALL = {"activations": "relu tanh; sigmoid", "points": 21}

_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (6, 2)))


def draw(
    *,
    activations: str = "relu leaky_relu:0.3 abs gelu silu; tanh erf hard_tanh sin; elu selu mish softplus sigmoid; "
    "relu_tau:1 st:1 crelu:1,1.5 cst:1,1.5",
    q: float = 1.0,
    points: int = 121,
) -> Drawing:
    """A row of two panels a group: names with blanks between them, groups with semicolons; q is their q*."""
    groups = [group.split() for group in activations.split(";")]
    if not all(groups):
        raise DomainError(
            f"activations={activations}.", "A group is empty.", "Write it as in 'activations=relu gelu; tanh erf'."
        )
    axs = panels(2, len(groups), height=2.35)
    numbers, off_edge = Numbers(), []
    variances, theta = np.linspace(1e-4 * q, 3 * q, points), np.linspace(0.0, np.pi, points)
    for (left, right), group in zip(zip(axs[::2], axs[1::2], strict=True), groups, strict=True):
        left.plot(variances, variances, color=GREY, linewidth=0.7)
        right.plot([-1, 1], [-1, 1], color=GREY, linewidth=0.7)
        for name, colour, line in zip(group, cycle(COLOURS), cycle(_LINES), strict=False):
            sigma_w, sigma_b, on_edge = _layer(name, q)
            layer = variance_map(name, sigma_w=sigma_w, sigma_b=sigma_b)
            after = layer(variances)
            angle = correlation_map(name, q=q, sigma_w=sigma_w, sigma_b=sigma_b).angle(theta)
            label = name if on_edge else f"{name}°"
            left.plot(variances, after, color=colour, linestyle=line, label=label)
            right.plot(np.cos(theta), np.cos(angle), color=colour, linestyle=line, label=label)
            if not on_edge:
                off_edge.append(name)
            shared = {
                "activation": name,
                "on_edge_of_chaos": on_edge,
                "sigma_w": sigma_w,
                "sigma_b": sigma_b,
                "chi_1": float(layer.chi_1(q)),
                "slope_of_variance_map": float(layer.slope(q)),
            }
            numbers.add(**shared, variance=variances, variance_after_layer=after)
            numbers.add(**shared, correlation=np.cos(theta), correlation_after_layer=np.cos(angle))
        left.set(xlim=(0, 3 * q), ylim=(0, 3 * q), ylabel="$V(q)$")
        left.plot([q], [q], "o", color="black", markersize=3, zorder=3)
        right.set(xlim=(-1, 1.02), ylim=(-1, 1.02), ylabel="$C(c)$")
        right.legend(loc="lower right", borderaxespad=0.1, labelspacing=0.2)
    axs[-2].set_xlabel("variance of pre-activations $q$")
    axs[-1].set_xlabel("correlation $c$")
    notes = [f"All have q* = {q:g} (dot) and are on the edge of chaos there."]
    if off_edge:
        notes.append(
            f"° {', '.join(off_edge)}: no edge of chaos with q* = {q:g}; here without bias, in the ordered phase."
        )
    return Drawing(axs[0].figure, numbers, notes=tuple(notes))


def _layer(name: str, q: float) -> tuple[float, float, bool]:
    """σ_w and σ_b with V(q) = q, and whether they are on the edge of chaos."""
    try:
        edge = edge_of_chaos(name, q=q)
    except InfeasibleError:
        return float(np.sqrt(q / float(variance_map(name, sigma_w=1.0)(q)))), 0.0, False
    return edge.sigma_w, edge.sigma_b, True
