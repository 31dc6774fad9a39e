r"""The angle between two inputs against G, the degeneracy depth of a partly linear chain.

    cos θ_l = cos θ_{l-1} + g_l h(θ_{l-1}),     g = p/(2 - p),     G = Σ g_l,     1/θ_L ≈ 1/θ_0 + G/(3π)

A share p of the channels of each layer is ReLU, the rest linear. Left: at infinite width chains of all shares nearly
lie on one curve of G, wherever the nonlinear units are. Right: at finite width the typical angle (that of the mean of
ln sin²θ) is smaller, by what every layer adds whether it is linear or not, so that chains of equal G differ by their
number of layers; points are random networks of `python -m validation run E6`. Infinite width after Cho & Saul (2009);
the mixtures and their law are of this project. G is no linear count: at equal path length spread-out masks have the
least.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpdeep import linearize
from gpdeep.plots.figure import GREY
from validation.evidence import RESULTS, Evidence

from ..drawing import COLOURS, Drawing, Numbers, numbers_in, panels, whole_numbers
from ..measured import evidence, read_from

TITLE = "predicted angle against G"
SMALL = {"g_max": 2.0, "widths": "64", "shares": "1,0.5"}

_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")
_WIDTH, _ANGLE = 64, math.pi / 3  # of the random networks of E6


def draw(
    *,
    shares: str = "1,0.5,0.25",
    widths: str = "32,64,256",
    share: float = 0.5,
    g_max: float = 12.0,
    angle: float = _ANGLE,
    results: str = str(RESULTS),
) -> Drawing:
    """From a pair at `angle` (rad) to chains with G = `g_max`: all `shares` of ReLU channels at infinite width and at
    that of the measurement, and one `share` at several `widths`."""
    found = evidence("E6", results)
    axs = panels(2, height=3.1, sharey=True)
    numbers = Numbers()
    for k, p in enumerate(numbers_in(shares)):
        law = linearize.predict_angle([p] * _layers(p, g_max), angle)
        G = np.cumsum(law.nonlinearity)
        style = {"color": COLOURS[k % len(COLOURS)], "marker": _MARKERS[k % len(_MARKERS)], "linestyle": "none"}
        axs[0].plot(G, law.angle, label=f"$p = {p:g}$", markevery=max(1, len(G) // 24), **style)
        numbers.add(curve="infinite width", share=p, layer=np.arange(1, len(G) + 1), G=G, angle=law.angle)
    G = np.linspace(0, g_max, 101)
    straight = 1 / (1 / angle + G / (3 * math.pi))
    axs[0].plot(G, straight, color="black", linewidth=1.0, label=r"$1/\theta = 1/\theta_0 + G/(3\pi)$")
    numbers.add(curve="asymptote", G=G, angle=straight)
    layers = _layers(share, g_max)
    place = np.arange(layers + 1) * share / (2 - share)
    for k, n in enumerate([None, *whole_numbers(widths)]):
        law = linearize.predict_angle([share] * layers, angle, width=n)
        typical = np.r_[angle, law.typical_angle]
        name = r"\infty" if n is None else str(n)
        colour = "black" if n is None else GREY
        label = f"$n = {name}$, $p = {share:g}$"
        axs[1].plot(place, typical, color=colour, linestyle=_LINES[k % len(_LINES)], linewidth=1.1, label=label)
        numbers.add(
            curve="finite width",
            share=share,
            width=math.inf if n is None else n,
            layer=np.arange(layers + 1),
            G=place,
            angle=typical,
        )
    comparable = math.isclose(angle, _ANGLE, rel_tol=1e-9)
    farthest = _measured(axs[1], numbers, found) if comparable else g_max
    titles = "infinite width", "finite width" + (f" (points: measured, $n = {_WIDTH}$)" if comparable else "")
    bottom = 0.85 * min(row["angle"] for row in numbers.rows)
    for ax, title, right in zip(axs, titles, (g_max, min(g_max, 1.1 * farthest)), strict=True):
        ax.set(xlabel="degeneracy depth $G$", xlim=(0, right), ylim=(bottom, 1.05 * angle), title=title)
    handles = [handle for ax in axs for handle in ax.get_legend_handles_labels()[0]]
    axs[0].figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.2)
    axs[0].set_ylabel(r"angle $\theta$ (rad)")
    return Drawing(
        axs[0].figure,
        numbers,
        evidence=read_from(found),
        notes=(
            f"Points on the right are networks of width {_WIDTH} at initialisation, pairs at π/3, after each layer; "
            "standard errors are smaller than the symbols, thin lines are the prediction for them. Of trained networks "
            "angles were predicted, not measured.",
            *(
                f"{each.id}, rank correlation of accuracy with the predicted angle: {each.estimate:.2f}. {each.limits}"
                for each in found.claims
                if each.id.endswith(".angle")
            ),
        ),
    )


def _layers(p: float, g_max: float) -> int:
    """How many layers come to G = g_max."""
    return max(1, math.ceil(g_max * (2 - p) / p - 1e-9))


def _measured(ax: Any, numbers: Numbers, found: Evidence) -> float:
    """Random networks of E6 beside what was predicted of them; returns the largest G."""
    farthest = 0.0
    for k, each in enumerate(one for one in found.claims if one.id.startswith("E6.start.")):
        p = float(each.id.removeprefix("E6.start."))
        mean, predicted = (np.array(each.details[key]) for key in ("mean", "predicted"))
        G = np.arange(1, len(mean) + 1) * p / (2 - p)
        own, theory = np.arcsin(np.exp(mean / 2)), np.arcsin(np.exp(predicted / 2))
        colour, marker = COLOURS[k % len(COLOURS)], _MARKERS[k % len(_MARKERS)]
        ax.plot(G, theory, color=colour, linewidth=0.8)
        ax.plot(G, own, color=colour, marker=marker, linestyle="none", markersize=4)
        farthest = max(farthest, float(G[-1]))
        numbers.add(
            curve="measured",
            share=p,
            width=_WIDTH,
            layer=np.arange(1, len(mean) + 1),
            G=G,
            angle=own,
            log_sin2_mean=mean,
            predicted_log_sin2_mean=predicted,
            standard_error_of_last=each.standard_error,
        )
    return farthest
