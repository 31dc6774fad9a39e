r"""From a trained network to a deeper one: in L̃, at the same number of layers, by steps of a factor of at most 1.5.

A path A_p solves dA/dp = -L̃ A + W Sg. With another L̃' it is the same path if W' Sg = W Sg + (L̃' - L̃) A, in natural
time

    w' = w L̃/L̃' + (1 - L̃/L̃') A Sgᵀ (Sg Sgᵀ + γ I)⁻¹,

where the second factor holds A in place as well as weights can: γ is 1e-3 of the largest eigenvalue of Sg Sgᵀ. From
there Newton's method goes on. λ moves with L̃, in equal ratios. A branch of minima may end on the way (a fold); then
the method ends on another one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..gaussian.arguments import instance, real
from ..result import FloatArray
from .checks import check_effective_depth, check_terminal_weight
from .geometry import Geometry, transposed
from .layer_steps import carry_weights
from .network_arguments import checked_rho, counted, layer_steps
from .network_descent import MAX_ITERATIONS, Descent, descend
from .network_result import NetworkSolution, solution_of

ON_THE_WAY = 1e-3  # residual of stages that are not the last
_RATIO, _WEIGHT_RATIO = 1.5, 2.0  # of L̃ and of λ, from stage to stage
_HELD = 1e-3  # γ, relative to the largest eigenvalue


def continue_network(
    solution: NetworkSolution,
    effective_depth: float,
    *,
    terminal_weight: float | None = None,
    rho: Any = None,
    activation: Any = None,
    tol: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> NetworkSolution:
    r"""Train a trained network on at another effective depth, by way of those between.

    Parameters
    ----------
    solution : NetworkSolution
        From `train_network` or this function.
    effective_depth : float
        The new L̃, deeper or shallower; the same to train on.
    terminal_weight : float, optional
        The new λ; default the same. On the way it changes by factors of at most 2.
    rho : array_like, shape (L',), optional
        New steps, or more of them, for which weights are carried over and trained first, at the old L̃.
    activation : Activation, optional
        The activation, if it is not in the catalogue.
    tol : float, optional
        The stationarity residual to reach; default the same.
    max_iterations : int
        Of Newton's method, in each stage.

    Returns
    -------
    NetworkSolution
        Its iterations are those of this call.

    Raises
    ------
    DomainError
        A layer becomes as long as the leak, or an argument is out of range.

    Warns
    -----
    ValidityWarning
        The stationarity residual is above 0.3: energies of such a network say nothing.

    Notes
    -----
    A branch of minima can end on the way (a fold), and the answer then lies on another one: compare objectives with
    those of other starts, at equal λ.

    Examples
    --------
    One positive number on its way from 2 to 0.5: S = L̃ w²/2 with 1 - h + hw = 4^{-1/L}, up to O(λ).

    >>> from gpdeep.leaky.network_newton import train_network
    >>> options = dict(terminal_weight=1e-7, layers=10, bias=0.0, activation="identity")
    >>> shallow = train_network([[2.0]], [[0.5]], 2.0, **options)
    >>> deep = continue_network(shallow, 3.0)
    >>> print(f"{deep.action:.5f} {1.5 * (1 - (1 - 0.25**0.1) / 0.3) ** 2:.5f}")
    0.48479 0.48479
    """
    instance("solution", solution, NetworkSolution, "train_network")
    depth, o = check_effective_depth(effective_depth), solution.options
    weight = o["terminal_weight"] if terminal_weight is None else check_terminal_weight(terminal_weight)
    steps = solution.rho if rho is None else checked_rho(rho)
    layer_steps(steps, max(depth, solution.effective_depth))
    goal = o["tol"] if tol is None else real("tol", tol, 0.0, 1.0, "the stationarity residual to reach")
    most = counted("max_iterations", max_iterations)
    objective, start = solution.objective_function(activation), solution.parameters
    if rho is None:
        found = Descent(objective.at(start), 0, 0)
    else:
        w = carry_weights(start.w, solution.rho, steps)
        objective = replace(objective, h=steps * solution.effective_depth)
        found = descend(objective, replace(start, w=w), max(goal, ON_THE_WAY), most)
    found = deepened(found, depth / solution.effective_depth, weight, goal, most)
    return solution_of(found, steps, depth, goal, o["cost"])


def deepened(found: Descent, ratio: float, terminal_weight: float, tol: float, most: int) -> Descent:
    """The network with L̃ `ratio` times as large (or small), at this λ; iterations and products include `found`'s."""
    change = terminal_weight / found.point.objective.terminal_weight
    ways = abs(math.log(ratio)) / math.log(_RATIO), abs(math.log(change)) / math.log(_WEIGHT_RATIO)
    stages = max(1, math.ceil(max(ways) - 1e-9))
    share = ratio ** (-1 / stages)
    for stage in range(stages):
        point = found.point
        o, x = point.objective, point.parameters
        objective = o.rescaled(1 / share, terminal_weight * change ** ((stage + 1) / stages - 1))
        start = replace(x, w=held(x.w, point.A, o.geometry, share))
        after = descend(objective, start, tol if stage == stages - 1 else max(tol, ON_THE_WAY), most)
        found = Descent(after.point, found.iterations + after.iterations, found.products + after.products)
    return found


def held(w: FloatArray, A: FloatArray, geometry: Geometry, share: float) -> FloatArray:
    """W' for L̃/L̃' = `share`."""
    Sg = geometry.features(A[:-1])
    G = Sg @ transposed(Sg)
    gamma = _HELD * np.linalg.eigvalsh(G)[:, -1]
    G[:, np.arange(G.shape[-1]), np.arange(G.shape[-1])] += gamma[:, None]
    still = np.linalg.solve(G, Sg @ transposed(A[:-1])).astype(np.float64)
    return share * w + (1 - share) * transposed(still)
