"""The claims of E3: what region trains, how it compares with rivals, and the depth scale measured before training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpdeep.agreement import Family, Verdict, cluster_bootstrap, compare, spearman
from gpdeep.meanfield import DepthScales, Phase, depth_scales
from gpdeep.result import FloatArray

from ..claim import Claim, Kind, bar
from ..experiment import Results, Settings, Size
from ..specified_results import SpecifiedResults
from .grid import FACTOR, THRESHOLD, Sheet, cell_specifications, decay_specifications, grid_of, plan
from .region import auc, best_constant, best_factor, half_depth, iou, within

LEAST_IOU, LEAST_MARGIN = 0.80, 0.03
FACTORS, RATIOS, LEAST_RANK = (4.0, 9.0), (0.7, 1.5), 0.8
WRONG_FACTORS = (2.0, 18.0)
_SOURCE = "gpdeep.meanfield.depth_scales; L < 6 xi_c: Schoenholz et al. 2017, arXiv 1611.01232, section 5"
_RIVAL = "best constant depth, fitted"


def claims(settings: Settings, results: Results) -> Sequence[Claim]:
    """All claims; those about training are only reported at size smoke."""
    known = SpecifiedResults(plan(settings), results)
    found = _decay_claims(settings, known)
    for sheet in grid_of(settings.size).sheets:
        table = _Table.of(sheet, settings, known)
        if table is None:
            found.append(_incomplete(sheet))
        else:
            found += _sheet_claims(table, asserted=settings.size is not Size.SMOKE)
    return found


# ------------------------------------------------------------------ the depth scale at initialisation


def _decay_claims(settings: Settings, known: SpecifiedResults) -> list[Claim]:
    """ln sin² of a small angle falls by 1/ξ_c a layer, with a declared correction of order 1/n."""
    found_rates = [(s, known.get(s)) for s in decay_specifications(settings)]
    measured = [(s, result) for s, result in found_rates if result is not None]
    if not measured:
        return []
    agreements, wrong = {}, {}
    for s, result in measured:
        # ln of a layer's sum of n terms φ'²δ²: half its relative variance (3κ - 1)/n, the part along φ(h), the length
        truncation = 3 * result["kappa"] / s["width"]
        other = depth_scales(s["phi"], sigma_w=1.05 * s["sigma_w"], sigma_b=math.sqrt(s["sigma_b2"]))
        shared = {"replicates": s["networks"], "family": len(measured)}
        name = f"{s['sigma_w']:g}"
        x, error = result["rate"], result["standard_error"]
        agreements[name] = compare(x, error, result["predicted"], truncation, rival=-1 / result["xi_q"], **shared)
        wrong[name] = compare(x, error, -1 / other.xi_c, truncation, **shared)
    verdicts = Family(len(measured), name="decay").judge(agreements)
    found = []
    for name, agreement in agreements.items():
        judged = verdicts[name]
        found.append(
            Claim(
                id=f"E3.decay.{name}",
                kind=Kind.PREDICTION,
                statement=f"At sigma_w = {name} ln sin^2 of a small angle falls by 1/xi_c a layer",
                source="gpdeep.meanfield.depth_scales",
                estimate=agreement.estimate,
                standard_error=agreement.standard_error,
                n=agreement.replicates,
                prediction=agreement.prediction,
                truncation=agreement.truncation,
                rival=agreement.rival,
                rival_name="-1/xi_q, the scale of lengths",
                verdict=str(judged.verdict),
                p_adjusted=judged.p_adjusted,
                power=judged.note,
                limits="Ordered side, before training, tanh.",
            )
        )
    refused = all(one.verdict is Verdict.DISAGREE for one in wrong.values())
    found.append(
        Claim(
            id="E3.decay.control",
            kind=Kind.CONTROL,
            statement="The rates predicted for weights 5 % larger do not agree with the measured ones",
            source="gpdeep.meanfield.depth_scales with sigma_w times 1.05",
            n=len(wrong),
            verdict="REFUSED" if refused else "NOT REFUSED",
            details={name: {"error": one.error, "verdict": str(one.verdict)} for name, one in wrong.items()},
        )
    )
    return found


# ------------------------------------------------------------------ the region


@dataclass(frozen=True, eq=False)
class _Table:
    """One sheet with its results: accuracies (σ_w, depths, rates, seeds), and the depth scales of each σ_w."""

    sheet: Sheet
    rates: tuple[float, ...]
    accuracy: FloatArray
    diverged: int
    missing: int
    scales: tuple[DepthScales, ...]

    @classmethod
    def of(cls, sheet: Sheet, settings: Settings, known: SpecifiedResults) -> _Table | None:
        """The table, or None if a cell has no result at some rate; of several seeds those that there are count."""
        grid = grid_of(settings.size)
        accuracy = np.full((len(sheet.sigma_w), len(sheet.depths), len(grid.rates), grid.seeds), np.nan)
        diverged = missing = 0
        for s in cell_specifications(settings):
            if (s["phi"], s["sigma_b2"]) != (sheet.phi, sheet.sigma_b2):
                continue
            result = known.get(s)
            if result is None:
                missing += 1
                continue
            at = sheet.sigma_w.index(s["sigma_w"]), sheet.depths.index(s["depth"]), grid.rates.index(s["lr"])
            accuracy[(*at, s["seed"][1])] = result["train_accuracy"]
            diverged += bool(result["diverged"])
        if np.isnan(accuracy).all(axis=3).any():
            return None
        accuracy = np.where(np.isnan(accuracy), np.nanmean(accuracy, axis=3, keepdims=True), accuracy)
        scales = [depth_scales(sheet.phi, sigma_w=w, sigma_b=math.sqrt(sheet.sigma_b2)) for w in sheet.sigma_w]
        return cls(sheet, grid.rates, accuracy, diverged, missing, tuple(scales))

    @property
    def best(self) -> FloatArray:
        """Accuracies (σ_w, depths, seeds) at the rate that is best on the mean over seeds."""
        rate = self.accuracy.mean(3).argmax(2)
        found: FloatArray = np.take_along_axis(self.accuracy, rate[:, :, None, None], axis=2)[:, :, 0]
        return found


def _sheet_claims(table: _Table, *, asserted: bool) -> list[Claim]:
    depths = np.array(table.sheet.depths, float)
    xi_c = np.array([scale.xi_c for scale in table.scales])
    best = table.best
    mean = best.mean(2)
    trained = mean >= THRESHOLD
    predicted = within(xi_c, depths, FACTOR)
    score = float(iou(predicted.ravel(), trained.ravel()))
    constant, factor = best_constant(depths, trained), best_factor(xi_c, depths, trained)
    flat = np.broadcast_to(depths <= constant.value, trained.shape)
    error, margin_error = _errors(predicted, flat, best)
    rivals = _rivals(table, depths, trained)
    gradients = rivals["xi_grad"]
    shared: dict[str, Any] = {
        "source": _SOURCE,
        "n": trained.size * best.shape[2],
        "rival": constant.iou,
        "rival_name": _RIVAL,
    }
    kind = Kind.BAR if asserted else Kind.REPORT
    limits = (
        "All networks of a sheet are equally wide, so parameters and sum 1/n say what depth says. "
        f"{table.diverged} runs diverged (counted as chance), {table.missing} have no result."
    )
    found = [
        Claim(
            id=f"E3.{table.sheet.short}.iou",
            kind=kind,
            statement=f"{table.sheet.name}: the cells that train are those with L < 6 xi_c (IoU), nothing fitted",
            estimate=score,
            standard_error=error,
            prediction=LEAST_IOU if asserted else None,
            verdict=bar(score, LEAST_IOU) if asserted else "REPORTED",
            limits=limits,
            details=_map(table, depths, xi_c, mean, trained, predicted),
            **shared,
        )
    ]
    if not asserted:
        return found
    found.append(
        Claim(
            id=f"E3.{table.sheet.short}.margin",
            kind=Kind.BAR,
            statement=f"{table.sheet.name}: 6 xi_c, with nothing fitted, beats the best constant depth, fitted",
            estimate=score - constant.iou,
            standard_error=margin_error,
            prediction=LEAST_MARGIN,
            verdict=bar(score - constant.iou, LEAST_MARGIN),
            limits=f"With factors fitted, {gradients['factor']:.0f} xi_grad has an IoU of {gradients['iou']:.2f} and "
            f"{factor.value:.1f} xi_c {factor.iou:.2f}: no verdict here tells these two apart.",
            details={"constant_depth": constant.value, "rivals": rivals},
            **shared,
        )
    )
    found.append(
        Claim(
            id=f"E3.{table.sheet.short}.factor",
            kind=Kind.BAR,
            statement=f"{table.sheet.name}: fitted after the fact, the factor of xi_c lies between 4 and 9",
            estimate=factor.value,
            prediction=FACTOR,
            verdict="MET" if FACTORS[0] <= factor.value <= FACTORS[1] else "MISSED",
            details={"iou": factor.iou, "bar": list(FACTORS)},
            **shared,
        )
    )
    found += _curve_claims(table, depths, xi_c, mean)
    found.append(_control(table, depths, xi_c, mean, trained, constant.iou))
    return [*found, _order_report(table, depths, xi_c, trained)]


def _incomplete(sheet: Sheet) -> Claim:
    return Claim(
        id=f"E3.{sheet.short}.iou",
        kind=Kind.REPORT,
        statement=f"{sheet.name}: the cells that train are those with L < 6 xi_c (IoU), nothing fitted",
        source=_SOURCE,
        verdict="INCONCLUSIVE",
        limits="Some cells have no result: their units failed or were not computed.",
    )


def _curve_claims(table: _Table, depths: FloatArray, xi_c: FloatArray, mean: FloatArray) -> list[Claim]:
    """L50 against 6 ξ_c: the median ratio, and the order on the chaotic side."""
    reached, inside, ratios = _ratios(depths, xi_c, mean)
    usable = inside & (FACTOR * xi_c < depths[-1])
    chaotic = np.array([scale.phase is Phase.CHAOTIC for scale in table.scales])
    found = []
    curve = {
        "sigma_w": list(table.sheet.sigma_w),
        "L50": reached.tolist(),
        "inside": inside.tolist(),
        "six_xi_c": np.minimum(FACTOR * xi_c, depths[-1]).tolist(),
        "usable": usable.tolist(),
        "chaotic": chaotic.tolist(),
    }
    if usable.sum() >= 3:
        median = float(np.median(ratios))
        both = np.log(np.stack([reached[usable], xi_c[usable]]))
        found.append(
            Claim(
                id=f"E3.{table.sheet.short}.l50",
                kind=Kind.BAR,
                statement=f"{table.sheet.name}: accuracy falls through one half near 6 xi_c (median L50/(6 xi_c))",
                source=_SOURCE,
                estimate=median,
                standard_error=float(1.2533 * ratios.std(ddof=1) / math.sqrt(ratios.size)),
                n=int(usable.sum()),
                prediction=1.0,
                rival=float(np.median(np.median(reached[usable]) / (FACTOR * xi_c[usable]))),
                rival_name="one constant depth for all sigma_w, the median L50: its median ratio",
                verdict="MET" if RATIOS[0] <= median <= RATIOS[1] else "MISSED",
                limits="Over the sigma_w whose L50 and 6 xi_c both lie inside the grid. A constant depth in the middle "
                "has a median near 1 too; what it lacks shows in the spread and the correlation of the logarithms.",
                details=curve
                | {
                    "bar": list(RATIOS),
                    "ratios": ratios.tolist(),
                    "spread_of_logs": float(np.log(ratios).std(ddof=1)),
                    "spread_of_logs_at_constant_depth": float(both[0].std(ddof=1)),
                    "correlation_of_logs": float(np.corrcoef(both)[0, 1]) if both.std(axis=1).all() else None,
                },
            )
        )
    if chaotic.sum() >= 3:
        rank = float(spearman(xi_c[chaotic], reached[chaotic][:, None]))
        found.append(
            Claim(
                id=f"E3.{table.sheet.short}.rank",
                kind=Kind.BAR,
                statement=f"{table.sheet.name}: on the chaotic side L50 has the order of xi_c (Spearman)",
                source=_SOURCE,
                estimate=rank,
                n=int(chaotic.sum()),
                prediction=LEAST_RANK,
                rival=0.0,
                rival_name="constant depth, which orders nothing",
                verdict=bar(rank, LEAST_RANK),
                limits="Every sigma_w counts, those near the edge too, where the optimiser sets the limit.",
                details=curve,
            )
        )
    return found


def _ratios(depths: FloatArray, scale: FloatArray, mean: FloatArray) -> tuple[FloatArray, Any, FloatArray]:
    """L50 of each σ_w, whether it lies inside the grid, and L50/(6 ξ) where 6 ξ does too."""
    half = [half_depth(depths, row, THRESHOLD) for row in mean]
    reached, inside = np.array([depth for depth, _ in half]), np.array([one for _, one in half])
    usable = inside & (FACTOR * scale < depths[-1])
    return reached, inside, reached[usable] / (FACTOR * scale[usable])


def _control(
    table: _Table, depths: FloatArray, xi_c: FloatArray, mean: FloatArray, trained: Any, constant: float
) -> Claim:
    """Wrong theories on the same cells: factors three times too small and too large, and ξ_c of another σ_w.

    None may meet all of the bars of IoU, margin and L50. That of the IoU alone is no hurdle for a factor that is too
    large where most cells train.
    """
    shifted = np.roll(xi_c, len(xi_c) // 2)
    theories = {f"{k:g} xi_c": k / FACTOR * xi_c for k in WRONG_FACTORS} | {"6 xi_c of another sigma_w": shifted}
    passed, scores = [], {}
    for name, scale in theories.items():
        score = float(iou(within(scale, depths, FACTOR).ravel(), trained.ravel()))
        ratios = _ratios(depths, scale, mean)[2]
        median = float(np.median(ratios)) if ratios.size else math.nan
        scores[name] = {"iou": score, "margin": score - constant, "l50": None if math.isnan(median) else median}
        if score >= LEAST_IOU and score - constant >= LEAST_MARGIN and RATIOS[0] <= median <= RATIOS[1]:
            passed.append(name)
    alone = [name for name, one in scores.items() if (one["iou"] or 0) >= LEAST_IOU]
    return Claim(
        id=f"E3.{table.sheet.short}.control",
        kind=Kind.CONTROL,
        statement=f"{table.sheet.name}: a third of the factor, three times it, and xi_c of another sigma_w each miss a "
        "bar (IoU, margin, L50)",
        source="the same bars with wrong theories",
        estimate=float(len(passed)),
        prediction=0.0,
        n=trained.size,
        verdict="NOT REFUSED" if passed else "REFUSED",
        limits=f"The bar of the IoU alone does not refuse {', '.join(alone)}." if alone else "",
        details=scores,
    )


def _order_report(table: _Table, depths: FloatArray, xi_c: FloatArray, trained: Any) -> Claim:
    """The area under the curve, which depth alone nearly reaches: told, never asserted."""
    own = auc(np.minimum(xi_c[:, None], 1e9) / depths, trained)
    alone = auc(np.broadcast_to(-depths, trained.shape), trained)
    return Claim(
        id=f"E3.{table.sheet.short}.auc",
        kind=Kind.REPORT,
        statement=f"{table.sheet.name}: chance that a trained cell has a larger xi_c/L than one that did not train",
        source=_SOURCE,
        estimate=None if math.isnan(own) else own,
        n=trained.size,
        rival=None if math.isnan(alone) else alone,
        rival_name="depth alone",
        verdict="REPORTED",
        limits="Does not discriminate: depth alone scores nearly as well.",
    )


def _rivals(table: _Table, depths: FloatArray, trained: Any) -> dict[str, Any]:
    """What other depth scales reach with their factor fitted."""
    found = {}
    for name in ("xi_grad", "xi_q"):
        fit = best_factor(np.array([getattr(scale, name) for scale in table.scales]), depths, trained)
        found[name] = {"factor": fit.value, "iou": fit.iou}
    return found


def _map(
    table: _Table, depths: FloatArray, xi_c: FloatArray, mean: FloatArray, trained: Any, predicted: Any
) -> dict[str, Any]:
    """What the figure needs, and the scores at other thresholds and single learning rates."""
    flat = predicted.ravel()
    rates = table.accuracy.mean(3)
    return {
        "sigma_w": list(table.sheet.sigma_w),
        "depths": list(table.sheet.depths),
        "accuracy": np.round(mean, 4).tolist(),
        "xi_c": np.minimum(xi_c, 1e9).tolist(),
        "iou_at_threshold": {f"{t:g}": float(iou(flat, (mean >= t).ravel())) for t in (0.3, 0.5, 0.8)},
        "iou_at_rate": {
            f"{rate:g}": float(iou(flat, (rates[:, :, k] >= THRESHOLD).ravel())) for k, rate in enumerate(table.rates)
        },
        "trained": int(trained.sum()),
        "cells": int(trained.size),
        "seed_std": float(table.best.std(axis=2, ddof=1).mean()) if table.best.shape[2] > 1 else None,
    }


def _errors(predicted: Any, constant: Any, best: FloatArray) -> tuple[float | None, float | None]:
    """Standard errors of the IoU and of its lead, over resampled cells and seeds."""
    cells = best.reshape(-1, best.shape[2])
    flags = [np.ascontiguousarray(flag, dtype=float).ravel() for flag in (predicted, constant)]

    def score(flag: Any, accuracy: Any) -> Any:
        return iou(flag > 0.5, accuracy.mean(-1) >= THRESHOLD)

    def lead(one: Any, two: Any, accuracy: Any) -> Any:
        return score(one, accuracy) - score(two, accuracy)

    shared: dict[str, Any] = {"method": "percentile", "n_resamples": 999, "vectorized": True}
    return (
        cluster_bootstrap(score, flags[0], cells, **shared).standard_error,
        cluster_bootstrap(lead, *flags, cells, **shared).standard_error,
    )
