r"""What the layers of a trained leaky ResNet conserve, and how far the network is from where they do.

    B_L = -(1/λ) ∂C/∂A_L,       B_{l-1} = (1 - h_l) B_l + h_l φ'(A_{l-1}) ∘ (w_l[:, :w]ᵀ B_l),      w_l = W_l/L̃
    stationary:  W_l = L̃ B_l Sg(A_{l-1})ᵀ,   and of learned maps  E = B_0 Xᵀ/c_in,   R = -(1/λ c_out) (∂C/∂Z) A_Lᵀ

Computed in float64 on the processor, whatever the type and device of the model, by `gpdeep.leaky.network`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...gaussian.arguments import as_float, flag
from ...leaky import network
from ...leaky.geometry import Geometry
from ...leaky.nonlinearity import Nonlinearity
from ...result import FloatArray
from ..arguments import LARGEST, number
from .data import CostFunction, Task

_LEAST = 1e-50

if TYPE_CHECKING:
    from .resnet import LeakyResNet


@dataclass(frozen=True)
class Trajectory:
    """A network on its samples, as `gpdeep.leaky.network` takes it; samples are columns.

    Attributes
    ----------
    X : ndarray, shape (in_features, N)
        Inputs.
    output_gradient : ndarray, shape (out_features, N)
        (1/λ) ∂C/∂Z.
    A, B : ndarray, shape (L + 1, w, N)
        Representations and momenta.
    weights : ndarray, shape (L, w, w + 1)
        W_l; (L, w, w) without bias.
    rho : ndarray, shape (L,)
        Steps.
    effective_depth : float
        L̃.
    theory : dict
        Activation and bias, as `gpdeep.leaky.network` is given them.
    """

    X: FloatArray
    output_gradient: FloatArray
    A: FloatArray
    B: FloatArray
    weights: FloatArray
    rho: FloatArray
    effective_depth: float
    theory: dict[str, Any]

    def residual(self) -> float:
        """The stationarity residual of the weights."""
        return network.stationarity_residual(self.A, self.B, self.weights, self.effective_depth, **self.theory)

    def energies(self, corrected: bool) -> FloatArray:
        """H_l of the layers, whether they are any or not."""
        geometry = Geometry(self.theory["activation"], bias=self.theory["bias"])
        h = self.rho * self.effective_depth
        return self.effective_depth * network.natural_energies(self.A, self.B, h, geometry, corrected)

    def sample_invariant(self) -> FloatArray:
        """What a_i·b_i changes by beyond what the bias adds."""
        return network.sample_invariant(self.A, self.B, self.weights, self.rho, self.effective_depth, **self.theory)


def numbers(tensor: Any) -> FloatArray:
    """A tensor as a float64 array of its own."""
    return np.array(tensor.detach().to(device="cpu", dtype=torch.float64).numpy())


def steps_in_float64(model: LeakyResNet) -> FloatArray:
    """ρ_l, their sum 1 to float64's rounding whatever the type they are kept in."""
    rho = numbers(model.steps)
    rho /= rho.sum()
    return rho


def representations(model: LeakyResNet, X: Any, sharpness: float = math.inf) -> FloatArray:
    """A_0, ..., A_L, shape (L + 1, w, N), for inputs as rows."""
    columns = numbers(X).T
    return network.forward(
        columns if model.read_in is None else numbers(model.read_in) @ columns,
        numbers(model.weights),
        steps_in_float64(model),
        model.effective_depth,
        activation=Nonlinearity.of(model.phi, sharpness),
        bias=model.bias,
    )


def trajectory(model: LeakyResNet, task: Task, lam: float, sharpness: float = math.inf) -> Trajectory:
    """Representations and momenta of a network on a task."""
    rho, weights = steps_in_float64(model), numbers(model.weights)
    theory: dict[str, Any] = {"activation": Nonlinearity.of(model.phi, sharpness), "bias": model.bias}
    A = representations(model, task.X, sharpness)
    R = None if model.read_out is None else numbers(model.read_out)
    gradient = task.gradient(A[-1] if R is None else R @ A[-1]) / lam
    B = network.backward(A, -gradient if R is None else -R.T @ gradient, weights, rho, model.effective_depth, **theory)
    return Trajectory(numbers(task.X).T, gradient, A, B, weights, rho, model.effective_depth, theory)


def check_lam(lam: Any) -> float:
    """λ > 0."""
    return number("lam", lam, _LEAST, LARGEST, "λ, the weight of the parameter cost in C + λS")


def _asked(model: LeakyResNet, X: Any, Y: Any, lam: Any, cost: Any, sharpness: Any) -> Trajectory:
    if as_float(sharpness) != math.inf:
        sharpness = number("sharpness", sharpness, _LEAST, LARGEST, "how sharp the rounded kinks of the activation are")
    return trajectory(model, Task.of(model, X, Y, cost), check_lam(lam), sharpness)


def stationarity_residual(
    model: LeakyResNet,
    X: Any,
    Y: Any,
    *,
    lam: float,
    cost: str | CostFunction = "squared",
    sharpness: float = math.inf,
) -> float:
    """How far C + λS is from stationary in the weights: max_l |W_l - L̃ B_l Sg(A_{l-1})ᵀ|/|W_l|.

    Parameters
    ----------
    model : LeakyResNet
        In any type, on any device.
    X : array_like or torch.Tensor, shape (N, in_features)
        All samples: a network is stationary for the set that it is trained on.
    Y : array_like or torch.Tensor, shape (N, out_features)
        Targets; for cross-entropy also class numbers (N,).
    lam : float
        λ > 0, of the parameter cost.
    cost : {'squared', 'cross_entropy'} or callable
        C, averaged over samples; or a function of outputs (N, out_features) and Y whose value is a scalar tensor.
    sharpness : float
        Of kinks that are rounded, k: each becomes a softplus, log(1 + e^{kx})/k. A minimum has entries that rest on
        kinks, where the slope is between those of the two sides: rounded, the network is stationary there, and as it
        is it is not.

    Returns
    -------
    float
        Energies mean something below about 0.01, and nothing above 0.3. A loss that looks converged says little:
        several thousand steps of Adam can leave 1 and more.

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or λ is not positive.

    Examples
    --------
    Where the output hits its target, only weights of 0 would be stationary:

    >>> from gpdeep.nn.leaky.resnet import LeakyResNet
    >>> model = LeakyResNet.from_arrays([0.5, 0.5], [[[2.0]], [[2.0]]], 1.0, bias=0.0)
    >>> stationarity_residual(model, [[1.0]], [[2.25]], lam=1.0)
    1.0
    """
    return _asked(model, X, Y, lam, cost, sharpness).residual()


def layer_energies(
    model: LeakyResNet,
    X: Any,
    Y: Any,
    *,
    lam: float,
    cost: str | CostFunction = "squared",
    corrected: bool = True,
    sharpness: float = math.inf,
) -> FloatArray:
    """Energies of the layers in the time p; constant along a stationary network up to its step.

        H_l = L̃ (½|B_l Sg(A_{l-1})ᵀ|² - tr B_l A_{l-1}ᵀ),    corrected  H_l - <A_l - A_{l-1}, B_l - B_{l-1}>/(2ρ_l)

    -2H/L̃ is the rank of the bottleneck as the Hamiltonian sees it.

    Parameters
    ----------
    model, X, Y, lam, cost, sharpness
        As in `stationarity_residual`.
    corrected : bool
        Take off what the layers' step adds in first order: over equal steps the spread is then O(1/L²).

    Returns
    -------
    ndarray, shape (depth,)

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or λ is not positive.

    Warns
    -----
    ValidityWarning
        The stationarity residual is above 0.3: then these are no energies.
    """
    at = _asked(model, X, Y, lam, cost, sharpness)
    network.warn_if_meaningless(at.residual(), stacklevel=4)  # the line that called the model's method
    return at.energies(flag("corrected", corrected))


def sample_invariant(
    model: LeakyResNet, X: Any, Y: Any, *, lam: float, cost: str | CostFunction = "squared"
) -> FloatArray:
    """What the a_i·b_i of each sample changes by in each layer, beyond what the bias adds.

        a_{l,i}·b_{l,i} - a_{l-1,i}·b_{l-1,i} - h_l β w_l[:, last]·b_{l,i}

    Parameters
    ----------
    model, X, Y, lam, cost
        As in `stationarity_residual`.

    Returns
    -------
    ndarray, shape (depth, N)
        Zero to rounding for homogeneous activations such as ReLU, with any weights, trained or not.

    Raises
    ------
    DomainError
        Shapes do not fit, a number is not finite, or λ is not positive.
    """
    return _asked(model, X, Y, lam, cost, math.inf).sample_invariant()
