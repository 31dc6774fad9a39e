r"""Steps of all members at once, each with a learning rate of its own.

    SGD      v ← μ v + g + λ p,           p ← p - η_m v          (Nesterov: p ← p - η_m (g + λ p + μ v))
    Adam     as in Kingma & Ba 2015, with a bias correction, ε beside the root

η_m has the shape (M, 1). A member that is not alive has g = 0 and a step of 0: it stays where it is. What changes from
step to step is in tensors, and what the host counts enters through `count`: a recorded step can be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch


class Stepper(Protocol):
    """One step of all members."""

    def begin(self, values: Any) -> None:
        """Make the state of a training of `values`."""

    def count(self) -> None:
        """Say that a step comes."""

    def step(self, values: Any, gradients: Any, rate: Any) -> None:
        """Change `values` in place, gradients are used up; `rate` of shape (M, 1) is 0 for members that rest."""

    def state(self) -> list[Any]:
        """The tensors that a step changes beside `values`."""


@dataclass(eq=False)
class SGD:
    """Gradient descent with momentum μ and weight decay λ, as `torch.optim.SGD`."""

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    _velocity: Any = field(default=None, init=False)

    def begin(self, values: Any) -> None:
        """At rest."""
        self._velocity = torch.zeros_like(values) if self.momentum else None

    def count(self) -> None:
        """No step differs from another."""

    def step(self, values: Any, gradients: Any, rate: Any) -> None:
        """Change `values` in place."""
        direction = gradients.add_(values, alpha=self.weight_decay) if self.weight_decay else gradients
        if self.momentum:
            self._velocity.mul_(self.momentum).add_(direction)
            direction = direction.add(self._velocity, alpha=self.momentum) if self.nesterov else self._velocity
        values.addcmul_(direction, -rate)

    def state(self) -> list[Any]:
        """The velocity."""
        return [self._velocity] if self.momentum else []


@dataclass(eq=False)
class Adam:
    """Adam, as `torch.optim.Adam` (weight decay decoupled, as `torch.optim.AdamW`)."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    _first: Any = field(default=None, init=False)
    _second: Any = field(default=None, init=False)
    _corrections: Any = field(default=None, init=False)
    _steps: int = field(default=0, init=False)

    def begin(self, values: Any) -> None:
        """No gradient has been seen."""
        self._first, self._second = torch.zeros_like(values), torch.zeros_like(values)
        self._corrections = tuple(values.new_ones(()) for _ in self.betas)
        self._steps = 0

    def count(self) -> None:
        """Write 1 - β^s where the step finds it."""
        self._steps += 1
        for correction, beta in zip(self._corrections, self.betas, strict=True):
            correction.fill_(1 - beta**self._steps)

    def step(self, values: Any, gradients: Any, rate: Any) -> None:
        """Change `values` in place."""
        one, two = self.betas
        if self.weight_decay:
            values.mul_(1 - rate * self.weight_decay)
        self._first.lerp_(gradients, 1 - one)
        self._second.mul_(two).addcmul_(gradients, gradients, value=1 - two)
        root = (self._second / self._corrections[1]).sqrt_().add_(self.eps)
        values.addcmul_(self._first / root, -rate / self._corrections[0])

    def state(self) -> list[Any]:
        """Both averages."""
        return [self._first, self._second]


OPTIMISERS = {"sgd": SGD, "adam": Adam}
