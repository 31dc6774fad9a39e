"""The law of the angles: against mpmath at 50 digits, its invariances, its draw, and what it refuses."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import mpmath
import numpy as np
import pytest
from scipy.stats import chisquare, ortho_group

import gpdeep
from gpdeep.data import AngleSample, load_inputs, pair_angles, prepare
from gpdeep.errors import DomainError

EPS = np.finfo(float).eps


def reference_angles(X: np.ndarray, *, centre: bool) -> list[mpmath.mpf]:
    """All angles between rows of `X` at 50 digits, ascending, from tan θ = |u × v|/u·v (Lagrange)."""
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(float(x)) for x in row] for row in X]
        mean = [mpmath.fsum(column) / len(rows) if centre else 0 for column in zip(*rows, strict=True)]
        rows = [[x - m for x, m in zip(row, mean, strict=True)] for row in rows]
        angles = []
        for u, v in combinations(rows, 2):
            dot = mpmath.fdot(u, v)
            cross2 = mpmath.fsum((u[a] * v[b] - u[b] * v[a]) ** 2 for a, b in combinations(range(len(u)), 2))
            angles.append(mpmath.atan2(mpmath.sqrt(cross2), dot))
        return sorted(angles)


def worst_error(angles: np.ndarray, exact: list[mpmath.mpf]) -> float:
    with mpmath.workdps(50):
        return max(float(abs(mpmath.mpf(float(a)) - e)) for a, e in zip(angles, exact, strict=True))


def awkward() -> np.ndarray:
    """Near duplicates (1e-8 and 1e-12 apart), near opposites, near right angles, sizes from 1e-3 to 1e6."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 7))
    y -= (x @ y) / (x @ x) * x
    return np.array(
        [x, x + 1e-8 * y, x + 1e-12 * y, -x + 1e-8 * y, 1e6 * y, y + 1e-9 * x, 1e-3 * x, *rng.random((3, 7))]
    )


@pytest.mark.parametrize("centre", [False, True])
def test_angles_agree_with_mpmath_to_rounding(centre):
    X = awkward()
    sample = pair_angles(X, centre=centre)
    assert sample.pairs == 45
    # u and v are off by (d + 4) eps at most: d products and sums, root, quotient. So is θ, for each.
    bound = 2 * (7 + 4) * EPS
    if centre:  # the mean of 10 rows is off by 10 eps of their spread, which counts relative to |x - m|
        away = np.linalg.norm(X - X.mean(axis=0), axis=1)
        bound += 2 * 10 * EPS * np.abs(X).max() / away.min()
    assert worst_error(sample.angles, reference_angles(X, centre=centre)) < bound < 1e-12


@pytest.mark.parametrize("centre", [False, True])
def test_angles_of_ordinary_data_agree_with_mpmath_to_1e9(centre):
    X = np.random.default_rng(2).integers(0, 256, (12, 9)).astype(np.uint8)
    assert worst_error(pair_angles(X, centre=centre).angles, reference_angles(X, centre=centre)) < 1e-14


def test_negative_control_arccos_loses_small_angles():
    X = awkward()
    unit = prepare(X, centre=False) / np.sqrt(X.shape[1])
    cosines = [unit[i] @ unit[j] for i, j in combinations(range(len(X)), 2)]
    by_arccos = np.sort(np.arccos(np.clip(cosines, -1, 1)))
    assert worst_error(by_arccos, reference_angles(X, centre=False)) > 1e-9


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1.0, 1e30, 1e307])
def test_common_scale_does_not_change_the_law(size):
    X = np.random.default_rng(3).standard_normal((30, 6))
    for centre in (False, True):
        # Scaling by a power of ten rounds each entry once: eps per sample, amplified by |x|/|x - m| < 10.
        np.testing.assert_allclose(
            pair_angles(size * X, centre=centre).angles,
            pair_angles(X, centre=centre).angles,
            rtol=0,
            atol=40 * 10 * EPS,
        )


def test_scale_of_each_sample_does_not_change_the_uncentred_law():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((30, 6))
    scaled = 2.0 ** rng.integers(-400, 400, (30, 1)) * X  # exact
    np.testing.assert_array_equal(pair_angles(scaled, centre=False).angles, pair_angles(X, centre=False).angles)


@pytest.mark.parametrize("centre", [False, True])
def test_rotation_does_not_change_the_law(centre):
    d = 16
    X = np.random.default_rng(5).standard_normal((40, d)) + 1
    Q = ortho_group.rvs(d, random_state=6)
    # The product with Q rounds d times, Q is orthogonal to about d eps, and so are both samples of a pair.
    np.testing.assert_allclose(
        pair_angles(X @ Q, centre=centre).angles,
        pair_angles(X, centre=centre).angles,
        rtol=0,
        atol=20 * d * EPS,
    )


def test_translation_changes_the_raw_law_and_not_the_centred_one():
    X = np.random.default_rng(7).standard_normal((40, 5))
    moved = X + 100.0
    # The shift rounds entries by 100 eps/2; |x - m| > 0.5 for these rows.
    np.testing.assert_allclose(pair_angles(moved).angles, pair_angles(X).angles, rtol=0, atol=2000 * EPS)
    assert pair_angles(moved, centre=False).angles.max() < 0.1 < pair_angles(X, centre=False).mean


def test_raw_images_lie_within_a_right_angle_and_centred_ones_do_not():
    X = np.random.default_rng(8).random((200, 30))
    raw, centred = pair_angles(X, centre=False), pair_angles(X)
    assert raw.angles.max() < np.pi / 2 < centred.angles.max()
    # Centred iid samples: E cos = -1/(N-1), and θ is symmetric about it; 2000 pairs of spread 1/√30.
    assert centred.mean == pytest.approx(np.pi / 2 + 1 / 199, abs=4 / np.sqrt(30 * 2000))
    assert (raw.centred, centred.centred) == (False, True)


def test_digits_are_narrow_raw_and_at_a_right_angle_centred():
    pytest.importorskip("sklearn")
    X = load_inputs("digits")
    raw, centred = pair_angles("digits", centre=False), pair_angles("digits")
    assert raw.angles.max() < np.pi / 2
    # E cos over pairs of centred unit vectors is (|Σu|² - N)/(N(N-1)), computed here without any angle.
    u = prepare(X) / 8
    expected = (np.sum(u.sum(axis=0) ** 2) - len(u)) / (len(u) * (len(u) - 1))
    assert abs(np.cos(centred.angles).mean() - expected) < 4 * np.cos(centred.angles).std() / np.sqrt(2000)
    assert (centred.samples, centred.features, centred.pairs, centred.source) == (1797, 64, 2000, "digits")


def test_two_samples_stand_opposite_each_other_when_centred():
    assert pair_angles([[1.0, 2.0], [3.0, -1.0]]).angles == pytest.approx([np.pi], abs=4 * EPS)


def test_prepared_samples_have_zero_mean_direction_and_length_root_d():
    X = np.random.default_rng(9).random((50, 7)).astype(np.float32)
    for centre in (False, True):
        Z = prepare(X, centre=centre)
        assert Z.dtype == np.float64
        np.testing.assert_allclose((Z**2).sum(axis=1), 7, rtol=12 * EPS)
        away = X.astype(float) - (X.mean(axis=0, dtype=float) if centre else 0)
        np.testing.assert_allclose(Z / np.sqrt(7), away / np.linalg.norm(away, axis=1)[:, None], atol=64 * EPS)


def test_prepared_samples_have_the_angles_of_the_law():
    X = np.random.default_rng(10).random((60, 8))
    np.testing.assert_allclose(
        pair_angles(prepare(X), centre=False).angles, pair_angles(X).angles, rtol=0, atol=30 * EPS
    )


@pytest.mark.parametrize("samples", [2, 3, 4, 5, 10, 11, 64])
def test_few_samples_give_every_pair_once(samples):
    X = np.random.default_rng(samples).standard_normal((samples, 5))
    total = samples * (samples - 1) // 2
    sample = pair_angles(X, centre=False, pairs=total + 1)
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    expected = np.sort([np.arccos(unit[i] @ unit[j]) for i, j in combinations(range(samples), 2)])
    np.testing.assert_allclose(sample.angles, expected, rtol=0, atol=1e-7)  # arccos near 0 and π
    assert sample.pairs == total
    assert any(str(total) in message and str(total + 1) in message for message in sample.status.messages)
    assert pair_angles(X, centre=False, pairs=total, rng=3).status.messages == ()


@pytest.mark.statistical
def test_pairs_are_drawn_uniformly_without_repetition():
    # Points on a circle, uncentred, at angles 2^k: every pair has its own angle, which names it.
    angle = 2.0 ** -np.arange(12)
    X = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    every = pair_angles(X, centre=False).angles
    assert np.diff(every).min() > 1e-6
    counts = np.zeros(66)
    for seed in range(1000):
        drawn = pair_angles(X, centre=False, pairs=11, rng=seed).angles
        hit = np.abs(every[:, None] - drawn).argmin(axis=0)
        assert len(set(hit)) == 11
        counts[hit] += 1
    # Drawing without repetition shrinks the variance by (66 - 11)/65: the statistic is scaled back to χ²(65).
    statistic = chisquare(counts).statistic * 65 / 55
    assert abs(statistic - 65) < 5 * np.sqrt(2 * 65)  # false alarm below 1e-4


def test_seed_decides_the_pairs():
    X = np.random.default_rng(11).random((500, 4))
    default, again, other = pair_angles(X), pair_angles(X, rng=0), pair_angles(X, rng=1)
    assert default == again
    assert default != other
    assert (default.seed, other.seed) == (0, 1)
    root = np.random.SeedSequence(7)
    first = pair_angles(X, rng=root)
    assert pair_angles(X, rng=root) == first
    assert root.n_children_spawned == 0
    assert first.seed is None
    assert first != pair_angles(X, rng=root.spawn(1)[0])
    np.testing.assert_array_equal(first.angles, pair_angles(X, rng=7).angles)


def test_generator_is_used_as_it_is():
    X = np.random.default_rng(12).random((500, 4))
    stream = np.random.default_rng(1)
    assert pair_angles(X, rng=stream) != pair_angles(X, rng=stream)
    assert pair_angles(X, rng=np.random.default_rng(1)) == pair_angles(X, rng=np.random.default_rng(1))


def test_draw_shares_no_stream_with_the_bare_seed():
    """Data drawn from seed 0 and pairs drawn from seed 0 are independent."""
    X = np.random.default_rng(13).random((500, 4))
    assert pair_angles(X, rng=0) != pair_angles(X, rng=np.random.default_rng(0))


def test_global_random_state_is_neither_read_nor_moved():
    X = np.random.default_rng(14).random((500, 4))
    results = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        results.append(pair_angles(X))
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert results[0] == results[1]


def test_identical_samples_are_kept_and_counted():
    rng = np.random.default_rng(15)
    X = rng.random((6, 5))
    X = np.vstack([X, X[:2], X[:1]])  # {0, 6, 8} make three pairs, {1, 7} one
    for centre in (False, True):
        sample = pair_angles(X, centre=centre)
        assert sample.identical == 4
        assert (sample.angles[:4] == 0).all()
        assert sample.angles[4] > 0
        assert sample.pairs == 36


def test_samples_without_direction_are_dropped_and_counted():
    X = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 0], [0, 0, 3]])
    sample = pair_angles(X, centre=False)
    assert (sample.samples, sample.pairs) == (3, 3)
    np.testing.assert_allclose(sample.angles, np.pi / 2, rtol=2 * EPS)
    assert any(message.startswith("2 of 5 samples dropped") for message in sample.status.messages)
    # centred: 0.1 k is not a binary number, so the middle one misses the mean by rounding alone
    line = 0.1 * np.arange(-3, 4)[:, None] * np.ones(4) + 0.7
    sample = pair_angles(line)
    assert sample.samples == 6
    np.testing.assert_allclose(sample.angles, [0] * 6 + [np.pi] * 9, rtol=0, atol=100 * EPS)
    assert any("equal the mean" in message for message in sample.status.messages)


def test_large_features_do_not_hide_the_directions_of_small_ones():
    X = np.random.default_rng(16).standard_normal((20, 3))
    with_constant = np.hstack([X, np.full((20, 1), 1e20)])
    np.testing.assert_array_equal(pair_angles(with_constant).angles, pair_angles(X).angles)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e300, 7])
@pytest.mark.parametrize("samples", [2, 3, 1000])
def test_constant_data_have_no_angle(value, samples):
    X = np.full((samples, 3), value)
    for function in (prepare, pair_angles):
        with pytest.raises(DomainError, match=f"{samples} of {samples} samples"):
            function(X)


def test_preparing_refuses_a_zero_row_and_names_it():
    with pytest.raises(DomainError, match=r"1 of 3 samples cannot be scaled.*sample 2"):
        prepare([[1, 2], [3, 4], [0, 0]], centre=False)
    with pytest.raises(DomainError, match="1 of 1 samples"):
        prepare([[1, 2]])
    assert prepare([[3, 4]], centre=False) == pytest.approx(np.sqrt(2) * np.array([[0.6, 0.8]]))


@pytest.mark.parametrize("centre", [False, True])
def test_one_sample_makes_no_pair(centre):
    with pytest.raises(DomainError, match="1 sample, with 3 features"):
        pair_angles([[1, 2, 3]], centre=centre)


@pytest.mark.parametrize("pairs", [0, -5, 1.5, "many", None, 10**6 + 1])
def test_number_of_pairs_out_of_range_is_refused(pairs):
    with pytest.raises(DomainError, match=f"pairs = {pairs!r}"):
        pair_angles(np.eye(3), pairs=pairs)


@pytest.mark.parametrize("rng", [None, -1, 0.5, "seed", np.random.RandomState(0)])
def test_what_is_no_seed_is_refused(rng):
    with pytest.raises(DomainError, match="rng = "):
        pair_angles(np.eye(3), rng=rng)


def test_non_finite_entries_are_refused_before_any_angle():
    X = np.eye(4)
    X[2, 1] = np.nan
    for function in (prepare, pair_angles):
        with pytest.raises(DomainError, match=r"1 entries of 16.*sample 2, feature 1"):
            function(X)


def test_float32_is_computed_in_float64():
    X = np.random.default_rng(17).random((30, 5)).astype(np.float32)
    np.testing.assert_array_equal(pair_angles(X).angles, pair_angles(X.astype(float)).angles)


def test_summary_describes_the_angles_and_survives_the_file(tmp_path):
    sample = pair_angles(np.random.default_rng(18).random((90, 4)), pairs=300, rng=5)
    assert sample.angles.shape == (300,)
    assert (np.diff(sample.angles) >= 0).all()
    assert sample.mean == np.mean(sample.angles)
    assert sample.median == np.median(sample.angles)
    assert sample.std == np.std(sample.angles)
    back = gpdeep.load(sample.save(tmp_path / "angles.json"))
    assert isinstance(back, AngleSample)
    assert back == sample
    assert "300 pairs of 90 samples with 4 features" in str(sample)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.mean = 0.0
