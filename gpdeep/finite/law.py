r"""The law of the angle between two inputs through a ReLU network: one question, several methods.

    x_l = ln sin²θ_l,   θ_l the angle of the post-activations after hidden layer l = 1..L.

| method               | gives                       | error                                | holds for                              |
|----------------------|-----------------------------|--------------------------------------|----------------------------------------|
| `grid`               | the whole law               | estimate, ≤ 0.3 % mean, 0.7 % std    | ReLU, any widths                       |
| `chain`              | the whole law, sampled      | standard error                       | any two-slope activation, any widths   |
| `closure`            | mean, standard deviation    | mean 0.02 at n ≥ 64; std 2-7 % low   | ReLU, widths ≥ 32                      |
| `diffusion`          | the law at leading order    | O(1/n), O(θ)                         | ReLU, widths ≥ 64                      |
| `jakub-nica`         | one number a layer          | O(1/n²) with large constants         | reproduction                           |
| `jakub-nica-density` | Gaussian-kernel density     | O(1/n²) with large constants         | reproduction                           |
| `infinite`           | the infinite-width angle    | 0.2 to 9 nats at practical sizes     | width ≫ depth                          |

All moments and quantiles are conditional on survival (both inputs alive, not collapsed onto each other): unconditionally
E x = -∞. Input and output dimension do not enter; the weights' scale does not either. Reported with every law: the probabilities that the
pair died, collapsed, or is exactly orthogonal.
"""

from __future__ import annotations

import enum
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ..activations import TwoSlope, activation
from ..errors import DomainError, ValidityWarning
from ..gaussian import angle_map, log_sin2_next
from ..result import FloatArray, IntArray, Result, Status, StatusCode
from .chain import MEMORY_BUDGET, pair_frame, require_memory, run_chain
from .backend import Backend
from .checks import check_angles, check_integer, check_widths
from .closure import closure_path
from .cumulants import one_step_error
from .diffusion import diffusion_layer
from .grid import Grid, LayerSummary, log_sin2_of, log_tan2, propagate, quantile, step_functional
from .jakub_nica import density_layer, jakub_nica_recursion
from .one_layer import Angles, relu_layer


class Method(enum.StrEnum):
    """How the law is computed."""

    AUTO = "auto"
    GRID = "grid"
    CHAIN = "chain"
    CLOSURE = "closure"
    DIFFUSION = "diffusion"
    JAKUB_NICA = "jakub-nica"
    JAKUB_NICA_DENSITY = "jakub-nica-density"
    INFINITE = "infinite"


GRID_FROM_WIDTH = 8
"""`auto` takes the grid from this width on, and the chain below, where sampling is cheap and has no model error."""

_LEAST_WIDTH = {Method.CLOSURE: 2, Method.DIFFUSION: 1, Method.JAKUB_NICA: 2, Method.JAKUB_NICA_DENSITY: 2}
_VALID_FROM = {Method.CLOSURE: 32, Method.DIFFUSION: 64}


@dataclass(frozen=True)
class LawError:
    """Error of mean and standard deviation at the last layer.

    `kind` is "estimate" (of a model or discretisation error), "standard_error" (of sampling), or "none" (not known).
    """

    kind: str
    mean: float
    std: float


@dataclass(frozen=True, kw_only=True, eq=False)
class AngleLaw(Result):
    """The law of x = ln sin²θ, layer by layer, and in full after the last layer.

    Attributes
    ----------
    method : Method
        What computed it.
    widths : ndarray of int, shape (L,)
    theta0 : ndarray, shape (P,)
        Initial angles, mixed with equal weights.
    phi : str
        The activation.
    mean, std, median : ndarray, shape (L,)
        Of x_l given survival; NaN where the method does not give them or no pair survives.
    survival : ndarray, shape (L,)
        P(both inputs alive and not collapsed after layers 1..l).
    dead, collapsed : ndarray, shape (L,)
        P(an input died, P(the pair became parallel) in layers 1..l; with survival they sum to one.
    orthogonal : ndarray, shape (L,)
        P(alive and exactly orthogonal after layer l).
    threshold : float
    above : ndarray, shape (L,)
        P(x_l ≥ threshold and survival).
    error : LawError
    log_tan2, mass : ndarray, shape (S,)
        The law after the last layer given survival: support in y = ln tan²θ, increasing (+inf: exactly orthogonal), and
        probabilities. Empty where the method gives none.
    n_samples, seed : int or None
        For sampled laws.
    """

    method: Method
    widths: IntArray
    theta0: FloatArray
    phi: str
    mean: FloatArray
    std: FloatArray
    median: FloatArray
    survival: FloatArray
    dead: FloatArray
    collapsed: FloatArray
    orthogonal: FloatArray
    threshold: float
    above: FloatArray
    error: LawError
    log_tan2: FloatArray
    mass: FloatArray
    n_samples: int | None = None
    seed: int | None = None

    def quantile(self, probability: float) -> float:
        """The quantile of ln sin²θ_L given survival, 0 < probability < 1; NaN where the method gives no law."""
        if not 0 < probability < 1:
            raise DomainError(
                f"probability is {probability!r}.",
                "It was given in percent, or is an endpoint.",
                "Give a number strictly between 0 and 1.",
            )
        if self.mass.size == 0:
            return float(self.mean[-1] + self.std[-1] * ndtri(probability))
        grid = self._grid()
        if grid is None:
            cumulative = np.cumsum(self.mass)
            return float(
                log_sin2_of(self.log_tan2[min(np.searchsorted(cumulative, probability), len(cumulative) - 1)])
            )
        return float(log_sin2_of(quantile(grid, self.mass[None], probability))[0])

    def cdf(self, x: float) -> float:
        """P(ln sin²θ_L ≤ x) given survival."""
        y = float(log_tan2(np.array(min(x, 0.0))))
        if self.mass.size == 0:
            return float(ndtr((x - self.mean[-1]) / self.std[-1]))
        grid = self._grid()
        if grid is None:
            return float(self.mass[self.log_tan2 <= y].sum())
        return float(np.clip(step_functional(grid, y) @ self.mass, 0.0, 1.0))

    def density(self, points: int = 200) -> tuple[FloatArray, FloatArray]:
        """Values of x between the 0.05 % and 99.95 % quantiles, and the density there (without the atom at 0)."""
        x = np.linspace(self.quantile(5e-4), min(self.quantile(0.9995), -1e-9), points + 1)
        cumulative = np.array([self.cdf(float(value)) for value in x])
        return (x[1:] + x[:-1]) / 2, np.diff(cumulative) / np.diff(x)

    def _grid(self) -> Grid | None:
        """The uniform grid on which the law is given, or None for a sample."""
        if self.n_samples is not None:
            return None
        size = len(self.log_tan2) - 1
        spacing = float(self.log_tan2[size - 1] - self.log_tan2[0]) / (size - 1)
        return Grid(float(self.log_tan2[0]), spacing, size)


def angle_law(
    widths: Any,
    theta0: Any = np.pi / 2,
    *,
    method: str = "auto",
    phi: str | TwoSlope = "relu",
    threshold: float = -4.0,
    n_samples: int = 20_000,
    rng: Any = 0,
    memory_budget: float = MEMORY_BUDGET,
) -> AngleLaw:
    r"""The law of the angle between two inputs after each hidden layer, as the law of x = ln sin²θ.

    Parameters
    ----------
    widths : sequence of int, shape (L,)
        Hidden widths n_1..n_L, from 1 to 10^6; L up to 10^5. Input and output dimension do not enter.
    theta0 : float or array_like, shape (P,)
        Angle between the two inputs in (0, π], in radians. Several angles, such as those of pairs of a data set, are mixed with
        equal weights; zeros among them count as collapsed.
    method : str
        "auto": the grid for ReLU and widths from 8 on, else the chain. Others: see `gpdeep.finite.law`.
    phi : str or TwoSlope
        The activation. All methods but the chain and `infinite` need ReLU.
    threshold : float
        x below which two inputs count as indistinguishable.
    n_samples, rng, memory_budget
        For the chain: number of networks, seed, bytes.

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
    The grid's cost is O(L/√n_max) cells squared at worst: 100 layers of 512 in some milliseconds.

    References
    ----------
    Jakub & Nica (2023), arXiv 2302.09712, pose the question and solve it to O(1/n); the grid is derived in `gpdeep.finite`.

    Examples
    --------
    >>> law = angle_law([100] * 100)
    >>> print(f"{law.mean[-1]:.2f} +- {law.std[-1]:.2f}, median {law.median[-1]:.2f}")
    -6.48 +- 1.92, median -6.34
    """
    layers, angles, function = check_widths(widths), check_angles(_numpy(theta0)), activation(phi)
    if not np.isfinite(threshold):
        raise DomainError(
            f"threshold is {threshold!r}.",
            "The threshold of ln sin² is NaN or infinite.",
            "Give a finite number, such as -4.",
        )
    chosen = _choose(method, layers, function)
    messages = _validity(chosen, layers)
    status = Status(StatusCode.OUTSIDE_VALIDITY if messages else StatusCode.OK, messages)
    for message in messages:
        warnings.warn(message, ValidityWarning, stacklevel=2)
    common: dict[str, Any] = {
        "method": chosen,
        "widths": layers,
        "theta0": angles,
        "phi": function.name,
        "threshold": float(threshold),
        "status": status,
    }
    if chosen is Method.CHAIN:
        return _chain(theta0, angles, function, n_samples, rng, memory_budget, common)
    with np.errstate(divide="ignore"):
        log_sin2 = np.where(angles > 0, 2 * np.log(np.sin(angles)), -np.inf)
    start, weight = Angles(angles, log_sin2), np.full(len(angles), 1 / len(angles))
    if chosen in (Method.GRID, Method.DIFFUSION, Method.JAKUB_NICA_DENSITY):
        layer = {
            Method.GRID: relu_layer,
            Method.DIFFUSION: diffusion_layer,
            Method.JAKUB_NICA_DENSITY: density_layer([True]),
        }[chosen]
        grid, state, summary = propagate(start, weight, layers, layer, threshold)
        error = _grid_error(layers, summary) if chosen is Method.GRID else LawError("none", np.nan, np.nan)
        alive = state.sum()
        return AngleLaw(
            **common,
            **_columns(summary),
            error=error,
            log_tan2=np.append(grid.y, np.inf),
            mass=state / alive if alive > 0 else np.full_like(state, np.nan),
        )
    return _path(chosen, start, weight, layers, function, common)


def _numpy(values: Any) -> Any:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def _choose(method: str, widths: IntArray, phi: TwoSlope) -> Method:
    try:
        chosen = Method(method)
    except ValueError as error:
        raise DomainError(
            f"method is {method!r}.",
            "The name is misspelt.",
            f"Use one of: {', '.join(Method)}.",
        ) from error
    if chosen is Method.AUTO:
        wide = int(widths.min()) >= GRID_FROM_WIDTH
        return Method.GRID if phi.one_sided and wide else Method.CHAIN
    if chosen not in (Method.CHAIN, Method.INFINITE) and not phi.one_sided:
        raise DomainError(
            f"method '{chosen}' was asked for with the activation '{phi.name}'.",
            "The one-layer law is derived for ReLU.",
            "Use method='chain', which is exact for every two-slope activation.",
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


def _columns(summary: LayerSummary) -> dict[str, FloatArray]:
    return {name: getattr(summary, name) for name in summary.__dataclass_fields__}


def _grid_error(widths: IntArray, summary: LayerSummary) -> LawError:
    """Errors of the one-layer moments, added up over the layers as if each reached the end in full."""
    mean = var = 0.0
    for n, count in zip(*np.unique(widths, return_counts=True), strict=True):
        shift, relative = one_step_error(int(n))
        mean += int(count) * shift
        var += int(count) * relative * 8 / int(n)
    std = float(summary.std[-1])
    return LawError("estimate", mean + 1e-6, var / (2 * std) + 1e-6 if std > 0 else np.nan)


def _chain(
    theta0: Any,
    angles: FloatArray,
    phi: TwoSlope,
    n_samples: int,
    rng: Any,
    memory_budget: float,
    common: dict[str, Any],
) -> AngleLaw:
    """Sample the exact chain and summarise each layer."""
    n_samples = check_integer("n_samples", n_samples, 1, 10**9)
    require_memory(16 * n_samples, memory_budget, f"The state of {n_samples} sampled networks")
    backend = Backend.of(theta0)
    frame = pair_frame(angles, n_samples, rng, backend)
    columns: list[tuple[float, ...]] = []
    x = np.zeros(0)
    for state in run_chain(frame, common["widths"], phi, rng, backend):
        alive = backend.numpy(state.alive)[:, 0]
        x = np.sort(backend.numpy(state.log_sin2)[alive, 0])
        columns.append(
            (
                float(x.mean()) if x.size else np.nan,
                float(x.std()) if x.size else np.nan,
                float(np.median(x)) if x.size else np.nan,
                float(alive.mean()),
                float(np.mean(backend.numpy(state.dead))),
                float(np.mean(backend.numpy(state.collapsed))),
                float(np.mean(backend.numpy(state.orthogonal))),
                float((x >= common["threshold"]).sum() / n_samples),
            )
        )
    names = ("mean", "std", "median", "survival", "dead", "collapsed", "orthogonal", "above")
    if x.size < 2:
        common["status"] &= Status(
            StatusCode.NOT_CONVERGED,
            (f"{x.size} of {n_samples} sampled pairs survived: too few for moments.",),
        )
    return AngleLaw(
        **common,
        **dict(zip(names, map(np.array, zip(*columns, strict=True)), strict=True)),
        error=_standard_error(x),
        log_tan2=log_tan2(x),
        mass=np.full(x.size, 1 / max(x.size, 1)),
        n_samples=n_samples,
        seed=int(rng) if isinstance(rng, (int, np.integer)) else None,
    )


def _standard_error(x: FloatArray) -> LawError:
    """Standard errors of the sample mean and, by the fourth moment, of the sample standard deviation."""
    if x.size < 2:
        return LawError("standard_error", np.nan, np.nan)
    std = float(x.std(ddof=1))
    fourth = float(np.mean((x - x.mean()) ** 4))
    spread = np.sqrt(max(fourth - std**4, 0.0) / x.size) / (2 * std) if std > 0 else 0.0
    return LawError("standard_error", std / np.sqrt(x.size), float(spread))


def _path(
    method: Method, start: Angles, weight: FloatArray, widths: IntArray, phi: TwoSlope, common: dict[str, Any]
) -> AngleLaw:
    """The methods that give numbers a layer and no distribution."""
    nan, zero = np.full(len(widths), np.nan), np.zeros(len(widths))
    mean, std, median, survival = nan, nan, nan, zero + 1
    apart = np.isfinite(start.log_sin2)
    alive = float(weight[apart].sum())
    start, weight = Angles(start.theta[apart], start.log_sin2[apart]), weight[apart] / alive
    if method is Method.CLOSURE:
        mean, std, survival = closure_path(start, weight, widths)
        median = mean
    elif method is Method.INFINITE:
        path = infinite_path(start.theta, len(widths), phi.kink)[1]
        mean = path @ weight
        median = np.median(path, axis=1)
        std = np.sqrt(np.maximum((path - mean[:, None]) ** 2 @ weight, 0.0))
    else:
        paths = np.array([jakub_nica_recursion(widths, float(angle)) for angle in start.theta])
        mean = weight @ paths
    with np.errstate(invalid="ignore", divide="ignore"):
        above = np.where(np.isnan(std), np.nan, ndtr((mean - common["threshold"]) / std))
    if method is Method.INFINITE:
        above = (path >= common["threshold"]) @ weight
    return AngleLaw(
        **common,
        mean=mean,
        std=std,
        median=median,
        survival=alive * survival,
        dead=zero if method is Method.INFINITE else nan,
        collapsed=zero + 1 - alive if method is Method.INFINITE else nan,
        orthogonal=zero if method is Method.INFINITE else nan,
        above=alive * survival * above,
        error=LawError("none", np.nan, np.nan),
        log_tan2=np.zeros(0),
        mass=np.zeros(0),
    )


def infinite_path(theta0: FloatArray, depth: int, kink: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Angles and ln sin² of the infinite-width network after layers 1..L, both of shape (L, P)."""
    angles, log_sin2 = np.empty((depth, len(theta0))), np.empty((depth, len(theta0)))
    theta = theta0
    for layer in range(depth):
        log_sin2[layer] = log_sin2_next(theta, kink)
        theta = angle_map(theta, kink)
        angles[layer] = theta
    return angles, log_sin2
