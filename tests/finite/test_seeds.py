"""A sample depends on its seed alone: not on memory, on what ran before, or on numpy's global state."""

import numpy as np
import pytest

from gpdeep.finite import angle_law, sample_angles, sample_gram, sample_pairs

SAMPLERS = {
    "angles": lambda n, rng: sample_angles([5, 7], 1.0, n_samples=n, rng=rng).log_sin2,
    "pairs": lambda n, rng: sample_pairs(np.eye(3), [9, 7], n_samples=n, rng=rng),
    "gram": lambda n, rng: sample_gram(np.eye(3), [5, 7], n_samples=n, rng=rng),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_seed_gives_the_same_sample_and_another_seed_another(name):
    sampler = SAMPLERS[name]
    one = sampler(30, 3)
    np.random.default_rng(0).random(5)
    np.testing.assert_array_equal(one, sampler(30, 3))
    np.testing.assert_array_equal(one, sampler(30, np.int64(3)))
    assert not np.array_equal(one, sampler(30, 4), equal_nan=True)


@pytest.mark.parametrize("name", SAMPLERS)
def test_numpy_s_global_state_is_neither_read_nor_changed(name):
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the legacy state is what must not move
    SAMPLERS[name](20, 0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("name", SAMPLERS)
def test_seed_sequences_and_generators_are_seeds_too(name):
    sampler = SAMPLERS[name]
    sequence = sampler(20, np.random.SeedSequence(5))
    np.testing.assert_array_equal(sequence, sampler(20, np.random.SeedSequence(5)))
    child = np.random.SeedSequence(5).spawn(1)[0]
    assert not np.array_equal(sequence, sampler(20, child), equal_nan=True)
    generator = np.random.default_rng(5)
    one, two = sampler(20, generator), sampler(20, generator)
    assert not np.array_equal(one, two, equal_nan=True)  # a generator moves on
    np.testing.assert_array_equal(one, sampler(20, np.random.default_rng(5)))


def test_consecutive_seeds_and_blocks_share_no_stream():
    one = sample_angles([50], 1.0, n_samples=2048, rng=0).log_sin2[:, 0]
    two = sample_angles([50], 1.0, n_samples=2048, rng=1).log_sin2[:, 0]
    assert len(np.unique(np.concatenate([one, two]))) == 2 * 2048


def test_a_sampled_law_and_its_sampler_agree():
    law = angle_law([6, 6], 1.0, method="chain", n_samples=500, rng=9)
    state = sample_angles([6, 6], 1.0, n_samples=500, rng=9)
    x = state.log_sin2[state.alive]
    # the same numbers summed in another order
    np.testing.assert_allclose(law.mean[-1], x.mean(), rtol=1e-13)
    np.testing.assert_allclose(law.std[-1], x.std(), rtol=1e-12)
    assert law.survival[-1] == state.alive.mean()
    assert law.seed == 9
    assert law.n_samples == 500
