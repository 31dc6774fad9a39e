"""method="infinite" against mpmath iterates of the infinite-width map, and its 1/depth law."""

import mpmath as mp
import numpy as np
import pytest

from gpdeep.finite import angle_law


def iterates(theta, depth):
    with mp.workdps(40):
        t, path = mp.mpf(theta), []
        for _ in range(depth):
            t = mp.acos((mp.sin(t) + (mp.pi - t) * mp.cos(t)) / mp.pi)
            path.append(float(mp.log(mp.sin(t) ** 2)))
        return path


@pytest.mark.parametrize("theta0", [1e-8, 0.1, np.pi / 2, 3.0])
def test_agrees_with_iterates_in_40_digits(theta0):
    law = angle_law([7] * 50, theta0, method="infinite")
    # each layer rounds ln sin² by 2 units of its value and passes errors on with a factor below one
    np.testing.assert_allclose(law.mean, iterates(theta0, 50), rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(law.mean, law.median)
    assert (law.std == 0).all()
    assert (law.survival == 1).all()


def test_angles_fall_like_one_over_depth():
    law = angle_law([1] * 20_000, method="infinite")
    # θ_l = 3π/(l + O(ln l)): a relative error of 3 ln l/l
    assert law.mean[-1] == pytest.approx(2 * np.log(3 * np.pi / 20_000), abs=6 * np.log(20_000) / 20_000)


def test_a_mixture_has_the_spread_of_its_paths():
    angles = [0.1, 1.0, 2.0]
    law = angle_law([1] * 4, angles, method="infinite")
    paths = np.array([iterates(angle, 4) for angle in angles])
    np.testing.assert_allclose(law.mean, paths.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(law.std, paths.std(axis=0), rtol=1e-12)


def test_leaky_slopes_approach_more_slowly():
    depth = 3000
    for slope in (0.1, 0.5):
        law = angle_law([1] * depth, method="infinite", phi=f"leaky_relu:{slope}")
        rate = (1 - slope) ** 2 / (3 * np.pi * (1 + slope**2))
        assert law.mean[-1] == pytest.approx(-2 * np.log(rate * depth), abs=6 * np.log(depth) / depth / rate / 9)
