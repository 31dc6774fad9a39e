"""What is to be solved: geometry, length in natural time, and the two ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..result import FloatArray
from .boundary import Boundary
from .elements import Path, Scheme
from .geometry import Geometry
from .nonlinearity import Nonlinearity
from .path_system import PathAction


@dataclass(frozen=True, eq=False)
class PathProblem:
    """Minimise S plus the price of the ends over paths of length T = L̃ from near `first` to near `last`.

    Attributes
    ----------
    first, last : arrays (w, N)
        The ends themselves where they are held, else where to begin the search.
    """

    geometry: Geometry
    T: float
    start: Boundary
    end: Boundary
    first: FloatArray
    last: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """(w, N)."""
        return self.first.shape[0], self.first.shape[1]

    @property
    def riemannian(self) -> bool:
        """Whether K_γ can be invertible everywhere: γ > 0, or no more samples than features."""
        w, N = self.shape
        return self.geometry.gamma > 0 or w + (self.geometry.bias > 0) >= N

    def action(self, scheme: Scheme, delta: float = 0.0) -> PathAction:
        """S_h of a scheme with these ends."""
        return PathAction(self.geometry, scheme, self.start, self.end, delta)

    def with_depth(self, T: float) -> PathProblem:
        """The same ends at another depth."""
        return replace(self, T=float(T))

    def with_gamma(self, gamma: float) -> PathProblem:
        """The same with another γ."""
        return replace(self, geometry=replace(self.geometry, gamma=gamma))

    def with_phi(self, phi: Nonlinearity) -> PathProblem:
        """The same with another activation."""
        return replace(self, geometry=replace(self.geometry, phi=phi))

    def kernel_scale(self) -> float:
        """Mean top eigenvalue of K at both ends: what δ is measured by."""
        K = self.geometry.kernel(self.geometry.phi.value(np.stack([self.first, self.last])))
        return float(np.linalg.eigvalsh(K)[:, -1].mean())

    def path_of(self, nodes: FloatArray, h: FloatArray, scheme: Scheme) -> Path:
        """A path through `nodes`, straight in each element, with B = 0."""
        L = len(h)
        w, N = self.shape
        return Path(h, nodes, np.zeros((L, scheme.degree - 1, w, N)), np.zeros((L, len(scheme.points), w, N)))
