"""What a probe of a module holds, and how it is shown: what was measured at each activation beside what theory says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...result import FloatArray, IntArray, Result, render_table, shown_layers


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeReport(Result):
    """What `probe` answers. Arrays have one entry for each activation, in order of execution.

    Attributes
    ----------
    names, kinds : tuple of str
        The modules, and their φ: "linear" where its slopes are one, the class where φ is unknown. A module that is used
        again is called ``name:2``.
    units : ndarray of int64
        Units n_l of one input; in a convolution channels times positions.
    inputs : int
        Number of inputs N.
    q : ndarray
        Mean square of the pre-activations, over inputs and units.
    q_low, q_median, q_high : ndarray
        The 5, 50 and 95 % quantiles over inputs of an input's mean square: after an escape the mean is one input's.
    sparsity, linear, clipped : ndarray
        Shares of units: exactly zero; φ' ≠ 0; φ' = 0 and not zero.
    log_grad_norm2 : ndarray
        Mean over inputs of ln |∂(v·y)/∂h^l|².
    predicted_q, predicted_sparsity, predicted_linear, predicted_clipped, predicted_log_grad_norm2 : ndarray
        At infinite width, from the first activation's q and the last one's gradient; NaN without σ_w.
    predicted_q_std, predicted_sparsity_std : ndarray
        Of one input, between dense networks of these widths with the same first q. NaN where it is not known, or more
        than 2 % of the networks have left the basin (`gpdeep.sparse.escape_probability`). A mean over inputs deviates
        as much, as far as inputs share it: they share the weights.
    sigma_w, sigma_b, q_star : float or None
        What the prediction is for.
    seed : int or None
        Of v; None where a stream was given.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    units: IntArray
    inputs: int
    q: FloatArray
    q_low: FloatArray
    q_median: FloatArray
    q_high: FloatArray
    sparsity: FloatArray
    linear: FloatArray
    clipped: FloatArray
    log_grad_norm2: FloatArray
    predicted_q: FloatArray
    predicted_sparsity: FloatArray
    predicted_linear: FloatArray
    predicted_clipped: FloatArray
    predicted_log_grad_norm2: FloatArray
    predicted_q_std: FloatArray
    predicted_sparsity_std: FloatArray
    sigma_w: float | None
    sigma_b: float | None
    q_star: float | None
    seed: int | None

    def __str__(self) -> str:
        """A table of the layers: measured, and predicted where there is a prediction."""
        predicted = self.sigma_w is not None
        common = len(set(self.kinds)) == 1  # then said once, above
        columns = ["layer", "name", *([] if common else ["φ"]), "q", "5 %", "median", "95 %"]
        columns += ["zero", "linear", "clipped", "ln|g|²"]
        columns += ["q pred.", "zero pred.", "linear pred.", "ln|g|² pred."] if predicted else []
        rows = [self._row(layer - 1, common, predicted) for layer in shown_layers(len(self.names))]
        notes = []
        if predicted:
            aim = "" if self.q_star is None else f", q* = {self.q_star:.4g}"
            notes.append(
                f"predicted for σ_w = {self.sigma_w:.6g}, σ_b = {self.sigma_b:.6g}{aim}, from the measured first q"
            )
            notes.append("and last ln|g|²; ±: between networks, for one input; 5 %, median, 95 %: over inputs")
        notes += [f"note: {message}" for message in self.status.messages]
        what = f"{len(self.names)} activation{'' if len(self.names) == 1 else 's'}"
        what += f" {self.kinds[0]}" if common else ""
        title = f"{what}, {self.inputs} input{'' if self.inputs == 1 else 's'}"
        return render_table(title, columns, rows, notes)

    def _row(self, k: int, common: bool, predicted: bool) -> list[str]:
        row = [str(k + 1), self.names[k], *([] if common else [self.kinds[k]])]
        row += [f"{x[k]:.4g}" for x in (self.q, self.q_low, self.q_median, self.q_high)]
        row += [_share(x[k]) for x in (self.sparsity, self.linear, self.clipped)]
        row += [f"{self.log_grad_norm2[k]:.3f}"]
        if predicted:
            row += [
                f"{self.predicted_q[k]:.4g}" + _spread(self.predicted_q_std[k], ".2g"),
                _share(self.predicted_sparsity[k]) + _spread(self.predicted_sparsity_std[k], ".4f"),
                _share(self.predicted_linear[k]),
                f"{self.predicted_log_grad_norm2[k]:.3f}",
            ]
        return row


def _share(value: float) -> str:
    return f"{value:.4f}"


def _spread(std: float, form: str) -> str:
    return "" if math.isnan(std) or std == 0 else f" ± {std:{form}}"
