r"""The layer of each arm: φ, σ_w and σ_b on the edge of chaos at q* = 1, and which other variances it could fall into.

    σ_w² = 1/E φ'²,   σ_b² = 1 - σ_w² E φ²,   m from V'(1) = η

Shifted ReLU and soft threshold have no clip level: V touches the diagonal at q* = 1 from above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpdeep.activations import Activation
from gpdeep.sparse import design, instability

from .grid import UNCLIPPED


@dataclass(frozen=True)
class Layer:
    """One layer.

    Parameters
    ----------
    phi : Activation
    sigma_w, sigma_b : float
    sparsity : float
        Share of exact zeros at q* = 1.
    threshold : float
        A variance beyond which a network counts as escaped: 5 without a clip, min(2, q_u) with one.
    other_fixed_points : tuple of float
        Fixed points of V above q*, unstable and stable in turn.
    """

    phi: Activation
    sigma_w: float
    sigma_b: float
    sparsity: float
    threshold: float
    other_fixed_points: tuple[float, ...]


def layer_of(arm: Mapping[str, Any]) -> Layer:
    """The layer of an arm: ``kind``, ``sparsity``, and for clipped kinds ``slope``.

    >>> layer = layer_of({"kind": "cst", "sparsity": 0.8, "slope": 0.9})
    >>> [round(q, 2) for q in layer.other_fixed_points]
    [1.4, 3.47]
    """
    if arm["kind"] in UNCLIPPED:
        free = instability(arm["kind"], arm["sparsity"])
        return Layer(free.phi, free.sigma_w, free.sigma_b, free.sparsity, 5.0, ())
    one = design(arm["kind"], arm["sparsity"], slope=arm["slope"])
    above = tuple(point.q for point in one.fixed_points if point.q > 1 + 1e-6)
    return Layer(one.phi, one.sigma_w, one.sigma_b, one.sparsity, one.escape_threshold, above)


def name_of(arm: Mapping[str, Any]) -> str:
    """Such as ``cst s 0.8 V' 0.9``."""
    slope = "" if arm["kind"] in UNCLIPPED else f" V' {arm['slope']:g}"
    return f"{arm['kind']} s {arm['sparsity']:g}{slope}"
