"""What should be said about a probe: numbers that are not finite, a model that the prediction is not for."""

from __future__ import annotations

from collections import Counter

import numpy as np
from torch import nn

from ...activations import Activation
from ...result import FloatArray
from ..reading.phi import same_function
from ..reading.recording import SiteRecord

_IN_A_CHAIN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Flatten, nn.Unflatten, nn.Identity)


def quantiles_of(q: FloatArray) -> FloatArray:
    """The 5, 50 and 95 % quantiles; infinities are the largest numbers, and NaN anywhere is NaN."""
    if np.isnan(q).any():
        return np.full(3, np.nan)
    found: FloatArray = np.quantile(q, [0.05, 0.5, 0.95], method="linear" if np.isfinite(q).all() else "lower")
    return found


def non_finite(records: list[SiteRecord], scalar: float, name: str) -> list[str]:
    """Which layer is the first where q, or the gradient, is not finite; `scalar` is what was differentiated."""
    messages = []
    for k, layer in enumerate(records):
        bad = ~np.isfinite(layer.q)
        if bad.any():
            messages.append(
                f"'{layer.name}' (activation {k + 1} of {len(records)}) is the first whose pre-activations are not "
                f"finite, for {np.count_nonzero(bad)} of {len(bad)} inputs."
            )
            break
    if not np.isfinite(scalar) and all(np.isfinite(layer.q).all() for layer in records):
        messages.append(f"The {name} is {scalar:g}, although all pre-activations are finite.")
    for k, layer in reversed(list(enumerate(records))):  # as the gradient goes
        g = layer.log_grad_norm2
        bad = ~np.isfinite(g)
        if bad.any():
            what = "vanishes" if (g[bad] == -np.inf).all() else "is not finite"
            if not layer.attached:
                what = "is not known (it is detached, or runs without autograd, in forward)"
            messages.append(
                f"Coming from the output, '{layer.name}' (activation {k + 1} of {len(records)}) is the first whose "
                f"gradient {what}, for {np.count_nonzero(bad)} of {len(bad)} inputs."
            )
            break
    return messages


def not_in_a_chain(records: list[SiteRecord]) -> list[str]:
    """What runs before the last activation besides dense and convolutional layers, each of weights of its own.

    What functions do before the first activation is in its measured variance.
    """
    other = {
        type(part).__name__: None
        for layer in records
        for part in layer.before
        if not isinstance(part, _IN_A_CHAIN)
        and not (isinstance(part, nn.Dropout) and (not part.training or part.p == 0))
    }
    functions = dict.fromkeys(f"the function {name}" for layer in records[1:] for name in layer.loose)
    uses = Counter(part for layer in records for part in layer.before if next(part.parameters(), None) is not None)
    again = dict.fromkeys(f"one {type(part).__name__} in several places" for part, times in uses.items() if times > 1)
    if not (other or functions or again):
        return []
    return [f"Predicted is a plain chain; the model also has {', '.join([*other, *functions, *again])}."]


def mismatch(records: list[SiteRecord], phi: Activation | None, q_star: float | None) -> list[str]:
    """Where the model is not what was designed."""
    messages = []
    other = [r for r in records if phi is not None and r.phi is not None and not same_function(r.phi, phi)]
    if other and phi is not None:
        messages.append(f"'{other[0].name}' is {other[0].kind}; the design is for {phi.name}.")
    first = float(np.median(records[0].q))
    if q_star is not None and not q_star / 2 <= first <= 2 * q_star:
        messages.append(
            f"The first activation has the variance {first:.4g} (median over inputs) where q* is {q_star:.4g}: the "
            "weights are not the design's (initialize), or the inputs have another mean square than it was told: that "
            "of scale_inputs(x, design), or its input_second_moment where one was given."
        )
    return messages
