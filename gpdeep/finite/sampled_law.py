"""The law of the angle by sampling the exact chain: summaries layer by layer, standard errors at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from ..activations import TwoSlope
from ..gaussian.arguments import whole
from ..result import FloatArray, IntArray, Status, StatusCode
from .backend import Backend, require_memory, to_numpy
from .chain import pair_frame, run_chain
from .gram_chain import SMALLEST_SIN, GramLayer, carried_numbers, gram_layers, pair_of, run_gram_chain
from .law import LawError
from .uniform import log_tan2
from .wiring import Wiring, is_plain

Progress = Callable[[int, int], None]
_NAMES = ("mean", "std", "median", "survival", "dead", "collapsed", "orthogonal", "above")
_LENGTHS = ("log_length2_mean", "log_length2_std")


def sampled_law(
    theta0: Any,
    widths: IntArray,
    phi: Callable[[Any], Any],
    sigma_w: FloatArray,
    sigma_b: FloatArray,
    wirings: tuple[Wiring, ...],
    input_dimension: int,
    threshold: float,
    n_samples: int,
    rng: Any,
    memory_budget: float,
    progress: Progress | None,
) -> dict[str, Any]:
    """The fields of `AngleLaw` that sampling determines."""
    n_samples = whole("n_samples", n_samples, 1, 10**9)
    backend = Backend.of(theta0)
    carried = 0
    if angles_suffice(phi, sigma_b, wirings):
        layers = _angles_alone(theta0, widths, phi, sigma_w, n_samples, rng, backend)
    else:
        steps = gram_layers(input_dimension, widths, sigma_w, sigma_b, wirings, 2)
        carried = carried_numbers(steps, 2)
        layers = _with_lengths(theta0, steps, phi, n_samples, rng, backend)
    require_memory((24 + carried) * n_samples, memory_budget, f"The state of {n_samples} sampled networks")
    columns: list[tuple[float, ...]] = []
    x = np.zeros(0)
    lost = 0
    for layer, sample in enumerate(layers, start=1):
        alive, lost = ~(sample.dead | sample.collapsed), sample.lost
        x = np.sort(sample.log_sin2[alive])
        length = sample.log_length2[alive]
        columns.append(
            (
                *((x.mean(), x.std(), float(np.median(x))) if x.size else (np.nan,) * 3),
                alive.mean(),
                sample.dead.mean(),
                sample.collapsed.mean(),
                sample.orthogonal.mean(),
                (x >= threshold).sum() / n_samples,
                *((length.mean(), length.std()) if x.size else (np.nan,) * 2),
            )
        )
        if progress is not None:
            progress(layer, len(widths))
    status = Status()
    if x.size < 2:
        message = f"{x.size} of {n_samples} sampled pairs survived all layers: too few for moments there."
        status = Status(StatusCode.NOT_CONVERGED, (message,))
    if lost:
        message = (
            "With biases, residual, normalised or orthogonal layers, or activations other than two-slope ones, "
            f"angles below {SMALLEST_SIN:g} cannot be followed; {lost} of {n_samples} pairs reached that"
        )
        status &= Status(StatusCode.OUTSIDE_VALIDITY, (f"{message}, and count as collapsed.",))
    table = np.array(columns).T
    return {
        **dict(zip(_NAMES + _LENGTHS, table, strict=True)),
        "error": _standard_error(x),
        "log_tan2": log_tan2(x),
        "mass": np.full(x.size, 1 / max(x.size, 1)),
        "n_samples": n_samples,
        "seed": int(rng) if isinstance(rng, (int, np.integer)) else None,
        "status": status,
    }


@dataclass(frozen=True)
class LayerSample:
    """N sampled pairs after a layer, arrays of shape (N,), and how many are too close to be told from parallel."""

    log_sin2: FloatArray
    log_length2: FloatArray
    dead: Any
    collapsed: Any
    orthogonal: Any
    lost: int


def angles_suffice(phi: Any, sigma_b: FloatArray, wirings: tuple[Wiring, ...]) -> TypeGuard[TwoSlope]:
    """Whether angles are a Markov chain by themselves: two slopes, no bias, plain Gaussian layers."""
    return isinstance(phi, TwoSlope) and not sigma_b.any() and is_plain(wirings)


def _angles_alone(
    theta0: Any, widths: IntArray, phi: TwoSlope, sigma_w: FloatArray, n_samples: int, rng: Any, backend: Backend
) -> Iterator[LayerSample]:
    """The moving-frame chain, exact at any angle."""
    gain = np.cumsum(2 * np.log(sigma_w / phi.he_sigma_w))
    frame = pair_frame(theta0, n_samples, rng, backend)
    for layer, state in enumerate(run_chain(frame, widths, phi, rng, backend)):
        yield LayerSample(
            to_numpy(state.log_sin2)[:, 0],
            to_numpy(state.log_length2)[:, 0] + gain[layer],
            to_numpy(state.dead)[:, 0],
            to_numpy(state.collapsed)[:, 0],
            to_numpy(state.orthogonal)[:, 0],
            0,
        )


def _with_lengths(
    theta0: Any, steps: list[GramLayer], phi: Callable[[Any], Any], n_samples: int, rng: Any, backend: Backend
) -> Iterator[LayerSample]:
    """The Gram chain: lengths matter, and no event need be absorbing, but it counts once it has happened."""
    xp = backend.xp
    frame = pair_frame(theta0, n_samples, rng, backend)
    zero = xp.zeros_like(frame.cos)
    start = xp.stack(
        [xp.concat([zero + 1, zero], axis=1), xp.concat([frame.cos, xp.exp(frame.log_sin)], axis=1)], axis=1
    )
    dead = collapsed = lost = np.zeros(n_samples, dtype=bool)
    for c, counts in run_gram_chain(start, steps, phi, rng, backend):
        log_sin2, died, parallel, close = pair_of(xp, c, counts)
        dead = dead | (to_numpy(died) & ~collapsed)
        lost = lost | to_numpy(close)
        collapsed = collapsed | ((to_numpy(parallel) | lost) & ~dead)
        base = xp.where(c[:, 0, 0] > 0, c[:, 0, 0], xp.ones_like(c[:, 0, 0]))
        orthogonal = to_numpy((c[:, 1, 0] == 0) & ~died) & ~(dead | collapsed)
        yield LayerSample(to_numpy(log_sin2), to_numpy(2 * xp.log(base)), dead, collapsed, orthogonal, int(lost.sum()))


def _standard_error(x: FloatArray) -> LawError:
    """Standard errors of the sample mean and, by the fourth moment, of the sample standard deviation."""
    if x.size < 2:
        return LawError("standard_error", np.nan, np.nan)
    std = float(x.std(ddof=1))
    fourth = float(np.mean((x - x.mean()) ** 4))
    spread = float(np.sqrt(max(fourth - std**4, 0.0) / x.size) / (2 * std)) if std > 0 else 0.0
    return LawError("standard_error", std / x.size**0.5, spread)
