r"""The probability that the variance of a random network ever passes a threshold, and its law through depth.

    P(max(K_1, ..., K_l) > B),   l = 1..L

by `transfer_operator`, without random numbers. The error compares with fewer nodes of quadrature, a rougher one-step
law, and a shorter interval for it.

Assumptions: fully connected, Gaussian weights, dense layers, initialisation, one input. Convolutions have more samples
for each variance, so that with the number of channels as width the probability is on the safe side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError
from ..finite.checks import MAX_DEPTH, MAX_WIDTH
from ..gaussian.arguments import shown, variance, whole
from ..meanfield.fixed_point import points_of
from ..meanfield.variance import VarianceMap
from ..result import FloatArray, Result, render_table, shown_layers
from .transfer_operator import LAWS, MOST_NODES, difference, node_count, propagate

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
    count = node_count(layer, widths, start, limit) if nodes is None else whole("nodes", nodes, 16, MOST_NODES)
    found = coarse = propagate(layer, widths, start, limit, law, count)
    if nodes is None:
        coarse = propagate(layer, widths, start, limit, law, 2 * count // 3)
        while 2 * count <= MOST_NODES and difference(found, coarse) > _GOAL * found[0][-1] + _FLOOR:
            count, coarse = 2 * count, found
            found = propagate(layer, widths, start, limit, law, count)
    rough = propagate(layer, widths, start, limit, law, max(12, 2 * count // 3), rough=True)
    options = {key: value for key, value in layer.options.items() if key in ("activation", "sigma_w", "sigma_b")}
    options |= {"width": widths[0] if len(set(widths)) == 1 else list(widths), "depth": len(widths)}
    options |= {"threshold": limit, "q": start, "law": law}
    probability, q_mean, q_std, sparsity_mean, sparsity_std = found
    return EscapeProbability(
        options=options,
        probability=probability,
        error=max(difference(found, coarse) + 2 * difference(found, rough), _FLOOR),
        q_mean=q_mean,
        q_std=q_std,
        sparsity_mean=sparsity_mean,
        sparsity_std=sparsity_std,
        nodes=count,
    )


def check_law(law: Any) -> None:
    """Refuse a one-step law that is not known."""
    if not isinstance(law, str) or law not in LAWS:
        raise DomainError(f"law = {shown(law)}.", "The name is misspelt.", f"Use {' or '.join(LAWS)}.")


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
            f"width = {shown(width)} with depth = {shown(depth)}.",
            "One width needs a depth; a list of widths is itself as long as the network is deep.",
            "Write width=300, depth=100, or width=[300, 300, 200].",
        )
    if depth is not None:
        return (whole("width", width, 1, MAX_WIDTH),) * whole("depth", depth, 1, MAX_DEPTH)
    widths = tuple(whole("width", n, 1, MAX_WIDTH) for n in width)
    whole("depth", len(widths), 1, MAX_DEPTH)
    return widths
