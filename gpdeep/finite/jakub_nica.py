r"""The formulas of Jakub & Nica for the angle at finite width, for reproduction; safe at small angles.

With J_{a,b}(θ) the ReLU moments, q = 1 - 4J₁₁², g = 4J₂₂ - 1,

    X = 8J₁₁²J₂₂ - 8J₁₁⁴ + 4J₁₁² - 8J₁₁J₃₁ + J₂₂ + 1,        Y = 2J₁₁² - 4J₁₁J₃₁ + J₂₂ + 1,

    μ(θ, n)  = ln((n-1)q/(n+g)) + 4(J₂₂+1)/(n(1+g/n)²) - 4X/(n(1-1/n)²q²)
    σ²(θ, n) = 8(J₂₂+1)/(n(1+g/n)²) + 8X/(n(1-1/n)²q²) - 16Y/(n(1-1/n)(1+g/n)q)

    μ ≈ ln sin²θ - 2θ/(3π) - ρ(n),   ρ(n) = ln((n+5)/(n-1)) - 10n/(n+5)² + 6n/(n-1)²   (small θ),

and for small θ the papers write σ² ≈ 8n/(n+5)². (The limit of σ² as it stands is another: 0.1090 against 0.1075 at
n = 64. The density uses the papers' 8n/(n+5)².)

*Recursion* (2306.01513): x ← μ(θ, n_l), θ ← arcsin e^{x/2}; one number a layer.
*Density* (2302.09712, Approximation 2): a Gaussian kernel with the small-angle mean and variance, the first layer with
μ and σ².

Both are right to O(1/n) and wrong at O(1/n²) with large constants: ρ(n) = 2/n + 100/n² instead of 2/n + 8/n², variance
8/n - 80/n² instead of 8/n + 32/n². They are here for comparison; `method="grid"` is the one to use.

Evaluation: X = O(θ⁴) and Y, q = O(θ²) are differences of numbers of order one. In the moving frame the same terms are
X/q² = (4 - c₁)/4 and Y/q = (8(J₂₂+1) + 8X/q² - V₁)/16 with c₁, V₁ the coefficients of 1/n of the exact mean and
variance, which are stored to full precision (`gpdeep.finite.tables.series`).

References: Jakub & Nica (2023), arXiv 2302.09712, and (2023), arXiv 2306.01513; the formulas as in their public
notebooks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..gaussian import log_sin2_next, relu_moment
from ..gaussian.arguments import whole
from ..result import FloatArray
from .checks import check_width, check_widths
from .cumulants import check_open_angles
from .events import EventProbabilities
from .one_layer import Angles, Rule, normal_rule
from .tables import interpolation_matrix, load_table
from .uniform import log_tan2


def jakub_nica_step(theta: ArrayLike, n: int) -> tuple[FloatArray, FloatArray]:
    """μ(θ, n) and σ²(θ, n): the papers' mean and variance of ln sin²θ' after one layer.

    Parameters
    ----------
    theta : array_like
        Angles in (0, π], any shape.
    n : int
        Width, n ≥ 2.

    Returns
    -------
    mu, sigma2 : ndarray, the shape of `theta`

    Raises
    ------
    DomainError
        n < 2 or an angle outside (0, π].

    Examples
    --------
    >>> mu, sigma2 = jakub_nica_step(1e-4, 64)
    >>> print(f"{mu:.6f} {sigma2:.6f}")
    -18.473998 0.109002
    """
    theta = check_open_angles(theta)
    n = check_width(n, minimum=2)
    table = load_table("series")
    flat = theta.ravel()
    to_theta = interpolation_matrix(table["theta"], flat)
    c1, v1 = to_theta @ table["mean"][0], to_theta @ table["variance"][0]
    j22 = np.asarray(relu_moment(2, 2, flat))
    g = 4 * j22 - 1
    x_q2 = (4 - c1) / 4
    y_q = (8 * (j22 + 1) + 8 * x_q2 - v1) / 16
    length = (j22 + 1) / (n * (1 + g / n) ** 2)
    det = x_q2 / (n * (1 - 1 / n) ** 2)
    mu = np.log((n - 1) / (n + g)) + log_sin2_next(flat) + 4 * length - 4 * det
    sigma2 = 8 * length + 8 * det - 16 * y_q / (n * (1 - 1 / n) * (1 + g / n))
    return mu.reshape(theta.shape), sigma2.reshape(theta.shape)


def rho(n: int) -> float:
    """ρ(n), the papers' drift of ln sin²θ at small angles; 2/n + 100/n² + ..."""
    return float(np.log((n + 5) / (n - 1)) - 10 * n / (n + 5) ** 2 + 6 * n / (n - 1) ** 2)


def jakub_nica_recursion(
    widths: Any, theta0: ArrayLike = np.pi / 2, *, legacy_input_step: int | None = None
) -> FloatArray:
    """The papers' prediction of ln sin²θ_l for each layer, shape (L, *theta0.shape).

    Parameters
    ----------
    widths : sequence of int, shape (L,)
        Hidden widths, each at least 2.
    theta0 : float or array_like
        Initial angles in (0, π].
    legacy_input_step : int, optional
        Apply one more step with this width first. The authors' training notebook does so with the input dimension,
        that is, a ReLU layer that the network does not have; give it only to reproduce their figure.

    Raises
    ------
    DomainError
        A width below 2 or an angle out of range.

    Examples
    --------
    >>> round(float(jakub_nica_recursion([100] * 100)[-1]), 3)
    -6.723
    """
    layers = [check_width(n, minimum=2) for n in check_widths(widths).tolist()]
    if legacy_input_step is not None:
        layers = [whole("legacy_input_step", legacy_input_step, 2, 10**6), *layers]
    theta, path = check_open_angles(theta0), []
    x = 2 * np.log(np.sin(theta))
    for n in layers:
        mu, _ = jakub_nica_step(np.maximum(theta, 1e-100), n)
        x = np.minimum(np.where(theta > 1e-100, mu, x - rho(n)), 0.0)
        theta = np.maximum(np.arcsin(np.exp(x / 2)), 1e-300)
        path.append(x)
    return np.array(path[legacy_input_step is not None :])


def density_first_layer(angles: Angles, n: int, spacing: float) -> Rule:
    """The first layer of Approximation 2: a normal law with μ and σ²."""
    theta = np.maximum(angles.theta, 1e-100)
    mu, sigma2 = jakub_nica_step(theta, n)
    return _normal_layer(mu - 2 * np.log(np.sin(theta)) + angles.log_sin2, np.sqrt(sigma2))


def density_layer(angles: Angles, n: int, spacing: float) -> Rule:
    """The later layers of Approximation 2: the small-angle mean and variance."""
    mu = angles.log_sin2 - 2 / (3 * np.pi) * angles.theta - rho(n)
    return _normal_layer(mu, np.full_like(mu, np.sqrt(8 * n) / (n + 5)))


def _normal_layer(mu: FloatArray, sigma: FloatArray) -> Rule:
    """A normal law of ln sin², cut at 0."""
    x, weight = normal_rule(mu, sigma)
    nothing = np.zeros_like(mu)
    events = EventProbabilities(nothing, nothing, nothing)
    return Rule(log_tan2(np.minimum(x, -1e-5)), weight, events, np.stack([nothing, nothing]))
