"""Claims about the energy of the layers: constant along a network that is stationary, and along no other."""

from __future__ import annotations

import numpy as np

from ..claim import Claim, Kind, bar
from .cells import Cells, Mean, Network

STATIONARY, SPREAD = 0.3, 0.08  # bars, set beforehand
_LAYERS, _FEW, _MANY = 24, 12, 48
_DEEPEST = 4.0  # effective depth up to which the bar is set
_SOURCE = "gpdeep.nn.LeakyResNet.layer_energies; A. Jacot and A. Kaiser (2024), arXiv:2405.17573"
_DEEP = (
    " The worst network is one of the deepest, L̃ = 7 at the quick size, where the steps of L-BFGS that were given did "
    "not suffice; the bars on energies are for L̃ up to 4."
)
_LIMITS = (
    "H crosses 0 as the effective depth grows, so that its spread is told beside the mean kinetic energy, "
    "L̃|B Sgᵀ|²/2, which is |W|²/2L̃ where weights are stationary. ReLU networks rest with entries on the kink, where "
    "gradient methods leave a residual: energies are as good as that."
)


def claims(cells: Cells) -> list[Claim]:
    """Residuals, spread, its fall with the number of layers, and the control."""
    depths = [d for d in cells.depths(_LAYERS) if d <= _DEEPEST]
    found = [_stationary(cells), *(_spread(cells, d, kind) for d in depths for kind in ("corrected", "raw"))]
    found += [_finer(cells, d, kind) for d in depths if cells.networks(d, _MANY) for kind in ("corrected", "raw")]
    return [*found, *(_control(cells, d) for d in depths), _told(cells)]


def _stationary(cells: Cells) -> Claim:
    medians = [float(np.median(network["residuals"])) for network in cells.all()]
    before = [float(np.median(network["after_adam"]["residuals"])) for network in cells.all()]
    worst = max(medians, default=float("nan"))
    return Claim(
        id="E5.stationary",
        kind=Kind.BAR,
        statement="After L-BFGS the weights are stationary: |W - L̃ B Sgᵀ|/|W| has a median over layers below 0.3 in "
        "every network.",
        source=_SOURCE,
        estimate=worst,
        n=len(medians),
        prediction=STATIONARY,
        rival=max(before, default=float("nan")),
        rival_name="after Adam alone",
        verdict=bar(worst, STATIONARY, at_most=True),
        limits=_LIMITS + _DEEP,
        details={"medians": medians, "after_adam": before, "largest": [max(n["residuals"]) for n in cells.all()]},
    )


def _spread(cells: Cells, depth: float, kind: str) -> Claim:
    mean = cells.mean(lambda network: network["spread"][kind], depth, _LAYERS)
    other = "raw" if kind == "corrected" else "corrected"
    names = {"corrected": "energies corrected for the step", "raw": "energies as they are, right to first order only"}
    return Claim(
        id=f"E5.energy.{kind}.{depth:g}",
        kind=Kind.BAR,
        statement=f"With {_LAYERS} layers at L̃ = {depth:g}, {names[kind]} are constant along the network: sd(H) is at "
        f"most {SPREAD:g} of the mean kinetic energy.",
        source=_SOURCE,
        estimate=mean.value,
        standard_error=mean.error,
        n=mean.n,
        prediction=SPREAD,
        rival=cells.mean(lambda network: network["spread"][other], depth, _LAYERS).value,
        rival_name=names[other],
        verdict=bar(mean.value, SPREAD, at_most=True),
        limits=_LIMITS
        + (
            " Symplectic Euler conserves H only up to a term of the order of its step, which this spread is."
            if kind == "raw"
            else ""
        ),
        details={
            "energies": [
                n["corrected_energies" if kind == "corrected" else "energies"] for n in cells.networks(depth, _LAYERS)
            ]
        },
    )


def _finer(cells: Cells, depth: float, kind: str) -> Claim:
    few, many = (cells.mean(lambda network: network["spread"][kind], depth, n) for n in (_FEW, _MANY))
    return Claim(
        id=f"E5.energy_layers.{kind}.{depth:g}",
        kind=Kind.BAR,
        statement=f"At L̃ = {depth:g} the {kind} energies of {_MANY} layers scatter less than those of {_FEW}.",
        source=_SOURCE,
        estimate=many.value,
        standard_error=many.error,
        n=many.n,
        prediction=few.value,
        verdict=bar(many.value, few.value, at_most=True),
        limits=_LIMITS,
        details={"by_layers": {str(n): _value(cells, depth, n, kind).value for n in (_FEW, _LAYERS, _MANY)}},
    )


def _control(cells: Cells, depth: float) -> Claim:
    mean = cells.mean(lambda network: network["untrained"]["spread"]["corrected"], depth, _LAYERS)
    adam = cells.mean(lambda network: network["after_adam"]["spread"]["corrected"], depth, _LAYERS)
    return Claim(
        id=f"E5.energy_control.{depth:g}",
        kind=Kind.CONTROL,
        statement=f"The same network at its start, L̃ = {depth:g}, must not pass for one that conserves its energy.",
        source=_SOURCE,
        estimate=mean.value,
        standard_error=mean.error,
        n=mean.n,
        prediction=SPREAD,
        verdict="REFUSED" if mean.value > SPREAD else "NOT REFUSED",
        limits="How much the bar can see. While layers change their input little, as at a small L̃, H is nearly "
        "constant whatever the weights are, and a bar of 0.08 tells trained from untrained networks only at a larger "
        "one. Nor does it tell Adam alone, whose residual is far larger, from L-BFGS: "
        f"{adam.value:.3f} after Adam.",
        details={"after_adam": adam.value},
    )


def _told(cells: Cells) -> Claim:
    rows = [
        {
            "effective_depth": depth,
            "layers": layers,
            "steps": steps,
            **{name: cells.mean(of, depth, layers, steps).value for name, of in _COLUMNS.items()},
        }
        for steps in ("equal", "adaptive")
        for layers in (_FEW, _LAYERS, _MANY, 96, 200)
        for depth in cells.depths(layers, steps)
    ]
    return Claim(
        id="E5.energy_table",
        kind=Kind.REPORT,
        statement="Energies of all cells, and the rank-like number -2H/L̃.",
        source=_SOURCE,
        n=len(cells.all()),
        verdict="REPORTED",
        limits=_LIMITS,
        details={"cells": rows, "failed": cells.failed},
    )


_COLUMNS = {
    "spread_corrected": lambda n: n["spread"]["corrected"],
    "spread_raw": lambda n: n["spread"]["raw"],
    "mean_energy": lambda n: float(np.mean(n["corrected_energies"])),
    "rank_like": lambda n: n["rank_like"],
    "objective": lambda n: n["objective"],
    "residual": lambda n: float(np.median(n["residuals"])),
}


def _value(cells: Cells, depth: float, layers: int, kind: str) -> Mean:
    def spread(network: Network) -> float:
        return float(network["spread"][kind])

    return cells.mean(spread, depth, layers)
