r"""An activation as the path solvers use it: value, slope and curvature of φ_k, whose kinks are rounded.

    φ_k(x) = φ(x) + Σ_j c_j r_k(x - t_j),      r_k(u) = log(1 + e^{-k|u|})/k,      c_j = φ'(t_j+) - φ'(t_j-)

r_k(u) is what softplus with sharpness k exceeds the ramp u_+ by: every kink becomes a softplus, whatever lies between
the kinks, and k → ∞ gives φ back, |φ_k - φ| ≤ Σ|c_j| ln 2/k. At k = ∞ the slope at a kink is that of a wanted side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit

from ..activations.base import Activation
from ..activations.catalogue import activation
from ..activations.mixture import Mixture
from ..errors import DomainError
from ..result import FloatArray

_NEAR = 1e-7  # the slope is read so far from a kink, relative to its distance from 0 or 1


@dataclass(frozen=True)
class Nonlinearity:
    """φ_k for arrays in float64.

    Parameters
    ----------
    phi : Activation
        Not a mixture.
    sharpness : float
        k > 0; infinite for φ itself.
    """

    phi: Activation
    sharpness: float = math.inf

    @classmethod
    def of(cls, name: Any, sharpness: float = math.inf) -> Nonlinearity:
        """The activation called `name`, or the one given.

        Raises
        ------
        DomainError
            It is not in the catalogue, or it is a mixture.
        """
        phi = activation(name)
        if isinstance(phi, Mixture):
            raise DomainError(
                f"The activation is the mixture '{phi.name}'.",
                "Along a representation path all neurons have one activation.",
                "Give one activation, such as 'relu' or 'softplus:5'.",
            )
        return cls(phi, sharpness)

    @cached_property
    def kinks(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t_j, c_j): where φ' jumps, and by how much."""
        found = []
        for t, _ in sorted(self.phi.kinks):
            step = _NEAR * max(abs(t), 1.0)
            below, above = self.phi.derivative(np.array([t - step, t + step])).tolist()
            found.append((t, above - below))
        return tuple(found)

    @property
    def smooth(self) -> bool:
        """Whether φ_k has a continuous slope."""
        return not self.kinks or math.isfinite(self.sharpness)

    @property
    def rounded(self) -> bool:
        """Whether kinks are rounded."""
        return bool(self.kinks) and math.isfinite(self.sharpness)

    def with_sharpness(self, sharpness: float) -> Nonlinearity:
        """The same activation with other rounding."""
        return Nonlinearity(self.phi, sharpness)

    def value(self, x: FloatArray) -> FloatArray:
        """φ_k(x), elementwise."""
        y: FloatArray = np.asarray(self.phi(x))
        if self.rounded:
            k = self.sharpness
            for t, jump in self.kinks:
                y = y + (jump / k) * np.log1p(np.exp(-k * np.abs(x - t)))
        return y

    def slope(self, x: FloatArray, side: FloatArray | None = None) -> FloatArray:
        """φ_k'(x), elementwise; at a kink the slope right of it where `side` > 0, left where < 0, else the mean."""
        y: FloatArray = np.asarray(self.phi.derivative(x))
        if self.rounded:
            for t, jump in self.kinks:
                u = x - t
                y = y - jump * np.sign(u) * expit(-self.sharpness * np.abs(u))
        elif side is not None:
            for t, jump in self.kinks:
                y = y + np.where(x == t, 0.5 * jump * side, 0.0)
        return y

    def curvature(self, x: FloatArray) -> FloatArray:
        """φ_k''(x), elementwise, off the kinks."""
        y: FloatArray = np.asarray(self.phi.second_derivative(x))
        if self.rounded:
            k = self.sharpness
            for t, jump in self.kinks:
                u = k * (x - t)
                y = y + (jump * k) * expit(u) * expit(-u)
        return y
