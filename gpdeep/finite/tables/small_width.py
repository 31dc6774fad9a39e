r"""Compute ``small_width.npz``: the law of one layer of 2 to 24 neurons, by simulation with an exact anchor.

    python -m gpdeep.finite.tables.small_width OUT.npz --jobs 2

For every width n and angle θ in `THETA` layers of n neurons are drawn; pairs that died, collapsed or became orthogonal
are dropped (their probabilities are known exactly), and of the others are kept

* the quantiles of  ln tan²θ' - c(θ),  c(θ) = 2 ln sin(θ/2) - 4 ln cos(θ/2),  at the probabilities expit(`LOGIT`);
* the first four cumulants of  ln(sin²θ'/sin²θ).

The shift c carries both singularities (θ → 0, where tan²θ' ∝ θ², and θ → π, where a single common neuron makes
tan²θ' ∝ (π-θ)^-4), so what is stored is smooth in θ.

Variance reduction. All angles see the same neurons, a vanishing one among them, whose law is known exactly
(`gpdeep.finite.small_angle`). With β(θ) the regression coefficient of ln(sin²θ'/sin²θ) on its value at θ → 0, the
error seen at θ → 0 is taken off: β times for quantiles, β^k times for the cumulant of order k. The row θ = 0 is the
exact law itself. Standard errors come from independent groups of batches, treated alike.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from ...activations import activation
from ..backend import Normal
from ..frame import Frame, frame_step
from ..one_layer import Angles
from ..small_angle import small_angle_cdf, small_angle_cumulants

WIDTHS = range(2, 25)
THETA = 1.5 * (1 - np.cos(np.pi * np.arange(25) / 24))  # Chebyshev-Lobatto nodes on [0, 3]
LOGIT = np.linspace(-12.0, 12.0, 49)

_SAMPLED = np.array([1e-9, *THETA[1:]])
_EDGES = np.linspace(-60.0, 60.0, 12001)
_ELEMENTS = 2**16  # neurons in one batch: the arrays stay in cache
_GROUPS = 20

Array = np.ndarray[Any, Any]


def replay(drawn: Array) -> Normal:
    """A source of normal numbers that gives out arrays drawn before, so that all angles see the same neurons."""
    stream = iter(drawn)

    def normal(shape: tuple[int, ...]) -> Array:
        return np.asarray(next(stream))

    return normal


def simulate(n: int, batches: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Histograms of ln tan²θ' - c(θ), power sums of R = ln(sin²θ'/sin²θ), and sums of R(0), R(0)², R, R(0)R."""
    relu = activation("relu")
    counts = np.zeros((len(THETA), len(_EDGES) - 1))
    powers, products = np.zeros((len(THETA), 5)), np.zeros((len(THETA), 5))
    rows = _ELEMENTS // n
    for _ in range(batches):
        drawn = rng.standard_normal((2, rows, 1, n))
        for i, theta in enumerate(_SAMPLED):
            frame = Frame(np.full((rows, 1), np.cos(theta)), np.full((rows, 1), np.log(np.sin(theta))))
            step = frame_step(xp, replay(drawn), frame, n, relu, n)
            kept = ~(step.dead | step.collapsed | step.orthogonal)[:, 0]
            log_sin, cos = step.frame.log_sin[:, 0], np.where(kept, step.frame.cos[:, 0], 1.0)
            x = 2 * (log_sin - np.log(np.sin(theta)))
            y = (2 * (log_sin - np.log(cos)) - Angles(theta, 2 * np.log(np.sin(theta))).shift)[kept]
            cell = np.clip((y - _EDGES[0]) / (_EDGES[1] - _EDGES[0]), 0, len(_EDGES) - 2)
            counts[i] += np.bincount(cell.astype(int), minlength=len(_EDGES) - 1)
            powers[i] += [np.sum(x[kept] ** power) for power in range(5)]
            if i == 0:
                x0, kept0 = x, kept
            both = kept & kept0
            products[i] += [
                both.sum(),
                x0[both].sum(),
                (x0**2)[both].sum(),
                x[both].sum(),
                (x0 * x)[both].sum(),
            ]
    return counts, powers, products


def quantiles(counts: Array) -> Array:
    """The quantiles at expit(LOGIT) of a histogram, interpolated in the logit of the distribution function."""
    p = np.cumsum(counts)[:-1] / np.sum(counts)
    inside = (p > 0) & (p < 1)
    return np.asarray(np.interp(LOGIT, np.log(p[inside] / (1 - p[inside])), _EDGES[1:-1][inside]))


def exact_quantiles(n: int) -> Array:
    """The quantiles of ln tan²θ' - c(θ) at θ → 0: those of ln(χ²_{k-1}/χ²_k), plus 2 ln 2."""
    roots = [brentq(lambda r, p=p: float(small_angle_cdf(n, r)) - p, -80, 80, xtol=1e-12) for p in expit(LOGIT)]
    return np.asarray(np.array(roots) + 2 * np.log(2))


def cumulants(powers: Array) -> Array:
    """The first four cumulants from power sums of orders 0..4, along the last axis."""
    m1, m2, m3, m4 = (powers[..., k] / powers[..., 0] for k in range(1, 5))
    var = m2 - m1**2
    k3 = m3 - 3 * m1 * m2 + 2 * m1**3
    k4 = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4 - 3 * var**2
    return np.stack([m1, var, k3, k4], axis=-1)


def table_of_width(n: int, samples: float, seed: int) -> dict[str, Array]:
    """Quantiles (25, 49), cumulants (25, 4) and their standard errors for one width."""
    rng = np.random.default_rng([seed, n])
    batches = max(1, int(np.ceil(samples * 16 / (_GROUPS * _ELEMENTS))))
    groups = [simulate(n, batches, rng) for _ in range(_GROUPS)]
    counts, powers, products = (np.sum(item, axis=0) for item in zip(*groups, strict=True))
    number, x0, x00, x, x0x = products.T
    beta = (x0x / number - x0 * x / number**2) / (x00 / number - (x0 / number) ** 2)
    sampled_quantiles = np.array([quantiles(row) for row in counts])
    exact = small_angle_cumulants(n)
    return {
        "quantiles": sampled_quantiles - beta[:, None] * (sampled_quantiles[0] - exact_quantiles(n)),
        "cumulants": controlled(powers, beta, exact),
        "cumulants_se": np.std([controlled(group[1], beta, exact) for group in groups], axis=0, ddof=1)
        / np.sqrt(_GROUPS),
        "samples": np.array(_GROUPS * batches * (_ELEMENTS // n)),
    }


def controlled(powers: Array, beta: Array, exact: Array) -> Array:
    """Cumulants less β^k times the error seen at θ → 0 (orders 1 to 3; the fourth has no exact value there)."""
    sampled = cumulants(powers)
    error = np.append(sampled[0, :3] - exact, 0.0)
    return np.asarray(sampled - beta[:, None] ** np.arange(1, 5) * error)


def main() -> None:
    """Run the simulation and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=float, default=3e6, help="at width 16; others get samples * 16 / width")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        tables = list(pool.map(partial(table_of_width, samples=options.samples, seed=options.seed), WIDTHS))
    arrays: dict[str, Any] = {name: np.array([table[name] for table in tables]) for name in tables[0]}
    arrays |= {"widths": np.array(WIDTHS), "theta": THETA, "logit": LOGIT, "seed": np.array(options.seed)}
    np.savez_compressed(options.out, **arrays)


if __name__ == "__main__":
    main()
