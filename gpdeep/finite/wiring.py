r"""How a hidden layer is wired: plain, residual or normalised, with Gaussian or orthogonal weights.

    dense   h^{l+1} = W φ(h^l) + b
    res     h^{l+1} = α h^l + β (W φ(h^l) + b)
    ln      as dense, and what φ is given is u = (h - mean)/std over the neurons of the layer, for each input

The first hidden layer, and any layer whose width differs from the one before, is plain even where ``res`` is asked for:
there h and W φ(h) have different shapes and cannot be added. Layer normalisation has the population variance (divided
by n), no ε and no gain or shift, as at initialisation; a vector of equal entries, which has no direction left, becomes
0, as it does with any ε > 0. A layer of two neurons becomes (1, -1) or (-1, 1), one of a single neuron is refused.

Orthogonal weights are uniform (Haar) with E W_ij² = σ_w²/n_in as for Gaussian ones: with s = max(1, n_out/n_in),

    W = σ_w √s × (the first n_out rows and n_in columns of a Haar matrix of size max(n_in, n_out)),

so that W Wᵀ = σ_w² for n_out ≤ n_in and WᵀW = σ_w² n_out/n_in above. `torch.nn.init.orthogonal_` with gain σ_w is the
same for n_out ≤ n_in; above, its columns have length σ_w instead of σ_w √(n_out/n_in).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..errors import DomainError
from ..gaussian.arguments import as_float, choice, nature, shown
from ..result import IntArray

_LARGEST = 1e50  # squares stay within float64


class Kind(enum.StrEnum):
    """How the layers of a block are wired."""

    DENSE = "dense"
    RESIDUAL = "res"
    LAYER_NORM = "ln"


class Weights(enum.StrEnum):
    """The law of a weight matrix."""

    GAUSSIAN = "gaussian"
    ORTHOGONAL = "orthogonal"


@dataclass(frozen=True)
class Wiring:
    """One hidden layer apart from its width, variances and activation.

    Parameters
    ----------
    kind : Kind or str
        "dense", "res" or "ln".
    alpha, beta : float
        Coefficients α, β of a residual layer, not both 0, and at most 1e50 in size; the other kinds do without.
    weights : Weights or str
        "gaussian" or "orthogonal".

    Examples
    --------
    >>> Wiring("res", beta=0.1).kind
    <Kind.RESIDUAL: 'res'>
    """

    kind: Kind | str = Kind.DENSE
    alpha: float = 1.0
    beta: float = 1.0
    weights: Weights | str = Weights.GAUSSIAN

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(choice("kind", self.kind, tuple(Kind))))
        object.__setattr__(self, "weights", Weights(choice("weights", self.weights, tuple(Weights))))
        for name in ("alpha", "beta"):
            object.__setattr__(self, name, coefficient(name, getattr(self, name)))
        if self.kind is Kind.RESIDUAL and self.alpha == self.beta == 0:
            raise DomainError(
                "alpha and beta are both 0.",
                "Such a layer hands on nothing.",
                "Give a beta other than 0.",
            )


def coefficient(name: str, value: Any) -> float:
    """`value` as a coefficient of a residual layer."""
    number = as_float(value)
    if not abs(number) <= _LARGEST:
        raise DomainError(
            f"{name} is {shown(value)}.",
            f"It is {nature(value)}; residual coefficients are numbers from {-_LARGEST:g} to {_LARGEST:g}.",
            f"Give {name} as a number such as 1.0.",
        )
    return number


def layer_wirings(wiring: Any, widths: IntArray) -> tuple[Wiring, ...]:
    """One `Wiring` for each hidden layer, residual only where the width stays; None stands for plain Gaussian layers.

    Raises
    ------
    DomainError
        `wiring` is neither a Wiring, nor one for each layer; or a layer of one neuron is to be normalised.
    """
    if wiring is None or isinstance(wiring, Wiring):
        wirings = [wiring or Wiring()] * len(widths)
    else:
        wirings = list(wiring) if isinstance(wiring, (list, tuple)) else []
    if len(wirings) != len(widths) or not all(isinstance(layer, Wiring) for layer in wirings):
        raise DomainError(
            f"wiring is {shown(wiring, 200)}.",
            f"It is no Wiring, or a list that does not fit {len(widths)} layers.",
            "Give one gpdeep.finite.Wiring, or a list with one for each hidden layer.",
        )
    resolved = []
    before = 0
    for layer, (width, wired) in enumerate(zip(widths.tolist(), wirings, strict=True), start=1):
        if wired.kind is Kind.LAYER_NORM and width == 1:
            raise DomainError(
                f"Hidden layer {layer} has one neuron and is to be normalised.",
                "A single number minus its mean, divided by its standard deviation, is 0/0.",
                "Use a width of 2 or more there, or a plain layer.",
            )
        if wired.kind is Kind.RESIDUAL and width != before:
            wired = replace(wired, kind=Kind.DENSE)
        resolved.append(wired)
        before = width
    return tuple(resolved)


def is_plain(wirings: Iterable[Wiring]) -> bool:
    """Whether all layers are dense with Gaussian weights."""
    return all(layer.kind is Kind.DENSE and layer.weights is Weights.GAUSSIAN for layer in wirings)
