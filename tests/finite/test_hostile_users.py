"""What a hostile user tried once: each got a wrong number, a traceback or a silent nonsense, and must not again."""

import numpy as np
import pytest

from gpdeep import DomainError, predict_depth
from gpdeep.errors import MemoryBudgetError
from gpdeep.finite import (
    angle_law,
    event_probabilities,
    length_law,
    sample_angles,
    sample_gram,
    sample_pairs,
    small_angle_cumulants,
)
from gpdeep.result import StatusCode


@pytest.mark.parametrize(("n", "depth"), [(8, 3000), (5, 500), (12, 10_000)])
def test_deep_narrow_grid_holds_the_whole_law(n: int, depth: int) -> None:
    # From 1e-3 the law is that of the sum of θ → 0 steps but for the first layers: O(θ₀) in mean and variance, and for
    # n = 5, 8, 12 the events and shapes of a few layers. The grid once cut the lower tail: 15 % in the spread.
    law = angle_law([n] * depth, 1e-3, method="grid")
    drift, var, _ = small_angle_cumulants(n)
    np.testing.assert_allclose(law.mean[-1], 2 * np.log(1e-3) + depth * drift, rtol=2e-3, atol=0)
    np.testing.assert_allclose(law.std[-1], np.sqrt(depth * var), rtol=2e-3, atol=0)
    assert law.status.code is StatusCode.OK


@pytest.mark.parametrize("n", [129, 400])
@pytest.mark.parametrize("theta", [3.1, 3.14, np.pi])
def test_wide_obtuse_layers_are_orthogonal_as_often_as_they_should(n: int, theta: float) -> None:
    p = float(event_probabilities(theta, n).orthogonal)
    state = sample_angles([n], theta, n_samples=2000, rng=0)
    # six comparisons at 4.2 standard deviations: false alarm 2e-4 in all
    assert abs(state.orthogonal.mean() - p) <= 4.2 * np.sqrt(p * (1 - p) / 2000) + 1e-12
    assert np.max(state.log_sin2) <= 0


def test_no_survivors_on_the_grid_are_said() -> None:
    law = angle_law([1] * 3, method="grid")
    assert law.status.code is StatusCode.NOT_CONVERGED
    assert np.isnan(law.quantile(0.5))
    with pytest.raises(DomainError, match="survives"):
        law.density()


def test_infinite_width_reaches_any_angle() -> None:
    answer = predict_depth("3,16x3,1", angle=1e-300)
    np.testing.assert_allclose(answer.infinite.log_sin2, -600 * np.log(10), rtol=1e-12, atol=0)


def test_identical_pairs_do_not_spoil_the_infinite_width_column() -> None:
    x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(predict_depth("2,64x2,1", data=x, centre=False).infinite.log_sin2).all()


@pytest.mark.parametrize("method", ["closure", "infinite", "grid", "chain"])
def test_quantiles_of_ln_sin2_are_not_positive_and_the_cdf_ends_at_one(method: str) -> None:
    law = angle_law([64] * 50, np.array([0.5, np.pi / 2]), method=method, n_samples=500)
    assert law.quantile(1 - 1e-9) <= 0
    assert law.cdf(1.0) == pytest.approx(1, abs=1e-12)  # sums of at most some thousand terms
    assert law.cdf(-1e6) == pytest.approx(0, abs=1e-12)


def test_infinite_width_law_of_a_mixture_is_its_atoms() -> None:
    law = angle_law([64], np.array([0.5, 1.0, 1.5]), method="infinite")
    assert law.quantile(0.5) == pytest.approx(law.median[-1], rel=1e-14)


def test_too_small_an_angle_with_bias_is_called_not_measurable() -> None:
    law = angle_law([16] * 2, 1e-15, sigma_b=0.1, n_samples=50)
    assert any("cannot be followed" in message for message in law.status.messages)


@pytest.mark.parametrize("sigmas", [(1e-160, 1e-170), (1.0, 1e200), (1e40, 1.0)])
def test_variances_that_leave_float64_are_refused(sigmas: tuple[float, float]) -> None:
    with pytest.raises(DomainError):
        angle_law([16] * 10, sigma_w=sigmas[0], sigma_b=sigmas[1], n_samples=10)


def test_memory_is_asked_for_before_it_is_taken() -> None:
    with pytest.raises(MemoryBudgetError):
        sample_pairs(np.ones((4000, 2)), [5], n_samples=1, memory_budget=1e6)


def test_arguments_are_not_aliased() -> None:
    theta = np.array([1.0, 2.0])
    law = angle_law([10], theta)
    theta[0] = 0.5
    assert law.theta0[0] == 1.0


def test_float32_pi_stands_for_pi() -> None:
    assert angle_law([10], np.float32(np.pi)).orthogonal[0] > 0.99


@pytest.mark.parametrize("points", [2, 16, 1000])
def test_length_density_does_not_depend_on_where_it_is_looked_at(points: int) -> None:
    law = length_law([6] * 4)
    x, density = law.density(points)
    reference_x, reference = law.density(4096)
    # the transform has one resolution: values agree to rounding of sums of 512 terms, linear interpolation left aside
    inside = np.isin(np.round(reference_x, 9), np.round(x, 9))
    if inside.sum() == points:
        np.testing.assert_allclose(density, reference[inside], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: event_probabilities(-1.0, 4),
        lambda: event_probabilities(np.nan, 4),
        lambda: event_probabilities(1.0, 0),
        lambda: event_probabilities(1.0, 2.5),
        lambda: angle_law(b"\x10"),
        lambda: angle_law({16, 17}),
        lambda: angle_law([4], "wide"),
        lambda: angle_law([4], threshold=None),
        lambda: angle_law([4], phi=3),
        lambda: angle_law([4], sigma_w="a", sigma_b=1.0),
        lambda: angle_law([4], method="chain", memory_budget=np.nan),
        lambda: angle_law([4]).quantile("half"),
        lambda: angle_law([4]).cdf(np.nan),
        lambda: angle_law([4], np.pi).density(0),
        lambda: length_law([4] * 3, sigma_w=(1.0, 2.0)),
        lambda: length_law([4]).density(1),
        lambda: sample_gram(np.eye(2), [4], sigma_w=1e200),
        lambda: predict_depth(5),
        lambda: predict_depth("3,4,1", angle="wide"),
        lambda: predict_depth("3,4,1", confidence=None),
        lambda: predict_depth("3,4,1", seed="a"),
        lambda: predict_depth("3,4,1", samples=1.5),
    ],
)
def test_nonsense_gets_three_parts(call: object) -> None:
    with pytest.raises(DomainError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.found
    assert caught.value.cause
    assert caught.value.change
