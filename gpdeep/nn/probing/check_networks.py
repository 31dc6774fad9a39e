"""What `check` compares: a network as theory sees it, and the modules whose initialisation is measured."""

from __future__ import annotations

import inspect
import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation, Mixture, activation
from ...architecture import Architecture, Kind, Weights
from ...errors import DomainError, ValidityWarning
from ...finite.wiring import Wiring
from ..arguments import require_sigma
from ..initialising.architecture_of import architecture_of
from ..memory_budget import require_memory
from ..modules.module_of import module_of
from ..modules.partial_relu import require_finite_slopes_of
from ..reading.tracing import UntraceableError, unwrapped
from ..reading.weights import require_module
from ..weight_draws import root_of, stream
from .arguments import sites_of
from .check_draws import Draws
from .check_path_length import path_lengths_of
from .check_reading import ReadNetwork, activation_at, read_network
from .check_report import PathLengths

HE = 2**0.5


@dataclass(frozen=True)
class Subject:
    """A network to be checked.

    Attributes
    ----------
    make : from the number of a seed to a module, in eval mode
    net : Architecture
        With the variances that are predicted.
    phis : list of Activation
        φ of each hidden layer.
    doubts : list of str
    read : ReadNetwork or None
        How a module of the user was read that is no plain chain.
    path_length : PathLengths or None
        Of a module of the user in which channels are linear.
    draws : Draws or None
        What a factory of the user has made so far.
    """

    make: Callable[[int], nn.Module]
    net: Architecture
    phis: list[Activation]
    doubts: list[str]
    read: ReadNetwork | None = None
    path_length: PathLengths | None = None
    draws: Draws | None = None

    @property
    def phi_name(self) -> str:
        """Activations, each once."""
        return ", ".join(dict.fromkeys(phi.name for phi in self.phis))

    def sites(self, model: nn.Module) -> dict[nn.Module, tuple[str, Activation | None]]:
        """The activations of a module, and the normalisations before them.

        Raises
        ------
        DomainError
            Slopes are others than in the network that was read, or not finite.
        """
        if isinstance(model, _Wired):
            return {part: (name, None) for name, part in model.looked_at.items()}
        if self.read is None:
            return sites_of(model, (), self.net.phi)
        found: dict[nn.Module, tuple[str, Activation | None]] = {}
        for layer in self.read.layers:
            act = model.get_submodule(layer.activation)
            require_finite_slopes_of(f"'{layer.activation}'", act)
            if activation_at(act) != layer.phi:
                raise DomainError(
                    f"The slopes of '{layer.activation}' are not the same in all networks.",
                    "The factory chooses anew which channels are linear, and each choice has a law of its own.",
                    "Choose them once: the seed of torch is another one in each call.",
                )
            if layer.norm is not None:
                found[model.get_submodule(layer.norm)] = layer.norm, None
            found[act] = layer.activation, layer.phi
        return found


def subject_of(
    network: Any, phi: Any, sigma_w: float | None, sigma_b: float | None, root: np.random.SeedSequence
) -> Subject:
    """The network that text, an `Architecture` or a factory stands for.

    Raises
    ------
    DomainError
        It is none of these, or is not predicted.
    """
    if isinstance(network, (str, Architecture)):
        net = Architecture.parse(network) if isinstance(network, str) else network
        net = _described(
            net,
            net.phi if phi is None else _activation(phi),
            net.sigma_w if sigma_w is None else sigma_w,
            net.sigma_b if sigma_b is None else sigma_b,
        )
        for name, sigma in (("sigma_w", net.weight_sigma), ("sigma_b", net.sigma_b)):
            require_sigma(name, np.max(sigma))
        return Subject(lambda k: _drawn(net, root, k), net, [net.phi] * net.depth, [])
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

    try:
        inspect.signature(network).bind()
    except TypeError as error:
        raise DomainError(
            f"network cannot be called without arguments: {error}.",
            "It makes one network a call; what else it needs has to be in it already.",
            "Give such as check(lambda: MyNet(width=64)).",
        ) from error
    except ValueError:  # a function of C, which has no signature
        pass

    def make(k: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(root, f"module.{k}").integers(2**63)))
            module = network()
        require_module(module)
        return unwrapped(module).eval()

    model = make(0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ValidityWarning)
        try:
            net = architecture_of(model)
        except UntraceableError:
            raise
        except DomainError:
            return _read(model, make, phi, sigma_w, sigma_b)
    doubts = [str(w.message).splitlines()[0] for w in told if issubclass(w.category, ValidityWarning)]
    if net.weights is Weights.ORTHOGONAL:
        doubts += _not_gaussian(["orthogonal"])
    _same_activation(phi, [net.phi])
    net = _described(replace(net, weights=Weights.GAUSSIAN), net.phi, sigma_w, sigma_b)
    return Subject(make, net, [net.phi] * net.depth, doubts, None, path_lengths_of(model, net.inputs), Draws(model))


def _read(
    model: nn.Module, make: Callable[[int], nn.Module], phi: Any, sigma_w: float | None, sigma_b: float | None
) -> Subject:
    """A module that is no plain chain of one activation."""
    read = read_network(model)
    _same_activation(phi, read.phis)
    doubts = _not_gaussian(read.laws)
    if sigma_w is None and any(isinstance(one, Mixture) or one != read.phis[0] for one in read.phis):
        sigma_w = HE  # channels become linear after the network was made
        doubts.append("Channels have different slopes: predicted is He's initialisation for ReLU, sigma_w = √2.")
    net = _described(read.architecture, read.phis[0], sigma_w, sigma_b)
    return Subject(make, net, read.phis, doubts, read, path_lengths_of(model, net.inputs), Draws(model))


def _not_gaussian(laws: Sequence[str]) -> list[str]:
    """What is said of weights that seem to come from other laws."""
    odd = sorted({str(law) for law in laws} - {"gaussian"})
    return (
        [f"The weights of hidden layers look {' and '.join(odd)}; what is predicted are Gaussian ones."] if odd else []
    )


def _same_activation(phi: Any, found: Sequence[Activation]) -> None:
    """Refuse an activation that was asked for and is not the module's."""
    if phi is not None and any(_activation(phi) != one for one in found):
        raise DomainError(
            f"activation = {_activation(phi).name!r}, and the module has {found[0].name!r}.",
            "The activation of a module is read from it.",
            "Leave activation out.",
        )


def _described(net: Architecture, phi: Activation, sigma_w: Any, sigma_b: Any) -> Architecture:
    """The architecture with the φ and σ that are to be compared with."""
    if net.has_unknown or net.weights is not Weights.GAUSSIAN:
        raise DomainError(
            f"'{net}' has {'an unknown width' if net.has_unknown else 'orthogonal weights'}.",
            "The networks that are compared with theory have known widths and Gaussian weights.",
            "Write a number for the width." if net.has_unknown else "Use weights='gaussian'.",
        )
    return Architecture(net.inputs, net.blocks, net.outputs, phi, sigma_w, 0.0 if sigma_b is None else sigma_b)


def _activation(phi: Any) -> Activation:
    found: Activation = activation(phi)
    return found


def _drawn(net: Architecture, root: np.random.SeedSequence, number: int) -> nn.Module:
    """A network of an architecture, with weights drawn in float64."""
    key = root_of(np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, number)))
    widths = (net.inputs, *net.widths, net.outputs)
    require_memory(8 * sum((n + 1) * out for n, out in itertools.pairwise(widths)), torch.device("cpu"), "neurons")
    s_w, s_b = (np.broadcast_to(sigma, net.depth).tolist() for sigma in (net.weight_sigma, net.sigma_b))
    linears = []
    for k, (n, out) in enumerate(itertools.pairwise(widths)):
        layer = min(k, net.depth - 1)  # the output layer has the deviations of the last hidden one
        linear = nn.utils.skip_init(nn.Linear, n, out, dtype=torch.float64)
        weight = stream(key, f"weights.{k}").standard_normal((n, out)) * (s_w[layer] / math.sqrt(n))
        bias = stream(key, f"biases.{k}").standard_normal(out) * s_b[layer]
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias))
        linears.append(linear)
    return _Wired(linears, [module_of(net.phi) for _ in net.widths], net.wirings)


class _Wired(nn.Module):  # type: ignore[misc]
    """A network with residual and normalised layers."""

    def __init__(self, linears: Sequence[nn.Linear], activations: Sequence[nn.Module], wirings: Sequence[Wiring]):
        super().__init__()
        self.linears, self.activations = nn.ModuleList(linears), nn.ModuleList(activations)
        self.wirings = tuple(wirings)
        # an eps that no variance but 0 is small against: a vector of equal entries becomes 0
        self.norms = nn.ModuleDict(
            {
                str(k): nn.LayerNorm(linear.out_features, eps=1e-300, elementwise_affine=False)
                for k, (linear, wiring) in enumerate(zip(linears, wirings, strict=False))
                if wiring.kind is Kind.LAYER_NORM
            }
        )

    @property
    def looked_at(self) -> dict[str, nn.Module]:
        """Normalisations and activations by name."""
        norms = {f"norm {k}": part for k, part in self.norms.items()}
        return norms | {str(k): part for k, part in enumerate(self.activations)}

    def forward(self, x: Any) -> Any:
        """The outputs."""
        h = a = x
        for k, (linear, phi, wiring) in enumerate(zip(self.linears[:-1], self.activations, self.wirings, strict=True)):
            f = linear(a)
            h = wiring.alpha * h + wiring.beta * f if wiring.kind is Kind.RESIDUAL else f
            a = phi(self.norms[str(k)](h) if wiring.kind is Kind.LAYER_NORM else h)
        return self.linears[-1](a)
