"""Convolutions from a design keep their variance for 50 layers, in a band that the number of channels sets.

Given the layer below, the variance at a position is K = σ_b² + σ_w²/(9c) Σ φ(h)², over nine positions and c channels.
It has the dense map V, and scatters at most as in a dense layer of width c: so much where all nine positions carry the
same, as deep layers come to do. So the law of dense networks of width c (`escape_probability`) gives the largest
standard deviation, and its mean the largest shift from q*, of order 1/c.
"""

import dataclasses
import math

import numpy as np
import pytest
from scipy.special import stdtrit

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep.errors import ValidityWarning  # noqa: E402
from gpdeep.nn import initialize, module_of, probe  # noqa: E402
from gpdeep.sparse import design, escape_probability  # noqa: E402
from tests.finite.chance import p_limit, z_limit  # noqa: E402

pytestmark = pytest.mark.statistical

CHANNELS, DEPTH, NETWORKS = 32, 50, 24
DESIGN = design("crelu", 0.7, slope=0.6)
SETTLED = slice(10, None)  # where V' = 0.6 has forgotten the start, to 0.6^10 < 1 %

# Half of the false alarms to the layers of two cases, half to means over layers: two of each case, two of zero padding.
Z, T = z_limit(2 * 2 * DEPTH), float(stdtrit(NETWORKS - 1, 1 - p_limit(2 * 6) / 2))


@pytest.fixture(scope="module")
def law():
    """Of a dense network as wide as the convolutions have channels; no path is stopped."""
    o = DESIGN
    return escape_probability(o.phi, sigma_w=o.sigma_w, sigma_b=o.sigma_b, width=CHANNELS, depth=DEPTH, threshold=20)


def cnn(padding_mode="circular", depth=DEPTH):
    layers = []
    for channels in [3] + [CHANNELS] * (depth - 1):
        layers += [nn.Conv2d(channels, CHANNELS, 3, padding=1, padding_mode=padding_mode), module_of(DESIGN)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * CHANNELS, 10))


def measured(model, networks=NETWORKS, change=None, law=DESIGN, **how):
    """q and zeros of every layer, each of shape (networks, layers): of images of ±x̄, which have K = q* everywhere."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(2, 3, 8, 8))
    x = torch.tensor(signs * math.sqrt(DESIGN.input_second_moment), dtype=torch.float32)
    reports = []
    for seed in range(networks):
        initialize(model, law, rng=seed, **how)
        if change is not None:
            with torch.no_grad():
                change([layer for layer in model if isinstance(layer, nn.Conv2d)])
        reports.append(probe(model, x))
    return np.array([r.q for r in reports]), np.array([r.sparsity for r in reports])


def band(law, networks=NETWORKS):
    """Half the width, layer by layer, of the band around q* for the mean over networks: shift and chance."""
    std = np.sqrt(law.q_std**2 + 2 / CHANNELS * (law.q_mean**2 + law.q_std**2))  # of K χ²/c
    return np.abs(law.q_mean - DESIGN.q_star) + Z * std / math.sqrt(networks)


def departure(found, one, other):
    """How far the mean over networks lies outside [one, other], in its standard errors; negative below."""
    mean, error = found.mean(), found.std(ddof=1) / math.sqrt(len(found))
    low, high = min(one, other), max(one, other)
    return float(min(mean - low, 0) + max(mean - high, 0)) / error


@pytest.mark.parametrize("weights", ["gaussian", "delta_orthogonal"])
def test_variance_and_zeros_stay_for_fifty_layers(weights, law):
    q, zeros = measured(cnn(), weights=weights)
    assert np.all(np.abs(q.mean(axis=0) - DESIGN.q_star) <= band(law))
    # the mean over the settled layers scatters less: its error is taken from the networks themselves
    assert abs(departure(q[:, SETTLED].mean(axis=1), DESIGN.q_star, law.q_mean[-1])) <= T
    assert abs(departure(zeros[:, SETTLED].mean(axis=1), DESIGN.sparsity, law.sparsity_mean[-1])) <= T


def test_zeros_at_the_border_lower_the_variance(law):
    """Of nine taps 2.75² = 7.6 lie inside on average, and a deficit adds up to 1/(1 - V') times what a layer makes."""
    with pytest.warns(ValidityWarning, match="pads with zeros"):
        q, _ = measured(cnn("zeros"))
    found, shift = q[:, SETTLED].mean(axis=1), law.q_mean[-1] - DESIGN.q_star
    assert departure(found, DESIGN.q_star, DESIGN.q_star + shift) < -T
    K = np.full((8, 8), DESIGN.q_star)  # infinite width, position by position; x̄² lets V take it for the first layer
    for _ in range(DEPTH):
        inside = np.pad(DESIGN.layer(K) - DESIGN.sigma_b**2, 1)
        K = DESIGN.sigma_b**2 + sum(inside[i : i + 8, j : j + 8] for i in range(3) for j in range(3)) / 9
    assert abs(departure(found, K.mean(), K.mean() + shift)) <= T


def test_weights_five_per_cent_too_large_are_seen(law):
    """Negative control: V grows by 2 · 0.05 · (q* - σ_b²), and q by 1/(1 - V') times that, to 1.14."""
    wrong = dataclasses.replace(DESIGN, sigma_w=1.05 * DESIGN.sigma_w)
    q, _ = measured(cnn(), law=wrong)
    assert departure(q[:, SETTLED].mean(axis=1), DESIGN.q_star, law.q_mean[-1]) > T


def test_a_fan_in_without_the_taps_leaves_the_band(law):
    """Negative control: W ~ N(0, σ_w²/c), as in a dense layer, is nine times too much; the clip alone holds it."""

    def forget_the_taps(layers):
        for layer in layers:
            layer.weight.mul_(3.0)

    q, _ = measured(cnn(), networks=2, change=forget_the_taps)
    assert np.all(q.mean(axis=0) - DESIGN.q_star > band(law, networks=2))


def test_a_fan_out_leaves_the_band_where_the_channels_change(law):
    """Negative control: W ~ N(0, σ_w²/9c_out) is 3/32 of what the first layer needs, and right in all others."""

    def count_the_outputs(layers):
        layers[0].weight.mul_(math.sqrt(3 / CHANNELS))

    q, _ = measured(cnn(depth=3), change=count_the_outputs)
    assert q[:, 0].mean() - DESIGN.q_star < -band(law)[0]
