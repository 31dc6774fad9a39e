r"""Many equal networks as one: every parameter has the members as its first axis, every layer is one batched product.

    z^l = W^l h^{l-1},     h^l = φ_α(γ (z^l - mean)/std + β),     φ_α(x) = max(x, 0) + α min(x, 0),     l = 1..L
    logits = W^{L+1} h^L + b

α, γ and β are a number a channel. Samples are columns: the channels of all members lie in one row of length M·n, and
normalisation and activation treat them alike, so that no number of one member meets one of another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from .channel_slopes import ChannelSlopes
from .design import Design, Member
from .streams import stream

_MOMENTUM = 0.1  # of the running statistics, as in torch's modules


class Stack:
    """Parameters of M networks with `inputs` inputs and `classes` outputs.

    Attributes
    ----------
    first, hidden, head : torch.Tensor, shape (M, n, inputs), (M, L-1, n, n) and (M, classes, n)
    offset : torch.Tensor, shape (M, classes, 1)
    gain, shift, slopes : torch.Tensor, shape (M, L, n)
    mean, var : torch.Tensor, shape (L, M n)
        Running statistics.
    """

    def __init__(self, task: str, members: Sequence[Member], design: Design, inputs: int, classes: int) -> None:
        M, L, n = len(members), design.hidden_layers, design.width
        drawn: dict[int, list[torch.Tensor]] = {}
        for member in members:
            if member.seed not in drawn:
                drawn[member.seed] = _weights(task, member.seed, [inputs] + [n] * L + [classes])
        weights = [torch.stack(layer) for layer in zip(*(drawn[member.seed] for member in members), strict=True)]
        self.first, self.head = weights[0].requires_grad_(), weights[-1].requires_grad_()
        self.hidden = torch.stack(weights[1:-1], dim=1).requires_grad_()
        self.offset = torch.zeros(M, classes, 1).requires_grad_()
        self.gain, self.shift = torch.ones(M, L, n).requires_grad_(), torch.zeros(M, L, n).requires_grad_()
        self.slopes = torch.zeros(M, L, n)
        self.slopes[[i for i, member in enumerate(members) if member.arm == "linear"]] = 1.0
        self.slopes.requires_grad_()
        self.mean, self.var = torch.zeros(L, M * n), torch.ones(L, M * n)

    @property
    def matrices(self) -> list[torch.Tensor]:
        """Parameters with weight decay."""
        return [self.first, self.hidden, self.head]

    @property
    def others(self) -> list[torch.Tensor]:
        """Parameters without, slopes left out."""
        return [self.offset, self.gain, self.shift]

    def logits(self, x: torch.Tensor, *, training: bool) -> torch.Tensor:
        """Outputs (M, classes, B) for inputs (M, inputs, B); in training, running statistics are brought up to date."""
        M, L, n = self.slopes.shape
        h = x
        gain, shift, slopes = (p.transpose(0, 1).reshape(L, M * n) for p in (self.gain, self.shift, self.slopes))
        for layer in range(L):
            z = torch.bmm(self.first if layer == 0 else self.hidden[:, layer - 1], h).view(1, M * n, -1)
            statistics = self.mean[layer], self.var[layer]
            z = F.batch_norm(z, *statistics, gain[layer], shift[layer], training, _MOMENTUM)
            h = ChannelSlopes.apply(z[0], slopes[layer, :, None]).view(M, n, -1)
        return torch.baddbmm(self.offset, self.head, h)


def _weights(task: str, seed: int, sizes: Sequence[int]) -> list[torch.Tensor]:
    """Gaussian matrices (out, in) of variance 2/in, the last of 1/in, drawn in float64."""
    rng = stream(task, seed, "weights")
    drawn = []
    for layer, (before, after) in enumerate(itertools.pairwise(sizes)):
        scale = math.sqrt((1 if layer == len(sizes) - 2 else 2) / before)
        drawn.append(torch.from_numpy((scale * rng.normal(size=(after, before))).astype(np.float32)))
    return drawn
