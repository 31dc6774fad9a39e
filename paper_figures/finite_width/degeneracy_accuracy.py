"""Test accuracy of many architectures against predicted degeneracy: finite width beside infinite width.

A point is an architecture, trained from several seeds; bars are one standard deviation between seeds, colour and
marker the depth. On the left the prediction knows widths and depth, and accuracy falls along one curve; on the right
it knows the depth alone, and networks of equal depth stand above each other. After Jakub & Nica (2023, arXiv
2306.01513), who draw the left panel with Adam and one epoch of MNIST; here networks are trained by plain SGD.
"""

from __future__ import annotations

from itertools import cycle

import numpy as np

from gpdeep.plots.figure import LOG_SIN2
from validation.evidence import RESULTS

from ..drawing import Drawing, Numbers, panels
from ..measured import claim, details, evidence, read_from

TITLE = "test accuracy against predicted degeneracy, many architectures"
SMALL: dict[str, int] = {}

_MARKERS = "os^DvPX"
_DARKEST, _LIGHTEST = 0.0, 0.88  # of the colour map: yellow is not seen on white


def draw(*, results: str = str(RESULTS)) -> Drawing:
    """Accuracies are measured; so are the rank correlations in the titles."""
    from matplotlib import colormaps

    kept = evidence("E2", results)
    found, ranks = details(kept, "E2.rank"), details(kept, "E2.rivals")["spearman"]
    accuracy, deviation = np.array(found["accuracy"]), np.array(found["standard_deviation"])
    depths = -np.array(found["depth"]).astype(int)
    known = np.unique(depths)
    shades = colormaps["viridis"](np.linspace(_LIGHTEST, _DARKEST, len(known)))
    axs = panels(2, height=3.3, sharey=True)
    for ax, name, who in zip(axs, ("finite", "infinite"), ("finite width", "infinite width: depth alone"), strict=True):
        prediction = np.array(found[name])
        for depth, shade, marker in zip(known, shades, cycle(_MARKERS), strict=False):
            at = depths == depth
            ax.errorbar(
                prediction[at],
                accuracy[at],
                deviation[at],
                color=shade,
                marker=marker,
                markersize=4.5,
                linestyle="none",
                elinewidth=0.7,
                label=f"{depth}",
            )
        ax.set(title=f"{who}\nrank correlation {ranks[name]:.3f}", xlabel=f"predicted ${LOG_SIN2}_L$ (nats)")
    axs[0].set(ylabel="test accuracy", ylim=(0, 1))
    axs[0].figure.legend(
        *axs[0].get_legend_handles_labels(), title="depth $L$", loc="outside lower center", ncols=len(known)
    )
    numbers = Numbers()
    numbers.add(
        network=found["networks"],
        depth=depths,
        parameters=found["parameters"],
        predicted_log_sin2_finite=found["finite"],
        predicted_log_sin2_infinite=found["infinite"],
        minus_sum_of_inverse_widths=found["flatness"],
        test_accuracy=accuracy,
        standard_deviation_between_seeds=deviation,
    )
    gain = claim(kept, "E2.gain")
    notes = (
        f"Rank correlation of finite width {ranks['finite']:.3f}, of infinite width {ranks['infinite']:.3f}, "
        f"of Σ1/n {ranks['flatness']:.3f}: the leading order ranks as well as the whole theory.",
        f"Gain over infinite width {gain.estimate:.3f} ± {gain.standard_error:.3f}: {gain.verdict} (E2.gain).",
        f"Data: {kept.settings['data']}. Accuracy at the best learning rate of each architecture, mean over seeds.",
        f"Limits: {kept.limits}",
    )
    return Drawing(axs[0].figure, numbers, read_from(kept), notes)
