"""The law of angles through partly linear chains: exact cases, stored simulations, networks of weights, its errors."""

import json
from pathlib import Path

import numpy as np
import pytest
from weighted_networks import moments, sampled_log_sin2, z_limit

import gpdeep
from gpdeep.errors import DomainError, ValidityWarning
from gpdeep.finite import angle_law, event_probabilities
from gpdeep.linearize import ChainProfile, predict_angle, small_angle_constant
from gpdeep.linearize.live_gates import live_cumulants
from gpdeep.result import StatusCode

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "linearize_theory.json").read_text())
CHAINS = REFERENCE["chains"]
LINEAR_MEAN = {  # seen: the fourth cumulant left out adds up over layers at a right angle
    24: 4e-4,
    32: 2e-4,
    128: 5e-6,
    1000: 3e-7,
}


def stored_chain(key):
    width, depth, kind = (part.split("=")[-1] for part in key.split(" ", 2))
    n, layers = int(width), int(depth)
    active = {
        "all active": np.ones(layers),
        "uniform half": np.full(layers, 0.5),
        "last half layers": np.repeat([0.0, 1.0], layers // 2),
        "all linear": np.zeros(layers),
    }[kind]
    return predict_angle(active, np.pi / 3, width=n, method="grid"), CHAINS[key]


@pytest.mark.parametrize("key", CHAINS)
def test_mean_and_spread_are_those_of_8000_stored_networks(key):
    law, want = stored_chain(key)
    # 32 comparisons at a false-alarm rate of 1e-3; the standard error of a deviation is sd/√(2N) for a normal law
    limit, se_sd = z_limit(2 * len(CHAINS)), want["sd"] / np.sqrt(2 * 8000)
    assert abs(law.mean[-1] - want["mean_ln_sin2"]) < law.error.mean + limit * want["se"]
    assert abs(law.std[-1] - want["sd"]) < law.error.std + limit * se_sd


def test_a_law_of_two_moments_fails_where_this_one_holds():
    # negative control: mean and variance of artanh cos θ alone, with cumulants to first order in 1/n
    limit = z_limit(2 * len(CHAINS))
    missed = [
        key
        for key, want in CHAINS.items()
        if abs(want["closure_mean"] - want["mean_ln_sin2"]) > 0.01 + limit * want["se"]
        or abs(want["closure_sd"] - want["sd"]) > 0.01 + limit * want["sd"] / np.sqrt(2 * 8000)
    ]
    assert len(missed) >= 6


@pytest.mark.parametrize("n", LINEAR_MEAN)
@pytest.mark.parametrize("theta0", [1e-3, 0.3, np.pi / 2, 2.5])
def test_linear_chains_have_their_exact_mean(n, theta0):
    # ln det of a product of Wishart matrices, at every angle: ln sin²θ_0 - L c(n, 0)
    law = predict_angle(np.zeros(30), theta0, width=n)
    want = 2 * np.log(np.sin(theta0)) - np.arange(1, 31) * small_angle_constant(n, 0)
    assert np.abs(law.mean - want).max() < LINEAR_MEAN[n]
    for depth in (1, 5, 30):
        short = predict_angle(np.zeros(depth), theta0, width=n)
        assert abs(short.mean[-1] - want[depth - 1]) < short.error.mean


@pytest.mark.parametrize(("n", "k"), [(24, 6), (64, 32), (64, 64), (200, 1)])
def test_vanishing_angles_add_up_exactly(n, k):
    depth = 40
    law = predict_angle(np.full(depth, k / n), 1e-150, width=n)
    kappa = live_cumulants(n, k)
    start = 2 * np.log(1e-150)
    # what is added is rounded with ln sin² = -690 at hand, and shared among nodes with its moments kept
    np.testing.assert_allclose(law.mean - start, kappa[0] * np.arange(1, depth + 1), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(law.std, np.sqrt(kappa[1] * np.arange(1, depth + 1)), rtol=1e-9, atol=0)


@pytest.mark.parametrize("n", [24, 32, 64, 256])
@pytest.mark.parametrize("theta0", [0.01, 0.5, np.pi / 2, 2.5])
def test_relu_chains_are_those_of_the_other_grid(n, theta0):
    # another coordinate, another expansion (to n^-6), another family of laws
    for depth in (1, 5, 40):
        one = predict_angle(np.ones(depth), theta0, width=n)
        two = angle_law([n] * depth, theta0, method="grid")
        assert abs(one.mean[-1] - two.mean[-1]) < one.error.mean + two.error.mean
        assert abs(one.std[-1] - two.std[-1]) < one.error.std + two.error.std
        assert max(one.error.mean, one.error.std) < 0.03
    # negative control: one layer more
    more, five = angle_law([n] * 6, theta0, method="grid"), predict_angle(np.ones(5), theta0, width=n)
    assert abs(five.mean[-1] - more.mean[-1]) > five.error.mean + more.error.mean


MASK = [0.0] * 12 + [1.0] * 20
SLOPES = np.linspace(-0.3, 1.2, 32)
REAL = {
    "a mask in every layer": ([MASK] * 6, np.pi / 3),
    "a slope for every channel": ([SLOPES] * 6, np.pi / 2),
    "obtuse, layers of several kinds": ([[0.0] * 40, [1.0] * 24, SLOPES, MASK, [0.25] * 28], 2.6),
    "absolute values among linear channels": ([[-1.0] * 8 + [1.0] * 24] * 4, 0.7),
}


@pytest.mark.statistical
@pytest.mark.parametrize("name", REAL)
def test_networks_of_weights_have_this_law(name):
    slopes, theta0 = REAL[name]
    x = sampled_log_sin2(theta0, slopes, 6000, seed=list(REAL).index(name))
    limit = z_limit(4 * len(REAL))
    for depth in (2, len(slopes)):
        law = predict_angle(
            ChainProfile.channels(slopes[:depth]), theta0, width=[len(layer) for layer in slopes[:depth]]
        )
        assert law.method == "grid"
        mean, std, se_mean, se_std = moments(x[depth - 1])
        assert abs(law.mean[-1] - mean) < law.error.mean + limit * se_mean
        assert abs(law.std[-1] - std) < law.error.std + limit * se_std
    # negative control: with a sixth of the width more the network is another
    wider = predict_angle(ChainProfile.channels(slopes), 1e-3, width=[len(layer) * 7 // 6 for layer in slopes])
    own = predict_angle(ChainProfile.channels(slopes), 1e-3, width=[len(layer) for layer in slopes])
    assert abs(wider.std[-1] - own.std[-1]) > wider.error.std + own.error.std


NARROW = {
    "half of eight": ([[0.0] * 4 + [1.0] * 4] * 5, 1.0),
    "slopes in a bottleneck": ([[0.2] * 12, [-0.4, 0.9, 1.3], [0.0] * 6 + [1.0] * 2], np.pi / 2),
}


@pytest.mark.statistical
@pytest.mark.parametrize("name", NARROW)
def test_narrow_chains_are_sampled_from_the_law_of_networks_of_weights(name):
    slopes, theta0 = NARROW[name]
    law = predict_angle(ChainProfile.channels(slopes), theta0, width=[len(layer) for layer in slopes], n_samples=20_000)
    assert law.method == "chain"
    assert law.error.kind == "standard_error"
    mean, std, se_mean, se_std = moments(sampled_log_sin2(theta0, slopes, 20_000, seed=7)[-1])
    limit = z_limit(2 * len(NARROW))
    assert abs(law.mean[-1] - mean) < limit * np.hypot(se_mean, law.error.mean)
    assert abs(law.std[-1] - std) < limit * np.hypot(se_std, law.error.std)


@pytest.mark.statistical
def test_pairs_die_and_collapse_as_often_as_they_must():
    samples, limit = 20_000, z_limit(3)
    event = event_probabilities(2.0, 4)
    seen = predict_angle([1.0], 2.0, width=4, n_samples=samples).survival[0]
    want = 1 - float(event.dead + event.collapsed)
    assert abs(seen - want) < limit * np.sqrt(want * (1 - want) / samples)
    # one linear channel among ReLUs: parallel where all of these are silent for both inputs
    seen = predict_angle([2 / 3], 0.5, width=3, n_samples=samples).survival[0]
    want = 1 - ((np.pi - 0.5) / (2 * np.pi)) ** 2
    assert abs(seen - want) < limit * np.sqrt(want * (1 - want) / samples)
    assert predict_angle([0.5] * 3, 0.5, width=4, n_samples=100).survival[-1] == 1  # two linear channels suffice


@pytest.mark.statistical
@pytest.mark.parametrize("width", [24, 40])
def test_reported_errors_cover_the_gap_to_the_chain(width):
    rng = np.random.default_rng(width)
    profiles = {
        "one ReLU in a layer": ChainProfile.masks([1 / width] * 6),
        "an eighth": ChainProfile.masks([0.125] * 6),
        "leaky": ChainProfile.masks([1.0] * 6, 0.1),
        "any slopes": ChainProfile.channels([rng.uniform(-0.5, 1.5, width) for _ in range(6)]),
    }
    limit = z_limit(2 * 2 * len(profiles) * 2)
    for index, profile in enumerate(profiles.values()):
        for theta0 in (np.pi / 2, 2.4):
            grid = predict_angle(profile, theta0, width=width, method="grid")
            chain = predict_angle(profile, theta0, width=width, method="chain", rng=index, n_samples=10_000)
            assert abs(grid.mean[-1] - chain.mean[-1]) < grid.error.mean + limit * chain.error.mean
            assert abs(grid.std[-1] - chain.std[-1]) < grid.error.std + limit * chain.error.std


def test_opposite_inputs_go_through_nonlinear_layers():
    grid = predict_angle([0.5] * 4, np.pi, width=64)
    near = predict_angle([0.5] * 4, np.pi - 1e-7, width=64)
    np.testing.assert_allclose(grid.mean, near.mean, rtol=0, atol=1e-5)
    assert np.isfinite(grid.mean).all()
    with pytest.raises(DomainError, match="opposite"):
        predict_angle([0.0, 0.5], np.pi, width=64)
    assert predict_angle([0.0, 0.5], np.pi).angle[0] == np.pi


def test_linearising_leaves_half_of_what_width_does():
    infinite = predict_angle(np.zeros(96), np.pi / 3)
    np.testing.assert_allclose(infinite.angle, np.pi / 3, rtol=1e-13, atol=0)
    finite = predict_angle(np.zeros(96), np.pi / 3, width=32)
    assert finite.typical_angle[-1] < 0.2
    assert predict_angle(np.zeros(3), 1.0).typical_angle[-1] == pytest.approx(1.0, rel=1e-14)


def test_shares_are_rounded_to_whole_channels():
    rough = predict_angle([0.51] * 5, 1.0, width=32)
    np.testing.assert_array_equal(rough.mean, predict_angle([0.5] * 5, 1.0, width=32).mean)
    assert rough.angle[-1] != predict_angle([0.5] * 5, 1.0).angle[-1]


def test_a_result_is_saved_loaded_and_shown(tmp_path):
    for answer in (predict_angle([0.5, 1.0, 0.0], 1.0, width=[32, 40, 24]), predict_angle([0.5], 1.0)):
        assert gpdeep.load(answer.save(tmp_path / "answer.json")) == answer
        assert "degeneracy depth" in str(answer)
    assert predict_angle([0.5], 1.0).to_dict()["mean"] is None


def test_same_seed_same_sample():
    def sampled(rng):
        return predict_angle([0.5] * 3, 1.0, width=8, n_samples=50, rng=rng).mean

    np.testing.assert_array_equal(sampled(3), sampled(3))
    assert (sampled(3) != sampled(4)).all()


def test_outside_its_range_the_grid_warns_and_auto_samples():
    with pytest.warns(ValidityWarning, match="holds from width 24"):
        narrow = predict_angle([0.5] * 3, 1.0, width=12, method="grid")
    assert narrow.status.code is StatusCode.OUTSIDE_VALIDITY
    with pytest.warns(ValidityWarning, match="few channels decide"):
        predict_angle([1 / 32] * 10, 3.0, width=32, method="grid")
    assert predict_angle([1 / 32] * 10, 3.0, width=32, n_samples=200).method == "chain"
    with pytest.warns(ValidityWarning, match="too few for moments"):
        gone = predict_angle([1.0] * 40, 1.0, width=2, n_samples=50)
    assert gone.status.code is StatusCode.NOT_CONVERGED
    assert np.isnan(gone.mean[-1])


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (([0.5], 0.0), {}),
        (([0.5], -1.0), {}),
        (([0.5], np.nan), {}),
        (([1.5], 1.0), {}),
        ((0.5, 1.0), {}),
        (([0.5] * 3, 1.0), {"width": [32, 32]}),
        (([0.5] * 3, 1.0), {"width": 1}),
        (([0.5] * 3, 1.0), {"width": 32.0}),
        (([0.5] * 3, 1.0), {"width": "32"}),
        (([0.5] * 3, 1.0), {"width": 32, "method": "closure"}),
        (([0.5] * 3, 1.0), {"method": "closure"}),
        (([0.5] * 3, 1.0), {"width": 8, "n_samples": 1}),
        (([0.5] * 3, 1.0), {"width": 8, "rng": -1}),
    ],
)
def test_what_cannot_be_predicted_is_refused(arguments, options):
    with pytest.raises(DomainError, match="to change"):
        predict_angle(*arguments, **options)
