r"""Activations with two slopes and their kink at 0:  φ(x) = a min(x, 0) + b max(x, 0).

These are all continuous positively homogeneous functions of one variable, φ(λx) = λφ(x) for λ > 0: ReLU
(a = 0, b = 1), leaky ReLU (a small), the absolute value (a = -1), the identity (a = 1). For them, and only
for them, the angle between two inputs is a Markov chain of its own, whatever the lengths are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import DomainError
from ..gaussian.arguments import as_float, shown
from .base import function_argument, label
from .broken_line import PiecewiseLinear
from .knots import LEAST, check_name


@dataclass(frozen=True, init=False)
class TwoSlope(PiecewiseLinear):
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

    # what the two slopes determine is no field of this class: not an argument, not compared, not stored
    a: ClassVar[float] = 0.0  # type: ignore[misc]
    b: ClassVar[float]  # type: ignore[misc]
    t: ClassVar[tuple[float, ...]]  # type: ignore[misc]
    c: ClassVar[tuple[float, ...]]  # type: ignore[misc]
    at_knots: ClassVar[tuple[float, ...] | None] = None  # type: ignore[misc]

    negative: float = 0.0
    positive: float = 1.0

    def __init__(self, name: str, negative: float, positive: float = 1.0) -> None:
        check_name(name)
        slopes = as_float(negative), as_float(positive)
        if not all(map(math.isfinite, slopes)) or not LEAST <= max(map(abs, slopes)) <= 1 / LEAST:
            raise DomainError(
                f"Activation '{name}' has slopes {shown(negative)} and {shown(positive)}.",
                "A slope is NaN or beyond 1e50, or both are zero (below 1e-50), and with them every output.",
                "Use two finite slopes, at least one of them not zero.",
            )
        left, right = slopes
        bent = left != right
        fields = {"name": name, "negative": left, "positive": right}
        derived = {"b": left, "t": (0.0,) if bent else (), "c": (right - left,) if bent else ()}
        for key, value in (fields | derived).items():
            object.__setattr__(self, key, value)

    def __call__(self, x: Any) -> Any:
        """φ(x), elementwise, for a numpy array or a torch tensor of any shape."""
        x = function_argument(x)
        if self.negative == 0:  # 0 · (-∞) would be NaN
            return self.positive * x.clip(0)
        if self.positive == 0:
            return self.negative * x.clip(None, 0)
        return self.negative * x.clip(None, 0) + self.positive * x.clip(0)

    @property
    def slopes(self) -> tuple[float, ...]:
        """a and b; one of them if they are equal."""
        left, right = float(self.negative), float(self.positive)
        return (left,) if left == right else (left, right)

    @property
    def second_moment(self) -> float:
        """E φ(Z)², Z ~ N(0, 1):  (a² + b²)/2."""
        return (self.negative**2 + self.positive**2) / 2

    @property
    def he_sigma_w(self) -> float:
        """The standard deviation σ_w that keeps the variance from layer to layer: (E φ(Z)²)^(-1/2)."""
        return math.sqrt(1 / self.second_moment)

    @property
    def default_sigma_w(self) -> float | None:
        """`he_sigma_w`."""
        return self.he_sigma_w

    @property
    def kink(self) -> float:
        """r = (a - b)²/(a² + b²): 0 for a linear function, 1 for ReLU, 2 for the absolute value."""
        return (self.negative - self.positive) ** 2 / (self.negative**2 + self.positive**2)

    @property
    def one_sided(self) -> bool:
        """Whether a slope is zero: ReLU up to a factor and a reflection, so that neurons can be exactly silent."""
        return self.negative == 0 or self.positive == 0


def relu() -> TwoSlope:
    """ReLU, max(x, 0).

    Examples
    --------
    >>> relu().kink
    1.0
    """
    return TwoSlope("relu", 0.0, 1.0)


def leaky_relu(slope: float = 0.01) -> TwoSlope:
    """Leaky ReLU, a min(x, 0) + max(x, 0).

    Parameters
    ----------
    slope : float
        a; PyTorch's default is 0.01.

    Examples
    --------
    >>> leaky_relu(0.1).negative
    0.1
    """
    return TwoSlope(label("leaky_relu", slope), slope)


def prelu(slope: float = 0.25) -> TwoSlope:
    """Leaky ReLU whose slope is learned, at its start, PyTorch's 0.25.

    Examples
    --------
    >>> prelu().negative
    0.25
    """
    return TwoSlope(label("prelu", slope), slope)


def absolute() -> TwoSlope:
    """The absolute value, |x|.

    Examples
    --------
    >>> absolute().kink
    2.0
    """
    return TwoSlope("abs", -1.0, 1.0)


def identity() -> TwoSlope:
    """The identity, x: a linear network.

    Examples
    --------
    >>> identity().kink
    0.0
    """
    return TwoSlope("identity", 1.0, 1.0)
