"""The iterated angle map: one loop for one angle and for many, quick, and refused before it fills the memory."""

import time

import numpy as np
import pytest

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.gaussian import angle_map, iterate_angle_map, log_sin2_next

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("kink", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("pairs", [3, 40])  # a loop over floats, and one over arrays
def test_path_is_the_map_applied_again_and_again(kink, pairs):
    start = np.linspace(0, np.pi, pairs)
    theta, log_sin2 = iterate_angle_map(start, 4, kink)
    expected = start
    for layer in range(4):
        # two evaluations within 5 units of the exact one, four layers; ln sin² near a root absolutely
        np.testing.assert_allclose(log_sin2[layer], log_sin2_next(expected, kink), rtol=50 * EPS, atol=4 * EPS)
        expected = angle_map(expected, kink)
        np.testing.assert_allclose(theta[layer], expected, rtol=40 * EPS)


def test_one_angle_and_the_same_among_many_agree():
    start = np.linspace(0, np.pi, 40)
    alone = np.array([iterate_angle_map(float(angle), 200)[0] for angle in start]).T
    # rounding of each layer, 5 units, sums up less than linearly as the map contracts
    np.testing.assert_allclose(iterate_angle_map(start, 200)[0], alone, rtol=200 * 10 * EPS)


def test_shapes_follow_the_angle():
    for start, shape in [(1.0, (5,)), (np.ones(1), (5, 1)), (np.ones(30), (5, 30)), (np.ones((2, 20)), (5, 2, 20))]:
        theta, log_sin2 = iterate_angle_map(start, 5)
        assert theta.shape == log_sin2.shape == shape
        assert theta.dtype == log_sin2.dtype == np.float64


def test_identity_never_changes_the_angle():
    theta, _ = iterate_angle_map(np.array([0.0, 1e-200, 1.0, np.pi]), 100, 0.0)
    np.testing.assert_allclose(theta, np.broadcast_to([0.0, 1e-200, 1.0, np.pi], theta.shape), rtol=500 * EPS)


def test_a_hundred_thousand_layers_take_less_than_a_second():
    start = time.process_time()
    iterate_angle_map(np.pi / 2, 100_000)
    one_angle = time.process_time() - start
    start = time.process_time()
    iterate_angle_map(np.linspace(0, np.pi, 2000), 100)
    many_angles = time.process_time() - start
    # 0.15 s and 0.02 s on an idle core, measured; CPU seconds, so that other processes do not count
    assert one_angle < 1.0
    assert many_angles < 0.3


def test_a_path_beyond_the_memory_is_refused_before_it_is_allocated():
    with pytest.raises(MemoryBudgetError, match="Use up to 67108 layers"):
        iterate_angle_map(np.ones(2000), 10**9)


@pytest.mark.parametrize("depth", [0, -1, 2.0, True, "3", None])
def test_a_depth_is_a_positive_integer(depth):
    with pytest.raises(DomainError, match="depth"):
        iterate_angle_map(1.0, depth)
