r"""What theory and its rivals say of a network before it is trained; larger is better for all.

    finite      mean of ln sin²θ after the last layer, from the median angle between inputs of different classes
    infinite    the same at infinite width: a function of depth
    doubled     the same of a network twice as wide: a wrong theory
    flatness    -Σ1/n
    parameters  number of weights and biases
    depth       -L

For other activations than ReLU, `finite` is sampled, and `infinite` is the depth, which orders networks alike.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpdeep.finite import angle_law
from gpdeep.result import FloatArray

NAMES = ("finite", "infinite", "doubled", "flatness", "parameters", "depth")
_SAMPLES = 400  # networks of the chain where there is no grid


@dataclass(frozen=True)
class Layers:
    """Activation and standard deviations, the first layer's apart; the output layer has the hidden ones' σ_w.

    Parameters
    ----------
    phi : str or Activation
    sigma_w, sigma_b, first_sigma_w : float
    """

    phi: Any
    sigma_w: float
    sigma_b: float
    first_sigma_w: float


def layers_of(phi: str) -> Layers:
    """He weights for ReLU, and the edge of chaos for tanh (q* → 0) and a clipped ReLU that is zero in 70 %.

    >>> layers_of("tanh").sigma_w
    1.0
    """
    if phi == "crelu":
        from gpdeep.sparse import design

        found = design("crelu", sparsity=0.7, slope=0.7)
        first = math.sqrt(1.0 - found.sigma_b**2)
        return Layers(found.phi, found.sigma_w, found.sigma_b, first)
    sigma_w = math.sqrt(2) if phi == "relu" else 1.0
    return Layers(phi, sigma_w, 0.0, sigma_w)


def predictors(widths: Sequence[int], inputs: int, outputs: int, theta: float, phi: str) -> dict[str, float]:
    """All predictors of a network with hidden `widths`.

    >>> found = predictors([64] * 20, 64, 10, 1.6, "relu")
    >>> print(f"{found['finite']:.2f} {found['infinite']:.2f} {found['doubled']:.2f} {found['flatness']:.4f}")
    -2.78 -2.29 -2.53 -0.3125
    """
    depth = -float(len(widths))
    sizes = [inputs, *widths, outputs]
    return {
        "finite": mean_log_sin2(widths, theta, phi),
        "infinite": float(angle_law(list(widths), theta, method="infinite").mean[-1]) if phi == "relu" else depth,
        "doubled": mean_log_sin2([2 * n for n in widths], theta, phi),
        "flatness": -sum(1 / n for n in widths),
        "parameters": float(sum((n + 1) * out for n, out in itertools.pairwise(sizes))),
        "depth": depth,
    }


def mean_log_sin2(widths: Sequence[int], theta: float | FloatArray, phi: str) -> float:
    """Mean of ln sin²θ after the last layer, of pairs that survive."""
    if phi == "relu":
        return float(angle_law(list(widths), theta).mean[-1])
    layers = layers_of(phi)
    law = angle_law(
        list(widths),
        theta,
        method="chain",
        phi=layers.phi,
        sigma_w=[layers.first_sigma_w] + [layers.sigma_w] * (len(widths) - 1),
        sigma_b=layers.sigma_b,
        n_samples=_SAMPLES,
    )
    return float(law.mean[-1])
