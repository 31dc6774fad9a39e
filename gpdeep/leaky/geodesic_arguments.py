"""From what a user gives to a `PathProblem`: both ends, with their prices and maps, and a first path."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_array, real, shown
from ..result import FloatArray
from .boundary import Boundary, Fixed, LearnedReadIn, LearnedReadout, ReadOut
from .checks import (
    check_effective_depth,
    check_ends,
    check_geometry,
    check_kernel,
    check_matrices,
    check_matrix,
    check_numbers,
    check_terminal_weight,
)
from .hermite import HermitePath
from .network_arguments import counted
from .network_cost import CrossEntropy, SquaredCost
from .problem import PathProblem

_COSTS = ("squared", "cross_entropy")


def end_points(
    X: Any,
    Y: Any,
    effective_depth: Any,
    *,
    activation: Any,
    bias: Any,
    gamma: Any,
    terminal_weight: Any,
    cost: str,
    read_in: Any,
    read_out: Any,
    read_in_penalty: Any,
    read_out_penalty: Any,
    width: int | None,
) -> PathProblem:
    """The problem that the arguments of `geodesic` describe.

    Raises
    ------
    DomainError
        An argument is out of range, two of them contradict each other, or shapes do not fit.
    """
    geometry, T = check_geometry(activation, bias, gamma), check_effective_depth(effective_depth)
    inputs = check_matrix("X", X)
    if read_in is not None and read_in_penalty is not None:
        raise _both("read_in", "read_in_penalty")
    if terminal_weight is None:
        if not (isinstance(cost, str) and cost == "squared") or read_out is not None or read_out_penalty is not None:
            raise DomainError(
                "A cost or a read-out was given without terminal_weight.",
                "The end of the path is held at Y then, and nothing is read out.",
                "Give terminal_weight (λ in C + λS), or leave cost and read-out away.",
            )
        held = check_matrix("Y", Y)
        targets: FloatArray | None = held
        width_of_end = len(held)
    else:
        targets, width_of_end = None, 0
    start: Boundary
    width = None if width is None else counted("width", width)
    if read_in is not None:
        E = check_matrix("read_in", read_in)
        if E.shape[1] != len(inputs):
            raise _misfit("read_in", E.shape, "X", inputs.shape, "read_in has one column for each row of X.")
        first = E @ inputs
        start = Fixed(first)
    elif read_in_penalty is not None:
        price = real("read_in_penalty", read_in_penalty, 0.0, np.inf, "the price c of |E|²/2")
        w = width or width_of_end or len(inputs)
        start = LearnedReadIn(inputs, price)
        first = np.eye(w, len(inputs)) @ inputs
    else:
        first = inputs
        start = Fixed(first)
    if width is not None and width != len(first):
        raise DomainError(
            f"width = {width}, but the path begins with {len(first)} neurons.",
            "X (or read_in) fixes the width already.",
            "Leave width away, or give a read_in with as many rows.",
        )
    if targets is not None:
        check_ends(first, targets, ("X" if read_in is None and read_in_penalty is None else "E X", "Y"))
        end: Boundary = Fixed(targets)
        last = targets
    else:
        end, last = _terminal(Y, first, terminal_weight, cost, read_out, read_out_penalty)
    if start.fixed:
        check_kernel("X" if read_in is None else "E X", first, geometry)
    if end.fixed:
        check_kernel("Y", last, geometry)
    if start.fixed and end.fixed and not geometry.gamma:
        _check_twins(first, last)
    return PathProblem(geometry, T, start, end, first, last)


def _check_twins(X: FloatArray, Y: FloatArray) -> None:
    """Refuse samples that are equal at one end and different at the other: flows neither part nor merge them."""
    for one, name, other, role in ((X, "X", Y, "Y"), (Y, "Y", X, "X")):
        _, first, group = np.unique(one, axis=1, return_index=True, return_inverse=True)
        alike = first[group.ravel()]
        bad = np.flatnonzero((other != other[:, alike]).any(axis=0))
        if len(bad):
            raise DomainError(
                f"Samples {alike[bad[0]]} and {bad[0]} are equal in {name} and differ in {role}.",
                "One sample was given twice with two targets, or X or Y is constant.",
                "Remove one of them, or use gamma > 0, which gives every sample a private feature.",
            )


def _terminal(
    Y: Any, first: FloatArray, terminal_weight: Any, cost: str, read_out: Any, read_out_penalty: Any
) -> tuple[Boundary, FloatArray]:
    """The priced end, and where a search may expect it."""
    weight = check_terminal_weight(terminal_weight)
    if not isinstance(cost, str) or cost not in _COSTS:
        raise DomainError(
            f"cost = {shown(cost)} is not one of {', '.join(_COSTS)}.",
            "It is misspelt, or a function.",
            "Use one of these.",
        )
    if read_out is not None and read_out_penalty is not None:
        raise _both("read_out", "read_out_penalty")
    w, N = first.shape
    R = None if read_out is None else check_matrix("read_out", read_out)
    if R is not None and R.shape[1] != w:
        raise _misfit("read_out", R.shape, "the path", first.shape, "read_out has one column for each neuron.")
    if cost == "cross_entropy":
        if read_out_penalty is not None:
            raise DomainError(
                "A learned read-out was asked for with cross-entropy.",
                "Its best value for a given end has no closed form; paths learn read-outs for the squared cost only.",
                "Give read_out, or train with gpdeep.leaky.train_network, which learns both maps for either cost.",
            )
        R = np.eye(w) if R is None else R
        onehot = _onehot(Y, len(R), N)
        return ReadOut(CrossEntropy(onehot), weight, R), first + np.linalg.pinv(R) @ (onehot - R @ first)
    targets = check_matrix("Y", Y)
    if targets.shape[1] != N:
        raise _misfit("Y", targets.shape, "X", first.shape, "Both hold one column for each sample.")
    if read_out_penalty is not None:
        price = real("read_out_penalty", read_out_penalty, 0.0, np.inf, "the price c of |R|²/2")
        return LearnedReadout(targets, weight, price), first
    R = np.eye(w) if R is None else R
    if len(R) != len(targets):
        raise _misfit("Y", targets.shape, "the output R A_1", (len(R), N), "Y holds one row for each output.")
    return ReadOut(SquaredCost(targets), weight, R), first + np.linalg.pinv(R) @ (targets - R @ first)


def _onehot(Y: Any, classes: int, N: int) -> FloatArray:
    """One-hot columns (classes, N) from those, or from integers (N,)."""
    given = as_array(Y)
    if given.ndim == 1 and given.dtype.kind in "iu" and len(given) == N and ((given >= 0) & (given < classes)).all():
        return np.eye(classes)[:, given]
    if given.ndim == 2 and given.shape == (classes, N) and given.dtype.kind in "iuf":
        columns = given.astype(np.float64)
        if (columns >= 0).all() and np.allclose(columns.sum(0), 1, rtol=0, atol=1e-9):
            return columns
    raise DomainError(
        f"Y has shape {given.shape} and type {given.dtype}; there are {classes} classes and {N} samples.",
        "Labels are out of range, or a matrix of targets is transposed or does not sum to 1 a column.",
        f"Give {N} integers from 0 to {classes - 1}, or one-hot columns of shape ({classes}, {N}).",
    )


def first_path(problem: PathProblem, start: Any) -> HermitePath | None:
    """The path through the start that a user gave.

    Raises
    ------
    DomainError
        It is no path of this problem.
    """
    if start is None:
        return None
    if hasattr(start, "critical_points"):
        start = (start.p, start.A, start.B)
    if not isinstance(start, (tuple, list)) or len(start) not in (2, 3):
        raise DomainError(
            f"start is {shown(start, 60)}.",
            "A start is a path: places p in [0, 1] with representations there.",
            "Give a GeodesicResult, or (p, A) or (p, A, B) with shapes (P,), (P, w, N), (P, w, N).",
        )
    p, A = check_numbers("start's p", start[0]), check_matrices("start's A", start[1])
    fits = len(p) >= 2 and A.shape == (len(p), *problem.shape) and (np.diff(p) > 0).all()
    if not fits or not np.allclose([p[0], p[-1]], [0, 1], rtol=0, atol=1e-9):
        raise DomainError(
            f"start has p of {len(p)} numbers from {p[0]:.3g} to {p[-1]:.3g} and A of shape {A.shape}; "
            f"the problem is {problem.shape[0]} x {problem.shape[1]}.",
            "p does not increase from 0 to 1, or A does not hold one matrix for each.",
            "Give p from 0 to 1 and A of shape (P, w, N).",
        )
    t = problem.T * p
    A = A.copy()
    if problem.start.fixed:
        A[0] = problem.first
    if problem.end.fixed:
        A[-1] = problem.last
    if len(start) == 3:
        B = check_matrices("start's B", start[2])
        if B.shape != A.shape:
            raise _misfit("start's B", B.shape, "its A", A.shape, "Both hold one matrix for each p.")
        smooth = problem.geometry.phi.smooth
        return (HermitePath.of if smooth else HermitePath.straight)(problem.geometry, t, A, B)
    return HermitePath.straight(problem.geometry, t, A)


def _misfit(one: str, shape: Any, other: str, other_shape: Any, rule: str) -> DomainError:
    return DomainError(
        f"{one} has shape {tuple(shape)}, {other} has shape {tuple(other_shape)}.",
        "A matrix is transposed, or belongs to other data.",
        rule,
    )


def _both(one: str, other: str) -> DomainError:
    return DomainError(
        f"Both {one} and {other} were given.", "The map is either fixed or learned.", "Leave one of them away."
    )


def check_seed(seed: Any) -> None:
    """Refuse what is no seed of numpy.

    Raises
    ------
    DomainError
        It is negative, a float, a text, ...
    """
    if isinstance(seed, np.random.SeedSequence):
        return
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise DomainError(
            f"seed = {shown(seed, 80)} is no seed.", "It is negative, or not an integer.", "Give an int from 0."
        )
