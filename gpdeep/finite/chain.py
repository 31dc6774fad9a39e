r"""The exact chain: the angles of inputs followed through a random network, layer by layer, in the moving frame.

Given the directions of the post-activations of one layer, the pre-activations of the next are iid Gaussian rows with
their Gram matrix as covariance, whatever the shape of the weights (Hanin & Nica 2018). So the weights need not be
drawn: a layer of n neurons costs O(n k) random numbers for k inputs instead of O(n·n'), and the law is the same. For
activations with two slopes the angles are a Markov chain by themselves, and `gpdeep.finite.frame` takes it one layer
further at any angle, 1e-150 included.

Assumptions: Gaussian weights, no bias, two-slope activation. Exact at every width; the error is that of sampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import TwoSlope, activation
from ..errors import DomainError
from ..gaussian.arguments import whole
from ..result import IntArray
from .backend import Backend, last, require_memory, seed_sequence, to_numpy
from .checks import check_angles, check_inputs, check_widths
from .frame import COUNTED_WIDTH, Frame, Step, frame_step
from .orthonormal import coordinates

MEMORY_BUDGET = 2**31
"""Bytes that a chain may take, unless told otherwise."""

_PARALLEL = 1e-26
"""sin² of two inputs relative to their larger sine with the base: below this, rounding, so they are parallel."""


@dataclass(frozen=True)
class ChainState:
    """N samples of m inputs relative to a base input, after some layer.

    Attributes
    ----------
    log_sin2 : array, shape (N, m)
        ln sin² of the angle between the base and input j; -inf once collapsed, NaN once dead.
    cos : array, shape (N, m)
        Its cosine.
    log_length2 : array, shape (N, m + 1)
        Log mean square activation, of the base first, for inputs of unit mean square and σ_w² = 1/E φ(Z)²
        (`TwoSlope.he_sigma_w`); meaningless once dead or, but for the base, collapsed.
    dead, collapsed : array of bool, shape (N, m)
        What happened to the pair in some layer so far; exclusive.
    orthogonal : array of bool, shape (N, m)
        Whether the pair is exactly orthogonal after this layer.
    directions : array, shape (N, m, m), or None for m = 1
        Unit vectors U_j: the direction in which input j leaves the base.
    """

    log_sin2: Any
    cos: Any
    log_length2: Any
    dead: Any
    collapsed: Any
    orthogonal: Any
    directions: Any

    @property
    def alive(self) -> Any:
        """Pairs that survive, shape (N, m)."""
        return ~(self.dead | self.collapsed)


def run_chain(
    frame: Frame, widths: IntArray, phi: TwoSlope, rng: Any, backend: Backend, tag: str = "chain"
) -> Iterator[ChainState]:
    """The state after each layer l = 1..L; `frame` holds the N starting directions."""
    xp = backend.xp
    cos, log_sin, directions = frame.cos, frame.log_sin, frame.directions
    samples, inputs = cos.shape
    never = xp.zeros_like(cos) > 0
    dead, collapsed = never, log_sin == -np.inf
    length = xp.zeros_like(cos[:, :1]) + xp.zeros((1, inputs + 1), dtype=cos.dtype, device=backend.device)
    blocks = backend.blocks(samples)
    streams = backend.streams(rng, len(blocks), tag)
    gain = -np.log(0.5 if phi.one_sided else phi.second_moment)  # the frame takes a one-sided slope as 1
    for width in widths.tolist():
        steps = []
        for block, normal in zip(blocks, streams, strict=True):
            for rows in _rows(block, width, inputs, backend.block_elements):
                part = Frame(cos[rows], log_sin[rows], None if directions is None else directions[rows])
                steps.append(frame_step(xp, normal, part, width, phi, max(COUNTED_WIDTH, backend.block_elements)))
        step = _joined(xp, steps)
        gone = dead | collapsed
        dead = dead | (step.dead & ~gone)
        collapsed = collapsed | (step.collapsed & ~gone)
        gone = dead | collapsed
        cos, log_sin, directions = step.frame.cos, step.frame.log_sin, step.frame.directions
        length = length + gain + xp.concat([step.base_growth[:, None], step.growth], axis=1)
        log_sin2 = xp.where(dead, np.nan, xp.where(collapsed, -np.inf, 2 * log_sin))
        yield ChainState(log_sin2, cos, length, dead, collapsed, step.orthogonal & ~gone, directions)


def _rows(block: slice, width: int, inputs: int, elements: int) -> list[slice]:
    """A block of samples cut so that one layer's neurons fit `elements` numbers."""
    step = max(1, elements // (width * inputs))
    return [slice(start, min(block.stop, start + step)) for start in range(block.start, block.stop, step)]


def _joined(xp: Any, steps: list[Step]) -> Step:
    """The steps of consecutive rows as one."""
    if len(steps) == 1:
        return steps[0]

    def join(name: str) -> Any:
        return xp.concat([getattr(step, name) for step in steps])

    frames = [step.frame for step in steps]
    frame = Frame(
        xp.concat([f.cos for f in frames]),
        xp.concat([f.log_sin for f in frames]),
        None if frames[0].directions is None else xp.concat([f.directions for f in frames]),
    )
    return Step(frame, *(join(n) for n in ("base_growth", "growth", "dead", "collapsed", "orthogonal")))


def pair_frame(theta0: Any, n_samples: int, rng: Any, backend: Backend) -> Frame:
    """Starting frame of N pairs; several angles are a mixture, drawn with equal weights."""
    angles = check_angles(to_numpy(theta0))
    if angles.size > 1:
        choice = np.random.default_rng(seed_sequence(rng, "mixture")).integers(angles.size, size=n_samples)
        angles = angles[choice]
    else:
        angles = np.repeat(angles, n_samples)
    with np.errstate(divide="ignore"):
        log_sin = np.log(np.sin(angles))
    return Frame(backend.array(np.cos(angles))[:, None], backend.array(log_sin)[:, None])


def sample_angles(
    widths: Any,
    theta0: Any = np.pi / 2,
    *,
    n_samples: int = 20_000,
    rng: Any = 0,
    phi: str | TwoSlope = "relu",
    memory_budget: float = MEMORY_BUDGET,
) -> ChainState:
    r"""Draw ln sin²θ_L of two inputs after the last layer, with their lengths, from its exact law.

    Parameters
    ----------
    widths : sequence of int, shape (L,)
        Hidden widths, each from 1 to 10^6.
    theta0 : float or array_like, shape (P,)
        Angle between the inputs in (0, π], radians; several angles are mixed with equal weights. A torch tensor
        makes the chain run on its device and the state hold tensors.
    n_samples : int
        Number of independent networks N.
    rng : int, SeedSequence or Generator
        Seed of the samples.
    phi : str or TwoSlope
        The activation.
    memory_budget : float
        Bytes that the state may take; layers themselves are drawn in blocks of bounded size.

    Returns
    -------
    ChainState
        Arrays of shape (N, 1).

    Raises
    ------
    DomainError
        A width, an angle, the number of samples or the activation is out of range.
    MemoryBudgetError
        N samples do not fit the budget.

    Notes
    -----
    Cost: 2 Σ n_l normal numbers a sample. float64 throughout, whatever the arguments' precision.

    References
    ----------
    Hanin & Nica (2018), arXiv 1812.05994, for the chain; the moving frame is derived in `gpdeep.finite.frame`.

    Examples
    --------
    sin θ is a martingale at small angles, although its typical value shrinks:

    >>> import numpy as np
    >>> state = sample_angles([16] * 4, 1e-150, n_samples=20_000, rng=1)
    >>> stretch = np.exp(state.log_sin2[state.alive] / 2 + 150 * np.log(10))
    >>> bool(abs(stretch.mean() - 1) < 4 * stretch.std() / np.sqrt(20_000))
    True
    """
    layers = check_widths(widths)
    n_samples = whole("n_samples", n_samples, 1, 10**9)
    require_memory(16 * n_samples, memory_budget, f"The state of {n_samples} sampled networks")
    backend = Backend.of(theta0)
    frame = pair_frame(theta0, n_samples, rng, backend)
    return last(run_chain(frame, layers, _two_slopes(phi), rng, backend))


def _two_slopes(phi: str | TwoSlope) -> TwoSlope:
    """The activation, if angles are a Markov chain by themselves with it."""
    found = activation(phi)
    if not isinstance(found, TwoSlope):
        raise DomainError(
            f"The activation is '{found.name}'.",
            "Angles alone are followed for two-slope activations (relu, leaky_relu, prelu, abs, identity); for others "
            "lengths matter as well.",
            "Use gpdeep.finite.sample_gram, or angle_law, which take any activation.",
        )
    return found


def sample_pairs(
    inputs: Any,
    widths: Any,
    *,
    n_samples: int = 1000,
    rng: Any = 0,
    phi: str | TwoSlope = "relu",
    memory_budget: float = MEMORY_BUDGET,
) -> Any:
    r"""Draw ln sin² of the angles between all pairs of k inputs after the last layer, at any angle.

    Parameters
    ----------
    inputs : array_like, shape (k, d)
        The inputs, none of them zero. The first is the base of the frame.
    widths, n_samples, rng, phi, memory_budget
        As in `sample_angles`.

    Returns
    -------
    array, shape (N, k, k)
        ln sin²θ of each pair; -inf on the diagonal and where two inputs are parallel (to rounding, if neither is the
        base), NaN where one of them or the base is dead.

    Raises
    ------
    DomainError
        `inputs` is not a finite matrix of at least two non-zero rows, or another argument is out of range.
    MemoryBudgetError
        N samples of k inputs do not fit the budget.

    Notes
    -----
    With a = s_i c_j and so on, sin²θ_ij = |s_j c_i U_j - s_i c_j U_i|² + s_i² s_j² (1 - (U_i·U_j)²), formed after
    dividing by the larger sine. Pairs much closer to each other than to the base lose digits in proportion: choose the
    base among them.

    Examples
    --------
    >>> import numpy as np
    >>> x = sample_pairs(np.eye(3), [64] * 3, n_samples=500, rng=0)
    >>> x.shape, bool(np.all(x <= 0))
    ((500, 3, 3), True)
    """
    layers = check_widths(widths)
    n_samples = whole("n_samples", n_samples, 1, 10**9)
    backend = Backend.of(inputs)
    m = max(len(check_inputs(to_numpy(inputs))) - 1, 0)
    require_memory(
        n_samples * (m + 1) ** 2 * 4 + m * int(layers.max()) * 8 + 4 * m**2,
        memory_budget,
        f"{n_samples} networks with {m + 1} inputs",
    )
    frame = _frame_of_inputs(inputs, backend)
    xp = backend.xp
    ones = xp.ones((n_samples, 1), dtype=xp.float64, device=backend.device)
    frame = Frame(
        ones * frame.cos,
        ones * frame.log_sin,
        None if frame.directions is None else ones[:, :, None] * frame.directions,
    )
    return _all_pairs(xp, last(run_chain(frame, layers, _two_slopes(phi), rng, backend)))


def _frame_of_inputs(inputs: Any, backend: Backend) -> Frame:
    """The frame of k inputs relative to the first, without a sample axis of more than one."""
    x = check_inputs(to_numpy(inputs))
    if len(x) < 2 or not np.isfinite(x).all() or not np.abs(x).max(axis=1, initial=0).all():
        raise DomainError(
            f"inputs has shape {x.shape} and holds NaN, infinite or zero rows, or one row.",
            "Angles are between at least two inputs, each a non-zero vector of finite numbers.",
            "Give a matrix with one input a row, two rows or more, zero rows left out.",
        )
    x = x / np.abs(x).max(axis=1, keepdims=True)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    base, others = x[0], x[1:]
    along = others @ base
    # the perpendicular part from the difference (or sum) with the base, which is small when the angle is
    sign = np.where(along < 0, -1.0, 1.0)[:, None]
    across = others - sign * base
    across = across - (across @ base)[:, None] * base
    sin = np.linalg.norm(across, axis=1)
    unit = across / np.where(sin > 0, sin, 1.0)[:, None]
    with np.errstate(divide="ignore"):
        log_sin = np.log(np.minimum(sin, 1.0))
    directions = None
    if len(others) > 1:
        directions = coordinates(Backend.of().xp, unit[None])
        directions[:, sin == 0, 0] = 1.0
        directions = backend.array(directions / np.linalg.norm(directions, axis=2, keepdims=True))
    return Frame(backend.array(along)[None], backend.array(log_sin)[None], directions)


def _all_pairs(xp: Any, state: ChainState) -> Any:
    """ln sin² of all pairs, shape (N, m + 1, m + 1)."""
    samples, m = state.cos.shape
    gone = ~state.alive
    log_sin = xp.where(gone, xp.zeros_like(state.cos), state.log_sin2 / 2)
    result = xp.zeros((samples, m + 1, m + 1), dtype=state.cos.dtype) + state.cos[:, :1, None] * 0
    result = result - np.inf
    result[:, 0, 1:] = result[:, 1:, 0] = state.log_sin2
    if state.directions is None:
        return result
    cos, u = state.cos, state.directions
    for i in range(m):
        for j in range(i + 1, m):
            scale = xp.maximum(log_sin[:, i], log_sin[:, j])
            a, b = xp.exp(log_sin[:, i] - scale), xp.exp(log_sin[:, j] - scale)
            difference = (b * cos[:, i])[:, None] * u[:, j] - (a * cos[:, j])[:, None] * u[:, i]
            aligned = xp.vecdot(u[:, i], u[:, j])
            gap = u[:, j] - aligned[:, None] * u[:, i]
            sin2 = xp.vecdot(difference, difference) + (a * b * xp.exp(scale)) ** 2 * xp.vecdot(gap, gap)
            positive = sin2 > _PARALLEL
            value = 2 * scale + xp.log(xp.where(positive, sin2, xp.ones_like(sin2)))
            value = xp.where(positive, xp.clip(value, None, 0.0), xp.full_like(value, -np.inf))
            # a collapsed input coincides with the base
            value = xp.where(state.collapsed[:, i], state.log_sin2[:, j], value)
            value = xp.where(state.collapsed[:, j], state.log_sin2[:, i], value)
            value = xp.where(state.dead[:, i] | state.dead[:, j], xp.full_like(value, np.nan), value)
            result[:, i + 1, j + 1] = result[:, j + 1, i + 1] = value
    return result
