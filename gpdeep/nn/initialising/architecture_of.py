r"""The architecture that a torch module is: widths, activation and the variances its weights were drawn with.

    σ_w,l² = n_{l-1} · mean(W_l,ij²),   σ_b,l² = mean(b_l,i²),   l = 1..L over the hidden layers,

about zero, n_{l-1} the fan-in. For N = n_l n_{l-1} Gaussian entries σ_w,l has the relative standard error
1/√(2N).
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...architecture import Architecture, Block, Weights
from ...errors import ValidityWarning
from ..reading.weights import Distribution, LayerWeights, describe
from .chain import read_chain

_AGREEMENT = 5.0  # standard errors

_IID = (
    "Predictions at infinite width hold: they need the variance alone. The finite-width law (grid, chain) is "
    "that of Gaussian weights: its variance is right to leading order in 1/n, its mean to O(κ/n) a layer."
)
_MEANING: dict[Distribution, str] = {
    "uniform": f"{_IID} torch.nn.init.kaiming_normal_ gives weights for which the law is exact.",
    "truncated": f"{_IID} torch.nn.init.kaiming_normal_ gives weights for which the law is exact.",
    "orthogonal": (
        "Predictions at infinite width hold for Haar orthogonal weights. The finite-width law (grid, chain) "
        "does not: fluctuations differ at leading order in 1/n. It is exact where all hidden layers are orthogonal, "
        "or none, as torch.nn.init.kaiming_normal_ makes them."
    ),
    "other": (
        "The entries are dependent, have a mean that is not zero, or come from a law with other tails "
        "(trained weights are like that). The predictions are those of a freshly drawn Gaussian network with "
        "the same variances; here they hold at infinite width for independent entries of mean zero."
    ),
}


def architecture_of(module: Any) -> Architecture:
    r"""The architecture of a torch module: widths, φ, σ_w and σ_b.

    The module is a chain of `torch.nn.Linear` with one activation φ of the catalogue between them, in whatever
    way it is written: nested `Sequential`, or a forward that `torch.fx` can trace. Besides, these are read
    as what they are, identities: `nn.Flatten()`, ``flatten(x, 1)``, a view to (batch, features),
    `nn.Identity`, and `nn.Dropout` in eval mode.

    Assumptions
    -----------
    The input has the shape (batch, features) where the first linear layer takes it.
    Weights are independent N(0, σ_w²/fan-in), biases N(0, σ_b²), as drawn at initialisation: see Notes for
    other laws. Forward hooks are not seen.

    Parameters
    ----------
    module : torch.nn.Module
        On any device, in any real floating-point type (statistics are computed in float64 on the CPU). It
        is not changed, nor is its mode or the global random state; its forward runs once with symbols, and buffers
        and attributes that it sets are restored (not lists of its own to which it appends).

    Returns
    -------
    Architecture
        With `phi` of the catalogue (`gpdeep.activation`); `sigma_w` and `sigma_b` of the hidden layers, each one pooled
        number where all layers agree with it within 5 standard errors, else a tuple with a number for each.
        The weights of the output layer do not enter.

    Raises
    ------
    DomainError
        The module is no such chain, or its weights are no real finite numbers. The message names the layer or
        function and says why: batch and layer norm, convolutions, residual additions, softmax, a layer used
        twice, two different activations, none between two linear layers, one after the last, no hidden
        layer, active dropout, uninitialised or quantised weights, ...

    Warns
    -----
    ValidityWarning
        The weights of a hidden layer are clearly not independent Gaussian (tests of level 1e-9, see
        `gpdeep.nn.reading.weights`; no false alarm in 2·10⁶ simulated layers from 1x1 to 32x32); once for each law
        found, naming the layers and what remains valid. PyTorch's default warns from about 250 weights in a
        layer.

    Notes
    -----
    *What the law of the weights changes.* At infinite width only the variance matters, for independent
    entries of mean zero with finite moments. The finite-width law is derived for Gaussian entries, where
    h^{l+1} given h^l is exactly Gaussian. For other independent entries with excess kurtosis κ the
    pre-activation of x has the fourth cumulant κ σ_w⁴ Σ_j x_j⁴/n², which is O(κ/n) for a typical x. The 1/n
    variance of ln sin²θ in a layer changes by a relative O(κ/n) only, but its mean by O(κ/n) too, like the
    finite-width drift itself; through L layers that adds up to O(κ L/n). In the first layer x is an input,
    and a few large features make Σ_j x_j⁴/(Σ_j x_j²)² much larger than 1/n.

    * PyTorch's default, kaiming_uniform(a = √5): W uniform with variance 1/(3 fan-in), so σ_w² = 1/3 (ReLU
      keeps its variance at σ_w² = 2: the weights lose a factor 6 a layer); b uniform in ±1/√fan-in, so
      σ_b² = 1/(3 fan-in).
    * Uniform weights: κ = -1.2.
    * Normal truncated at ±2 standard deviations: variance 0.774 of the nominal one and κ = -0.63. Keras'
      HeNormal divides the standard deviation by √0.774 = 0.880, so σ_w² = 2; where that is not done, σ_w² is
      0.774 of what was meant, and is read off here as it is. (`torch.nn.init.trunc_normal_` truncates at
      ±2 absolutely, which at the usual 0.02 truncates nothing: those are Gaussian.)
    * Orthogonal weights are dependent, and a layer fluctuates differently at leading order: a ReLU layer
      with square W changes the squared length by a factor of variance 3/n in place of 5/n. Where all hidden
      layers are orthogonal (and at least as wide as there are inputs), they are taken as Haar, as
      `torch.nn.init.orthogonal_` draws them, and the exact chain is that of orthogonal weights; where only
      some are, the finite-width law does not hold.

    *One number or many.* σ_w,l differs from the pooled σ_w by a standard error of σ_w √((1/N_l - 1/ΣN)/2).
    A bias of exactly zero in one layer and not in another never counts as agreement.

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    2010.

    He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015.

    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", ICLR 2014.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> widths = [(784, 128), (128, 128), (128, 10)]
    >>> layers = [layer for n, m in widths for layer in (nn.Linear(n, m), nn.ReLU())]
    >>> net = nn.Sequential(*layers[:-1])
    >>> for layer in net[::2]:
    ...     _ = nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    ...     _ = nn.init.zeros_(layer.bias)
    >>> architecture = architecture_of(net)
    >>> str(architecture), architecture.phi.name, architecture.sigma_b
    ('784,128x2,10', 'relu', 0.0)

    He's σ_w² = 2, up to a sampling error of √2/√(128·784 + 128·128) = 0.4 %:

    >>> bool(abs(architecture.sigma_w**2 - 2) < 5 * 2 * 0.0042)
    True
    """
    chain = read_chain(module)
    (_, first), (last_name, last) = chain.linears[0], chain.linears[-1]
    hidden = [describe(name, linear) for name, linear in chain.linears[:-1]]
    describe(last_name, last)  # refuses weights that are no numbers
    orthogonal = all(layer.distribution == "orthogonal" for layer in hidden)
    if not orthogonal:
        _warn(hidden)
    return Architecture(
        inputs=first.in_features,
        blocks=tuple(
            Block(width, len(list(group))) for width, group in itertools.groupby(layer.shape[0] for layer in hidden)
        ),
        outputs=last.out_features,
        phi=chain.phi,
        sigma_w=_common([layer.sigma_w for layer in hidden], [math.prod(layer.shape) for layer in hidden]),
        sigma_b=_common([layer.sigma_b for layer in hidden], [layer.shape[0] for layer in hidden]),
        weights=Weights.ORTHOGONAL if orthogonal else Weights.GAUSSIAN,
    )


def _common(sigmas: Sequence[float], counts: Sequence[int]) -> float | tuple[float, ...]:
    """The root mean square over all layers (of `counts` entries) where each agrees with it, else all."""
    if not any(sigmas):
        return 0.0
    sigma, n = np.array(sigmas), np.array(counts, float)
    pooled = math.sqrt(float(n @ sigma**2 / n.sum()))
    # cov(σ_l, pooled) = var(pooled), so that their difference has 1/N_l - 1/ΣN; 4 eps is rounding.
    error = pooled * np.sqrt((1 / n - 1 / n.sum()).clip(0) / 2)
    agree = np.abs(sigma - pooled) <= _AGREEMENT * error + 4 * np.finfo(float).eps * pooled
    return pooled if agree.all() and all(sigmas) else tuple(sigmas)


def _warn(hidden: Iterable[LayerWeights]) -> None:
    """Say once for each law that is not Gaussian which layers have it and what remains valid."""
    found: dict[Distribution, list[LayerWeights]] = {}
    for layer in hidden:
        found.setdefault(layer.distribution, []).append(layer)
    for distribution, layers in found.items():
        if distribution == "gaussian":
            continue
        names = ", ".join(f"'{layer.name}'" for layer in layers[:3])
        more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
        law = "neither Gaussian nor otherwise known" if distribution == "other" else distribution
        warnings.warn(
            f"The weights of {'layers' if len(layers) > 1 else 'layer'} {names}{more} are {law} "
            f"(in the first, excess kurtosis {layers[0].excess_kurtosis:.2f}, orthogonality defect "
            f"{layers[0].orthogonality_defect:.2f}; Gaussian: 0 and 1). {_MEANING[distribution]}",
            ValidityWarning,
            stacklevel=3,
        )
