"""Two-slope activations and their names."""

import numpy as np
import pytest

from gpdeep import DomainError, Mixture, PiecewiseLinear, Smooth, activation
from gpdeep.activations import TwoSlope

Z = np.linspace(-3, 3, 7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", np.maximum(Z, 0)),
        ("leaky_relu:0.1", np.where(Z > 0, Z, 0.1 * Z)),
        ("leaky_relu", np.where(Z > 0, Z, 0.01 * Z)),
        ("prelu", np.where(Z > 0, Z, 0.25 * Z)),
        ("abs", np.abs(Z)),
        ("identity", Z),
    ],
)
def test_names_mean_what_the_field_means(name: str, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(activation(name)(Z), expected)


def test_acts_on_torch_tensors() -> None:
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    x = torch.tensor([-2.0, 3.0], dtype=torch.float64)
    assert activation("leaky_relu:0.5")(x).tolist() == [-1.0, 3.0]


def test_he_scale_keeps_the_second_moment() -> None:
    # the product of a number with the square of its inverse root: two roundings
    for name in ("relu", "leaky_relu:0.3", "abs"):
        phi = activation(name)
        np.testing.assert_allclose(phi.he_sigma_w**2 * phi.second_moment, 1, rtol=4e-16, atol=0)


@pytest.mark.parametrize(
    "text", ["", "tanhh", "relu:1", "leaky_relu:1,2", "leaky_relu:x", "leaky_relu:nan", "prelu:inf"]
)
def test_bad_names_are_refused(text: str) -> None:
    with pytest.raises(DomainError):
        activation(text)


def test_zero_function_is_refused() -> None:
    with pytest.raises(DomainError, match="slopes"):
        TwoSlope("zero", 0.0, 0.0)


@pytest.mark.parametrize("text", ["crelu:1.23456789,1.5", "cst:0.1,0.30000000000000004", "st:1e-05", "relu_tau:-0.7"])
@pytest.mark.parametrize("other", ["softplus:2.123456789", "elu:0.123456789", "prelu:0.333333333333333", "hard_tanh:2"])
def test_names_keep_full_precision_and_read_back(text: str, other: str) -> None:
    for name in (text, other):
        phi = activation(name)
        again = activation(phi.name)
        assert again.name == phi.name
        np.testing.assert_array_equal(again(Z), phi(Z))
    assert activation("crelu:1.23456789,1.5").name == "crelu:1.23456789,1.5"


@pytest.mark.parametrize("knot", [1.0, 32.0, 1e4])
def test_odd_and_even_are_facts_and_not_samples(knot: float) -> None:
    clipped = PiecewiseLinear("asym", 0.0, 1.0, (knot,), (-1.0,))
    assert not clipped.odd
    assert not clipped.even
    assert PiecewiseLinear("sym", -knot, 0.0, (-knot, knot), (1.0, -1.0)).odd
    assert PiecewiseLinear("valley", 0.0, -1.0, (-knot, knot), (1.0, 1.0)).even
    assert activation("tanh").odd
    assert activation("cos").even
    assert not activation("gelu").odd


def test_a_mixture_is_even_only_if_its_parts_are() -> None:
    assert Mixture((activation("abs"), activation("cos")), (1, 1)).even
    assert not Mixture((activation("abs"), activation("tanh")), (1, 1)).even
    with pytest.raises(DomainError, match="mixture"):
        Mixture((activation("abs"),), ("a",))


@pytest.mark.parametrize("name", ["relu", "leaky_relu:0.1", "crelu:1,1.5", "tanh", "gelu", "elu", "selu"])
def test_numbers_and_lists_are_taken_as_arrays(name: str) -> None:
    phi = activation(name)
    expected = phi(np.array([-0.5, 2.0]))
    np.testing.assert_array_equal(phi([-0.5, 2.0]), expected)
    assert phi(2.0) == expected[1]


@pytest.mark.parametrize("name", ["relu", "tanh", "elu", "sin"])
@pytest.mark.parametrize("order", [-1, 1.5, "2", True])
def test_orders_of_derivatives_are_counted(name: str, order: object) -> None:
    with pytest.raises(DomainError, match="order"):
        activation(name).derivative_moment(order, 1.0)


@pytest.mark.parametrize("strip", [None, "x", 0, -1.0, np.nan])
def test_strips_are_positive_numbers(strip: object) -> None:
    with pytest.raises(DomainError, match="strip"):
        Smooth("own", np.tanh, np.cosh, strip)
