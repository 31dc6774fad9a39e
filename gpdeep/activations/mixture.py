r"""A layer whose channels have different activations: a share w_i of its neurons applies φ_i.

    E φ² = Σ_i w_i E φ_i²,      E φ(u)φ(v) = Σ_i w_i E φ_i(u)φ_i(v),      and so on for all expectations

At infinite width only these averages enter, so a mixture is an activation for the variance and correlation maps, the
kernels and the edge of chaos. At width n the first neurons, n w_1 of them rounded, have φ_1, and so on.

Assumption: which neuron has which activation does not depend on the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_array, as_float, entries, shown
from .base import Activation, Moments, function_argument


@dataclass(frozen=True)
class Mixture(Activation):
    """Activations φ_i, each on a share w_i of the channels.

    Parameters
    ----------
    parts : tuple of Activation
        φ_1, ..., φ_m.
    shares : tuple of float
        w_1, ..., w_m, positive; they are divided by their sum.

    Raises
    ------
    DomainError
        There is no part, a share is not positive, or their numbers differ.

    Examples
    --------
    >>> from gpdeep.activations import activation
    >>> half = Mixture((activation("relu"), activation("identity")), (0.5, 0.5))
    >>> half.name, float(half.moments(1.0).second)
    ('0.5 relu + 0.5 identity', 0.75)
    """

    parts: tuple[Activation, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        parts = tuple(entries("parts", self.parts, "activations"))
        shares = tuple(map(as_float, entries("shares", self.shares, "numbers")))
        ok = len(parts) == len(shares) > 0 and all(isinstance(part, Activation) for part in parts)
        numbers = all(0 < share <= 1e300 / len(shares) for share in shares)
        if not ok or not numbers:
            raise DomainError(
                f"A mixture of {len(parts)} activations with the shares {shown(self.shares)}.",
                "Each activation needs one share, a positive finite number; an activation is an object, not its name.",
                "Write for instance Mixture((activation('relu'), activation('tanh')), (0.5, 0.5)).",
            )
        total = math.fsum(shares)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "shares", tuple(share / total for share in shares))

    @property
    def name(self) -> str:  # type: ignore[override]
        """Shares and names of the parts."""
        return " + ".join(f"{share:g} {part.name}" for share, part in zip(self.shares, self.parts, strict=True))

    # ------------------------------------------------------------------ the function

    def __call__(self, x: Any) -> Any:
        """φ(x) for pre-activations whose last axis runs over the neurons of the layer."""
        return self._by_channel(x, [part.__call__ for part in self.parts])

    def derivative(self, x: Any) -> Any:
        """φ'(x) for pre-activations whose last axis runs over the neurons of the layer."""
        return self._by_channel(x, [part.derivative for part in self.parts])

    def second_derivative(self, x: Any) -> Any:
        """φ''(x), off the kinks, for pre-activations whose last axis runs over the neurons of the layer."""
        return self._by_channel(as_array(x), [part.second_derivative for part in self.parts])

    def _by_channel(self, x: Any, functions: list[Callable[[Any], Any]]) -> Any:
        x = function_argument(x) if array_api_compat.is_array_api_obj(x) else x
        if not array_api_compat.is_array_api_obj(x) or x.ndim == 0:
            raise DomainError(
                f"A mixture was applied to {shown(x)}.",
                "Which activation acts depends on the neuron, so a layer of neurons is needed.",
                "Give an array whose last axis runs over the neurons.",
            )
        xp = array_api_compat.array_namespace(x)
        width = x.shape[-1]
        ends = [round(width * share) for share in np.cumsum(self.shares).tolist()]
        ends[-1] = width
        starts = [0, *ends[:-1]]
        pieces = [f(x[..., a:b]) for f, a, b in zip(functions, starts, ends, strict=True)]
        return xp.concat(pieces, axis=-1)

    @property
    def kinks(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t, w c²)."""
        return tuple(
            (t, share * jump2) for share, part in zip(self.shares, self.parts, strict=True) for t, jump2 in part.kinks
        )

    @property
    def curvature_jumps(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t, w J²)."""
        return tuple((t, share * j2) for share, part in self.parts_with_shares for t, j2 in part.curvature_jumps)

    @property
    def homogeneous(self) -> bool:
        """Whether all parts are."""
        return all(part.homogeneous for part in self.parts)

    @property
    def parts_with_shares(self) -> tuple[tuple[float, Activation], ...]:
        """Pairs (w_i, φ_i)."""
        return tuple(zip(self.shares, self.parts, strict=True))

    @property
    def largest_variance(self) -> float:
        """The smallest of the parts'."""
        return min(part.largest_variance for part in self.parts)

    @property
    def odd(self) -> bool:
        """Whether all parts are."""
        return all(part.odd for part in self.parts)

    @property
    def even(self) -> bool:
        """Whether all parts are."""
        return all(part.even for part in self.parts)

    # ------------------------------------------------------------------ expectations

    def _mean(self, of: Callable[[Activation], Any]) -> Any:
        """Σ w_i of(φ_i)."""
        total = self.shares[0] * of(self.parts[0])
        for share, part in zip(self.shares[1:], self.parts[1:], strict=True):
            total = total + share * of(part)
        return total

    def moments(self, q: Any) -> Moments:
        """`Moments` at the variances `q`."""
        each = [part.moments(q) for part in self.parts]
        return Moments(
            **{
                name: sum(share * getattr(one, name) for share, one in zip(self.shares, each, strict=True))
                for name in Moments.__dataclass_fields__
            }
        )

    def derivative_moment(self, order: int, q: Any) -> Any:
        """E (φ^(k))², k = `order`."""
        return self._mean(lambda part: part.derivative_moment(order, q))

    def comonotone(self, q1: Any, q2: Any) -> Any:
        """E φ(√q₁ z)φ(√q₂ z)."""
        return self._mean(lambda part: part.comonotone(q1, q2))

    def difference_second(self, factor: Any, q1: Any, q2: Any) -> Any:
        """E (φ(√q₂ z) - f φ(√q₁ z))²."""
        return self._mean(lambda part: part.difference_second(factor, q1, q2))

    def gap(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """Covariance at angle 0 minus that at `theta`."""
        return self._mean(lambda part: part.gap(theta, q1, q2))

    def remainder(self, theta: Any, q: Any) -> Any:
        """q E φ'² (1 - cos θ) - gap(θ)."""
        return self._mean(lambda part: part.remainder(theta, q))

    def slope_product(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """E φ'(u)φ'(v)."""
        return self._mean(lambda part: part.slope_product(theta, q1, q2))

    def curvature_product(self, theta: Any, q: Any) -> Any:
        """E φ''(u)φ''(v)."""
        return self._mean(lambda part: part.curvature_product(theta, q))

    def covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ(u)φ(v)."""
        return self._mean(lambda part: part.covariance(k, q1, q2))

    def slope_covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ'(u)φ'(v)."""
        return self._mean(lambda part: part.slope_covariance(k, q1, q2))
