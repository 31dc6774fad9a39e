"""Affine layers as kernels in float64: what two of them in a row, or side by side, are as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import nn

from .specs import AffineSpec, aligned, composed, identity_spec, sum_steps, summed

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@dataclass(frozen=True, eq=False)
class AffineMap:
    """A layer W x + b.

    Attributes
    ----------
    spec : AffineSpec
    weight : torch.Tensor, shape (outputs, inputs/groups, *kernel)
        In float64 on the CPU.
    bias : torch.Tensor or None, shape (outputs,)
    """

    spec: AffineSpec
    weight: Any
    bias: Any

    def on_axes(self, count: int) -> AffineMap:
        """The same over `count` axes of positions."""
        spec = self.spec.on_axes(count)
        return AffineMap(spec, self.weight.reshape(*self.weight.shape[:2], *spec.kernel), self.bias)

    def after(self, first: AffineMap) -> AffineMap:
        """This layer after `first`, as one; as if nothing were padded in between."""
        a, b = _aligned(first, self)
        spec = composed(a.spec, b.spec)
        g = spec.groups
        one = _regrouped(a, g).reshape(g, -1, spec.inputs // g, *a.spec.kernel)
        two = _regrouped(b, g).reshape(g, spec.outputs // g, -1, *b.spec.kernel)
        weight = torch.zeros(spec.outputs, spec.inputs // g, *spec.kernel, dtype=torch.float64)
        for tap in _taps(b.spec.kernel):
            part = torch.einsum("goc,gci...->goi...", two[(..., *tap)], one)
            place = [
                _places(s1 * d2 * j // step, d1 // step if k1 > 1 else 1, k1)
                for s1, d2, j, d1, k1, step in zip(
                    a.spec.stride, b.spec.dilation, tap, a.spec.dilation, a.spec.kernel, spec.dilation, strict=True
                )
            ]
            weight[(slice(None), slice(None), *place)] += part.reshape(spec.outputs, spec.inputs // g, *a.spec.kernel)
        bias = b.bias
        if a.bias is not None:
            sums = two.flatten(3).sum(3) if b.spec.kernel else two
            carried = torch.einsum("goc,gc->go", sums, a.bias.reshape(g, -1)).reshape(-1)
            bias = carried if bias is None else bias + carried
        return AffineMap(spec, weight, bias)

    def beside(self, other: AffineMap) -> AffineMap:
        """The sum of this layer and `other`, of one input."""
        a, b = _aligned(self, other)
        spec = summed(a.spec, b.spec)
        weight = torch.zeros(spec.outputs, spec.inputs // spec.groups, *spec.kernel, dtype=torch.float64)
        steps = sum_steps(a.spec, b.spec)
        for part in (a, b):
            place = [
                _places((p - own) // step, d // step if k > 1 else 1, k)
                for p, own, step, d, k in zip(
                    spec.padding, part.spec.padding, steps, part.spec.dilation, part.spec.kernel, strict=True
                )
            ]
            weight[(slice(None), slice(None), *place)] += _regrouped(part, spec.groups)
        biases = [part.bias for part in (a, b) if part.bias is not None]
        return AffineMap(spec, weight, sum(biases) if biases else None)

    def module(self, like: Any) -> nn.Module:
        """A torch layer that computes it, of the type and on the device of the tensor `like`."""
        spec, has_bias = self.spec, self.bias is not None
        weight = self.weight
        new: Any
        with torch.device(like.device):
            if not spec.kernel:
                weight = _regrouped(self, 1)
                new = nn.Linear(spec.inputs, spec.outputs, has_bias, dtype=like.dtype)
            else:
                new = _CONVOLUTIONS[len(spec.kernel)](
                    spec.inputs, spec.outputs, spec.kernel, spec.stride, spec.padding, spec.dilation, spec.groups,
                    has_bias, spec.mode, dtype=like.dtype,
                )  # fmt: skip
        with torch.no_grad():
            new.weight.copy_(weight)
            if has_bias:
                new.bias.copy_(self.bias)
        return nn.Module.requires_grad_(new, True)


def identity_map(channels: int) -> AffineMap:
    """x."""
    return AffineMap(identity_spec(channels), torch.ones(channels, 1, dtype=torch.float64), None)


def linear_map(layer: Any) -> AffineMap:
    """What a `torch.nn.Linear` computes."""
    weight, bias = _double(layer.weight), _bias(layer.bias)
    return AffineMap(AffineSpec(weight.shape[1], weight.shape[0], bias=bias is not None), weight, bias)


def convolution_map(layer: Any, padding: tuple[int, ...]) -> AffineMap:
    """What a convolution computes, with its padding in numbers."""
    bias = _bias(layer.bias)
    spec = AffineSpec(
        inputs=layer.in_channels,
        outputs=layer.out_channels,
        groups=layer.groups,
        kernel=tuple(layer.kernel_size),
        stride=tuple(layer.stride),
        padding=padding,
        dilation=tuple(layer.dilation),
        mode=layer.padding_mode,
        bias=bias is not None,
    )
    return AffineMap(spec, _double(layer.weight), bias)


def normalisation_map(layer: Any, axes: int | None) -> AffineMap:
    """What batch normalisation computes with its running statistics, over so many axes, or over any (None)."""
    scale = 1 / torch.sqrt(_double(layer.running_var) + layer.eps)
    if layer.weight is not None:
        scale = scale * _double(layer.weight)
    shift = -_double(layer.running_mean) * scale
    if layer.bias is not None:
        shift = shift + _double(layer.bias)
    bias = _bias(shift)
    C = layer.num_features
    found = AffineMap(AffineSpec(C, C, groups=C, bias=bias is not None, loose=True), scale[:, None], bias)
    if axes is None:
        return found
    fixed = found.on_axes(axes)
    return replace(fixed, spec=replace(fixed.spec, loose=False))


def _aligned(first: AffineMap, second: AffineMap) -> tuple[AffineMap, AffineMap]:
    a, b = aligned(first.spec, second.spec)
    return first.on_axes(len(a.kernel)), second.on_axes(len(b.kernel))


def _regrouped(layer: AffineMap, groups: int) -> Any:
    """Its weight with fewer groups: entries between groups are 0."""
    spec, weight = layer.spec, layer.weight
    if spec.groups == groups:
        return weight
    ratio, rows, columns = spec.groups // groups, spec.outputs // spec.groups, spec.inputs // spec.groups
    out = torch.zeros(groups, ratio, rows, ratio, columns, *weight.shape[2:], dtype=weight.dtype)
    parts = weight.reshape(groups, ratio, rows, columns, *weight.shape[2:])
    for k in range(ratio):
        out[:, k, :, k] = parts[:, k]
    return out.reshape(spec.outputs, ratio * columns, *weight.shape[2:])


def _places(start: int, step: int, count: int) -> slice:
    return slice(start, start + step * (count - 1) + 1, step)


def _taps(kernel: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return product(*(range(k) for k in kernel))


def _double(tensor: Any) -> Any:
    return tensor.detach().to("cpu", torch.float64)


def _bias(tensor: Any) -> Any:
    """A bias; None where all of it is 0."""
    if tensor is None:
        return None
    bias = _double(tensor)
    return bias if bool((bias != 0).any()) else None
