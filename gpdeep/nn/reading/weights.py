r"""From which law the weights of a linear layer seem to come.

    σ_w² = n_in · mean(W_ij²),   σ_b² = mean(b_i²),   κ = mean(W⁴)/mean(W²)² - 3,
    D² = ‖m S / tr S - I‖_F² / E‖·‖_F²,   S = W Wᵀ (or WᵀW, whichever is smaller, m rows),

all about zero, since theory's weights have mean zero. E‖·‖_F² = m(m-1)(m+2)/(mn + 2) is its exact value for
Gaussian entries (n the longer side; Wishart, with tr S independent of S/tr S), so D ≈ 1 for independent
entries of any law with a fourth moment, D = 0 for orthogonal rows, D ≫ 1 for correlated ones or for a mean
that is not zero.

A law is called Gaussian unless the entries contradict it; each of the four tests has the level 1e-9 a side:

* κ, by the statistic of Anscombe and Glynn (1983), beyond 6 standard deviations (for N entries about
  6√(24/N));
* max|W|: N Gaussian entries stay below r standard deviations with probability erf(r/√2)^N;
* D²: for Gaussian entries close to χ²_d/d with d = (m-1)(m+2)/2;
* the mean: √N mean(W)/rms(W) beyond 6.

Uniform entries are recognised from about 250 of them, entries truncated at two standard deviations from about
1,200, orthogonal matrices from 2x2. Smaller layers are called Gaussian because nothing says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import gammaincinv, log_ndtr
from torch import nn
from torch.nn.parameter import is_lazy

from ...errors import DomainError
from ...result import FloatArray

Distribution = Literal["gaussian", "uniform", "truncated", "orthogonal", "other"]

UNIFORM_KURTOSIS = -1.2
UNIFORM_EDGE = math.sqrt(3)  # max|W|/rms
# A standard normal truncated to |z| < 2, with density φ and mass P = 0.9545: E z² = 1 - 4φ(2)/P,
# E z⁴ = 3 E z² - 16φ(2)/P.
_RATIO = math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
TRUNCATED_VARIANCE = 1 - 4 * _RATIO
TRUNCATED_KURTOSIS = (3 * TRUNCATED_VARIANCE - 16 * _RATIO) / TRUNCATED_VARIANCE**2 - 3
TRUNCATED_EDGE = 2 / math.sqrt(TRUNCATED_VARIANCE)

_LEVEL = 1e-9  # of one side of one test: z = 6
_Z = 6.0
_EXACTLY_ORTHOGONAL = 0.05  # D of an orthogonal matrix stored in bfloat16 is below 0.01


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one linear layer, seen as a sample.

    Parameters
    ----------
    name : str
        Qualified name of the layer.
    shape : tuple of int
        (outputs, inputs).
    sigma_w : float
        √(inputs · mean W²), dimensionless; for Gaussian entries known to 1/√(2 · outputs · inputs),
        relatively.
    sigma_b : float
        √(mean b²); 0 without bias.
    distribution : {'gaussian', 'uniform', 'truncated', 'orthogonal', 'other'}
        The law that the entries look like; 'gaussian' where nothing contradicts it.
    excess_kurtosis : float
        κ = mean W⁴ / (mean W²)² - 3: 0 for Gaussian, -1.2 for uniform entries.
    orthogonality_defect : float
        D: 0 for orthogonal rows (or columns), about 1 for independent entries; NaN for a single row or
        column.
    """

    name: str
    shape: tuple[int, int]
    sigma_w: float
    sigma_b: float
    distribution: Distribution
    excess_kurtosis: float
    orthogonality_defect: float


def weight_report(module: Any) -> tuple[LayerWeights, ...]:
    """What the weights of each `torch.nn.Linear` in `module` look like, in the order of registration.

    The module may be of any kind; it is not traced, not run and not changed.

    Parameters
    ----------
    module : torch.nn.Module
        On any device, in any real floating-point type; computed in float64 on the CPU.

    Returns
    -------
    tuple of LayerWeights
        One for each linear layer; layers that are shared appear once.

    Raises
    ------
    DomainError
        `module` is no torch module, or a layer has weights that are uninitialised, on the meta device, zero,
        not finite, complex, quantised, or computed from other tensors.

    Notes
    -----
    Cost: one float64 copy of a layer at a time, and O(m² n) for its orthogonality defect (m the shorter
    side).

    References
    ----------
    Anscombe & Glynn, "Distribution of the kurtosis statistic b2 for normal samples",
    Biometrika 70 (1983) 227.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(64, 64)
    >>> _ = torch.nn.init.orthogonal_(layer.weight)
    >>> report, = weight_report(torch.nn.Sequential(layer))
    >>> report.name, report.shape, report.distribution, round(report.sigma_w, 6)
    ('0', (64, 64), 'orthogonal', 1.0)
    """
    require_module(module)
    return tuple(
        describe(name or "(the module itself)", layer)
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
    )


def require_module(module: Any) -> None:
    """Refuse what is not a torch module."""
    if not isinstance(module, nn.Module):
        raise DomainError(
            f"A {type(module).__name__} was given where a torch.nn.Module is needed.",
            "A class, a state dictionary or a function was passed in place of the network.",
            "Give an instance, such as torch.nn.Sequential(...).",
        )


def describe(name: str, linear: nn.Linear) -> LayerWeights:
    """The weights of `linear`, which messages call `name`."""
    weight = entries(name, "weight", linear)
    bias = None if "bias" in linear._parameters and linear.bias is None else entries(name, "bias", linear)
    # A power of two taken out exactly: the fourth power of tiny weights would underflow.
    scale = 2.0 ** math.frexp(float(np.abs(weight).max(initial=0.0)))[1]
    unit = weight / scale
    second = float(np.mean(unit**2)) if unit.size else 0.0
    if second == 0:
        refuse_tensor(name, "weight", f"has shape {weight.shape} and no entry other than zero")
    kurtosis = float(np.mean(unit**4)) / second**2 - 3
    unit /= math.sqrt(second)
    defect = _orthogonality_defect(unit)
    return LayerWeights(
        name=name,
        shape=(weight.shape[0], weight.shape[1]),
        sigma_w=scale * math.sqrt(second * weight.shape[1]),
        sigma_b=0.0 if bias is None else float(np.linalg.norm(bias)) / math.sqrt(bias.size),
        distribution=_guess(unit, kurtosis, defect),
        excess_kurtosis=kurtosis,
        orthogonality_defect=defect,
    )


def entries(name: str, what: str, layer: nn.Module) -> FloatArray:
    """The finite numbers in the parameter `what` of `layer`, in float64 on the CPU."""
    # Not getattr: a parametrisation computes there, and spectral norm changes its state as it does.
    tensor = layer._parameters.get(what)
    if tensor is None:
        refuse_tensor(
            name,
            what,
            "is not a parameter but is computed from other tensors",
            "Undo the weight or spectral normalisation, parametrisation or pruning (torch.nn.utils).",
        )
    if is_lazy(tensor):
        refuse_tensor(name, what, "is not initialised yet", "Run the module once on an input of the right shape.")
    if tensor.is_meta:
        refuse_tensor(name, what, "is on the meta device and has no values", "Materialise and initialise it.")
    if tensor.is_quantized or not tensor.is_floating_point():
        refuse_tensor(name, what, f"has the type {tensor.dtype}", "Use real floating-point weights.")
    numbers: FloatArray = tensor.detach().to_dense().double().cpu().numpy()
    bad = np.count_nonzero(~np.isfinite(numbers))
    if bad:
        refuse_tensor(name, what, f"has {bad} of {numbers.size} entries that are NaN or infinite")
    return numbers


def refuse_tensor(name: str, what: str, found: str, change: str = "Initialise the layer.") -> None:
    """Raise the error for the parameter `what` of the layer `name`."""
    raise DomainError(
        f"The {what} of layer '{name}' {found}.",
        "The statistics of the weights are what theory needs of a layer, and these have none.",
        change,
    )


def _orthogonality_defect(weight: FloatArray) -> float:
    """D of a matrix; NaN for a single row or column, which is always orthogonal."""
    m, n = sorted(weight.shape)
    if m < 2:
        return math.nan
    gram = weight @ weight.T if weight.shape[0] == m else weight.T @ weight
    gram *= m / np.trace(gram)
    gram[np.diag_indices(m)] -= 1
    return float(np.linalg.norm(gram)) / math.sqrt(m * (m - 1) * (m + 2) / (m * n + 2))


def _guess(unit: FloatArray, kurtosis: float, defect: float) -> Distribution:
    """The law of the entries, given at root mean square 1."""
    count = unit.size
    m = min(unit.shape)
    if m > 1:
        d = (m - 1) * (m + 2) / 2
        if defect**2 < min(_EXACTLY_ORTHOGONAL**2, float(gammaincinv(d / 2, _LEVEL)) * 2 / d):
            return "orthogonal"
        low, high = (float(gammaincinv(d / 2, p)) * 2 / d for p in (_LEVEL, 1 - _LEVEL))
        if not low <= defect**2 <= high:
            return "other"
    if abs(float(unit.mean())) * math.sqrt(count) > _Z:
        return "other"
    edge = float(np.abs(unit).max())
    # erf(r/√2) = 1 - 2Φ(-r)
    below_edge = count * math.log1p(-2 * math.exp(float(log_ndtr(-edge))))
    if below_edge > math.log(_LEVEL) and abs(_kurtosis_score(kurtosis, count)) <= _Z:
        return "gaussian"
    error = math.sqrt(24 / count)
    for name, law_kurtosis, law_edge in (
        ("uniform", UNIFORM_KURTOSIS, UNIFORM_EDGE),
        ("truncated", TRUNCATED_KURTOSIS, TRUNCATED_EDGE),
    ):
        # The rms below the edge has the relative error √((κ+2)/(4N)); 2^-8 is bfloat16's rounding.
        highest = law_edge * (1 + _Z * math.sqrt((law_kurtosis + 2) / (4 * count)) + 2**-8)
        if edge <= highest and abs(kurtosis - law_kurtosis) <= _Z * error + 0.02:
            return "uniform" if name == "uniform" else "truncated"
    return "other"


def _kurtosis_score(kurtosis: float, count: int) -> float:
    """The excess kurtosis of `count` Gaussian entries as a standard normal score (Anscombe & Glynn 1983)."""
    if count < 20:  # the approximation starts there
        return 0.0
    n = float(count)
    mean = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis + 3 - mean) / math.sqrt(variance)
    skewness = math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    skewness *= 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9))
    a = 6 + 8 / skewness * (2 / skewness + math.sqrt(1 + 4 / skewness**2))
    root = np.cbrt((1 - 2 / a) / (1 + x * math.sqrt(2 / (a - 4))))
    return float((1 - 2 / (9 * a) - root) / math.sqrt(2 / (9 * a)))
