r"""Critical paths followed in the effective depth: the branch diagram S(L̃), -2H/L̃.

    dS*/dL̃ = -H/L̃,      so -2H/L̃ is twice the slope of a branch

A branch that cannot be followed further has met a fold or lost its minimum; that is an event of the diagram, and what
Newton's method finds from its end, another branch, is the answer to it. Saddles end where they are: what follows a path
here is a descent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import DomainError
from ..gaussian.arguments import real
from ..result import FloatArray, Result, Status, StatusCode, render_table
from .boundary import Fixed
from .checks import check_numbers
from .descent import CriticalPath, climb, polish, settle
from .elements import gauss
from .geodesic_result import CriticalPoint, GeodesicResult
from .geodesics import _point
from .hermite import HermitePath
from .ladder import let_go
from .path_newton import Descent
from .problem import PathProblem
from .search import NEAR_DELTAS

_LEAST = 1e-6
NUMBERS = ("hamiltonian", "rank_like")


@dataclass(frozen=True)
class Event:
    """A branch that was lost.

    Attributes
    ----------
    branch : int
    effective_depth : float
        The last depth at which it was found.
    joined : int or None
        The branch that Newton's method led to from there; None where it led nowhere.
    """

    branch: int
    effective_depth: float
    joined: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class BranchDiagram(Result):
    """Critical paths over the effective depth.

    Attributes
    ----------
    effective_depth : array (D,)
    action, hamiltonian, rank_like : arrays (branches, D)
        S, H (p-time) and -2H/L̃; NaN where a branch does not exist.
    action_error : array (branches, D)
        Estimated errors of the actions.
    is_minimum : array (branches, D)
        1 a minimum, 0 a saddle, NaN neither.
    points : tuple of tuples of CriticalPoint
        The paths themselves, depth by depth, the lowest first.
    events : tuple of Event
    """

    effective_depth: FloatArray
    action: FloatArray
    action_error: FloatArray
    hamiltonian: FloatArray
    rank_like: FloatArray
    is_minimum: FloatArray
    points: tuple[tuple[CriticalPoint, ...], ...]
    events: tuple[Event, ...]

    @property
    def lowest(self) -> FloatArray:
        """The branch of least action at each depth, -1 where there is none."""
        empty = np.isnan(self.action).all(axis=0)
        return np.where(empty, -1, np.argmin(np.where(np.isnan(self.action), np.inf, self.action), axis=0))

    def __str__(self) -> str:
        rows = []
        for d, depth in enumerate(self.effective_depth):
            for b in np.argsort(self.action[:, d]):
                if np.isfinite(self.action[b, d]):
                    kind = "minimum" if self.is_minimum[b, d] else "saddle"
                    rows.append([f"{depth:g}", str(b), f"{self.action[b, d]:.9g}", f"{self.rank_like[b, d]:.6g}", kind])
        notes = [
            f"branch {event.branch} ends at L̃ = {event.effective_depth:.4g}"
            + ("" if event.joined is None else f" and continues on branch {event.joined}")
            for event in self.events
        ]
        return render_table("branches in depth", ["L̃", "branch", "S", "-2H/L̃", "kind"], rows, notes)


def continue_in_depth(result: GeodesicResult, effective_depths: Any, *, rtol: float = 1e-8) -> BranchDiagram:
    """Every critical path of a result followed to other depths.

    Parameters
    ----------
    result : GeodesicResult
        Between two fixed ends.
    effective_depths : array_like, shape (D,)
        Increasing or decreasing; followed from the result's own depth to each in turn.
    rtol : float
        Wanted relative error of the actions.

    Returns
    -------
    BranchDiagram
        Ordered as the depths are given.

    Raises
    ------
    DomainError
        The depths are not positive numbers, or the result has a terminal cost.

    Examples
    --------
    A path of one sample without bias has -2H/L̃ = 1 - ln²(y/x)/L̃²:

    >>> from gpdeep.leaky import geodesic
    >>> found = geodesic([[2.0]], [[1.0]], 2.0, activation="identity", bias=0.0, starts=1)
    >>> print(continue_in_depth(found, [2.0, 4.0]).rank_like.round(6), 1 - np.log(2) ** 2 / np.array([4, 16]))
    [[0.879887 0.969972]] [0.87988675 0.96997169]
    """
    if not isinstance(result, GeodesicResult):
        raise DomainError(
            f"result is a {type(result).__name__}.", "It is not what geodesic returned.", "Give a GeodesicResult."
        )
    wanted = real("rtol", rtol, 1e-15, 1.0, "the wanted relative error of the actions")
    depths = check_numbers("effective_depths", effective_depths)
    if not (depths >= _LEAST).all():
        raise DomainError(
            f"effective_depths holds {depths.min():g}.",
            f"Depths are {_LEAST:g} or more: on the way to smaller ones the speed grows without bound.",
            "Give positive numbers such as [3, 7, 14].",
        )
    if result.terminal_weight is not None or not result.geometry.phi.smooth:
        raise DomainError(
            "The path has a terminal cost, or its activation has kinks.",
            "Paths between fixed ends with a smooth activation are followed in depth.",
            "Hold the end (no terminal_weight), and use a smooth activation such as softplus:20 for relu; or call "
            "geodesic at each depth.",
        )
    with threadpool_limits(1), np.errstate(all="ignore"):
        return _diagram(result, depths, wanted)


def _diagram(result: GeodesicResult, depths: FloatArray, rtol: float) -> BranchDiagram:
    X, Y = result.A[0], result.A[-1]
    problem = PathProblem(result.geometry, result.effective_depth, Fixed(X), Fixed(Y), X, Y)
    branches: list[Descent | None] = [_descent_of(problem, point) for point in result.critical_points]
    events = [Event(number, problem.T, None) for number, near in enumerate(branches) if near is None]
    found: list[dict[int, CriticalPath]] = []
    for depth in depths:
        here = problem.with_depth(float(depth))
        at: dict[int, CriticalPath] = {}
        lost: list[tuple[int, float, Descent | None]] = []
        for number, near in enumerate(branches):
            if near is None:
                continue
            moved, reached = climb(near, here, here.T, strict=True)
            if reached == here.T:
                polished = polish(here, moved, rtol=rtol)
                twin = None if polished is None else _same(polished, at)
                if polished is not None and twin is None:
                    at[number], branches[number] = polished, polished.near
                    continue
                lost.append((number, float(near.state.path.h.sum()), None if twin is None else at[twin].near))
            else:
                lost.append((number, reached, let_go(moved, here)))
            branches[number] = None
        for number, reached, other in lost:
            polished = None if other is None else polish(here, other, rtol=rtol)
            joined = None if polished is None else _same(polished, at)
            if polished is not None and joined is None:
                joined = len(branches)
                branches.append(polished.near)
                at[joined] = polished
            events.append(Event(number, reached, joined))
        found.append(at)
    shape = (len(branches), len(depths))
    table = {name: np.full(shape, np.nan) for name in ("action", "action_error", *NUMBERS, "is_minimum")}
    points = []
    for d, at in enumerate(found):
        listed = {number: _point(path, None) for number, path in at.items()}
        for number, point in listed.items():
            for name in ("action", *NUMBERS):
                table[name][number, d] = getattr(point, name)
            table["action_error"][number, d] = at[number].error
            table["is_minimum"][number, d] = float(point.kind == "minimum")
        points.append(tuple(sorted(listed.values(), key=lambda point: point.action)))
    rough = (table["action_error"] > rtol * np.abs(table["action"])).any()
    messages = ["Some actions have a larger error than was asked for; see action_error."] if rough else []
    messages += [f"No branch reaches L̃ = {depth:g}." for depth, at in zip(depths, found, strict=True) if not at]
    return BranchDiagram(
        status=Status(StatusCode.NOT_CONVERGED if messages else StatusCode.OK, tuple(messages)),
        effective_depth=depths,
        points=tuple(points),
        events=tuple(events),
        **table,
    )


def _descent_of(problem: PathProblem, point: CriticalPoint) -> Descent | None:
    """A critical point as a place to go on from; saddles are none, for what follows descends."""
    if point.kind == "saddle":
        return None
    t = problem.T * point.p
    path = HermitePath.of(problem.geometry, t, point.A, point.B).path(gauss(2), np.diff(t))
    for delta in NEAR_DELTAS:
        found = settle(problem, gauss(2), path, tol=1e-8, delta=delta * problem.kernel_scale())
        if found.converged and np.isclose(found.state.value, point.objective, rtol=1e-4):
            return found
    return None


def _same(path: CriticalPath, others: dict[int, CriticalPath]) -> int | None:
    """The number of the branch that has this action and energy already."""
    for number, other in others.items():
        if np.isclose(path.value, other.value, rtol=1e-7) and np.isclose(
            np.median(path.energies()), np.median(other.energies()), rtol=1e-5, atol=1e-9
        ):
            return number
    return None
