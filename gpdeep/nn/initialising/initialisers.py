r"""One layer, initialised as theory has it:

    W_ij ~ N(0, σ_w²/fan-in),   b_i ~ N(0, σ_b²),   fan-in = (c_in/groups) · taps

or orthogonal weights of the same variance (`weight_draws`). With inputs of mean square x̄² the pre-activations then have
the variance σ_w² x̄² + σ_b², in a dense layer and at every position of a convolution that sees no padded zeros.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation
from ...errors import DomainError
from ...gaussian.arguments import shown
from ..arguments import require_sigma
from ..layers import fan_in, refuse_layer, require_layer
from ..weight_draws import WeightLaw, draw_weight, root_of, stream, weight_law

if TYPE_CHECKING:
    from ...sparse import Design

_REACH = 12.3  # numpy's ziggurat gives no |z| beyond r + √(2·53 ln 2), r = 3.654


@dataclass(frozen=True)
class LayerLaw:
    """What a layer's weights and biases are drawn from: σ_w, σ_b and the kind of weights."""

    sigma_w: float
    sigma_b: float
    weights: WeightLaw


def init_layer_(
    layer: nn.Module,
    design: Design | None = None,
    *,
    sigma_w: float | None = None,
    sigma_b: float | None = None,
    weights: str = "gaussian",
    name: str = "",
    rng: Any = 0,
) -> nn.Module:
    r"""Draw the weights and biases of one layer in place, with variances σ_w²/fan-in and σ_b².

    Assumptions
    -----------
    The layer computes W x + b with torch's own forward. Its inputs have the mean square for which σ_w and σ_b are made.

    Parameters
    ----------
    layer : Linear, Conv1d, Conv2d or Conv3d
        On any device, in any real floating-point type.
    design : Design, optional
        Gives σ_w and σ_b; or else
    sigma_w, sigma_b : float, optional
        both as numbers, 0 or more.
    weights : {'gaussian', 'orthogonal', 'delta_orthogonal'}
        `gpdeep.nn.weight_draws`; for Linear the last two are the same.
    name : str
        Together with `rng` the key of the random numbers.
    rng : int, SeedSequence or Generator
        A Generator advances; a seed does not: **layers of one shape, one seed and one name get the same weights**, so
        give each its name. `initialize` gives the qualified ones.

    Returns
    -------
    torch.nn.Module
        The layer itself.

    Raises
    ------
    DomainError
        The layer is of another kind (transposed, lazy, quantised, with weight or spectral norm, complex, sparse, on the
        meta device, with entries that share memory), has no bias though σ_b > 0, is of a type that such numbers
        overflow, or has an even kernel, which has no centre for delta-orthogonal weights; both or neither of `design`
        and the numbers were given. The layer is unchanged then.

    Notes
    -----
    Drawn in float64 and rounded to the layer's type: the same numbers in every type, on every device. `requires_grad`
    and the global random state stay as they are. Cost of orthogonal weights: a QR decomposition, O(c_out fan-in · the
    smaller of the two).

    References
    ----------
    Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington, "Dynamical isometry and a mean field theory of CNNs", ICML
    2018.

    Examples
    --------
    >>> layer = init_layer_(nn.Linear(400, 300), sigma_w=1.5, sigma_b=0.0, weights="orthogonal")
    >>> weight = layer.weight.detach()
    >>> bool(torch.allclose(weight @ weight.T, 2.25 * torch.eye(300), atol=1e-5))  # W Wᵀ = σ_w²
    True
    """
    if (design is None) == (sigma_w is None and sigma_b is None) or (sigma_w is None) != (sigma_b is None):
        raise DomainError(
            f"design is {shown(design, 80)}, sigma_w is {shown(sigma_w)}, sigma_b is {shown(sigma_b)}.",
            "The variances come either from a design or as two numbers.",
            "Give a design, or both sigma_w and sigma_b.",
        )
    if design is not None:
        require_design(design)
        sigma_w, sigma_b = design.sigma_w, design.sigma_b
    law = LayerLaw(require_sigma("sigma_w", sigma_w), require_sigma("sigma_b", sigma_b), weight_law(weights))
    if not isinstance(name, str):
        raise DomainError(
            f"name is {shown(name, 80)}.",
            "The random numbers are keyed by a text, such as a layer's qualified name.",
            "Give a str, such as name='body.0', or leave it out.",
        )
    require_drawable(f"the layer '{name}' ({type(layer).__name__})" if name else type(layer).__name__, layer, law)
    fill(layer, law, root_of(rng), name)
    return layer


def require_drawable(label: str, layer: Any, law: LayerLaw) -> None:
    """Refuse a layer whose weights cannot be drawn from `law`."""
    require_layer(label, layer)
    if layer.bias is None and law.sigma_b > 0:
        refuse_layer(
            label,
            f"has no bias, and its biases are to have the standard deviation {law.sigma_b:.6g}",
            f"Make it {type(layer).__name__}(..., bias=True).",
        )
    kernel, delta = layer.weight.shape[2:], law.weights is WeightLaw.DELTA_ORTHOGONAL
    if delta and any(k % 2 == 0 for k in kernel):
        refuse_layer(
            label,
            f"has the kernel {tuple(kernel)}, which has no centre for delta-orthogonal weights",
            "Use odd kernel sizes, or weights='orthogonal'.",
        )
    std = law.sigma_w / math.sqrt(layer.weight.shape[1] if delta else fan_in(layer))
    for what, tensor, sigma in (("weights", layer.weight, std), ("biases", layer.bias, law.sigma_b)):
        if tensor is not None and _REACH * sigma > torch.finfo(tensor.dtype).max:
            refuse_layer(
                label,
                f"holds numbers up to {torch.finfo(tensor.dtype).max:.3g} ({tensor.dtype}), and its {what} are to have "
                f"the standard deviation {sigma:.3g}",
                "Draw from a smaller sigma, or make the network of a wider type, such as model.float().",
            )


def fill(layer: Any, law: LayerLaw, root: np.random.SeedSequence, name: str) -> None:
    """Write weights and biases drawn from `law`, keyed by the layer's name."""
    draw = draw_weight(stream(root, f"{name}.weight"), layer.weight.shape, getattr(layer, "groups", 1), law.weights)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(law.sigma_w * draw))
        if layer.bias is not None:
            draw = stream(root, f"{name}.bias").standard_normal(tuple(layer.bias.shape))
            layer.bias.copy_(torch.from_numpy(law.sigma_b * draw))


def require_design(design: Any) -> None:
    """Refuse what lacks an activation, σ_w, σ_b or q*."""
    missing = [n for n in ("phi", "sigma_w", "sigma_b", "q_star", "input_second_moment") if not hasattr(design, n)]
    if missing or not isinstance(design.phi, Activation):
        raise DomainError(
            f"The design is {shown(design, 200)}" + (f", without {', '.join(missing)}." if missing else "."),
            "It is not what gpdeep.sparse.design returns.",
            "Give the result of gpdeep.sparse.design(...).",
        )
