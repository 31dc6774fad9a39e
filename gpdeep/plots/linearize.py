"""Pictures of partly linear networks: active units by layer, lengths of paths, accuracy against what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import as_floats, entries, shown, text
from ..result import FloatArray
from .figure import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, axes, finish, require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..linearize import PathLengthDistribution, PathProfile

_TOLD_APART = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_MOST_NAMES = 12  # of activations below the axis
_LARGEST = 1e100  # what an axis can show
_RARE = 1e-4  # of a length that leaves the picture at its ends

Band = tuple[Sequence[float], Sequence[float], Sequence[float]]


def plot_active_units(
    profiles: Sequence[PathProfile | Sequence[int]], ax: Axes | None = None, *, labels: Sequence[str] = ()
) -> Axes:
    """How many units of each activation are active, from input to output, of one network or several.

    Parameters
    ----------
    profiles : sequence of PathProfile, or of numbers of active units
        Networks whose activations correspond: one for each penalty, say.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    labels : sequence of str, optional
        One for each network.

    Returns
    -------
    Axes
        A line a network; where there is one and it is a profile, also the number of its channels, in grey.

    Raises
    ------
    DomainError
        There is no network, or the labels are not as many.
    MissingExtraError
        matplotlib is not installed.
    """
    profiles, labels = (
        entries("profiles", profiles, "results"),
        [text(label) for label in entries("labels", labels, "texts")],
    )
    if not len(profiles) or (labels and len(labels) != len(profiles)):
        raise DomainError(
            f"There are {len(profiles)} networks and {len(labels)} labels.",
            "A label belongs to each network.",
            "Give at least one network, and as many labels or none.",
        )
    ax = axes(ax)
    layers = [getattr(profile, "layers", None) for profile in profiles]
    if len(profiles) == 1 and layers[0]:
        place = np.arange(1, len(layers[0]) + 1)
        ax.bar(place, [layer.channels for layer in layers[0]], color="#D9D9D9", width=0.9, label="channels")
        if len(place) <= _MOST_NAMES:
            ax.set_xticks(place, [layer.name for layer in layers[0]], rotation=45, ha="right", fontsize="small")
    for k, (profile, found) in enumerate(zip(profiles, layers, strict=True)):
        counts: Any = [layer.nonlinear for layer in found] if found is not None else _numbers(profile)
        colour = _TOLD_APART[k] if k < len(_TOLD_APART) else GREY
        label = labels[k] if labels else "active" if len(profiles) == 1 else None
        ax.plot(np.arange(1, len(counts) + 1), counts, color=colour, marker="o", markersize=3, label=label)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("activation, from input to output")
    ax.set_ylabel("active units")
    finish(ax, [], below=True)
    return ax


def plot_path_lengths(found: PathProfile | PathLengthDistribution, ax: Axes | None = None) -> Axes:
    """The probability of each path length, with the mean.

    Parameters
    ----------
    found : PathProfile or PathLengthDistribution
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        A bar a length. Lengths at the ends that are rarer than one in ten thousand leave the picture.

    Raises
    ------
    DomainError
        The profile holds no distribution.
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(found, "PathProfile", "PathLengthDistribution")
    if not len(found.lengths):
        raise DomainError(
            "The result holds no distribution of lengths.",
            "The network has thousands of units on a path, or something counts by no whole number.",
            "Ask for path_length_distribution with integers in `count`.",
        )
    ax = axes(ax)
    shown = np.flatnonzero(found.probability > _RARE)
    part = slice(int(shown[0]), int(shown[-1]) + 1)
    ax.bar(found.lengths[part], found.probability[part], color=BLUE, width=0.8)
    mean = float((found.lengths * found.probability).sum())
    ax.axvline(mean, color=VERMILLION, linestyle="--", label=f"mean {mean:.4g}")
    ax.set_xlabel("active units on a path")
    ax.set_ylabel("probability")
    finish(ax, [], below=True)
    return ax


def plot_accuracy(curves: Mapping[str, Band], ax: Axes | None = None, *, against: str = "NAPL") -> Axes:
    """Accuracy against how nonlinear the networks are, with 95 % intervals.

    Parameters
    ----------
    curves : mapping from name to (places, accuracies, half widths of the intervals)
        NaN where a curve has no value.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    against : str
        What the places are: NAPL, or G.

    Returns
    -------
    Axes

    Raises
    ------
    DomainError
        There is no curve, or the three parts of one differ in length.
    MissingExtraError
        matplotlib is not installed.
    """
    bands = curves.items() if isinstance(curves, Mapping) else ()
    parts = {str(name): [_numbers(part) for part in entries("a curve", band, "three lists")] for name, band in bands}
    if not parts or any(len(band) != 3 or len(set(map(len, band))) != 1 for band in parts.values()):
        raise DomainError(
            f"The curves are {', '.join(parts) or 'none'}.",
            "Each has places, accuracies and half widths of one length.",
            "Give such as {'late': ([1, 2], [0.90, 0.93], [0.01, 0.005])}.",
        )
    ax = axes(ax)
    for k, (name, band) in enumerate(parts.items()):
        known = ~np.isnan(band[1])
        x, y, e = (part[known] for part in band)
        colour = _TOLD_APART[k % len(_TOLD_APART)]
        ax.errorbar(x, y, yerr=np.nan_to_num(e), color=colour, marker="o", markersize=3, capsize=2, label=name)
    words = {"NAPL": "normalised average path length", "G": "degeneracy depth $G$"}
    ax.set_xlabel(words.get(text(against), text(against)))
    ax.set_ylabel("test accuracy")
    finish(ax, [], below=True)
    return ax


def _numbers(values: Any) -> FloatArray:
    """A list of numbers of ordinary size, or NaN."""
    found = as_floats(values)
    if found is None or found.ndim != 1 or not (np.isnan(found) | (np.abs(found) <= _LARGEST)).all():
        raise DomainError(
            f"{shown(values)} are no numbers that can be drawn.",
            "A result of another kind, text, a single number or an infinity was given.",
            "Give a list of numbers, such as those of a result.",
        )
    return found
