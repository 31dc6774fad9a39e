r"""Predicted beside measured: does a network's initialisation do what theory says?

    z_l = Σ_seeds Φ⁻¹(rank of s_l among networks drawn) / √seeds,      s_l a statistic of one network at hidden layer l

Networks are drawn from the exact law at finite width (`gpdeep.finite.layer_statistics`), for the very inputs that the
network is given, and ranks hold for every law, however heavy its tails (`gpdeep.agreement.van_der_waerden`). So there
is no truncation to allow for: whatever departs is the network, its initialisation, or the options that say what the
initialisation is meant to be.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation
from ...architecture import Architecture
from ...data import prepare
from ...errors import DomainError
from ...finite.layer_statistics import STATISTICS, LayerStatistics, layer_statistics
from ...gaussian.arguments import real, text
from ...result import FloatArray
from ..arguments import kind_of, whole
from ..one_thread import one_thread
from ..weight_draws import root_of, stream
from .check_measuring import measure, require_finite
from .check_networks import Subject, subject_of
from .check_report import CheckReport
from .check_scores import report_of

PAIRS = 8
"""Pairs of samples that are looked at, where inputs come from data."""

_NEGLIGIBLE = 1e-3
_MOST_SEEDS, _MOST_SAMPLES = 10**5, 10**6


def check(
    network: str | Architecture | Callable[[], nn.Module],
    *,
    activation: str | Activation | None = None,
    sigma_w: float | None = None,
    sigma_b: float | None = None,
    angle: float | None = None,
    data: Any = None,
    centre: bool = True,
    seeds: int = 8,
    seed: int = 0,
    samples: int = 2000,
    alpha: float = 1e-3,
    device: Any = "cpu",
    label: str | None = None,
) -> CheckReport:
    r"""Measure a network over several initialisations, and compare with what theory predicts at its width.

    Assumptions
    -----------
    Dense layers: plain, residual h ← αh + β(Wφ(h) + b), or with layer normalisation before φ (no gain, no shift). What
    is predicted are Gaussian weights N(0, σ_w²/fan-in) and biases N(0, σ_b²) with the σ given here, whatever the
    module's own are: a module that is initialised otherwise departs.

    Parameters
    ----------
    network : str, Architecture or callable
        Text such as ``"64,64x20,10"``, ``"64,res(64x20,alpha=1,beta=0.1),10"`` or ``"64,ln(64x20),10"``, whose networks
        are drawn here; or a function without arguments that returns a torch module, called once a seed after torch has
        been seeded.
    activation : str or Activation, optional
        Of an architecture in text, default relu, or in place of an `Architecture`'s own; of a module it is read from
        it. The channels of a `PartialReLU` or `torch.nn.PReLU` may have slopes of their own, the same in all networks.
    sigma_w, sigma_b : float, optional
        Predicted, for all layers alike, in place of an `Architecture`'s own. Without them these are taken, which may
        differ between layers (the output layer has those of the last hidden one). Otherwise σ_b is 0, and σ_w defaults
        to the value that keeps the variance in plain layers, for activations that have one, and to √2 where channels
        have different slopes (the status says so).
    angle : float, optional
        Angle between the two inputs, in (0, π]; default π/2. Not together with `data`. Their directions are random,
        others in each network, and every column of the first weights is met.
    data : any source of `gpdeep.data.load_inputs`, optional
        8 random pairs of its samples are the inputs, centred and scaled to |x|² = n_0.
    centre : bool
        Whether data are centred.
    seeds : int, from 2
        Networks measured.
    seed : int
        Root of all streams.
    samples : int
        Networks of the prediction.
    alpha : float
        Chance that a network which is as predicted is said to depart, in any layer or statistic.
    device : str or torch.device
        Where the networks are measured, in float64.
    label : str, optional
        What the report calls the network.

    Returns
    -------
    CheckReport
        With the status OUTSIDE_VALIDITY where the network departs; with the path lengths where channels are linear.

    Raises
    ------
    DomainError
        The module is no such network (the operation is named: convolutions are not predicted, nor is a skip that
        starts elsewhere), data do not fit, or an argument is out of range. The factory makes networks of different
        shapes, weights that are not finite, or weights that are equal bit for bit in two layers or two networks. What
        a network computes is not finite.

    Notes
    -----
    z-scores are over seeds, never over pairs or layers: those of one network depend on each other. The scatter is
    theory's own, so that eight seeds are enough to see a σ_w that is 5 % off in some twenty layers. The gradient starts
    at the outputs, so that an output layer with other weights than W ~ N(0, σ_w²/fan-in) shows as ln|grad|² in layer 1.

    Examples
    --------
    Weights of variance 1/fan-in, which LeCun's rule gives, halve the variance of a ReLU network in each layer:

    >>> def lecun():
    ...     layers = [nn.Linear(32, 32) for _ in range(6)]
    ...     for layer in layers:
    ...         _ = nn.init.normal_(layer.weight, 0, 32**-0.5), nn.init.zeros_(layer.bias)
    ...     return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())), nn.Linear(32, 2))
    >>> report = check(lecun)
    >>> report.agrees, report.first_departure, report.departing
    (False, 1, ('variance', 'log_grad_norm2'))
    >>> check("32,32x6,2").agrees, check("32,res(32x6,beta=0.5),2").agrees
    (True, True)
    """
    wanted = whole("seeds", seeds, _MOST_SEEDS, counts="networks that are measured")
    if wanted < 2:
        raise DomainError("seeds = 1.", "One network does not show how networks scatter.", "Give seeds=8.")
    level = real("alpha", alpha, 1e-12, 0.5, "the chance of a false alarm")
    where = kind_of(torch.float64, device)["device"]
    root = root_of(seed)
    subject = subject_of(network, activation, sigma_w, sigma_b, root)
    net, s_w = subject.net, subject.net.weight_sigma
    inputs = _inputs(net, angle, data, centre, root)
    theory = layer_statistics(
        inputs,
        net.widths,
        net.outputs,
        phi=subject.phis,
        sigma_w=s_w,
        sigma_b=net.sigma_b,
        wiring=net.wirings,
        n_samples=whole("samples", samples, _MOST_SAMPLES, counts="networks that theory draws"),
        rng=stream(root, "theory"),
    )
    given = [inputs if data is not None else _turned(inputs, stream(root, f"plane.{k}")) for k in range(wanted)]
    with one_thread():
        seen = [
            measure(subject, k, subject.make(k), given[k], stream(root, f"direction.{k}"), where) for k in range(wanted)
        ]
    measured = {name: np.stack([found[name] for found in seen]) for name in STATISTICS}
    require_finite(measured, theory)
    asked = {
        "network": text(label) if label is not None else _called(network),
        "architecture": str(net),
        "activation": subject.phi_name,
        "sigma_w": s_w,
        "sigma_b": net.sigma_b,
        "angle": None if data is not None else float(np.pi / 2 if angle is None else angle),
        "data": None if data is None else str(data) if isinstance(data, (str, os.PathLike)) else "array",
        "centre": centre,
        "seeds": wanted,
        "seed": seed if isinstance(seed, int) else None,
        "samples": samples,
        "device": str(device),
    }
    return report_of(
        theory, measured, level, [*subject.doubts, *_small_variances(subject, theory)], subject.path_length, asked
    )


def _inputs(
    net: Architecture, angle: float | None, data: Any, centre: bool, root: np.random.SeedSequence
) -> FloatArray:
    """Pairs of inputs of the length √n_0, one below the other."""
    if data is None:
        theta = real("angle", np.pi / 2 if angle is None else angle, 0.0, np.pi * (1 + 1e-15), "an angle in radians")
        if net.inputs < 2:
            raise DomainError(
                "The network has one input.", "In one dimension there are no angles.", "Use 2 inputs or more."
            )
        pair = np.zeros((2, net.inputs))
        pair[0, 0], pair[1, 0], pair[1, 1] = 1.0, np.cos(theta), np.sin(theta)
        scaled: FloatArray = pair * np.sqrt(net.inputs)
        return scaled
    if angle is not None:
        raise DomainError("Both an angle and data were given.", "Inputs are one or the other.", "Leave one out.")
    x = prepare(data, centre=centre)
    if x.shape[1] != net.inputs:
        raise DomainError(
            f"The data have {x.shape[1]} features; the network has {net.inputs} inputs.",
            "The network was made for other data.",
            f"Begin the architecture with {x.shape[1]}.",
        )
    if len(x) < 2:
        raise DomainError("There is one sample.", "A pair needs two.", "Give more samples.")
    rng = stream(root, "pairs")
    return np.concatenate([x[rng.choice(len(x), 2, replace=False)] for _ in range(PAIRS)])


def _turned(pair: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A pair of inputs in the plane of the first two axes, in a random plane that all axes are seen from.

    It is spanned by two directions, each within half of the axes: no digit of a small angle is lost in sums.
    """
    n = pair.shape[1]
    frame, axes = np.zeros((2, n)), rng.permutation(n)
    for direction, half in zip(frame, (axes[: n // 2], axes[n // 2 :]), strict=True):
        direction[half] = rng.standard_normal(len(half))
        direction /= np.linalg.norm(direction)
    turned: FloatArray = pair[:, :2] @ frame
    return turned


def _small_variances(subject: Subject, theory: LayerStatistics) -> list[str]:
    """What an eps of normalisation does, where the variance is not large against it."""
    if subject.read is None:
        return []
    variances = theory.variance.mean(axis=0)
    for number, (layer, variance) in enumerate(zip(subject.read.layers, variances, strict=True), start=1):
        if layer.eps > _NEGLIGIBLE * variance:
            return [
                f"The eps = {layer.eps:g} of '{layer.norm}' is not small against the variance {variance:.3g} of layer "
                f"{number}; what is predicted has none."
            ]
    return []


def _called(network: Any) -> str:
    if isinstance(network, (str, Architecture)):
        return str(network)
    return str(getattr(network, "__qualname__", type(network).__name__))
