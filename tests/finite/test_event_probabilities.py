"""Probabilities of dying, collapsing and becoming orthogonal: by enumeration, at the ends, and with their digits."""

import itertools

import mpmath as mp
import numpy as np
import pytest

from gpdeep.finite import event_probabilities

EPS = np.finfo(float).eps
BOTH, NEITHER, FIRST, SECOND = range(4)


def enumerated(theta, n):
    """Sum over all 4^n patterns of activity."""
    p = (np.pi - theta) / (2 * np.pi)
    chance = {BOTH: p, NEITHER: p, FIRST: theta / (2 * np.pi), SECOND: theta / (2 * np.pi)}
    dead = collapsed = orthogonal = 0.0
    for pattern in itertools.product(chance, repeat=n):
        weight = np.prod([chance[state] for state in pattern])
        joint, one, two = (pattern.count(state) for state in (BOTH, FIRST, SECOND))
        if joint + one == 0 or joint + two == 0:
            dead += weight
        elif joint == 1 and one + two == 0:
            collapsed += weight
        elif joint == 0:
            orthogonal += weight
    return dead, collapsed, orthogonal


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("theta", [0.0, 0.1, 1.0, np.pi / 2, 3.0, np.pi])
def test_probabilities_are_those_of_all_patterns_of_activity(theta, n):
    event = event_probabilities(theta, n)
    got = event.dead, event.collapsed, event.orthogonal
    # sums of at most 4^4 positive terms below one
    np.testing.assert_allclose(got, enumerated(theta, n), rtol=0, atol=64 * EPS)


@pytest.mark.parametrize("n", [1, 2, 10, 128, 10**6])
def test_events_are_exhaustive(n):
    theta = np.linspace(0, np.pi, 101)
    event = event_probabilities(theta, n)
    parts = np.stack([event.dead, event.collapsed, event.orthogonal, event.proper])
    assert (parts >= 0).all()
    np.testing.assert_allclose(parts.sum(axis=0), 1.0, rtol=0, atol=4 * EPS)


@pytest.mark.parametrize("n", [2, 10, 100])
def test_ends_of_the_range_of_angles(n):
    half = 2.0**-n
    event = event_probabilities(0.0, n)  # one input: dead without an active neuron, "collapsed" with one
    np.testing.assert_allclose(
        [event.dead, event.collapsed, event.orthogonal], [half, n * half, 0.0], rtol=4 * EPS, atol=0
    )
    event = event_probabilities(np.pi, n)  # no neuron is active for both
    np.testing.assert_allclose([event.dead, event.collapsed], [2 * half, 0.0], rtol=4 * EPS, atol=0)
    np.testing.assert_allclose(event.orthogonal, 1 - 2 * half, rtol=n * EPS)
    assert event.proper < n * EPS


@pytest.mark.parametrize("theta", [1e-150, 1e-12, 1e-6, 1e-3, 0.1, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("n", [2, 3, 10, 30, 100, 1000])
def test_no_digits_are_lost_at_any_angle(theta, n):
    with mp.workdps(400):
        p = (mp.pi - mp.mpf(theta)) / (2 * mp.pi)
        half = mp.mpf(2) ** -n
        want = [float(value) for value in (2 * half - p**n, n * p**n, (1 - p) ** n - 2 * half + p**n)]
    event = event_probabilities(theta, n)
    got = [event.dead, event.collapsed, event.orthogonal]
    # n-th powers multiply the rounding of their base by n; numbers below 1e-300 have fewer digits
    np.testing.assert_allclose(got, want, rtol=(4 * n + 20) * EPS, atol=1e-300)


def test_a_right_angle_at_width_ten():
    event = event_probabilities(np.pi / 2, 10)
    # p = 1/4: (3/4)^10 - 2/2^10 + 1/4^10 and so on
    np.testing.assert_allclose(event.orthogonal, 0.75**10 - 2 * 0.5**10 + 0.25**10, rtol=1e-14)
    np.testing.assert_allclose(event.collapsed, 10 * 0.25**10, rtol=1e-14)
