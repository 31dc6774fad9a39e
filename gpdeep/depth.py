r"""How deep can this network be before its inputs become indistinguishable? The main job.

    L*(x*, c) = max{ l ≤ L : P( ln sin²θ_l ≥ x*  and both inputs alive, not collapsed ) ≥ c },

the predicted degeneracy depth of two inputs at a given angle, or of a random pair of a data set, at finite width;
beside it the infinite-width value, the effective depth t = Σ 1/n_l, the spread of lengths and the survival probability.

What it is not: a statement about training. Above L* the inputs' images differ by less than the threshold in more than
a share 1 - c of all initialisations; being below it is roughly necessary for training, not sufficient. The threshold
is empirical: about -4 for tasks like MNIST, about -1.5 for CIFAR-10 (from the figures of Jakub & Nica 2023, arXiv
2306.01513).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .architecture import Architecture, Kind, Weights
from .data import pair_angles
from .errors import DomainError, InfeasibleError
from .finite import AngleLaw, Method, angle_law
from .finite.checks import MAX_WIDTH, check_angles, check_integer, check_real, check_sigmas
from .meanfield.pair_path import pair_path
from .result import SCHEMA_VERSION, FloatArray, Result, Status, render_table, shown_layers

DEFAULT_THRESHOLD = -4.0
FIRST_WIDTH = 8
"""Where the search for a width begins: from here on no sampling is needed for ReLU."""
WIDE_TO_SAMPLE = 2000
"""Width at which the search gives up if it has to sample and even infinite width would not be enough."""


@dataclass(frozen=True)
class InitialAngle:
    """The angles between random pairs of a data set, in radians."""

    mean: float
    median: float
    std: float
    pairs: int


@dataclass(frozen=True)
class InfiniteWidth:
    """The same network at infinite width after layers 1..L: means over the initial angles above 0."""

    angle: FloatArray
    log_sin2: FloatArray


@dataclass(frozen=True)
class DegeneracyDepth:
    """The largest depth at which the inputs are still told apart.

    `finite`, `infinite`: L* (0: at no depth; None: the method does not give the probability). `reached`: whether it
    lies inside the network; False means that the inputs are still told apart after its last hidden layer.
    """

    finite: int | None
    infinite: int
    reached: bool | None
    threshold: float
    confidence: float


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthPrediction(Result):
    """What `predict_depth` answers.

    Attributes
    ----------
    architecture : str
    options : dict
        Every option with the value that was used.
    law : AngleLaw
        The law of ln sin²θ_l at finite width, layer by layer.
    infinite : InfiniteWidth
    degeneracy_depth : DegeneracyDepth
    effective_depth : float
        t = Σ 1/n_l.
    initial_angle : float or InitialAngle
    width : int or None
        The width that was found, where the architecture had an unknown one.
    """

    architecture: str
    options: dict[str, Any]
    law: AngleLaw
    infinite: InfiniteWidth
    degeneracy_depth: DegeneracyDepth
    effective_depth: float
    initial_angle: float | InitialAngle
    width: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep depth --json`` prints."""
        plain, law = super().to_dict(), self.law.to_dict()
        finite = {"method": law["method"]}
        for name in ("mean", "std", "median"):
            finite[f"log_sin2_{name}"] = law[name]
        for name in ("survival", "log_length2_mean", "log_length2_std", "dead", "collapsed", "orthogonal"):
            finite[name] = law[name]
        finite["probability_above"] = law["above"]
        error = law["error"]
        finite["error"] = {
            "kind": error["kind"],
            "log_sin2_mean": error["mean"],
            "log_sin2_std": error["std"],
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "depth",
            "inputs": {"architecture": plain["architecture"], **plain["options"]},
            "status": plain["status"],
            "finite": finite,
            "infinite": plain["infinite"],
            "degeneracy_depth": plain["degeneracy_depth"],
            "effective_depth": plain["effective_depth"],
            "initial_angle": plain["initial_angle"],
            "width": plain["width"],
        }

    def __str__(self) -> str:
        """The table that ``gpdeep depth`` prints."""
        law, depth = self.law, self.degeneracy_depth
        rows = [
            [
                str(layer),
                f"{law.mean[layer - 1]:.3f}",
                f"{law.std[layer - 1]:.3f}",
                f"{law.median[layer - 1]:.3f}",
                f"{self.infinite.log_sin2[layer - 1]:.3f}",
                f"{law.survival[layer - 1]:.4f}",
                f"{law.above[layer - 1]:.4f}",
            ]
            for layer in shown_layers(len(law.mean))
        ]
        angle = self.initial_angle
        start = (
            f"median of {angle.pairs} pairs {angle.median:.4f}" if isinstance(angle, InitialAngle) else f"{angle:.5g}"
        )
        if depth.finite is None:
            found = "not given by this method"
        elif depth.reached:
            found = f"{depth.finite} of {len(law.mean)} layers"
        else:
            found = f"still told apart after all {len(law.mean)} layers"
        notes = [
            *([f"width found: {self.width}"] if self.width is not None else []),
            f"degeneracy depth (ln sin² ≥ {depth.threshold:g} with probability {depth.confidence:g}): {found}; "
            f"infinite width: {depth.infinite}" + ("+" if depth.infinite == len(law.mean) else ""),
            f"effective depth Σ1/n = {self.effective_depth:.4g}; ln length² = {law.log_length2_mean[-1]:.3f} ± "
            f"{law.log_length2_std[-1]:.3f}; initial angle {start} rad",
            f"method {law.method}; {law.error}",
            *(f"note: {message}" for message in self.status.messages),
        ]
        columns = ["layer", "mean ln sin²θ", "std", "median", "infinite width", "survival", f"P(≥ {depth.threshold:g})"]
        return render_table(f"{self.architecture}  {self.options['activation']}", columns, rows, notes)


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
        The network; text such as ``"784,128x50,10"``. For a width ``?`` the smallest one is found for which the
        degeneracy depth reaches the depth of the network.
    angle : float, optional
        Angle between the two inputs in (0, π], in radians; default π/2. Not together with `data`.
    data : str, path or array_like, optional
        Take the angles of 2,000 random pairs of these inputs instead: "digits", a folder of idx files (its training
        images), a .npy file, an array (samples, features). See `gpdeep.data`.
    centre : bool
        Subtract the mean over samples first. Raw images live in one orthant, where typical angles are small.
    threshold : float
        ln sin²θ below which two inputs count as indistinguishable.
    confidence : float
        Share c of initialisations (and pairs) in which they must be told apart, in (0, 1).
    method : str
        See `gpdeep.finite.law`.
    seed, samples : int
        Seed of pairs and sampled networks; number of sampled networks where the method samples.
    progress : callable, optional
        Called with (layers done, layers) while networks are sampled.

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
    seed = check_integer("seed", seed, 0, 2**128)
    samples = check_integer("samples", samples, 1, 10**9)
    start = _initial_angles(network, angle, data, centre, seed)

    def answer(dense: Architecture) -> DepthPrediction:
        return _predict(dense, start, threshold, confidence, method, seed, samples, progress)

    return _search(network, answer) if network.has_unknown else answer(network)


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
        depth = f"1,?x{depth},1"  # input and output dimension do not enter
    network = _architecture(depth)
    if not network.has_unknown:
        raise DomainError(
            f"The architecture '{network}' has no unknown width.",
            "All widths are numbers, so there is nothing to find.",
            "Write ? for the width to be found, as in 784,?x50,10; or use predict_depth.",
        )
    return predict_depth(network, **options)


def _search(network: Architecture, answer: Callable[[Architecture], DepthPrediction]) -> DepthPrediction:
    """The answer for the smallest width that is enough, by doubling twice at a time, then bisection."""

    def enough(prediction: DepthPrediction) -> bool:
        found = prediction.degeneracy_depth.finite
        if found is None:
            raise DomainError(
                f"method '{prediction.law.method}' gives no probability of telling the inputs apart.",
                "It predicts one number a layer.",
                "Use method='auto' to find a width.",
            )
        return found >= network.depth

    # one neuron cannot be normalised, nor hold two inputs before orthogonal weights
    two_needed = network.weights == Weights.ORTHOGONAL or any(b.kind is Kind.LAYER_NORM for b in network.blocks)
    low, high = int(two_needed), FIRST_WIDTH
    best = answer(network.with_width(high))
    while not enough(best):
        limit = best.degeneracy_depth
        hopeless = best.law.method is Method.CHAIN and limit.infinite < network.depth and high >= WIDE_TO_SAMPLE
        if high == MAX_WIDTH or hopeless:
            raise InfeasibleError(
                f"No width up to {high} lets {network.depth} hidden layers keep ln sin² above {limit.threshold:g} "
                f"with probability {limit.confidence:g}.",
                f"At infinite width the degeneracy depth is {limit.infinite}: more width cannot help beyond it."
                if limit.infinite < network.depth
                else "The depth is so near the infinite-width limit that a still larger width would be needed.",
                "Use fewer hidden layers, a lower threshold, or a lower confidence.",
            )
        low, high = high, min(4 * high, MAX_WIDTH)
        best = answer(network.with_width(high))
    while high - low > 1:
        middle = (low + high) // 2
        candidate = answer(network.with_width(middle))
        if enough(candidate):
            high, best = middle, candidate
        else:
            low = middle
    return replace(best, architecture=str(network), width=high)


def _architecture(value: Any) -> Architecture:
    """An architecture, or the text of one."""
    if isinstance(value, Architecture):
        return value
    if isinstance(value, str):
        return Architecture.parse(value)
    raise DomainError(
        f"The architecture is {value!r}.",
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
            f"Both an angle ({angle!r}) and data were given.",
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
    shown = os.fspath(data) if isinstance(data, (str, os.PathLike)) else "array"
    return _Start(sample.angles, summary, {"angle": None, "data": shown, "centre": centre}, sample.status)


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
    residual = np.array([layer.kind is Kind.RESIDUAL for layer in wirings])
    angles, log_sin2, _ = pair_path(
        start.angles,
        network.phi,
        sigma_w,
        sigma_b,
        alpha=np.where(residual, [layer.alpha for layer in wirings], 0.0),
        beta=np.where(residual, [layer.beta for layer in wirings], 1.0),
        layer_norm=np.array([layer.kind is Kind.LAYER_NORM for layer in wirings]),
    )
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
