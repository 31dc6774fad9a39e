"""One question, several methods: `angle_law` chooses, checks and runs them. What each gives stands in `law`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from ..activations import Activation, TwoSlope, activation
from ..errors import DomainError, ValidityWarning
from ..gaussian import iterate_angle_map
from ..gaussian.arguments import callback, shown, whole
from ..result import FloatArray, IntArray, Status, StatusCode
from .backend import to_numpy
from .chain import MEMORY_BUDGET
from .checks import check_angles, check_real, check_scale, check_sigmas, check_widths
from .closure import closure_path
from .diffusion import diffusion_layer
from .gram import weight_sigma
from .grid import TOP, LayerSummary, propagate
from .jakub_nica import density_first_layer, density_layer, jakub_nica_recursion
from .law import AngleLaw, LawError, Method
from .lengths import length_law
from .one_layer import Angles, Layer, relu_layer
from .sampled_law import Progress, angles_suffice, sampled_law
from .uniform import log_tan2
from .wiring import Wiring, layer_wirings

GRID_FROM_WIDTH = 8
"""`auto` takes the grid from this width on, and the chain below, where sampling is cheap and has no model error."""

_SHAPE = 1e-3
"""What the shape of the one-layer law beyond its third cumulant may add to the error, in standard deviations: at most
half of it was seen against samples of the exact chain, from width 24 on (tests/finite/test_grid_against_chain.py)."""

_AT_BOTTOM = 1e-4
"""The share of the law below the grid at which the answer says that its lower tail is cut."""

_KEPT = ("mean", "std", "median", "survival", "above", "dead", "collapsed", "orthogonal")
_LEAST_WIDTH = {Method.CLOSURE: 2, Method.JAKUB_NICA: 2, Method.JAKUB_NICA_DENSITY: 2}
_VALID_FROM = {Method.CLOSURE: 32, Method.DIFFUSION: 64}


def angle_law(
    widths: Any,
    theta0: Any = np.pi / 2,
    *,
    method: str = "auto",
    phi: str | Activation | Callable[[Any], Any] = "relu",
    sigma_w: Any = None,
    sigma_b: Any = 0.0,
    wiring: Wiring | Sequence[Wiring] | None = None,
    input_dimension: int | None = None,
    threshold: float = -4.0,
    n_samples: int = 20_000,
    rng: Any = 0,
    memory_budget: float = MEMORY_BUDGET,
    progress: Progress | None = None,
) -> AngleLaw:
    r"""The law of the angle between two inputs after each hidden layer, as the law of x = ln sin²θ.

    Parameters
    ----------
    widths : sequence of int, shape (L,)
        Hidden widths n_1..n_L, from 1 to 10^6; L up to 10^5. The output dimension does not enter.
    theta0 : float or array_like, shape (P,)
        Angle between the two inputs in (0, π], in radians. Several angles, such as those of pairs of a data set, are
        mixed with equal weights; zeros among them count as collapsed. A torch tensor makes the chain run on its device.
    method : str
        "auto": the grid for ReLU without bias, plain layers and widths from 8 on, else the chain. Others: see
        `gpdeep.finite.law`.
    phi : str, Activation or callable
        The activation: a name, or a function of an array that acts on each element. All methods but the chain and
        `infinite` (two slopes) need ReLU.
    sigma_w, sigma_b : float or sequence of float, shape (L,)
        Standard deviations of weights (times √fan-in) and biases; σ_w defaults to the value that keeps the variance,
        which homogeneous activations have. For these, in plain layers without bias, σ_w only scales lengths. Else only
        the chain applies (angles from 1e-13 up), and inputs have |x|² = n_0.
    wiring : Wiring or sequence of Wiring, shape (L,), optional
        Residual, normalised or orthogonal layers, for the chain; see `gpdeep.finite.wiring`.
    input_dimension : int, optional
        n_0 ≥ 2, by default n_1. It enters with orthogonal weights only, and there only in the first layer.
    threshold : float
        x below which two inputs count as indistinguishable.
    n_samples, rng, memory_budget
        For the chain: number of networks, seed, bytes.
    progress : callable, optional
        Called with (layers done, layers) while the chain runs.

    Returns
    -------
    AngleLaw

    Raises
    ------
    DomainError
        An argument is out of range, or the method does not apply to it.
    MemoryBudgetError
        The chain's state does not fit.

    Warns
    -----
    ValidityWarning
        The method is asked for outside the widths where it is known to hold.

    Notes
    -----
    Cost of the grid: L products with a banded matrix of some hundred rows; 100 layers of 512 take some milliseconds.

    References
    ----------
    Jakub & Nica (2023), arXiv 2302.09712, pose the question and solve it to O(1/n); the grid is derived in
    `gpdeep.finite`.

    Examples
    --------
    >>> law = angle_law([100] * 100)
    >>> print(f"{law.mean[-1]:.2f} +- {law.std[-1]:.2f}, median {law.median[-1]:.2f}")
    -6.48 +- 1.92, median -6.34
    """
    layers, angles = check_widths(widths), check_angles(to_numpy(theta0))
    function: Any = activation(phi) if isinstance(phi, str) else phi
    weights = check_sigmas("sigma_w", weight_sigma(function, sigma_w), len(layers), positive=True)
    biases = check_sigmas("sigma_b", sigma_b, len(layers))
    wirings = layer_wirings(wiring, layers)
    fan_in = int(layers[0]) if input_dimension is None else whole("input_dimension", input_dimension, 1, 10**9)
    plain = angles_suffice(function, biases, wirings)
    if isinstance(function, TwoSlope) and not plain:
        check_scale(weights, biases, function.second_moment, wirings)
    threshold = check_real("threshold", threshold, -1e300, 1e300)
    if progress is not None:
        callback("progress", progress, 1, len(layers))
    chosen = _choose(method, layers, function, plain)
    messages = _validity(chosen, layers)
    for message in messages:
        warnings.warn(message, ValidityWarning, stacklevel=2)
    if chosen is Method.CHAIN:
        fields = sampled_law(
            theta0,
            layers,
            function,
            weights,
            biases,
            wirings,
            fan_in,
            threshold,
            n_samples,
            rng,
            memory_budget,
            progress,
        )
    else:
        with np.errstate(divide="ignore"):
            log_sin2 = np.where(angles > 0, 2 * np.log(np.sin(angles)), -np.inf)
        start, weight = Angles(angles, log_sin2), np.full(len(angles), 1 / len(angles))
        if chosen in (Method.GRID, Method.DIFFUSION, Method.JAKUB_NICA_DENSITY):
            fields = _propagated(chosen, start, weight, layers, threshold)
        else:
            fields = _path(chosen, start, weight, layers, function, threshold)
    status = Status(StatusCode.OUTSIDE_VALIDITY if messages else StatusCode.OK, messages)
    if plain and function.one_sided:  # exact, and better than a sample
        length = length_law(layers, sigma_w=tuple(weights * abs(function.negative + function.positive)))
        fields |= {"log_length2_mean": length.mean, "log_length2_std": length.std}
    return AngleLaw(
        method=chosen,
        widths=layers,
        theta0=angles,
        phi=name_of(function),
        threshold=float(threshold),
        **(fields | {"status": status & fields.get("status", Status())}),
    )


def _propagated(
    method: Method, start: Angles, weight: FloatArray, widths: IntArray, threshold: float
) -> dict[str, Any]:
    """The methods that carry the whole law on a grid."""
    layers: dict[Method, tuple[Layer, Layer]] = {
        Method.GRID: (relu_layer, relu_layer),
        Method.DIFFUSION: (diffusion_layer, diffusion_layer),
        Method.JAKUB_NICA_DENSITY: (density_first_layer, density_layer),
    }
    first, later = layers[method]
    grid, state, summary = propagate(start, weight, widths, later, threshold, first_layer=first)
    alive = state.sum()
    status = Status()
    if not alive > 0:
        status = Status(StatusCode.NOT_CONVERGED, ("No pair survives all layers: there are no moments there.",))
    if np.nanmax(summary.at_bottom, initial=0.0) > _AT_BOTTOM:
        message = f"A share {np.nanmax(summary.at_bottom):.1e} of the law fell below the grid: its lower tail is cut."
        status = Status(StatusCode.NOT_CONVERGED, (message,))
    return {
        "status": status,
        **{name: getattr(summary, name) for name in _KEPT},
        "error": _grid_error(summary) if method is Method.GRID else LawError("none", np.nan, np.nan),
        "log_tan2": np.append(grid.y, np.inf),
        "mass": state / alive if alive > 0 else np.full_like(state, np.nan),
    }


def name_of(phi: Any) -> str:
    """What results call the activation `phi`."""
    return str(getattr(phi, "name", None) or getattr(phi, "__name__", None) or type(phi).__name__)


def _choose(method: str, widths: IntArray, phi: Any, plain: bool) -> Method:
    """The method that `method` stands for; `plain`: two slopes, no bias, plain Gaussian layers."""
    relu = plain and phi.one_sided
    try:
        chosen = Method(method)
    except (ValueError, TypeError) as error:
        raise DomainError(
            f"method is {shown(method)}.",
            "The name is misspelt.",
            f"Use one of: {', '.join(Method)}.",
        ) from error
    if chosen is Method.AUTO:
        wide = int(widths.min()) >= GRID_FROM_WIDTH
        return Method.GRID if relu and wide else Method.CHAIN
    if chosen is not Method.CHAIN and not (plain if chosen is Method.INFINITE else relu):
        what = "" if plain else " and biases, or residual, normalised or orthogonal layers"
        what = what if isinstance(phi, TwoSlope) else ""
        raise DomainError(
            f"method '{chosen}' was asked for with the activation '{name_of(phi)}'{what}.",
            "It is derived for plain layers without bias, of two-slope activations (infinite) or ReLU (all others).",
            "Use method='chain', which is exact for every activation, for biases and for all wirings"
            + ("; gpdeep.meanfield has the infinite width." if chosen is Method.INFINITE else "."),
        )
    if int(widths.min()) < _LEAST_WIDTH.get(chosen, 1):
        raise DomainError(
            f"method '{chosen}' was asked for with a layer of width {int(widths.min())}.",
            "Its formulas divide by n - 1 or need a pair that can survive.",
            "Use method='auto'.",
        )
    return chosen


def _validity(method: Method, widths: IntArray) -> tuple[str, ...]:
    valid_from = _VALID_FROM.get(method, 1)
    if int(widths.min()) >= valid_from:
        return ()
    return (
        f"method '{method}' is known to hold from width {valid_from}; the narrowest layer has {int(widths.min())}. "
        "Use method='auto'.",
    )


def _grid_error(summary: LayerSummary) -> LawError:
    """The layers' errors at the end; those of the mean may line up with ln sin² and move the spread as well."""
    mean, std = float(summary.mean_error[-1]) + math.exp(-TOP), float(summary.std[-1])
    if not std > 0:
        return LawError("estimate", mean, np.nan)
    return LawError("estimate", mean + _SHAPE * std, float(summary.var_error[-1]) / (2 * std) + mean + _SHAPE * std)


def _path(
    method: Method, start: Angles, weight: FloatArray, widths: IntArray, phi: TwoSlope, threshold: float
) -> dict[str, Any]:
    """The methods that give numbers a layer and no distribution."""
    unknown, certain = np.full(len(widths), np.nan), np.ones(len(widths))
    apart = np.isfinite(start.log_sin2)
    alive = float(weight[apart].sum())
    start, weight = Angles(start.theta[apart], start.log_sin2[apart]), weight[apart] / alive
    fields = dict.fromkeys(("std", "median", "dead", "collapsed", "orthogonal", "above"), unknown)
    fields["survival"] = certain * alive
    atoms = {"log_tan2": np.zeros(0), "mass": np.zeros(0)}
    if method is Method.CLOSURE:
        fields["mean"], fields["std"], survival = closure_path(start, weight, widths)
        fields["median"], fields["survival"] = fields["mean"], survival * alive
        fields["above"] = fields["survival"] * ndtr((fields["mean"] - threshold) / np.maximum(fields["std"], 1e-300))
    elif method is Method.INFINITE:
        path = iterate_angle_map(start.theta, len(widths), phi.kink)[1]
        fields["mean"], fields["median"] = path @ weight, np.median(path, axis=1)
        fields["std"] = np.sqrt((path - fields["mean"][:, None]) ** 2 @ weight)
        fields["above"] = ((path >= threshold) @ weight) * alive
        fields["dead"] = fields["orthogonal"] = certain * 0
        fields["collapsed"] = certain - alive
        order = np.argsort(path[-1])
        atoms = {"log_tan2": log_tan2(path[-1][order]), "mass": weight[order]}
    else:
        fields["mean"] = jakub_nica_recursion(widths, start.theta) @ weight
    lengths = dict.fromkeys(("log_length2_mean", "log_length2_std"), unknown)
    return {**fields, **lengths, **atoms, "error": LawError("none", np.nan, np.nan)}
