r"""What sparse networks learn, and what becomes of their sparsity: measured, a point a network.

Test accuracy under plain SGD and under SGD with clipped gradients, for each wanted sparsity, activation and seed; and
the share of exact zeros before and after training beside the one that was wanted. Networks whose loss did not stay
finite are crosses: without a clip of the activation plain SGD nearly always ends so. Where V has a second stable
variance (CST with V' = 0.9 and 80 % zeros) the network learns little, whatever the optimiser. Measured by `python -m
validation run E4`, after the tables of Price, Daultry Ball, Lam, Jones & Tanner (2024), arXiv:2402.16184.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpdeep.plots.figure import GREY
from validation.evidence import RESULTS

from ..drawing import COLOURS, Drawing, Numbers, panels
from ..measured import details, evidence, misses, read_from
from .activations import NAMES

TITLE = "accuracy and sparsity of trained sparse networks"
SMALL: dict[str, Any] = {}

_ARM = re.compile(r"(?P<kind>\w+) s (?P<sparsity>[\d.]+)(?: V' (?P<slope>[\d.]+))?, (?P<optimiser>\w+)")
_OPTIMISERS = {"plain": "plain SGD", "clip": "SGD, gradients clipped"}
_MARKERS = ("o", "s", "^", "D", "v", "P")


def draw(*, results: str = str(RESULTS)) -> Drawing:
    """The table of E4, as it is kept in the folder `results`."""
    found = evidence("E4", results)
    runs = _runs(details(found, "E4.train.table"))
    wanted = sorted({run["sparsity"] for run in runs})
    families = sorted({(run["activation"], run["slope"]) for run in runs}, key=_order)
    axs = panels(2, 2, height=2.6, sharex=True, sharey="row")
    numbers = Numbers()
    for run in runs:
        numbers.add(**run)
    for column, (optimiser, title) in enumerate(_OPTIMISERS.items()):
        chosen = [run for run in runs if run["optimiser"] == optimiser]
        above, below = axs[column], axs[2 + column]
        for k, family in enumerate(families):
            own = [run for run in chosen if (run["activation"], run["slope"]) == family]
            x = np.array([wanted.index(run["sparsity"]) + _shift(k, len(families), run["seed"]) for run in own])
            style = {"color": COLOURS[k % len(COLOURS)], "marker": _MARKERS[k % len(_MARKERS)], "linestyle": "none"}
            _accuracies(above, x, own, style, _name(*family))
            _zeros(below, x, own, style)
        above.set_title(title)
        for place, share in enumerate(wanted):
            below.plot([place - 0.45, place + 0.45], [share, share], color="black", linewidth=0.9, linestyle=":")
        below.set_xticks(range(len(wanted)), [f"{100 * share:.4g} %" for share in wanted])
        below.set_xlabel("wanted share of zeros")
        for ax in (above, below):
            ax.set_xlim(-0.5, len(wanted) - 0.5)
            for edge in range(1, len(wanted)):
                ax.axvline(edge - 0.5, color=GREY, linewidth=0.4)
    axs[0].set(ylabel="test accuracy", ylim=(0, 1.03))
    axs[2].set(ylabel="share of zeros", ylim=(0, 1.03))
    _legend(axs)
    seeds = len({run["seed"] for run in runs})
    return Drawing(
        axs[0].figure,
        numbers,
        evidence=read_from(found),
        notes=(
            f"Each point is one network, {seeds} seeds an arm; fewer where gradients are clipped and the activation is "
            "not. Dotted lines in the lower row are what was wanted. A network that was not finite has no share of "
            "zeros after training.",
            found.limits,
            *misses(found),
        ),
    )


def _runs(table: Mapping[str, Mapping[str, Sequence[Any]]]) -> list[dict[str, Any]]:
    """A row a network."""
    rows = []
    for name, columns in table.items():
        arm = _ARM.fullmatch(name)
        assert arm is not None, name
        for seed, (train, test, died, before, after) in enumerate(
            zip(*(columns[key] for key in ("train", "test", "died_at", "zeros", "zeros_after")), strict=True)
        ):
            rows.append(
                {
                    "activation": arm["kind"],
                    "sparsity": float(arm["sparsity"]),
                    "slope": float(arm["slope"] or 0),
                    "optimiser": arm["optimiser"],
                    "seed": seed,
                    "train_accuracy": train,
                    "test_accuracy": test,
                    "died_at_step": died if died >= 0 else math.nan,
                    "zeros_before": before,
                    "zeros_after": math.nan if after is None else after,
                }
            )
    return rows


def _order(family: tuple[str, float]) -> tuple[bool, float, int]:
    """Clipped ones first, by slope."""
    kind, slope = family
    return slope == 0, slope, ("crelu", "cst", "relu_tau", "st").index(kind)


def _name(kind: str, slope: float) -> str:
    return NAMES[kind] + (f", $V' = {slope:g}$" if slope else "")


def _shift(k: int, count: int, seed: int) -> float:
    """Families side by side, seeds a little apart."""
    return (k - (count - 1) / 2) * 0.86 / count + (seed - 1) * 0.03


def _accuracies(ax: Any, x: Any, own: Sequence[Mapping[str, Any]], style: Mapping[str, Any], label: str) -> None:
    test = np.array([run["test_accuracy"] for run in own])
    died = np.array([not math.isnan(run["died_at_step"]) for run in own], dtype=bool)
    ax.plot(x[~died], test[~died], label=label, markersize=4.5, **style)
    ax.plot(x[died], test[died], color=style["color"], marker="x", markersize=4.5, linestyle="none")


def _zeros(ax: Any, x: Any, own: Sequence[Mapping[str, Any]], style: Mapping[str, Any]) -> None:
    before = np.array([run["zeros_before"] for run in own])
    after = np.array([run["zeros_after"] for run in own])
    ax.vlines(x, before, after, color=style["color"], linewidth=0.8)
    ax.plot(x, before, markersize=4, markerfacecolor="white", **style)
    ax.plot(x, after, markersize=4, **style)


def _legend(axs: Sequence[Any]) -> None:
    from matplotlib.lines import Line2D

    handles, _ = axs[0].get_legend_handles_labels()
    for marker, face, label in (
        ("x", GREY, "not finite: at chance"),
        ("o", "white", "zeros before training"),
        ("o", GREY, "zeros after it"),
    ):
        style: dict[str, Any] = {"color": GREY, "marker": marker, "markerfacecolor": face, "linestyle": "none"}
        handles.append(Line2D([], [], label=label, **style))
    axs[0].figure.legend(handles=handles, loc="outside lower center", ncols=5, columnspacing=1.2, handletextpad=0.2)
