r"""Finite networks from a path: the one that follows it, and the optimal one beside it.

    A_l = (1 - h_l) A_{l-1} + ρ_l W_l Sg(A_{l-1}),      h_l = ρ_l L̃ < 1

Following: W_l = L̃ B Sg(A)ᵀ in the middle of layer l; its output errs by O(1/L). Optimal: the least Σρ_l|W_l|²/2L̃ of
networks that map X to Y, stationary for the Euler scheme of `elements`, whose momenta give W_l = L̃ B_l Sg_{l-1}ᵀ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConvergenceError, DomainError
from ..gaussian.arguments import shown
from ..result import FloatArray
from .boundary import Fixed
from .checks import check_numbers
from .elements import EULER
from .geometry import Geometry
from .hermite import HermitePath
from .kink_orthant import Resting, rest
from .layer_steps import limited
from .mesh import equidistributed, times
from .path_newton import Descent, with_multipliers
from .path_system import PathAction

_MOST = 0.95  # the longest step that is chosen; 1 is where a layer forgets its input
_DEEPEST = 10**6
_DELTA, _LEAST = 1e-3, 1e-6


def chosen_steps(path: HermitePath, effective_depth: float, depth: int, steps: Any) -> FloatArray:
    """ρ of `depth` layers: None for equal shares of change along the path, "equal", or the numbers given."""
    if isinstance(depth, bool) or not isinstance(depth, (int, np.integer)) or not 1 <= depth <= _DEEPEST:
        raise DomainError(
            f"depth = {shown(depth)} is not a number of layers from 1 to {_DEEPEST}.",
            "Layers are counted: an integer of 1 or more.",
            "Give for instance depth=40.",
        )
    least = int(np.floor(effective_depth / _MOST)) + 1
    if steps is None or isinstance(steps, str):
        if depth < least:
            raise DomainError(
                f"{depth} layers of effective depth {effective_depth:g} have steps of {effective_depth / depth:.3g}.",
                "A layer with ρ_l L̃ ≥ 1 forgets or reflects its input, and the path cannot be followed.",
                f"Use at least {least} layers, or a smaller effective depth.",
            )
        if steps is None:
            h = equidistributed(np.diff(path.t), path.A(path.t), path.B(path.t), depth)
            return limited(h / h.sum(), _MOST / effective_depth)
        if steps == "equal":
            return np.full(depth, 1 / depth)
    rho = check_numbers("steps", steps)
    if len(rho) != depth or not (rho > 0).all() or not np.isclose(rho.sum(), 1, rtol=0, atol=1e-9):
        raise DomainError(
            f"steps holds {len(rho)} numbers that sum to {rho.sum():.6g}; the network has {depth} layers.",
            "Steps are shares of the path: positive, one a layer, with sum 1.",
            "Divide them by their sum, or leave them out.",
        )
    if not (rho * effective_depth < 1).all():
        raise DomainError(
            f"The longest step is ρL̃ = {rho.max() * effective_depth:.3g}.",
            "A layer with ρ_l L̃ ≥ 1 forgets or reflects its input, and the path cannot be followed.",
            f"Use more layers (at least {least}), more even steps, or a smaller effective depth.",
        )
    return rho


def following_network(
    path: HermitePath, effective_depth: float, depth: int, steps: Any
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """ρ, W and nodes A of the network that follows a path."""
    rho = chosen_steps(path, effective_depth, depth, steps)
    t = times(rho * effective_depth)
    return rho, effective_depth * path.weights(0.5 * (t[1:] + t[:-1])), path.A(t)


def optimal_network(
    geometry: Geometry,
    path: HermitePath,
    effective_depth: float,
    depth: int,
    steps: Any,
    terminal_weight: float | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """ρ, W and nodes A of the network of least norm from the first to the last representation of a path."""
    if terminal_weight is not None:
        raise DomainError(
            "The path ends with a terminal cost.",
            "The least-norm network to a fixed end was asked for.",
            "Train with gpdeep.leaky.train_network, or solve the fixed-end problem to the path's own last "
            "representation.",
        )
    rho = chosen_steps(path, effective_depth, depth, steps)
    h = rho * effective_depth
    start = path.path(EULER, h)
    scale = float(np.linalg.eigvalsh(geometry.kernel(geometry.phi.value(start.A[[0, -1]])))[:, -1].mean())
    action = PathAction(geometry, EULER, Fixed(start.A[0]), Fixed(start.A[-1]), _DELTA * scale)
    if geometry.phi.smooth:
        found: Descent | Resting = with_multipliers(action, start, least=_LEAST * scale, first=1e-3, most=200)
    else:
        found = rest(action, start, least=_LEAST * scale)
    if not found.converged:
        raise ConvergenceError(
            f"No network of {depth} layers was found beside the path ({found.iterations} Newton steps).",
            "The steps are long for the path, or the activation has kinks at which the network's optimum rests.",
            "Use more layers; for piecewise-linear activations round them, as 'softplus:20' does for relu.",
        )
    A, B = found.state.path.A, found.state.point.B[:, 0]
    return rho, effective_depth * geometry.weights(A[:-1], B), A
