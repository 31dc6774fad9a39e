r"""Gram matrices of k inputs after a random network with biases, any activation, residual or normalised layers.

Let Q^l be the Gram matrix of the post-activations divided by the width. Given it, the pre-activations of the next
layer are n iid rows N(0, K), K = σ_w² Q^l + σ_b² 11ᵀ, whatever the shape of the weights (Hanin & Nica 2018): a Markov
chain, which `gpdeep.finite.gram_chain` draws without forming K. (For angles below 1e-13, without bias, see
`gpdeep.finite.chain`.)

Assumptions: Gaussian or Haar orthogonal weights, Gaussian biases. Exact at every width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..activations import Activation, TwoSlope, activation
from ..errors import DomainError
from ..gaussian.arguments import shown, whole
from .backend import Backend, last, require_memory, to_numpy
from .chain import MEMORY_BUDGET
from .checks import LARGEST_INPUT, check_inputs, check_scale, check_sigmas, check_widths
from .gram_chain import carried_numbers, gram_layers, run_gram_chain
from .orthonormal import coordinates
from .wiring import Wiring, layer_wirings


def sample_gram(
    inputs: Any,
    widths: Any,
    *,
    phi: str | Activation | Callable[[Any], Any] = "relu",
    sigma_w: Any = None,
    sigma_b: Any = 0.0,
    wiring: Wiring | Sequence[Wiring] | None = None,
    n_samples: int = 1000,
    rng: Any = 0,
    memory_budget: float = MEMORY_BUDGET,
) -> Any:
    r"""Draw the Gram matrix φ(h^L)ᵀφ(h^L)/n_L of k inputs after the last hidden layer from its exact law.

    Parameters
    ----------
    inputs : array_like, shape (k, d)
        The inputs x; the first layer sees K¹ = σ_w² XXᵀ/d + σ_b².
    widths : sequence of int, shape (L,)
        Hidden widths, from 1 to 10^6.
    phi : str, Activation or callable
        The activation: a name, or a function of an array that acts on each element (and takes tensors if `inputs` is
        one).
    sigma_w, sigma_b : float or sequence of float, shape (L,)
        Standard deviations of weights (times √fan-in) and biases; σ_w defaults to the value that keeps the variance,
        where there is one for all inputs (plain layers of a homogeneous activation without bias).
    wiring : Wiring or sequence of Wiring, shape (L,), optional
        Residual layers h ← α h + β(W φ(h) + b), layer normalisation before φ, orthogonal weights; plain Gaussian
        layers by default. The first layer, and layers whose width differs from the one before, are never residual.
        See `gpdeep.finite.wiring` for what exactly is meant.
    n_samples, rng, memory_budget
        Number of networks N, seed, bytes.

    Returns
    -------
    array, shape (N, k, k)
        numpy, or torch on the device of `inputs`.

    Raises
    ------
    DomainError
        An argument is out of range; σ_w is missing for an activation that has no default; orthogonal weights act on
        more inputs than they have columns; or lengths leave float64 on the way.
    MemoryBudgetError
        The samples do not fit the budget: 2 N k² numbers, with residual layers N k n more.

    Notes
    -----
    Cost: k n_l normal numbers a sample and layer, and k² n_l operations; with orthogonal weights k max(n_l, n_{l-1}).

    References
    ----------
    Hanin & Nica (2018), arXiv 1812.05994, for Gaussian weights; Mezzadri (2007), Notices AMS 54, for Haar matrices.

    Examples
    --------
    The mean square activation of a He network keeps its mean, and has second moment 1 + 5/n after one layer:

    >>> import numpy as np
    >>> gram = sample_gram(np.ones((1, 3)), [50], n_samples=40_000, rng=0)[:, 0, 0]
    >>> bool(abs(gram.mean() - 1) < 4 * gram.std() / 200), bool(abs((gram**2).mean() - 1.1) < 0.02)
    (True, True)
    """
    layers = check_widths(widths)
    n_samples = whole("n_samples", n_samples, 1, 10**9)
    backend = Backend.of(inputs)
    x = check_inputs(to_numpy(inputs))
    if 0 in x.shape or not (np.abs(x) < LARGEST_INPUT).all():
        raise DomainError(
            f"inputs has shape {x.shape}" + (" and holds NaN or numbers beyond 1e100." if x.size else "."),
            "The Gram chain needs a matrix with one input a row.",
            "Give a finite matrix of shape (inputs, features).",
        )
    function = activation(phi) if isinstance(phi, str) else phi
    weights = check_sigmas("sigma_w", weight_sigma(function, sigma_w), len(layers), positive=True)
    biases = check_sigmas("sigma_b", sigma_b, len(layers))
    wirings = layer_wirings(wiring, layers)
    if isinstance(function, TwoSlope):
        check_scale(weights, biases, function.second_moment, wirings)
    k = len(x)
    steps = gram_layers(x.shape[1], layers, weights, biases, wirings, k)
    require_memory(
        n_samples * (2 * k * k + carried_numbers(steps, k)) + 4 * k * max(step.drawn for step in steps),
        memory_budget,
        f"{n_samples} Gram matrices",
    )
    start = backend.array(coordinates(Backend.of().xp, x[None]) / np.sqrt(x.shape[1]))
    start = backend.xp.ones((n_samples, 1, 1), dtype=backend.xp.float64, device=backend.device) * start
    c, _ = last(run_gram_chain(start, steps, function, rng, backend))
    return c @ backend.xp.matrix_transpose(c)


def weight_sigma(phi: Any, sigma_w: Any) -> Any:
    """`sigma_w`, or for None the value that keeps the variance with the activation `phi`.

    Raises
    ------
    DomainError
        It is None and there is no such value, or `phi` is no function.
    """
    if not callable(phi):
        raise DomainError(
            f"The activation is {shown(phi)}.",
            "Neither a name, an activation nor a function was given.",
            "Use a name such as 'relu', or a function of an array.",
        )
    if sigma_w is not None:
        return sigma_w
    found = getattr(phi, "default_sigma_w", None)  # a plain function has none
    if found is None:
        raise DomainError(
            "sigma_w is missing.",
            "Only for homogeneous activations (two slopes) is there one value that keeps the variance at every scale.",
            "Give sigma_w, the standard deviation of the weights times the square root of the fan-in; `gpdeep eoc` "
            "computes it on the edge of chaos.",
        )
    return found
