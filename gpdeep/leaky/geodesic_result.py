"""What `gpdeep.leaky.geodesic` answers: the path of least action, what it shows, and the other critical points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from ..activations.base import Activation
from ..errors import DomainError
from ..gaussian.arguments import as_floats, shown
from ..result import SCHEMA_VERSION, FloatArray, Result, render_table
from .bottleneck import Bottleneck
from .checks import check_geometry
from .geometry import Geometry
from .hermite import HermitePath
from .kink_arcs import SlidingArc
from .path_network import following_network, optimal_network

_ROWS = 11  # of the table


@dataclass(frozen=True, eq=False)
class CriticalPoint:
    """A stationary path that the search found.

    Attributes
    ----------
    action, hamiltonian, rank_like : float
        S, H (p-time) and -2H/L̃.
    kind : str
        minimum or saddle.
    objective : float
        What was minimised, S, or C + λS with a terminal cost.
    p : array (P,)
    A, B : arrays (P, w, N)
    """

    action: float
    hamiltonian: float
    rank_like: float
    kind: str
    objective: float
    p: FloatArray
    A: FloatArray
    B: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class GeodesicResult(Result):
    r"""The path from X to Y of least parameter norm, with an error and with everything else that was found.

    Attributes
    ----------
    options : dict
        What was asked for, every number resolved.
    effective_depth, bias, gamma : float
        L̃, β, γ.
    activation : str
    terminal_weight : float or None
        λ; None for a fixed end.
    p : array (P,)
        Nodes, 0 to 1.
    A, B : arrays (P, w, N)
        Representations and momenta at the nodes.
    action : float
        S = (1/2L̃)∫|W|² dp (with γ > 0 its private features included), without the terminal cost.
    objective : float
        S for a fixed end; C + λS with a terminal cost, penalties of learned maps included.
    action_error : float
        Estimated error of `action`: its difference to the next lower order on the same mesh.
    hamiltonian, hamiltonian_drift : float
        H in p-time, median over the nodes, and its largest less its smallest value.
    cost_of_identity, cost_of_identity_gamma : arrays (P,)
        COI_γ' at γ' = max(γ, 10⁻² of the largest eigenvalue of K).
    kinetic : array (P,)
        |dA/dp|²_{K_γ'}/(2L̃) at the same γ'.
    rank : array (P,)
        Nuclear stable rank |A|_*²/|A|_F².
    bottleneck : Bottleneck
    is_minimum : bool
        Whether the second variation is positive definite, on the last two schemes.
    critical_points : tuple of CriticalPoint
        All that were found, the lowest first; the first is this path.
    residual : float
        Largest violation of the polished equations.
    sliding : tuple of SlidingArc
        Entries that rest at kinks (piecewise activations only).
    read_in, read_out : arrays or None
        E and R, given or learned.
    """

    options: dict[str, Any]
    effective_depth: float
    activation: str
    bias: float
    gamma: float
    terminal_weight: float | None
    p: FloatArray
    A: FloatArray
    B: FloatArray
    action: float
    objective: float
    action_error: float
    hamiltonian: float
    hamiltonian_drift: float
    cost_of_identity: FloatArray
    cost_of_identity_gamma: FloatArray
    kinetic: FloatArray
    rank: FloatArray
    bottleneck: Bottleneck
    is_minimum: bool
    critical_points: tuple[CriticalPoint, ...]
    residual: float
    sliding: tuple[SlidingArc, ...]
    read_in: FloatArray | None
    read_out: FloatArray | None

    @property
    def geometry(self) -> Geometry:
        """Kernel, flow and energies of this path's activation, β and γ, in natural time.

        Raises
        ------
        DomainError
            The activation is not of the catalogue, and the result was loaded from a file: see `with_activation`.
        """
        return check_geometry(self.__dict__.get("_phi", self.activation), self.bias, self.gamma)

    def with_activation(self, phi: Activation) -> Self:
        """The same result with the activation object, which files do not hold: for functions of your own."""
        known = replace(self)
        object.__setattr__(known, "_phi", phi)
        return known

    @property
    def W(self) -> FloatArray:
        """W_p = L̃ B Sg(A)ᵀ at the nodes, (P, w, w + 1), without the last column if β = 0."""
        return self.effective_depth * self.geometry.weights(self.A, self.B)

    @property
    def rank_like(self) -> float:
        """-2H/L̃."""
        return -2 * self.hamiltonian / self.effective_depth

    @cached_property
    def _interpolated(self) -> HermitePath:
        return HermitePath.of(self.geometry, self.effective_depth * self.p, self.A, self.B)

    def at(self, p: Any) -> tuple[FloatArray, FloatArray]:
        """A and B at any p in [0, 1], by cubic interpolation with the flow's slopes; shapes (.., w, N).

        Raises
        ------
        DomainError
            p holds something else.
        """
        places = as_floats(p)
        if places is None or not ((places >= 0) & (places <= 1)).all():
            raise DomainError(
                f"p = {shown(p, 80)}.",
                "Places on a path run from 0 (input) to 1 (output).",
                "Give numbers in [0, 1].",
            )
        return self._interpolated.at(self.effective_depth * places)

    def network(self, depth: int | None = None, steps: Any = None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Steps ρ (L,), weights W (L, w, w + 1) and nodes A (L + 1, w, N) of a network of L layers along the path.

        W_l is the path's own weight in the middle of the layer, so that the network's output is the path's end up to
        O(1/L). `steps` None: equal shares of what changes along the path (`equidistribute`); "equal"; or ρ itself.

        Raises
        ------
        DomainError
            A step has ρ_l L̃ ≥ 1.
        """
        return following_network(
            self._interpolated, self.effective_depth, len(self.p) - 1 if depth is None else depth, steps
        )

    def optimal_network(self, depth: int, steps: Any = None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The same of the network of L layers whose parameter norm is least, near this path, among those from X to Y.

        This is what training with a small weight decay converges to. Its action lies below the path's by O(1/L).

        Raises
        ------
        DomainError
            A step has ρ_l L̃ ≥ 1, or the path has a terminal cost.
        ConvergenceError
            Newton's method finds no such network near the path.
        """
        return optimal_network(
            self.geometry, self._interpolated, self.effective_depth, depth, steps, self.terminal_weight
        )

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep geodesic --json`` prints; paths themselves are left to ``--out``."""
        plain = super().to_dict()
        for name in (
            "A",
            "B",
            "read_in",
            "read_out",
            "effective_depth",
            "activation",
            "bias",
            "gamma",
            "terminal_weight",
        ):
            plain.pop(name)
        for point in plain["critical_points"]:
            for name in ("p", "A", "B"):
                point.pop(name)
        inputs = plain.pop("options")
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "geodesic",
            "inputs": inputs,
            **plain,
            "rank_like": self.rank_like,
        }

    def __str__(self) -> str:
        w, N = self.A.shape[1:]
        chosen = np.unique(np.searchsorted(self.p, np.linspace(0, 1, _ROWS)).clip(0, len(self.p) - 1))
        rows = [
            [
                f"{self.p[k]:.3f}",
                f"{self.cost_of_identity[k]:.4g}",
                f"{self.kinetic[k]:.4g}",
                f"{self.rank[k]:.3f}",
                " ".join(f"{x:.3g}" for x in np.linalg.svd(self.W[k] / self.effective_depth, compute_uv=False)[:4]),
            ]
            for k in chosen
        ]
        title = (
            f"geodesic of {self.activation}: {w} neurons, {N} samples, L̃ = {self.effective_depth:g}, "
            f"bias {self.bias:g}, γ = {self.gamma:g}"
        )
        notes = [
            f"action S = {self.action:.10g} ± {self.action_error:.1g}"
            + (
                ""
                if self.terminal_weight is None
                else f"; C + λS = {self.objective:.10g}, λ = {self.terminal_weight:g}"
            )
            + f"; {'a minimum' if self.is_minimum else 'NOT shown to be a minimum'}",
            f"H = {self.hamiltonian:.10g}, constant to {self.hamiltonian_drift:.1g}; -2H/L̃ = {self.rank_like:.6g}",
            self.bottleneck.reason,
        ]
        if self.bottleneck.rank is not None:
            notes.append(f"bottleneck from p = {self.bottleneck.start:.3f} to {self.bottleneck.end:.3f}")
        if self.sliding:
            notes.append(f"{len(self.sliding)} stretches on which an entry rests at a kink")
        if len(self.critical_points) > 1:
            listed = [f"{c.action:.8g} ({c.kind}, -2H/L̃ = {c.rank_like:.4g})" for c in self.critical_points[1:9]]
            more = len(self.critical_points) - 1 - len(listed)
            notes.append("also stationary: S = " + ", ".join(listed) + (f" and {more} more" if more else ""))
        notes += [f"note: {message}" for message in self.status.messages]
        return (
            title + "\n" + render_table("", ["p", "COI", "kinetic", "rank of A", "singular values of W/L̃"], rows, notes)
        )
