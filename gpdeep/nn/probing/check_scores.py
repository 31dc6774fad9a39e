"""z-scores of all statistics of all layers, judged together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ...agreement import holm, van_der_waerden
from ...finite.layer_statistics import STATISTICS, LayerStatistics
from ...result import FloatArray, Status, StatusCode
from .check_report import CheckReport, LayerNumbers, PathLengths


def _all_among_seeds(odd: Any, seeds: Any, drawn: Any) -> FloatArray:
    """The chance that, of networks of one law, all `odd` ones are among the seeds: what a constant law is judged by."""
    with np.errstate(all="ignore"):  # of columns without a network
        log_p = [
            np.where(odd > k, np.log((seeds - k) / (seeds + drawn - k)), 0.0) for k in range(int(odd.max(initial=0)))
        ]
    return np.asarray(np.exp(np.sum(log_p, axis=0)) * np.ones(np.shape(odd)))


def report_of(
    theory: LayerStatistics,
    measured: Mapping[str, FloatArray],
    alpha: float,
    doubts: list[str],
    path_length: PathLengths | None,
    options: Mapping[str, Any],
) -> CheckReport:
    """z-scores of all four statistics, judged together."""
    tables: dict[str, dict[str, FloatArray]] = {key: {} for key in ("predicted", "std", "measured", "z", "p")}
    seeds = len(measured["variance"])
    for name in STATISTICS:
        drawn = np.where(np.isfinite(getattr(theory, name)), getattr(theory, name), np.nan)
        seen = np.where(np.isfinite(measured[name]), measured[name], np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of layers in which no network is alive
            mean, std, found = np.nanmean(drawn, axis=0), np.nanstd(drawn, axis=0, ddof=1), np.nanmean(seen, axis=0)
        constant = np.isfinite(mean) & ~(std > 1e-12 * np.maximum(np.abs(mean), 1e-300))
        z = van_der_waerden(seen, drawn)
        p = 2 * ndtr(-np.abs(z))
        odd = np.abs(seen - mean) > 1e-9 * np.maximum(np.abs(mean), 1.0)
        by_chance = _all_among_seeds(odd.sum(axis=0), np.isfinite(seen).sum(axis=0), np.isfinite(drawn).sum(axis=0))
        p[constant], z[constant] = by_chance[constant], (np.sign(mean - found) * ndtri(by_chance / 2) + 0.0)[constant]
        tables["predicted"][name], tables["std"][name] = mean, std
        tables["measured"][name], tables["z"][name], tables["p"][name] = found, z, p
    flat = np.concatenate([np.where(np.isnan(tables["p"][name]), 1.0, tables["p"][name]) for name in STATISTICS])
    adjusted = np.asarray(holm(flat)).reshape(len(STATISTICS), -1)
    departs = adjusted < alpha
    first = int(np.argmax(departs.any(axis=0))) if departs.any() else None
    departing = () if first is None else tuple(n for n, d in zip(STATISTICS, departs[:, first], strict=True) if d)
    agrees = first is None
    messages = [*doubts]
    if first is not None:
        parts = [
            f"{name} {tables['measured'][name][first]:.4g}, predicted {tables['predicted'][name][first]:.4g}"
            for name in departing
        ]
        messages.insert(0, f"Layer {first + 1} departs from the prediction: {'; '.join(parts)}.")
    return CheckReport(
        status=Status(StatusCode.OK if agrees else StatusCode.OUTSIDE_VALIDITY, tuple(messages)),
        predicted=LayerNumbers(**tables["predicted"]),
        predicted_std=LayerNumbers(**tables["std"]),
        measured=LayerNumbers(**tables["measured"]),
        z_scores=LayerNumbers(**tables["z"]),
        p_adjusted=LayerNumbers(**dict(zip(STATISTICS, adjusted, strict=True))),
        agrees=agrees,
        first_departure=None if first is None else first + 1,
        departing=departing,
        alpha=alpha,
        seeds=seeds,
        path_length=path_length,
        options=options,
    )
