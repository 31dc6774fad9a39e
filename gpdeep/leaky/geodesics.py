r"""The representation geodesic between two ends: problem, search, and what is read from the lowest path.

    minimise  S = (1/2L̃) ∫₀¹ |W_p|² dp,      dA/dp = -L̃ A + W_p Sg(A),      A_0 = X,   A_1 = Y

or C(A_1) + λ S with a terminal cost. Jacot & Kaiser 2024, arXiv:2405.17573.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import ConvergenceError
from ..gaussian.arguments import callback, real
from ..result import FloatArray, Status, StatusCode
from .bottleneck import COARSE, read_bottleneck
from .descent import CriticalPath
from .geodesic_arguments import check_seed, end_points, first_path
from .geodesic_result import CriticalPoint, GeodesicResult
from .mesh import times
from .network_arguments import counted
from .problem import PathProblem
from .row_space import RowSpace
from .search import Found, from_path, search

_MOST_STARTS, _MOST_WORKERS = 100_000, 1000
_LEAST = 1e-10  # of S + C/λ: gradients are solved to 1e-10


def geodesic(
    X: Any,
    Y: Any,
    effective_depth: float,
    *,
    activation: Any = "relu",
    bias: float = 1.0,
    gamma: float = 0.0,
    terminal_weight: float | None = None,
    cost: str = "squared",
    read_in: Any = None,
    read_out: Any = None,
    read_in_penalty: float | None = None,
    read_out_penalty: float | None = None,
    width: int | None = None,
    starts: int | None = None,
    start: Any = None,
    rtol: float = 1e-8,
    seed: Any = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> GeodesicResult:
    r"""The path of least action from X to Y, S*.

    Parameters
    ----------
    X, Y : array_like, shape (w, N)
        Both ends: rows are neurons, columns samples. With `read_in` X is (d_in, N), with a terminal cost Y holds the
        targets, (w, N) or, with a read-out, (d_out, N); for cross-entropy classes as integers (N,) or one-hot columns.
    effective_depth : float
        L̃ > 0.
    activation : str or Activation
        φ, with two derivatives, or with kinks (`relu`, `leaky_relu:0.1`, `hard_tanh`, ..).
    bias, gamma : float
        β ≥ 0 of the bias feature; γ ≥ 0 of the stabiliser, an absolute number.
    terminal_weight : float, optional
        λ: minimise C + λS instead of holding the end.
    cost : {"squared", "cross_entropy"}
        C: |Y - R A_1|²/N, or the mean cross-entropy of softmax(R A_1).
    read_in, read_out : array_like, optional
        Fixed E (w, d_in) and R (d_out, w).
    read_in_penalty, read_out_penalty : float, optional
        Learn E at the price λ c|E|²/2 (c|E|²/2 with a fixed end), and R at λ c|R|²/2 (squared cost only).
    width : int, optional
        w where it cannot be seen from X and `read_in`.
    starts : int, optional
        Number of starts, the straight line first. Default: about ten, more on a ladder of depths beyond L̃ = 9, with
        further attempts from the most promising path. 1 is the quick answer, a local minimum.
    start : GeodesicResult or tuple of arrays (p, A) or (p, A, B), optional
        Begin here, and only here.
    rtol : float
        Wanted relative error of the action.
    seed : int, SeedSequence
        Of the random starts.
    workers : int
        Processes that share the starts; a script that asks for more than 1 needs ``if __name__ == "__main__":``.
    progress : callable, optional
        Called with (done, total). A KeyboardInterrupt ends the search: the best path so far is returned, its status
        NOT_CONVERGED.

    Returns
    -------
    GeodesicResult
        The lowest path with its error, and all other critical points. Its status says which of convergence, accuracy
        and minimality failed.

    Raises
    ------
    DomainError
        An argument is out of range, shapes do not fit, or a sample without bias and γ has no feature at an end.
    ConvergenceError
        No start led to a stationary path.

    Notes
    -----
    The path is a piecewise polynomial whose action is minimised by Newton's method with a proximal term, which also
    serves where there are more samples than features (`local_action`, `descent`). Cost: 0.02 to 0.2 s a start for
    wN ≤ 16 and L̃ ≤ 7. Which minimum is the lowest cannot be proved; the list is what the starts led to.

    References
    ----------
    Jacot & Kaiser 2024, arXiv:2405.17573.

    Examples
    --------
    One sample in one dimension without bias, where S = (ln(y/x) + L̃)²/2L̃:

    >>> found = geodesic([[2.0]], [[0.5]], 7.0, activation="identity", bias=0.0)
    >>> print(f"{found.action:.10f} {(np.log(0.25) + 7) ** 2 / 14:.10f}")
    2.2509779286 2.2509779286
    """
    wanted = real("rtol", rtol, 1e-15, 1.0, "the wanted relative error of the action")
    starts = None if starts is None else counted("starts", starts, _MOST_STARTS)
    workers = counted("workers", workers, _MOST_WORKERS)
    check_seed(seed)
    if progress is not None:
        callback("progress", progress, 1, 1)
    problem = end_points(
        X,
        Y,
        effective_depth,
        activation=activation,
        bias=bias,
        gamma=gamma,
        terminal_weight=terminal_weight,
        cost=cost,
        read_in=read_in,
        read_out=read_out,
        read_in_penalty=read_in_penalty,
        read_out_penalty=read_out_penalty,
        width=width,
    )
    options: dict[str, Any] = {
        "effective_depth": problem.T,
        "activation": problem.geometry.phi.phi.name,
        "bias": problem.geometry.bias,
        "gamma": problem.geometry.gamma,
        "terminal_weight": None if terminal_weight is None else float(terminal_weight),
        "cost": cost if terminal_weight is not None else None,
        "starts": starts,
        "seed": seed if isinstance(seed, int) else None,
        "rtol": wanted,
        "workers": workers,
    }
    first = first_path(problem, start)
    with threadpool_limits(1):
        if first is not None:
            found = from_path(problem, first, rtol=wanted)
        else:
            found = search(problem, starts=starts, seed=seed, rtol=wanted, workers=workers, report=progress)
        if found.interrupted and not found.paths:
            raise KeyboardInterrupt
        if not found.paths:
            raise no_path(problem, found.attempts)
        options["starts"] = found.attempts
        return result_of(found, options, wanted, options["terminal_weight"])


def no_path(problem: PathProblem, attempts: int) -> ConvergenceError:
    """What is said when no start led to a stationary path."""
    return ConvergenceError(
        f"No stationary path was found at effective depth {problem.T:g} from {attempts} start{'s' * (attempts != 1)}.",
        "The data are far from order 1, the depth is large for a cold start, or a sample can hardly leave its place.",
        "Scale X and Y to entries of order 1, give more starts or a small gamma (1e-4), or begin from the path at a "
        "smaller depth with start=.",
    )


def result_of(found: Found, options: dict[str, Any], rtol: float, terminal_weight: float | None) -> GeodesicResult:
    """The answer from the critical paths of a search."""
    best = found.paths[0]
    problem, geometry, T = best.problem, best.problem.geometry, best.problem.T
    A, B, p = best.A, best.B, _places(best)
    energies = T * geometry.hamiltonian(A, B)
    H = float(np.median(energies))
    identity, stabiliser, kinetic = _curves(best, A, B)
    singular = np.linalg.svd(A, compute_uv=False)
    squares = (singular**2).sum(axis=1)
    rank = np.divide(singular.sum(axis=1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)
    action, objective = _values(best, terminal_weight)
    result = GeodesicResult(
        status=_status(best, energies, rtol, found.interrupted),
        options=options,
        effective_depth=T,
        activation=geometry.phi.phi.name,
        bias=geometry.bias,
        gamma=geometry.gamma,
        terminal_weight=terminal_weight,
        p=p,
        A=A,
        B=B,
        action=action,
        objective=objective,
        action_error=best.error,
        hamiltonian=H,
        hamiltonian_drift=float(np.ptp(energies)),
        cost_of_identity=identity,
        cost_of_identity_gamma=stabiliser,
        kinetic=kinetic,
        rank=rank,
        bottleneck=read_bottleneck(
            p,
            A,
            B,
            T,
            activation=geometry.phi.phi,
            bias=geometry.bias,
            gamma=geometry.gamma,
            residual=best.relative_residual,
        ),
        is_minimum=best.minimum,
        critical_points=tuple(_point(path, terminal_weight) for path in found.paths),
        residual=best.residual,
        sliding=best.sliding,
        read_in=problem.start.map_of(A[0]),
        read_out=problem.end.map_of(A[-1]),
    )
    return result.with_activation(geometry.phi.phi)


def _values(found: CriticalPath, terminal_weight: float | None) -> tuple[float, float]:
    """S and the objective: S, or C + λS with all penalties."""
    prices = found.problem.start.value(found.A[0]) + found.problem.end.value(found.A[-1])
    return found.value - prices, found.value * (1.0 if terminal_weight is None else terminal_weight)


def _point(found: CriticalPath, terminal_weight: float | None) -> CriticalPoint:
    T = found.problem.T
    H = float(np.median(found.energies())) * T
    action, objective = _values(found, terminal_weight)
    kind = "minimum" if found.minimum else "saddle"
    return CriticalPoint(action, H, -2 * H / T, kind, objective, _places(found), found.A, found.B)


def _places(found: CriticalPath) -> FloatArray:
    """p at the nodes."""
    p: FloatArray = times(found.h) / found.h.sum()
    p[-1] = 1.0
    return p


def _curves(found: CriticalPath, A: FloatArray, B: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """COI_γ', γ' and the kinetic term at the nodes."""
    geometry, T = found.problem.geometry, found.problem.T
    velocity = geometry.flow(A, B)[0]
    identity, stabiliser, kinetic = np.empty((3, len(A)))
    for k, (M, V) in enumerate(zip(A, velocity, strict=True)):
        space = RowSpace.of(geometry.features(M))
        stabiliser[k] = max(geometry.gamma, COARSE * float(space.top))
        identity[k] = space.squared_norm(M, stabiliser[k]) if stabiliser[k] else np.inf
        kinetic[k] = 0.5 * T * space.squared_norm(V, stabiliser[k]) if stabiliser[k] else np.inf
    return identity, stabiliser, kinetic


def _status(best: CriticalPath, energies: FloatArray, rtol: float, interrupted: bool) -> Status:
    """Which of convergence, accuracy and minimality failed, and what the reader should know."""
    failed, notes = [], []
    if interrupted:
        failed.append("The search was interrupted: this is the lowest path so far.")
    if not best.converged:
        failed.append(f"The equations are solved to {best.residual:.2g} only.")
    floor = 1e-12 if best.problem.end.fixed else 0.0  # an action of 0 has no relative error
    if not best.problem.end.fixed and abs(best.value) < _LEAST:
        failed.append(
            f"S + C/λ = {best.value:.2g} is below what can be told from 0: λ is too large for the path to matter."
        )
    elif best.error > max(rtol * abs(best.value), floor):
        failed.append(f"The estimated error {best.error:.2g} of the action is above the {rtol:.0e} wanted.")
    if not best.minimum:
        failed.append("The path is a saddle: its second variation is not positive.")
    elif not all(best.positive):
        failed.append("Only the finest discretisation shows a minimum; the one before does not.")
    if not best.problem.riemannian:
        notes.append(
            "More samples than features: without gamma the kernel is singular, and the path was found by a penalty on "
            "leaving the row space of the features that was then removed."
        )
    notes += best.notes
    return Status(StatusCode.NOT_CONVERGED if failed else StatusCode.OK, tuple(failed + notes))
