"""A batch of equal networks: what is predicted of them, how they start, what training makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpdeep.result import FloatArray, IntArray
from validation.data import prepared

from .design import widths_of
from .predictors import layers_of, mean_log_sin2, predictors

_ROWS, _PAIRS = 256, 128


def trial(specifications: Sequence[Mapping[str, Any]], device: str, data: str) -> list[dict[str, Any]]:
    """One result for each member; they share widths, activation, steps and batch."""
    from gpdeep.nn import Ensemble
    from gpdeep.nn.ensembles.statistics import ensemble_statistics
    from gpdeep.nn.ensembles.training import train_ensemble
    from gpdeep.nn.one_thread import one_thread

    one = specifications[0]
    split = prepared(data, one["root"]).split
    X, Y = split.train_x, split.train_y
    widths, phi = widths_of(one), one["phi"]
    layers = layers_of(phi)
    pairs = different_pairs(Y)
    theta = angles(X, pairs)
    seeds = [np.random.SeedSequence([member["root"], member["seed"], *widths]) for member in specifications]
    with one_thread():
        nets = Ensemble(
            ",".join(map(str, (X.shape[1], *widths, split.classes))),
            len(specifications),
            activation=layers.phi,
            sigma_w=layers.sigma_w,
            sigma_b=layers.sigma_b,
            first_sigma_w=layers.first_sigma_w,
            last_sigma_w=layers.sigma_w,
            seeds=seeds,
            device=device,
        )
        start = ensemble_statistics(nets, X[:_ROWS], pairs=pairs)
        said = predictors(widths, X.shape[1], split.classes, float(np.median(theta)), phi)
        said["start"] = mean_log_sin2(widths, theta, phi)
        said["start_doubled"] = mean_log_sin2([2 * n for n in widths], theta, phi)
        found = [
            {"predicted": said, "angle": _mean(log_sin2), "lost": int((~np.isfinite(log_sin2)).sum())}
            for log_sin2 in start.log_sin2[:, -1]
        ]
        if not one["steps"]:
            return found
        trained = train_ensemble(
            nets,
            X,
            Y,
            steps=one["steps"],
            lr=[member["rate"] for member in specifications],
            batch=one["batch"],
            test=(split.test_x, split.test_y),
            own_batches=True,
            rng=one["root"],
        )
    test = trained.test_accuracy
    for m, result in enumerate(found):
        result["train"], result["test"] = float(trained.accuracy[m]), None if test is None else float(test[m])
        result["diverged"], result["died_at"] = not bool(trained.alive[m]), int(trained.died_at[m])
        result["chance"] = 1 / split.classes
    return found


def different_pairs(labels: IntArray) -> IntArray:
    """Pairs of the first rows that have different labels and no row in common, shape (pairs, 2).

    >>> different_pairs(np.array([0, 1, 1, 1] * 100))[:2].tolist()
    [[0, 129], [3, 132]]
    """
    half = min(len(labels), _ROWS) // 2
    first = np.arange(half)
    second = half + (first + 1) % half
    chosen = labels[first] != labels[second]
    return np.stack([first[chosen], second[chosen]], axis=1)[:_PAIRS]


def angles(X: FloatArray, pairs: IntArray) -> FloatArray:
    """Angles between the rows of pairs."""
    u, v = (X[pairs[:, k]] / np.linalg.norm(X[pairs[:, k]], axis=1, keepdims=True) for k in (0, 1))
    return np.asarray(2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1)))


def _mean(log_sin2: FloatArray) -> float | None:
    """Over surviving pairs; None where there are none."""
    alive = log_sin2[np.isfinite(log_sin2)]
    return float(alive.mean()) if alive.size else None
