"""Small networks of other kinds, as a user would write them, with ReLUs to be replaced.

Imported by the process that trains: it needs torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_POSITIONS = 16


class Convolutional(nn.Module):  # type: ignore[misc]  # torch is not followed
    """3x3 convolutions of one width with normalisation and ReLU, two with stride 2, then the mean over positions.

    With skips a layer adds to its input where their shapes agree.
    """

    def __init__(self, channels: int, width: int, depth: int, classes: int, *, skips: bool = False) -> None:
        super().__init__()
        self.skips = skips
        self.convolutions, self.norms, self.relus = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for layer in range(depth):
            stride = 2 if layer in (depth // 3, 2 * depth // 3) and layer else 1
            before = channels if layer == 0 else width
            self.convolutions.append(nn.Conv2d(before, width, 3, stride, padding=1, bias=False))
            self.norms.append(nn.BatchNorm2d(width))
            self.relus.append(nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x: Any) -> Any:
        """Logits (B, classes) of images (B, channels, side, side)."""
        h = x
        for convolution, norm, relu in zip(self.convolutions, self.norms, self.relus, strict=True):
            a = relu(norm(convolution(h)))
            h = h + a if self.skips and a.shape == h.shape else a
        return self.head(h.mean((2, 3)))


class Translator(nn.Module):  # type: ignore[misc]
    """Encoder and decoder of torch's layers with learned positions; no dropout."""

    def __init__(self, source_words: int, target_words: int, width: int, hidden: int, heads: int, layers: int) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(source_words, width), nn.Embedding(target_words, width)
        self.source_places = nn.Parameter(0.1 * torch.randn(_POSITIONS, width))
        self.target_places = nn.Parameter(0.1 * torch.randn(_POSITIONS, width))
        sizes: dict[str, Any] = {"nhead": heads, "dim_feedforward": hidden, "dropout": 0.0, "batch_first": True}
        self.encoder = nn.ModuleList(nn.TransformerEncoderLayer(width, **sizes) for _ in range(layers))
        self.decoder = nn.ModuleList(nn.TransformerDecoderLayer(width, **sizes) for _ in range(layers))
        self.head = nn.Linear(width, target_words)
        self.register_buffer("future", torch.triu(torch.full((_POSITIONS, _POSITIONS), float("-inf")), 1))

    def forward(self, source: Any, target: Any) -> Any:
        """Logits (B, words, target_words) of the word after each of the target's."""
        memory = self.source(source) + self.source_places[: source.shape[1]]
        for layer in self.encoder:
            memory = layer(memory)
        h = self.target(target) + self.target_places[: target.shape[1]]
        future = self.future[: target.shape[1], : target.shape[1]]
        for layer in self.decoder:
            h = layer(h, memory, tgt_mask=future)
        return self.head(h)


def translate(model: nn.Module, source: Any, words: int, start: int) -> Any:
    """The likeliest next word again and again, (B, words) with the start first."""
    said = torch.full((len(source), 1), start, dtype=source.dtype, device=source.device)
    with torch.no_grad():
        while said.shape[1] < words:
            said = torch.cat([said, model(source, said)[:, -1:].argmax(2)], dim=1)
    return said
