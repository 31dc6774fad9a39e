r"""A whole network, initialised from a design: h = W φ(h) + b with the variance q* from the first layer to the last.

    hidden layers   W ~ N(0, σ_w²/fan-in),  b ~ N(0, σ_b²)
    first layer     the same for inputs of mean square (q* - σ_b²)/σ_w², or, for those of mean square E,
                    W ~ N(0, σ_w0²/fan-in) with σ_w0² E + σ_b² = q*
    output layer    W ~ N(0, σ_out²/fan-in),  b = 0

Price, Daultry Ball, Lam, Jones & Tanner 2024, arXiv:2402.16184; for convolutions Xiao et al. 2018, arXiv:1806.05393.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from ...errors import ValidityWarning
from ..arguments import LARGEST, number, require_sigma
from ..reading.weights import require_module
from ..weight_draws import WeightLaw, root_of, weight_law
from .initialisers import LayerLaw, fill, require_design, require_drawable
from .plan import Plan, read_plan

if TYPE_CHECKING:
    from ...sparse import Design, Instability

Model = TypeVar("Model", bound=nn.Module)


def initialize(
    model: Model,
    design: Design | Instability,
    *,
    weights: str = "gaussian",
    rng: Any = 0,
    input_second_moment: float | None = None,
    output_sigma_w: float = 1.0,
) -> Model:
    r"""Draw all weights of `model` in place, as `design` wants them.

    The model is a chain: Linear, Conv1d, Conv2d or Conv3d, each followed by the design's activation but for the last,
    the output layer. Flattening, views, permutations, `nn.Identity` and inactive dropout may stand anywhere, a softmax
    at the end. The order is that of execution (`torch.fx`), functions called in forward included.

    Assumptions
    -----------
    Inputs have the mean square that the design wants (`scale_inputs`), or the one that is given. Layers are wide.

    Parameters
    ----------
    model : torch.nn.Module
        On any device, in any real floating-point type, in either mode; also wrapped for compilation or in parallel,
        as what is inside. Its forward runs once with symbols; buffers and attributes that it sets are restored, lists
        of its own to which it appends are not.
    design : Design or Instability
        Result of `gpdeep.sparse.design` (or of `instability`, to see what happens without a clip): σ_w, σ_b, q*, and
        the activation, which the model's must equal (`module_of(design)` makes it).
    weights : {'gaussian', 'orthogonal', 'delta_orthogonal'}
        Of the hidden layers, the first included (`gpdeep.nn.weight_draws`); the output layer is Gaussian.
    rng : int, SeedSequence or Generator
        Key of the random numbers, together with each layer's qualified name: neither the order of layers, nor the
        type, nor the device changes them. A Generator advances by one number.
    input_second_moment : float, optional
        E, the mean square of the inputs (1 for normalised ones): the first layer's σ_w is multiplied by
        √(x̄²/E), x̄² = `design.input_second_moment`. Without it the first layer is like the others, and inputs are to
        have the mean square x̄².
    output_sigma_w : float
        σ_out ≥ 0. Theory leaves it free: no activation follows whose variance it would set. Logits have the variance
        σ_out² E φ²(√q* z).

    Returns
    -------
    torch.nn.Module
        `model` itself.

    Raises
    ------
    DomainError
        The model has something that theory does not cover: normalisation, residual additions and other branches,
        recurrence, attention, embeddings, transposed convolutions, max pooling between hidden layers, another
        activation, two weight layers without one between them, or none at all, a layer used twice or with shared
        weights or biases, a hidden layer without bias though σ_b > 0, weights that are no plain parameters or would
        overflow their type, layers in a plain list, or parameters that forward does not use. The message names it;
        **all weights are then as before, bit for bit**.

    Warns
    -----
    ValidityWarning
        Before a hidden layer's activation there is zero padding (unless the weights are delta-orthogonal and only the
        centre tap, never padded, counts), average pooling or active dropout; or the model could not be traced, and the
        order of registration was taken. The initialisation is done.

    Notes
    -----
    *Max pooling* is refused between hidden layers where average pooling is not: it raises the variance, by a factor of
    up to the number of positions and in no closed form, and it is above q* that sparse activations escape. Average
    pooling lowers it, and from below q* attracts. After the last activation either is as good as any.

    *Convolutions* have fan-in c_in/groups times taps. With independent weights every position has the dense
    variance map, so q* and χ₁ are the dense ones. Non-uniform patterns across positions decay faster, unless the
    weights are delta-orthogonal.

    References
    ----------
    Price, Daultry Ball, Lam, Jones & Tanner, "Deep neural network initialization with sparsity inducing activations",
    ICLR 2024, arXiv:2402.16184.

    Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington, "Dynamical isometry and a mean field theory of CNNs: how to
    train 10,000-layer vanilla convolutional neural networks", ICML 2018, arXiv:1806.05393.

    Examples
    --------
    >>> from gpdeep.nn import module_of
    >>> from gpdeep.sparse import design
    >>> crelu = design("crelu", 0.85, slope=0.7)
    >>> net = nn.Sequential(nn.Linear(784, 300), module_of(crelu), nn.Linear(300, 300), module_of(crelu),
    ...                     nn.Linear(300, 10))
    >>> net = initialize(net, crelu, input_second_moment=1.0)

    The first layer has σ_w0 = √(q* - σ_b²) = 0.64, the second σ_w = 2.71, the output layer 1, up to sampling:

    >>> [round(net[i].weight.std().item() * net[i].in_features ** 0.5, 2) for i in (0, 2, 4)]
    [0.64, 2.7, 0.98]
    """
    require_module(model)
    require_design(design)
    sigma_w, sigma_b = (require_sigma(f"design.{name}", getattr(design, name)) for name in ("sigma_w", "sigma_b"))
    law = LayerLaw(sigma_w, sigma_b, weight_law(weights))
    output = LayerLaw(require_sigma("output_sigma_w", output_sigma_w), 0.0, WeightLaw.GAUSSIAN)
    first = law
    if input_second_moment is not None:
        given = number("input_second_moment", input_second_moment, 0.0, LARGEST, "the mean square of the inputs")
        first = LayerLaw(law.sigma_w * math.sqrt(design.input_second_moment / given), law.sigma_b, law.weights)
    plan = read_plan(model, design.phi, law.weights)
    laws = [(first if i == 0 else law) if layer.hidden else output for i, layer in enumerate(plan.layers)]
    for planned, its_law in zip(plan.layers, laws, strict=True):
        require_drawable(planned.label, planned.layer, its_law)
    root = root_of(rng)
    _warn(plan)  # before anything is written: a warning may be an error
    for planned, its_law in zip(plan.layers, laws, strict=True):
        fill(planned.layer, its_law, root, planned.name)
    return model


def _warn(plan: Plan) -> None:
    """One warning for each statement, naming the first modules that it is about."""
    about: dict[str, list[str]] = {}
    for label, statement in plan.notes:
        about.setdefault(statement, []).append(label)
    for statement, labels in about.items():
        more = f" (and {len(labels) - 3} more)" if len(labels) > 3 else ""
        subject = ", ".join(labels[:3])
        warnings.warn(f"{subject[0].upper()}{subject[1:]}{more} {statement}", ValidityWarning, stacklevel=3)
