r"""The penalty that makes channels linear, and the rule by which they become exactly linear.

    R = ω Σ_i √u_i,     u = |1 - α|,     ∂R/∂α = -(ω/2) sign(1-α)/√u

The pull grows without bound at α = 1, so descent jumps across. A slope is therefore set to 1 for good where a step
with the penalty on leaves it closer than τ, or takes it across.
"""

from __future__ import annotations

import torch


def pull(slopes: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
    """∂R/∂α, for slopes that are not 1 and `omega` that broadcasts against them."""
    u = 1.0 - slopes
    return -0.5 * omega * u.sign() * u.abs().rsqrt()


def caught(before: torch.Tensor, after: torch.Tensor, tau: float) -> torch.Tensor:
    """Where a step from `before` to `after` ended within `tau` of 1 or crossed it."""
    u = 1.0 - after
    return (u.abs() < tau) | (u * (1.0 - before) < 0)
