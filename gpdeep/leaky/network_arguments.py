"""What the functions of networks accept: steps, weights, representations, activation and bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_floats, shown
from ..result import FloatArray
from .checks import check_bias, check_effective_depth, check_matrices, check_matrix
from .geometry import Geometry
from .nonlinearity import Nonlinearity

_SUM = 1e-9  # what the steps may miss of 1


def geometry_of(activation: Any, bias: Any) -> Geometry:
    """φ and β; a Nonlinearity is taken as it is."""
    phi = activation if isinstance(activation, Nonlinearity) else Nonlinearity.of(activation)
    return Geometry(phi, bias=check_bias(bias))


def layer_steps(rho: Any, effective_depth: Any, layers: int | None = None) -> FloatArray:
    """h_l = ρ_l L̃, shape (L,).

    Raises
    ------
    DomainError
        Steps are not positive or do not sum to 1, there are not `layers` of them, or one has h_l ≥ 1.
    """
    depth = check_effective_depth(effective_depth)
    steps = checked_rho(rho)
    if layers is not None and len(steps) != layers:
        raise DomainError(
            f"rho has {len(steps)} steps, and the arrays of the network have {layers} layers.",
            "A holds L + 1 representations and rho L steps; one of them is of another network.",
            f"Give {layers} steps.",
        )
    h = depth * steps
    if h.max() >= 1:
        raise DomainError(
            f"rho_l L̃ is {h.max():.4g} in layer {int(h.argmax()) + 1} of {len(h)}.",
            "A layer forgets the share rho_l L̃ of its input; from 1 on it is no step along a path any more.",
            f"Use more than {int(np.floor(depth))} layers for L̃ = {depth:g}, or steps that are nearer to equal.",
        )
    return h


def checked_rho(rho: Any) -> FloatArray:
    """ρ_l, shape (L,): positive, of sum 1."""
    given = as_floats(rho)
    steps = np.empty(0) if given is None else given
    positive = steps.ndim == 1 and steps.size > 0 and bool(((steps > 0) & (steps <= 1 + _SUM)).all())
    if not positive or not abs(steps.sum() - 1) <= _SUM:
        raise DomainError(
            f"rho = {shown(rho, 80)} has shape {steps.shape}" + (f" and sum {steps.sum():.9g}." if positive else "."),
            "The steps of the layers are positive and divide the interval [0, 1].",
            "Give L positive steps of sum 1, such as numpy.full(L, 1 / L).",
        )
    return steps


def counted(name: str, value: Any, most: int = 10**6) -> int:
    """A number of layers, sweeps or iterations: an integer from 1 to `most`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not whole or not 1 <= value <= most:
        raise DomainError(
            f"{name} = {shown(value, 80)}.",
            f"{name} counts something: it is an integer from 1 to {most}.",
            "Give for instance 24; a float needs int(...).",
        )
    return int(value)


def shaped_matrix(name: str, value: Any, shape: tuple[int, ...]) -> FloatArray:
    """A finite matrix of a shape that other arguments determine."""
    M = check_matrix(name, value)
    if M.shape != shape:
        raise DomainError(
            f"{name} has shape {M.shape}, not {shape}.",
            "The other arguments belong to a network of another width, or to other samples.",
            f"Give {name} of shape {shape}.",
        )
    return M


def layer_matrices(name: str, value: Any, layers: int | None = None) -> FloatArray:
    """A finite array of shape (L + 1, w, N): what goes into each layer, and what leaves the last."""
    M = check_matrices(name, value)
    if M.ndim != 3 or len(M) < 2 or layers not in (None, len(M) - 1):
        raise DomainError(
            f"{name} has shape {M.shape}.",
            f"{name} holds what goes into each of {layers or 'the L'} layers and what leaves the last: "
            f"({'L' if layers is None else layers} + 1, w, N).",
            "Give what `forward` (representations) or `backward` (momenta) returns for this network.",
        )
    return M


def natural_weights(weights: Any, layers: int, width: int, depth: float, geometry: Geometry) -> FloatArray:
    """w_l = W_l/L̃, shape (L, w, w + 1), or (L, w, w) without bias."""
    W = check_matrices("weights", weights)
    shape = (layers, width, width + bool(geometry.bias))
    if W.shape != shape:
        raise DomainError(
            f"weights have shape {W.shape}.",
            f"{layers} layers of width {width} with bias = {geometry.bias:g} have weights of shape {shape}.",
            "Give all layers in one array; with a bias the last column multiplies its row, without one there is none.",
        )
    return W / depth
