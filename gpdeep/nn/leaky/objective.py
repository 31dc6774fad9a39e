r"""What `train_leaky` minimises: C + λS and, for learned maps, their penalties; with its gradient in torch.

    F = C/λ + S + ½ c_in |E|² + ½ c_out |R|²          ∂F/∂W_l = (ρ_l/L̃)(W_l - L̃ B_l Sg(A_{l-1})ᵀ)

Gradients tell how far the network is from stationary: relative to those of the quadratic terms alone, (ρ_l/L̃) W_l,
c_in E and c_out R, they are the stationarity residual of each layer and map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ...leaky.network import relative_distance
from .data import Task
from .energies import Trajectory, numbers, trajectory
from .resnet import LeakyResNet


@dataclass(frozen=True)
class LeakyObjective:
    """F of a model on a task.

    Attributes
    ----------
    model : LeakyResNet
    task : Task
    lam : float
        λ.
    in_penalty, out_penalty : float
        c_in and c_out.
    """

    model: LeakyResNet
    task: Task
    lam: float
    in_penalty: float
    out_penalty: float

    @property
    def parameters(self) -> list[Any]:
        """What is trained: weights, and the maps that are learned."""
        return [parameter for parameter, _ in self._penalised()]

    def value(self) -> Any:
        """F, a scalar tensor."""
        cost = self.task.function(self.model(self.task.X), self.task.Y)
        return cost / self.lam + self.model.parameter_cost() + sum(self._penalties())

    def number(self) -> float:
        """F."""
        with torch.no_grad():
            return float(self.value())

    def cost(self) -> float:
        """C."""
        with torch.no_grad():
            return float(self.task.function(self.model(self.task.X), self.task.Y))

    def backward(self) -> Any:
        """F, detached, with its gradients in the parameters."""
        self.clear()
        value = self.value()
        value.backward()
        return value.detach()

    def residual(self) -> float:
        """The stationarity residual, from the gradients that `backward` left; infinite where only W_l is 0."""
        found = []
        for parameter, factor in self._penalised():
            axes = (1, 2) if parameter.ndim == 3 else (0, 1)
            wide = parameter.grad.double(), (factor * parameter.detach()).double()
            miss, scale = (part.square().sum(axes).sqrt() for part in wide)
            found.append(torch.where(miss > 0, miss / scale, torch.zeros_like(miss)).max())
        return float(torch.stack(found).max())

    def along(self, sharpness: float = math.inf) -> tuple[Trajectory, float]:
        """The trajectory of the network, its kinks rounded if they are to be, and the stationarity residual of all."""
        at, model = trajectory(self.model, self.task, self.lam, sharpness), self.model
        found = [at.residual()]
        for linear, stationary in (
            (model.read_in, at.B[0] @ at.X.T / self.in_penalty),
            (model.read_out, -at.output_gradient @ at.A[-1].T / self.out_penalty),
        ):
            if isinstance(linear, torch.nn.Parameter):
                found.append(relative_distance(numbers(linear), stationary))
        return at, max(found)

    def clear(self) -> None:
        """No gradients, as before training."""
        for parameter in self.parameters:
            parameter.grad = None

    def snapshot(self) -> list[Any]:
        """Copies of what is trained."""
        return [parameter.detach().clone() for parameter in self.parameters]

    def restore(self, values: list[Any]) -> None:
        """Put copies back."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(value)

    def _penalised(self) -> list[tuple[Any, Any]]:
        """Parameters, each with the factor that the quadratic terms have in its gradient."""
        model = self.model
        found: list[tuple[Any, Any]] = [(model.weights, (model.steps / model.effective_depth)[:, None, None])]
        for linear, penalty in ((model.read_in, self.in_penalty), (model.read_out, self.out_penalty)):
            if isinstance(linear, torch.nn.Parameter):
                found.append((linear, penalty))
        return found

    def _penalties(self) -> list[Any]:
        return [0.5 * factor * linear.square().sum() for linear, factor in self._penalised()[1:]]
