r"""The variance of pre-activations through networks of 100 layers and finite width, with and without the clip.

    K_{l+1} = σ_b² + (σ_w²/n) Σ_i φ(√K_l z_i)²

is the exact law of the variance K_l that the weights of layer l give to each of its units, for one input: every thin
line is a network. Without the clip fluctuations push the variance over q* sooner or later, from where it grows without
bound; with it the variance stays around q*. Dashed are quantiles over all networks. After Price, Daultry Ball, Lam,
Jones & Tanner (2024), arXiv:2402.16184.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpdeep import sparse
from gpdeep.plots.figure import BLUE, GREY, VERMILLION

from ..drawing import Drawing, Numbers, panels
from .activations import NAMES

TITLE = "variances through 100 layers, clipped and not"
SMALL = {"networks": 20, "depth": 6, "width": 30, "lines": 5}

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def draw(
    *,
    sparsity: float = 0.85,
    slope: float = 0.7,
    width: int = 300,
    depth: int = 100,
    networks: int = 600,
    lines: int = 60,
    ceiling: float = 1e6,
    seed: int = 0,
) -> Drawing:
    """Quantiles over `networks` and the first `lines` of them; K_1 = q* = 1, and a network that has passed `ceiling`
    is not followed further."""
    axs = panels(2, 2, height=2.5, sharex=True)
    numbers = Numbers()
    highest = 0.0  # of those with a clip
    for ax, kind in zip(axs, ("relu_tau", "st", "crelu", "cst"), strict=True):
        free = kind in ("relu_tau", "st")
        law: Any = sparse.instability(kind, sparsity) if free else sparse.design(kind, sparsity, slope=slope)
        paths = sparse.sample_variances(
            law.phi,
            sigma_w=law.sigma_w,
            sigma_b=law.sigma_b,
            width=width,
            depth=depth,
            ceiling=ceiling,
            n_samples=networks,
            rng=seed,
        )
        colour = VERMILLION if free else BLUE
        layer = np.arange(1, depth + 1)
        for k, path in enumerate(paths[:lines]):
            ended = np.concatenate([[False], path[:-1] > ceiling])
            ax.plot(layer, np.where(ended, np.nan, path), color=colour, linewidth=0.5, alpha=0.35)
            numbers.add(activation=law.phi.name, network=k, layer=layer[~ended], variance=path[~ended])
        levels = np.quantile(paths, QUANTILES, axis=0)
        for q, values in zip(QUANTILES, levels, strict=True):
            middle = q == 0.5
            over = np.concatenate([[False], values[:-1] > ceiling])
            ax.plot(
                layer,
                np.where(over, np.nan, values),
                color="black",
                linewidth=1.6 if middle else 0.9,
                linestyle="-" if middle else (0, (4, 2)),
            )
            numbers.add(activation=law.phi.name, quantile=q, layer=layer[~over], variance=values[~over])
        highest = max(highest, 0.0 if free else float(np.quantile(paths, 0.99)))
        lost = float(np.mean(paths[:, -1] > 2))
        numbers.add(activation=law.phi.name, layer=depth, share_above_twice_q_star=lost)
        ax.set(yscale="log", title=f"{NAMES[kind]}: {100 * lost:.3g} % end above $2q^*$")
        ax.set_xlim(1, depth)
        ax.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    for ax in axs[:2]:
        ax.set_ylim(0.3, ceiling)
    for ax in axs[2:]:
        ax.set_ylim(0.4, max(4.0, 1.3 * highest))
        _plain_ticks(ax)
        ax.set_xlabel("layer $l$")
    for ax in axs[::2]:
        ax.set_ylabel("variance $K_l$ ($q^* = 1$)")
    _legend(axs, networks)
    return Drawing(
        axs[0].figure,
        numbers,
        notes=(
            f"Width {width}, {100 * sparsity:.4g} % zeros at q*, clipped with V'(q*) = {slope:g}. The vertical axes of "
            f"the two rows differ. Networks are followed to {ceiling:g}.",
        ),
    )


def _plain_ticks(ax: Any) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    ax.yaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10, 20, 50]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _legend(axs: list[Any], networks: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=GREY, linewidth=0.7, alpha=0.7, label="single networks"),
        Line2D([], [], color="black", linewidth=1.6, label="median"),
        Line2D([], [], color="black", linewidth=0.9, linestyle=(0, (4, 2)), label="5, 25, 75, 95 %"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle=":", label="$q^*$"),
    ]
    axs[0].figure.legend(handles=handles, loc="outside lower center", ncols=4, title=f"of {networks} networks")
