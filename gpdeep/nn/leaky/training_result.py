"""What training a leaky ResNet to a stationary point ended in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...result import FloatArray, IntArray, Result, render_table


@dataclass(frozen=True, kw_only=True, eq=False)
class LeakyTraining(Result):
    """What `train_leaky` answers; the trained weights are in the model.

    Attributes
    ----------
    objective : float
        C + λS, and (λ/2)(c_in|E|² + c_out|R|²) where maps are learned.
    cost : float
        C, averaged over samples.
    action : float
        S = (1/2L̃) Σ ρ_l |W_l|².
    residual : float
        Stationarity residual, the largest |W_l - L̃ B_l Sgᵀ|/|W_l|; learned maps count like layers.
    sharpness : float
        Residual and energies are those of the network with kinks rounded like this; infinite where it is as it is.
    energies, corrected_energies : ndarray, shape (L,)
        H_l in the time p, raw and without the first-order effect of the layers' step, as far as steps are equal: over
        adapted steps the raw ones may vary less.
    steps : ndarray, shape (L,)
        ρ_l at the end.
    phases : tuple of str
        What was run, in order: ``adam``, ``lbfgs``, ``newton``.
    iterations : ndarray of int64, shape (phases,)
        Of each.
    phase_objectives, phase_residuals : ndarray, shape (phases,)
        At the end of each.
    history : ndarray
        The objective: before every Adam step, before every tenth step of L-BFGS, and at the end of each phase.
    effective_depth, lam : float
        L̃ and λ.
    activation : str
        φ.
    """

    objective: float
    cost: float
    action: float
    residual: float
    sharpness: float
    energies: FloatArray
    corrected_energies: FloatArray
    steps: FloatArray
    phases: tuple[str, ...]
    iterations: IntArray
    phase_objectives: FloatArray
    phase_residuals: FloatArray
    history: FloatArray
    effective_depth: float
    lam: float
    activation: str

    @property
    def rank_like(self) -> float:
        """-2H/L̃, from the mean of the corrected energies over the way p."""
        return float(-2 * (self.steps @ self.corrected_energies) / self.effective_depth)

    @property
    def rank_like_std(self) -> float:
        """Standard deviation over the layers of what `rank_like` averages; 0 in a network of infinitely many layers."""
        return float(2 * np.std(self.corrected_energies) / self.effective_depth)

    def __str__(self) -> str:
        """A table of the phases, and what the network is at the end."""
        rows = [
            [name, str(count), f"{objective:.8g}", f"{residual:.2g}"]
            for name, count, objective, residual in zip(
                self.phases, self.iterations, self.phase_objectives, self.phase_residuals, strict=True
            )
        ]
        notes = [
            f"cost C = {self.cost:.6g}, action S = {self.action:.6g}, λ = {self.lam:.6g}",
            f"-2H/L̃ = {self.rank_like:.4g} ± {self.rank_like_std:.2g} over the layers (corrected energies)",
            *(f"note: {message}" for message in self.status.messages),
        ]
        title = f"{len(self.steps)} leaky layers of {self.activation}, L̃ = {self.effective_depth:g}"
        return render_table(title, ["phase", "iterations", "objective", "residual"], rows, notes)
