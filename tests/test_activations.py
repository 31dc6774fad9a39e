"""Two-slope activations and their names."""

import numpy as np
import pytest

from gpdeep import DomainError, activation
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
