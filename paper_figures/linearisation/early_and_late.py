r"""Does it matter when nonlinearity is removed? Accuracy against what is left, early and late, with 95 % intervals.

Upper row, 12 layers and ten seeds (`python -m validation.nonlinear_advantage`): accuracy against the normalised average
path length (NAPL, on a chain the number of nonlinear layers left) on the sum of two digits, each point the mean of one
penalty; and late minus early at equal NAPL, interpolated within every seed, on the sum and on single digits, which a
linear network reads as well. Lower row, 4 layers and few seeds (`python -m validation run E6`): accuracy against the
share of nonlinear units, and late minus four others: pressure from the start, and networks with the same units, with as
many in each layer, or with as many anywhere, linear from the start. The observation is of C. Mehmeti-Göpel and J.
Disselhoff (2023), arXiv:2211.17180, for convolutional networks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from gpdeep.plots.figure import GREY
from validation.evidence import RESULTS, Evidence

from ..drawing import COLOURS, Drawing, Numbers, panels
from ..measured import details, evidence, nonlinear_advantage, read_from

TITLE = "accuracy against NAPL, linearised early and late"
SMALL: dict[str, Any] = {}

_LATE, _OTHERS = COLOURS[0], (COLOURS[1], COLOURS[2], COLOURS[3], COLOURS[4])
_OTHER_NAMES = {
    "early": "pressure from the start",
    "same": "same units",
    "per_layer": "as many a layer",
    "anywhere": "as many anywhere",
}
_OTHER_MARKERS = ("s", "^", "D", "v")


def draw(*, chain: str = "templates.4", least: float = 0.6, results: str = str(RESULTS)) -> Drawing:
    """Both experiments; accuracies below `least` leave the upper left picture; a `chain` of E6."""
    found, kept = evidence("E6", results), nonlinear_advantage(results)
    axs = panels(2, 2, height=2.7)
    numbers = Numbers()
    task = kept["tasks"]["sum"]
    _curves(axs[0], numbers, task["members"])
    for name, style in (("active", "--"), ("linear", ":")):
        level = task[name]["accuracy"]
        if level >= least:
            axs[0].axhline(level, color=GREY, linewidth=0.9, linestyle=style, label="no unit linear")
        numbers.add(curve="level", task="sum", arm=name, accuracy=level)
    axs[0].set(xlabel="NAPL left", ylabel="test accuracy", title="sum of two digits", xlim=(0, None))
    axs[0].set_ylim(least, 1.0)
    axs[0].legend(loc="lower right")
    _gaps_at_equal_napl(axs[1], numbers, kept["tasks"])
    _chain(axs[2:], numbers, found, chain)
    for ax in (axs[1], axs[3]):
        ax.axhline(0.0, color=GREY, linewidth=0.8)
        ax.set_ylabel("late minus other, accuracy")
    axs[1].set_ylabel("late minus early, accuracy")
    seeds = len(kept["seeds"])
    return Drawing(
        axs[0].figure,
        numbers,
        evidence={**read_from(found), "nonlinear_advantage (cpu)": str(kept["commit"])},
        notes=(
            f"Bars are 95 % intervals by Student's t over {seeds} seeds above, over the few seeds of E6 below; they "
            "hold for one place at a time, and neighbouring ones rest on the same runs.",
            f"The linear network has {task['linear']['accuracy']:.3f} on the sum; accuracies below {least:g} leave the "
            "upper left picture. Equal penalties leave fewer units when they act early: compare at equal NAPL.",
            found.limits,
            *kept["status"]["messages"],
        ),
    )


def _curves(ax: Any, numbers: Numbers, members: Sequence[Mapping[str, Any]]) -> None:
    """Mean accuracy and NAPL of every penalty of both arms."""
    for arm, colour, marker, line in (("late", _LATE, "o", "-"), ("early", COLOURS[1], "s", "--")):
        own = [each for each in members if each["arm"] == arm and each["diverged_at"] is None]
        rows = []
        for omega in sorted({each["omega"] for each in own}):
            runs = [each for each in own if each["omega"] == omega]
            napl, napl_half = _mean_and_half([sum(run["active"]) / run["width"] for run in runs])
            accuracy, half = _mean_and_half([run["accuracy"] for run in runs])
            rows.append((napl, accuracy, napl_half, half))
            numbers.add(
                curve="penalty",
                task="sum",
                arm=arm,
                penalty=omega,
                seeds=len(runs),
                napl=napl,
                napl_half_width=napl_half,
                accuracy=accuracy,
                accuracy_half_width=half,
            )
        x, y, x_half, y_half = np.array(rows).T
        style = {"color": colour, "marker": marker, "linestyle": line, "capsize": 2}
        ax.errorbar(x, y, yerr=y_half, xerr=x_half, label=arm, elinewidth=0.9, **style)


def _gaps_at_equal_napl(ax: Any, numbers: Numbers, tasks: Mapping[str, Any]) -> None:
    for k, (task, label, marker) in enumerate((("sum", "sum of two digits", "o"), ("digit", "single digits", "s"))):
        rows = tasks[task]["at_equal_napl"]
        x, gap, low, high = (np.array([row[key] for row in rows]) for key in ("at", "gap", "low", "high"))
        style = {"color": COLOURS[2 * k], "marker": marker, "linestyle": "none", "capsize": 2, "elinewidth": 0.9}
        ax.errorbar(x, gap, yerr=(gap - low, high - gap), label=label, **style)
        numbers.add(curve="gap", task=task, napl=x, gap=gap, low=low, high=high, seeds=[len(r["seeds"]) for r in rows])
    ax.set(xlabel="NAPL left, of both", title="at equal NAPL")
    ax.legend(loc="upper right")


def _chain(axs: Sequence[Any], numbers: Numbers, found: Evidence, chain: str) -> None:
    """Late and others, and their differences."""
    accuracy, gaps = axs
    for k, (other, label) in enumerate(_OTHER_NAMES.items()):
        rows = details(found, f"E6.{chain}.gap.{other}")["rows"]
        left, left_other, late, own, gap, low, high, n = (
            np.array([row[key] for row in rows], dtype=float)
            for key in ("left", "left_other", "late", "other", "gap", "low", "high", "n")
        )
        style = {"color": _OTHERS[k], "marker": _OTHER_MARKERS[k]}
        if k == 0:
            accuracy.plot(left, late, color=_LATE, marker="o", label="late", linewidth=1.8, zorder=3)
        accuracy.plot(left_other, own, linestyle="--", linewidth=0.9, label=label, **style)
        shifted = left * 1.04 ** (k - 1.5)
        shown = {"linestyle": "none", "capsize": 2, "elinewidth": 0.9}
        gaps.errorbar(shifted, gap, yerr=(gap - low, high - gap), label=label, **style, **shown)
        numbers.add(
            curve="chain",
            task=chain,
            other=other,
            left=left,
            left_other=left_other,
            late=late,
            other_accuracy=own,
            gap=gap,
            low=low,
            high=high,
            seeds=n,
        )
    accuracy.set(xlabel="share of units left", ylabel="test accuracy", title=f"{chain.replace('.', ', ')} layers")
    gaps.set(xlabel="share of units left in the late network", title="late minus other")
    handles, labels = accuracy.get_legend_handles_labels()
    accuracy.figure.legend(handles, labels, loc="outside lower center", ncols=5, columnspacing=1.2)
    for ax in axs:
        ax.set_xscale("log")
        ax.set_xticks([0.1, 0.2, 0.3, 0.5], ["0.1", "0.2", "0.3", "0.5"])
        ax.minorticks_off()


def _mean_and_half(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half of its 95 % interval by Student's t; NaN for a single value."""
    count = len(values)
    if count < 2:
        return float(np.mean(values)), math.nan
    return float(np.mean(values)), float(stdtrit(count - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(count))
