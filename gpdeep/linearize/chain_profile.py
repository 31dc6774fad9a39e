r"""Which slopes the channels of a plain chain have, layer by layer, and how deep that makes it.

    APL = NAPL = Σ p_l,      G = Σ g_l ≤ Σ p_l for ReLU and linear channels,

p_l the share of channels that are not linear, g_l the layer's nonlinearity (`gpdeep.linearize.slopes`). On a chain
both average path lengths are the sum of the p_l. G is its degeneracy depth: a small angle after L layers is
1/θ_L = 1/θ_0 + G/(3π) + ..., as after G layers of ReLU. With masks g = p/(2 - p) is convex in p, so of all chains with
the same path length the one whose linear channels are spread evenly has the smallest G.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..activations.knots import LEAST
from ..errors import DomainError
from ..finite.checks import MAX_DEPTH
from ..gaussian.arguments import entries, real, shown
from ..result import FloatArray
from .slopes import active_shares, gate_kurtosis, nonlinearity, slope_shares


@dataclass(frozen=True)
class ChainProfile:
    """The distinct slopes of each hidden layer and the shares of channels that have them.

    Parameters
    ----------
    slopes : tuple of tuple of float, L entries
        Distinct slopes of layer l for negative arguments: 0 for ReLU, 1 for a linear channel. They are kept sorted.
    fractions : tuple of tuple of float, L entries
        Shares of the channels of layer l with these slopes, positive; divided by their sum.

    Raises
    ------
    DomainError
        There is no layer, the two lists differ in form, a slope comes twice in a layer, or a share is not positive.

    Examples
    --------
    Twelve active layers of 24, as whole layers and as half of every layer: the same path length, another depth.

    >>> whole = ChainProfile.masks([1] * 12 + [0] * 12)
    >>> spread = ChainProfile.masks([0.5] * 24)
    >>> for profile in (whole, spread):
    ...     print(f"{profile.average_path_length:.1f} {profile.degeneracy_depth:.1f}")
    12.0 12.0
    12.0 8.0
    """

    slopes: tuple[tuple[float, ...], ...]
    fractions: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        given = entries("slopes", self.slopes, "layers"), entries("fractions", self.fractions, "layers")
        if not 1 <= len(given[0]) == len(given[1]) <= MAX_DEPTH:
            raise DomainError(
                f"{len(given[0])} layers of slopes with {len(given[1])} layers of shares.",
                "There is no layer, or the two lists are not of the same chain.",
                f"Give both for each of 1 to {MAX_DEPTH} layers, or use ChainProfile.masks or ChainProfile.channels.",
            )
        slopes, fractions = [], []
        for layer, (own, shares) in enumerate(zip(*given, strict=True), start=1):
            a, f = slope_shares(own, shares)
            if a.ndim != 1 or len(set(a.tolist())) < a.size or not f.all():
                raise DomainError(
                    f"Layer {layer} has the slopes {shown(own)} with the shares {shown(shares)}.",
                    "A slope is listed twice, a share is zero, or several layers were given as one.",
                    "List each slope once with a positive share; ChainProfile.channels counts equal slopes.",
                )
            order = np.argsort(a)
            slopes.append(tuple(a[order].tolist()))
            fractions.append(tuple(f[order].tolist()))
        object.__setattr__(self, "slopes", tuple(slopes))
        object.__setattr__(self, "fractions", tuple(fractions))

    @classmethod
    def masks(cls, active: ArrayLike, slope: float = 0.0) -> ChainProfile:
        """The chain whose layer l has the slope `slope` on a share p_l of its channels and the identity on the rest.

        Parameters
        ----------
        active : array_like, shape (L,)
            Shares p_l in [0, 1].
        slope : float
            Slope of the active channels, 0 for ReLU.
        """
        shares = active_shares(active)
        if shares.ndim != 1:
            raise DomainError(
                f"The shares of active channels have the shape {shares.shape}.",
                "One share for each layer is meant; a single number says nothing of the depth.",
                "Give a list such as [0.5] * 24; slopes of single channels go to ChainProfile.channels.",
            )
        value = real("slope", slope, -1 / LEAST, 1 / LEAST, "the slope of the active channels")
        mixed = [[(1.0 - p, 1.0), (p, value)] if value != 1.0 else [(1.0, 1.0)] for p in shares.tolist()]
        layers = [[(share, a) for share, a in layer if share > 0] for layer in mixed]
        return cls(
            tuple(tuple(a for _, a in layer) for layer in layers),
            tuple(tuple(share for share, _ in layer) for layer in layers),
        )

    @classmethod
    def channels(cls, slopes: Iterable[ArrayLike]) -> ChainProfile:
        """The chain whose channels have the given slopes.

        Parameters
        ----------
        slopes : iterable of array_like, L entries of shape (n_l,)
            The slope of every channel, layer by layer; the number of channels may differ from layer to layer.

        Examples
        --------
        >>> ChainProfile.channels([[0, 1, 1, 1], [0.25, 0.25]]).fractions
        ((0.25, 0.75), (1.0,))
        """
        counted = [
            np.unique(slope_shares(layer)[0], return_counts=True) for layer in entries("slopes", slopes, "layers")
        ]
        return cls(
            tuple(tuple(values.tolist()) for values, _ in counted),
            tuple(tuple(counts.astype(float).tolist()) for _, counts in counted),
        )

    def __len__(self) -> int:
        return len(self.slopes)

    def layers(self) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
        """Slopes and shares of each layer."""
        return list(zip(self.slopes, self.fractions, strict=True))

    @property
    def active(self) -> FloatArray:
        """Shares p_l of channels whose slope is not 1, shape (L,)."""
        return self._of_layers(lambda a, f: sum(share for slope, share in zip(a, f, strict=True) if slope != 1.0))

    @property
    def nonlinearity(self) -> FloatArray:
        """g_l, shape (L,)."""
        return self._of_layers(nonlinearity)

    @property
    def gate_kurtosis(self) -> FloatArray:
        """r_l, shape (L,)."""
        return self._of_layers(gate_kurtosis)

    @property
    def average_path_length(self) -> float:
        """Σ p_l: mean number of active channels on a path, over all paths; on a chain also over all branches."""
        return float(self.active.sum())

    @property
    def degeneracy_depth(self) -> float:
        """G = Σ g_l."""
        return float(self.nonlinearity.sum())

    def _of_layers(self, of: Any) -> FloatArray:
        """`of`(slopes, shares) for each layer; layers that are alike are worked out once."""
        known = {layer: float(of(*layer)) for layer in set(self.layers())}
        return np.array([known[layer] for layer in self.layers()])


def as_profile(profile: Any) -> ChainProfile:
    """`profile` itself, or the ReLU masks with the given shares of active channels."""
    return profile if isinstance(profile, ChainProfile) else ChainProfile.masks(profile)
