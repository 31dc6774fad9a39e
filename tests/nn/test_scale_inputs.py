"""Inputs get the mean square that a design wants, sample by sample."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from designed_models import DESIGN, WIDE  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import scale_inputs  # noqa: E402


@pytest.mark.parametrize("shape", [(5, 7), (5, 3, 4), (5, 1, 2, 3)])
def test_inputs_get_the_mean_square_of_the_design_sample_by_sample(shape):
    x = np.random.default_rng(0).standard_normal(shape) * np.logspace(-200, 200, 5).reshape(5, *[1] * (len(shape) - 1))
    axes = tuple(range(1, len(shape)))
    for y in (scale_inputs(x, WIDE), scale_inputs(torch.tensor(x), WIDE).numpy()):
        np.testing.assert_allclose((y**2).mean(axes), WIDE.input_second_moment, rtol=1e-14)  # a dozen roundings
        np.testing.assert_allclose(y / x, np.broadcast_to((y / x).max(axes, keepdims=True), shape), rtol=1e-14)


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (np.ones((2, 3), np.float32), np.float32), (np.ones((2, 3), np.uint8), np.float64), ([[1, 2]], np.float64),
        (torch.ones(2, 3, dtype=torch.bfloat16), torch.bfloat16), (torch.ones(2, 3, dtype=torch.uint8), torch.float32),
    ],
)  # fmt: skip
def test_type_of_scaled_inputs(x, dtype):
    assert scale_inputs(x, DESIGN).dtype == dtype


def test_scaled_inputs_carry_gradients_and_an_empty_batch_stays_empty():
    x = torch.randn(3, 4, requires_grad=True)
    scale_inputs(x, DESIGN).square().sum().backward()
    assert x.grad.abs().max() < 1e-6  # the length is fixed
    assert scale_inputs(np.zeros((0, 4)), DESIGN).shape == (0, 4)


@pytest.mark.parametrize("make", [np.array, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]], r"Sample 1 of 3 is zero \(2 of them"),
        ([[1.0, 2.0], [3.0, math.nan]], "Sample 1 of 2 has entries that are NaN"),
        ([[1.0, -math.inf]], "Sample 0 of 1 has entries that are NaN or infinite"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[], []], r"shape \(2, 0\)"),
        ([[1j, 2.0]], "complex"),
    ],
)
def test_samples_without_a_length_are_refused(make, x, message):
    with pytest.raises(DomainError, match=message):
        scale_inputs(make(x), DESIGN)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([["a"]], "type <U1"),
        ([[1, 2], [3]], "cannot be made an array"),
        (torch.eye(3).to_sparse(), "layout torch.sparse_coo"),
        (torch.ones(2, 3, device="meta"), "device meta"),
    ],
)
def test_what_is_no_dense_array_of_numbers_is_no_input(x, message):
    with pytest.raises(DomainError, match=message):
        scale_inputs(x, DESIGN)


def test_an_empty_batch_of_tensors_stays_empty():
    assert scale_inputs(torch.randn(0, 3), DESIGN).shape == (0, 3)
