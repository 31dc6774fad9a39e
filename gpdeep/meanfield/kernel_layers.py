r"""What a layer of a kernel needs of each input alone: its variance q_l, and the vectors that the layer multiplies by.

    q_0 = σ_w² |x|²/d + σ_b²,      q_{l+1} = α² q_l + β² (σ_w² E φ(√q_l z)² + σ_b²)

An entry is carried as y = K/(d₁ d₂), see `kernel_profiles`, and the layer reads, with vectors of both inputs,

    y' = k₁ k₂ y + g₁ g₂ f(y) + s₁ s₂,      k = α d/d',   g = β σ_w e/d',   s = β σ_b/d',

d' being that of the next layer, and 1 at the end, where y is K itself. With layer normalisation φ sees h/√q: d becomes
√q d(1), e becomes e(1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import DomainError
from ..result import FloatArray
from .kernel_profiles import HomogeneousProfile, Profile

_EPS = np.finfo(np.float64).eps
_LEAST, _LARGEST = 1e-290, 1e290  # variances whose products with weights and slopes stay within float64


@dataclass(frozen=True)
class KernelLayers:
    """The layers: σ_w and σ_b of shape (L+1,), the first for the inputs; α, β; whether φ sees h/√q."""

    sigma_w: FloatArray
    sigma_b: FloatArray
    alpha: float
    beta: float
    layer_norm: bool

    @property
    def depth(self) -> int:
        """L."""
        return len(self.sigma_w) - 1


@dataclass(frozen=True)
class Inputs:
    """One set of N inputs through the layers.

    Attributes
    ----------
    q : sequence of L+1 arrays of shape (N,)
        Variances; the last is the kernel's diagonal.
    tangent : ndarray, shape (N,)
        The diagonal of the tangent kernel after the last layer.
    seen : sequence of L arrays of shape (..., N)
        What `Profile.read` makes of the variances that φ sees.
    start : array of shape (N,), or float
        1/d of the first layer, which turns K_0 into y.
    factor, keep, gain, shift, shrink : tuples of L arrays of shape (N,), or floats where all inputs agree
        e, k, g, s, and 1/√q.
    """

    q: Any
    tangent: FloatArray
    seen: Any
    start: Any
    factor: tuple[Any, ...]
    keep: tuple[Any, ...]
    gain: tuple[Any, ...]
    shift: tuple[Any, ...]
    shrink: tuple[Any, ...]

    def placed(self, place: Callable[[Any], Any]) -> Inputs:
        """The same with `place` applied to all that a layer reads."""

        def each(values: Any) -> tuple[Any, ...]:
            return tuple(value if isinstance(value, float) else place(value) for value in values)

        names = (self.seen, (self.start,), self.factor, self.keep, self.gain, self.shift, self.shrink)
        seen, (start,), factor, keep, gain, shift, shrink = map(each, names)
        return Inputs(self.q, self.tangent, seen, start, factor, keep, gain, shift, shrink)


def inputs_of(profile: Profile, q0: FloatArray, layers: KernelLayers) -> Inputs:
    """The variances of inputs that start at `q0`, shape (N,), and the vectors of each layer.

    Raises
    ------
    DomainError
        A variance leaves float64 on the way.
    """
    alpha, beta, depth = layers.alpha, layers.beta, layers.depth
    one = np.ones(1)
    homogeneous = isinstance(profile, HomogeneousProfile) and not layers.layer_norm
    if q0.size and q0.max() <= q0.min() * (1 + 64 * _EPS):
        q0 = np.full_like(q0, np.median(q0))  # inputs that were normalised share their moments, and their tables
    q, tangent, d, e, growths = [q0], q0, [], [], []
    for layer in range(depth + 1):
        now = q[-1]
        if not ((now > _LEAST) & (now < _LARGEST)).all():
            raise _variance_lost(now, layer)
        if layer == depth:
            break
        second, slope = _second_moments(profile, now, layers.layer_norm)
        weight, bias = layers.sigma_w[layer + 1] ** 2, layers.sigma_b[layer + 1] ** 2
        growth = alpha**2 + beta**2 * (weight * second + bias / now)
        q.append(growth * now)
        with np.errstate(over="ignore"):  # refused where it is asked for
            tangent = beta**2 * weight * slope * tangent + q[-1] + (alpha**2 * (tangent - now) if alpha else 0.0)
        growths.append(growth)
        d.append(np.sqrt(now) * profile.coordinate(one) if layers.layer_norm else profile.coordinate(now))
        e.append(profile.factor(one if layers.layer_norm else now))
    keep, gain, shift = [], [], []
    for layer in range(depth):
        after = d[layer + 1] if layer + 1 < depth else one
        if homogeneous and layer + 1 < depth:
            # √(q/q') is without bias the same number for all inputs, to the last bit
            stretch = 1 / np.sqrt(growths[layer])
            ratio = stretch * profile.factor(one)
        else:
            stretch, ratio = d[layer] / after, e[layer] / after
        keep.append(_collapsed(alpha * stretch))
        gain.append(_collapsed(beta * layers.sigma_w[layer + 1] * ratio))
        shift.append(_collapsed(beta * layers.sigma_b[layer + 1] / after))
    return Inputs(
        q=q,
        tangent=tangent,
        seen=[profile.read(one)] * depth if layers.layer_norm else [profile.read(row) for row in q[:depth]],
        start=_collapsed(1 / d[0]) if depth else 1.0,
        factor=tuple(map(_collapsed, e)),
        keep=tuple(keep),
        gain=tuple(gain),
        shift=tuple(shift),
        shrink=tuple(_collapsed(1 / np.sqrt(row)) for row in q[:depth]) if layers.layer_norm else (),
    )


def kernel_of_block(
    xp: ModuleType,
    profile: Profile,
    layers: KernelLayers,
    k: Any,
    rows: Inputs,
    columns: Inputs,
    r: slice,
    c: slice,
    ntk: bool,
) -> Any:
    """The kernel after all layers at the rows `r` and the columns `c`, from `k`, K_0 there, which is overwritten."""
    y, f, spare = k, xp.empty_like(k), xp.empty_like(k)
    tangent = k + 0.0 if ntk else None
    _scale(y, rows.start, columns.start, r, c)
    for layer in range(layers.depth):
        q1, q2 = _part(rows.seen[layer], r, column=True), _part(columns.seen[layer], c)
        here = profile.of_layer(layer)
        here.covariance(xp, y, q1, q2, f, spare)
        if ntk:
            slope = here.slope_covariance(xp, y, q1, q2)
            tangent = _next_tangent(layers, layer, f + 0.0, slope, tangent, rows, columns, r, c)
        _scale(f, rows.gain[layer], columns.gain[layer], r, c)
        if layers.alpha:
            _scale(y, rows.keep[layer], columns.keep[layer], r, c)
            f += y
        _add_outer(xp, f, rows.shift[layer], columns.shift[layer], r, c, spare)
        y, f = f, y
    return tangent if ntk else y


def _next_tangent(
    layers: KernelLayers,
    layer: int,
    f: Any,
    slope: Any,
    tangent: Any,
    rows: Inputs,
    columns: Inputs,
    r: slice,
    c: slice,
) -> Any:
    """Θ' = α² Θ + β² (σ_w² (E φφ + E φ'φ' Θ) + σ_b²); after normalisation φ' carries 1/√(q₁q₂)."""
    _scale(f, rows.factor[layer], columns.factor[layer], r, c)
    slope *= tangent
    if layers.layer_norm:
        _scale(slope, rows.shrink[layer], columns.shrink[layer], r, c)
    f += slope
    f *= (layers.beta * layers.sigma_w[layer + 1]) ** 2
    f += (layers.beta * layers.sigma_b[layer + 1]) ** 2
    if layers.alpha:
        f += layers.alpha**2 * tangent
    return f


def _scale(values: Any, rows: Any, columns: Any, r: slice, c: slice) -> None:
    """`values` times the outer product of two vectors, in place."""
    if isinstance(rows, float) and isinstance(columns, float):
        if rows * columns != 1:
            values *= rows * columns
        return
    values *= _part(columns, c)
    values *= _part(rows, r, column=True)


def _add_outer(xp: ModuleType, values: Any, rows: Any, columns: Any, r: slice, c: slice, spare: Any) -> None:
    """`values` plus the outer product of two vectors, in place; `spare` is lost."""
    if isinstance(rows, float) and isinstance(columns, float):
        if rows * columns:
            values += rows * columns
        return
    spare[...] = _part(columns, c)
    spare *= _part(rows, r, column=True)
    values += spare


def _part(vector: Any, where: slice, column: bool = False) -> Any:
    """The entries `where` of a vector; a float, or the one entry of a vector, stands for all."""
    if isinstance(vector, float):
        return vector
    part = vector if vector.shape[-1] == 1 else vector[..., where]
    return part[..., None] if column else part


def _collapsed(vector: FloatArray) -> Any:
    """`vector`, or its value where all entries are the same."""
    return float(vector[0]) if (vector == vector[0]).all() else vector


def _second_moments(profile: Profile, q: FloatArray, layer_norm: bool) -> tuple[Any, Any]:
    """E φ²/q and E φ'² as φ sees the variances `q`, the latter as a factor of the tangent kernel."""
    if profile.phi.homogeneous or layer_norm:
        unit = profile.phi.moments(np.ones(1))
        return (unit.second / q, unit.slope_second / q) if layer_norm else (unit.second, unit.slope_second)
    values, back = np.unique(q, return_inverse=True)  # inputs of equal variance share the work
    moments = profile.phi.moments(values)
    return (moments.second / values)[back], moments.slope_second[back]


def _variance_lost(q: FloatArray, layer: int) -> DomainError:
    worst = q[~((q > _LEAST) & (q < _LARGEST))][0]
    return DomainError(
        f"The variance of an input is {worst:.3g} in layer {layer}.",
        "The input is a zero vector in a network without bias, or sigma_w makes the variance grow or vanish.",
        "Leave zero rows out or give a bias; choose sigma_w near the value that keeps the variance.",
    )
