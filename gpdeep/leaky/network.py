r"""A leaky ResNet of L layers: representations, momenta, and what a network trained to stationarity conserves.

    A_l = (1 - h_l) A_{l-1} + ρ_l W_l Sg(A_{l-1}),    h_l = ρ_l L̃,    Σ ρ_l = 1,    h_l < 1,    w_l = W_l/L̃
    B_{l-1} = (1 - h_l) B_l + h_l s'(A_{l-1}) ∘ (w_l[:, :w]ᵀ B_l),        B_L = -(1/λ) ∂C/∂A_L

Sg(A) = [s(A); β 1ᵀ]; A_l and B_l are w x N: rows are neurons, columns samples. The loss C(A_L) + (λ/2L̃) Σ ρ_l |W_l|² is
stationary when W_l = L̃ B_l Sg(A_{l-1})ᵀ. Put into the two recursions, that makes them A_l = A_{l-1} + h_l ∂h/∂B and
B_l = B_{l-1} - h_l ∂h/∂A at (A_{l-1}, B_l): symplectic Euler for the Hamiltonian flow of `geometry`, which conserves

    H_l = L̃ h(A_{l-1}, B_l),    h(A, B) = ½|B Sg(A)ᵀ|² - tr(B Aᵀ),    up to O(h_l);
    H_l - <A_l - A_{l-1}, B_l - B_{l-1}>/(2ρ_l)                        up to O(h_l²) where steps are equal.

The second is the first term of the backward error analysis of symplectic Euler (Hairer, Lubich & Wanner 2006, chapter
IX); the flow is that of A. Jacot and A. Kaiser (2024), arXiv:2405.17573.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..errors import DomainError, ValidityWarning
from ..gaussian.arguments import flag
from ..result import FloatArray
from .checks import check_effective_depth, check_matrix
from .geometry import Geometry, inner
from .network_arguments import geometry_of, layer_matrices, layer_steps, natural_weights, shaped_matrix

MEANINGLESS = 0.3  # from this stationarity residual on, energies of layers say nothing


def forward(
    X: Any, weights: Any, rho: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0
) -> FloatArray:
    """The representations A_0 = X, ..., A_L of a network.

        A_l = (1 - ρ_l L̃) A_{l-1} + ρ_l W_l Sg(A_{l-1})

    Parameters
    ----------
    X : array_like, shape (w, N)
        Columns are samples.
    weights : array_like, shape (L, w, w + 1)
        W_l; the last column multiplies the row of β. Shape (L, w, w) without bias.
    rho : array_like, shape (L,)
        Steps, positive, of sum 1.
    effective_depth : float
        L̃ > 0, with ρ_l L̃ < 1.
    activation : str, Activation or Nonlinearity
        s.
    bias : float
        β ≥ 0.

    Returns
    -------
    ndarray, shape (L + 1, w, N)

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or a step is as long as the leak.

    Examples
    --------
    Without weights every layer forgets the share ρ_l L̃:

    >>> forward([[1.0]], np.zeros((2, 1, 1)), [0.5, 0.5], 1.0, bias=0.0).ravel()
    array([1.  , 0.5 , 0.25])
    """
    depth = check_effective_depth(effective_depth)
    h = layer_steps(rho, depth)
    geometry = geometry_of(activation, bias)
    start = check_matrix("X", X)
    w = natural_weights(weights, len(h), start.shape[0], depth, geometry)
    return representations(start, w, h, geometry)


def backward(
    A: Any,
    end_momentum: Any,
    weights: Any,
    rho: Any,
    effective_depth: float,
    *,
    activation: Any = "relu",
    bias: float = 1.0,
) -> FloatArray:
    """The momenta B_0, ..., B_L = `end_momentum` along the representations `A` of a network.

        B_{l-1} = (1 - ρ_l L̃) B_l + ρ_l s'(A_{l-1}) ∘ (W_l[:, :w]ᵀ B_l)

    Parameters
    ----------
    A : array_like, shape (L + 1, w, N)
        From `forward`.
    end_momentum : array_like, shape (w, N)
        B_L = -(1/λ) ∂C/∂A_L; for C = |Y - R A_L|²/N it is (2/λN) Rᵀ(Y - R A_L).
    weights, rho, effective_depth, activation, bias
        Of the network, as in `forward`.

    Returns
    -------
    ndarray, shape (L + 1, w, N)

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or a step is as long as the leak.

    Examples
    --------
    >>> A = forward([[1.0]], np.zeros((2, 1, 1)), [0.5, 0.5], 1.0, bias=0.0)
    >>> backward(A, [[1.0]], np.zeros((2, 1, 1)), [0.5, 0.5], 1.0, bias=0.0).ravel()
    array([0.25, 0.5 , 1.  ])
    """
    depth = check_effective_depth(effective_depth)
    h = layer_steps(rho, depth)
    geometry = geometry_of(activation, bias)
    path = layer_matrices("A", A, len(h))
    w = natural_weights(weights, len(h), path.shape[1], depth, geometry)
    end = shaped_matrix("end_momentum", end_momentum, path.shape[1:])
    return momenta(geometry.phi.slope(path[:-1]), end, w, h)


def stationarity_residual(
    A: Any, B: Any, weights: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0
) -> float:
    """How far a network is from stationarity: the largest max_l |W_l - L̃ B_l Sg(A_{l-1})ᵀ| / |W_l|.

    Parameters
    ----------
    A, B : array_like, shape (L + 1, w, N)
        From `forward` and `backward`.
    weights, effective_depth, activation, bias
        Of the network, as in `forward`.

    Returns
    -------
    float
        0 at a stationary point. Energies mean something below about 0.01, and nothing above 0.3: a loss that looks
        converged says little, a network of width 60 had 1.2 to 2.8 after 3000 steps of Adam.

    Raises
    ------
    DomainError
        Shapes do not fit, or a number is not finite.

    Examples
    --------
    >>> A, B = np.ones((2, 1, 1)), np.ones((2, 1, 1))
    >>> stationarity_residual(A, B, [[[2.0]]], 1.0, bias=0.0)
    0.5
    """
    path, momentum, depth, geometry = _along(A, B, effective_depth, activation, bias)
    w = natural_weights(weights, len(path) - 1, path.shape[1], depth, geometry)
    return relative_distance(w, geometry.weights(path[:-1], momentum[1:]))


def layer_energies(
    A: Any,
    B: Any,
    weights: Any,
    rho: Any,
    effective_depth: float,
    *,
    activation: Any = "relu",
    bias: float = 1.0,
    corrected: bool = False,
) -> FloatArray:
    r"""The Hamiltonian of every layer in p-time, H_l.

        H_l = L̃ h(A_{l-1}, B_l),     corrected  H_l - <A_l - A_{l-1}, B_l - B_{l-1}>/(2ρ_l)

    -2H/L̃ is the rank of the bottleneck as the Hamiltonian sees it.

    Parameters
    ----------
    A, B : array_like, shape (L + 1, w, N)
        From `forward` and `backward`.
    weights, rho, effective_depth, activation, bias
        Of the network, as in `forward`.
    corrected : bool
        Take off what symplectic Euler adds to the energy in first order. Over equal steps the spread falls from O(1/L)
        to O(1/L²); over unequal ones it still falls, several times. The mean remains O(1/L) from that of L → ∞.

    Returns
    -------
    ndarray, shape (L,)

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or a step is as long as the leak.

    Warns
    -----
    ValidityWarning
        The stationarity residual is above 0.3.

    Examples
    --------
    A positive number that stays where it is, W = L̃: h = (ab)²/2 - ab is -1/2 at ab = 1, and the rank is 1.

    >>> A, B, W = np.full((3, 1, 1), 2.0), np.full((3, 1, 1), 0.5), np.full((2, 1, 1), 1.5)
    >>> -2 * layer_energies(A, B, W, [0.5, 0.5], 1.5, bias=0.0) / 1.5
    array([1., 1.])
    """
    path, momentum, depth, geometry = _along(A, B, effective_depth, activation, bias)
    h = layer_steps(rho, depth, len(path) - 1)
    w = natural_weights(weights, len(h), path.shape[1], depth, geometry)
    warn_if_meaningless(relative_distance(w, geometry.weights(path[:-1], momentum[1:])))
    return depth * natural_energies(path, momentum, h, geometry, flag("corrected", corrected))


def sample_invariant(
    A: Any, B: Any, weights: Any, rho: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0
) -> FloatArray:
    r"""What the a_i·b_i of each sample changes by in each layer, beyond what the bias adds.

        a_{l,i}·b_{l,i} - a_{l-1,i}·b_{l-1,i} - h_l β w_l[:, last]·b_{l,i}  =  h_l (w_l (s - s' ∘ a)_{l-1,i})·b_{l,i}

    Zero to rounding for activations with s(a) = s'(a) a, such as ReLU, and any weights, trained or not: a test of code
    that computes A and B.

    Parameters
    ----------
    A, B : array_like, shape (L + 1, w, N)
        From `forward` and `backward`.
    weights, rho, effective_depth, activation, bias
        Of the network, as in `forward`.

    Returns
    -------
    ndarray, shape (L, N)

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or a step is as long as the leak.

    Examples
    --------
    >>> W, rho = np.full((2, 1, 2), 3.0), [0.5, 0.5]
    >>> A = forward([[2.0, -1.0]], W, rho, 1.0)
    >>> B = backward(A, [[1.0, 1.0]], W, rho, 1.0)
    >>> sample_invariant(A, B, W, rho, 1.0)
    array([[0., 0.],
           [0., 0.]])
    """
    path, momentum, depth, geometry = _along(A, B, effective_depth, activation, bias)
    h = layer_steps(rho, depth, len(path) - 1)
    w = natural_weights(weights, len(h), path.shape[1], depth, geometry)
    change: FloatArray = np.diff(np.einsum("lai,lai->li", path, momentum), axis=0)
    if not geometry.bias:
        return change
    added: FloatArray = geometry.bias * h[:, None] * np.einsum("la,lai->li", w[:, :, -1], momentum[1:])
    return change - added


def representations(X: FloatArray, w: FloatArray, h: FloatArray, geometry: Geometry) -> FloatArray:
    """A_0..A_L from natural weights w_l = W_l/L̃ and natural steps h_l."""
    A = np.empty((len(h) + 1, *X.shape))
    A[0] = X
    for layer, (step, matrices) in enumerate(zip(h, w, strict=True)):
        A[layer + 1] = (1 - step) * A[layer] + step * (matrices @ geometry.features(A[layer]))
    return A


def momenta(slopes: FloatArray, end: FloatArray, w: FloatArray, h: FloatArray) -> FloatArray:
    """B_0..B_L = end from the slopes s'(A_0)..s'(A_{L-1}), shape (L, w, N)."""
    B = np.empty((len(h) + 1, *end.shape))
    B[-1] = end
    width = end.shape[0]
    for layer in range(len(h) - 1, -1, -1):
        pulled = w[layer, :, :width].T @ B[layer + 1]
        B[layer] = (1 - h[layer]) * B[layer + 1] + h[layer] * slopes[layer] * pulled
    return B


def natural_energies(
    A: FloatArray, B: FloatArray, h: FloatArray, geometry: Geometry, corrected: bool = False
) -> FloatArray:
    """h(A_{l-1}, B_l), or the corrected ones, shape (L,); H = L̃ h."""
    energy = geometry.hamiltonian(A[:-1], B[1:])
    return energy - inner(np.diff(A, axis=0), np.diff(B, axis=0)) / (2 * h) if corrected else energy


def relative_distance(w: FloatArray, stationary: FloatArray) -> float:
    """Max_l |w_l - stationary_l|/|w_l|; infinite where only w_l vanishes."""
    length = np.sqrt(inner(w, w))
    distance = np.sqrt(inner(w - stationary, w - stationary))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(distance > 0, distance / length, 0.0).max())


def warn_if_meaningless(residual: float, stacklevel: int = 3) -> None:
    """A ValidityWarning where energies of layers say nothing."""
    if not residual <= MEANINGLESS:
        warnings.warn(
            f"The stationarity residual is {residual:.2g}, so that the energies of layers say nothing.\n"
            "  likely cause: The network is not trained to a stationary point; its loss may look converged all the "
            "same.\n"
            f"  to change:    Train on, to a residual of 0.01 or less ({MEANINGLESS} at the very most).",
            ValidityWarning,
            stacklevel=stacklevel,
        )


def _along(
    A: Any, B: Any, effective_depth: Any, activation: Any, bias: Any
) -> tuple[FloatArray, FloatArray, float, Geometry]:
    """What all functions of A and B check."""
    path = layer_matrices("A", A)
    momentum = layer_matrices("B", B, len(path) - 1)
    if path.shape != momentum.shape:
        raise DomainError(
            f"A has shape {path.shape} and B {momentum.shape}.",
            "Each representation has a momentum of its own shape; they are of different networks.",
            "Give both of one network.",
        )
    return path, momentum, check_effective_depth(effective_depth), geometry_of(activation, bias)
