r"""Two inputs of equal length through an infinitely wide network of two-slope activations, with biases.

With q the variance of a pre-activation, m = (a² + b²)/2 = E φ(Z)², and d = 1 - cos of an angle,

    q' = σ_w² m q + σ_b²,      d_pre' = σ_w² m q d_post/q',      d_post = 1 - cos(angle map of θ_pre),

since the bias adds the same constant to all three entries of the covariance. Starting from |x|² = n_0: q¹ = σ_w² +
σ_b² and d_pre¹ = σ_w² (1 - cos θ₀)/q¹. The state is d, never the correlation: it keeps its digits as the inputs merge.

Cho & Saul (2009), §2.1, for the kernel; Poole et al. (2016), eq. 3-5, for the recursion.
"""

from __future__ import annotations

import numpy as np

from ..activations import TwoSlope
from ..gaussian import iterate_angle_map, log_sin2_next, one_minus_cos_next
from ..result import FloatArray


def pair_path(
    theta0: FloatArray, phi: TwoSlope, sigma_w: FloatArray, sigma_b: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Post-activation angle and its ln sin², both of shape (L, P), and the variances q^l, shape (L,).

    Parameters
    ----------
    theta0 : ndarray, shape (P,)
        Angles between inputs with |x|² = n_0, in [0, π].
    phi : TwoSlope
        The activation.
    sigma_w, sigma_b : ndarray, shape (L,)
        Standard deviations of each layer's weights (times √fan-in) and biases.

    Examples
    --------
    Without bias it is the angle map, whatever σ_w is:

    >>> import numpy as np
    >>> from gpdeep.activations import activation
    >>> angle, _, q = pair_path(np.array([np.pi / 2]), activation("relu"), np.full(2, 2**0.5), np.zeros(2))
    >>> [round(float(x), 6) for x in angle[:, 0]], [round(float(x), 6) for x in q]
    ([1.24685, 1.054421], [2.0, 2.0])
    """
    depth = len(sigma_w)
    if not sigma_b.any():  # the angle map alone, in coordinates that reach any angle
        angle, log_sin2 = iterate_angle_map(theta0, depth, phi.kink)
        gain = np.where(np.arange(depth) == 0, 1.0, phi.second_moment)
        return angle, log_sin2, np.asarray(np.exp(np.cumsum(np.log(sigma_w**2 * gain))))
    angle, log_sin2 = np.empty((depth, len(theta0))), np.empty((depth, len(theta0)))
    variances = np.empty(depth)
    mean_square, half = 1.0, np.sin(theta0 / 2)  # of the activations before; sin(θ/2) of their angle
    for layer, (weight, bias) in enumerate(zip(sigma_w**2, sigma_b**2, strict=True)):
        q = weight * mean_square + bias
        theta = (
            2 * np.arcsin(np.clip(np.sqrt(weight * mean_square / q) * half, 0.0, 1.0)) if bias else 2 * np.arcsin(half)
        )
        log_sin2[layer] = log_sin2_next(theta, phi.kink)
        half = np.sqrt(np.asarray(one_minus_cos_next(theta, phi.kink)) / 2)
        angle[layer] = 2 * np.arcsin(np.clip(half, 0.0, 1.0))
        variances[layer] = q
        mean_square = phi.second_moment * q
    return angle, log_sin2, variances
