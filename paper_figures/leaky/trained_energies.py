r"""Trained leaky ResNets conserve the energy of their layers: measured, beside the constant it should be.

A network whose weights are stationary is a trajectory of the Hamiltonian flow in steps of 1/L, along which H is
constant up to O(1/L); with the first-order term of the steps taken away (corrected) it is flatter. The upper row shows
the energies of all layers, with the mean and the bar that was set beforehand for their standard deviation; below left,
how their scatter falls with the number of layers; below right, the participation rank (tr K)²/tr K² of the centred
representation, which narrows to the dimension of the task where the effective depth is large. After A. Jacot and A.
Kaiser (2024), arXiv:2405.17573, figure 1; measured by `python -m validation run E5`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpdeep.plots.figure import BLUE, GREY, VERMILLION
from validation.evidence import RESULTS, Evidence

from ..drawing import COLOURS, Drawing, Numbers, panels
from ..measured import claim, evidence, misses, read_from

TITLE = "energies and ranks of trained leaky ResNets"
SMALL: dict[str, Any] = {}

_KINDS = (("raw", VERMILLION, "s", "--"), ("corrected", BLUE, "o", "-"))


def draw(*, results: str = str(RESULTS)) -> Drawing:
    """E5 as it is kept in the folder `results`."""
    found = evidence("E5", results)
    depths = _depths(found, "E5.energy.corrected.")
    axs = panels(2, 2, height=2.6)
    numbers = Numbers()
    for ax, depth in zip(axs[:2], depths, strict=False):
        for kind, colour, marker, line in _KINDS:
            _energies(ax, numbers, found, depth, kind, color=colour, marker=marker, linestyle=line)
        ax.set(title=rf"$\tilde L = {depth}$, 24 layers", xlabel="layer $l$", xlim=(0, None))
        ax.legend(loc="best")
    axs[0].set_ylabel("energy $H_l$")
    _scatter(axs[2], numbers, found, depths)
    _ranks(axs[3], numbers, found)
    return Drawing(
        axs[0].figure,
        numbers,
        evidence=read_from(found),
        notes=(
            "Bands are the mean of the corrected energies and the bar that was set beforehand for their scatter. "
            "One network a curve, both curves of an upper panel of the same one; their vertical axes differ.",
            found.limits,
            *misses(found),
        ),
    )


def _depths(found: Evidence, prefix: str) -> list[str]:
    """Effective depths as claims write them, ascending."""
    return sorted((each.id.removeprefix(prefix) for each in found.claims if each.id.startswith(prefix)), key=float)


def _energies(ax: Any, numbers: Numbers, found: Evidence, depth: str, kind: str, **style: Any) -> None:
    """Of every layer, with the scatter that was measured; the bar around the mean of the corrected ones."""
    each = claim(found, f"E5.energy.{kind}.{depth}")
    assert each.estimate is not None
    assert each.prediction is not None
    for energies in each.details["energies"]:
        layer = np.arange(1, len(energies) + 1)
        ax.plot(layer, energies, label=f"{kind}: scatter {100 * each.estimate:.2g} %", markersize=3, **style)
        kinetic = float(np.std(energies)) / each.estimate
        numbers.add(
            curve="energy",
            kind=kind,
            effective_depth=float(depth),
            layer=layer,
            energy=energies,
            spread=each.estimate,
            mean_kinetic_energy=kinetic,
        )
        if kind == "corrected":
            mean, half = float(np.mean(energies)), each.prediction * kinetic
            ax.axhspan(
                mean - half,
                mean + half,
                color=GREY,
                alpha=0.13,
                linewidth=0,
                label=rf"mean $\pm$ {100 * each.prediction:g} % of kinetic",
            )


def _scatter(ax: Any, numbers: Numbers, found: Evidence, depths: list[str]) -> None:
    """sd(H) over the mean kinetic energy by the number of layers."""
    bars = set()
    for k, depth in enumerate(depths):
        for kind, colour, marker, _ in _KINDS:
            spread = claim(found, f"E5.energy_layers.{kind}.{depth}").details["by_layers"]
            layers = sorted(int(count) for count in spread)
            values = [spread[str(count)] for count in layers]
            face = colour if k else "white"
            ax.plot(
                layers,
                values,
                color=colour,
                marker=marker,
                markerfacecolor=face,
                linestyle="-" if k else "--",
                label=rf"{kind}, $\tilde L = {depth}$",
                markersize=4.5,
            )
            numbers.add(curve="scatter", kind=kind, effective_depth=float(depth), layers=layers, spread=values)
            bars.add(claim(found, f"E5.energy.{kind}.{depth}").prediction)
    for bar in bars:
        ax.axhline(bar, color=GREY, linewidth=0.8, linestyle=":")
    ax.set(xscale="log", xlabel="layers $L$", ylabel="sd($H$) / mean kinetic energy", ylim=(0, 0.25))
    ax.set_xticks(layers, [str(count) for count in layers])
    ax.minorticks_off()
    ax.legend(loc="upper right", ncols=2, columnspacing=0.8, handlelength=1.6)


def _ranks(ax: Any, numbers: Numbers, found: Evidence) -> None:
    """Participation ranks along the network, with what was asked for in the middle."""
    for k, depth in enumerate(_depths(found, "E5.rank.")):
        each = claim(found, f"E5.rank.{depth}")
        for rank in each.details["rank"]:
            p = np.linspace(0, 1, len(rank))
            ax.plot(
                p,
                rank,
                color=COLOURS[k],
                marker="os^D"[k % 4],
                markersize=3,
                linestyle=("-", "--", "-.")[k % 3],
                label=rf"$\tilde L = {depth}$",
            )
            numbers.add(curve="rank", effective_depth=float(depth), p=p, participation_rank=rank)
        task = each.prediction
        if task is not None:
            ax.plot([0.5, 0.5], [0.7 * task, 1.5 * task], color="black", linewidth=3, alpha=0.5, zorder=1)
    if task is not None:
        ax.axhline(task, color=GREY, linewidth=0.8, linestyle=":", label=f"dimension of the task: {task:g}")
        ax.plot([], [], color="black", linewidth=3, alpha=0.5, label="asked for in the middle")
    ax.set(xlabel="position $p$", ylabel="participation rank", xlim=(0, 1), ylim=(0, None))
    ax.legend(loc="upper right")
