r"""z-scores of a prediction over seeds, layer by layer.

    z_l = (x̄_l - p_l)/(σ_l/√R_l)     σ_l theory's standard deviation of one network, or
    t_l = (x̄_l - p_l)/(s_l/√R_l)     s_l estimated from the R_l networks that have a finite value.

Both come back as equivalent normal deviates, z = Φ⁻¹(F(t)), so that ±1.96 always means 5 %: with 8 seeds a t of 4.8 is
a z of 3.1.

What is assumed. Seeds are independent networks, and one network's value is normal: then both are exact at every R. The
logarithms that theory predicts are skewed to the left (γ = -0.3 to -0.5 for ln sin²θ) and their averages over few seeds
still are. How often 8 true seeds reach a two-sided level, over that level, measured with 10^5 sets each:

| ln sin²θ after            | known σ          | known σ, γ       | estimated σ      |
|---------------------------|------------------|------------------|------------------|
| level                     | 1e-2  1e-3  1e-4 | 1e-2  1e-3  1e-4 | 1e-2  1e-3  1e-4 |
| 20 layers of 128, from π/4| 1.0   1.1   1.1  | 1.0   0.9   1.2  | 1.2   1.3   1.4  |
| 20 layers of 32, from π/4 | 1.1   1.3   1.4  | 1.0   0.9   0.9  | 1.3   1.8   2.2  |
| 1 layer of 16, θ → 0      | 1.2   2.0   4.9  | 1.2   1.9   3.8  | 0.9   1.0   0.8  |

Single tails are off by more, known σ by up to 3 to the left at 1e-3, an estimated one to the right. Pass theory's
`skewness` where it is known. The price of an estimated σ is power: among 80 comparisons at 1e-3 together 8 seeds need
an error of 10.8 standard errors (Student), with theory's σ 4.4.

Layers of one network are strongly dependent: correct for their number with `holm`, which allows it, and never ask
whether the z of different layers scatter like independent ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtr

from ..errors import DomainError
from ..gaussian.arguments import shown
from ..result import BoolArray, FloatArray, IntArray, Result, Status, render_table, shown_layers
from .checks import LEAST, array_of_reals
from .tails import skewed_tails


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedScores(Result):
    """Predicted beside measured over seeds; arrays of the shape of one network's values, (...).

    Attributes
    ----------
    z : ndarray, shape (...)
        Equivalent normal deviate; NaN where too few seeds have a value.
    statistic : ndarray, shape (...)
        z with known σ, Student's t with an estimated one.
    p_value : ndarray, shape (...)
        Two-sided; 1 where too few seeds have a value.
    estimate, standard_error, prediction, error : ndarray, shape (...)
        x̄, σ/√R or s/√R, p, and x̄ - p.
    rival_error : ndarray, shape (...), or None
        x̄ minus the rival theory's prediction.
    replicates : ndarray of int, shape (...)
        Seeds with a finite value.
    degrees_of_freedom : ndarray, shape (...)
        R - 1; infinite with known σ.
    """

    z: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    estimate: FloatArray
    standard_error: FloatArray
    prediction: FloatArray
    error: FloatArray
    rival_error: FloatArray | None
    replicates: IntArray
    degrees_of_freedom: FloatArray

    def __str__(self) -> str:
        """The scores as a table, layer by layer."""
        columns = [self.estimate, self.prediction, self.error, self.standard_error]
        names = ["layer", "measured", "predicted", "error", "s.e."]
        if self.rival_error is not None:
            columns.append(self.rival_error)
            names.append("rival's error")
        flat = [np.atleast_1d(column).ravel() for column in (*columns, self.z)]
        rows = [
            [str(layer), *(f"{column[layer - 1]:.4g}" for column in flat[:-1]), f"{flat[-1][layer - 1]:+.2f}"]
            for layer in shown_layers(flat[0].size)
        ]
        seeds = f"{int(self.replicates.min())}" + (
            "" if np.ptp(self.replicates) == 0 else f" to {int(self.replicates.max())}"
        )
        known = bool(np.isinf(self.degrees_of_freedom).all())
        title = f"{seeds} seeds, {'known variance' if known else 'variance estimated: z from Student t'}"
        return render_table(title, [*names, "z"], rows, [f"note: {text}" for text in self.status.messages])


def seed_scores(samples: Any, mean: Any, *, std: Any = None, skewness: Any = 0.0, rival: Any = None) -> SeedScores:
    r"""z-scores and p-values of predicted means over seeds, with known or estimated variance.

    Parameters
    ----------
    samples : array_like, shape (R, ...)
        One row a network (for instance R seeds x L layers). Entries that are NaN or infinite (networks that died) are
        left out of their column and counted.
    mean : array_like, shape (...) or a number
        Predicted means, given that a network has a value.
    std : array_like, positive, optional
        Theory's standard deviation of one network, same shape or a number. None: estimated, and then Student's t.
    skewness : array_like
        Theory's skewness of one network; only with `std`.
    rival : array_like, optional
        Means that the rival theory predicts.

    Returns
    -------
    SeedScores

    Raises
    ------
    DomainError
        Shapes do not fit, `std` is not positive, a prediction is not finite, or skewness is given without `std`.

    References
    ----------
    Student (1908), Biometrika 6, 1.

    Examples
    --------
    >>> scores = seed_scores([[0.1, 2.0], [-0.1, 3.0]], [0.0, 0.0], std=1.0)
    >>> scores.z.round(3).tolist()
    [0.0, 3.536]
    """
    x = array_of_reals("samples", samples)
    if x.ndim == 0:
        raise DomainError(
            f"samples is the single number {shown(float(x))}.",
            "A mean was given instead of the values of the seeds.",
            "Give one row a seed; for a mean with its standard error use `compare`.",
        )
    shape = x.shape[1:]
    p = _fitting("mean", mean, shape)
    others = None if rival is None else _fitting("rival", rival, shape)
    known, gamma = _of_theory(std, skewness, shape)
    finite = np.isfinite(x)
    R = np.asarray(finite.sum(axis=0), dtype=np.int64)
    least = 2 if known is None else 1
    enough = least <= R
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = np.asarray(np.where(finite, x, 0.0).sum(axis=0) / R)
        spread = np.sqrt((np.where(finite, x - estimate, 0.0) ** 2).sum(axis=0) / (R - 1))
        standard_error = np.asarray((spread if known is None else known) / np.sqrt(R))
        error = np.asarray(estimate - p)
        statistic = np.where(error == 0, 0.0, error / standard_error)
        if known is None:
            nu = np.where(enough, R - 1.0, 1.0)
            lower, upper = stdtr(nu, statistic), stdtr(nu, -statistic)
        else:
            nu = np.full(shape, math.inf)
            lower, upper = skewed_tails(statistic, gamma / np.sqrt(R))
        smaller = np.minimum(lower, upper)
        z = np.where(upper < lower, -ndtri(smaller), ndtri(smaller))  # from the smaller tail: the other rounds to 1
    return SeedScores(
        status=Status(messages=_what_is_missing(finite, R, enough)),
        z=np.asarray(np.where(enough, z, np.nan)),
        statistic=np.asarray(np.where(enough, statistic, np.nan)),
        p_value=np.asarray(np.where(enough, np.minimum(2 * smaller, 1.0), 1.0)),
        estimate=estimate,
        standard_error=standard_error,
        prediction=p,
        error=error,
        rival_error=None if others is None else np.asarray(estimate - others),
        replicates=R,
        degrees_of_freedom=nu,
    )


def _of_theory(std: Any, skewness: Any, shape: tuple[int, ...]) -> tuple[FloatArray | None, FloatArray]:
    gamma = _fitting("skewness", skewness, shape)
    sigma = None if std is None else _fitting("std", std, shape)
    if (sigma is None and gamma.any()) or (sigma is not None and (sigma < LEAST).any()):
        raise DomainError(
            f"std = {shown(std, 80)}, skewness = {shown(skewness, 80)}.",
            "A standard deviation is not positive (1e-100 or more), or a skewness comes without theory's.",
            "Give both from theory, the standard deviation positive, or neither.",
        )
    return sigma, gamma


def _what_is_missing(finite: BoolArray, R: IntArray, enough: BoolArray) -> tuple[str, ...]:
    messages = []
    if not finite.all():
        messages.append(
            f"{int((~finite).sum())} of {finite.size} values are not finite and were left out; "
            f"{int((finite.shape[0] > R).sum())} of {R.size} means rest on fewer than {finite.shape[0]} seeds."
        )
    if not enough.all():
        messages.append(f"{int((~enough).sum())} of {R.size} means have too few seeds for a score.")
    return tuple(messages)


def _fitting(name: str, value: Any, shape: tuple[int, ...]) -> FloatArray:
    array = array_of_reals(name, value)
    if array.shape not in ((), shape) or not np.isfinite(array).all():
        raise DomainError(
            f"{name} has shape {array.shape}"
            + (" and holds NaN or infinite numbers" if not np.isfinite(array).all() else "")
            + f"; the values of one seed have shape {shape}.",
            "Layers are missing, or the first axis of samples is not the seeds.",
            f"Give one finite number, or an array of shape {shape}.",
        )
    return np.broadcast_to(array, shape).copy()
