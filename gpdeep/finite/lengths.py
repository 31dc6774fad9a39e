r"""Exact laws of lengths and of gradient norms in ReLU networks.

Forward. Per layer |φ(h^l)|²/n_l = (σ_w²/2) (|φ(h^{l-1})|²/n_{l-1}) · (2/n_l) χ²_k with k ~ Bin(n_l, 1/2) active
neurons, independent of everything before: on an active neuron the pre-activation is half-normal. So

    ln(|φ^l|²/n_l) - ln(|x|²/n_0) = Σ_{j≤l} [ ln(σ_w²/2) + ln((2/n_j) χ²_{k_j}) ]   with independent terms.

Backward. Let δ^l be the gradient of one network output a·h^{L+1}, |a| fixed, with respect to h^l. Given all layers
below, W^{l+1}ᵀδ^{l+1} is an isotropic Gaussian vector of variance σ_w²|δ^{l+1}|²/n_l: across the direction of φ^l
because the weights there are independent of the forward pass; along it because the entries of δ^{l+1} have independent
signs, which turn the half-normal pre-activations back into normal ones. The mask of layer l keeps k ~ Bin(n_l, 1/2) of
its entries. Hence, for l = L..1,

    ln|δ^l|² - ln|a|² = Σ_{j≥l} [ ln(σ_w²/2) + ln((2/n_j) χ²_{k_j}) ],

the same terms as forward, summed from the output end, and independent of the lengths before layer l: the gradient of a
weight matrix, |∂/∂W^l|_F² = |δ^l|²|φ^{l-1}|², has one and the same law for all layers up to a factor.

Given that the input is alive every k is at least 1. Without that condition E[χ²-factor] = 1 and E[(·)²] = 1 + 5/n.

Assumptions: ReLU, no bias, Gaussian weights; exact at every width. Hanin & Nica (2018), arXiv 1812.05994; Hanin
(2018), arXiv 1801.03744, for the mean and the variance; the log-moments are digamma functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import loggamma, psi, zeta

from ..gaussian.arguments import whole
from ..result import FloatArray, IntArray, Result, render_table, shown_layers
from .binomial import active_counts
from .checks import check_sigmas, check_widths

_FREQUENCIES = 512
_COUNTS_PER_SIGMA = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class LengthLaw(Result):
    """The law of a log squared length, layer by layer; all given that the input stays alive.

    Attributes
    ----------
    widths : ndarray of int, shape (L,)
        Hidden widths.
    mean, std : ndarray, shape (L,)
        Mean and standard deviation of the log squared length at layer l.
    survival : ndarray, shape (L,)
        P(the input is alive after layers 1..l).
    log_gain : ndarray, shape (L,)
        ln(σ_w²/2) of each layer.
    backward : bool
        False: ln mean square activation, relative to the input's. True: ln|δ^l|² of a unit output gradient.
    """

    widths: IntArray
    mean: FloatArray
    std: FloatArray
    survival: FloatArray
    log_gain: FloatArray
    backward: bool

    def __str__(self) -> str:
        """The law layer by layer, as a table."""
        rows = [
            [str(layer), *(f"{column[layer - 1]:.4f}" for column in (self.mean, self.std, self.survival))]
            for layer in shown_layers(len(self.mean))
        ]
        name = "ln|δ|²" if self.backward else "ln length²"
        return render_table(
            "gradient" if self.backward else "length", ["layer", f"mean {name}", "std", "survival"], rows
        )

    def density(self, points: int = 1024) -> tuple[FloatArray, FloatArray]:
        """The exact density of the total: values, shape (points,), and density there.

        One inverse Fourier transform of the product of the layers' characteristic functions
        (4/n)^{it} E_k[Γ(k/2 + it)/Γ(k/2)].
        """
        points = whole("points", points, 2, 10**5)
        end = 0 if self.backward else -1
        mean, std = float(self.mean[end]), float(self.std[end])
        half = 12 * std
        t = np.pi / half * np.arange(_FREQUENCIES, dtype=float)
        phi = np.exp(1j * t * (self.log_gain.sum() - mean))
        for n, count in zip(*np.unique(self.widths, return_counts=True), strict=True):
            phi *= _characteristic_function(int(n), t) ** int(count)
        value = np.linspace(-half, half, points, endpoint=False)
        phase = phi[:, None] * np.exp(-1j * t[:, None] * value)
        phase[0] *= 0.5
        return mean + value, np.maximum(phase.real.sum(axis=0) / half, 0.0)


def _characteristic_function(n: int, t: FloatArray) -> Any:
    """E exp(it ln((2/n) χ²_k)) given k ≥ 1, for frequencies t; counts are thinned where their law is smooth."""
    k, weight, _ = active_counts(n, 1)
    step = max(1, int(np.sqrt(n) / 2 / _COUNTS_PER_SIGMA))
    k, weight = k[::step], weight[::step] / weight[::step].sum()
    ratio = np.exp(loggamma(k[:, None] / 2 + 1j * t) - loggamma(k[:, None] / 2))
    return np.exp(1j * t * np.log(4 / n)) * (weight @ ratio)


@lru_cache(maxsize=4096)
def log_chi2_cumulants(n: int) -> tuple[float, float, float]:
    """Mean and variance of ln((2/n) χ²_k), k ~ Bin(n, 1/2) given k ≥ 1, and P(k = 0) = 2⁻ⁿ.

    Mean ≈ -5/(2n), variance ≈ 5/n.

    Examples
    --------
    One neuron is active or the input is dead: ln(2χ²₁) has mean ψ(1/2) + ln 4 and variance π²/2.

    >>> mean, var, lost = log_chi2_cumulants(1)
    >>> print(f"{mean:.10f} {var:.10f} {lost}")
    -0.5772156649 4.9348022005 0.5
    """
    k, weight, lost = active_counts(n, 1)
    conditional = psi(k / 2) + np.log(4 / n)
    mean = float(weight @ conditional)
    return mean, float(weight @ zeta(2, k / 2) + weight @ (conditional - mean) ** 2), lost


def length_law(widths: Any, *, sigma_w: float | tuple[float, ...] | None = None) -> LengthLaw:
    r"""The law of the log mean square activation, ln(|φ(h^l)|²/n_l) - ln(|x|²/n_0), of a ReLU network.

    Parameters
    ----------
    widths : sequence of int, shape (L,)
        Hidden widths, 1 to 10^6.
    sigma_w : float or tuple of float, shape (L,)
        Standard deviation of weights times √fan-in, of all layers or of each; default √2.

    Returns
    -------
    LengthLaw

    Raises
    ------
    DomainError
        A width or σ_w is out of range.

    Notes
    -----
    Exact. Cost O(√n) for each distinct width.

    Examples
    --------
    >>> law = length_law([100] * 100)
    >>> print(f"{law.mean[-1]:.3f} {law.std[-1]:.3f}")
    -2.542 2.279
    """
    return _law(widths, sigma_w, backward=False)


def gradient_law(widths: Any, *, sigma_w: float | tuple[float, ...] | None = None) -> LengthLaw:
    r"""The law of ln|δ^l|², δ^l = gradient of a unit combination of outputs with respect to h^l, of a ReLU network.

    Parameters
    ----------
    widths : sequence of int, shape (L,)
        Hidden widths, 1 to 10^6.
    sigma_w : float or tuple of float, shape (L,)
        Standard deviation of weights times √fan-in, of all layers or of each; default √2.

    Returns
    -------
    LengthLaw
        Entry l-1 of its arrays belongs to hidden layer l and sums the layers l..L; given that the input is alive.

    Raises
    ------
    DomainError
        A width or σ_w is out of range.

    References
    ----------
    Hanin & Nica (2018), arXiv 1812.05994; Hanin (2018), arXiv 1801.03744.

    Examples
    --------
    The gradient at the first layer has gone through the same factors as the activation at the last:

    >>> forward, backward = length_law([32] * 10), gradient_law([32] * 10)
    >>> bool(abs(backward.std[0] - forward.std[-1]) < 1e-14)
    True
    """
    return _law(widths, sigma_w, backward=True)


def _law(widths: Any, sigma_w: float | tuple[float, ...] | None, backward: bool) -> LengthLaw:
    layers = check_widths(widths)
    sigma = check_sigmas("sigma_w", np.sqrt(2.0) if sigma_w is None else sigma_w, len(layers), positive=True)
    cumulant = {n: log_chi2_cumulants(n) for n in np.unique(layers).tolist()}
    mean, var, lost = np.array([cumulant[n] for n in layers.tolist()]).T
    gain = 2 * np.log(sigma) - np.log(2)
    mean = mean + gain

    def running(values: FloatArray) -> FloatArray:
        return np.cumsum(values[::-1])[::-1] if backward else np.cumsum(values)

    return LengthLaw(
        widths=layers,
        mean=running(mean),
        std=np.sqrt(running(var)),
        survival=np.exp(np.cumsum(np.log1p(-lost))),
        log_gain=gain,
        backward=backward,
    )
