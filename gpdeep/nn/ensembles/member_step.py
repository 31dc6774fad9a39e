r"""One step of all members, on tensors that stay where they are, without a look from the host.

    evaluate    C_m and ∂C_m/∂p_m on the batch in `index`; who is no longer finite dies, and stays where it is
    update      p_m ← p_m - η_m · direction, for those alive

A GPU can record both once and replay them. So the host writes what changes from step to step (`index`, `rate`, and
what the optimiser counts) into tensors beforehand, and reads what became of the members when it wants to: until then
costs and norms of some steps are kept on the device.
"""

from __future__ import annotations

from typing import Any

import torch

from ...result import FloatArray
from .alignment import filling_rows
from .flat_members import FlatMembers
from .member_optimisers import Stepper
from .members import Ensemble
from .samples import Samples

ROWS = 64  # steps of which costs are kept on the device before the host must read them
_TINY = 1e-30  # of a gradient norm that needs no clipping


class MemberStep:
    """A step of an ensemble.

    Parameters
    ----------
    ensemble : Ensemble
    samples : Samples
    stepper : Stepper
    rates : torch.Tensor, shape (M, 1)
    bounds : torch.Tensor, shape (M, 1), optional
        Largest norms of the gradients.
    batch : tuple of int
        Shape of `index`: (size,), or (M, size) where members have batches of their own.

    Attributes
    ----------
    flat : FlatMembers
    index : torch.Tensor of int
        Rows of the samples of the step that comes.
    alive : torch.Tensor of bool, shape (M,)
    """

    def __init__(
        self,
        ensemble: Ensemble,
        samples: Samples,
        stepper: Stepper,
        rates: Any,
        bounds: Any,
        batch: tuple[int, ...],
    ) -> None:
        self._ensemble, self._samples, self._stepper = ensemble, samples, stepper
        self._rates, self._bounds = rates, bounds
        self.flat = FlatMembers.of(ensemble)
        stepper.begin(self.flat.values)
        whole: dict[str, Any] = {"dtype": torch.int64, "device": rates.device}
        self.index = torch.zeros(batch, **whole)
        on_cpu = rates.device.type == "cpu"
        self._filled = filling_rows(batch[-1], ensemble.widths, rates.device) if on_cpu else None
        self.alive = torch.ones(len(rates), dtype=torch.bool, device=rates.device)
        self._rate = torch.zeros_like(rates)
        self._row = torch.zeros(1, **whole)
        self._told = torch.zeros((ROWS, 2, len(rates)), dtype=rates.dtype, device=rates.device)
        self._norms: Any = None

    # ------------------------------------------------------------------------------ what may be recorded

    def evaluate(self) -> None:
        """Costs and gradients of the batch, and who dies of them."""
        rows = self.index if self._filled is None else self.index[..., self._filled]
        outputs = self.flat.outputs(self._ensemble, self._samples.x[rows])[:, : self.index.shape[-1]]
        each = self._samples.cost(outputs, self._samples.y[self.index])
        each.sum().backward()
        self._norms = self.flat.squared_norms()
        told = torch.stack([each.detach(), self._norms])
        self.alive &= torch.isfinite(told).all(0)
        self._told.index_copy_(0, self._row, told[None])
        self._row += 1

    def update(self, all_alive: bool = False) -> None:
        """Move the members; `all_alive` saves the mask where the host knows that nobody needs it."""
        gradients, rate = self.flat.gradients, self._rate
        if self._bounds is not None:
            gradients.mul_((self._bounds / self._norms.sqrt().clamp(min=_TINY)[:, None]).clamp(max=1.0))
        if not all_alive:
            dead = ~self.alive[:, None]
            rate = rate.masked_fill(dead, 0.0)
            gradients.masked_fill_(dead, 0.0)  # a product with 0 would keep NaN
        self._stepper.step(self.flat.values, gradients, rate)

    def both(self) -> None:
        """The whole step."""
        self.evaluate()
        self.update()

    # ------------------------------------------------------------------------------ what the host does

    def count(self, factor: float) -> None:
        """Say that an update comes, at `factor` times the learning rates."""
        torch.mul(self._rates, float(factor), out=self._rate)
        self._stepper.count()

    def take(self, rows: int) -> FloatArray:
        """Costs and squared norms of the last `rows` evaluations, shape (rows, 2, M); their place is free again."""
        found: FloatArray = self._told[:rows].cpu().numpy().copy()
        self._row.zero_()
        return found

    def moving(self) -> list[Any]:
        """What the members are: parameters and the state of the optimiser, shape (M, parameters)."""
        return [self.flat.values, *self._stepper.state()]

    def told(self) -> list[Any]:
        """What a step leaves behind about them, costs first."""
        return [self._told, self._row, self.alive]
