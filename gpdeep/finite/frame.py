r"""One layer in the moving frame: the exact step of the angles between k inputs, at any angle.

Fix a base input and write every other pre-activation, scaled to unit variance, in the frame of the base. On one neuron,
with g and the vector ζ of iid N(0, 1) numbers,

    u = g,     v_j = c_j g + s_j z_j,     z_j = U_j · ζ,     c_j = cos θ_j,  s_j = sin θ_j,

where U_j is a unit vector: the direction in which input j leaves the base. For a two-slope activation
φ(x) = a x + (b - a) max(x, 0) put

    h = φ(g),   w_j = (φ(v_j) - c_j φ(g))/s_j = a z_j + (b - a) max( z_j + κ_j min(g, 0), -κ_j max(g, 0) ),   κ_j =
    c_j/s_j.

The form with the maximum has no difference of nearly equal numbers: w_j is O(1), to full precision, however small s_j
is. With sums over the n neurons A = |h|², D_j = h·w_j and the residual r_j = w_j - (D_j/A) h, the next layer has,
exactly,

    ln sin²θ_j' = ln sin²θ_j + ln |r_j|² - ln B_j,     B_j = |φ(v_j)|² = |c_j h + s_j w_j|²,
    cos θ_j'    = (c_j A + s_j D_j)/√(A B_j),          U_j' = r_j/|r_j|  in an orthonormal basis of the residuals.

The state is (cos θ, ln sin θ), never the cosine alone: angles of 1e-150 and below keep all their digits.
Two inputs are the case of one j, where U is 1.

Exact events. ReLU silences neurons. If an input has no active neuron the pair is *dead*; if the only active neuron
is active for both, the inputs become exactly parallel (*collapsed*, ln sin² = -∞); if no neuron is active for both,
exactly *orthogonal* (ln sin² = 0). Rounding would turn the first two into finite numbers, so neurons are counted in
layers that are narrow enough for events to occur.

The residual is formed and measured in layers that fit one block of neurons. Wider layers are summed block by block with
|r|² = |w|² - D²/A, which loses nothing there: both terms are sums over many neurons and their ratio is O(1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..activations import TwoSlope
from .backend import Normal
from .orthonormal import coordinates

COUNTED_WIDTH = 128
"""Events are counted up to this width: beyond it P(dead or collapsed) < 1e-36 and P(orthogonal) < (3/4)^128 = 1e-16."""

_STEEPEST = 1e100
"""Cap on |κ| = |c/s|: below s = 1e-100 no neuron that is ever drawn lies between the inputs, whatever the slope."""


@dataclass(frozen=True)
class Frame:
    """N samples of the directions of m inputs relative to a base input.

    `cos`, `log_sin`: cos θ_j and ln sin θ_j, shape (N, m). `directions`: the unit vectors U_j, shape (N, m, r),
    or None for m = 1.
    """

    cos: Any
    log_sin: Any
    directions: Any = None


@dataclass(frozen=True)
class Step:
    """The frame after one layer, and what happened on the way.

    `base_growth` = ln(A/n), shape (N,), and `growth` = ln(B/n), shape (N, m): log mean square activations for
    pre-activations of unit variance. `dead`, `collapsed`, `orthogonal`: shape (N, m), for the pair (base, j).
    """

    frame: Frame
    base_growth: Any
    growth: Any
    dead: Any
    collapsed: Any
    orthogonal: Any


def frame_step(xp: Any, normal: Normal, frame: Frame, width: int, phi: TwoSlope, columns: int) -> Step:
    """Take N samples through one layer of `width` neurons, at most `columns` neurons at a time.

    Parameters
    ----------
    xp : module
        Array namespace (numpy or torch, through array_api_compat).
    normal : callable
        ``normal(shape)`` draws iid N(0, 1) numbers, float64, on the device of the frame.
    frame : Frame
        The state before the layer.
    width : int
        Number of neurons n ≥ 1.
    phi : TwoSlope
        The activation.
    columns : int
        Most neurons in one block; at least `COUNTED_WIDTH`. With more than two inputs the layer is one block.
    """
    cos, sin = frame.cos, xp.exp(frame.log_sin)
    kappa = xp.clip(cos / xp.clip(sin, 1 / _STEEPEST, None), -_STEEPEST, _STEEPEST)[:, :, None]
    one_block = width <= columns or frame.directions is not None
    aa = hw = ww = 0.0
    for start in range(0, width, width if one_block else columns):
        n = width if one_block else min(columns, width - start)
        h, w = _responses(xp, normal, frame, kappa, n, phi)
        aa, hw, ww = aa + xp.vecdot(h, h), hw + xp.vecdot(h, w), ww + xp.vecdot(w, w)
    bb = cos**2 * aa + 2 * cos * sin * hw + sin**2 * ww
    safe_aa = xp.where(aa > 0, aa, 1.0)
    rr = ww - hw**2 / safe_aa
    if one_block:
        residual = w - (hw / safe_aa)[:, :, None] * h
        rr = xp.vecdot(residual, residual)
    dead, collapsed, orthogonal = _events(xp, kappa, h, w, phi)
    base_growth = xp.log(safe_aa[:, 0] / width)
    proper = ~(dead | collapsed | orthogonal) & (rr > 0) & (bb > 0) & (aa > 0)
    collapsed = collapsed | ~(proper | dead | orthogonal)  # the residual underflowed to zero
    growth = xp.log(xp.where(bb > 0, bb, 1.0) / width)
    aa, bb, rr = (xp.where(proper, value, 1.0) for value in (aa, bb, rr))
    next_cos = xp.clip((cos * aa + sin * hw) / xp.sqrt(aa * bb), -1.0, 1.0)
    directions = _directions(xp, residual, proper | orthogonal) if frame.directions is not None else None
    return Step(
        Frame(
            xp.where(proper, next_cos, 0.0),
            xp.where(proper, frame.log_sin + 0.5 * (xp.log(rr) - xp.log(bb)), 0.0),
            directions,
        ),
        base_growth,
        growth,
        dead,
        collapsed,
        orthogonal,
    )


def _responses(xp: Any, normal: Normal, frame: Frame, kappa: Any, n: int, phi: TwoSlope) -> tuple[Any, Any]:
    """h, shape (N, 1, n), and w, shape (N, m, n), of n fresh neurons."""
    samples, inputs = frame.cos.shape
    rank = inputs if frame.directions is None else frame.directions.shape[-1]
    g, z = normal((samples, 1, n)), normal((samples, rank, n))
    if frame.directions is not None:
        z = frame.directions @ z
    h = xp.clip(g, 0.0, None)
    w = xp.maximum(z + kappa * (g - h), -kappa * h)
    if not phi.one_sided:
        h = phi.negative * g + (phi.positive - phi.negative) * h
        w = phi.negative * z + (phi.positive - phi.negative) * w
    return h, w


def _events(xp: Any, kappa: Any, h: Any, w: Any, phi: TwoSlope) -> tuple[Any, Any, Any]:
    """Which pairs died, collapsed or became exactly orthogonal, each of shape (N, m).

    Input j is active (v_j > 0) exactly where the maximum in w_j is taken by its first branch, w_j > -κ_j h: a
    comparison without rounding, unlike the sign of c h + s w.
    """
    never, width = kappa[:, :, 0] != kappa[:, :, 0], h.shape[-1]
    if not phi.one_sided:
        return never, ~never if width == 1 else never, never  # one neuron: all inputs on one line
    if width > COUNTED_WIDTH:
        return never, never, never
    base, other = h > 0, w > -kappa * h
    joint = xp.any(base & other, axis=-1)
    dead = ~(xp.any(base, axis=-1) & xp.any(other, axis=-1))
    single = xp.sum(xp.astype(base | other, h.dtype), axis=-1) == 1
    return dead, joint & single, ~joint & ~dead


def _directions(xp: Any, residual: Any, apart: Any) -> Any:
    """The residuals' directions in an orthonormal basis of their span, shape (N, m, m)."""
    r = coordinates(xp, residual)
    norm = xp.sqrt(xp.vecdot(r, r))
    good = (norm > 0) & apart
    unit = r / xp.where(good, norm, xp.ones_like(norm))[:, :, None]
    first = xp.zeros_like(r)
    first[:, :, 0] = 1.0
    return xp.where(good[:, :, None], unit, first)
