"""Pictures of the laws at finite width: of the angle after the last layer, of lengths and gradients through depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .figure import BLUE, CERTAIN, GREEN, GREY, LOG_SIN2, axes, band, curve, finish, layer_axis, require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..finite import AngleLaw, LengthLaw

_SAMPLES_PER_CELL = 200


def plot_angle_law(law: AngleLaw, ax: Axes | None = None) -> Axes:
    r"""The law of the angle after the last layer: the density of ln sin² θ_L, given survival.

    Parameters
    ----------
    law : AngleLaw
        From `gpdeep.finite.angle_law`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        The density (a histogram where the law was sampled), its 5, 50 and 95 % quantiles and the threshold. What is
        not on the curve is said beside it: the probability of exact orthogonality, ln sin² = 0, and of not surviving.
        A method that gives one number has a line at that number.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(law, "AngleLaw")
    ax = axes(ax)
    survival, mean, std = (float(column[-1]) for column in (law.survival, law.mean, law.std))
    notes = []
    if not survival > 0:
        notes.append("no pair survives")
    elif std > 0:
        _density(ax, law)
    elif np.isfinite(mean):
        ax.axvline(mean, color=BLUE, label=f"{law.method}: ${mean:.3f}$, no distribution")
        ax.set_yticks([])
    ax.axvline(law.threshold, color=GREY, linestyle=":", label=f"threshold $x^* = {law.threshold:g}$")
    if survival > 0 and law.orthogonal[-1] >= 1e-4 * survival:
        notes.append(f"exactly orthogonal (${LOG_SIN2}_L = 0$): probability {law.orthogonal[-1] / survival:.2g}")
    if 0 < survival < CERTAIN:
        notes.append(f"both inputs survive in {survival:.3g} of the networks")
    ax.set_xlabel(f"${LOG_SIN2}_L$ after layer $L = {len(law.mean)}$ (nats)")
    ax.set_ylabel("probability density (1/nat)")
    ax.set_ylim(bottom=0)
    finish(ax, notes)
    return ax


def plot_lengths(law: LengthLaw, ax: Axes | None = None) -> Axes:
    r"""The law of log squared lengths, or of gradient norms, against the layer.

    Parameters
    ----------
    law : LengthLaw
        From `gpdeep.finite.length_law` or `gpdeep.finite.gradient_law`.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    Axes
        Mean and band of one standard deviation, given that the input is alive.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_result(law, "LengthLaw")
    ax = axes(ax)
    layer = np.arange(1, len(law.mean) + 1)
    curve(ax, layer, law.mean, color=BLUE, label="mean")
    band(ax, layer, law.mean, law.std)
    ax.axhline(0.0, color=GREY, linestyle=":", label="no change")
    if law.backward:
        ax.set_ylabel(r"$\ln\,|\delta^l|^2 - \ln\,|a|^2$ (nats)")
    else:
        ax.set_ylabel(r"$\ln(|\varphi^l|^2/n_l) - \ln(|x|^2/n_0)$ (nats)")
    layer_axis(ax, layer)
    alive = float(law.survival[-1])
    finish(ax, [] if alive >= CERTAIN else [f"input alive in {alive:.3g} of the networks"], len(layer))
    return ax


def _density(ax: Any, law: AngleLaw) -> None:
    """The density of ln sin² θ_L and three quantiles."""
    if law.n_samples is None:
        x, density = law.density()
        ax.plot(x, density, color=BLUE, label="density")
        ax.fill_between(x, density, color=BLUE, alpha=0.18, linewidth=0)
    else:
        x, density = law.density(int(np.clip(law.mass.size // _SAMPLES_PER_CELL, 5, 100)))
        half = (x[1] - x[0]) / 2
        ax.stairs(density, np.append(x - half, x[-1] + half), color=BLUE, fill=True, alpha=0.4, label="sampled density")
    for probability, style in ((0.05, "--"), (0.5, "-"), (0.95, "--")):
        value = law.quantile(probability)
        ax.axvline(
            value, color=GREEN, linewidth=1, linestyle=style, label=f"{100 * probability:.0f} % quantile ${value:.3f}$"
        )
