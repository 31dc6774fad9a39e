"""Fixed points of the variance map: all of them, with their basins."""

import math

import numpy as np
import pytest

from gpdeep import load
from gpdeep.meanfield import edge_of_chaos, fixed_points, variance_map
from gpdeep.meanfield.roots import all_roots, bracketed_root


def test_pairs_of_roots_closer_than_the_grid_are_found() -> None:
    def f(q):
        return (q - 1.0) * (q - 1.001) * (q - 50), (
            (q - 1.001) * (q - 50) + (q - 1) * (q - 50) + (q - 1) * (q - 1.001)
        ) * q

    np.testing.assert_allclose(all_roots(f, np.geomspace(0.1, 100, 8)), [1, 1.001, 50], rtol=1e-12, atol=0)


def test_bracketed_roots_are_right_to_rounding() -> None:
    cases = [
        (lambda x: np.exp(x) - 3, -50.0, 50.0, np.log(3)),
        (lambda x: np.arctan(x - 0.3) * 1e-200, -1e3, 1e3, 0.3),
        (lambda x: (x - 1) ** 9, -4.0, 3.0, 1.0),
        (lambda x: x - 1e-9 if x > 0 else -1.0, -1.0, 1.0, 1e-9),
    ]
    for g, low, high, root in cases:
        calls = []
        found = bracketed_root(lambda x, g=g, calls=calls: calls.append(x) or float(g(x)), low, high)
        # the ninth power underflows to 0 within 1e-36 of 1 only: bisection goes on to neighbours
        np.testing.assert_allclose(found, root, rtol=4e-16, atol=3e-16)
        assert len(calls) < 120


def test_double_root_is_found_once() -> None:
    roots = all_roots(lambda q: ((q - 1) ** 2, 2 * (q - 1) * q), np.geomspace(0.3, 7, 9))
    np.testing.assert_allclose(roots, [1.0], rtol=1e-12, atol=0)
    assert all_roots(lambda q: ((q - 1) ** 2 + 1e-6, 2 * (q - 1) * q), np.geomspace(0.3, 7, 9)) == []


def test_shifted_relu_on_its_edge_is_half_stable() -> None:
    edge = edge_of_chaos("relu_tau:1", q=1.0)  # V' = χ₁ = 1, V'' > 0
    found = fixed_points("relu_tau:1", sigma_w=edge.sigma_w, sigma_b=edge.sigma_b)
    # at a double root rounding ε moves q by √(2ε/V'')
    near = [p for p in found.points if abs(p.q - 1) < 1e-6]
    assert near
    assert not any(p.stable and p.basin[1] > 1 + 1e-6 for p in near)
    assert found.grows


NETWORKS = [("tanh", 1.5, 0.2), ("tanh", 0.9, 0.2), ("tanh", 100.0, 0.0), ("gelu", 1.42, 0.4), ("crelu:1,1", 2.5, 0.6)]
NETWORKS += [("relu", 1.2, 0.5), ("sin", 3.0, 0.1), ("cos", 1.4, 0.2), ("cst:1,1", 2.2, 0.4), ("elu", 1.2, 0.1)]


@pytest.mark.parametrize(("name", "sigma_w", "sigma_b"), NETWORKS)
def test_iteration_goes_where_the_basin_says(name: str, sigma_w: float, sigma_b: float) -> None:
    found = fixed_points(name, sigma_w=sigma_w, sigma_b=sigma_b)
    layer = variance_map(name, sigma_w=sigma_w, sigma_b=sigma_b)
    for point in found.points:
        if point.q > 0:
            # a root found to 4 eps in ln q; V is conditioned by V'
            np.testing.assert_allclose(layer(point.q), point.q, rtol=1e-13 + 1e-15 * abs(point.slope), atol=0)
            assert point.stable == (abs(point.slope) < 1)
    starts = np.array([1e-3, 0.3, 3.0, 300.0])
    q, farthest = starts, 1e4
    for _ in range(1000):
        q = np.minimum(layer(q), farthest)
    for start, end in zip(starts, q, strict=True):
        point = found.attractor(start)
        if point is None:
            assert end == farthest
        else:
            np.testing.assert_allclose(end, point.q, rtol=1e-9, atol=1e-9)


def test_tanh_without_bias_rests_at_zero_when_ordered() -> None:
    ordered = fixed_points("tanh", sigma_w=0.9)
    assert [(p.q, p.stable, p.basin) for p in ordered.points] == [(0.0, True, (0.0, math.inf))]
    np.testing.assert_allclose(ordered.points[0].slope, 0.81, rtol=1e-14, atol=0)
    chaotic = fixed_points("tanh", sigma_w=1.1)
    assert [p.stable for p in chaotic.points] == [False, True]
    assert chaotic.points[0].q == 0


def test_tiny_bias_is_not_lost() -> None:
    # V(q) ≈ 0.81 q + 1e-20: q* = 1e-20/0.19, far below the usual grid
    found = fixed_points("tanh", sigma_w=0.9, sigma_b=1e-10)
    np.testing.assert_allclose(found.points[0].q, 1e-20 / 0.19, rtol=1e-12, atol=0)


def test_wide_scales_are_reached() -> None:
    # erf of a wide input is a sign: V → σ_w²
    found = fixed_points("erf", sigma_w=1000.0)
    layer = variance_map("erf", sigma_w=1000.0)
    np.testing.assert_allclose(layer(found.points[-1].q), found.points[-1].q, rtol=1e-13, atol=0)
    assert 0.99e6 < found.points[-1].q < 1e6


def test_normalised_residual_layers() -> None:
    assert fixed_points("tanh", sigma_w=1.0, alpha=1.0, beta=0.1, layer_norm=True).grows
    found = fixed_points("tanh", sigma_w=1.0, sigma_b=0.1, alpha=0.5, layer_norm=True)
    layer = variance_map("tanh", sigma_w=1.0, sigma_b=0.1, alpha=0.5, layer_norm=True)
    np.testing.assert_allclose(layer(found.points[0].q), found.points[0].q, rtol=1e-15, atol=0)


def test_homogeneous_cases() -> None:
    assert fixed_points("relu", sigma_w=2**0.5).marginal
    assert fixed_points("identity", sigma_w=1.0).marginal
    assert [p.q for p in fixed_points("relu", sigma_w=1.0).points] == [0.0]
    assert fixed_points("relu", sigma_w=2.0).grows
    found = fixed_points("relu", sigma_w=1.0, sigma_b=0.5)
    np.testing.assert_allclose([p.q for p in found.points], [0.5], rtol=1e-13, atol=0)  # q = q/2 + 1/4


def test_result_is_kept_and_shown(tmp_path) -> None:
    found = fixed_points("tanh", sigma_w=1.5)
    assert load(found.save(tmp_path / "points.json")) == found
    assert "(0, ∞)" in str(found)
    assert "every variance" in str(fixed_points("relu", sigma_w=2**0.5))


@pytest.mark.parametrize("name", ["hard_tanh", "hard_tanh:1e-9"])
def test_a_linear_stretch_is_no_row_of_fixed_points(name: str) -> None:
    found = fixed_points(name, sigma_w=1.0)
    assert [p.q for p in found.points] == [0.0]
    assert found.points[0].stable
