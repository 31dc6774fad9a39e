r"""Several networks of one shape side by side, with the channels of all of them in one `PartialReLU` a layer.

    h^l = φ_a(W^l h^{l-1} + b^l),     or  h^l = h^{l-1} + φ_a(W^l h^{l-1} + b^l)  from the second layer on, with skips

Samples are columns, and the channels of the M networks lie one after another: activation, penalty and freezing treat
them as M n channels of one layer, and no number of one network meets one of another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from gpdeep.nn import PartialReLU
from gpdeep.result import BoolArray, IntArray

from ..data.streams import stream


class Stack(nn.Module):  # type: ignore[misc]  # torch is not followed
    """M networks of `depth` hidden layers of one width; member m begins with the weights of ``seeds[m]``.

    Parameters
    ----------
    seeds : sequence of int
    inputs, width, depth, classes : int
    skips : bool
    """

    def __init__(
        self, seeds: Sequence[int], inputs: int, width: int, depth: int, classes: int, *, skips: bool = False
    ) -> None:
        super().__init__()
        self.members, self.width, self.depth, self.skips = len(seeds), width, depth, skips
        sizes = [inputs, *[width] * depth, classes]
        weights = [
            torch.stack([_drawn(seed, layer, before, after, last=layer == depth) for seed in seeds])
            for layer, (before, after) in enumerate(itertools.pairwise(sizes))
        ]
        self.weights = nn.ParameterList(nn.Parameter(W) for W in weights)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(len(seeds), n, 1)) for n in sizes[1:])
        self.activations = nn.ModuleList(PartialReLU(len(seeds) * width) for _ in range(depth))

    def forward(self, x: Any) -> Any:
        """Logits (M, classes, B) for inputs (B, inputs) that all members see."""
        return self.through(x.T.expand(self.members, -1, -1))[-1]

    def through(self, h: Any) -> list[Any]:
        """Post-activations of all layers, and the logits last, for inputs (M, inputs, B)."""
        seen = []
        for layer, phi in enumerate(self.activations):
            z = torch.baddbmm(self.biases[layer], self.weights[layer], h)
            a = phi(z.reshape(1, self.members * self.width, -1)).view_as(z)
            h = h + a if self.skips and layer else a
            seen.append(h)
        seen.append(torch.baddbmm(self.biases[-1], self.weights[-1], h))
        return seen

    def active(self) -> IntArray:
        """Units that are not frozen, shape (M, depth)."""
        counts: IntArray = (~self.frozen()).sum(axis=2)
        return counts

    def frozen(self) -> BoolArray:
        """Which units are linear, shape (M, depth, width)."""
        masks = torch.stack([phi.frozen.view(self.members, self.width) for phi in self.activations], dim=1)
        found: BoolArray = masks.cpu().numpy()
        return found

    def freeze(self, mask: BoolArray) -> None:
        """Make units linear for good, and train no slope any more; the mask is of shape (M, depth, width)."""
        for layer, phi in enumerate(self.activations):
            phi.freeze(torch.as_tensor(mask[:, layer].reshape(-1)))
            phi.alpha.requires_grad_(False)

    def member(self, index: int) -> Member:
        """One network as a module of its own."""
        return Member(self, index)


class Member(nn.Module):  # type: ignore[misc]
    """A network of a stack, as anyone would write it: inputs (B, inputs) to logits (B, classes)."""

    def __init__(self, stack: Stack, index: int) -> None:
        super().__init__()
        self.skips = stack.skips
        own = slice(index * stack.width, (index + 1) * stack.width)
        self.layers, self.phis = nn.ModuleList(), nn.ModuleList()
        for W, b in zip(stack.weights, stack.biases, strict=True):
            layer = nn.utils.skip_init(nn.Linear, W.shape[2], W.shape[1])  # draws no numbers
            with torch.no_grad():
                layer.weight.copy_(W[index])
                layer.bias.copy_(b[index, :, 0])
            self.layers.append(layer)
        for phi in stack.activations:
            part = PartialReLU(stack.width, phi.alpha.detach()[own].cpu())
            part.freeze(phi.frozen[own].cpu())
            self.phis.append(part)

    def forward(self, x: Any) -> Any:
        """Logits."""
        h = x
        for index, phi in enumerate(self.phis):
            a = phi(self.layers[index](h))
            h = h + a if self.skips and index else a
        return self.layers[-1](h)


def _drawn(seed: int, layer: int, before: int, after: int, *, last: bool) -> Any:
    """Gaussian weights (after, before) of variance 2/before, of the last layer 1/before."""
    rng = stream("partial linearisation", seed, "weights", layer)
    scale = math.sqrt((1 if last else 2) / before)
    return torch.as_tensor(scale * rng.standard_normal((after, before)), dtype=torch.float32)
