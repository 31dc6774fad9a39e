r"""Which units stay nonlinear: the share of active units in every layer, for several penalties.

A penalty pulls the slopes of channels to 1, where they are linear and stay so. What survives lies in the first layers;
where a strong penalty acts early it leaves little, thinly spread. Upper row: 12 layers on the sum of two digits, with
the penalty in the second and in the first third of training (arms late and early of `python -m
validation.nonlinear_advantage`); below left, single digits, which need hardly any nonlinear unit; below right, 4 layers
on noisy templates (`python -m validation run E6`). After C. Mehmeti-Göpel and J. Disselhoff (2023), arXiv:2211.17180.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from validation.evidence import RESULTS

from ..drawing import COLOURS, Drawing, Numbers, panels
from ..measured import details, evidence, nonlinear_advantage, read_from

TITLE = "active units by layer"
SMALL: dict[str, Any] = {}

_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")


def draw(*, penalties: int = 4, chain: str = "templates.4", results: str = str(RESULTS)) -> Drawing:
    """At most so many `penalties` of each task, from the weakest to the strongest; a `chain` of E6."""
    found, kept = evidence("E6", results), nonlinear_advantage(results)
    axs = panels(2, 2, height=2.5, sharey=True)
    numbers = Numbers()
    for ax, task, arm in zip(axs, ("sum", "sum", "digit"), ("late", "early", "late"), strict=False):
        curves = _by_penalty(kept["tasks"][task]["members"], arm)
        for k, omega in enumerate(_some(sorted(curves), penalties)):
            share, seeds = curves[omega]
            _line(ax, share, k, rf"$\omega = {omega:g}$: {100 * share.mean():.2g} %")
            layer = np.arange(1, len(share) + 1)
            numbers.add(task=task, arm=arm, penalty=omega, seeds=seeds, layer=layer, active_share=share)
        task_name = {"sum": "sum of two digits", "digit": "single digits"}[task]
        ax.set_title(f"{task_name}, penalty {arm}")
    layers = details(found, f"E6.{chain}.first_layer")["all"]
    for k, left in enumerate(_some(sorted(layers, key=float, reverse=True), penalties)):
        share = np.array(layers[left])
        _line(axs[3], share, k, f"{100 * float(left):.2g} %")
        layer = np.arange(1, len(share) + 1)
        numbers.add(task=chain, arm="late", left=float(left), layer=layer, active_share=share)
    axs[3].set_title(f"{chain.replace('.', ', ')} layers, penalty late")
    for ax in axs:
        ax.set(xlabel="layer $l$", ylim=(0, 1))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(loc="upper right", title="units left in all")
    for ax in axs[::2]:
        ax.set_ylabel("share of active units")
    return Drawing(
        axs[0].figure,
        numbers,
        evidence={**read_from(found), "nonlinear_advantage (cpu)": str(kept["commit"])},
        notes=(
            "Means over seeds. Penalties act differently early and late: equal ω does not leave equally many units.",
            found.limits,
            *kept["status"]["messages"],
        ),
    )


def _by_penalty(members: Sequence[Mapping[str, Any]], arm: str) -> dict[float, tuple[Any, int]]:
    """Mean share of active units in each layer, and number of networks, for each penalty of an arm."""
    own = [each for each in members if each["arm"] == arm and each["diverged_at"] is None]
    return {
        omega: (
            np.mean([np.array(each["active"]) / each["width"] for each in own if each["omega"] == omega], axis=0),
            sum(each["omega"] == omega for each in own),
        )
        for omega in {each["omega"] for each in own}
    }


def _some(values: Sequence[Any], most: int) -> list[Any]:
    """At most so many, from the first to the last."""
    return [values[k] for k in np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))]


def _line(ax: Any, share: Any, k: int, label: str) -> None:
    style = {"color": COLOURS[k % len(COLOURS)], "linestyle": _LINES[k % len(_LINES)]}
    ax.plot(np.arange(1, len(share) + 1), share, marker=_MARKERS[k % len(_MARKERS)], label=label, **style)
