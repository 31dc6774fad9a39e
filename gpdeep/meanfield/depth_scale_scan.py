r"""Depth scales on a line through the plane of (σ_w, σ_b): σ_w varies, σ_b stays.

    ξ_q = -1/ln|V'(q*)|,   ξ_c = -1/ln χ_{c*},   ξ_grad = 1/|ln χ₁|

ξ_c and ξ_grad diverge together on the edge of chaos, where signals and gradients reach furthest; ξ_q does not.

Schoenholz et al. (2017), fig. 2 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Activation
from ..errors import InfeasibleError
from ..result import FloatArray, Result, render_table
from .edge import edge_of_chaos
from .phases import increasing, thinned
from .scales import DepthScales, Phase, depth_scales
from .variance import variance_map

_ROWS_SHOWN = 21


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthScaleScan(Result):
    """What `scan_depth_scales` answers; arrays of shape (M,), one entry a σ_w.

    Attributes
    ----------
    options : dict
        The activation, σ_b and every other parameter.
    sigma_w, q_star, chi_1, one_minus_c_star, xi_q, xi_c, xi_grad
        As in `DepthScales`.
    phase : tuple of Phase
    edges : tuple of float
        The σ_w on the edge of chaos with this σ_b, if any.
    """

    options: dict[str, Any]
    sigma_w: FloatArray
    q_star: FloatArray
    chi_1: FloatArray
    one_minus_c_star: FloatArray
    xi_q: FloatArray
    xi_c: FloatArray
    xi_grad: FloatArray
    phase: tuple[Phase, ...]
    edges: tuple[float, ...]

    def __str__(self) -> str:
        """Some of the σ_w as a table, and the edges."""
        columns = {"σ_w": self.sigma_w, "q*": self.q_star, "χ₁": self.chi_1, "1 - c*": self.one_minus_c_star}
        columns |= {"ξ_q": self.xi_q, "ξ_c": self.xi_c, "ξ_grad": self.xi_grad}
        rows = [
            [*(f"{column[k]:.6g}" for column in columns.values()), str(self.phase[k])]
            for k in thinned(np.arange(len(self.sigma_w)), _ROWS_SHOWN)
        ]
        title = f"{self.options['activation']}  σ_b = {self.options['sigma_b']:.9g}"
        edges = ", ".join(f"{edge:.9g}" for edge in self.edges) or "none"
        notes = [f"{len(self.sigma_w)} values of σ_w; edge of chaos with this σ_b: σ_w = {edges}"]
        return render_table(title, [*columns, "phase"], rows, notes)


def scan_depth_scales(
    phi: str | Activation,
    *,
    sigma_b: float = 0.0,
    sigma_w: Any = None,
    q: float = 1.0,
    alpha: float = 0.0,
    beta: float = 1.0,
    layer_norm: bool = False,
) -> DepthScaleScan:
    r"""Depth scales against σ_w at fixed σ_b, across the edge of chaos: ξ_q, ξ_c, ξ_grad.

        ξ_q = -1/ln|V'(q*)|,   ξ_c = -1/ln χ_{c*},   ξ_grad = 1/|ln χ₁|

    Parameters
    ----------
    phi, sigma_b, q, alpha, beta, layer_norm
        As `depth_scales`.
    sigma_w : array_like, optional
        Increasing standard deviations of the weights; default 93 from half to twice that of the (first) edge of chaos,
        closer together near it.

    Returns
    -------
    DepthScaleScan

    Raises
    ------
    DomainError
        A parameter is out of range.
    InfeasibleError
        `sigma_w` is not given and there is no edge of chaos with this σ_b.

    Notes
    -----
    As many calls of `depth_scales` as there are σ_w.

    References
    ----------
    Schoenholz et al. 2017, arXiv 1611.01232, fig. 2 and 3.

    Examples
    --------
    >>> scan = scan_depth_scales("tanh", sigma_b=0.05**0.5, sigma_w=[1.0, 3**0.5])
    >>> [str(phase) for phase in scan.phase], [round(float(xi), 3) for xi in scan.xi_c]
    (['ordered', 'chaotic'], [3.627, 9.051])
    """
    layer = variance_map(phi, sigma_w=1.0, sigma_b=sigma_b, alpha=alpha, beta=beta, layer_norm=layer_norm)
    wiring = {key: value for key, value in layer.options.items() if key not in ("activation", "sigma_w")}
    weights = None if sigma_w is None else increasing("sigma_w", sigma_w, least=1)
    try:
        edge = edge_of_chaos(layer.phi, **wiring)
        edges = tuple(sorted({edge.sigma_w, *(other.sigma_w for other in edge.other_solutions)}))
    except InfeasibleError:
        if weights is None:
            raise
        edges = ()
    if weights is None:
        weights = _about(edges[0])
    found = [depth_scales(layer.phi, sigma_w=float(w), q=q, **wiring) for w in weights]
    shared = {name: value for name, value in found[0].options.items() if name not in ("sigma_w", "factor")}
    return DepthScaleScan(
        options=shared,
        sigma_w=weights,
        q_star=_column(found, "q_star"),
        chi_1=_column(found, "chi_1"),
        one_minus_c_star=_column(found, "one_minus_c_star"),
        xi_q=_column(found, "xi_q"),
        xi_c=_column(found, "xi_c"),
        xi_grad=_column(found, "xi_grad"),
        phase=tuple(scales.phase for scales in found),
        edges=edges,
    )


def _about(sigma_w: float) -> FloatArray:
    """From half to twice `sigma_w`, closer together near it, and it itself."""
    steps = np.geomspace(1e-3, 1.0, 46)
    return np.concatenate([sigma_w * 2 ** -steps[::-1], [sigma_w], sigma_w * 2**steps])


def _column(found: Sequence[DepthScales], name: str) -> FloatArray:
    return np.array([getattr(scales, name) for scales in found])
