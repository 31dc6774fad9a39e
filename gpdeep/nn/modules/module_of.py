"""The torch module that applies an activation of gpdeep."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...activations import Activation, activation
from ...activations.catalogue import parse_activation
from ...errors import DomainError
from ...gaussian.arguments import shown
from .clipped import CST, CReLU, ReLUTau, SoftThreshold

if TYPE_CHECKING:
    from ...sparse import Design, Instability

# softplus as torch has it: x beyond 20/β, where log(1 + e^-20) = 2e-9 is dropped
_MODULES: dict[str, Callable[..., Any]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": lambda slope: nn.PReLU(init=slope),
    "identity": nn.Identity,
    "relu6": nn.ReLU6,
    "relu_tau": ReLUTau,
    "st": SoftThreshold,
    "crelu": CReLU,
    "cst": CST,
    "hard_tanh": lambda m=1.0: nn.Hardtanh(-m, m),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": lambda beta=1.0: nn.Softplus(beta, threshold=20),
    "elu": nn.ELU,
    "selu": nn.SELU,
}
_WITHOUT_NUMBERS = {"leaky_relu": (0.01,), "prelu": (0.25,)}


class Elementwise(nn.Module):  # type: ignore[misc]
    """Any activation that takes tensors, as a module without parameters.

    Parameters
    ----------
    phi : Activation
        Applied as it is; its gradient is what autograd makes of its operations. A `Mixture` acts on the last axis,
        which holds the channels after `torch.nn.Linear` and not after a convolution.

    Raises
    ------
    DomainError
        `phi` is no activation, or fails on a tensor.
    """

    def __init__(self, phi: Activation) -> None:
        super().__init__()
        self._phi = require_for_tensors(phi)

    @property
    def phi(self) -> Activation:
        """The activation."""
        return self._phi

    def forward(self, x: Any) -> Any:
        """φ(x)."""
        return self._phi(x)

    def extra_repr(self) -> str:
        """The activation's name."""
        return self._phi.name


def module_of(phi: str | Activation | Design | Instability) -> nn.Module:
    """A torch module that applies φ.

    Parameters
    ----------
    phi : str, Activation, Design or Instability
        A name of the catalogue, an activation, or what `gpdeep.sparse` answers, whose activation is taken.

    Returns
    -------
    torch.nn.Module
        torch's own for what torch has (``relu``, ``tanh``, ``hard_tanh``, ...), `ReLUTau`, `SoftThreshold`, `CReLU`,
        `CST`, and `Elementwise` for any other activation that takes tensors. New at every call. ``prelu`` gives
        `torch.nn.PReLU`, whose slope is a parameter and is trained.

    Raises
    ------
    DomainError
        The name is not in the catalogue; what was given is neither name, activation nor design; or the function was
        written for numpy arrays and fails on a tensor, or on one with a gradient.

    Examples
    --------
    >>> module_of("crelu:1,1.5"), module_of("hard_tanh"), module_of("sin")
    (CReLU(tau=1.0, m=1.5), Hardtanh(min_val=-1.0, max_val=1.0), Elementwise(sin))
    """
    found = _activation(phi)
    with contextlib.suppress(DomainError):  # a name of one's own
        name, numbers = parse_activation(found.name)
        if name in _MODULES and activation(found.name) == found:
            return _MODULES[name](*(numbers or _WITHOUT_NUMBERS.get(name, ())))
    return Elementwise(found)


def _activation(phi: Any) -> Activation:
    """The activation that is given, named, or designed."""
    if isinstance(phi, (str, Activation)):
        found: Activation = activation(phi)
        return found
    return require_for_tensors(getattr(phi, "phi", phi))


def require_for_tensors(phi: Any) -> Activation:
    """`phi`, if it is an activation that takes tensors."""
    if not isinstance(phi, Activation):
        raise DomainError(
            f"The activation is {shown(phi, 200)}.",
            "Neither a name, an activation nor a sparse design was given.",
            "Write a name such as 'crelu:1,1.5', or give an activation object or a gpdeep.sparse design.",
        )
    try:
        with torch.inference_mode(False), torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy, which takes a tensor for an array where it has no gradient
            probe = torch.linspace(-1.0, 1.0, 4, device="cpu").reshape(2, 2).requires_grad_()
            value = phi(probe)
    except Exception as error:
        raise DomainError(
            f"Activation '{phi.name}' fails on a tensor with a gradient ({type(error).__name__}: {error}).",
            "Its function was written for numpy arrays.",
            "Write it with operations that numpy arrays and tensors share, or with torch's for tensors.",
        ) from error
    if not isinstance(value, torch.Tensor) or value.shape != probe.shape:
        raise DomainError(
            f"Activation '{phi.name}' makes a {type(value).__name__} of a tensor.",
            "Its function converts to numpy, where gradients end, or changes the shape.",
            "Let it return a tensor of the shape it is given.",
        )
    return phi
