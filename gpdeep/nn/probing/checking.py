r"""Predicted beside measured: does a network's initialisation do what theory says?

    z_l = (mean over seeds of s_l - E s_l)/(σ(s_l)/√seeds),      s_l a statistic of one network at hidden layer l

E and σ are those of the exact law at finite width (`gpdeep.finite.layer_statistics`), sampled for the very inputs that
the network is given. So there is no truncation to allow for: whatever departs is the network, its initialisation, or
the options that say what the initialisation is meant to be.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation, activation
from ...agreement import holm, seed_scores
from ...architecture import Architecture, Kind
from ...data import prepare
from ...errors import DomainError, ValidityWarning
from ...finite.layer_statistics import STATISTICS, LayerStatistics, layer_statistics
from ...gaussian.arguments import real
from ...result import FloatArray, Status, StatusCode
from ..arguments import kind_of, whole
from ..ensembles.members import Ensemble
from ..initialising.architecture_of import architecture_of
from ..modules.module_of import module_of
from ..one_thread import one_thread
from ..reading.recording import record
from ..reading.weights import require_module
from ..undisturbed import undisturbed
from ..weight_draws import root_of, stream
from .arguments import sites_of
from .check_report import CheckReport, LayerNumbers

PAIRS = 8
"""Pairs of samples that are looked at, where inputs come from data."""


def check(
    network: str | Architecture | Callable[[], nn.Module],
    *,
    activation: str | Activation | None = None,
    sigma_w: float | None = None,
    sigma_b: float = 0.0,
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
    A chain of dense layers with one activation. What is predicted are Gaussian weights N(0, σ_w²/fan-in) and biases
    N(0, σ_b²) with the σ given here, whatever the module's own are: a module that is initialised otherwise departs.

    Parameters
    ----------
    network : str, Architecture or callable
        Text such as ``"64,64x20,10"``, whose networks are drawn here; or a function without arguments that returns a
        torch module, called once a seed after torch has been seeded.
    activation : str or Activation, optional
        Of an architecture in text, default relu; of a module it is read from it.
    sigma_w, sigma_b : float
        Predicted; σ_w defaults to the value that keeps the variance, for activations that have one.
    angle : float, optional
        Angle between the two inputs, in (0, π]; default π/2. Not together with `data`.
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
        With the status OUTSIDE_VALIDITY where the network departs.

    Raises
    ------
    DomainError
        The module is no such chain (the layer is named), data do not fit, or an argument is out of range.

    Notes
    -----
    z-scores are over seeds, never over pairs or layers: those of one network depend on each other. Variances are
    theory's own, so that eight seeds are enough to see a σ_w that is 5 % off in some twenty layers. At a level of 1e-3
    and eight seeds the skewness of the statistics raises false alarms up to twofold.

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
    >>> check("32,32x6,2").agrees
    True
    """
    wanted = whole("seeds", seeds)
    if wanted < 2:
        raise DomainError("seeds = 1.", "One network does not show how networks scatter.", "Give seeds=8.")
    level = real("alpha", alpha, 1e-12, 0.5, "the chance of a false alarm")
    where = kind_of(torch.float64, device)["device"]
    root = root_of(seed)
    make, net, doubts = _networks(network, activation, sigma_w, sigma_b, root)
    inputs = _inputs(net, angle, data, centre, root)
    phi, s_w = net.phi, net.weight_sigma
    theory = layer_statistics(
        inputs,
        net.widths,
        net.outputs,
        phi=phi,
        sigma_w=s_w,
        sigma_b=net.sigma_b,
        n_samples=whole("samples", samples),
        rng=stream(root, "theory"),
    )
    with one_thread():
        seen = [_measure(make(k), inputs, phi, stream(root, f"direction.{k}"), where) for k in range(wanted)]
    measured = {name: np.stack([found[name] for found in seen]) for name in STATISTICS}
    asked = {
        "network": label or (str(network) if isinstance(network, (str, Architecture)) else _called(network)),
        "architecture": str(net),
        "activation": phi.name,
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
    return _report(theory, measured, level, doubts, asked)


def _networks(
    network: Any, phi: Any, sigma_w: float | None, sigma_b: float, root: np.random.SeedSequence
) -> tuple[Callable[[int], nn.Module], Architecture, list[str]]:
    """The module of a seed, the architecture that theory sees, and what is doubtful about it."""
    doubts: list[str] = []
    if isinstance(network, (str, Architecture)):
        net = Architecture.parse(network) if isinstance(network, str) else network
        net = _described(net, phi, sigma_w, sigma_b)
        return (lambda k: _drawn(net, root, k)), net, doubts
    if not callable(network):
        raise DomainError(
            f"network is a {type(network).__name__}.",
            "Neither text, an Architecture, nor a function that makes a module was given.",
            "Write such as check('64,64x20,10'), or check(lambda: MyNet()).",
        )
    if isinstance(network, nn.Module):
        raise DomainError(
            f"network is a {type(network).__name__}, one network.",
            "What is compared is its initialisation, over several seeds.",
            "Give a function that makes it, such as the class itself.",
        )

    def make(k: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(root, f"module.{k}").integers(2**63)))
            module = network()
        require_module(module)
        return module.eval()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ValidityWarning)
        read = architecture_of(make(0))
    doubts += [
        str(warning.message).splitlines()[0] for warning in told if issubclass(warning.category, ValidityWarning)
    ]
    if phi is not None and _activation(phi) != read.phi:
        raise DomainError(
            f"activation = {_activation(phi).name!r}, and the module has {read.phi.name!r}.",
            "The activation of a module is read from it.",
            "Leave activation out.",
        )
    return make, _described(read, read.phi, sigma_w, sigma_b), doubts


def _described(net: Architecture, phi: Any, sigma_w: float | None, sigma_b: float) -> Architecture:
    """The architecture with the φ and σ that are to be compared with."""
    odd = [block for block in net.blocks if block.kind is not Kind.DENSE]
    if odd or net.has_unknown:
        raise DomainError(
            f"'{net}' has " + (f"the block {odd[0]}." if odd else "an unknown width."),
            "Only plain dense layers are compared with theory so far.",
            "Use layers such as 128x30.",
        )
    function = net.phi if phi is None else _activation(phi)
    return Architecture(net.inputs, net.blocks, net.outputs, function, sigma_w, sigma_b)


def _activation(phi: Any) -> Activation:
    found: Activation = activation(phi)
    return found


def _drawn(net: Architecture, root: np.random.SeedSequence, k: int) -> nn.Module:
    """Network k of an architecture, with weights drawn in float64."""
    key = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, k))
    sigma: Any = net.weight_sigma
    alone = Ensemble(net, 1, last_sigma_w=sigma, last_sigma_b=net.sigma_b, seeds=[key], dtype=torch.float64)
    layers: list[nn.Module] = []
    for W, b in zip(alone.weights, alone.biases, strict=True):
        linear = nn.Linear(W.shape[1], W.shape[2], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(W[0].T)
            linear.bias.copy_(b[0, 0])
        layers += [linear, module_of(net.phi)]
    return nn.Sequential(*layers[:-1])


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


def _measure(
    model: nn.Module, inputs: FloatArray, phi: Activation, rng: np.random.Generator, device: Any
) -> dict[str, FloatArray]:
    """The four statistics of one network."""
    model = model.to(device=device, dtype=torch.float64)
    sites = sites_of(model, (), phi)
    outputs: list[Any] = []
    handles = [site.register_forward_hook(lambda _m, _i, out: outputs.append(out.detach().clone())) for site in sites]
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
    return {
        "log_sin2": np.array([_mean_log_sin2(a) for a in outputs]),
        "variance": np.array([layer.q.mean() for layer in records]),
        "sparsity": np.array([float((a == 0).double().mean()) for a in outputs]),
        "log_grad_norm2": np.array([layer.log_grad_norm2[0] for layer in records]),
    }


def _mean_log_sin2(a: Any) -> float:
    """Mean over pairs; infinite or NaN where one has collapsed or died."""
    unit = a / a.norm(dim=1, keepdim=True)
    u, v = unit[::2], unit[1::2]
    return float((2 * torch.log((u - v).norm(dim=1) * (u + v).norm(dim=1) / 2)).mean())


def _report(
    theory: LayerStatistics,
    measured: Mapping[str, FloatArray],
    alpha: float,
    doubts: list[str],
    options: Mapping[str, Any],
) -> CheckReport:
    """z-scores of all four statistics, judged together."""
    tables: dict[str, dict[str, FloatArray]] = {key: {} for key in ("predicted", "std", "measured", "z", "p")}
    seeds = len(measured["variance"])
    for name in STATISTICS:
        drawn = np.where(np.isfinite(getattr(theory, name)), getattr(theory, name), np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of layers in which no network is alive
            mean, std = np.nanmean(drawn, axis=0), np.nanstd(drawn, axis=0, ddof=1)
            skewness = np.nanmean(((drawn - mean) / np.where(std > 0, std, 1.0)) ** 3, axis=0)
        known = np.isfinite(mean)
        constant = known & ~(std > 1e-12 * np.maximum(np.abs(mean), 1e-300))
        spread = np.where(known & ~constant, std, 1.0) * np.sqrt(1 + seeds / len(drawn))
        found = seed_scores(
            np.where(known, measured[name], np.nan),
            np.where(known, mean, 0.0),
            std=spread,
            skewness=np.nan_to_num(skewness),
        )
        z, p = np.array(found.z), np.array(found.p_value)
        exact = np.nanmax(np.abs(measured[name] - mean), axis=0, initial=0.0) <= 1e-9 * np.maximum(np.abs(mean), 1.0)
        z[constant], p[constant] = np.where(exact, 0.0, np.inf)[constant], np.where(exact, 1.0, 0.0)[constant]
        tables["predicted"][name], tables["std"][name] = mean, std
        tables["measured"][name], tables["z"][name], tables["p"][name] = np.array(found.estimate), z, p
    flat = np.concatenate([np.where(np.isnan(tables["p"][name]), 1.0, tables["p"][name]) for name in STATISTICS])
    adjusted = np.asarray(holm(flat)).reshape(len(STATISTICS), -1)
    departs = adjusted < alpha
    first = int(np.argmax(departs.any(axis=0))) if departs.any() else None
    departing = () if first is None else tuple(n for n, d in zip(STATISTICS, departs[:, first], strict=True) if d)
    agrees = first is None
    messages = [*doubts]
    if first is not None:
        parts = [
            f"{name} {tables['measured'][name][first]:.4g}, predicted {tables['predicted'][name][first]:.4g}"
            for name in departing
        ]
        messages.insert(0, f"Layer {first + 1} departs from the prediction: {'; '.join(parts)}.")
    return CheckReport(
        status=Status(StatusCode.OK if agrees else StatusCode.OUTSIDE_VALIDITY, tuple(messages)),
        predicted=LayerNumbers(**tables["predicted"]),
        predicted_std=LayerNumbers(**tables["std"]),
        measured=LayerNumbers(**tables["measured"]),
        z_scores=LayerNumbers(**tables["z"]),
        p_adjusted=LayerNumbers(**dict(zip(STATISTICS, adjusted, strict=True))),
        agrees=agrees,
        first_departure=None if first is None else first + 1,
        departing=departing,
        alpha=alpha,
        seeds=seeds,
        options=options,
    )


def _called(network: Any) -> str:
    return str(getattr(network, "__qualname__", type(network).__name__))
