r"""Activations with two slopes and their kink at 0:  φ(x) = a min(x, 0) + b max(x, 0).

These are all continuous positively homogeneous functions of one variable, φ(λx) = λφ(x) for λ > 0: ReLU
(a = 0, b = 1), leaky ReLU (a small), the absolute value (a = -1), the identity (a = 1). For them, and only
for them, the angle between two inputs is a Markov chain of its own, whatever the lengths are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import DomainError

_LEAST = 1e-50  # squares of slopes stay within float64


@dataclass(frozen=True)
class TwoSlope:
    r"""φ(x) = a min(x, 0) + b max(x, 0).

    Parameters
    ----------
    name : str
        How messages and results call it.
    negative : float
        Slope a for x < 0.
    positive : float
        Slope b for x > 0. At least one of the slopes is not zero.

    Examples
    --------
    >>> import numpy as np
    >>> leaky = TwoSlope("leaky_relu:0.1", 0.1, 1.0)
    >>> leaky(np.array([-2.0, 3.0]))
    array([-0.2,  3. ])
    >>> round(leaky.he_sigma_w**2 * leaky.second_moment, 15)
    1.0
    """

    name: str
    negative: float
    positive: float = 1.0

    def __post_init__(self) -> None:
        slopes = (self.negative, self.positive)
        if not all(map(math.isfinite, slopes)) or not _LEAST <= max(map(abs, slopes)) <= 1 / _LEAST:
            raise DomainError(
                f"Activation '{self.name}' has slopes {slopes}.",
                "A slope is NaN or beyond 1e50, or both are zero (below 1e-50), and with them every output.",
                "Use two finite slopes, at least one of them not zero.",
            )

    def __call__(self, x: Any) -> Any:
        """φ(x), elementwise, for a numpy array or a torch tensor of any shape."""
        return self.negative * x.clip(None, 0) + self.positive * x.clip(0)

    @property
    def second_moment(self) -> float:
        """E φ(Z)², Z ~ N(0, 1):  (a² + b²)/2."""
        return (self.negative**2 + self.positive**2) / 2

    @property
    def he_sigma_w(self) -> float:
        """The standard deviation σ_w that keeps the variance from layer to layer: (E φ(Z)²)^(-1/2)."""
        return math.sqrt(1 / self.second_moment)

    @property
    def kink(self) -> float:
        """r = (a - b)²/(a² + b²): 0 for a linear function, 1 for ReLU, 2 for the absolute value."""
        return (self.negative - self.positive) ** 2 / (self.negative**2 + self.positive**2)

    @property
    def one_sided(self) -> bool:
        """Whether a slope is zero: ReLU up to a factor and a reflection, so that neurons can be exactly silent."""
        return self.negative == 0 or self.positive == 0
