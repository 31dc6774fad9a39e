r"""What an activation is to the theory: a function φ and its expectations under one and two Gaussian variables.

    u = √q₁ z₁,  v = √q₂ z₂,  z₁, z₂ standard normal with correlation ρ = cos θ

One variable: E φ, E φ², E φ⁴, E φ'² and their derivatives in q (`Moments`). Two variables: the covariance E φ(u)φ(v),
and, because that loses all digits as θ → 0, what it lacks to its value at θ = 0, without cancellation,

    gap(θ) = E φ(√q₁ z)φ(√q₂ z) - E φ(u)φ(v) = √(q₁q₂) ∫₀^θ E[φ'(u)φ'(v)](t) sin t dt,

by Price's theorem, ∂E[φ(u)φ(v)]/∂K = E[φ'(u)φ'(v)] with K = √(q₁q₂) cos θ (Price 1958). The angle is the state because
cos θ near 1 has no digits left to tell two inputs apart.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from ..errors import DomainError
from ..gaussian.arguments import as_array, as_floats, shown
from ..result import FloatArray

_LARGEST_FACTOR = 1e100


def function_argument(x: Any) -> Any:
    """`x` as what a function of numbers is applied to: a tensor of torch as it is, anything else as a float64 array.

    Arrays of floats keep their type. NaN and infinities pass.

    Raises
    ------
    DomainError
        It holds no real numbers.
    """
    if is_torch_array(x) and not (x.is_meta or x.is_sparse or x.is_quantized or x.is_complex()):
        return x
    array = as_array(x)
    if array.dtype.kind not in "biuf":
        raise DomainError(
            f"An activation was applied to {shown(x)}.",
            "It holds text, complex numbers, objects or rows of unequal length, or is a sparse tensor.",
            "Give real numbers.",
        )
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def wide_argument(x: Any) -> FloatArray:
    """As `function_argument`, in float64 whatever it was."""
    return np.asarray(as_array(function_argument(x)), dtype=np.float64)


HIGHEST_ORDER = 100
"""Of a derivative: what its moments need of a function grows with it."""


def checked_factor(factor: Any) -> FloatArray:
    """`factor` of one function in a difference, in float64."""
    f = as_floats(factor)
    if f is None or not (np.abs(f) <= _LARGEST_FACTOR).all():
        raise DomainError(
            f"factor is {shown(factor)}.",
            "It holds NaN, text, truth values or numbers beyond 1e100.",
            "Give a number, or an array of numbers.",
        )
    return f


def label(name: str, *parameters: float) -> str:
    """The name with its parameters to full precision, as the catalogue reads it back.

    Examples
    --------
    >>> label("crelu", 1.0, 0.1 + 0.2)
    'crelu:1,0.30000000000000004'
    """
    return ":".join([name, *[",".join(repr(float(p)).removesuffix(".0") for p in parameters)][: len(parameters)]])


@dataclass(frozen=True)
class Moments:
    """Expectations of φ at x = √q z, z ~ N(0, 1); each of the shape of q.

    Attributes
    ----------
    mean : E φ
    second : E φ²
    fourth : E φ⁴
    slope_second : E φ'²
    d_second : dE φ²/dq
    d2_second : d²E φ²/dq²
    d_slope_second : dE φ'²/dq
    """

    mean: FloatArray
    second: FloatArray
    fourth: FloatArray
    slope_second: FloatArray
    d_second: FloatArray
    d2_second: FloatArray
    d_slope_second: FloatArray


class Activation(ABC):
    """A function φ of one variable that acts on every neuron of a layer.

    Arguments `q`, `q1`, `q2` are variances (positive), `theta` angles in [0, π]; they broadcast. `covariance` and
    `slope_covariance` also take torch tensors and then return tensors on their device.
    """

    name: str

    # ------------------------------------------------------------------ the function

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """φ(x), elementwise, for a numpy array or a torch tensor of any shape."""

    @abstractmethod
    def derivative(self, x: Any) -> Any:
        """φ'(x), elementwise, for a numpy array or a torch tensor; at a kink the mean of both sides."""

    @abstractmethod
    def second_derivative(self, x: Any) -> Any:
        """φ''(x) off the kinks, elementwise, for a numpy array."""

    @property
    @abstractmethod
    def kinks(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t, c²) of the points where φ' jumps and the squared jump; empty if φ' is continuous."""

    @property
    def curvature_jumps(self) -> tuple[tuple[float, float], ...]:
        """Pairs (t, J²) of the points where φ'' jumps and the squared jump, without a kink."""
        return ()

    @property
    def homogeneous(self) -> bool:
        """Whether φ(λx) = λφ(x) for all λ > 0; then angles do not depend on lengths."""
        return False

    @property
    def parts_with_shares(self) -> tuple[tuple[float, Activation], ...]:
        """Shares of the neurons and what they apply: ((1, φ),) unless φ is a mixture."""
        return ((1.0, self),)

    @property
    def largest_variance(self) -> float:
        """Up to which q expectations are available; searches over q end there."""
        return math.inf

    @property
    def odd(self) -> bool:
        """Whether φ(-x) = -φ(x), by its values at 64 points and beyond each kink."""
        x = self._probes()
        return bool(np.array_equal(self(-x), -self(x)))

    @property
    def even(self) -> bool:
        """Whether φ(-x) = φ(x), by its values at 64 points and beyond each kink."""
        x = self._probes()
        return bool(np.array_equal(self(-x), self(x)))

    def _probes(self) -> FloatArray:
        return np.concatenate([np.geomspace(1e-3, 30, 64), [1.5 * abs(t) for t, _ in self.kinks]])

    # ------------------------------------------------------------------ one variable

    @abstractmethod
    def moments(self, q: Any) -> Moments:
        """`Moments` at the variances `q`."""

    @abstractmethod
    def derivative_moment(self, order: int, q: Any) -> Any:
        """E[(φ^(k)(√q z))²] for k = `order` ≥ 0; infinite where φ^(k) contains a delta function."""

    @abstractmethod
    def comonotone(self, q1: Any, q2: Any) -> Any:
        """E φ(√q₁ z)φ(√q₂ z): the covariance at angle 0."""

    @abstractmethod
    def difference_second(self, factor: Any, q1: Any, q2: Any) -> Any:
        """E (φ(√q₂ z) - f φ(√q₁ z))², f = `factor`, without cancellation."""

    # ------------------------------------------------------------------ two variables

    @abstractmethod
    def gap(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """What the covariance lacks to its value at angle 0, with relative accuracy; `q2` None means q₁."""

    @abstractmethod
    def remainder(self, theta: Any, q: Any) -> Any:
        """q E φ'² (1 - cos θ) - gap(θ), with relative accuracy: what is left when the linear term is taken out."""

    @abstractmethod
    def slope_product(self, theta: Any, q1: Any, q2: Any = None) -> Any:
        """E φ'(u)φ'(v)."""

    @abstractmethod
    def curvature_product(self, theta: Any, q: Any) -> Any:
        """E φ''(u)φ''(v), as a distribution where φ' jumps; infinite at θ = 0 then."""

    @abstractmethod
    def covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ(u)φ(v) for E uv = `k`; absolute accuracy, for kernels. numpy or torch."""

    @abstractmethod
    def slope_covariance(self, k: Any, q1: Any, q2: Any) -> Any:
        """E φ'(u)φ'(v) for E uv = `k`. numpy or torch."""

    # ------------------------------------------------------------------ what follows from these

    @property
    def default_sigma_w(self) -> float | None:
        """The σ_w that keeps the variance of any input without bias, where there is one (homogeneous φ only)."""
        if not self.homogeneous:
            return None
        return float(1 / np.sqrt(self.moments(1.0).second))
