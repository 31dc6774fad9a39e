r"""Singular values of the representation A_p and of the weights W_p/L̃ along the geodesic, for several effective depths.

Dimensions that the bottleneck drops shrink exponentially on the way in and grow again on the way out; a dimension that
is kept has a singular value of W_p/L̃ near 1. After A. Jacot and A. Kaiser (2024), arXiv:2405.17573, figures 1 (b) and
2, there of trained networks. The paths are those of the figure `energies`.
"""

from __future__ import annotations

import numpy as np

from gpdeep.plots.figure import GREY

from ..drawing import COLOURS, Drawing, Numbers, panels
from .energies import paths, remarks

TITLE = "singular values along the geodesic for several effective depths"
SMALL = {"depths": "3", "starts": 1}

_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
_LEAST = 1e-4


def draw(
    *, depths: str = "1,3,7,14", activation: str = "softplus:5", starts: int = 0, inputs: str = "", outputs: str = ""
) -> Drawing:
    """Paths at `depths`; `starts` 0 is the search's own choice; `inputs` and `outputs` are .npy files."""
    found = paths(depths, activation=activation, starts=starts, inputs=inputs, outputs=outputs)
    axs = panels(2, len(found), height=max(1.75, 3.5 / len(found)), sharex=True, sharey="col")
    numbers = Numbers()
    for row, path in enumerate(found):
        depth = path.effective_depth
        for ax, matrices, name in zip(
            axs[2 * row : 2 * row + 2],
            (path.A, path.W / depth),
            ("representation", "weights"),
            strict=True,
        ):
            sigma = np.linalg.svd(matrices, compute_uv=False)
            for k, values in enumerate(sigma.T[: len(COLOURS)]):
                style = {"color": COLOURS[k], "linestyle": _LINES[k % len(_LINES)]}
                ax.plot(path.p, np.where(values > 0, values, np.nan), label=rf"$\sigma_{k + 1}$", **style)
            for k, values in enumerate(sigma.T):
                numbers.add(effective_depth=depth, matrix=name, number=k + 1, p=path.p, singular_value=values)
            ax.set(yscale="log", xlim=(0, 1))
            ax.text(0.98, 0.04, rf"$\tilde L = {depth:g}$", transform=ax.transAxes, ha="right", va="bottom")
            if name == "weights":
                ax.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    for ax, label in zip(axs[:2], (r"of the representation $A_p$", r"of the weights $W_p/\tilde L$"), strict=True):
        least = min(
            row["singular_value"] for row in numbers.rows if (row["matrix"] == "weights") == ("weights" in label)
        )
        ax.set_title(f"singular values {label}")
        ax.set_ylim(bottom=max(_LEAST, min(0.4 * least, 0.05)))
    for ax in axs[-2:]:
        ax.set_xlabel("position $p$ (input 0, output 1)")
    axs[0].figure.legend(*axs[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    data, *others = remarks(found)
    cut = f"What falls below {_LEAST:g} leaves the picture; cusps are where a singular value passes through 0."
    return Drawing(axs[0].figure, numbers, notes=(data.partition(" Energies")[0], *others, cut))
