r"""The degeneracy depth of a network from its widths, by the law at finite width and the map at infinite width.

L*(x*, c) = max{ l ≤ L : P( ln sin²θ_l ≥ x*  and both inputs alive, not collapsed ) ≥ c }
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..architecture import Architecture, Kind
from ..data import pair_angles
from ..errors import DomainError
from ..finite import Method, angle_law
from ..finite.checks import check_angles, check_real, check_sigmas
from ..gaussian.arguments import shown, whole
from ..meanfield.pair_path import pair_path
from ..result import FloatArray, Status
from .prediction import DegeneracyDepth, DepthPrediction, InfiniteWidth, InitialAngle
from .search import FIRST_WIDTH, require_findable, smallest_width

DEFAULT_THRESHOLD = -4.0


def predict_depth(
    architecture: Architecture | str,
    *,
    angle: float | None = None,
    data: Any = None,
    centre: bool = True,
    threshold: float = DEFAULT_THRESHOLD,
    confidence: float = 0.5,
    method: str = "auto",
    seed: int = 0,
    samples: int = 20_000,
    progress: Callable[[int, int], None] | None = None,
) -> DepthPrediction:
    r"""Predict how far two inputs of a network can be told apart, layer by layer.

    Parameters
    ----------
    architecture : Architecture or str
        The network; text such as ``"784,128x50,10"`` has ReLU and no biases, others are written
        ``Architecture.parse("784,128x50,10", phi="tanh", sigma_w=1.3, sigma_b=0.2)``. For a width ``?`` the smallest
        one is found for which the degeneracy depth reaches the depth of the network.
    angle : float, optional
        Angle between the two inputs in (0, π], in radians; default π/2. Not together with `data`.
    data : str, path or array_like, optional
        Take the angles of 2,000 random pairs of these inputs instead: "digits", a folder of idx files (its training
        images), a .npy file, an array (samples, features). See `gpdeep.data`.
    centre : bool
        Subtract the mean over samples first. Raw images live in one orthant, where typical angles are small.
    threshold : float
        ln sin²θ below which two inputs count as indistinguishable; negative.
    confidence : float
        Share c of initialisations (and pairs) in which they must be told apart, in (0, 1).
    method : str
        See `gpdeep.finite.law`.
    seed, samples : int
        Seed of pairs and sampled networks; number of sampled networks where the method samples.
    progress : callable, optional
        Called with (layers done, layers) while networks are sampled; where a width is to be found, with (widths tried,
        widths at most).

    Returns
    -------
    DepthPrediction

    Raises
    ------
    DomainError
        An argument is out of range, or data and architecture do not fit.
    InfeasibleError
        No width is enough for an unknown width ``?``.

    Warns
    -----
    ValidityWarning
        The chosen method is not known to hold for these widths.

    Notes
    -----
    Assumptions: fully connected, Gaussian or orthogonal weights at initialisation; other iid weights change the answer
    at order 1/n (`gpdeep.nn.architecture_of`). Statements are about post-activations of hidden layers. Inputs have
    |x|² = n_0. Every activation, residual and normalised blocks are answered, by the grid where it applies (ReLU in
    plain layers without bias), else by sampling the exact chain.

    References
    ----------
    Jakub & Nica (2023), arXiv 2302.09712 and 2306.01513.

    Examples
    --------
    >>> answer = predict_depth("784,64x100,10")
    >>> answer.degeneracy_depth.finite, answer.degeneracy_depth.infinite
    (36, 58)
    """
    network = _architecture(architecture)
    confidence = check_real("confidence", confidence, 0.0, 1.0)
    seed = whole("seed", seed, 0, 2**128, "names a stream of random numbers")
    samples = whole("samples", samples, 1, 10**9)
    threshold = check_real("threshold", threshold, -1e300, 0.0)
    start = _initial_angles(network, angle, data, centre, seed)

    def answer(dense: Architecture, progress: Callable[[int, int], None] | None = None) -> DepthPrediction:
        return _predict(dense, start, threshold, confidence, method, seed, samples, progress)

    if not network.has_unknown:
        return answer(network, progress)
    _, log_sin2, _ = _infinite_path(network.with_width(FIRST_WIDTH), start)
    if isinstance(method, str) and method in (Method.AUTO, Method.GRID, Method.CHAIN):  # that give probabilities
        require_findable(network, log_sin2, threshold, confidence)
    return smallest_width(network, answer, progress)


def find_width(depth: int | Architecture | str, **options: Any) -> DepthPrediction:
    """The smallest width with which a network's degeneracy depth reaches its own depth.

    Parameters
    ----------
    depth : int, Architecture or str
        Number of hidden layers of equal width; or a network with the width ``?`` for the unknown, ``"784,?x50,10"``.
    **options
        `angle`, `data`, `threshold`, `confidence` and the others of `predict_depth`.

    Returns
    -------
    DepthPrediction
        Of the network found; its `width` is the answer.

    Raises
    ------
    DomainError
        No width is unknown in the architecture; or an option is out of range.
    InfeasibleError
        Even width 10^6 is not enough: the depth exceeds the infinite-width value.

    Notes
    -----
    Bisection in the width, some 20 laws: the probability of telling the inputs apart grows with it.

    Examples
    --------
    >>> find_width(30).width
    40
    """
    if isinstance(depth, (int, np.integer)) and not isinstance(depth, bool) and options.get("data") is None:
        depth = f"1,?x{shown(depth)},1"  # input and output dimension do not enter
    network = _architecture(depth)
    if not network.has_unknown:
        raise DomainError(
            f"The architecture '{network}' has no unknown width.",
            "All widths are numbers, so there is nothing to find.",
            "Write ? for the width to be found, as in 784,?x50,10; or use predict_depth.",
        )
    return predict_depth(network, **options)


def _architecture(value: Any) -> Architecture:
    """An architecture, or the text of one."""
    if isinstance(value, Architecture):
        return value
    if isinstance(value, str):
        return Architecture.parse(value)
    raise DomainError(
        f"The architecture is {shown(value)}.",
        "Neither text nor an Architecture was given (find_width takes a number of layers too, unless data are given).",
        "Write text such as '784,128x50,10'; a torch module is read by gpdeep.nn.architecture_of.",
    )


@dataclass(frozen=True)
class _Start:
    """Initial angles, and how they came about."""

    angles: FloatArray
    summary: float | InitialAngle
    options: dict[str, Any]
    status: Status


def _initial_angles(network: Architecture, angle: float | None, data: Any, centre: bool, seed: int) -> _Start:
    """One angle, or those of random pairs of a data set with as many features as the network has inputs."""
    if data is None:
        value = float(check_angles(np.pi / 2 if angle is None else angle)[0])
        return _Start(np.array([value]), value, {"angle": value, "data": None, "centre": centre}, Status())
    if angle is not None:
        raise DomainError(
            f"Both an angle ({shown(angle)}) and data were given.",
            "The initial angle is either a number or taken from data.",
            "Leave one of the two out.",
        )
    sample = pair_angles(data, centre=centre, rng=seed)
    if sample.features != network.inputs:
        raise DomainError(
            f"The data have {sample.features} features; the architecture '{network}' has {network.inputs} inputs.",
            "The architecture was written for other data.",
            f"Begin the architecture with {sample.features}.",
        )
    summary = InitialAngle(sample.mean, sample.median, sample.std, sample.pairs)
    source = os.fspath(data) if isinstance(data, (str, os.PathLike)) else "array"
    return _Start(sample.angles, summary, {"angle": None, "data": source, "centre": centre}, sample.status)


def _infinite_path(network: Architecture, start: _Start) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Angles, ln sin² and variances at infinite width, by layer; only the wiring depends on the widths."""
    wirings = network.wirings
    residual = np.array([layer.kind is Kind.RESIDUAL for layer in wirings])
    return pair_path(
        start.angles,
        network.phi,
        check_sigmas("sigma_w", network.weight_sigma, network.depth, positive=True),
        check_sigmas("sigma_b", network.sigma_b, network.depth),
        alpha=np.where(residual, [layer.alpha for layer in wirings], 0.0),
        beta=np.where(residual, [layer.beta for layer in wirings], 1.0),
        layer_norm=np.array([layer.kind is Kind.LAYER_NORM for layer in wirings]),
    )


def _predict(
    network: Architecture,
    start: _Start,
    threshold: float,
    confidence: float,
    method: str,
    seed: int,
    samples: int,
    progress: Callable[[int, int], None] | None,
) -> DepthPrediction:
    depth, wirings = network.depth, network.wirings
    sigma_w = check_sigmas("sigma_w", network.weight_sigma, depth, positive=True)
    sigma_b = check_sigmas("sigma_b", network.sigma_b, depth)
    law = angle_law(
        network.widths,
        start.angles,
        method=method,
        phi=network.phi,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        wiring=wirings,
        input_dimension=network.inputs,
        threshold=threshold,
        n_samples=samples,
        rng=seed,
        progress=progress,
    )
    angles, log_sin2, _ = _infinite_path(network, start)
    apart = start.angles > 0  # like all moments, those of pairs that are not parallel
    finite = None if np.isnan(law.above).all() and law.method is not Method.CHAIN else _last(law.above, confidence)
    return DepthPrediction(
        status=start.status & law.status,
        architecture=str(network),
        options={
            "activation": network.phi.name,
            "sigma_w": network.weight_sigma,
            "sigma_b": network.sigma_b,
            "weights": str(network.weights),
            **start.options,
            "threshold": float(threshold),
            "confidence": float(confidence),
            "method": str(law.method),
            "seed": int(seed),
            "samples": int(samples),
        },
        law=law,
        infinite=InfiniteWidth(angles[:, apart].mean(axis=1), log_sin2[:, apart].mean(axis=1)),
        degeneracy_depth=DegeneracyDepth(
            finite=finite,
            infinite=_last((log_sin2 >= threshold).mean(axis=1), confidence),
            reached=None if finite is None else finite < depth,
            threshold=float(threshold),
            confidence=float(confidence),
        ),
        effective_depth=network.effective_depth,
        initial_angle=start.summary,
    )


def _last(probability: FloatArray, confidence: float) -> int:
    """The largest layer (from 1) whose probability is at least `confidence`; 0 if none."""
    layers = np.flatnonzero(probability >= confidence)
    return int(layers[-1]) + 1 if layers.size else 0
