"""What is said of a design: a start that is not stable, a second stable variance, a near miss, likely escapes."""

from __future__ import annotations

import numpy as np

from ..meanfield.fixed_point import FixedPoint
from ..result import Status, StatusCode
from .design_result import Design


def status_of(found: Design, above: list[FixedPoint], p_fail: float) -> Status:
    """The status of a design, with the fixed points above its q* and the tolerated probability of escape."""
    status = Status()
    if found.basin[0] == found.basin[1]:
        text = f"q* itself is not stable: V'(q*) = {found.slope:.6g}"
        status &= Status(StatusCode.OUTSIDE_VALIDITY, (f"{text}. The variance leaves it at every width.",))
    second = next((point for point in above if point.stable), None)
    if above and not above[0].stable:
        text = f"V has an unstable fixed point at q = {above[0].q:.6g}"
        text += f" and a second stable one at {second.q:.6g}, where χ₁ = {second.chi_1:.4g}" if second else ""
        text += f": the slope {found.slope:.4g} is beyond the fold"
        text += f" (slopes up to {found.fold_slope:.4g} have none)" if found.fold_slope < 1 else ""
        status &= Status(StatusCode.OUTSIDE_VALIDITY, (f"{text}. A network that gets there has exploding gradients.",))
    elif (near := _lingering(found)) is not None:
        status &= Status(messages=(f"V comes within {near[1]:.2g} of the diagonal at q = {near[0]:.4g}: variances that "
                                   "get there linger",))  # fmt: skip
    if found.escape_probability is not None and found.escape_probability > p_fail:
        o = found.options
        status &= Status(
            StatusCode.OUTSIDE_VALIDITY,
            (
                f"at width {o['width']} the variance of {100 * found.escape_probability:.3g} % of networks passes "
                f"{found.escape_threshold:.4g} within {o['depth']} layers (tolerated: {100 * p_fail:g} %). Use a "
                "smaller slope or a larger width.",
            ),
        )
    return status


def _lingering(found: Design) -> tuple[float, float] | None:
    """Where q - V(q) has a minimum above q*, and its value there, if it is small."""
    q = found.q_star * np.geomspace(1.01, 30.0, 300)
    gap = q - np.asarray(found.layer(q))
    inner = [k for k in range(1, len(q) - 1) if gap[k - 1] > gap[k] < gap[k + 1]]
    return (float(q[inner[0]]), float(gap[inner[0]])) if inner else None
