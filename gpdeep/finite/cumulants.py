r"""Cumulants of ln sin²θ' after one ReLU layer, at any angle θ and width n ≥ 2.

    (κ₁, κ₂, κ₃) of R = ln(sin²θ'/sin²θ), given that the pair survives (is neither dead nor collapsed).

Two sources, one anchor.

* n < 24: a table from simulation (`gpdeep.finite.tables.small_width`), whose events of exact orthogonality are put
  back with their exact probability; standard errors are stored with it.
* n ≥ 24: expansions in 1/n to order P = 6 (`gpdeep.finite.tables.series`), anchored on the exact law at θ → 0:

    κ₁ = ln(sin²θ'_∞/sin²θ) + κ₁⁰(n) + Σ_p [d_p(θ) - d_p(0)] n⁻ᵖ
    κ₂ = κ₂⁰(n) Σ_p V_p(θ) n⁻ᵖ / Σ_p V_p(0) n⁻ᵖ
    κ₃ = Σ_p K_p(θ) n⁻ᵖ + (κ₃⁰(n) - Σ_p K_p(0) n⁻ᵖ) (V_1(θ)/8)³

  with κ⁰(n) from `small_angle_cumulants`. Only the determinant term d of the mean depends on θ, because both inputs'
  lengths have the same law at every angle. At θ → 0 all three are exact for every n.

Beyond θ = 3 the coefficients are those at 3: there |ln sin²θ'| < 1e-4 in the mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..gaussian import log_sin2_next
from ..gaussian.arguments import angles
from ..result import FloatArray
from .checks import check_width
from .events import EventProbabilities, event_probabilities
from .small_angle import small_angle_cumulants
from .tables import interpolation_matrix, load_table

TABLE_WIDTH = 23
"""Up to this width the one-layer law is tabulated; beyond it expanded in 1/n."""


def log_sin(theta: FloatArray) -> FloatArray:
    """ln sin θ for θ in (0, π]."""
    return np.asarray(np.log(np.sin(theta)))


def angle_cumulants(theta: ArrayLike, n: int) -> FloatArray:
    """The first three cumulants of ln sin²θ' after a ReLU layer of n neurons, given survival.

    Parameters
    ----------
    theta : array_like
        Angle before the layer, in (0, π], any shape.
    n : int
        Width, from 2 to 10^6.

    Returns
    -------
    ndarray, shape (3, *theta.shape)
        Mean, variance and third cumulant of ln sin²θ'.

    Raises
    ------
    DomainError
        n is not an integer from 2 to 10^6, or an angle is outside (0, π].

    Notes
    -----
    Error estimates of mean and variance: `one_step_errors` of this file. Cost: one small matrix product.

    Examples
    --------
    At a vanishing angle the law is exact, here for two neurons: mean shift -2 ln 2, variance 2π²/3.

    >>> import numpy as np
    >>> mean, var, _ = angle_cumulants(1e-12, 2)
    >>> np.allclose([mean - 2 * np.log(1e-12), var], [-2 * np.log(2), 2 * np.pi**2 / 3], rtol=1e-9, atol=0)
    True
    """
    theta = check_open_angles(theta)
    flat = theta.ravel()
    log_sin2 = 2 * log_sin(flat)
    kappa = survivor_cumulants(flat, log_sin2, check_width(n, minimum=2))
    kappa[0] += log_sin2
    return kappa.reshape(3, *theta.shape)


def survivor_cumulants(theta: FloatArray, log_sin2: FloatArray, n: int) -> FloatArray:
    """The first three cumulants of R = ln(sin²θ'/sin²θ) given survival; θ may underflow to 0, ln sin²θ may not."""
    if n > TABLE_WIDTH:
        return _series(theta, n)
    kappa = _table(theta, n)
    kappa[0] += log_sin2
    kappa = mix_in_zeros(kappa, event_probabilities(theta, n))
    kappa[0] -= log_sin2
    kappa[1] = np.maximum(kappa[1], 0.0)  # the table's noise, 1e-5, exceeds the variance near θ = π
    return kappa


def proper_cumulants(theta: FloatArray, n: int) -> FloatArray:
    """The first three cumulants of R = ln(sin²θ'/sin²θ), given that nothing exact happens, n > `TABLE_WIDTH`."""
    shift = 2 * log_sin(theta)
    kappa = _series(theta, n)
    kappa[0] += shift
    kappa = mix_in_zeros(kappa, event_probabilities(theta, n), remove=True)
    kappa[0] -= shift
    return kappa


def one_step_errors(theta: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Estimates of the errors of κ₁ and κ₂ at angles θ, both of the shape of θ; zero at θ → 0, where the law is exact.

    From the table: three standard errors. From the expansion: the next term, taken as what depends on θ in the last
    one, times the ratio of the last two; plus what the anchor at θ → 0 leaves at θ → π, in proportion to the drift.
    """
    if n < 2:
        return np.zeros_like(theta), np.zeros_like(theta)
    if n <= TABLE_WIDTH:
        table = load_table("small_width")
        se = 3 * table["cumulants_se"][n - 2]
        se = np.where(table["theta"][:, None] > 0, se, 0.0)
        return np.interp(theta, table["theta"], se[:, 0]), np.interp(theta, table["theta"], se[:, 1])
    table = load_table("series")
    orders = len(table["mean"])
    to_theta = interpolation_matrix(table["theta"], theta)
    det = np.abs(table["det"] - table["det"][:, :1])
    var = np.abs(table["variance"] - table["variance"][:, :1] * table["variance"][0] / 8)
    next_det, next_var = (to_theta @ term[-1] * (term[-1].max() / term[-2].max()) for term in (det, var))
    left = abs(small_angle_cumulants(n)[0] - table["mean"][:, 0] @ float(n) ** -np.arange(1.0, 1 + orders))
    scale = float(n) ** -(orders + 1)
    return np.abs(next_det) * scale + left * np.abs(to_theta @ det[0]) / det[0].max(), np.abs(next_var) * scale


def mix_in_zeros(kappa: FloatArray, event: EventProbabilities, remove: bool = False) -> FloatArray:
    """Cumulants of a law of ln sin² with exact zeros (orthogonal pairs) mixed in, or taken out again."""
    survival = event.proper + event.orthogonal
    ratio = event.proper / survival
    if remove:  # where nothing proper is left, at θ = π, any law will do
        ratio = 1 / np.where(ratio > 1e-12, ratio, 1.0)
    mean, var, third = kappa
    m2 = var + mean**2
    m3 = third + 3 * mean * var + mean**3
    m1, m2, m3 = ratio * mean, ratio * m2, ratio * m3
    small = np.abs(ratio - 1) < 1e-14  # nothing to mix: keep the digits
    mixed = np.stack([m1, m2 - m1**2, m3 - 3 * m1 * m2 + 2 * m1**3])
    return np.where(small, kappa, mixed)


def _series(theta: FloatArray, n: int) -> FloatArray:
    """Cumulants of R by the anchored expansion."""
    table = load_table("series")
    powers = float(n) ** -np.arange(1.0, 1 + len(table["mean"]))
    exact = small_angle_cumulants(n)
    theta = np.maximum(theta, 1e-300)  # R does not depend on θ down there
    to_theta = interpolation_matrix(table["theta"], theta)
    det, variance, third = (to_theta @ table[name].T for name in ("det", "variance", "third"))
    zero_det, zero_variance, zero_third = (table[name][:, 0] @ powers for name in ("det", "variance", "third"))
    mean = log_sin2_next(theta) - 2 * log_sin(theta) + exact[0] + det @ powers - zero_det
    return np.stack(
        [
            mean,
            exact[1] * (variance @ powers) / zero_variance,
            third @ powers + (exact[2] - zero_third) * (variance[:, 0] / 8) ** 3,
        ]
    )


def _table(theta: FloatArray, n: int) -> FloatArray:
    """Cumulants of R given that nothing exact happens, from the table."""
    table = load_table("small_width")
    to_theta = interpolation_matrix(table["theta"], theta)
    return np.ascontiguousarray((to_theta @ table["cumulants"][n - 2, :, :3]).T)


def check_open_angles(theta: ArrayLike) -> FloatArray:
    """Angles in (0, π] as a float array."""
    array = np.asarray(angles(theta))
    if (array == 0).any():
        raise DomainError(
            f"{(array == 0).sum()} of {array.size} angles are 0.",
            "The two inputs are parallel, and stay so: ln sin² is -∞.",
            "Give angles above 0; 1e-150 is fine.",
        )
    return array
