r"""A leaky residual network as a torch module: a representation that forgets at the rate L̃ and is fed by its weights.

    A_l = (1 - h_l) A_{l-1} + ρ_l W_l Sg(A_{l-1}),     h_l = ρ_l L̃,     l = 1..L,     Sg(A) = [φ(A); β 1ᵀ]
    A_0 = E X,   output R A_L                          S = (1/2L̃) Σ_l ρ_l |W_l|²

The steps ρ_l > 0 sum to 1, so that p_l = ρ_1 + ... + ρ_l goes from 0 to 1 whatever the number of layers; as it grows
the network becomes dA/dp = -L̃A + W_p Sg(A), and one that minimises C + λS is a symplectic Euler trajectory of the
Hamiltonian flow of that problem.

In these formulas samples are columns. Here they are rows, as everywhere in torch: inputs are (batch, features), and
what the formulas call A_l is the transpose of what the module computes. Weights are those of the formulas.

A. Jacot and A. Kaiser (2024), arXiv:2405.17573, section 1; the energies of a finite network are derived in
`gpdeep.leaky`.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...activations import Activation
from ...errors import DomainError, ValidityWarning
from ...gaussian.arguments import shown
from ...leaky.nonlinearity import Nonlinearity
from ...result import FloatArray
from ..arguments import LARGEST, kind_of, number, require_sigma, whole
from ..weight_draws import root_of, stream
from .arguments import bias_of, linear_map, steps_of, weights_of
from .energies import layer_energies, sample_invariant, stationarity_residual
from .start import exact_module, first_weights, level_sigma


class LeakyResNet(nn.Module):  # type: ignore[misc]
    r"""Leaky ResNet A_l = (1 - ρ_l L̃) A_{l-1} + ρ_l W_l [φ(A_{l-1}); β].

    An ordinary module: train it with any optimiser, ``loss + lam * model.parameter_cost()``, or with `train_leaky`.

    Parameters
    ----------
    width : int
        w, the number of neurons of every layer.
    depth : int
        L, the number of layers; more than L̃ where steps are equal.
    effective_depth : float
        L̃ > 0.
    steps : array_like of shape (depth,), optional
        ρ_l > 0 with sum 1 and ρ_l L̃ < 1; equal ones by default. A buffer: saved with the weights, never trained
        (`adapt_steps` moves them).
    activation : str or Activation
        φ, one for all neurons; a slope of ``prelu`` is not trained.
    bias : float
        β ≥ 0, the constant that the last column of the weights multiplies; 0 for weights without that column.
    read_in : array_like of shape (width, in_features), optional
        E, a fixed linear map before the first layer.
    read_out : array_like of shape (out_features, width), optional
        R, a fixed linear map after the last one.
    in_features, out_features : int, optional
        In place of a map: it is drawn, entries of E from N(0, 1/in_features) and of R from N(0, 1/width). Without map
        and number, inputs or outputs have `width` features.
    learn_read_in, learn_read_out : bool
        Whether a map is a parameter, and not a buffer.
    sigma_w : float, optional
        Weights start as W_l = L̃ w_l, w_l ~ N(0, σ_w²/width), with zeros in the last column. By default σ_w differs from
        layer to layer, such that no layer changes a mean square of 1:
        σ_w² = (2 - h_l)/(h_l E φ(z)²), z standard normal.
    rng : int, SeedSequence or Generator
        Key of the random numbers, together with the names of weights and maps; torch's global state is not touched,
        and neither type nor device changes what is drawn. A Generator advances by one number.
    dtype, device : optional
        Of parameters and buffers; torch's defaults.

    Attributes
    ----------
    weights : torch.nn.Parameter, shape (depth, width, width + 1)
        W_l, in the time p; (depth, width, width) where β = 0.
    steps : torch.Tensor, shape (depth,)
        ρ_l.
    read_in, read_out : torch.Tensor or None
        E and R.
    width, depth, effective_depth, bias, phi
        As given; `phi` is the activation as theory sees it.

    Raises
    ------
    DomainError
        A shape, number, type or device is not as said above, the activation is not in the catalogue or is a mixture.

    Notes
    -----
    *State.* `state_dict` has weights, steps and maps. Effective depth, bias and activation are arguments of the
    constructor, as in torch's own modules.

    *Why so large a start.* Independent weights add up like a random walk, so that a layer of length h has to be
    √(2/h) larger than one that all layers share. A sum C + λS that is minimised brings them down to a smooth path.

    References
    ----------
    A. Jacot and A. Kaiser, "Hamiltonian Mechanics of Feature Learning: Bottleneck Structure in Leaky ResNets",
    arXiv:2405.17573.

    Examples
    --------
    >>> model = LeakyResNet(30, 12, 3.0, in_features=10, out_features=2)
    >>> model
    LeakyResNet(
      width=30, depth=12, effective_depth=3, bias=1, read_in=10 -> 30, read_out=30 -> 2
      (activation): ReLU()
    )
    >>> model(torch.ones(5, 10)).shape, model.weights.shape
    (torch.Size([5, 2]), torch.Size([12, 30, 31]))

    With identity activation and W = L̃ the leak is made up for, and nothing changes on the way:

    >>> model = LeakyResNet(1, 8, 2.0, activation="identity", bias=0.0, dtype=torch.float64)
    >>> _ = torch.nn.init.constant_(model.weights, 2.0)
    >>> model(torch.tensor([[3.0]], dtype=torch.float64)).item(), model.parameter_cost().item()
    (3.0, 1.0)
    """

    def __init__(
        self,
        width: int,
        depth: int,
        effective_depth: float,
        *,
        steps: Any = None,
        activation: str | Activation = "relu",
        bias: float = 1.0,
        read_in: Any = None,
        read_out: Any = None,
        in_features: int | None = None,
        out_features: int | None = None,
        learn_read_in: bool = False,
        learn_read_out: bool = False,
        sigma_w: float | None = None,
        rng: Any = 0,
        dtype: Any = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        self.width, self.depth = (
            whole("width", width, counts="neurons"),
            whole("depth", depth, counts="layers"),
        )
        self.effective_depth = number(
            "effective_depth", effective_depth, 1e-30, LARGEST, "L̃, the rate of the leak over the whole network"
        )
        self.bias = bias_of(bias)
        self.phi: Activation = Nonlinearity.of(activation).phi
        self.activation = exact_module(self.phi)
        rho = steps_of(steps, self.depth, self.effective_depth)
        root = root_of(rng)
        if sigma_w is None:
            sigma = level_sigma(self.phi, rho * self.effective_depth)
        else:
            sigma = np.full(self.depth, require_sigma("sigma_w", sigma_w))
        first = first_weights(stream(root, "weights"), self.width, self.effective_depth * sigma, bias=self.bias > 0)
        maps = (
            ("read_in", read_in, (self.width, in_features), learn_read_in),
            ("read_out", read_out, (out_features, self.width), learn_read_out),
        )
        kind = kind_of(dtype, device)
        self.register_buffer("steps", torch.as_tensor(rho, **kind))
        self.weights = nn.Parameter(torch.as_tensor(first, **kind))
        for name, given, shape, learned in maps:
            linear = linear_map(name, given, shape, stream(root, name), learned)
            tensor = None if linear is None else torch.as_tensor(linear, **kind)
            if learned:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    @classmethod
    def from_arrays(
        cls,
        steps: Any,
        weights: Any,
        effective_depth: float,
        *,
        activation: str | Activation = "relu",
        bias: float = 1.0,
        read_in: Any = None,
        read_out: Any = None,
        dtype: Any = None,
        device: Any = None,
    ) -> LeakyResNet:
        """The network with these steps and weights.

        Parameters
        ----------
        steps : array_like of shape (L,)
            ρ_l.
        weights : array_like of shape (L, w, w + 1)
            W_l in the time p; (L, w, w) where `bias` is 0.
        effective_depth, activation, bias, read_in, read_out, dtype, device
            As for the constructor.

        Returns
        -------
        LeakyResNet

        Raises
        ------
        DomainError
            Shapes do not fit, or the steps are none.

        Examples
        --------
        >>> LeakyResNet.from_arrays([0.5, 0.5], [[[2.0]], [[2.0]]], 1.0, bias=0.0)(torch.tensor([[1.0]]))
        tensor([[2.2500]], grad_fn=<AddBackward0>)
        """
        W = weights_of(weights, bias_of(bias))
        model = cls(
            W.shape[1],
            W.shape[0],
            effective_depth,
            steps=steps,
            activation=activation,
            bias=bias,
            read_in=read_in,
            read_out=read_out,
            sigma_w=0.0,
            dtype=dtype,
            device=device,
        )
        with torch.no_grad():
            model.weights.copy_(torch.as_tensor(W))
        return model

    @classmethod
    def from_geodesic(
        cls,
        result: Any,
        depth: int | None = None,
        *,
        steps: Any = None,
        read_in: Any = None,
        read_out: Any = None,
        dtype: Any = None,
        device: Any = None,
    ) -> LeakyResNet:
        """The network of L layers that follows a geodesic: W_l is the path's weight at the layer's place.

        Its output is the end of the path up to O(1/L); `train_leaky` from here reaches the optimum of the finite
        network within a few iterations.

        Parameters
        ----------
        result : GeodesicResult
            From `gpdeep.leaky.geodesic`: anything with ``network(depth, steps) -> (rho, weights, nodes)`` and the
            attributes `effective_depth`, `activation`, `bias` and `gamma`.
        depth : int, optional
            L; by default the number of intervals of the path.
        steps : array_like of shape (L,), optional
            ρ_l; chosen by the path by default.
        read_in, read_out, dtype, device
            As for the constructor.

        Returns
        -------
        LeakyResNet

        Raises
        ------
        DomainError
            A step has ρ_l L̃ ≥ 1, or the result is no path.

        Warns
        -----
        ValidityWarning
            The path has γ > 0: then every sample has a private feature that no weight makes, and the network, which
            has none, leaves the path.
        """
        if not callable(getattr(result, "network", None)):
            raise DomainError(
                f"result is a {type(result).__name__}.",
                "It is not what gpdeep.leaky.geodesic returned.",
                "Give a GeodesicResult.",
            )
        if getattr(result, "gamma", 0.0) > 0:
            warnings.warn(
                f"The path was computed with gamma = {result.gamma:g}: a network has no private features of samples, "
                "and leaves it by an amount that grows with gamma.",
                ValidityWarning,
                stacklevel=2,
            )
        layers = len(result.p) - 1 if depth is None else whole("depth", depth, counts="layers")
        rho, W, _ = result.network(layers, steps)
        return cls.from_arrays(
            rho,
            W,
            result.effective_depth,
            activation=result.geometry.phi.phi if hasattr(result, "geometry") else result.activation,
            bias=result.bias,
            read_in=read_in,
            read_out=read_out,
            dtype=dtype,
            device=device,
        )

    # ------------------------------------------------------------------ the network

    def _layer(self, index: int, a: Any) -> Any:
        """A_l from A_{l-1}, samples as rows; layers count from 0."""
        weight, rho = self.weights[index], self.steps[index]
        constant = self.bias * weight[:, self.width] if self.bias else None
        fed = F.linear(self.activation(a), weight[:, : self.width], constant)
        return (1 - rho * self.effective_depth) * a + rho * fed

    def forward(self, x: Any) -> Any:
        """Output R A_L, shape (..., out_features), for inputs of shape (..., in_features)."""
        a = x if self.read_in is None else F.linear(x, self.read_in)
        for index in range(self.depth):
            a = self._layer(index, a)
        return a if self.read_out is None else F.linear(a, self.read_out)

    def representations(self, x: Any) -> Any:
        """A_0, ..., A_L, shape (depth + 1, ..., width): entry l is the transpose of the A_l of the formulas.

        Raises
        ------
        DomainError
            `x` is no tensor of real numbers with the features of the model along its last axis.
        """
        features = self.width if self.read_in is None else self.read_in.shape[1]
        plain = isinstance(x, torch.Tensor) and not (x.is_complex() or x.is_quantized or x.is_sparse or x.is_meta)
        if not plain or not x.ndim or x.shape[-1] != features or x.dtype != self.weights.dtype:
            raise DomainError(
                f"x is {shown(x, 80)}.",
                "It is no tensor, or has other features, another type or another device than the model.",
                f"Give a tensor of shape (..., {features}) and type {self.weights.dtype}.",
            )
        a = x if self.read_in is None else F.linear(x, self.read_in)
        path = [a]
        for index in range(self.depth):
            path.append(self._layer(index, path[-1]))
        return torch.stack(path)

    # ------------------------------------------------------------------ what theory asks

    def parameter_cost(self) -> Any:
        """S = (1/2L̃) Σ_l ρ_l |W_l|², a scalar tensor to differentiate; maps at the ends do not count."""
        return (self.steps * self.weights.square().sum((1, 2))).sum() / (2 * self.effective_depth)

    def stationarity_residual(
        self, X: Any, Y: Any, *, lam: float, cost: Any = "squared", sharpness: float = math.inf
    ) -> float:
        """max_l |W_l - L̃ B_l Sg_{l-1}ᵀ|/|W_l|: how far C + λS is from stationary in the weights.

        See `gpdeep.nn.leaky.energies.stationarity_residual`.
        """
        return stationarity_residual(self, X, Y, lam=lam, cost=cost, sharpness=sharpness)

    def layer_energies(
        self,
        X: Any,
        Y: Any,
        *,
        lam: float,
        cost: Any = "squared",
        corrected: bool = True,
        sharpness: float = math.inf,
    ) -> FloatArray:
        """Energies H_l of the layers, in the time p, constant along a stationary network up to its step.

        See `gpdeep.nn.leaky.energies.layer_energies`.
        """
        return layer_energies(self, X, Y, lam=lam, cost=cost, corrected=corrected, sharpness=sharpness)

    def sample_invariant(self, X: Any, Y: Any, *, lam: float, cost: Any = "squared") -> FloatArray:
        """What a_i·b_i changes by in each layer beyond what the bias adds: 0 to rounding for a homogeneous φ.

        See `gpdeep.nn.leaky.energies.sample_invariant`.
        """
        return sample_invariant(self, X, Y, lam=lam, cost=cost)

    def extra_repr(self) -> str:
        """Shape and numbers."""
        parts = [f"width={self.width}", f"depth={self.depth}", f"effective_depth={self.effective_depth:g}"]
        parts.append(f"bias={self.bias:g}")
        for name, linear in (("read_in", self.read_in), ("read_out", self.read_out)):
            if linear is not None:
                learned = ", learned" if isinstance(linear, nn.Parameter) else ""
                parts.append(f"{name}={linear.shape[1]} -> {linear.shape[0]}{learned}")
        return ", ".join(parts)
