"""From slider values to an answer: numbers, pictures, and the commands that print the same numbers.

Each answer is one call of the public function that its command calls: `predict_depth`, `meanfield.depth_scales` (within
`map_curves`), `sparse.design`; σ_w on the edge is `meanfield.edge_of_chaos`. Where the law has to be sampled, fewer
networks are sampled than the command would by itself, and the command shown says how many.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..activations import activation
from ..architecture import Architecture
from ..depth import predict_depth
from ..finite import Method
from ..meanfield import edge_of_chaos, map_curves
from ..plots import plot_clip_levels, plot_clipped_variance, plot_correlation_map, plot_depth, plot_variance_map
from ..result import Status
from ..sparse import clip_curves, design, variance_curves
from .choices import Choices, View
from .pictures import blank, still

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from ..sparse import Design

_INPUTS, _OUTPUTS = 784, 10  # ends of the architecture, which no answer depends on


@dataclass(frozen=True)
class Number:
    """A number of an answer: its name, its value, and where `command` with ``--json`` has it."""

    name: str
    value: float | int | str | None
    command: str
    key: str


@dataclass(frozen=True)
class Answer:
    """What the page shows of a view.

    Attributes
    ----------
    summary : str
        The answer in a sentence.
    numbers : tuple of Number
    status : Status
        Of all that was computed.
    notes : tuple of str
        On how it was computed.
    pictures : tuple of matplotlib Axes
        Each on a figure of its own.
    sigma_w : float or None
        The σ_w that was used, where there is a network.
    """

    summary: str
    numbers: tuple[Number, ...]
    status: Status
    pictures: tuple[Axes, ...]
    notes: tuple[str, ...] = ()
    sigma_w: float | None = None

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that print these numbers."""
        return tuple(dict.fromkeys(number.command for number in self.numbers))


@dataclass(frozen=True)
class _Network:
    """Activation and standard deviations, with what they were taken from."""

    phi: str
    sigma_w: float
    sigma_b: float
    numbers: tuple[Number, ...] = ()
    status: Status = field(default_factory=Status)

    @property
    def options(self) -> list[str]:
        """Standard deviations as options of a command."""
        return ["--sigma-w", repr(self.sigma_w), *(["--sigma-b", repr(self.sigma_b)] if self.sigma_b else [])]


def answer(view: View, choices: Choices) -> Answer:
    """What a view shows at these slider values.

    Parameters
    ----------
    view : View
    choices : Choices

    Returns
    -------
    Answer

    Raises
    ------
    GpdeepError
        There is no answer: an activation is unknown, a number out of range, or what was asked for does not exist.
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> found = answer(View.DEPTH, Choices())
    >>> found.numbers[0].value, found.commands
    (44, ('gpdeep depth 784,128x50,10 --sigma-w 1.4142135623730951',))
    """
    return _ANSWERS[view](choices)


def _depth(choices: Choices) -> Answer:
    """The law of ln sin² by layer beside infinite width."""
    network = _network(choices)
    text = f"{_INPUTS},{choices.width}x{choices.depth},{_OUTPUTS}"
    wanted = replace(
        Architecture.parse(text), phi=activation(network.phi), sigma_w=network.sigma_w, sigma_b=network.sigma_b
    )
    found = predict_depth(wanted, samples=choices.samples)
    sampled = found.law.method is Method.CHAIN
    name = [] if network.phi == "relu" else ["--activation", network.phi]
    count = ["--samples", str(choices.samples)] if sampled else []
    command = _command("depth", text, *name, *network.options, *count)
    law, reach = found.law, found.degeneracy_depth
    rows: tuple[tuple[str, Any, str], ...] = (
        ("degeneracy depth (layers)", reach.finite, "degeneracy_depth.finite"),
        ("the same at infinite width", reach.infinite, "degeneracy_depth.infinite"),
        ("mean of ln sin²θ, last layer", law.mean[-1], "finite.log_sin2_mean.-1"),
        ("its standard deviation", law.std[-1], "finite.log_sin2_std.-1"),
        ("error of the mean", law.error.mean, "finite.error.log_sin2_mean"),
        ("ln sin²θ at infinite width", found.infinite.log_sin2[-1], "infinite.log_sin2.-1"),
        ("probability of survival", law.survival[-1], "finite.survival.-1"),
        ("effective depth Σ1/n", found.effective_depth, "effective_depth"),
    )
    last = reach.finite == choices.depth
    layers = f"all {choices.depth}" if last else f"{reach.finite} of {choices.depth}"
    beyond = f"all {choices.depth}" if reach.infinite == choices.depth else str(reach.infinite)
    return Answer(
        summary=f"At least half of all random networks tell two inputs at a right angle apart (ln sin²θ ≥ "
        f"−{-reach.threshold:g}) through {layers} layers; at infinite width through {beyond}.",
        numbers=(*network.numbers, *_numbers(command, rows)),
        status=network.status & found.status,
        pictures=still(plot_depth(found, blank()), legend_beneath=False),
        notes=(f"Sampled from {choices.samples} networks; the command takes 20,000 by itself.",) if sampled else (),
        sigma_w=network.sigma_w,
    )


def _maps(choices: Choices) -> Answer:
    """The variance and correlation maps with fixed points, phase and depth scales."""
    network = _network(choices)
    curves = map_curves(network.phi, sigma_w=network.sigma_w, sigma_b=network.sigma_b)
    scales = curves.scales
    rows: list[tuple[str, Any, str]] = [
        ("phase", str(scales.phase), "phase"),
        ("variance that stays, q*", scales.q_star, "q_star"),
        ("χ₁, factor of squared gradients", scales.chi_1, "chi_1"),
        ("1 − c*, limit of correlations", scales.one_minus_c_star, "one_minus_c_star"),
        ("ξ_q, lengths (layers)", scales.xi_q, "xi_q"),
        ("ξ_c, correlations (layers)", scales.xi_c, "xi_c"),
        ("ξ_grad, gradients (layers)", scales.xi_grad, "xi_grad"),
        ("trainable depth, 6 ξ_c (layers)", scales.trainable_depth, "trainable_depth"),
    ]
    for k, point in enumerate(scales.fixed_points):
        kind = "stable" if point.stable else "not stable"
        rows += [
            (f"fixed point {k + 1}, {kind}: q", point.q, f"fixed_points.{k}.q"),
            (f"fixed point {k + 1}: slope V′(q)", point.slope, f"fixed_points.{k}.slope"),
        ]
    command = _command("maps", network.phi, *network.options)
    return Answer(
        summary=_phase_in_words(scales.phase, scales.trainable_depth),
        numbers=(*network.numbers, *_numbers(command, rows)),
        status=network.status & curves.status,
        pictures=still(plot_variance_map(curves, blank()), plot_correlation_map(curves, blank()), legend_beneath=True),
        sigma_w=network.sigma_w,
    )


def _clip(choices: Choices) -> Answer:
    """The clip level, weights and biases for a sparsity and a slope, and how often the variance escapes."""
    found, command = _design(choices, shape=True)
    rows: tuple[tuple[str, Any, str], ...] = (
        ("threshold τ", found.tau, "tau"),
        ("clip level m", found.m, "m"),
        ("σ_w", found.sigma_w, "sigma_w"),
        ("σ_b", found.sigma_b, "sigma_b"),
        ("fraction of zeros", found.sparsity, "sparsity"),
        ("linear units", found.linear, "linear"),
        ("clipped units", found.clipped, "clipped"),
        ("curvature V″(q*)", found.curvature, "curvature"),
        ("largest slope with one stable variance", found.fold_slope, "fold_slope"),
        ("probability that the variance escapes", found.escape_probability, "escape_probability"),
        ("E x² of inputs", found.input_second_moment, "input_second_moment"),
    )
    zeros = clip_curves(choices.family, found.sparsity)
    return Answer(
        summary=f"{100 * found.sparsity:.4g} % zeros with V′(q*) = {found.slope:.4g}: clip at m = {found.m:.5g}, draw "
        f"weights with σ_w = {found.sigma_w:.5g} and biases with σ_b = {found.sigma_b:.5g}.",
        numbers=_numbers(command, rows),
        status=found.status,
        pictures=still(
            plot_clipped_variance(variance_curves(found), blank()),
            plot_clip_levels(zeros, blank(), designs=[found]),
            legend_beneath=True,
        ),
    )


def _network(choices: Choices) -> _Network:
    """The network meant: of the sliders, on the edge of chaos, or of the sparse design."""
    if choices.designed:
        found, command = _design(choices, shape=False)
        rows = (
            ("clip level m", found.m, "m"),
            ("σ_w", found.sigma_w, "sigma_w"),
            ("σ_b", found.sigma_b, "sigma_b"),
        )
        return _Network(found.activation, found.sigma_w, found.sigma_b, _numbers(command, rows), found.status)
    if choices.on_edge:
        edge = edge_of_chaos(choices.activation, sigma_b=choices.sigma_b)
        command = _command("eoc", choices.activation, "--sigma-b", repr(choices.sigma_b))
        numbers = _numbers(command, [("σ_w on the edge of chaos", edge.sigma_w, "sigma_w")])
        return _Network(choices.activation, edge.sigma_w, choices.sigma_b, numbers, edge.status)
    return _Network(choices.activation, choices.sigma_w, choices.sigma_b)


def _design(choices: Choices, *, shape: bool) -> tuple[Design, str]:
    """The sparse design, with the probability of escape if `shape`; and its command."""
    size: dict[str, Any] = {"width": choices.width, "depth": choices.depth} if shape else {}
    found = design(choices.family, choices.sparsity, slope=choices.slope, **size)
    options = [word for name, number in size.items() for word in (f"--{name}", str(number))]
    wanted = ["--sparsity", repr(choices.sparsity), "--slope", repr(choices.slope)]
    return found, _command("clip", choices.family, *wanted, *options)


def _phase_in_words(phase: str, trainable: float) -> str:
    """What the phase means for signals and gradients."""
    what = {
        "ordered": "Ordered phase: inputs become alike and gradients vanish",
        "chaotic": "Chaotic phase: inputs become unrelated and gradients explode",
        "edge": "On the edge of chaos: correlations have no depth scale, gradients keep their size",
    }[phase]
    if math.isnan(trainable) or math.isinf(trainable):
        return f"{what}."
    return f"{what}; trainable to about {trainable:.3g} layers."


def _numbers(command: str, rows: Any) -> tuple[Number, ...]:
    """Numbers of one command, as plain Python values."""
    return tuple(
        Number(name, value.item() if hasattr(value, "item") else value, command, key) for name, value, key in rows
    )


def _command(*words: str) -> str:
    return shlex.join(["gpdeep", *words])


_ANSWERS: dict[View, Callable[[Choices], Answer]] = {View.DEPTH: _depth, View.MAPS: _maps, View.CLIP: _clip}
