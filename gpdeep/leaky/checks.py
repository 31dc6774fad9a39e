"""What the functions of `gpdeep.leaky` accept as representations, end points, depths and weights of the terms."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_array, as_float, as_floats, real, shown
from ..result import FloatArray
from .geometry import Geometry
from .nonlinearity import Nonlinearity

_LARGEST = 1e70  # squares of products of two such numbers stay within float64


def check_numbers(name: str, value: Any) -> FloatArray:
    """`value` in float64 as a row of one finite number or more; a single number is a row of one.

    Raises
    ------
    DomainError
        It is something else.
    """
    row, kind = _real_array(value)
    if row is None or row.ndim > 1 or not row.size or not (np.abs(row) <= _LARGEST).all():
        raise DomainError(
            f"{name} is {kind}" + ("." if row is None else f", of shape {row.shape}: {shown(row.tolist(), 100)}."),
            "Text, NaN, an infinity (beyond 1e70), an empty list or a matrix was given.",
            f"Give {name} as a list of finite numbers.",
        )
    return np.atleast_1d(row)


def check_matrices(name: str, value: Any) -> FloatArray:
    """`value` in float64 as matrices (..., w, N), finite, w and N at least 1.

    Raises
    ------
    DomainError
        It is something else.
    """
    M, kind = _real_array(value)
    if M is None:
        raise DomainError(
            f"{name} is {kind}.",
            "Text, truth values, complex numbers, rows of unequal length, or a tensor with a gradient was given.",
            f"Give {name} as an array of real numbers; rows are neurons, columns are samples.",
        )
    if M.ndim < 2 or 0 in M.shape[-2:]:
        raise DomainError(
            f"{name} has shape {M.shape}.",
            "A representation is a matrix w x N: rows are neurons, columns are samples, at least one of each.",
            f"Give {name} with two dimensions; for a single sample x use x[:, None].",
        )
    if not (np.abs(M) <= _LARGEST).all():
        bad = M[~(np.abs(M) <= _LARGEST)]
        raise DomainError(
            f"{name} holds {float(bad.flat[0])!r:.40} ({bad.size} of {M.size} entries are not finite, or beyond 1e70).",
            "Missing values, an overflow upstream, or data in units that need scaling.",
            "Remove such samples, and scale the data so that entries are of order 1.",
        )
    return M


def check_matrix(name: str, value: Any) -> FloatArray:
    """`value` in float64 as one matrix (w, N).

    Raises
    ------
    DomainError
        It is something else.
    """
    M = check_matrices(name, value)
    if M.ndim != 2:
        raise DomainError(
            f"{name} has shape {M.shape}.",
            "One matrix w x N is asked for here: rows are neurons, columns are samples.",
            f"Flatten images to columns, or call once for each matrix of {name}.",
        )
    return M


def check_pair(names: tuple[str, str], first: Any, second: Any) -> tuple[FloatArray, FloatArray]:
    """Two arrays of matrices of one shape w x N, whose leading axes broadcast.

    Raises
    ------
    DomainError
        One is no array of matrices, or the shapes differ.
    """
    one, other = check_matrices(names[0], first), check_matrices(names[1], second)
    if one.shape[-2:] != other.shape[-2:]:
        raise _unequal(names, one.shape, other.shape)
    try:
        np.broadcast_shapes(one.shape, other.shape)
    except ValueError as error:
        raise _unequal(names, one.shape, other.shape) from error
    return one, other


def check_ends(X: Any, Y: Any, names: tuple[str, str] = ("X", "Y")) -> tuple[FloatArray, FloatArray]:
    """Both ends of a path: matrices of one shape (w, N).

    Raises
    ------
    DomainError
        One is no matrix, or the shapes differ; the message says whether a transpose would help.
    """
    one, other = check_matrix(names[0], X), check_matrix(names[1], Y)
    if one.shape != other.shape:
        raise _unequal(names, one.shape, other.shape)
    return one, other


def check_effective_depth(value: Any) -> float:
    """`value` as an effective depth L̃ > 0."""
    return real("effective_depth", value, 1e-30, 1e30, "the length L̃ of the path in natural time")


def check_bias(value: Any) -> float:
    """`value` as the constant β ≥ 0 that is appended to the features."""
    return _from_zero("bias", value, "the constant β of the bias feature")


def check_gamma(value: Any) -> float:
    """`value` as the stabiliser γ ≥ 0."""
    return _from_zero("gamma", value, "the number γ added to the kernel's diagonal, not relative to it")


def check_terminal_weight(value: Any) -> float:
    """`value` as the weight λ > 0 of the action beside the terminal cost."""
    return real(
        "terminal_weight", value, 1e-100, 1e150, "the weight λ of the action in C + λS; without it the end is fixed"
    )


def check_geometry(activation: Any, bias: Any, gamma: Any) -> Geometry:
    """The geometry of an activation by name or object, β and γ.

    Raises
    ------
    DomainError
        One of them is not acceptable.
    """
    return Geometry(Nonlinearity.of(activation), check_bias(bias), check_gamma(gamma))


def check_kernel(name: str, A: FloatArray, geometry: Geometry) -> None:
    """That no sample of the matrix `A`, called `name`, has features that are all 0, with nothing to make up for them.

    Raises
    ------
    DomainError
        K_γ has a zero on its diagonal: β = γ = 0 and φ(a_i) = 0 in all neurons. No weights move such a sample.
    """
    if geometry.bias or geometry.gamma:
        return
    silent = np.flatnonzero(~geometry.phi.value(A).any(axis=-2))
    if silent.size:
        phi = geometry.phi.phi.name
        raise DomainError(
            f"All features {phi}(x) of sample {silent[0]} of {name} are 0 ({silent.size} of {A.shape[-1]} samples).",
            f"Where {phi} is 0 in every neuron and there is no bias, no weights can move the sample.",
            "Set bias or gamma above 0, or shift the data; samples count from 0 and are columns.",
        )


def _real_array(value: Any) -> tuple[FloatArray | None, str]:
    """`value` in float64, or None, and what it is."""
    if np.ma.is_masked(value):
        return None, "an array with masked entries"
    return as_floats(value), f"an array of type {as_array(value).dtype}"


def _from_zero(name: str, value: Any, meaning: str) -> float:
    number = as_float(value)
    if not 0.0 <= number <= _LARGEST:
        raise DomainError(
            f"{name} = {shown(value)} is not a number of 0 or more.",
            f"{name} is {meaning}; a negative number, NaN, text, None, a list or one beyond 1e70 was given.",
            f"Give {name} as a finite number, 0 or more.",
        )
    return abs(number)  # no negative zero


def _unequal(names: tuple[str, str], one: tuple[int, ...], other: tuple[int, ...]) -> DomainError:
    if one[-2:] == other[-2:][::-1] and len(one) == len(other):
        cause = "One of them has samples as rows."
        change = f"Transpose one: rows are neurons, columns are samples, so {names[1]}.T may be meant."
    elif one[-1] == other[-1]:
        cause = "The number of neurons differs; along a leaky ResNet the width is constant."
        change = "Embed both in one width w, for instance by rows of zeros or by matrices with orthonormal columns."
    else:
        cause = "Rows are neurons and columns are samples, and both must be the same on either side."
        change = "Give the same samples in the same order on both sides, in one width."
    return DomainError(f"{names[0]} has shape {one} and {names[1]} has shape {other}.", cause, change)
