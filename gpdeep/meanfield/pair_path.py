r"""Two inputs of equal length through an infinitely wide network, any activation, layer by layer.

With q the variance of a pre-activation and y = sin(θ/2) for the angle θ of two of them, so that 1 - cos θ = 2 y²,

    q' = α² q + β² (σ_w² E φ² + σ_b²),      y'² = y² [α² q + β² σ_w² r(θ)]/q',      r(θ) = gap(θ)/(1 - cos θ),

gap(θ) being what E φ(u)φ(v) lacks to E φ²: the bias adds the same constant to all three entries of the covariance.
Dense layers have α = 0, β = 1; after layer normalisation φ sees the variance 1. The angle of the post-activations is
y_post² = y² r(θ)/E φ². Starting from |x|² = n_0: q¹ = σ_w² + σ_b², y¹² = σ_w² sin²(θ₀/2)/q¹. The state is y, never
the correlation: it keeps its digits as the inputs merge, and down to angles of 1e-300.

Orthogonal weights have the same limit. Cho & Saul (2009), §2.1; Poole et al. (2016), eq. 3-5, for the recursion; Yang &
Schoenholz (2017) for residual layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..activations import Activation, TwoSlope
from ..errors import DomainError, MemoryBudgetError
from ..gaussian import iterate_angle_map
from ..gaussian.arguments import supplement
from ..result import FloatArray
from .gap_ratio import GapRatio

_BUDGET = 2**31  # bytes of a path
_SETTLED = 4 * np.finfo(np.float64).eps  # a variance, or an angle, that moves by no more stays where it is
_SILENT = 1e-250  # E φ² below this
_LARGEST_Q = 1e100  # fourth powers of pre-activations stay within float64


def pair_path(
    theta0: FloatArray,
    phi: Activation,
    sigma_w: FloatArray,
    sigma_b: FloatArray,
    alpha: FloatArray | None = None,
    beta: FloatArray | None = None,
    layer_norm: np.ndarray[Any, Any] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Post-activation angle and its ln sin², both of shape (L, P), and the variances q^l, shape (L,).

    Parameters
    ----------
    theta0 : ndarray, shape (P,)
        Angles between inputs with |x|² = n_0, in [0, π].
    phi : Activation
    sigma_w, sigma_b : ndarray, shape (L,)
        Standard deviations of each layer's weights (times √fan-in) and biases.
    alpha, beta : ndarray, shape (L,), optional
        Residual coefficients of each layer; 0 and 1, the default, for dense ones. Those of the first do not enter.
    layer_norm : ndarray of bool, shape (L,), optional
        Layers whose pre-activations are normalised before φ; none by default.

    Raises
    ------
    DomainError
        The variance leaves [1e-100, 1e100] on the way, where its size matters.
    MemoryBudgetError
        The path of all angles takes more than 2 GiB.

    Notes
    -----
    *Conditioning.* Relative errors of y are those of r (1e-15 to 1e-13) times the depth at worst; odd φ without bias
    are folded to angles up to π/2, others lose digits of π - θ near π.
    *Cost.* One variance of φ and P values of r a layer (`gpdeep.meanfield.gap_ratio`), 0.1 ms and less where tables
    serve many layers: the variance has settled, drifts slowly, or plays no role.

    Examples
    --------
    Without bias it is the angle map, whatever σ_w is:

    >>> import numpy as np
    >>> from gpdeep.activations import activation
    >>> angle, _, q = pair_path(np.array([np.pi / 2]), activation("relu"), np.full(2, 2**0.5), np.zeros(2))
    >>> [round(float(x), 6) for x in angle[:, 0]], [round(float(x), 6) for x in q]
    ([1.24685, 1.054421], [2.0, 2.0])
    """
    depth, count = len(sigma_w), len(theta0)
    a2 = np.zeros(depth) if alpha is None else alpha**2
    b2 = np.ones(depth) if beta is None else beta**2
    normalised = np.zeros(depth, dtype=bool) if layer_norm is None else layer_norm
    if isinstance(phi, TwoSlope) and not (sigma_b.any() or a2.any() or normalised.any()) and (b2 == 1).all():
        angle, log_sin2 = iterate_angle_map(theta0, depth, phi.kink)  # in coordinates that reach any angle
        gain = np.where(np.arange(depth) == 0, 1.0, phi.second_moment)
        return angle, log_sin2, np.asarray(np.exp(np.cumsum(np.log(sigma_w**2 * gain))))
    if 16 * depth * count > _BUDGET:
        raise MemoryBudgetError(
            f"{depth} layers of {count} angles take {16 * depth * count / 2**30:.1f} GiB; the budget is 2 GiB.",
            "The whole path is kept, every layer of every angle.",
            f"Use up to {_BUDGET // (16 * count)} layers, or fewer angles.",
        )
    mirrored = (theta0 > np.pi / 2) if phi.odd and not sigma_b.any() else np.zeros(count, dtype=bool)
    start = np.where(mirrored, supplement(theta0), theta0)
    angle, log_sin2, variances = np.empty((depth, count)), np.empty((depth, count)), np.empty(depth)
    ratio = GapRatio(phi, count)
    q = second = 1.0
    r: Any = 1.0
    y = np.sin(start / 2)
    for layer, (w2, bias2) in enumerate(zip((sigma_w**2).tolist(), (sigma_b**2).tolist(), strict=True)):
        if layer == 0:
            after, factor = w2 + bias2, w2
        else:
            after = a2[layer] * q + b2[layer] * (w2 * second + bias2)
            factor = a2[layer] * q + b2[layer] * w2 * r
        if after == 0:  # φ was 0 to all digits: nothing is left to tell apart
            angle[layer:], log_sin2[layer:], variances[layer:] = 0.0, -np.inf, 0.0
            break
        before, y = y, np.minimum(y * np.sqrt(factor / after), 1.0)
        still = layer > 0 and abs(after - q) <= _SETTLED * q and normalised[layer] == normalised[layer - 1]
        if still and (np.abs(y - before) <= _SETTLED * y).all():
            y = before
            angle[layer], log_sin2[layer], variances[layer] = angle[layer - 1], log_sin2[layer - 1], q
            continue
        q = q if abs(after - q) <= _SETTLED * q else float(after)
        if not 1 / _LARGEST_Q < q < _LARGEST_Q:
            raise DomainError(
                f"The variance of the pre-activations reaches {q:.1e} in layer {layer + 1} at infinite width.",
                "sigma_w or a residual block makes it grow or shrink in each layer.",
                "Use sigma_w and residual coefficients that keep the variance, or fewer layers.",
            )
        second, r = ratio(2 * np.arcsin(y), 1.0 if normalised[layer] else q)
        if second < _SILENT:  # φ does not respond at this variance: all outputs are 0 to all digits
            second, r = 0.0, 0.0
        post = y * np.sqrt(r / second) if second > 0 else 0 * y
        variances[layer] = q
        angle[layer], log_sin2[layer] = _angle_of(np.minimum(post, 1.0))
    return np.where(mirrored, np.pi - angle, angle), log_sin2, variances


def _angle_of(y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """θ and ln sin²θ for y = sin(θ/2)."""
    cos = 1 - 2 * y**2
    with np.errstate(divide="ignore"):
        far = 2 * np.log(2 * y * np.sqrt((1 - y) * (1 + y)))
    near = np.log1p(-np.minimum(cos**2, 0.5625))
    return 2 * np.arcsin(y), np.where(np.abs(cos) <= 0.75, near, far)
