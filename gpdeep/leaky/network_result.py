"""What training a leaky ResNet to stationarity answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DomainError
from ..result import FloatArray, Result, Status, StatusCode, render_table, shown_layers
from .checks import check_matrix
from .geometry import Geometry
from .network import natural_energies, representations, warn_if_meaningless
from .network_cost import COSTS
from .network_descent import Descent
from .network_objective import Objective, Parameters, Point
from .nonlinearity import Nonlinearity


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkSolution(Result):
    """A leaky ResNet, trained by `train_network` or `continue_network`; arrays run over layers.

    Attributes
    ----------
    options : dict
        Every parameter, resolved: effective_depth L̃, terminal_weight λ, activation, bias, cost, read_in_penalty,
        read_out_penalty, tol.
    sharpness : float
        How sharp the rounded kinks of the activation are; infinite if it has none, or has them unrounded.
    inputs, targets : ndarray, shape (d_in, N), (d_out, N)
    rho : ndarray, shape (L,)
        Steps.
    weights : ndarray, shape (L, w, w + 1)
        W_l in p-time; without bias (L, w, w).
    read_in, read_out : ndarray or None
        E, shape (w, d_in), and R, shape (d_out, w); None for the identity.
    A, B : ndarray, shape (L + 1, w, N)
        Representations and momenta.
    action : float
        S = (1/2L̃) Σ ρ_l |W_l|².
    cost : float
        C, at the targets.
    objective : float
        S + C/λ, and penalties of what is learned beside the weights: what was minimised.
    residual : float
        max_l |W_l - L̃ B_l Sg(A_{l-1})ᵀ|/|W_l|, and the same for E and R where they are learned.
    energies, corrected_energies : ndarray, shape (L,)
        H of each layer in p-time, raw and without the first order of what symplectic Euler adds (`layer_energies`).
    iterations, products : int
        Of Newton's method, and of its Hessian with a vector, over all stages.
    """

    options: dict[str, Any]
    sharpness: float
    inputs: FloatArray
    targets: FloatArray
    rho: FloatArray
    weights: FloatArray
    read_in: FloatArray | None
    read_out: FloatArray | None
    A: FloatArray
    B: FloatArray
    action: float
    cost: float
    objective: float
    residual: float
    energies: FloatArray
    corrected_energies: FloatArray
    iterations: int
    products: int

    @property
    def effective_depth(self) -> float:
        """L̃."""
        return float(self.options["effective_depth"])

    @property
    def rank_like(self) -> float:
        """-2H/L̃, the median over layers of the corrected energies."""
        return float(np.median(-2 * self.corrected_energies)) / self.effective_depth

    def outputs(self, X: Any = None, *, activation: Any = None) -> FloatArray:
        """R A_L for the inputs trained on, or for others of shape (d_in, M); shape (d_out, M).

        An activation that is not in the catalogue is to be given again.

        Raises
        ------
        DomainError
            X has another number of features, or is not finite.
        """
        end: FloatArray = self.A[-1]
        if X is not None:
            inputs = check_matrix("X", X)
            if len(inputs) != len(self.inputs):
                raise DomainError(
                    f"X has {len(inputs)} rows.",
                    f"The network was trained on {len(self.inputs)} features; rows are features, columns are samples.",
                    f"Give X of shape ({len(self.inputs)}, M).",
                )
            start = inputs if self.read_in is None else self.read_in @ inputs
            depth, geometry = self.effective_depth, self.geometry(activation)
            end = representations(start, self.weights / depth, self.rho * depth, geometry)[-1]
        return end if self.read_out is None else self.read_out @ end

    def geometry(self, activation: Any = None) -> Geometry:
        """Activation, with its kinks rounded as they were, and bias."""
        name = self.options["activation"] if activation is None else activation
        return Geometry(Nonlinearity.of(name, self.sharpness), bias=self.options["bias"])

    @property
    def parameters(self) -> Parameters:
        """What was trained, in natural time."""
        return Parameters(self.weights / self.effective_depth, self.read_in, self.read_out)

    def objective_function(self, activation: Any = None) -> Objective:
        """What was minimised."""
        o, c_in, c_out = self.options, self.options["read_in_penalty"], self.options["read_out_penalty"]
        return Objective(
            X=self.inputs,
            cost=COSTS[o["cost"]](self.targets),
            h=self.rho * self.effective_depth,
            geometry=self.geometry(activation),
            terminal_weight=o["terminal_weight"],
            read_in=self.read_in if c_in is None else None,
            read_out=self.read_out if c_out is None else None,
            in_penalty=c_in,
            out_penalty=c_out,
        )

    def __str__(self) -> str:
        o, depth = self.options, self.effective_depth
        columns = ["layer", "rho", "|A|", "|W|/Lt", "-2H/Lt", "corrected"]
        nodes, size = np.cumsum(self.rho), np.linalg.norm(self.A[1:], axis=(1, 2))
        length = np.linalg.norm(self.weights, axis=(1, 2)) / depth
        rows = [
            [str(k + 1), f"{self.rho[k]:.4f}", f"{size[k]:.3f}", f"{length[k]:.3f}"]
            + [f"{-2 * energy[k] / depth:.4f}" for energy in (self.energies, self.corrected_energies)]
            for k in (layer - 1 for layer in shown_layers(len(nodes)))
        ]
        rounded = f" (sharpness {self.sharpness:g})" if math.isfinite(self.sharpness) else ""
        title = f"leaky ResNet, {o['activation']}{rounded}, Lt = {depth:g}, {len(nodes)} layers of {self.A.shape[1]}"
        notes = [
            f"action {self.action:.6f}, cost {self.cost:.6g}, objective S + C/lambda {self.objective:.6f}",
            f"stationarity residual {self.residual:.1e} after {self.iterations} iterations",
            f"-2H/Lt {self.rank_like:.4f} (median of the corrected)",
        ]
        return render_table(title, columns, rows, notes + list(self.status.messages))


def solution_of(found: Descent, rho: FloatArray, effective_depth: float, tol: float, cost: str) -> NetworkSolution:
    """The result for where training ended, and a warning where its energies say nothing."""
    point = found.point
    warn_if_meaningless(point.residual, stacklevel=4)
    o, phi = point.objective, point.objective.geometry.phi
    reached = point.residual <= tol
    status = Status() if reached else Status(StatusCode.NOT_CONVERGED, (_unfinished(point, tol, phi),))
    raw, corrected = (
        effective_depth * natural_energies(point.A, point.B, o.h, o.geometry, which) for which in (False, True)
    )
    return NetworkSolution(
        status=status,
        options={
            "effective_depth": effective_depth,
            "terminal_weight": o.terminal_weight,
            "activation": phi.phi.name,
            "bias": o.geometry.bias,
            "cost": cost,
            "read_in_penalty": o.in_penalty,
            "read_out_penalty": o.out_penalty,
            "tol": tol,
        },
        sharpness=phi.sharpness if phi.rounded else math.inf,
        inputs=o.X,
        targets=o.cost.target,
        rho=rho,
        weights=point.parameters.w * effective_depth,
        read_in=point.read_in,
        read_out=point.read_out,
        A=point.A,
        B=point.B,
        action=point.action,
        cost=point.cost,
        objective=point.value,
        residual=point.residual,
        energies=raw,
        corrected_energies=corrected,
        iterations=found.iterations,
        products=found.products,
    )


def _unfinished(point: Point, tol: float, phi: Nonlinearity) -> str:
    """What stands in the status of a network that is not trained to `tol`."""
    kinked = not phi.smooth
    cause = f"{phi.phi.name} has kinks that are not rounded" if kinked else "more iterations are needed"
    change = "give a sharpness of 20 to 100" if kinked else "raise max_iterations, or continue from these weights"
    return f"The stationarity residual is {point.residual:.2g}, above tol = {tol:g}: {cause}; {change}."
