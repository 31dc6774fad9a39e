r"""Newton's method in a trust region, in the metric of the tangent kernel: from any weights to a stationary point.

Each iteration minimises the exact quadratic model of F over |s|_M ≤ radius by conjugate gradients, M the Gauss-Newton
matrix of where it stands. λ is small, so that the outputs z are nearly held while weights move along a curved valley:
what z(x + s) misses of the linear z + Js is taken back by a Gauss-Newton step, at most twice, where that lowers F,

    s ← s - M⁻¹ Jᵀ (∂²C/∂Z²/λ) (z(x + s) - z - Js)

(a second-order correction; without it, what takes 90 iterations is not done after 200). The step is taken where F falls
by a ten-thousandth of what the model says. The radius then becomes 2.5 times as large where the model was good and the
boundary stood in the way, 0.4 times where it was poor, 0.25 times where no step was taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import DomainError
from ..result import FloatArray
from .network_objective import Objective, Parameters, Point
from .steihaug import steihaug
from .tangent_kernel import GaussNewton

MAX_ITERATIONS = 300  # of one stage
_ACCEPTED, _POOR, _GOOD = 1e-4, 0.25, 0.75
_GREW, _SHRANK, _REFUSED = 2.5, 0.4, 0.25
_CORRECTIONS = 2
_ROUGHEST = 0.1  # tolerance of conjugate gradients far from a solution
_MOST_PRODUCTS = 200
_LEAST_RADIUS = 1e-12  # relative to the first
_ROUNDING = 1e-13  # changes of F smaller than this, relative to F, are rounding


@dataclass(frozen=True)
class Descent:
    """Where it ended, and what that took: iterations, and products with the Hessian."""

    point: Point
    iterations: int
    products: int


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # such steps are refused, and not converged is said
def descend(objective: Objective, start: Parameters, tol: float, most: int) -> Descent:
    """From `start` until the stationarity residual is at most `tol`, for at most `most` iterations.

    Raises
    ------
    DomainError
        F is not finite at the start.
    """
    point = objective.at(start)
    with np.errstate(over="ignore", invalid="ignore"):
        if not math.isfinite(point.value):
            raise DomainError(
                "With the weights that training starts from, the objective is not finite.",
                "The activation grows so fast, or weights are so large, that representations overflow.",
                "Scale the data, give smaller start weights, or another activation.",
            )
    metric = GaussNewton(point)
    slope = metric.length_of(point.gradient)
    radius, least = slope, _LEAST_RADIUS * slope  # as long as the Gauss-Newton step
    iterations = products = 0
    while point.residual > tol and iterations < most and radius > least:
        iterations += 1
        tolerance = min(_ROUGHEST, math.sqrt(slope / math.sqrt(2 * point.value)))
        found = steihaug(point.hessian_times, metric.solve, point.gradient, radius, tolerance, _MOST_PRODUCTS)
        products += found.products
        with np.errstate(over="ignore", invalid="ignore"):  # such steps are refused
            trial = _corrected(metric, found.step)
            ratio = _ratio(point, trial, found.predicted)
        if not ratio >= _ACCEPTED:
            radius *= _REFUSED
            continue
        if ratio < _POOR:
            radius *= _SHRANK
        elif ratio > _GOOD and found.on_boundary:
            radius *= _GREW
        point, metric = trial, GaussNewton(trial)
        slope = metric.length_of(point.gradient)
    return Descent(point, iterations, products)


def _corrected(metric: GaussNewton, step: FloatArray) -> Point:
    """The point after a step, and after taking back what is not linear in the outputs."""
    point = metric.point
    o = point.objective
    flat = o.flat(point.parameters) + step
    trial = o.at(o.unflat(flat, point.parameters))
    _, linear = point.tangent(o.unflat(step, point.parameters))
    for _ in range(_CORRECTIONS):
        beyond = trial.Z - point.Z - linear
        if not np.isfinite(beyond).all():
            break
        flat = flat - metric.solve(metric.pulled_back(beyond))
        again = o.at(o.unflat(flat, point.parameters))
        if not again.value < trial.value:
            break
        trial = again
    return trial


def _ratio(point: Point, trial: Point, predicted: float) -> float:
    """How much F fell, over what the model says; where both are rounding, 1 if the residual fell."""
    if predicted > _ROUNDING * abs(point.value):
        return (point.value - trial.value) / predicted
    return 1.0 if trial.residual < point.residual else 0.0
