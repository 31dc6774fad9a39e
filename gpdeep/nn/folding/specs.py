r"""When two affine layers are one: sizes of the merged layer, and what stands in the way.

Along one axis a convolution with kernel k, stride s, padding p and dilation d reads tap m of output o at s o - p + d m.
Two in a row read at

    s₁ s₂ o - (p₁ + s₁ p₂) + s₁ d₂ j + d₁ m,

so the merged one has stride s₁s₂, padding p₁ + s₁p₂ and the taps s₁d₂ j + d₁ m; without dilation its kernel is
k₁ + (k₂-1) s₁. As to values inside that is all. At the border the second layer pads the output of the first, the merged
one the input, which is the same

* if p₂ = 0;
* for zeros if k₁ = 1 and the first has no bias: then zeros outside are what it would have given there;
* for reflected, replicated or circular borders if the first acts point by point without stride or padding of its own;
* for circular borders also if the first is circular, too, and keeps the size.

Linear layers are the case without axes. Batch normalisation with fixed statistics is a 1 x 1 convolution with as many
groups as channels, and a bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Ints = tuple[int, ...]


@dataclass(frozen=True)
class AffineSpec:
    """An affine layer apart from its numbers.

    Attributes
    ----------
    inputs, outputs, groups : int
        Channels, and independent groups of them.
    kernel, stride, padding, dilation : tuple of int
        One entry for each axis of positions; none for a linear layer.
    mode : str
        What is padded: ``zeros``, ``circular``, ``reflect``, ``replicate``.
    bias : bool
        Whether there is a bias other than zero.
    loose : bool
        Acts on each channel alone, whatever axes of positions there are: takes those of its neighbour.
    """

    inputs: int
    outputs: int
    groups: int = 1
    kernel: Ints = ()
    stride: Ints = ()
    padding: Ints = ()
    dilation: Ints = ()
    mode: str = "zeros"
    bias: bool = False
    loose: bool = False

    @property
    def weights(self) -> int:
        """Entries of the weight, which are multiplications for each position of the output."""
        return self.outputs * (self.inputs // self.groups) * math.prod(self.kernel)

    @property
    def padded(self) -> bool:
        """Whether it pads."""
        return any(self.padding)

    def on_axes(self, count: int) -> AffineSpec:
        """The same over `count` axes of positions."""
        if not self.loose or len(self.kernel) == count:
            return self
        one, zero = (1,) * count, (0,) * count
        return replace(self, kernel=one, stride=one, padding=zero, dilation=one)


@dataclass(frozen=True)
class Obstacle:
    """Why two layers are not one; `border` if only positions at the border differ."""

    why: str
    border: bool = False


def aligned(first: AffineSpec, second: AffineSpec) -> tuple[AffineSpec, AffineSpec]:
    """Both over the axes that one of them has."""
    count = len(second.kernel) if first.loose else len(first.kernel)
    return first.on_axes(count), second.on_axes(count)


def obstacle(first: AffineSpec, second: AffineSpec) -> Obstacle | None:
    """What stands in the way of `second` after `first` being one layer; None if nothing does."""
    a, b = aligned(first, second)
    if len(a.kernel) != len(b.kernel) or a.outputs != b.inputs:
        return Obstacle("they act on different axes")
    axes = [axis for axis, p in enumerate(b.padding) if p]
    if not axes:
        return None
    pointwise = all(k == 1 for k in a.kernel)
    plain = pointwise and not a.padded and all(s == 1 for s in a.stride)
    if a.padded and a.mode != b.mode:
        return Obstacle(f"the first pads with mode '{a.mode}', the second with '{b.mode}'")
    if b.mode == "zeros":
        if any(a.kernel[axis] > 1 for axis in axes):
            return Obstacle("the second pads with zeros what the first gives, which is not zero there", border=True)
        if a.bias:
            return Obstacle(
                "the first has a bias (or shift), which does not reach the zeros that the second pads with; carried by "
                "an extra channel of ones it would",
                border=True,
            )
        return None
    same = all(2 * p == d * (k - 1) for p, d, k in zip(a.padding, a.dilation, a.kernel, strict=True))
    if plain or (b.mode == a.mode == "circular" and same and all(s == 1 for s in a.stride)):
        return None
    return Obstacle(f"the border of the second is padded with mode '{b.mode}' from what the first gives")


def composed(first: AffineSpec, second: AffineSpec) -> AffineSpec:
    """The merged layer of `second` after `first`."""
    a, b = aligned(first, second)
    steps = [math.gcd(d1 if k1 > 1 else 0, s1 * d2 if k2 > 1 else 0) or 1 for d1, k1, s1, d2, k2 in _axes(a, b)]
    return AffineSpec(
        inputs=a.inputs,
        outputs=b.outputs,
        groups=_common_groups(a, b),
        kernel=tuple(
            (d1 * (k1 - 1) + s1 * d2 * (k2 - 1)) // g + 1
            for (d1, k1, s1, d2, k2), g in zip(_axes(a, b), steps, strict=True)
        ),
        stride=tuple(s1 * s2 for s1, s2 in zip(a.stride, b.stride, strict=True)),
        padding=tuple(p1 + p2 * s1 for p1, p2, s1 in zip(a.padding, b.padding, a.stride, strict=True)),
        dilation=tuple(steps),
        mode=b.mode if b.padded else a.mode,
        bias=a.bias or b.bias,
        loose=a.loose and b.loose and not a.kernel,
    )


def parallel_obstacle(first: AffineSpec, second: AffineSpec) -> str:
    """Why the sum of two layers of one input is not one layer; empty if it is."""
    a, b = aligned(first, second)
    if len(a.kernel) != len(b.kernel) or (a.inputs, a.outputs) != (b.inputs, b.outputs):
        return "its branches act on different axes or channels"
    if a.stride != b.stride or _excess(a) != _excess(b):
        return "its branches have different strides, or one crops"
    if a.padded and b.padded and a.mode != b.mode:
        return f"its branches pad with modes '{a.mode}' and '{b.mode}'"
    return ""


def summed(first: AffineSpec, second: AffineSpec) -> AffineSpec:
    """The layer that is the sum of two of one input."""
    a, b = aligned(first, second)
    padding = tuple(max(pair) for pair in zip(a.padding, b.padding, strict=True))
    steps = sum_steps(a, b)
    reach = [
        max(d1 * (k1 - 1) - p1, d2 * (k2 - 1) - p2) + p
        for d1, k1, p1, d2, k2, p2, p in zip(
            a.dilation, a.kernel, a.padding, b.dilation, b.kernel, b.padding, padding, strict=True
        )
    ]
    return AffineSpec(
        inputs=a.inputs,
        outputs=a.outputs,
        groups=_common_groups(a, b),
        kernel=tuple(r // g + 1 for r, g in zip(reach, steps, strict=True)),
        stride=a.stride,
        padding=padding,
        dilation=steps,
        mode=a.mode if a.padded else b.mode,
        bias=a.bias or b.bias,
        loose=a.loose and b.loose and not a.kernel,
    )


def sum_steps(a: AffineSpec, b: AffineSpec) -> Ints:
    """The dilations of the sum of two layers: the largest steps of a grid that holds all taps."""
    return tuple(
        math.gcd(d1 if k1 > 1 else 0, d2 if k2 > 1 else 0, abs(p1 - p2)) or 1
        for d1, k1, p1, d2, k2, p2 in zip(a.dilation, a.kernel, a.padding, b.dilation, b.kernel, b.padding, strict=True)
    )


def identity_spec(channels: int) -> AffineSpec:
    """The identity."""
    return AffineSpec(channels, channels, groups=channels, loose=True)


def _common_groups(a: AffineSpec, b: AffineSpec) -> int:
    """Groups of what is made of both; a linear layer has none."""
    return math.gcd(a.groups, b.groups) if a.kernel or (a.loose and b.loose) else 1


def _axes(a: AffineSpec, b: AffineSpec) -> list[tuple[int, int, int, int, int]]:
    return list(zip(a.dilation, a.kernel, a.stride, b.dilation, b.kernel, strict=True))


def _excess(a: AffineSpec) -> Ints:
    """How much larger than the input the output is before strides; negative for a layer that crops."""
    return tuple(2 * p - d * (k - 1) for p, d, k in zip(a.padding, a.dilation, a.kernel, strict=True))
