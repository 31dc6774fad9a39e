"""Escape probabilities against chains and real networks, their error estimate, and what may be asked."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from stored import REFERENCE

from gpdeep import DomainError, Mixture, activation, load
from gpdeep.sparse import design, escape_probability, instability, sample_variances


def layer_of(kind, sparsity, slope):
    """φ, σ_w, σ_b of a stored case at q* = 1."""
    if slope is None:
        found = instability(kind, sparsity)
        return {"phi": found.options["activation"], "sigma_w": found.sigma_w, "sigma_b": found.sigma_b}
    one = design(kind, sparsity, slope=slope)
    return {"phi": one.phi, "sigma_w": one.sigma_w, "sigma_b": one.sigma_b}


def name(case):
    return f"{case['kind']}-{case.get('s', case.get('sparsity'))}-{case.get('eta', case.get('slope'))}"


@pytest.mark.parametrize("case", REFERENCE["chains"], ids=name)
def test_stored_chains(case):
    law = escape_probability(
        **layer_of(case["kind"], case["s"], case["eta"]), width=case["width"], depth=100, threshold=case["threshold"]
    )
    p = law.probability[np.array(case["layers"]) - 1]
    counts = np.round(np.array(case["frac_exceeded"]) * case["replicas"]).astype(int)
    # exact law: binomial tails, 1e-3 over the 7 cases of 6 layers each, two-sided
    tails = [
        min(stats.binom.cdf(k, case["replicas"], x), stats.binom.sf(k - 1, case["replicas"], x))
        for k, x in zip(counts, p, strict=True)
    ]
    assert min(tails) > 1e-3 / 7 / 6 / 2


NETWORKS = [(case, key) for case in REFERENCE["networks"] for key in ("frac_K_gt2", "frac_K_gt10")]


@pytest.mark.parametrize(("case", "key"), NETWORKS, ids=[f"{name(c)}-{k[-3:]}" for c, k in NETWORKS])
def test_stored_real_networks(case, key):
    law = escape_probability(
        **layer_of(case["kind"], case["s"], case["eta"]),
        width=case["width"],
        depth=case["depth"],
        threshold=2.0 if key == "frac_K_gt2" else 10.0,
    )
    p = law.probability[np.array(case["layers"]) - 1]
    counts = np.round(np.array(case[key]) * case["nets"]).astype(int)
    tails = [
        min(stats.binom.cdf(k, case["nets"], x), stats.binom.sf(k - 1, case["nets"], x))
        for k, x in zip(counts, p, strict=True)
    ]
    assert min(tails) > 1e-3 / len(NETWORKS) / 7 / 2


@pytest.mark.parametrize("case", REFERENCE["rare"], ids=name)
def test_rare_escapes_follow_the_exact_law(case):
    options = layer_of(case["kind"], case["sparsity"], case["slope"])
    shape = {"width": case["width"], "depth": case["depth"], "threshold": case["threshold"]}
    p = float(escape_probability(**options, **shape).probability[-1])
    z = (case["escaped"] / case["chains"] - p) / math.sqrt(p * (1 - p) / case["chains"])
    assert abs(z) < stats.norm.isf(1e-3 / len(REFERENCE["rare"]) / 2)


def test_gamma_closure_overstates_rare_escapes():
    # negative control, and a finding: three times too many where escapes are rare
    case = REFERENCE["rare"][0]
    options = layer_of(case["kind"], case["sparsity"], case["slope"])
    shape = {"width": case["width"], "depth": case["depth"], "threshold": case["threshold"]}
    p = float(escape_probability(**options, **shape, law="gamma").probability[-1])
    z = (case["escaped"] / case["chains"] - p) / math.sqrt(p * (1 - p) / case["chains"])
    assert z < -15
    assert 2.5 < p / (case["escaped"] / case["chains"]) < 3.5


@pytest.mark.statistical
def test_own_chains_of_every_kind():
    # tanh beside the sparse ones, and three different widths in one network
    cases = [
        ("tanh", {"sigma_w": 1.5, "sigma_b": 0.2}, [20] * 12, 1.0, 1.35),
        ("relu", {"sigma_w": 2**0.5, "sigma_b": 0.0}, [30] * 10, 1.0, 1.8),
        ("crelu:1.0,1.4", {"sigma_w": 2.6, "sigma_b": 0.7}, [80, 40, 120, 40, 80, 60], 1.0, 1.6),
        ("gelu", {"sigma_w": 1.7, "sigma_b": 0.1}, [50] * 10, 1.0, 1.3),
    ]
    samples = 20_000
    for phi, sigmas, widths, q, threshold in cases:
        law = escape_probability(phi, **sigmas, width=widths, q=q, threshold=threshold)
        paths = sample_variances(phi, **sigmas, width=widths, q=q, ceiling=threshold, n_samples=samples, rng=7)
        fraction = (np.maximum.accumulate(paths, axis=1) > threshold).mean(axis=0)
        p = law.probability
        z = (fraction - p)[1:] / np.sqrt(np.maximum(p * (1 - p), 1 / samples) / samples)[1:]
        assert np.abs(z).max() < stats.norm.isf(1e-3 / 34 / 2), phi
        inside = np.where(paths[:, -1] <= threshold, paths[:, -1], np.nan)
        error = np.nanstd(inside) / math.sqrt(samples)
        assert abs(np.nanmean(inside) - law.q_mean[-1]) < 4.5 * error
        np.testing.assert_allclose(np.nanstd(inside), law.q_std[-1], rtol=5 / math.sqrt(2 * samples) * 1.6, atol=0)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("kind", "sparsity", "slope", "width", "depth"),
    [("crelu", 0.9, 0.3, 10, 50), ("cst", 0.9, 0.5, 20, 50), ("crelu", 0.95, 0.5, 30, 60), ("crelu", 0.8, 0.7, 8, 30)],
)
def test_layers_with_one_active_unit_or_none(kind, sparsity, slope, width, depth):
    # where the law has atoms and steps: 35 % of layers of the first case are silent
    options = layer_of(kind, sparsity, slope)
    samples = 40_000
    law = escape_probability(**options, width=width, depth=depth)
    threshold = law.options["threshold"]
    paths = sample_variances(**options, width=width, depth=depth, ceiling=threshold, n_samples=samples, rng=11)
    p, fraction = float(law.probability[-1]), (paths.max(axis=1) > threshold).mean()
    # level 1e-3 over the four cases; 1e-3 of the probability for the steps
    assert abs(fraction - p) < 3.7 * math.sqrt(p * (1 - p) / samples) + 1e-3 * p
    silent = (paths[:, 1] == options["sigma_b"] ** 2).mean()
    np.testing.assert_allclose(silent, sparsity**width, rtol=0, atol=3.7 * math.sqrt(sparsity**width / samples) + 1e-9)


@pytest.mark.parametrize("kind", ["crelu", "cst"])
def test_estimated_error_bounds_the_true_one(kind):
    options = layer_of(kind, 0.85, 0.9)
    fine = escape_probability(**options, width=300, depth=100, nodes=600).probability[-1]
    for nodes in (16, 24, 36, 50, 80):
        law = escape_probability(**options, width=300, depth=100, nodes=nodes)
        assert abs(law.probability[-1] - fine) <= law.error
    assert law.error < 1e-6


def test_four_hundred_nodes_give_what_few_do():
    options = layer_of("cst", 0.85, 0.9)
    few = escape_probability(**options, width=300, depth=100)
    many = escape_probability(**options, width=300, depth=100, nodes=400)
    # the law itself is cut where 1e-12 is left
    np.testing.assert_allclose(few.probability, many.probability, rtol=0, atol=few.error + 1e-11)
    np.testing.assert_allclose(few.q_mean, many.q_mean, rtol=1e-8, atol=0)


def test_probability_rises_with_depth_and_falls_with_width():
    options = layer_of("crelu", 0.9, 0.8)
    at = [escape_probability(**options, width=n, depth=60).probability for n in (50, 100, 300, 1000)]
    assert all((np.diff(p) >= 0).all() for p in at)
    assert all((a[5:] > b[5:]).all() for a, b in itertools.pairwise(at))


def test_first_layer_is_the_start():
    law = escape_probability(**layer_of("crelu", 0.85, 0.5), width=100, depth=1)
    assert law.probability.tolist() == [0.0]
    assert (law.q_mean[0], law.q_std[0]) == (1.0, 0.0)
    np.testing.assert_allclose(law.sparsity_std[0], math.sqrt(0.85 * 0.15 / 100), rtol=1e-12, atol=0)


def test_start_beyond_the_threshold_has_escaped():
    law = escape_probability(**layer_of("crelu", 0.85, 0.5), width=100, depth=4, q=3.0, threshold=2.0)
    assert law.probability.tolist() == [1.0] * 4


def test_wide_networks_do_not_escape():
    for width in (10_000, 1_000_000):
        law = escape_probability(**layer_of("crelu", 0.85, 0.7), width=width, depth=100)
        assert law.probability[-1] < 1e-12
        # stationary fluctuation to leading order in 1/n
        np.testing.assert_allclose(law.q_std[-1] * width**0.5, 1.586 / (1 - 0.49) ** 0.5, rtol=1e-2, atol=0)


def test_no_bias_and_vanishing_variances():
    law = escape_probability("crelu:1.0,1.0", sigma_w=1.0, sigma_b=0.0, width=20, depth=30)
    assert law.probability[-1] < 1e-6  # without bias this far below the edge of chaos variances vanish
    assert law.q_mean[3] < law.q_mean[2] < law.q_mean[1] < 0.2


def test_thresholds_below_what_a_silent_layer_has():
    # every K' is at least σ_b², so a lower threshold is passed with certainty in the second layer
    options = layer_of("crelu", 0.85, 0.7)
    floor = options["sigma_b"] ** 2
    for q, threshold in ((0.1, 0.2), (0.29, 0.3), (0.1, floor)):
        law = escape_probability(**options, width=50, depth=4, q=q, threshold=threshold)
        assert law.probability.tolist() == [0.0, 1.0, 1.0, 1.0]
    # the default threshold is that of the fixed point which a low start converges to
    law = escape_probability(**options, width=50, depth=4, q=0.1)
    assert law.options["threshold"] == pytest.approx(2.0, rel=1e-12)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("phi", "options"),
    [
        ("sin", {"sigma_w": 10.0, "sigma_b": 0.1, "width": 30, "depth": 2, "q": 50.0, "threshold": 60.0}),
        ("tanh", {"sigma_w": 30.0, "sigma_b": 0.1, "width": 100, "depth": 3, "q": 800.0, "threshold": 830.0}),
        ("crelu:1,1", {"sigma_w": 2.7, "sigma_b": 0.01, "width": 20, "depth": 5, "threshold": 1.4}),
    ],
)
def test_variances_far_from_one(phi, options):
    law = escape_probability(phi, **options)
    ceiling = options["threshold"]
    paths = sample_variances(
        phi, **{k: v for k, v in options.items() if k != "threshold"}, ceiling=ceiling, n_samples=20_000, rng=5
    )
    p, fraction = float(law.probability[-1]), (paths.max(axis=1) > ceiling).mean()
    assert abs(fraction - p) < 3.6 * math.sqrt(max(p * (1 - p), 1e-4) / 20_000) + law.error


@pytest.mark.statistical
@pytest.mark.parametrize(("width", "depth"), [(1, 2), (1, 10), (2, 10), (4, 10), (8, 2)])
def test_error_covers_the_steps_of_single_units(width, depth):
    options = layer_of("crelu", 0.85, 0.7)
    law = escape_probability(**options, width=width, depth=depth)
    paths = sample_variances(**options, width=width, depth=depth, ceiling=2.0, n_samples=40_000, rng=3)
    p, fraction = float(law.probability[-1]), (paths.max(axis=1) > 2.0).mean()
    assert law.error < 0.1
    assert abs(fraction - p) < law.error + 3.7 * math.sqrt(p * (1 - p) / 40_000)


def test_mixtures_and_heavy_tails_are_refused():
    mixture = Mixture((activation("relu"), activation("identity")), (0.5, 0.5))
    with pytest.raises(DomainError, match="mixture"):
        escape_probability(mixture, sigma_w=1.1, sigma_b=0.2, width=40, depth=4)
    with pytest.raises(DomainError, match="not resolved"):
        escape_probability("exp", sigma_w=0.3, sigma_b=0.1, width=5, depth=3, threshold=2.0)


def test_default_threshold_is_the_wall_of_the_basin():
    one = design("crelu", 0.9, slope=0.9)
    law = escape_probability(one.phi, sigma_w=one.sigma_w, sigma_b=one.sigma_b, width=300, depth=10)
    assert law.options["threshold"] == pytest.approx(one.unstable_q, rel=1e-12)
    assert escape_probability(**layer_of("relu_tau", 0.85, None), width=300, depth=10).options["threshold"] == 2.0


def test_sparsity_of_the_design_scatters_as_said():
    # § 8.14 of the theory: one network's layers scatter by 2-3 points
    law = escape_probability(**layer_of("crelu", 0.85, 0.5), width=300, depth=100)
    np.testing.assert_allclose(law.sparsity_mean[-1], 0.85, rtol=0, atol=0.002)
    assert 0.02 < law.sparsity_std[-1] < 0.03


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"width": 2.5},
        {"width": -3},
        {"depth": 0},
        {"depth": None},
        {"width": [100, 100]},
        {"width": [100, 0], "depth": None},
        {"width": [], "depth": None},
        {"width": "100"},
        {"width": np.array(300), "depth": None},
        {"law": ["exact"]},
        {"threshold": -1.0},
        {"threshold": math.nan},
        {"q": 0.0},
        {"q": math.inf},
        {"law": "normal"},
        {"nodes": 1},
        {"sigma_w": 0.0},
        {"sigma_b": -0.1},
        {"phi": "nope"},
    ],
    ids=repr,
)
def test_bad_arguments_are_refused(changes):
    options = {"phi": "crelu:1,1", "sigma_w": 2.7, "sigma_b": 0.7, "width": 100, "depth": 10} | changes
    with pytest.raises(DomainError):
        escape_probability(**options)


def test_noise_too_fine_to_resolve_is_refused_with_the_number():
    with pytest.raises(DomainError, match="nodes for variances"):
        escape_probability("tanh", sigma_w=1.0, sigma_b=0.0, width=10**6, depth=1000, q=1.0)


def test_result_is_kept_and_shown(tmp_path):
    law = escape_probability(**layer_of("crelu", 0.85, 0.9), width=100, depth=20)
    assert load(law.save(tmp_path / "x.json")) == law
    assert "exact one-step law" in str(law)
    assert law.to_dict()["probability"][0] == 0.0
