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
exactly *orthogonal* (ln sin² = 0). Rounding would turn the first two into finite numbers, so neurons are counted
wherever events can occur: in narrow layers, and in all layers at obtuse angles.

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
"""Events are counted up to this width. Beyond it P(dead or collapsed) < 1e-36, and P(orthogonal) < (3/4)^128 = 1e-16
for angles up to π/2; at obtuse angles they are counted at every width."""

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
    # beyond COUNTED_WIDTH only an obtuse angle leaves neurons in common unlikely
    counted = phi.one_sided and (width <= COUNTED_WIDTH or bool(xp.any(cos < 0)))
    tally = _Tally(xp)
    aa = hw = ww = 0.0
    for start in range(0, width, width if one_block else columns):
        n = width if one_block else min(columns, width - start)
        h, w = _responses(xp, normal, frame, kappa, n, phi)
        aa, hw, ww = aa + xp.vecdot(h, h), hw + xp.vecdot(h, w), ww + xp.vecdot(w, w)
        if counted:
            tally.add(h > 0, w > -kappa * h)
    bb = cos**2 * aa + 2 * cos * sin * hw + sin**2 * ww
    safe_aa = xp.where(aa > 0, aa, 1.0)
    rr = ww - hw**2 / safe_aa
    if one_block:
        residual = w - (hw / safe_aa)[:, :, None] * h
        rr = xp.vecdot(residual, residual)
    never = cos != cos
    if counted:
        dead, collapsed, orthogonal = tally.events()
    else:  # with two slopes all inputs of a layer of one neuron lie on one line
        dead, collapsed, orthogonal = never, ~never if width == 1 else never, never
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
            xp.where(proper, xp.clip(frame.log_sin + 0.5 * (xp.log(rr) - xp.log(bb)), None, 0.0), 0.0),
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


class _Tally:
    """Counts of active neurons, block by block, for ReLU up to a factor and a reflection.

    Input j is active (v_j > 0) exactly where the maximum in w_j is taken by its first branch, w_j > -κ_j h: a
    comparison without rounding, unlike the sign of c h + s w.
    """

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.base = self.other = self.joint = self.union = 0

    def add(self, base: Any, other: Any) -> None:
        """Count a block: where the base is active, (N, 1, n), and where the others are, (N, m, n)."""

        def count(mask: Any) -> Any:
            return self.xp.sum(self.xp.astype(mask, self.xp.int64), axis=-1)

        self.base, self.other = self.base + count(base), self.other + count(other)
        self.joint, self.union = self.joint + count(base & other), self.union + count(base | other)

    def events(self) -> tuple[Any, Any, Any]:
        """Which pairs died, collapsed or became exactly orthogonal, each of shape (N, m)."""
        dead = (self.base == 0) | (self.other == 0)
        return dead, (self.joint == 1) & (self.union == 1), (self.joint == 0) & ~dead


def _directions(xp: Any, residual: Any, apart: Any) -> Any:
    """The residuals' directions in an orthonormal basis of their span, shape (N, m, m)."""
    r = coordinates(xp, residual)
    norm = xp.sqrt(xp.vecdot(r, r))
    good = (norm > 0) & apart
    unit = r / xp.where(good, norm, xp.ones_like(norm))[:, :, None]
    first = xp.zeros_like(r)
    first[:, :, 0] = 1.0
    return xp.where(good[:, :, None], unit, first)
