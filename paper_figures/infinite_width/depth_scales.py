r"""Depth scales at infinite width across the edge of chaos: lengths ξ_q, correlations ξ_c, gradients ξ_grad.

On the edge, correlations and gradients reach infinitely far while lengths settle within a few layers. In the ordered
phase correlations and gradients fade together (ξ_c = ξ_grad); in the chaotic phase gradients grow faster than
correlations settle. After Schoenholz et al. (2017, arXiv 1611.01232, fig. 2 and 3).
"""

from __future__ import annotations

import numpy as np

from gpdeep.errors import DomainError
from gpdeep.meanfield import scan_depth_scales
from gpdeep.plots import plot_depth_scales

from ..drawing import Drawing, Numbers, panels

TITLE = "depth scales of lengths, correlations and gradients against σ_w²"
SMALL = {"points": 3}

_NEAR = 9  # further points on either side of the edge


def draw(
    *,
    activation: str = "tanh",
    sigma_b2: float = 0.05,
    sigma_w2_min: float = 0.4,
    sigma_w2_max: float = 5.0,
    points: int = 45,
) -> Drawing:
    """At fixed σ_b², for `points` variances of weights between two ends, and more of them near the edge of chaos."""
    if not (0 < sigma_w2_min < sigma_w2_max and sigma_b2 >= 0 and points >= 2):
        raise DomainError(
            f"sigma_b2={sigma_b2:g}, sigma_w2_min={sigma_w2_min:g}, sigma_w2_max={sigma_w2_max:g}, points={points}.",
            "Variances of weights run from the least to the largest, in two points or more.",
            "Use numbers as in sigma_w2_min=0.4, sigma_w2_max=5.",
        )
    variances = np.linspace(sigma_w2_min, sigma_w2_max, points)
    edges = scan_depth_scales(activation, sigma_b=sigma_b2**0.5, sigma_w=[sigma_w2_min**0.5]).edges
    near = np.geomspace(1e-3, 0.1, _NEAR)
    about = [edge**2 * np.concatenate([1 - near, [1.0], 1 + near]) for edge in edges]
    variances = np.unique(np.concatenate([variances, *about]))
    variances = variances[(variances >= sigma_w2_min) & (variances <= sigma_w2_max)]
    scan = scan_depth_scales(activation, sigma_b=sigma_b2**0.5, sigma_w=np.sqrt(variances))
    (ax,) = panels(height=3.4)
    plot_depth_scales(scan, ax)
    ax.set_title(rf"{activation}, $\sigma_b^2 = {sigma_b2:g}$")
    ax.legend()  # in the size of all figures
    numbers = Numbers()
    numbers.add(
        sigma_w_squared=variances,
        phase=[str(phase) for phase in scan.phase],
        q_star=scan.q_star,
        chi_1=scan.chi_1,
        xi_q=scan.xi_q,
        xi_c=scan.xi_c,
        xi_grad=scan.xi_grad,
    )
    return Drawing(ax.figure, numbers)
