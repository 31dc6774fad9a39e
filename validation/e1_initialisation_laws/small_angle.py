r"""At a vanishing angle the law of a layer is known: sin²θ'/sin²θ = χ²_{k-1}/χ²_k, k ~ Bin(n, 1/2), k ≥ 2.

Real networks start from θ = 1e-6, where the law is off by nθ/π in total variation, below 1e-4 here; the sampler from
1e-150. Steps of different layers are independent, and so are their tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr

from gpdeep.agreement import ExactTest, count_test, law_test, mean_test
from gpdeep.finite import small_angle_cdf, small_angle_cumulants
from gpdeep.finite.jakub_nica import rho
from gpdeep.result import FloatArray
from validation.claim import Claim, Kind, bar

from .design import LAYERS, Cells, root
from .kept_tests import kept, law_claim, missing, test_of
from .simulate import real_networks, sampled_layers

_REAL_ANGLE, _CHAIN_ANGLE = 1e-6, 1e-150
_LARGEST_Z = 4.0
_NODES = 2000
_LOSSY = 24  # widths up to which pairs are lost often enough to count


def networks(specification: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Steps of real networks, a test a layer."""
    width, number = specification["width"], specification["networks"]
    angles, _, _ = real_networks(width, LAYERS, _REAL_ANGLE, number, root(specification), device)
    start = np.full((number, 1), 2 * math.log(math.sin(_REAL_ANGLE)))
    return _tested(width, np.diff(np.concatenate([start, angles], axis=1), axis=1))


def chain(specification: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Steps of the sampler: a test a layer, one of the drift, one of the losses."""
    width, number = specification["width"], specification["networks"]
    layers = sampled_layers(width, LAYERS, _CHAIN_ANGLE, number, root(specification), device)
    before = np.full(number, 2 * math.log(_CHAIN_ANGLE))
    steps, risk, lost = [], 0, 0
    for after in layers:
        alive, survives = np.isfinite(before), np.isfinite(after)
        risk += int(alive.sum())
        lost += int((alive & ~survives).sum())
        steps.append(np.where(survives, after, np.nan) - np.where(alive, before, np.nan))
        before = after
    found = _tested(width, np.stack(steps, axis=1))
    all_steps = np.stack(steps)
    drift, variance, third = small_angle_cumulants(width)
    pooled = mean_test(
        all_steps[np.isfinite(all_steps)],
        drift,
        std=math.sqrt(variance),
        skewness=third / variance**1.5,
        rival=-rho(width),
    )
    losses = count_test(lost, risk, (width + 1) / 2**width, rival=0.0)
    return found | {"drift": kept(pooled), "losses": kept(losses)}


def _tested(width: int, steps: FloatArray) -> dict[str, Any]:
    """Kolmogorov's test of each layer's steps; the rival is the papers' normal law."""

    def papers(r: Any) -> Any:
        return ndtr((r + rho(width)) * (width + 5) / math.sqrt(8 * width))

    exact = _tabulated(width, float(np.nanmin(steps)), float(np.nanmax(steps)))
    return {"laws": [kept(law_test(column[np.isfinite(column)], exact, rival=papers)) for column in steps.T]}


def _tabulated(width: int, low: float, high: float) -> Callable[[Any], Any]:
    """The distribution function from a table: off by less than 1e-8, and as quick for a million networks."""
    from scipy.interpolate import CubicSpline

    r = np.linspace(low, high, _NODES)
    spline = CubicSpline(r, small_angle_cdf(width, r))
    return lambda x: np.clip(spline(x), 0.0, 1.0)


def claims(cells: Cells) -> list[Claim]:
    """Law, drift and losses."""
    return [
        _law(cells, "small_angle_networks", "E1.small_angle.networks", "networks with real weights"),
        _law(cells, "small_angle_chain", "E1.small_angle.sampler", "the sampler of networks"),
        _drift(cells),
        _losses(cells),
    ]


def _law(cells: Cells, part: str, id: str, whose: str) -> Claim:
    tests = {
        f"n = {spec['width']}, layer {layer}": test_of(data)
        for spec, found in cells.of(part)
        for layer, data in enumerate(found["laws"], start=1)
    }
    return law_claim(
        id,
        f"At a vanishing angle a layer's step of ln sin²θ has the exact law, in {whose}.",
        "gpdeep.finite.small_angle_cdf",
        tests,
        LAYERS * cells.declared(part),
        independent=True,
        rival_name="distance of the normal law with the papers' drift and variance",
        limits="Given that the pair survives the layer.",
    )


def _drift(cells: Cells) -> Claim:
    statement = (
        "The mean step of ln sin²θ at a vanishing angle is the exact drift within 4 standard errors, all widths."
    )
    found = {spec["width"]: test_of(result["drift"]) for spec, result in cells.of("small_angle_chain")}
    if not found:
        return missing("E1.drift", Kind.BAR, statement, "gpdeep.finite.small_angle_cumulants")
    z = {width: test.statistic for width, test in found.items()}
    closed = {width: (test.rival_error or 0.0) / test.standard_error for width, test in found.items()}
    leading = {width: (test.estimate + 2 / width) / test.standard_error for width, test in found.items()}
    worst = max(z, key=lambda width: abs(z[width]))
    return Claim(
        id="E1.drift",
        kind=Kind.BAR,
        statement=statement,
        source="gpdeep.finite.small_angle_cumulants",
        estimate=abs(z[worst]),
        standard_error=1.0,
        n=found[worst].replicates,
        prediction=_LARGEST_Z,
        rival=max(abs(value) for value in closed.values()),
        rival_name="largest |z| of the papers' closed form ρ(n)",
        verdict=bar(abs(z[worst]), _LARGEST_Z, at_most=True),
        power="A relative error of the drift is seen from "
        + ", ".join(f"{5 * t.standard_error / abs(t.prediction):.2g} (n = {n})" for n, t in sorted(found.items())),
        limits="Infinite width has no drift at a vanishing angle. Of these networks the leading order -2/n is refused "
        f"(|z| > {_LARGEST_Z:g}) at n = {_where(leading)}, the papers' closed form at n = {_where(closed)}.",
        details={
            "widths": sorted(found),
            "measured": [found[n].estimate for n in sorted(found)],
            "standard_error": [found[n].standard_error for n in sorted(found)],
            "exact": [found[n].prediction for n in sorted(found)],
            "closed_form": [-rho(n) for n in sorted(found)],
            "leading": [-2 / n for n in sorted(found)],
            "z": [z[n] for n in sorted(found)],
            "z_closed_form": [closed[n] for n in sorted(found)],
            "z_leading": [leading[n] for n in sorted(found)],
        },
    )


def _where(z: Mapping[int, float]) -> str:
    return ", ".join(str(width) for width in sorted(z) if abs(z[width]) > _LARGEST_Z) or "none"


def _losses(cells: Cells) -> Claim:
    lossy = {spec["width"] for spec, _ in cells.of("small_angle_chain") if spec["width"] <= _LOSSY}
    tests: dict[str, ExactTest] = {
        f"n = {spec['width']}": test_of(found["losses"])
        for spec, found in cells.of("small_angle_chain")
        if spec["width"] in lossy
    }
    return law_claim(
        "E1.losses",
        "A pair at a vanishing angle is lost in a layer with probability (n + 1)/2ⁿ: fewer than two active units.",
        "gpdeep.finite.small_angle_cdf",
        tests,
        max(1, len(lossy)),
        rival_name="no losses",
        limits="Counted where widths are at most 24; beyond, no loss is expected in any number of networks drawn here.",
    )
