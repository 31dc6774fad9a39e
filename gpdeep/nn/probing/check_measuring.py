r"""What `check` measures of one network, in float64: angles, variances, zeros, gradients.

A zero is an output that is exactly 0. In the tail of a smooth φ torch and numpy round differently, so that gelu(-9) is
0 in one and -1e-18 in the other: where |φ(h)| is below what rounding leaves of h, it is theory's own φ that says
whether it is a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation, Mixture, PiecewiseLinear
from ...architecture import Kind
from ...errors import DomainError
from ...finite.layer_statistics import LayerStatistics
from ...result import FloatArray
from ..reading.recording import record
from ..undisturbed import undisturbed
from .check_networks import Subject

_ROUNDINGS = 1000  # of the type's last digit: 1 + erf and 1 + tanh are made of larger numbers


def measure(
    subject: Subject, number: int, model: nn.Module, inputs: FloatArray, rng: np.random.Generator, device: Any
) -> dict[str, FloatArray]:
    """The four statistics of network `number`, each with one entry for each hidden layer.

    Raises
    ------
    DomainError
        It is no further draw of the subject's network.
    """
    sites = subject.sites(model)
    if subject.draws is not None:
        subject.draws.require_new(number, model)
    model = model.to(device=device, dtype=torch.float64)
    given: list[Any] = []
    outputs: list[Any] = []
    handles = []
    for site in sites:
        if not isinstance(site, nn.LayerNorm):
            handles.append(site.register_forward_pre_hook(lambda _m, h: given.append(h[0].detach().clone())))
            handles.append(site.register_forward_hook(lambda _m, _h, out: outputs.append(out.detach().clone())))
    batch = torch.as_tensor(inputs, dtype=torch.float64, device=device)

    def scalar(y: Any) -> Any:
        v = torch.as_tensor(rng.standard_normal(tuple(y.shape)), device=y.device)
        return (v * y).sum()

    try:
        with undisturbed(model, seed=0, differentiable=False):
            records = record(model, batch.clone().requires_grad_(True).clone(), sites, scalar)
    finally:
        for handle in handles:
            handle.remove()
    # a normalised layer has two records: the first is that of h, the second that of what φ is given
    passed = iter(records)
    layers = []
    for wiring in subject.net.wirings:
        layers.append(next(passed))
        if wiring.kind is Kind.LAYER_NORM:
            next(passed)
    return {
        "log_sin2": np.array([_mean_log_sin2(a) for a in outputs]),
        "variance": np.array([layer.q.mean() for layer in layers]),
        "sparsity": np.array([zeros(phi, h, a) for phi, h, a in zip(subject.phis, given, outputs, strict=True)]),
        "log_grad_norm2": np.array([layer.log_grad_norm2[0] for layer in layers]),
    }


def zeros(phi: Activation, h: Any, a: Any) -> float:
    """Share of zeros among the outputs `a` that φ has for `h`."""
    zero = (a == 0).numpy(force=True)
    if not isinstance(phi, (PiecewiseLinear, Mixture)):
        given = h.double().numpy(force=True)
        with np.errstate(all="ignore"):
            exact = np.asarray(phi(given))
            rounded = np.abs(exact) <= _ROUNDINGS * torch.finfo(a.dtype).eps * np.abs(given)
        zero = np.where(rounded, exact == 0, zero)
    return float(zero.mean())


def require_finite(measured: Mapping[str, FloatArray], theory: LayerStatistics) -> None:
    """Refuse networks whose numbers overflow: they have no rank among others.

    Raises
    ------
    DomainError
        A variance, or a gradient that is finite or 0 in all drawn networks, is NaN or infinite.
    """
    for name, what in (("variance", "pre-activations"), ("log_grad_norm2", "gradient")):
        bad = ~(measured[name] < np.inf)
        if name == "log_grad_norm2":
            bad &= (getattr(theory, name) < np.inf).all(axis=0)
        if bad.any():
            network, layer = (int(found[0]) for found in np.nonzero(bad))
            raise DomainError(
                f"The {what} of hidden layer {layer + 1} are not finite in network {network + 1}."
                if name == "variance"
                else f"The gradient at hidden layer {layer + 1} is not finite in network {network + 1}.",
                "Weights are so large, or layers so many, that float64 overflows; or forward divides by zero.",
                "Use smaller deviations or fewer layers.",
            )


def _mean_log_sin2(a: Any) -> float:
    """Mean over pairs; infinite or NaN where one has collapsed or died."""
    unit = a / a.norm(dim=1, keepdim=True)
    u, v = unit[::2], unit[1::2]
    sin = (u - v).norm(dim=1) * (u + v).norm(dim=1) / 2
    return float((2 * torch.log(sin)).clamp(max=0).mean())
