r"""What theory says about the activations of a plain chain, from what was measured at its two ends.

    q_i^{l+1} = V_l(q_i^l)          from the measured q_i^1 of each input i
    |g_i^l|² = χ₁(q_i^l) |g_i^{l+1}|²        from the measured gradient at the last activation L

V and χ₁ with the φ of layer l. The gradient is that with respect to all pre-activations of a layer: per unit it is
E (∂S/∂h^l)² = χ₁ (n_{l+1}/n_l) E (∂S/∂h^{l+1})², and of the norm the widths drop out, since weights of variance
σ_w²/n_l bring each of the n_l units its n_l-th part.

What a network of widths n_l deviates from that, for one input, given its first mean square q¹: the variance K_l of the
pre-activations is the Markov chain of `gpdeep.sparse.escape_probability`, and q^l = K_l χ²/n_l. The first χ² is known
with q¹, which V hands on; to leading order in 1/n

    var q^l = var K_l + 2 K_l²/n_l - (2 K_1²/n_1) Π_{k<l} V'(K_k)².

Assumptions: dense layers, or convolutions of any stride with weights of variance σ_w²/fan-in whose padding is
circular (zeros lower both at the border); nothing else between the activations; at finite width leading order in 1/n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...activations import Activation
from ...errors import DomainError, GpdeepError
from ...meanfield import variance_map
from ...meanfield.fixed_point import points_of
from ...meanfield.variance import VarianceMap
from ...result import FloatArray
from ...sparse import escape_probability, shares
from ..reading.recording import SiteRecord

_ESCAPED = 0.02  # where more have escaped, the spread of the others is cut short
_RANGE = (1e-100, 1e100)  # of the variances whose moments stay within float64


@dataclass(frozen=True)
class ProbePrediction:
    """Means over inputs, one entry for each activation."""

    q: FloatArray
    sparsity: FloatArray
    linear: FloatArray
    clipped: FloatArray
    log_grad_norm2: FloatArray
    q_std: FloatArray
    sparsity_std: FloatArray

    @classmethod
    def unknown(cls, layers: int) -> ProbePrediction:
        """NaN throughout."""
        return cls(*(np.full(layers, np.nan) for _ in cls.__annotations__))


def predict(records: Sequence[SiteRecord], sigma_w: float, sigma_b: float) -> tuple[ProbePrediction, list[str]]:
    """The prediction for the chain of these activations, and what should be said about it."""
    found, messages = ProbePrediction.unknown(len(records)), []
    q, log_chi = records[0].q, np.zeros(len(records))
    for k, record in enumerate(records):
        found.q[k] = q.mean()
        usable = np.isfinite(q) & (q > _RANGE[0]) & (q < _RANGE[1])
        if record.phi is None or not usable.all() or q.max() > record.phi.largest_variance:
            messages.append(f"The prediction ends at '{record.name}': {_reason(record, q, usable)}.")
            log_chi[k:] = np.nan
            break
        found.sparsity[k], found.linear[k], found.clipped[k] = _shares(record.phi, q)
        V = variance_map(record.phi, sigma_w=sigma_w, sigma_b=sigma_b)
        log_chi[k] = np.log(V.chi_1(q)).mean()
        q = V(q)
    else:
        _add_spread(found, records, sigma_w, sigma_b)
    log_chi[-1] = 0.0  # the last layer's own slope stands in its measured gradient
    found.log_grad_norm2[:] = records[-1].log_grad_norm2.mean() + np.cumsum(log_chi[::-1])[::-1]
    return found, messages


def _add_spread(found: ProbePrediction, records: Sequence[SiteRecord], sigma_w: float, sigma_b: float) -> None:
    """Fill the standard deviations, where the network is dense, of one φ, and the law of its variances is known."""
    phi, q = records[0].phi, found.q
    if phi is None or not all(record.dense and record.phi == phi for record in records):
        return
    V, n = variance_map(phi, sigma_w=sigma_w, sigma_b=sigma_b), np.array([record.units for record in records])
    try:
        law = escape_probability(
            phi, sigma_w=sigma_w, sigma_b=sigma_b, width=n.tolist(), q=float(q[0]), threshold=_wall(V, float(q[0]))
        )
    except GpdeepError:  # no law of this φ, or a width beyond its quadrature
        return
    handed_on = np.concatenate([[1.0], np.cumprod(V.slope(q[:-1]) ** 2)])
    q_var = law.q_std**2 + 2 * q**2 / n - handed_on * 2 * q[0] ** 2 / n[0]
    known = law.probability <= _ESCAPED
    found.q_std[known] = np.sqrt(np.maximum(q_var, 0.0))[known]
    found.sparsity_std[known] = law.sparsity_std[known]


def _wall(V: VarianceMap, q: float) -> float:
    """The first unstable fixed point above `q`, or ten times q: there the variance is none of this basin's."""
    return min([10 * q, *(point.q for point in points_of(V).points if not point.stable and point.q > q * (1 + 1e-6))])


def _reason(record: SiteRecord, q: FloatArray, usable: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> str:
    if record.phi is None:
        return f"the function of {record.kind} is not known (give it as activations={{module: φ}})"
    if not usable.all():
        return f"there an input has the variance {q[~usable][0]:g}"
    return f"there an input has the variance {q.max():g}, beyond what moments of {record.phi.name} are known for"


def _shares(phi: Activation, q: FloatArray) -> tuple[float, float, float]:
    """Mean shares that are zero, linear and clipped; NaN where it is not known which pieces of φ are flat."""
    try:
        found = shares(phi, q)
    except DomainError:
        return (np.nan,) * 3
    return float(found.zero.mean()), float(found.linear.mean()), float(found.clipped.mean())
