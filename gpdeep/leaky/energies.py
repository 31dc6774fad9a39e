r"""Kernel, Lagrangian, Hamiltonian, flow and cost of identity of a representation path, in p-time.

    dA/dp = -L̃A + W Sg(A),      Sg(A) = [φ(A); β 1ᵀ],      K_γ = Sgᵀ Sg + γ I,      0 ≤ p ≤ 1
    L(A, V) = |V + L̃A|²_{K_γ}/(2L̃),      |M|²_{K_γ} = tr[M K_γ⁻¹ Mᵀ],      V = dA/dp
    B = ∂L/∂V = (V + L̃A) K_γ⁻¹/L̃,      W = L̃ B Sg(A)ᵀ
    H(A, B) = (L̃/2)(|B Sgᵀ|² + γ|B|²) - L̃ tr(B Aᵀ),      dA/dp = ∂H/∂B,      dB/dp = -∂H/∂A

A is w x N: rows are neurons, columns are samples; W is w x (w + 1), its last column the bias (w x w if β = 0). L̃ is the
effective depth, the integral of L over p the action, the parameter norm that weight decay minimises. H is constant
along extremal paths. At the flow's own velocity, exactly,

    H = |dA/dp|²_{K_γ}/(2L̃) - (L̃/2) tr[A K_γ⁻¹ Aᵀ] = kinetic energy - (L̃/2) COI_γ,

so -2H/L̃ ≤ COI_γ everywhere, with equality where the path rests. Where γ > 0 only regularises the reading of a path
that obeys γ = 0, with h = H/L̃ at γ = 0 and its velocity dA/dt = (dA/dp)/L̃,

    -2h = COI_γ(A) - |dA/dt + γB|²_{K_γ} + γ|B|²      for every γ > 0.

Two more facts hold for φ(cx) = cφ(x), c > 0, along the flow in natural time t = L̃p:

    d(a_i·b_i)/dt = γ|b_i|² + β² Σ_j b_j·b_i      for each sample i,
    d|w|²/dt = 2|w_last|²      at γ = 0, w = W/L̃ and w_last its bias column: constant without bias.

All functions take batches (..., w, N). Jacot & Kaiser 2024, arXiv:2405.17573, for β = 1; other β and γ > 0 by the same
steps: γ > 0 gives every sample a private feature E of price |E|²/γ. The norm law with its factor 2 is derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DomainError
from ..result import FloatArray
from .checks import check_effective_depth, check_geometry, check_matrices, check_pair
from .geometry import Geometry, inner
from .row_space import OUTSIDE, BoolArray, RowSpace, frobenius

_AB = ("A", "B")


def kernel(A: Any, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0) -> FloatArray:
    r"""Inner products of the samples' features, K_γ = φ(A)ᵀφ(A) + β² 1 1ᵀ + γ I.

    Parameters
    ----------
    A : array_like, shape (..., w, N)
        Representations; columns are samples.
    activation : str or Activation
        φ, by name (``relu``, ``softplus:5``) or as an object; no mixture.
    bias : float
        β ≥ 0, the constant appended to the features.
    gamma : float
        γ ≥ 0, absolute.

    Returns
    -------
    ndarray, shape (..., N, N)

    Raises
    ------
    DomainError
        An argument is out of range, or not what its name says.

    Examples
    --------
    >>> kernel([[1.0, -1.0], [2.0, 3.0]], bias=0.5)
    array([[5.25, 6.25],
           [6.25, 9.25]])
    """
    geometry = check_geometry(activation, bias, gamma)
    return geometry.kernel(geometry.phi.value(check_matrices("A", A)))


def lagrangian(
    A: Any, V: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> FloatArray:
    r"""Cost per unit of p of moving through A at velocity V, L(A, V) = |V + L̃A|²_{K_γ}/(2L̃).

    At γ = 0 it is |W|²/(2L̃) for the smallest weights W with W Sg(A) = V + L̃A.

    Parameters
    ----------
    A, V : array_like, shape (..., w, N)
        Representations and velocities dA/dp.
    effective_depth : float
        L̃ > 0.
    activation, bias, gamma
        As `kernel`.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    DomainError
        γ = 0 and V + L̃A has rows outside the row space of Sg(A), by more than 1e-10 of its norm: no weights give this
        velocity. Or an argument is out of range.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    One sample at rest, no bias: the weights only make up for the leak, W = L̃.

    >>> print(lagrangian([[2.0]], [[0.0]], 6.0, bias=0.0))
    3.0
    """
    path, M, depth, geometry = _moving(A, V, effective_depth, activation, bias, gamma)
    value: FloatArray = path.squared_norm(M, geometry.gamma) / (2 * depth)
    return value


def momentum(
    A: Any, V: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> FloatArray:
    r"""Momenta of a path, B = ∂L/∂V = (V + L̃A) K_γ⁻¹/L̃.

    Parameters and errors as `lagrangian`. Where K is singular at γ = 0 this is the shortest B with L̃BK = V + L̃A; B is
    fixed then up to the null space of K, on which neither W nor dA/dp depends.

    Returns
    -------
    ndarray, shape (..., w, N)

    Notes
    -----
    Relative rounding errors are about machine epsilon times |K|/(λ + γ), λ the smallest eigenvalue of K.

    Examples
    --------
    >>> momentum([[2.0]], [[0.0]], 6.0, bias=0.0)
    array([[0.5]])
    """
    path, M, depth, geometry = _moving(A, V, effective_depth, activation, bias, gamma)
    return path.solve(M, geometry.gamma) / depth


def hamiltonian(
    A: Any, B: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> FloatArray:
    r"""The energy that is constant along extremal paths, H = (L̃/2)(|B Sg(A)ᵀ|² + γ|B|²) - L̃ tr(B Aᵀ).

    Its value says how the middle of the path looks: -2H/L̃ approaches the number of dimensions kept there, from below,
    as L̃ grows; where it is negative the path moves too fast for such a reading.

    Parameters
    ----------
    A, B : array_like, shape (..., w, N)
        Representations and momenta.
    effective_depth, activation, bias, gamma
        As `lagrangian`.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    DomainError
        An argument is out of range, or not what its name says.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    One sample at rest without bias keeps one dimension:

    >>> print(hamiltonian([[2.0]], [[0.5]], 6.0, bias=0.0))
    -3.0
    """
    a, b, depth, geometry = _state(A, B, effective_depth, activation, bias, gamma)
    value: FloatArray = depth * geometry.hamiltonian(a, b)
    return value


def flow(
    A: Any, B: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    r"""Hamilton's equations, dA/dp = L̃(B K_γ - A) and dB/dp = L̃(B - φ'(A)∘(φ(A)BᵀB)).

    Parameters and errors as `hamiltonian`.

    Returns
    -------
    tuple of ndarray, each (..., w, N)
        dA/dp and dB/dp. At a kink of φ its slope is the mean of both sides; where a path rests on a kink (entries of A
        that stay 0 under ReLU) the true slope is some other value between both sides, and this dB/dp is not the path's.

    Examples
    --------
    >>> flow([[2.0]], [[0.5]], 6.0, bias=0.0)
    (array([[0.]]), array([[0.]]))
    """
    a, b, depth, geometry = _state(A, B, effective_depth, activation, bias, gamma)
    of_a, of_b = geometry.flow(a, b)
    return depth * of_a, depth * of_b


def flow_jacobian(
    A: Any, B: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Derivatives of the flow: ∂(dA/dp)/∂A, ∂(dA/dp)/∂B and ∂(dB/dp)/∂A.

    The fourth block is ∂(dB/dp)/∂B = -(∂(dA/dp)/∂A)ᵀ; the second and third are symmetric.

    Parameters and errors as `hamiltonian`.

    Returns
    -------
    tuple of ndarray, each (..., wN, wN)
        Rows and columns count entries row by row: entry (a, i) of a matrix is number aN + i. Off the kinks of φ.

    Examples
    --------
    >>> [J.item() for J in flow_jacobian([[2.0]], [[0.5]], 6.0, bias=0.0)]
    [6.0, 24.0, -1.5]
    """
    a, b, depth, geometry = _state(A, B, effective_depth, activation, bias, gamma)
    of_a, of_b, turned = geometry.flow_jacobian(a, b)
    return depth * of_a, depth * of_b, depth * turned


def weights(
    A: Any, B: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> FloatArray:
    r"""Weights of the network along a path, W = L̃ B Sg(A)ᵀ.

    Parameters and errors as `hamiltonian`; the weights do not depend on γ, only the path does.

    Returns
    -------
    ndarray, shape (..., w, w + 1)
        The last column multiplies β; it is missing, shape (..., w, w), if β = 0.

    Examples
    --------
    >>> weights([[2.0]], [[0.5]], 6.0, bias=0.0)
    array([[6.]])
    """
    a, b, depth, geometry = _state(A, B, effective_depth, activation, bias, gamma)
    return depth * geometry.weights(a, b)


def kinetic(
    A: Any, B: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> FloatArray:
    r"""Kinetic energy at a point of a path, |dA/dp|²_{K_γ}/(2L̃), with the velocity of the flow.

    It is H + (L̃/2) COI_γ(A) exactly. At γ = 0 both it and COI are infinite where the rows of A are not in the row space
    of Sg(A), as with more samples than w + 1; H stays finite.

    Parameters and errors as `hamiltonian`.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> print(kinetic([[2.0]], [[1.0]], 6.0, bias=0.0))  # dA/dp = 12, K = 4
    3.0
    """
    a, b, depth, geometry = _state(A, B, effective_depth, activation, bias, gamma)
    path = RowSpace.of(geometry.features(a))
    value = depth / 2 * path.squared_norm(geometry.flow(a, b)[0], geometry.gamma)
    return _finite_where(geometry.gamma > 0 or path.contains(a), value)  # B K is in the row space anyway


def speed(
    A: Any, B: Any, effective_depth: float, *, activation: Any = "relu", bias: float = 1.0, gamma: float = 0.0
) -> FloatArray:
    r"""How fast representations change, |dA/dp| in the Frobenius norm; divided by L̃ it is the speed in natural time.

    Parameters and errors as `hamiltonian`.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> print(speed([[2.0]], [[1.0]], 6.0, bias=0.0))
    12.0
    """
    a, b, depth, geometry = _state(A, B, effective_depth, activation, bias, gamma)
    v = geometry.flow(a, b)[0]
    value: FloatArray = depth * np.sqrt(inner(v, v))
    return value


def cost_of_identity(A: Any, *, gamma: float, activation: Any = "relu", bias: float = 1.0) -> FloatArray:
    r"""Squared norm of the smallest weights that keep a representation where it is, COI_γ(A) = tr[A K_γ⁻¹ Aᵀ].

    At γ = 0 it is the least |W|² with W Sg(A) = A, and infinite where there is none; at γ > 0 the least |W|² + |E|²/γ
    with W Sg(A) + E = A.

    Parameters
    ----------
    A : array_like, shape (..., w, N)
        Representations; columns are samples.
    gamma : float
        γ ≥ 0, absolute. A number such as 1e-2 or 1e-4 times the largest eigenvalue of `kernel(A)` reads paths; 0 gives
        the true value.
    activation, bias
        As `kernel`.

    Returns
    -------
    ndarray, shape (...)
        Infinite where γ = 0 and rows of A are outside the row space of Sg(A) by more than 1e-10 of |A|; singular values
        of Sg(A) below max(w + 1, N) machine epsilons of the largest count as 0.

    Raises
    ------
    DomainError
        An argument is out of range, or not what its name says.

    Notes
    -----
    Exact: COI = rank A for A ≥ 0, β = 0 and ReLU. COI_γ decreases in γ and tends to COI as γ → 0.

    COI ≥ rank A is *false* in general: see the example. What holds is

        COI_γ ≥ |A|_*²/(|φ(A)|² + (β² + γ)N),      |A|_* the sum of singular values,

    from |W Sg|_* ≤ |W||Sg|; with ReLU, |φ(A)| ≤ |A|, this is at least `stable_rank` for β = γ = 0. With bias
    the constant direction is nearly free, and the least COI at rank k lies below k.

    Inside a converged bottleneck K is nearly singular and COI at γ = 0 blows up although nothing happens: 42.8 in the
    middle of a path of rank 1 at L̃ = 20 (w = 4, N = 3, softplus), where COI at γ = 0.01 is 1.008 and -2H/L̃ = 0.975.
    Read paths with γ > 0.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    Non-negative, rank 2, without bias:

    >>> print(f"{cost_of_identity([[1, 0, 0.5], [0, 2, 0.5], [0.5, 1, 0.5]], gamma=0, bias=0):.12f}")
    2.000000000000

    Rank 3, of both signs: cheaper than its rank, and above the lower bound.

    >>> A = [[0.0, 0.8, 1.0], [0.9, 0.8, 0.0], [-0.2, -0.1, 0.2], [0.3, 0.0, -0.3]]
    >>> print(np.linalg.matrix_rank(A), f"{cost_of_identity(A, gamma=0, bias=0):.9f}", f"{stable_rank(A):.4f}")
    3 2.314236111 2.0340

    Two samples and one neuron that is silent for the second: no weights keep it.

    >>> print(cost_of_identity([[1.0, -1.0]], gamma=0, bias=0))
    inf
    """
    geometry = check_geometry(activation, bias, gamma)
    M = check_matrices("A", A)
    path = RowSpace.of(geometry.features(M))
    return _finite_where(geometry.gamma > 0 or path.contains(M), path.squared_norm(M, geometry.gamma))


def stable_rank(A: Any) -> FloatArray:
    r"""How many dimensions a representation fills, |A|_*²/|A|², the square of Σσ over Σσ² of its singular values σ.

    Between 1 and rank A, equal to it where all nonzero singular values agree; continuous, and at least |A|²/|A|_op². 0
    for A = 0.

    Parameters
    ----------
    A : array_like, shape (..., w, N)

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    DomainError
        A is not an array of finite matrices.

    Examples
    --------
    >>> print(stable_rank([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), f"{stable_rank([[1.0, 0.0], [0.0, 0.01]]):.4f}")
    2.0 1.0200
    """
    sigma = np.linalg.svd(check_matrices("A", A), compute_uv=False)
    largest = sigma[..., :1]
    share = np.divide(sigma, largest, out=np.zeros_like(sigma), where=largest > 0)
    squares = np.einsum("...i,...i->...", share, share)
    value: FloatArray = np.divide(share.sum(axis=-1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)[()]
    return value


def _state(
    A: Any, B: Any, effective_depth: Any, activation: Any, bias: Any, gamma: Any
) -> tuple[FloatArray, FloatArray, float, Geometry]:
    """A and B, L̃ and the geometry, checked."""
    a, b = check_pair(_AB, A, B)
    return a, b, check_effective_depth(effective_depth), check_geometry(activation, bias, gamma)


def _moving(
    A: Any, V: Any, effective_depth: Any, activation: Any, bias: Any, gamma: Any
) -> tuple[RowSpace, FloatArray, float, Geometry]:
    """The row space of Sg(A), V + L̃A, L̃ and the geometry; at γ = 0 some weights must give this velocity."""
    a, v = check_pair(("A", "V"), A, V)
    depth, geometry = check_effective_depth(effective_depth), check_geometry(activation, bias, gamma)
    path, M = RowSpace.of(geometry.features(a)), v + depth * a
    if geometry.gamma == 0:
        inside = path.contains(M, frobenius(v) + depth * frobenius(a))
        if not inside.all():
            w, n = M.shape[-2:]
            raise DomainError(
                f"No weights give this velocity: rows of V + L̃A leave the row space of the {w + bool(geometry.bias)} "
                f"features of {n} samples (beyond {OUTSIDE:g}, in {int((~inside).sum())} of {inside.size} matrices).",
                "At γ = 0 velocities are constrained where samples outnumber features, or all features of one are 0.",
                "Use gamma > 0 or fewer samples; hamiltonian, flow and weights take A and B, without this limit.",
            )
    return path, M, depth, geometry


def _finite_where(inside: bool | BoolArray, value: FloatArray) -> FloatArray:
    return np.asarray(np.where(inside, value, np.inf))[()]
