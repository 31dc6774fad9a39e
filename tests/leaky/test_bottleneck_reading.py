"""The verdict on stored paths and on runs of a teacher with two dimensions, its interval, its reasons, and networks."""

import dataclasses

import numpy as np
import pytest
from stored_paths import REFERENCE, entries, entry, geometry, name, options

from gpdeep import DomainError
from gpdeep.leaky.bottleneck import identity_curves, read_bottleneck, verdict
from gpdeep.leaky.energies import cost_of_identity, kernel, weights

RANKS = {
    "smooth/P22/Lt20": 1,
    "smooth/P33/Lt20/lower": 1,
    "smooth/P33/Lt20/rank2": 2,
    "smooth/P43/Lt20": 1,
    "smooth/P43/Lt20/rank2": 2,
    "smooth/P44/Lt20": 2,
    "smooth/P35/Lt20": 2,
    "smooth/P35/Lt20/lower": 1,
    "gamma/P22/Lt20/gamma0.001": 1,
    # constant by their closed forms
    "closed/polar/w1_Lt7": 1,
    "closed/diagonal/Lt4": 3,
    # nothing passes the middle but the bias, or private features of price γ
    "closed/bias_scalar/a0_1_a1_1_Lt20_beta2_1": 0,
    "closed/gamma_scalar/Lt20_gamma1e-4_dip": 0,
    "closed/gamma_scalar/Lt20_gamma1e-4_stay": 1,
}
TEACHER = {1.0: None, 2.0: None, 3.0: None, 5.0: None, 7.0: None, 14.0: 2}


def read(path, **changes):
    nodes = path["nodes"]
    return read_bottleneck(nodes["p"], nodes["A"], nodes["B"], path["Lt"], **options(path) | changes)


@pytest.mark.parametrize(("which", "rank"), RANKS.items())
def test_rank_of_stored_paths(which, rank):
    path = entry(which)
    found = read(path)
    assert found.rank == found.r_W == rank
    assert found.r_S is None
    np.testing.assert_allclose(found.r_H, path["minus_2H_over_Lt"], rtol=0, atol=1e-6)
    assert found.r_H_spread < 1e-6
    assert 0 <= found.start < found.end <= 1
    assert found.end - found.start > 0.5
    # from below, but for what γ or bias cost at rank 0; and from above by the fine curve
    assert found.r_H <= rank + 1e-4
    assert found.coi_coarse <= found.coi_fine
    assert found.r_H <= found.coi_fine + 1e-3
    assert found.reason.startswith(f"Rank {rank}: ")


NARROW = ("smooth/P22/Lt7",)  # two samples through one dimension, already at L̃ = 7
SHALLOW = [p for p in entries("smooth") + entries("relu") if p["Lt"] <= 7 and p["id"] not in NARROW]


@pytest.mark.parametrize("path", SHALLOW, ids=name)
def test_no_bottleneck_at_small_depth(path):
    found = read(path)
    assert found.rank is found.start is found.end is None
    assert found.reason.startswith(f"No bottleneck at effective depth {path['Lt']:g}: ")
    if found.r_H < -0.3:
        assert "negative, kinetic energy dominates" in found.reason


def run_of(depth):
    (run,) = (run for run in REFERENCE["bottleneck_demo"]["runs"] if run["Lt"] == depth)
    sigma = np.array(run["W_sv_mid_over_Lt"])
    return run, int((sigma > 0.1 * max(sigma[0], 1)).sum())


@pytest.mark.parametrize(("depth", "rank"), TEACHER.items())
def test_teacher_with_two_dimensions_in_the_middle(depth, rank):
    run, r_W = run_of(depth)
    found = verdict(run["minus_2H_over_Lt_median"], r_W, run["min_coi_gamma1e_4"], effective_depth=depth)
    assert found[0] == rank, found[1]
    if depth == 7.0:
        assert "-2H/L̃ = 1.72 and the 3 large singular values" in found[1]
        # and by the corrected energies
        assert verdict(1.63, r_W, run["min_coi_gamma1e_4"], effective_depth=depth)[0] is None
    if depth == 14.0:
        for r_H in (1.80, 1.85):
            assert verdict(r_H, r_W, run["min_coi_gamma1e_4"], effective_depth=depth)[0] == 2


def test_coarse_curve_would_refuse_true_bottlenecks():
    # why the condition uses the fine one: the second dimension counts λ/(λ + γ) only
    run, r_W = run_of(14.0)
    assert verdict(1.80, r_W, run["min_coi_gamma1e_2"], effective_depth=14.0)[0] is None
    found = read(entry("smooth/P33/Lt20/rank2"))
    assert found.coi_coarse < 1.61 < 1.985 < found.r_H < found.coi_fine
    assert verdict(found.r_H, 2, found.coi_coarse, effective_depth=20.0)[0] is None


def test_every_condition_is_needed_and_named():
    good = {"r_H": 1.9, "r_W": 2, "least_coi": 2.0, "effective_depth": 20.0, "residual": 1e-9}
    assert verdict(**good)[0] == 2
    for change, words in (
        ({"r_W": 3}, "differ by 0.3 or more"),
        ({"r_H": 1.6999}, "differ by 0.3 or more"),
        ({"r_H": -3.0}, "negative, kinetic energy dominates"),
        ({"least_coi": 1.7}, "above the least COI"),
        ({"residual": 0.5}, "residual 0.5"),
        ({"residual": float("nan")}, "residual nan"),
        ({"r_H": float("nan")}, "nan"),
    ):
        rank, reason = verdict(**good | change)
        assert rank is None
        assert words in reason
    # both at once are both told
    assert "differ" in verdict(2.5, 2, 2.0, effective_depth=20.0)[1]
    assert "above" in verdict(2.5, 2, 2.0, effective_depth=20.0)[1]


def test_a_network_is_read_from_its_layers():
    path = entry("smooth/P33/Lt20/rank2")
    p, A, B = (path["nodes"][key] for key in "pAB")
    rng = np.random.default_rng(0)
    # energies of layers scatter, most at both ends where steps are large
    energies = path["H"] + rng.normal(size=len(p)) * 0.3
    energies[[0, -1]] += 20
    W = weights(A, B, path["Lt"], **options(path))
    found = read_bottleneck(
        p, A, B, path["Lt"], **options(path), hamiltonian=energies, weights=W, residual=1e-3, action_slope=0.993
    )
    assert (found.rank, found.r_W, found.r_S) == (2, 2, 1.986)
    np.testing.assert_allclose(found.r_H, np.median(-2 * energies / path["Lt"]), rtol=1e-14)
    np.testing.assert_allclose(found.r_H_spread, np.std(-2 * energies / path["Lt"]), rtol=1e-12)
    assert read(path, hamiltonian=path["H"]).r_H_spread == 0
    # a network that is not trained to stationarity has no energy to read
    assert read(path, residual=1.2).rank is None
    # other weights, other rank: one more dimension is used
    assert read(path, weights=W + np.eye(3, 4) * path["Lt"]).rank is None


def test_interval_is_linear_between_nodes():
    path = entry("smooth/P43/Lt20")
    p, A = path["nodes"]["p"], path["nodes"]["A"]
    found = read(path)
    _, fine = identity_curves(A, geometry(path))
    level = fine.min() + 0.5
    for end, inside in ((found.start, 1), (found.end, -1)):
        np.testing.assert_allclose(np.interp(end, p, fine), level, rtol=1e-12)
        assert np.interp(end + inside * 1e-3, p, fine) < level
    middle = (p > found.start) & (p < found.end)
    assert (fine[middle] < level).all()


def test_longest_of_several_intervals_is_taken():
    # one neuron, one sample, β = 1: COI = a²/(a² + 1) is small where a is
    p = np.linspace(0, 1, 101)
    a = 3 * np.ones_like(p)
    a[10:15] = a[40:71] = 0.1
    found = read_bottleneck(p, a[:, None, None], 0 * a[:, None, None], 10.0)
    assert found.rank == found.r_W == 0
    assert 0.39 < found.start < 0.4
    assert 0.7 < found.end < 0.71


def test_curves_are_costs_of_identity_at_relative_gammas():
    for path in (entry("smooth/P35/Lt7"), entry("gamma/P33/Lt3/gamma0.1")):
        A, chosen = path["nodes"]["A"], {key: options(path)[key] for key in ("activation", "bias")}
        top = np.linalg.eigvalsh(kernel(A, **chosen))[:, -1]
        for curve, relative in zip(identity_curves(A, geometry(path)), (1e-2, 1e-4), strict=True):
            gammas = np.maximum(path["gamma"], relative * top)
            expected = [cost_of_identity(M, gamma=g, **chosen) for M, g in zip(A, gammas, strict=True)]
            np.testing.assert_allclose(curve, expected, rtol=1e-9)


def test_reading_is_plain_data():
    found = read(entry("smooth/P22/Lt20"))
    for field, value in dataclasses.asdict(found).items():
        assert value is None or type(value) in (int, float, str), field


def test_a_constant_path_is_as_narrow_everywhere():
    found = read(entry("closed/diagonal/Lt4"))
    assert (found.start, found.end) == (0.0, 1.0)
    assert "as narrow everywhere" in found.reason


BAD = {
    "unequal lengths": {"p": np.linspace(0, 1, 4)},
    "natural time": {"p": np.linspace(0, 20, 5)},
    "backwards": {"p": np.linspace(1, 0, 5)},
    "twice": {"p": [0, 0.5, 0.5, 0.7, 1]},
    "nan in p": {"p": [0, 0.2, np.nan, 0.7, 1]},
    "text": {"p": "abc"},
    "ragged": {"p": [[0], [1, 2]]},
    "a matrix for p": {"p": np.eye(5)},
    "one matrix": {"A": np.ones((2, 3)), "B": np.ones((2, 3))},
    "one node": {"p": [0.5], "A": np.ones((1, 2, 3)), "B": np.ones((1, 2, 3))},
    "shapes differ": {"B": np.ones((5, 3, 2))},
    "no depth": {"effective_depth": 0},
    "negative residual": {"residual": -1.0},
    "energies": {"hamiltonian": [1.0, np.nan]},
    "energy matrix": {"hamiltonian": np.ones((2, 2))},
    "slope": {"action_slope": "steep"},
    "weights without bias column": {"weights": np.ones((5, 2, 2))},
    "no feature left": {"A": -np.ones((5, 2, 3)), "bias": 0.0},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_bad_arguments_are_refused(changes):
    good = {"p": np.linspace(0, 1, 5), "A": np.ones((5, 2, 3)), "B": np.ones((5, 2, 3)), "effective_depth": 5.0}
    read_bottleneck(**good)
    with pytest.raises(DomainError):
        read_bottleneck(**good | changes)
