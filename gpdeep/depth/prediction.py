"""What a prediction of depth holds, and how it is shown: the finite-width law beside the infinite-width values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..finite import AngleLaw
from ..result import SCHEMA_VERSION, FloatArray, Result, render_table, shown_layers


@dataclass(frozen=True)
class InitialAngle:
    """The angles between random pairs of a data set, in radians."""

    mean: float
    median: float
    std: float
    pairs: int


@dataclass(frozen=True)
class InfiniteWidth:
    """The same network at infinite width after layers 1..L: means over the initial angles above 0."""

    angle: FloatArray
    log_sin2: FloatArray


@dataclass(frozen=True)
class DegeneracyDepth:
    """The largest depth at which the inputs are still told apart.

    `finite`, `infinite`: L* (0: at no depth; None: the method does not give the probability). `reached`: whether it
    lies inside the network; False means that the inputs are still told apart after its last hidden layer.
    """

    finite: int | None
    infinite: int
    reached: bool | None
    threshold: float
    confidence: float


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthPrediction(Result):
    """What `predict_depth` answers.

    Attributes
    ----------
    architecture : str
    options : dict
        Every option with the value that was used.
    law : AngleLaw
        The law of ln sin²θ_l at finite width, layer by layer.
    infinite : InfiniteWidth
    degeneracy_depth : DegeneracyDepth
    effective_depth : float
        t = Σ 1/n_l.
    initial_angle : float or InitialAngle
    width : int or None
        The width that was found, where the architecture had an unknown one.
    """

    architecture: str
    options: dict[str, Any]
    law: AngleLaw
    infinite: InfiniteWidth
    degeneracy_depth: DegeneracyDepth
    effective_depth: float
    initial_angle: float | InitialAngle
    width: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep depth --json`` prints."""
        plain, law = super().to_dict(), self.law.to_dict()
        finite = {"method": law["method"]}
        for name in ("mean", "std", "median"):
            finite[f"log_sin2_{name}"] = law[name]
        for name in ("survival", "log_length2_mean", "log_length2_std", "dead", "collapsed", "orthogonal"):
            finite[name] = law[name]
        finite["probability_above"] = law["above"]
        error = law["error"]
        finite["error"] = {
            "kind": error["kind"],
            "log_sin2_mean": error["mean"],
            "log_sin2_std": error["std"],
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "depth",
            "inputs": {"architecture": plain["architecture"], **plain["options"]},
            "status": plain["status"],
            "finite": finite,
            "infinite": plain["infinite"],
            "degeneracy_depth": plain["degeneracy_depth"],
            "effective_depth": plain["effective_depth"],
            "initial_angle": plain["initial_angle"],
            "width": plain["width"],
        }

    def __str__(self) -> str:
        """The table that ``gpdeep depth`` prints."""
        law, depth = self.law, self.degeneracy_depth
        rows = [
            [
                str(layer),
                f"{law.mean[layer - 1]:.3f}",
                f"{law.std[layer - 1]:.3f}",
                f"{law.median[layer - 1]:.3f}",
                f"{self.infinite.log_sin2[layer - 1]:.3f}",
                f"{law.survival[layer - 1]:.4f}",
                f"{law.above[layer - 1]:.4f}",
            ]
            for layer in shown_layers(len(law.mean))
        ]
        angle = self.initial_angle
        start = (
            f"median of {angle.pairs} pairs {angle.median:.4f}" if isinstance(angle, InitialAngle) else f"{angle:.5g}"
        )
        if depth.finite is None:
            found = "not given by this method"
        elif depth.reached:
            found = f"{depth.finite} of {len(law.mean)} layers"
        else:
            found = f"still told apart after all {len(law.mean)} layers"
        notes = [
            *([f"width found: {self.width}"] if self.width is not None else []),
            f"degeneracy depth (ln sin² ≥ {depth.threshold:g} with probability {depth.confidence:g}): {found}; "
            f"infinite width: {depth.infinite}" + ("+" if depth.infinite == len(law.mean) else ""),
            f"effective depth Σ1/n = {self.effective_depth:.4g}; ln length² = {law.log_length2_mean[-1]:.3f} ± "
            f"{law.log_length2_std[-1]:.3f}; initial angle {start} rad",
            f"method {law.method}; {law.error}",
            *(f"note: {message}" for message in self.status.messages),
        ]
        columns = ["layer", "mean ln sin²θ", "std", "median", "infinite width", "survival", f"P(≥ {depth.threshold:g})"]
        return render_table(f"{self.architecture}  {self.options['activation']}", columns, rows, notes)
