"""What `check` answers: predicted beside measured, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...finite.layer_statistics import STATISTICS
from ...result import SCHEMA_VERSION, FloatArray, Result, render_table, shown_layers

TITLES = {
    "log_sin2": "ln sin²θ",
    "variance": "variance",
    "sparsity": "zeros",
    "log_grad_norm2": "ln|grad|²",
}


@dataclass(frozen=True)
class LayerNumbers:
    """One number for each hidden layer, of each of four statistics.

    Attributes
    ----------
    log_sin2 : array (L,)
        Mean over pairs of inputs of ln sin² of the angle between post-activations, of networks in which no pair has
        died or collapsed.
    variance : array (L,)
        Mean over inputs of |h^l|²/n_l; of what normalisation is given, where there is one.
    sparsity : array (L,)
        Share of post-activations that are exactly 0.
    log_grad_norm2 : array (L,)
        ln |∂(v·y)/∂h^l|², v standard normal, at the first input.
    """

    log_sin2: FloatArray
    variance: FloatArray
    sparsity: FloatArray
    log_grad_norm2: FloatArray


@dataclass(frozen=True)
class PathLengths:
    """How nonlinear a network is along its paths, of which channels have become linear.

    Attributes
    ----------
    average_path_length, normalised_average_path_length : float or None
        Over all paths alike, and with every branch the same weight (`gpdeep.linearize.path_length`); None where the
        graph cannot be read.
    reason : str
        Why they are None; else empty.
    """

    average_path_length: float | None
    normalised_average_path_length: float | None
    reason: str

    def __str__(self) -> str:
        if self.average_path_length is None:
            return f"path length not known: {self.reason}"
        return (
            f"path length {self.average_path_length:.4g} over all paths, "
            f"{self.normalised_average_path_length:.4g} with every branch the same weight"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckReport(Result):
    """Whether a network's initialisation shows what theory predicts for it.

    Attributes
    ----------
    predicted, predicted_std : LayerNumbers
        Mean and standard deviation of one network, by the exact law at finite width.
    measured : LayerNumbers
        Means over seeds.
    z_scores : LayerNumbers
        Where the seeds stand among drawn networks, as normal deviates (`gpdeep.agreement.van_der_waerden`): what
        (measured - predicted) in standard errors would be if the law were normal; NaN where no seed has a value. Where
        all drawn networks have one value, the normal deviate of the chance that so many of the seeds have another.
    p_adjusted : LayerNumbers
        Two-sided p-values, Holm's for all layers and statistics together.
    agrees : bool
        None of them is below `alpha`.
    first_departure : int or None
        The first layer, from 1, with one that is.
    departing : tuple of str
        Statistics that depart there.
    alpha : float
    seeds : int
    path_length : PathLengths or None
        Of the first network; None where no channel of a `PartialReLU` or `torch.nn.PReLU` has the slope 1.
    options : mapping
        What was asked for.
    """

    predicted: LayerNumbers
    predicted_std: LayerNumbers
    measured: LayerNumbers
    z_scores: LayerNumbers
    p_adjusted: LayerNumbers
    agrees: bool
    first_departure: int | None
    departing: tuple[str, ...]
    alpha: float
    seeds: int
    path_length: PathLengths | None
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep check --json`` prints."""
        plain = super().to_dict()
        return {"schema_version": SCHEMA_VERSION, "command": "check", "inputs": plain.pop("options"), **plain}

    def __str__(self) -> str:
        columns = ["layer"]
        for name in STATISTICS:
            columns += [TITLES[name], "predicted", "z"]
        rows = []
        for layer in shown_layers(len(self.predicted.variance)):
            row = [str(layer)]
            for name in STATISTICS:
                measured, predicted, z = (
                    getattr(table, name)[layer - 1] for table in (self.measured, self.predicted, self.z_scores)
                )
                row += [f"{measured:.4g}", f"{predicted:.4g}", f"{z:+.1f}"]
            rows.append(row)
        if self.agrees:
            verdict = f"agrees with theory: no departure at the level {self.alpha:g} for all layers together"
        else:
            what = ", ".join(TITLES[name] for name in self.departing)
            verdict = f"departs from theory at layer {self.first_departure}: {what}"
        title = f"{self.options.get('network', 'network')}: {self.seeds} seeds beside theory"
        lengths = [] if self.path_length is None else [str(self.path_length)]
        return render_table(title, columns, rows, [verdict, *lengths, *self.status.messages])
