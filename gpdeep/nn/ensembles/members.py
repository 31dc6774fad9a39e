r"""M independent fully connected networks of equal shape as one batched program.

    h¹_m = x W¹_m + b¹_m,     h^{l+1}_m = φ_m(h^l_m) W^{l+1}_m + b^{l+1}_m,        m = 1..M,     l = 1..L

Rows are samples, as everywhere in torch, so that W^l_m is the transpose of the W of the theory; its entries are
N(0, σ_w²/fan-in), those of b are N(0, σ_b²). A layer of all members is one `torch.baddbmm`. What is drawn for a member
depends on its own seed alone: neither on M, nor on its place, nor on the type or device.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ...activations import Activation, activation
from ...architecture import Architecture, Block, Kind
from ...errors import DomainError
from ...gaussian.arguments import as_floats, entries, flag, shown
from ...result import FloatArray
from ..arguments import LARGEST, kind_of, whole
from ..memory_budget import require_memory
from ..modules.masked_ramps import elementwise
from ..modules.module_of import require_for_tensors
from ..weight_draws import root_of, stream

_MOST_MEMBERS = 10**6


class Ensemble(nn.Module):  # type: ignore[misc]
    r"""M networks of one architecture, each with a seed, variances and perhaps an activation of its own.

    Parameters
    ----------
    architecture : str or Architecture
        Such as ``"64,128x30,10"``; plain dense layers only. An `Architecture` brings its own φ, σ_w and σ_b, which
        the arguments below replace.
    members : int
        M.
    activation : str, Activation, or sequence of M of them, optional
        φ of the hidden layers; ``relu`` by default. It has no parameters: the slope of ``prelu`` stays as it is.
    sigma_w, sigma_b : float or array_like of shape (M,), optional
        Of the hidden layers after the first; σ_w defaults to the value that keeps the variance, for φ that have one.
    first_sigma_w, first_sigma_b : float or array_like of shape (M,), optional
        Of the first layer: with inputs of |x|² = n_in, variances that add up to q* start the network at its fixed
        point. Default: σ_w and σ_b.
    last_sigma_w, last_sigma_b : float or array_like of shape (M,)
        Of the output layer. No standard deviation exceeds 1e50; those of hidden weights are not 0.
    seeds : sequence of M seeds, optional
        Integers, SeedSequences; 0..M-1 by default.
    dtype, device : optional
        Of the weights; torch's defaults. Numbers are drawn in float64 and then rounded.

    Attributes
    ----------
    weights, biases : torch.nn.ParameterList
        Entry l of shape (M, n_l, n_{l+1}) and (M, 1, n_{l+1}).
    widths : tuple of int
        Input, hidden layers, output.
    phis : tuple of M activations

    Raises
    ------
    DomainError
        The architecture has residual or normalised blocks, an unknown or variances that differ between layers, a
        number is out of range, there are not M of them, or the type has fewer than 32 bits.

    Examples
    --------
    >>> nets = Ensemble("8,16x3,2", 5, sigma_b=0.1)
    >>> nets
    Ensemble(members=5, 8 -> 16 -> 16 -> 16 -> 2, relu)
    >>> nets(torch.ones(7, 8)).shape
    torch.Size([5, 7, 2])

    A member is the same in any company:

    >>> alone = Ensemble("8,16x3,2", 1, sigma_b=0.1, seeds=[3])
    >>> torch.equal(alone.weights[2][0], nets.weights[2][3])
    True
    """

    def __init__(
        self,
        architecture: str | Architecture,
        members: int,
        *,
        activation: str | Activation | Sequence[str | Activation] | None = None,
        sigma_w: Any = None,
        sigma_b: Any = None,
        first_sigma_w: Any = None,
        first_sigma_b: Any = None,
        last_sigma_w: Any = 1.0,
        last_sigma_b: Any = 0.0,
        seeds: Sequence[Any] | None = None,
        dtype: Any = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        net = _plain(architecture)
        self.members = whole("members", members, _MOST_MEMBERS, counts="the networks of the ensemble")
        self.widths: tuple[int, ...] = (net.inputs, *net.widths, net.outputs)
        self.phis = _activations(net.phi if activation is None else activation, self.members)
        self.seeds = tuple(range(self.members)) if seeds is None else tuple(entries("seeds", seeds, "seeds"))
        if len(self.seeds) != self.members:
            raise DomainError(
                f"There are {len(self.seeds)} seeds for {self.members} members.",
                "One seed belongs to each member.",
                f"Give {self.members} seeds, or leave them out.",
            )
        hidden_w = self._per_member("sigma_w", _default_sigma_w(net, self.phis) if sigma_w is None else sigma_w)
        hidden_b = self._per_member("sigma_b", _of_all_layers(net, "sigma_b") if sigma_b is None else sigma_b)
        first_w = hidden_w if first_sigma_w is None else self._per_member("first_sigma_w", first_sigma_w)
        first_b = hidden_b if first_sigma_b is None else self._per_member("first_sigma_b", first_sigma_b)
        last_w = self._per_member("last_sigma_w", last_sigma_w)
        last_b = self._per_member("last_sigma_b", last_sigma_b)
        inner = len(self.widths) - 3
        numbers = sum((n + 1) * out for n, out in itertools.pairwise(self.widths))
        require_memory(8 * self.members * numbers, torch.device("cpu"), "members or the width")
        kind = kind_of(dtype, device)
        if torch.finfo(kind["dtype"]).bits < 32:
            raise DomainError(
                f"dtype = {kind['dtype']}.",
                "Squared norms of gradients and Adam's ε leave the range or the digits of so few bits.",
                "Give torch.float32 or torch.float64.",
            )
        roots = [root_of(seed) for seed in self.seeds]
        weights, biases = [], []
        for layer, (s_w, s_b) in enumerate([(first_w, first_b), *[(hidden_w, hidden_b)] * inner, (last_w, last_b)]):
            n, out = self.widths[layer : layer + 2]
            W, b = np.empty((self.members, n, out)), np.zeros((self.members, 1, out))
            for m, root in enumerate(roots):
                W[m] = stream(root, f"weights.{layer}").standard_normal((n, out)) * (s_w[m] / math.sqrt(n))
                if s_b[m]:
                    b[m] = stream(root, f"biases.{layer}").standard_normal((1, out)) * s_b[m]
            with torch.inference_mode(False):  # where it may be called; what is made in it cannot be trained
                weights.append(nn.Parameter(torch.as_tensor(W, **kind)))
                biases.append(nn.Parameter(torch.as_tensor(b, **kind)))
        self.weights, self.biases = nn.ParameterList(weights), nn.ParameterList(biases)
        self._phi = elementwise(self.phis)

    def _per_member(self, name: str, value: Any) -> FloatArray:
        """One standard deviation a member."""
        found = one_each(name, value, self.members)
        positive = name in ("sigma_w", "first_sigma_w")  # as in an Architecture; outputs may begin at 0
        fine = (found <= LARGEST) & ((found > 0) if positive else (found >= 0))
        if not fine.all():
            least = "more than 0" if positive else "0 or more"
            raise DomainError(
                f"{name} holds {shown(found[~fine][0])}.",
                f"It is a standard deviation{' of hidden weights' if positive else ''}: {least}, at most {LARGEST:g}.",
                f"Give {name} of {least}, up to {LARGEST:g}.",
            )
        return found

    @property
    def depth(self) -> int:
        """Number of hidden layers L."""
        return len(self.widths) - 2

    def pre_activations(self, x: Any, dense: Callable[[Any, Any, Any], Any] = torch.baddbmm) -> Any:
        """h¹, ..., h^L and the output, one after the other, each of shape (M, N, n).

        `x` has the shape (N, n_in), the same samples for all members, or (M, N, n_in); ``dense(b, a, W)`` is b + a W.
        """
        a = x if x.ndim == 3 else x.expand(self.members, *x.shape)
        for W, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = dense(b, a, W)
            yield h
            a = self._phi(h)
        yield dense(self.biases[-1], a, self.weights[-1])

    def outputs(self, x: Any, dense: Callable[[Any, Any, Any], Any] = torch.baddbmm) -> Any:
        """The last of `pre_activations`, shape (M, N, n_out)."""
        for h in self.pre_activations(x, dense):
            output = h
        return output

    def forward(self, x: Any) -> Any:
        """Outputs, shape (M, N, n_out), for inputs of shape (N, n_in) or (M, N, n_in).

        Raises
        ------
        DomainError
            `x` is no tensor, or has another shape, type or device than the weights ask for.
        """
        self._require_inputs(x)
        return self.outputs(x)

    def _require_inputs(self, x: Any) -> None:
        """Refuse what cannot be multiplied with the first weights."""
        n, like = self.widths[0], self.weights[0]
        shape = tuple(x.shape) if isinstance(x, torch.Tensor) else ()
        if len(shape) < 2 or shape[-1] != n or shape[:-2] not in ((), (self.members,)):
            found = f"of shape {shape}" if isinstance(x, torch.Tensor) else f"a {type(x).__name__}"
            raise DomainError(
                f"x is {found}.",
                f"The members take rows of {n} numbers: the same for all, or a batch for each of the {self.members}.",
                f"Give a tensor of shape (N, {n}) or ({self.members}, N, {n}).",
            )
        if x.device != like.device or (x.dtype != like.dtype and not torch.is_autocast_enabled(x.device.type)):
            raise DomainError(
                f"x has the type {x.dtype} on {x.device}, the weights {like.dtype} on {like.device}.",
                "A product needs one type on one device; numbers made by numpy are float64, torch's are float32.",
                "Convert the inputs: x.to(nets.weights[0]).",
            )

    def flops(self, samples: int) -> float:
        """Floating-point operations of a training step of all members on `samples` samples: 6 per weight and sample."""
        weights = sum(n * out for n, out in itertools.pairwise(self.widths))
        return 6.0 * self.members * weights * whole("samples", samples, counts="samples of a batch")

    def bytes_needed(self, samples: int, recorded: bool = False) -> int:
        """Memory of a training step with momentum: weights, gradients and two states, and activations kept.

        A recorded step has gradients and activations of its own, and is compared with three copies of the rest.
        """
        size = self.weights[0].element_size()
        weights = sum((n + 1) * out for n, out in itertools.pairwise(self.widths))
        matrices, activations = (12, 6) if flag("recorded", recorded) else (4, 3)
        kept = activations * whole("samples", samples, counts="samples of a batch") * sum(self.widths)
        return int(size) * self.members * (matrices * weights + kept)

    def extra_repr(self) -> str:
        """Members, widths and activation."""
        names = list(dict.fromkeys(phi.name for phi in self.phis))
        shown = " -> ".join(map(str, self.widths)) if self.depth <= 6 else f"{len(self.widths) - 1} layers"
        return f"members={self.members}, {shown}, {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"

    def __repr__(self) -> str:
        return f"Ensemble({self.extra_repr()})"


def one_each(name: str, value: Any, members: int) -> FloatArray:
    """A number for each member, of one for all or of as many."""
    found = as_floats(value)
    if found is None or found.shape not in ((), (1,), (members,)):
        raise DomainError(
            f"{name} = {shown(value, 100)} is neither a real number nor one for each of {members} members.",
            "A list of another length, an Architecture with a value for each layer, text or a tensor was given.",
            f"Give a number, or {members} of them.",
        )
    return np.array(np.broadcast_to(found, (members,)))


def require_ensemble(ensemble: Any) -> None:
    """Refuse what is no `Ensemble`, has no weights, or weights of several types or of few bits."""
    if not isinstance(ensemble, Ensemble):
        raise DomainError(
            f"ensemble is a {type(ensemble).__name__}.",
            "Only networks of one shape that were made together are trained together.",
            "Make an Ensemble('784,128x10,10', members).",
        )
    if ensemble.weights[0].is_meta:
        raise DomainError(
            "The ensemble is on the device meta.", "It keeps shapes, and no weights.", "Make it with device='cpu'."
        )
    kinds = {(parameter.dtype, parameter.device) for parameter in ensemble.parameters()}
    if len(kinds) > 1 or torch.finfo(ensemble.weights[0].dtype).bits < 32:
        raise DomainError(
            "The parameters are " + ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) + ".",
            "Some were converted or moved after the ensemble had been made, or all to fewer than 32 bits.",
            "Convert it as a whole: ensemble.float() or ensemble.double(), ensemble.to(device).",
        )


def _plain(architecture: str | Architecture) -> Architecture:
    """The architecture, if it is a plain chain of dense layers of known width."""
    net = Architecture.parse(architecture) if isinstance(architecture, str) else architecture
    if not isinstance(net, Architecture):
        raise DomainError(
            f"architecture is a {type(net).__name__}.",
            "Neither text nor an Architecture was given.",
            "Write such as '64,128x30,10'.",
        )
    if net.has_unknown:
        raise DomainError(
            f"'{net}' leaves a width open.",
            "The ? stands for a width to be found, and networks that are made need a number there.",
            "Write a number in its place; gpdeep.find_width says which is enough.",
        )
    odd: list[Block] = [block for block in net.blocks if block.kind is not Kind.DENSE]
    if odd or net.weights != "gaussian":
        raise DomainError(
            f"'{net}' has " + (f"the block {odd[0]}." if odd else f"{net.weights} weights."),
            "An ensemble is of plain dense layers with Gaussian weights.",
            "Use layers such as 128x30.",
        )
    return net


def _activations(given: Any, members: int) -> tuple[Activation, ...]:
    """One activation for each member, each of which takes tensors."""
    if isinstance(given, (str, Activation)):
        return (require_for_tensors(activation(given)),) * members
    if not isinstance(given, Sequence):
        raise DomainError(
            f"activation is a {type(given).__name__}.",
            "Neither a name, an activation, nor a list of them was given.",
            "Write such as activation='tanh'.",
        )
    found = tuple(require_for_tensors(activation(phi)) for phi in given)
    if len(found) != members:
        raise DomainError(
            f"There are {len(found)} activations for {members} members.",
            "A list of activations has one for each member.",
            f"Give one activation, or {members}.",
        )
    return found


def _default_sigma_w(net: Architecture, phis: tuple[Activation, ...]) -> Any:
    if net.sigma_w is not None:
        return _of_all_layers(net, "sigma_w")
    return [Architecture(net.inputs, net.blocks, net.outputs, phi).weight_sigma for phi in phis]


def _of_all_layers(net: Architecture, name: str) -> float:
    """The one standard deviation that an architecture has: a list here would be read as one for each member."""
    values = getattr(net, name)
    given = set(values) if isinstance(values, tuple) else {values}
    if len(given) > 1:
        raise DomainError(
            f"The architecture has {name} = {shown(values, 100)}, one for each layer.",
            "Hidden layers of an ensemble have one standard deviation; they may differ between members.",
            f"Give {name} to Ensemble: a number, or one for each member.",
        )
    return float(given.pop())
