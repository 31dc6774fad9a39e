r"""A three-parameter law for the angle after one layer:   tan²θ' = e^m Γ_a/Γ_b  with independent Gamma variables.

In y = ln tan²θ' the density is closed, with r = y - m,

    f(y) = exp(a r - (a + b) ln(1 + e^r)) / Beta(a, b).

As θ → 0 the exact law is of this form given the number k of active neurons (a = (k-1)/2, b = k/2); near θ = π/2 it is
bounded and skewed in ln sin²θ', which m and the transformation x = -ln(1 + e^-y) reproduce. (m, a, b) are fixed by the
first three cumulants of x = ln sin²θ': Newton's method with the exact Jacobian, whose entries are covariances

    ∂E[F]/∂a = Cov(F, r - ln(1 + e^r)),   ∂E[F]/∂b = Cov(F, -ln(1 + e^r)),   ∂x/∂m = cos²θ' = 1/(1 + e^y).

Expectations are trapezoidal sums in t, r = ln(a/b) + sinh(t)/√(ab/(a+b)), which converge geometrically.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..result import FloatArray

_T = np.linspace(-3.2, 3.2, 49)
_TOLERANCE = 1e-9  # on cumulants in units of the standard deviation: far below the error of the cumulants themselves
_ITERATIONS = 15  # five to eight do where a law exists


@dataclass(frozen=True)
class BetaPrimeLaw:
    """The laws with parameters m, a, b, each of shape (J,)."""

    m: FloatArray
    a: FloatArray
    b: FloatArray

    def rule(self) -> tuple[FloatArray, FloatArray]:
        """Nodes y and weights of a quadrature rule for each law, both of shape (J, 49)."""
        r, weight = _nodes(self.a, self.b)
        return self.m[:, None] + r, weight


def match_cumulants(mean: FloatArray, var: FloatArray, third: FloatArray) -> tuple[BetaPrimeLaw, FloatArray]:
    """The laws whose ln sin²θ' has the given cumulants, each of shape (J,), and the residual left in each.

    Residuals are in units of the standard deviation; those above 1e-6 mean that the cumulants are out of the family's
    reach (possible for obtuse angles, where few neurons are common to both inputs).
    """
    slope = np.clip(-np.expm1(mean), 0.02, None)  # dx/dy at the mean is cos²θ'
    parameters = np.stack([mean - np.log(slope), *2 * [np.log(2 * slope**2 / var + 0.5)]])
    scale = np.stack([np.sqrt(var), var, var**1.5])
    target = np.stack([mean, var, third])
    residual = np.full_like(mean, np.inf)
    best = parameters.copy()
    active = np.arange(len(mean))  # those not yet matched
    for _ in range(_ITERATIONS):
        values, jacobian = _cumulants(*parameters)
        error = (values - target[:, active]) / scale[:, active]
        size = np.abs(error).max(axis=0)
        better = size < residual[active]
        best[:, active[better]], residual[active[better]] = parameters[:, better], size[better]
        open_ = size > _TOLERANCE
        if not open_.any():
            break
        active, parameters = active[open_], parameters[:, open_]
        step = _solve(jacobian[:, :, open_] / scale[:, None, active], -error[:, open_])
        step *= 1 / np.maximum(1.0, np.abs(step / np.array([[2.0], [1.0], [1.0]])).max(axis=0))
        parameters = np.clip(parameters + step, [[-1e4], [-5.0], [-5.0]], [[60.0], [30.0], [30.0]])
    return BetaPrimeLaw(best[0], np.exp(best[1]), np.exp(best[2])), residual


def _nodes(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes r and weights, shape (J, 49)."""
    r = np.log(a / b)[:, None] + np.sqrt((a + b) / (a * b))[:, None] * np.sinh(_T)
    log_weight = a[:, None] * r - (a + b)[:, None] * np.logaddexp(0.0, r) + np.log(np.cosh(_T))
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return r, weight / weight.sum(axis=1, keepdims=True)


def _cumulants(m: FloatArray, log_a: FloatArray, log_b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cumulants of x, shape (3, J), and their Jacobian in (m, ln a, ln b), shape (3, 3, J)."""
    a, b = np.exp(log_a), np.exp(log_b)
    r, weight = _nodes(a, b)
    y = m[:, None] + r
    x = -np.logaddexp(0.0, -y)

    def expect(values: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("jq,jq->j", weight, values))

    mean = expect(x)
    d = x - mean[:, None]
    var, third = expect(d**2), expect(d**3)
    cos2 = np.exp(-np.logaddexp(0.0, y))
    softplus = np.logaddexp(0.0, r)
    columns = [np.stack([expect(cos2), 2 * expect(d * cos2), 3 * (expect(d**2 * cos2) - var * expect(cos2))])]
    for scale, score in ((a, r - softplus), (b, -softplus)):
        score = score - expect(score)[:, None]
        first = expect(score * d)
        columns.append(scale * np.stack([first, expect(score * d**2), expect(score * d**3) - 3 * var * first]))
    return np.stack([mean, var, third]), np.stack(columns, axis=1)


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solutions of J systems of three equations, damped where the matrix is singular."""
    stacked = np.moveaxis(matrix, -1, 0)
    normal = np.swapaxes(stacked, 1, 2) @ stacked
    trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    damped = np.linalg.det(stacked)[:, None, None] ** 2 < 1e-24 * trace**3
    regular = np.where(damped, np.eye(3), stacked)
    exact = np.linalg.solve(regular, right.T[:, :, None])[:, :, 0]
    ridge = np.linalg.solve(normal + 1e-8 * trace * np.eye(3), (np.swapaxes(stacked, 1, 2) @ right.T[:, :, None]))
    return np.asarray(np.where(damped[:, :, 0], ridge[:, :, 0], exact).T)
