r"""The law of the variance through depth at finite width, and the probability that it ever passes a threshold.

The variances K_1, K_2, ... of the pre-activations of a random network are a Markov chain (`one_step_law`). With q the
density of K_l on paths that have stayed below the threshold B,

    q_{l+1}(x) = ∫ p(x | y) q_l(y) dy,       P(escape in layer l + 1) = ∫ P(K' > B | y) q_l(y) dy.

The integrals are Gauss-Legendre sums in ln K over the variances that noise can reach; a layer whose units are all
silent, K' = σ_b², is a state of its own. The kernel p is smooth, so the
sums converge exponentially in the number of nodes: a comparison with fewer of them is the error estimate.
No random numbers, no loop over networks; a hundred layers take tens of milliseconds.

Assumptions: fully connected, Gaussian weights, dense layers, initialisation, one input. Convolutions have more samples
for each variance, so that with the number of channels as width the probability is on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError
from ..finite.checks import MAX_DEPTH, MAX_WIDTH, check_integer
from ..gaussian.arguments import variance
from ..gaussian.gauss_legendre import gauss_legendre
from ..meanfield.fixed_point import points_of
from ..meanfield.variance import VarianceMap
from ..result import FloatArray, Result, render_table, shown_layers
from .one_step_law import ABOVE, BELOW, ExactLaw, GammaLaw, StepLaw, one_step_moments
from .unit_shares import shares

LAWS: dict[str, type[ExactLaw] | type[GammaLaw]] = {"exact": ExactLaw, "gamma": GammaLaw}

_MOST_NODES = 2000
_LOWEST = 1e-6  # of the start: below, without bias, a variance counts as one that stays
_DENSITY = 2.2  # nodes for each standard deviation of the narrowest step
_EXTRA = 24
_RARE = 1e-9
_SAME = 1e-6  # variances nearer to each other are one fixed point
_GOAL = 1e-5  # relative error at which doubling the nodes stops
_FLOOR = 1e-12  # what the ends of the one-step law leave out


@dataclass(frozen=True, kw_only=True, eq=False)
class EscapeProbability(Result):
    """What `escape_probability` answers; arrays run over the layers 1..L.

    Attributes
    ----------
    options : dict
        Activation and every parameter, resolved.
    probability : ndarray, shape (L,)
        P(a variance K_1, ..., K_l has passed the threshold).
    error : float
        Estimated error of the last of them.
    q_mean, q_std : ndarray, shape (L,)
        Mean and standard deviation of K_l among networks that have not escaped; NaN where all have, or where, without
        bias, all have fallen below 1e-6 q.
    sparsity_mean, sparsity_std : ndarray, shape (L,)
        The same for the fraction of exact zeros among the n units, for one input.
    nodes : int
        Quadrature nodes.
    """

    options: dict[str, Any]
    probability: FloatArray
    error: float
    q_mean: FloatArray
    q_std: FloatArray
    sparsity_mean: FloatArray
    sparsity_std: FloatArray
    nodes: int

    def __str__(self) -> str:
        o = self.options
        title = f"{o['activation']}, width {o['width']}: P(variance > {o['threshold']:.4g}) from q = {o['q']:g}"
        rows = [
            [str(k + 1), f"{self.probability[k]:.4g}", f"{self.q_mean[k]:.4f}", f"{self.q_std[k]:.4f}", *zeros]
            for k in (layer - 1 for layer in shown_layers(len(self.probability)))
            for zeros in [[f"{100 * self.sparsity_mean[k]:.2f} %", f"{100 * self.sparsity_std[k]:.2f} %"]]
        ]
        columns = ["layer", "escaped", "mean q", "std", "zeros", "std"]
        return render_table(title, columns, rows, [f"error {self.error:.1g} (estimate), {o['law']} one-step law"])


def escape_probability(
    phi: str | Activation,
    *,
    sigma_w: float,
    sigma_b: float,
    width: int | Sequence[int],
    depth: int | None = None,
    threshold: float | None = None,
    q: float = 1.0,
    law: str = "exact",
    nodes: int | None = None,
) -> EscapeProbability:
    r"""The probability that the variance of a random network leaves its basin, layer by layer.

        P(max(K_1, ..., K_l) > B),   K_1 = q

    Parameters
    ----------
    phi : str or Activation
    sigma_w, sigma_b : float
        Standard deviations of weights (times √fan-in) and biases.
    width, depth : int
        n, from 1, and L: one width for L hidden layers; or a sequence of hidden widths n_1..n_L, without depth.
    threshold : float, optional
        B; default min(2q*, q_u), q* the larger of q and the fixed point that it converges to, q_u the first unstable
        one above.
    q : float
        Variance of the first layer's pre-activations.
    law : str
        ``exact`` for the one-step law itself, ``gamma`` for the Gamma law with its mean and variance. This usual
        closure is off by 0.001 at width 1000, 0.01 at 300, 0.05 at 100, and rare escapes are several times too likely.
    nodes : int, optional
        Quadrature nodes; default as many as a relative error of 1e-5 takes, 2000 at most.

    Returns
    -------
    EscapeProbability

    Raises
    ------
    DomainError
        An argument is out of range; φ is a mixture, or one whose squares are not resolved at such variances; or the
        width is so large, against the range of variances, that the noise would need more than 2000 nodes.

    Notes
    -----
    Exact up to quadrature, the ends of the one-step law and, where few units are active, the smoothing of its steps
    over a twentieth of a standard deviation. `error` covers all three: the difference to a computation with fewer
    nodes, and twice that to one with a law half as fine on a shorter interval. Some 1e-10 with dozens of active units,
    1e-3 of the probability with five, 1e-1 with one. Cost: some 20 to 80 ms for 100 layers.

    References
    ----------
    Fang & Oosterlee 2008, SIAM J. Sci. Comput. 31, 826 (cosine series of a density).

    Examples
    --------
    A CReLU on the edge of chaos, 90 % zeros, V' = 0.9, at width 300: it escapes over q_u = 1.40.

    >>> from gpdeep.sparse import design
    >>> one = design("crelu", 0.9, slope=0.9)
    >>> at_300 = escape_probability(one.phi, sigma_w=one.sigma_w, sigma_b=one.sigma_b, width=300, depth=100)
    >>> print(f"{at_300.probability[-1]:.3f}, beyond q = {at_300.options['threshold']:.3f}")
    0.938, beyond q = 1.399
    """
    layer = VarianceMap(activation(phi), sigma_w, sigma_b)
    if len(layer.phi.parts_with_shares) > 1:
        raise DomainError(
            f"phi is the mixture {layer.phi.name}.",
            "At finite width it matters which unit has which activation, and the law here is that of equal units.",
            "Use sample_variances, or one activation.",
        )
    start, widths = variance("q", q), hidden_widths(width, depth)
    check_law(law)
    limit = default_threshold(layer, start) if threshold is None else variance("threshold", threshold)
    count = (
        _node_count(layer, widths, start, limit) if nodes is None else check_integer("nodes", nodes, 16, _MOST_NODES)
    )
    found = coarse = _propagate(layer, widths, start, limit, law, count)
    if nodes is None:
        coarse = _propagate(layer, widths, start, limit, law, 2 * count // 3)
        while 2 * count <= _MOST_NODES and _difference(found, coarse) > _GOAL * found[0][-1] + _FLOOR:
            count, coarse = 2 * count, found
            found = _propagate(layer, widths, start, limit, law, count)
    rough = _propagate(layer, widths, start, limit, law, max(12, 2 * count // 3), rough=True)
    options = {key: value for key, value in layer.options.items() if key in ("activation", "sigma_w", "sigma_b")}
    options |= {"width": widths[0] if len(set(widths)) == 1 else list(widths), "depth": len(widths)}
    options |= {"threshold": limit, "q": start, "law": law}
    probability, q_mean, q_std, sparsity_mean, sparsity_std = found
    return EscapeProbability(
        options=options,
        probability=probability,
        error=max(_difference(found, coarse) + 2 * _difference(found, rough), _FLOOR),
        q_mean=q_mean,
        q_std=q_std,
        sparsity_mean=sparsity_mean,
        sparsity_std=sparsity_std,
        nodes=count,
    )


def check_law(law: Any) -> None:
    """Refuse a one-step law that is not known."""
    if not isinstance(law, str) or law not in LAWS:
        raise DomainError(f"law = {law!r}.", "The name is misspelt.", f"Use {' or '.join(LAWS)}.")


def default_threshold(layer: VarianceMap, q: float) -> float:
    """min(2q*, q_u): q* the larger of q and what it converges to, q_u the first unstable fixed point above."""
    found = points_of(layer)
    point = found.attractor(q)
    start = max(q, point.q) if point is not None and point.q > q * (1 + _SAME) else q
    walls = [p.q for p in found.points if not p.stable and p.q > start * (1 + _SAME)]
    return min([2 * start, *walls])


def hidden_widths(width: Any, depth: Any) -> tuple[int, ...]:
    """n_1, ..., n_L."""
    several = isinstance(width, Sequence) or (isinstance(width, np.ndarray) and width.ndim == 1)
    if (depth is None) != several or isinstance(width, (str, bytes)):
        raise DomainError(
            f"width = {width!r} with depth = {depth!r}.",
            "One width needs a depth; a list of widths is itself as long as the network is deep.",
            "Write width=300, depth=100, or width=[300, 300, 200].",
        )
    if depth is not None:
        return (check_integer("width", width, 1, MAX_WIDTH),) * check_integer("depth", depth, 1, MAX_DEPTH)
    widths = tuple(check_integer("width", n, 1, MAX_WIDTH) for n in width)
    check_integer("depth", len(widths), 1, MAX_DEPTH)
    return widths


def _reach(layer: VarianceMap, width: int, start: float, limit: float) -> tuple[float, float]:
    """The variances between which all paths from `start` stay, up to `limit`: one wild step after the other."""
    low = high = start
    floor = max(layer.sigma_b**2, _LOWEST * start)
    for _ in range(400):
        mean, std = one_step_moments(layer, width, np.array([low, high]))
        down, up = max(floor, min(low, float(mean[0] - BELOW * std[0]))), max(high, float(mean[1] + ABOVE * std[1]))
        if up >= limit and down >= low * (1 - 1e-9):
            return down, limit
        if down >= low * (1 - 1e-9) and up <= high * (1 + 1e-9):
            return down, up
        low, high = down, min(up, limit)
    return low, high


def _node_count(layer: VarianceMap, widths: tuple[int, ...], start: float, limit: float) -> int:
    """Enough nodes to resolve the narrowest one-step law."""
    if start > limit or limit <= layer.sigma_b**2 or len(widths) == 1:
        return 16
    low, high = _reach(layer, min(widths), start, limit)
    grid = np.geomspace(low * (1 + 1e-9), high, 33)
    mean, std = one_step_moments(layer, max(widths), grid)
    above = mean - layer.sigma_b**2
    alive = np.maximum(1 - np.nan_to_num(_zeros(layer.phi, grid)) ** max(widths), _RARE)  # a unit responds
    spread = np.sqrt(np.maximum((std**2 + above**2) / alive - (above / alive) ** 2, std**2))  # given that
    inside = (mean > low) & (alive > _RARE)  # others fall below, or fall silent
    needed = math.ceil(_DENSITY * math.log(high / low) / float(np.min(spread[inside] / mean[inside], initial=1.0)))
    needed += _EXTRA
    if needed > _MOST_NODES:
        raise DomainError(
            f"Width {max(widths)} needs {needed} nodes for variances from {low:.3g} to {high:.3g}; the limit is "
            f"{_MOST_NODES}.",
            "The noise of one layer is so small against the range that it hardly matters.",
            "Use meanfield.variance_map (infinite width), a threshold nearer to q, or give nodes.",
        )
    return needed


def _propagate(
    layer: VarianceMap,
    widths: tuple[int, ...],
    start: float,
    limit: float,
    law: str,
    count: int,
    *,
    rough: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Escaped probability, mean and standard deviation of K and of the sparsity, each of shape (L,)."""
    depth = len(widths)
    if start > limit or limit <= layer.sigma_b**2:  # all K' are above σ_b²
        nothing, escaped = np.full(depth, np.nan), np.ones(depth)
        escaped[0] = float(start > limit)
        return escaped, nothing, nothing, nothing, nothing
    low, high = _reach(layer, min(widths), start, limit) if depth > 1 else (start / 2, start)
    near, _, weight = gauss_legendre(count)
    span = math.log(high / low)
    nodes = high * np.exp(-span * near / 2)
    states = np.concatenate([[start, layer.sigma_b**2], nodes])  # the start, all units silent, and what lies between
    zeros = _zeros(layer.phi, states)
    steps: dict[int, tuple[FloatArray, FloatArray]] = {}
    mass = np.zeros(len(states))
    mass[0] = 1.0
    gone, rows = [0.0], [_summary(mass, states, zeros)]
    for width in widths[:-1]:
        if width not in steps:
            steps[width] = _transition(
                layer, width, states, weight * span / 2 * nodes, high if high >= limit else None, law, rough
            )
        kernel, leaving = steps[width]
        gone.append(min(gone[-1] + max(float(mass @ leaving), 0.0), 1.0))
        mass = mass @ kernel
        rows.append(_summary(mass, states, zeros))
    q_mean, q_var, s_mean, s_var = np.array(rows).T
    s_var = s_var + s_mean * (1 - s_mean) / np.array(widths)  # units are independent given K
    return np.array(gone), q_mean, np.sqrt(np.maximum(q_var, 0)), s_mean, np.sqrt(np.maximum(s_var, 0))


def _difference(one: tuple[FloatArray, ...], other: tuple[FloatArray, ...]) -> float:
    """Of the last escape probabilities."""
    return abs(float(one[0][-1] - other[0][-1]))


def _transition(
    layer: VarianceMap, width: int, states: FloatArray, weight: FloatArray, limit: float | None, law: str, rough: bool
) -> tuple[FloatArray, FloatArray]:
    """Probabilities to go from each state to each (start, silent, nodes), and to escape."""
    step: StepLaw = LAWS[law].of(layer, width, np.where(states > 0, states, states[0]), rough=rough)
    kernel = np.concatenate([np.zeros((len(states), 1)), step.atom[:, None], step.density(states[2:]) * weight], axis=1)
    leaving = np.zeros(len(states)) if limit is None else step.above(limit)
    if states[1] == 0:  # without bias a silent layer is followed by silent ones
        kernel[1], leaving[1] = 0.0, 0.0
        kernel[1, 1] = 1.0
    return kernel, leaving


def _summary(mass: FloatArray, x: FloatArray, zeros: FloatArray) -> tuple[float, float, float, float]:
    """Mean and variance of K and of P(zero | K), given survival; NaN where all paths have left the nodes."""
    total = mass.sum()
    p = mass / total if total > 0 else np.full(len(mass), np.nan)
    q, s = float(p @ x), float(p @ zeros)
    return q, float(p @ (x - q) ** 2), s, float(p @ (zeros - s) ** 2)


def _zeros(phi: Activation, q: FloatArray) -> FloatArray:
    """P(φ = 0) at the variances q, 1 at 0; NaN where it is not known."""
    try:
        return np.where(q > 0, shares(phi, np.where(q > 0, q, 1.0)).zero, 1.0)
    except DomainError:
        return np.full(len(q), np.nan)
