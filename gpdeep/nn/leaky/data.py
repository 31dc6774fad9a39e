r"""Samples, targets and costs of a leaky ResNet: rows for torch, columns for the formulas.

squared          C = (1/N) |Y - Z|²                     Z = R A_L
cross_entropy    C = -(1/N) Σ_ik Y_ik log softmax(z_i)_k
a function       C = cost(Z, Y)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from ...errors import DomainError
from ...gaussian.arguments import as_array, callback, choice
from ...leaky.network_cost import COSTS, cost_of
from ...result import FloatArray
from ..arguments import native, real_inputs
from .arguments import require_leaky

if TYPE_CHECKING:
    from .resnet import LeakyResNet

CostFunction = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Task:
    """What a network is to do: inputs, targets, and what a miss costs.

    Attributes
    ----------
    X : torch.Tensor, shape (N, in_features)
        In the type and on the device of the model.
    Y : torch.Tensor
        (N, out_features), or class numbers (N,); as given where the cost is a function.
    name : str or None
        Of the cost; None for a function.
    function : callable
        From outputs and Y to the scalar C.
    """

    X: Any
    Y: Any
    name: str | None
    function: CostFunction

    @classmethod
    def of(cls, model: LeakyResNet, X: Any, Y: Any, cost: str | CostFunction) -> Task:
        """The task of `model` on rows `X`, `Y`.

        Raises
        ------
        DomainError
            Shapes do not fit the model, the cost is unknown, or numbers are not finite.
        """
        rows = rows_of(model, X)
        if callable(cost):
            return cls(rows, Y, None, _scalar(cost))
        target = real_inputs(Y)
        target = as_array(_wide(target)) if isinstance(target, torch.Tensor) else target
        choice("cost", cost, COSTS)
        outputs = model.width if model.read_out is None else model.read_out.shape[0]
        _require_rows(target, len(rows), outputs, classes=cost == "cross_entropy")
        known = cost_of(cost, target.T, outputs, len(rows))
        if target.ndim == 1:
            return cls(rows, torch.as_tensor(target, dtype=torch.int64, device=rows.device), cost, F.cross_entropy)
        tensor = torch.as_tensor(np.ascontiguousarray(known.target.T), dtype=rows.dtype, device=rows.device)
        return cls(rows, tensor, cost, _squared if cost == "squared" else F.cross_entropy)

    def target_columns(self) -> Any:
        """Y as the formulas have it: (out_features, N), or class numbers (N,)."""
        Y = self.Y.cpu().numpy()
        return Y.T if Y.ndim == 2 else Y

    def gradient(self, Z: FloatArray) -> FloatArray:
        """∂C/∂Z in float64, outputs Z and gradient as columns."""
        if self.name is not None:
            return cost_of(self.name, self.target_columns(), *Z.shape).gradient(Z)
        output = torch.tensor(Z.T, dtype=torch.float64, device=self.X.device, requires_grad=True)
        value = self.function(output, self.Y)
        if not value.requires_grad:
            raise _no_cost(value)
        (slope,) = torch.autograd.grad(value, output)
        return np.ascontiguousarray(slope.to(torch.float64).cpu().numpy().T)


def rows_of(model: LeakyResNet, X: Any) -> Any:
    """Inputs (N, in_features) as a tensor in the type and on the device of the model's weights.

    Raises
    ------
    DomainError
        They have another shape, or are not finite.
    """
    require_leaky(model)
    x = real_inputs(X)
    weights = model.weights
    rows = (x if isinstance(x, torch.Tensor) else torch.from_numpy(native(x))).detach()
    features = model.width if model.read_in is None else model.read_in.shape[1]
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != features:
        raise DomainError(
            f"The inputs have the shape {tuple(rows.shape)}.",
            f"The model takes rows of {features} features; samples were given as columns, or without their axis.",
            f"Give at least one sample, shape (samples, {features}).",
        )
    rows = rows.to(device=weights.device, dtype=weights.dtype)
    if not bool(torch.isfinite(rows).all()):
        raise DomainError(
            "The inputs are not all finite.", "Missing values, or an overflow upstream.", "Remove such samples."
        )
    return rows


def _wide(x: Any) -> Any:
    """A tensor that numpy reads: on the processor, floats in float64."""
    x = x.detach().cpu()
    return x.to(torch.float64) if x.is_floating_point() else x


def _require_rows(target: Any, samples: int, outputs: int, *, classes: bool) -> None:
    """That the targets are rows, one for each sample."""
    if target.shape != (samples, outputs) and not (classes and target.shape == (samples,)):
        also = f", or class numbers of shape ({samples},)" if classes else ""
        raise DomainError(
            f"The targets have the shape {target.shape}.",
            f"The model makes {outputs} outputs of each of {samples} samples; targets were given as columns, or a "
            "read_out is missing.",
            f"Give targets of shape ({samples}, {outputs}){also}.",
        )


def _squared(output: Any, target: Any) -> Any:
    """|Y - Z|²/N."""
    return (output - target).square().sum() / len(output)


def _scalar(cost: CostFunction) -> CostFunction:
    """`cost`, refused where it does not give one number."""

    callback("cost", cost, None, None)

    def checked(Z: Any, Y: Any) -> Any:
        value = cost(Z, Y)
        if not isinstance(value, torch.Tensor) or value.ndim:
            raise _no_cost(value)
        return value

    return checked


def _no_cost(value: Any) -> DomainError:
    return DomainError(
        f"The cost made a {type(value).__name__} of the outputs"
        + (f" of shape {tuple(value.shape)}." if isinstance(value, torch.Tensor) else "."),
        "A cost is a scalar tensor that depends on the outputs; it was detached, or not averaged.",
        "Let the cost return such as ((output - target) ** 2).sum(1).mean().",
    )
