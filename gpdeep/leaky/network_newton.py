r"""Training a leaky ResNet to a stationary point, which almost no gradient method reaches.

    minimise  S + C(R A_L)/λ,      S = (1/2L̃) Σ ρ_l |W_l|²,      A_0 = E X

by Newton's method in the metric of the tangent kernel (`network_descent`), so that W_l = L̃ B_l Sg(A_{l-1})ᵀ holds to
many digits and the layers have an energy to speak of. What a learned read-in or read-out costs, ½ c_in |E|² or
½ c_out |R|², is added to S.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DomainError, MemoryBudgetError
from ..gaussian.arguments import as_float, real, shown
from ..gaussian.arguments import memory_budget as checked_budget
from ..result import FloatArray
from .checks import check_effective_depth, check_matrix, check_terminal_weight
from .geodesic_arguments import check_seed
from .geometry import Geometry
from .network_arguments import checked_rho, counted, geometry_of, layer_steps, natural_weights
from .network_continuation import ON_THE_WAY, deepened
from .network_cost import cost_of
from .network_descent import MAX_ITERATIONS, Descent, descend
from .network_objective import Objective, Parameters
from .network_result import NetworkSolution, solution_of

SHARPNESS = 20.0  # of kinks that nobody asked to round otherwise
MEMORY_BUDGET = 4 * 2**30
_SHALLOW = 1.0  # the effective depth at which random weights begin
_SMALL = 0.01  # standard deviation of W/L̃ there


def train_network(
    X: Any,
    Y: Any,
    effective_depth: float,
    *,
    terminal_weight: float,
    layers: int | None = None,
    rho: Any = None,
    activation: Any = "relu",
    sharpness: float | None = None,
    bias: float = 1.0,
    read_in: Any = None,
    read_out: Any = None,
    read_in_penalty: float | None = None,
    read_out_penalty: float | None = None,
    cost: str = "squared",
    start: Any = None,
    rng: Any = 0,
    tol: float = 1e-6,
    max_iterations: int = MAX_ITERATIONS,
    memory_budget: float = MEMORY_BUDGET,
) -> NetworkSolution:
    r"""Train the weights of a leaky ResNet until they are stationary.

        minimise  (1/2L̃) Σ ρ_l |W_l|² + C(R A_L)/λ,      A_l = (1 - ρ_l L̃) A_{l-1} + ρ_l W_l Sg(A_{l-1}),   A_0 = E X

    Parameters
    ----------
    X : array_like, shape (d_in, N)
        Inputs; columns are samples.
    Y : array_like, shape (d_out, N)
        Targets; for cross-entropy class numbers of shape (N,), or columns of probabilities.
    effective_depth : float
        L̃ > 0.
    terminal_weight : float
        λ > 0, the weight of S in C + λ S.
    layers, rho
        L equal layers, or steps ρ_l, positive and of sum 1; one of the two. ρ_l L̃ < 1.
    activation : str, Activation or Nonlinearity
        s.
    sharpness : float, optional
        How sharp kinks of s are rounded; default 20, or what a Nonlinearity says. The objective differs from that of
        the kink itself by O(1/sharpness). With infinity nothing is rounded, and the residual stops falling early.
    bias : float
        β ≥ 0.
    read_in : array_like, shape (w, d_in), optional
        E; default the identity.
    read_out : array_like, shape (d_out, w), optional
        R; default the identity.
    read_in_penalty, read_out_penalty : float, optional
        c_in, c_out > 0: then E, R are learned as well, from these starts, at the price ½ c_in |E|², ½ c_out |R|².
        There E = B_0 Xᵀ/c_in, and R = (2/λN c_out) (Y - R A_L) A_Lᵀ with squared cost.
    cost : str
        ``squared``, C = |Y - R A_L|²/N, or ``cross_entropy``, that of the softmax, averaged over samples.
    start : array_like, shape (L, w, w + 1), optional
        W to start from. Default: small random W at L̃ = 1 and λ/L̃, from there deeper by factors of at most 1.5.
    rng : None, int, SeedSequence or Generator
        For the default start.
    tol : float
        The stationarity residual to reach.
    max_iterations : int
        Of Newton's method, in each of these stages.
    memory_budget : float
        Bytes.

    Returns
    -------
    NetworkSolution
        Its status is `not_converged` where the residual stays above `tol`.

    Raises
    ------
    DomainError
        Shapes do not fit, an argument is out of range, or a layer is as long as the leak.
    MemoryBudgetError
        N d_out is so large that the tangent kernel does not fit.

    Warns
    -----
    ValidityWarning
        The stationarity residual is above 0.3: energies of such a network say nothing.

    Notes
    -----
    A minimum, and one of many: other seeds and other ways to L̃ end at other weights, some per cent higher or lower.
    Objectives compare at equal λ only. Cost of an iteration: L (N d_out)² w operations and (N d_out)³/3, some 50 ms for
    30 neurons, 24 layers, 60 samples and 10 outputs; 100 iterations a stage are usual.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    One positive number carried from 2 to 0.5, with a price on missing it. All L layers have the same weight, up to
    O(λ): 1 - h + hw = 4^{-1/L} with h = L̃/L.

    >>> found = train_network([[2.0]], [[0.5]], 3.0, terminal_weight=1e-7, layers=10, bias=0.0, activation="identity")
    >>> w = 1 - (1 - 0.25**0.1) / 0.3
    >>> print(found.status.code, f"{found.weights[4, 0, 0] / 3.0:.5f} {w:.5f}")
    ok 0.56850 0.56850
    """
    depth, weight = check_effective_depth(effective_depth), check_terminal_weight(terminal_weight)
    steps = _steps(layers, rho)
    layer_steps(steps, depth)
    goal = real("tol", tol, 0.0, 1.0, "the stationarity residual to reach")
    most = counted("max_iterations", max_iterations)
    geometry = _smoothed(geometry_of(activation, bias), sharpness)
    inputs = check_matrix("X", X)
    E, c_in = _reading("read_in", read_in, read_in_penalty, len(inputs), inner=False)
    width = len(inputs) if E is None else len(E)
    R, c_out = _reading("read_out", read_out, read_out_penalty, width, inner=True)
    outputs = width if R is None else len(R)
    _require_memory(inputs.shape[1], outputs, width, len(steps), memory_budget)
    objective = Objective(
        X=inputs,
        cost=cost_of(cost, Y, outputs, inputs.shape[1]),
        h=steps * depth,
        geometry=geometry,
        terminal_weight=weight,
        read_in=None if c_in is not None else E,
        read_out=None if c_out is not None else R,
        in_penalty=c_in,
        out_penalty=c_out,
    )
    if start is not None:
        w = natural_weights(start, len(steps), width, depth, geometry)
        found = descend(objective, Parameters(w, E, R), goal, most)
    else:
        found = _from_shallow(objective, Parameters(_small(len(steps), width, geometry, rng), E, R), depth, goal, most)
    return solution_of(found, steps, depth, goal, cost)


def _from_shallow(objective: Objective, start: Parameters, depth: float, tol: float, most: int) -> Descent:
    """Down to L̃ by way of shallower networks, with λ in proportion."""
    shallow = min(depth, _SHALLOW)
    if shallow == depth:
        return descend(objective, start, tol, most)
    first = objective.rescaled(shallow / depth, objective.terminal_weight * shallow / depth)
    found = descend(first, start, max(tol, ON_THE_WAY), most)
    return deepened(found, depth / shallow, objective.terminal_weight, tol, most)


def _small(layers: int, width: int, geometry: Geometry, rng: Any) -> FloatArray:
    if rng is not None and not isinstance(rng, np.random.Generator):
        check_seed(rng)
    draw = np.random.default_rng(rng)
    return _SMALL * draw.standard_normal((layers, width, width + bool(geometry.bias)))


def _steps(layers: Any, rho: Any) -> FloatArray:
    """ρ_l, from one of the two."""
    if (layers is None) == (rho is None):
        raise DomainError(
            f"layers = {shown(layers, 40)} with rho = {shown(rho, 40)}.",
            "Either the number of equal layers is wanted, or their steps one by one.",
            "Give layers=24, or rho=...",
        )
    if layers is None:
        return checked_rho(rho)
    count = counted("layers", layers)
    return np.full(count, 1 / count)


def _smoothed(geometry: Geometry, sharpness: Any) -> Geometry:
    """Kinks rounded as asked for, and at 20 where nobody asked."""
    if sharpness is None:
        wanted = geometry.phi.sharpness if geometry.phi.rounded else SHARPNESS
    elif as_float(sharpness) == math.inf:
        wanted = math.inf
    else:
        wanted = real("sharpness", sharpness, 0.0, 1e100, "how sharp kinks of the activation are rounded")
    return Geometry(geometry.phi.with_sharpness(wanted), bias=geometry.bias)


def _reading(name: str, value: Any, penalty: Any, known: int, inner: bool) -> tuple[FloatArray | None, float | None]:
    """E or R, and what it costs; `known` is the number of columns. The identity where it is learned from nothing."""
    price = None if penalty is None else real(f"{name}_penalty", penalty, 1e-50, 1e50, "what it costs, times ½|.|²")
    if value is None:
        return (None if price is None else np.eye(known)), price
    M = check_matrix(name, value)
    if M.shape[1] != known:
        raise DomainError(
            f"{name} has shape {M.shape}.",
            f"Its columns belong to the {known} {'neurons' if inner else 'rows of X'}; it may be transposed.",
            f"Give {name} with {known} columns.",
        )
    return M, price


def _require_memory(samples: int, outputs: int, width: int, layers: int, budget: Any) -> None:
    """Refuse a tangent kernel that does not fit."""
    allowed = checked_budget(budget)
    rows = samples * outputs
    needed = 8 * (4 * rows**2 + 3 * rows * width + 12 * layers * width * (samples + width))
    if needed > allowed:
        raise MemoryBudgetError(
            f"{samples} samples of {outputs} outputs would take {needed / 2**20:.0f} MiB; the budget is "
            f"{allowed / 2**20:.0f} MiB.",
            f"Newton's method factorises the tangent kernel, a matrix of {rows} rows.",
            f"Use {math.sqrt(needed / allowed):.1f} times fewer samples or outputs, or raise memory_budget.",
        )
