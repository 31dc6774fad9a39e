r"""What happens at the activations of a module while it runs, in order of execution.

    q_i = (1/n) Σ_u h_iu²          mean square of the pre-activations of input i over its n units
    g_i = ln Σ_u (∂S/∂h_iu)²       S a scalar of the outputs, such as v·y with a random v

h^l is what activation l is given: the first axis runs over inputs, and all others are units, so that in a convolution
a unit is a channel at a position. The derivative is the total one: it includes what reaches the output past the
activation, by a skip.

All numbers are those of the network's own arithmetic, summed in float64: in half precision a square overflows at
|h| > 256. A unit is flat where torch's derivative is exactly 0, be it that φ is constant there or that the number
format cannot tell (tanh in half precision beyond 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd.graph import GradientEdge, get_gradient_edge, saved_tensors_hooks

from ...activations import Activation
from ...errors import DomainError
from ...result import FloatArray
from .loose_operations import loose_operations
from .phi import table_name

Sites = Mapping[nn.Module, tuple[str, Activation | None]]
"""The modules to record: their names, and φ where it is known."""


@dataclass(frozen=True)
class SiteRecord:
    """One passage through one activation.

    Attributes
    ----------
    name : str
        Of the module; with ``:2`` behind it where it is used a second time.
    kind : str
        The name of φ ("linear" where its slopes are one), or of the module's class.
    phi : Activation or None
    before : tuple of torch.nn.Module
        What was called since the passage before, of modules without parts that are none of the sites'.
    loose : tuple of str
        Operations since the passage before that belong to no module (`loose_operations`).
    units : int
        n, of one input.
    dense : bool
        Whether the pre-activations have the shape (inputs, units).
    q : ndarray, shape (inputs,)
    sparsity, linear, clipped : float
        Shares of units, over all inputs: output exactly 0; φ' ≠ 0; φ' = 0 and output not 0.
    attached : bool
        Whether autograd was on.
    log_grad_norm2 : ndarray, shape (inputs,)
        g_i: -inf where no gradient arrives, NaN where autograd was off.
    """

    name: str
    kind: str
    phi: Activation | None
    before: tuple[nn.Module, ...]
    loose: tuple[str, ...]
    units: int
    dense: bool
    q: FloatArray
    sparsity: float
    linear: float
    clipped: float
    attached: bool
    log_grad_norm2: FloatArray


def record(
    module: nn.Module, inputs: torch.Tensor, sites: Sites, scalar: Callable[[Any], torch.Tensor]
) -> list[SiteRecord]:
    """One forward pass of `module` on `inputs` and one backward pass of S = `scalar` (output), seen at the `sites`."""
    recorder = _Recorder(sites)
    handles = []
    try:
        for site in sites:
            handles.append(site.register_forward_pre_hook(recorder.before, with_kwargs=True))
            handles.append(site.register_forward_hook(recorder.after))
        inside = {part for site in sites for part in site.modules()}
        for part in module.modules():
            scripted = isinstance(part, torch.jit.ScriptModule)  # takes no hooks
            if part not in inside and not scripted and next(part.children(), None) is None:
                handles.append(part.register_forward_pre_hook(recorder.between))
                handles.append(part.register_forward_hook(recorder.stepped_over, with_kwargs=True))
        output = module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return recorder.records(scalar(output), inputs)


@dataclass
class _Passage:
    """A `SiteRecord` in the making."""

    module: nn.Module
    others: tuple[nn.Module, ...]
    shape: torch.Size
    q: FloatArray
    slope: torch.Tensor | None
    edge: Any = None
    view: tuple[torch.Tensor, tuple[int, ...], tuple[int, ...], int] | None = None
    shares: tuple[float, float, float] = (np.nan, np.nan, np.nan)


class _Recorder:
    """The hooks, and what they have seen."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._passages: list[_Passage] = []
        self._open: list[_Passage] = []
        self._others: list[nn.Module] = []
        self._aside = False
        self._over: dict[Any, tuple[Any, ...]] = {}
        self._ends: set[Any] = set()

    def between(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Note a module on the way to the next activation."""
        self._others.append(module)

    def stepped_over(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Note from where to where in the graph of autograd a module leads that changes nothing in place."""
        given = tuple(x.grad_fn for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor))
        if isinstance(output, torch.Tensor) and output.grad_fn is not None and output.grad_fn not in given:
            self._over[output.grad_fn] = tuple(node for node in given if node is not None)

    def before(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Look at the pre-activations, before an activation in place overwrites them."""
        if self._aside:
            return
        h = next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)), None)
        if h is None or not h.is_floating_point() or h.numel() == 0:
            found = "no tensor" if h is None else f"a tensor of shape {tuple(h.shape)} and type {h.dtype}"
            raise DomainError(
                f"The activation '{self._sites[module][0]}' is given {found}.",
                "It is no activation, or the inputs are an empty batch.",
                "Give inputs with at least one sample, and modules that act on real numbers elementwise.",
            )
        slope, in_place = self._slope(module, h, args, kwargs)
        passage = _Passage(module, tuple(self._others), h.shape, mean_squares(h), slope)
        self._others.clear()
        if h.requires_grad and torch.is_grad_enabled():
            # The edge of the graph stays that of h when h is overwritten; but a view is rebuilt from its base then.
            base = h._base if in_place and h._is_view() else None
            passage.edge = _before_copies(get_gradient_edge(h)) if base is None else get_gradient_edge(base)
            if base is not None:
                passage.view = (base.detach(), tuple(h.size()), tuple(h.stride()), h.storage_offset())
        self._passages.append(passage)
        self._open.append(passage)

    def after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Look at the output."""
        if self._aside:
            return
        passage = self._open.pop()
        while passage.module is not module:  # its forward raised, and the module around it went on
            passage = self._open.pop()
        if not isinstance(output, torch.Tensor):
            return
        if output.grad_fn is not None:
            self._ends.add(output.grad_fn)
        zero, flat = output.detach() == 0, None if passage.slope is None else passage.slope == 0
        unknown = bool(output.isnan().any())
        passage.shares = (
            _share(zero, unknown),
            _share(None if flat is None else ~flat, unknown),
            _share(None if flat is None else flat & ~zero, unknown),
        )
        passage.slope = None

    def _slope(
        self, module: nn.Module, h: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[torch.Tensor | None, bool]:
        """φ'(h) by torch (None if the output has another shape), and whether the module works in place.

        The module is run on a copy, by itself: whatever the graph around it, gradients pass.
        """
        self._aside = True
        try:
            own = saved_tensors_hooks(lambda x: x, lambda x: x)  # not those of a checkpoint around the module
            with torch.inference_mode(False), torch.enable_grad(), own:
                leaf = h.detach().clone().requires_grad_()
                copy = leaf.clone()
                version = copy._version
                output = module.forward(
                    *(copy if x is h else x for x in args), **{k: copy if x is h else x for k, x in kwargs.items()}
                )
                in_place = copy._version != version
                if not isinstance(output, torch.Tensor) or output.shape != h.shape:
                    return None, in_place
                if not output.requires_grad:
                    return torch.zeros_like(h), in_place
                (slope,) = torch.autograd.grad(output, leaf, torch.ones_like(output), allow_unused=True)
                return torch.zeros_like(h) if slope is None else slope, in_place
        finally:
            self._aside = False

    def records(self, scalar: torch.Tensor, inputs: torch.Tensor) -> list[SiteRecord]:
        """The passages, with the gradients of `scalar`."""
        leads: dict[Any, bool] = {}
        starts = self._ends if inputs.grad_fn is None else {inputs.grad_fn, *self._ends}
        loose = [
            () if passage.edge is None else loose_operations(passage.edge.node, self._over, starts, leads)
            for passage in self._passages
        ]
        edges = [passage.edge for passage in self._passages if passage.edge is not None]
        gradients = iter(_gradients(scalar, edges))
        used: dict[str, int] = {}
        found = []
        for passage, operations in zip(self._passages, loose, strict=True):
            name, phi = self._sites[passage.module]
            used[name] = used.get(name, 0) + 1
            gradient = None if passage.edge is None else next(gradients)
            if passage.edge is None:
                logarithm = np.full(len(passage.q), np.nan)
            elif gradient is None:
                logarithm = np.full(len(passage.q), -np.inf)
            else:
                logarithm = log_norm2(_of_view(gradient, passage).reshape(passage.shape))
            sparsity, linear, clipped = passage.shares
            found.append(
                SiteRecord(
                    name=name if used[name] == 1 else f"{name}:{used[name]}",
                    kind=type(passage.module).__name__ if phi is None else table_name(phi),
                    phi=phi,
                    before=passage.others,
                    loose=operations,
                    units=passage.shape.numel() // len(passage.q),
                    dense=len(passage.shape) == 2,
                    q=passage.q,
                    sparsity=sparsity,
                    linear=linear,
                    clipped=clipped,
                    attached=passage.edge is not None,
                    log_grad_norm2=logarithm,
                )
            )
        return found


def mean_squares(h: torch.Tensor) -> FloatArray:
    """The mean square of each input's units."""
    return _numbers(_by_input(h).square().mean(dim=1))


def log_norm2(gradient: torch.Tensor) -> FloatArray:
    """ln Σ g² for each input, free of overflow and underflow."""
    g = _by_input(gradient)
    largest = g.abs().amax(dim=1, keepdim=True)
    ordinary = (largest > 0) & largest.isfinite()
    squares = (g / torch.where(ordinary, largest, 1.0)).square().sum(dim=1)
    return _numbers(2 * torch.where(ordinary, largest, 1.0).log()[:, 0] + squares.log())


def _by_input(x: torch.Tensor) -> torch.Tensor:
    """`x` as inputs x units in float64, which Apple's GPUs do not have."""
    x = x.detach()
    x = x.cpu() if x.device.type == "mps" else x
    return x.double().reshape(len(x) if x.ndim else 1, -1)


def _numbers(x: torch.Tensor) -> FloatArray:
    numbers: FloatArray = x.cpu().numpy()
    return numbers


def _share(mask: torch.Tensor | None, unknown: bool) -> float:
    return float("nan") if mask is None or unknown else int(torch.count_nonzero(mask)) / mask.numel()


def _before_copies(edge: Any) -> Any:
    """The edge of what was copied, where autograd's gradients of a tensor and of its copy differ by those of a skip."""
    while edge.node.name().startswith("CloneBackward"):
        (node, place), *_ = edge.node.next_functions
        if node is None or node.name().endswith("AccumulateGrad"):
            break
        edge = GradientEdge(node, place)
    return edge


def _of_view(gradient: torch.Tensor, passage: _Passage) -> torch.Tensor:
    """The part of a base's gradient that belongs to the view which was overwritten."""
    if passage.view is None:
        return gradient
    base, size, stride, offset = passage.view
    laid_out = torch.empty_strided(base.size(), base.stride(), dtype=gradient.dtype, device=gradient.device)
    return laid_out.copy_(gradient).as_strided(size, stride, offset - base.storage_offset())


def _gradients(scalar: torch.Tensor, edges: list[Any]) -> tuple[torch.Tensor | None, ...]:
    if not scalar.requires_grad:
        raise DomainError(
            "The output carries no gradient, although the inputs do.",
            "forward runs under torch.no_grad or torch.inference_mode, detaches, or rounds to integers.",
            "Take the decorator or the detach() out, or give a loss that is differentiable.",
        )
    if not edges:
        return ()
    try:
        found: tuple[torch.Tensor | None, ...] = torch.autograd.grad(scalar, edges, allow_unused=True)
    except RuntimeError as error:
        raise DomainError(
            f"The gradient cannot be computed ({error}).",
            "Something that the backward pass needs was overwritten in place, or a layer is checkpointed reentrantly.",
            "Use inplace=False, or checkpoint with use_reentrant=False.",
        ) from error
    return found
