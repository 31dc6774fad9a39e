r"""How long the paths of a residual network are: the probability of each number of nonlinear units on a path.

With every branch of the same weight, a pre-activation ResNet of B blocks is as deep as B coins say: a path takes each
block or passes it by, and most are about half as long as the network (A. Veit, M. Wilber and S. Belongie 2016).
Counting all paths alike, channels included, nearly every one goes through all blocks (APL). Making a share of the
channels linear shortens paths further. Both averages: C. Mehmeti-Göpel and J. Disselhoff (2023), arXiv:2211.17180.
"""

from __future__ import annotations

import numpy as np

from gpdeep.linearize import Graph, path_length, path_length_distribution

from ..drawing import COLOURS, Drawing, Numbers, numbers_in, panels

TITLE = "distribution of path lengths of ResNets"
SMALL = {"blocks": 3, "shares": "1,0.5"}

_MARKERS = ("o", "s", "^", "D", "v")


def draw(*, blocks: int = 16, layers: int = 2, channels: int = 16, shares: str = "1,0.5,0.25") -> Drawing:
    """Pre-activation ResNets of `blocks` with `layers` activations each, a share of whose channels is nonlinear."""
    (ax,) = panels(height=3.0)
    numbers = Numbers()
    for k, share in enumerate(numbers_in(shares)):
        graph = residual_network(blocks, layers, channels, round(share * channels))
        found = path_length_distribution(graph)
        plain = path_length(graph, weight="path").value
        style = {"color": COLOURS[k % len(COLOURS)], "marker": _MARKERS[k % len(_MARKERS)], "linewidth": 0.9}
        label = f"{100 * share:g} % nonlinear: NAPL {found.mean:.4g}, APL {plain:.4g}"
        shown = found.probability > 1e-4
        ax.plot(found.lengths[shown], found.probability[shown], label=label, **style)
        numbers.add(
            share=share,
            length=found.lengths,
            probability=found.probability,
            normalised_average=found.mean,
            plain_average=plain,
        )
    depth = blocks * layers
    ax.axvline(depth, color="black", linewidth=0.9, linestyle=":", label=f"a ReLU chain of as many layers: {depth}")
    ax.set(xlabel="nonlinear units on a path", ylabel="probability", xlim=(-0.5, depth + 1), ylim=(0, None))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center")
    return Drawing(
        ax.figure,
        numbers,
        notes=("Lengths rarer than 1 in 10,000 are not drawn. Structure alone: weights do not enter.",),
    )


def residual_network(blocks: int, layers: int, channels: int, nonlinear: int) -> Graph:
    """x + F(x), F of `layers` activations each before its matrix; the last channels are linear."""
    active = np.arange(channels) < nonlinear
    x = Graph.input(channels).dense(channels)
    for _ in range(blocks):
        h = x
        for _ in range(layers):
            h = h.relu(active).dense(channels)
        x = x + h
    return Graph.of(x.dense(1))
