"""Layer steps: equal distances by cumulating, the paper's rule and its oscillation, and weights carried along."""

import numpy as np
import pytest
from stored_paths import entry

from gpdeep import DomainError
from gpdeep.leaky.layer_steps import carry_weights, distances, equidistribute, irregular_steps, papers_rule
from gpdeep.leaky.network import forward
from gpdeep.leaky.network_continuation import continue_network
from gpdeep.leaky.network_newton import train_network

EQUAL = np.full(20, 0.05)


def inside(p):
    """A speed with a fast zone inside, a third of the way."""
    return 0.02 + np.exp(-(((p - 0.37) / 0.04) ** 2))


def ends(p):
    """A speed with fast zones at both ends."""
    return 0.02 + np.exp(-p / 0.05) + np.exp(-(1 - p) / 0.05)


def on_circle(rho, speed):
    """Nodes of a path of this speed on the unit circle, where |A| = 1."""
    grid = np.linspace(0, 1, 20001)
    angle = np.concatenate([[0.0], np.cumsum(speed((grid[1:] + grid[:-1]) / 2)) / 20000])
    at = np.interp(np.concatenate([[0.0], np.cumsum(rho)]), grid, angle)
    return np.stack([np.cos(at), np.sin(at)], axis=1)[:, :, None]


def swept(rule, speed, sweeps):
    """Steps after so many sweeps, and max/min of the distances ρ_l c_l after each of them."""
    rho, spread = EQUAL, []
    for _ in range(sweeps):
        rho = rule(rho, on_circle(rho, speed))
        moved = rho * distances(on_circle(rho, speed), rho)
        spread.append(moved.max() / moved.min())
    return rho, np.array(spread)


def equidistributed(rho, A):
    return equidistribute(rho, A, 1.0)


def damped(rho, A):
    return papers_rule(rho, A, damping=0.3)


def test_distances_of_a_geometric_path():
    rho = np.array([0.1, 0.3, 0.6])
    A = np.exp(np.array([0.0, 0.2, 1.0, 0.7]))[:, None, None] * np.ones((3, 4))
    # one exp, one difference, one quotient
    np.testing.assert_allclose(distances(A, rho), np.abs(np.expm1([0.2, 0.8, -0.3])) / rho, rtol=1e-14, atol=0)


def test_one_sweep_divides_a_speed_that_is_constant_within_layers():
    rho = np.array([0.5, 0.25, 0.25])
    A = np.cumprod(np.array([1.0, 1.6, 1.1, 1.1]))[:, None, None]  # c = 1.2, 0.4, 0.4, mean 0.8
    new = equidistribute(rho, A, 1.0, floor=0.25)
    # q = 1.4, 0.6, 0.6 cumulates to 0.7, 0.85, 1: thirds at p = 1/3/1.4, 2/3/1.4
    np.testing.assert_allclose(np.cumsum(new), [1 / 4.2, 2 / 4.2, 1.0], rtol=1e-14, atol=0)


@pytest.mark.parametrize("speed", [inside, ends])
def test_equidistribution_converges_in_five_sweeps(speed):
    rho, _ = swept(equidistributed, speed, 5)
    c = distances(on_circle(rho, speed), rho)
    q = rho * (c + 0.15 * (rho @ c))
    # to 5 %: what remains is the curvature of the speed within a layer
    assert q.max() / q.min() < 1.05


def test_papers_rule_converges_where_fast_zones_are_at_the_ends():
    _, spread = swept(papers_rule, ends, 12)
    assert spread[-1] < 1.1


def test_papers_rule_oscillates_for_ever_where_a_fast_zone_is_inside():
    _, spread = swept(papers_rule, inside, 300)
    # no sweep of the last 200 is near (the least over 2000 is 4.3), so that it is no slow convergence
    assert spread[100:].min() > 3
    assert spread[-100:].max() > 300


def test_damping_cures_the_oscillation():
    _, spread = swept(damped, inside, 60)
    assert spread[29] < 1.1
    assert spread[-1] < 1.001


def test_floor_bounds_steps_where_nothing_moves():
    A = np.concatenate([np.ones(11), np.linspace(1, 2, 11)[1:]])[:, None, None]
    assert equidistribute(EQUAL, A, 1.0, floor=0.15).max() <= 0.05 * (1 + 1 / 0.15) * (1 + 1e-12)
    assert np.array_equal(equidistribute(EQUAL, np.ones((21, 1, 1)), 1.0, floor=0.0), EQUAL)


@pytest.mark.parametrize("depth", [1.0, 8.0, 18.0, 19.0])
def test_steps_stay_below_the_leak_and_sum_to_one(depth):
    new = equidistribute(EQUAL, on_circle(EQUAL, inside), depth, sweeps=3)
    assert new.min() > 0
    # both to the rounding of twenty sums
    assert new.max() * depth <= 0.95 * (1 + 1e-14)
    assert abs(new.sum() - 1) < 1e-14
    if depth == 19.0:
        np.testing.assert_allclose(new, EQUAL, rtol=1e-14, atol=0)


def test_too_few_layers_are_refused_with_the_number_needed():
    with pytest.raises(DomainError, match="Use 23 layers or more"):
        equidistribute(EQUAL, on_circle(EQUAL, inside), 21.0)


def test_irregular_steps_are_the_formula():
    rho = irregular_steps(20, 0.9)
    wanted = 1 + 0.9 * (0.25 - np.abs(np.arange(1, 21) / 20 - 0.5))
    np.testing.assert_allclose(rho, wanted / wanted.sum(), rtol=1e-15, atol=0)
    np.testing.assert_allclose(irregular_steps(7, 0.0), np.full(7, 1 / 7), rtol=1e-15, atol=0)


def test_carried_weights_are_those_of_the_same_place():
    old, new = irregular_steps(20, 0.9), irregular_steps(33, 0.5)
    slope, base = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    middle = [np.cumsum(rho) - rho / 2 for rho in (old, new)]
    straight = [base + slope * p[:, None, None] for p in middle]
    between = (middle[1] > middle[0][0]) & (middle[1] < middle[0][-1])
    # linear interpolation of something linear: rounding
    np.testing.assert_allclose(carry_weights(straight[0], old, new)[between], straight[1][between], rtol=1e-13, atol=0)
    np.testing.assert_array_equal(carry_weights(straight[0], old, old).round(12), straight[0].round(12))


@pytest.fixture(scope="module")
def deep():
    """P33 at L̃ = 7 through 40 equal layers."""
    e = entry("network/P33/Lt7/L40/softplus/lam0.01")
    return train_network(e["X"], e["Y"], 7.0, terminal_weight=0.01, layers=40, activation="softplus:5")


def test_carrying_by_place_keeps_the_function_and_by_index_does_not(deep):
    rho = equidistribute(deep.rho, deep.A, 7.0)
    assert rho.max() / rho.min() > 3  # else there would be nothing to carry
    options = {"activation": "softplus:5"}
    carried = forward(deep.A[0], carry_weights(deep.weights, deep.rho, rho), rho, 7.0, **options)[-1]
    kept = forward(deep.A[0], deep.weights, rho, 7.0, **options)[-1]
    size = np.linalg.norm(deep.A[-1])
    by_place, by_index = (np.linalg.norm(end - deep.A[-1]) / size for end in (carried, kept))
    # O(1/L) against O(1)
    assert by_place < 0.1
    assert by_index > 0.3


def test_equal_distances_lower_the_fluctuation_of_the_energy(deep):
    rho = equidistribute(deep.rho, deep.A, 7.0)
    adapted = continue_network(deep, 7.0, rho=rho)
    assert adapted.status.code == "ok"
    assert np.ptp(adapted.energies) < 0.6 * np.ptp(deep.energies)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: distances(np.zeros((3, 1, 1)), [0.5, 0.5]), "layer 1 is 0"),
        (lambda: distances(np.ones((3, 1, 1)), [0.5, 0.6]), "sum 1.1"),
        (lambda: distances(np.ones((4, 1, 1)), [0.5, 0.5]), "shape"),
        (lambda: equidistribute([0.5, 0.5], np.ones((3, 1, 1)), -1.0), "effective_depth"),
        (lambda: equidistribute([0.5, 0.5], np.ones((3, 1, 1)), 1.0, floor=-0.1), "floor"),
        (lambda: equidistribute([0.5, 0.5], np.ones((3, 1, 1)), 1.0, most=1.5), "most"),
        (lambda: equidistribute([0.5, 0.5], np.ones((3, 1, 1)), 1.0, sweeps=0), "sweeps"),
        (lambda: equidistribute([0.5, np.nan], np.ones((3, 1, 1)), 1.0), "rho"),
        (lambda: papers_rule([0.5, 0.5], np.ones((3, 1, 1))), "does not move"),
        (lambda: papers_rule([0.5, 0.5], np.ones((3, 1, 1)), damping=0.0), "damping"),
        (lambda: irregular_steps(5, 1.0), "a = 1"),
        (lambda: irregular_steps(0, 0.5), "layers = 0"),
        (lambda: carry_weights(np.ones((3, 2, 3)), [0.5, 0.5], [1.0]), "shape"),
    ],
)
def test_bad_input_is_refused_in_three_parts(call, match):
    with pytest.raises(DomainError, match=match) as caught:
        call()
    assert caught.value.cause
    assert caught.value.change
