"""What the prediction of angles through a chain of partly linear layers answers, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..finite import LawError
from ..result import FloatArray, IntArray, Result, render_table, shown_layers
from .chain_profile import ChainProfile


@dataclass(frozen=True, kw_only=True, eq=False)
class AnglePrediction(Result):
    """Angles between two inputs through a chain, at infinite width and, if widths were given, at finite width.

    Attributes
    ----------
    profile : ChainProfile
    theta0 : float
        Angle between the inputs, radians.
    nonlinearity : ndarray, shape (L,)
        g_l.
    degeneracy_depth, average_path_length : float
        G = Σ g_l and Σ p_l.
    angle, log_sin2 : ndarray, shape (L,)
        θ_l and ln sin²θ_l at infinite width.
    widths : ndarray of int, shape (L,), or None
        The widths; with None the rest is None as well.
    method : str or None
        "grid" or "chain".
    mean, std : ndarray, shape (L,), or None
        Of ln sin²θ_l over random networks, given that both inputs are alive and apart.
    survival : ndarray, shape (L,), or None
        The probability of that. The grid has 1: it is asked for widths at which the rest is below 2^-22 a layer.
    error : LawError or None
        Of mean and std at the last layer: an estimate (grid) or a standard error (chain).
    """

    profile: ChainProfile
    theta0: float
    nonlinearity: FloatArray
    degeneracy_depth: float
    average_path_length: float
    angle: FloatArray
    log_sin2: FloatArray
    widths: IntArray | None = None
    method: str | None = None
    mean: FloatArray | None = None
    std: FloatArray | None = None
    survival: FloatArray | None = None
    error: LawError | None = None

    @property
    def typical_angle(self) -> FloatArray:
        """The angle whose ln sin² is the mean, shape (L,): arcsin e^{mean/2}, at infinite width θ_l itself."""
        return self.angle if self.mean is None else np.arcsin(np.exp(np.minimum(self.mean, 0.0) / 2))

    def __str__(self) -> str:
        """The angles layer by layer, as a table."""
        columns, numbers = ["layer", "g", "angle", "ln sin²θ"], [self.nonlinearity, self.angle, self.log_sin2]
        notes = [f"degeneracy depth G = {self.degeneracy_depth:.4g}, path length {self.average_path_length:.4g}"]
        if self.mean is not None and self.std is not None:
            columns, numbers = [*columns, "mean ln sin²θ", "std"], [*numbers, self.mean, self.std]
            notes.append(f"method {self.method}: {self.error}")
        rows = [
            [str(layer), *(f"{column[layer - 1]:.4f}" for column in numbers)] for layer in shown_layers(len(self.angle))
        ]
        return render_table("Chain of partly linear layers", columns, rows, notes)
