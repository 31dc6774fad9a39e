"""Every refusal of the folder: an error that says what was found, the likeliest cause, and what to change."""

import numpy as np
import pytest

from gpdeep import DomainError, MemoryBudgetError
from gpdeep.finite import (
    angle_cumulants,
    angle_law,
    gradient_law,
    jakub_nica_recursion,
    jakub_nica_step,
    length_law,
    lyapunov,
    mean_inverse_stretch,
    readout_cumulants,
    sample_angles,
    sample_gram,
    sample_pairs,
    small_angle_cdf,
    small_angle_cumulants,
)

EYE = np.eye(2)
OF_WIDTHS = {
    "angle_law": angle_law,
    "chain": lambda widths: angle_law(widths, method="chain", n_samples=2),
    "sample_angles": lambda widths: sample_angles(widths, n_samples=2),
    "sample_pairs": lambda widths: sample_pairs(EYE, widths, n_samples=2),
    "sample_gram": lambda widths: sample_gram(EYE, widths, n_samples=2),
    "length_law": length_law,
    "gradient_law": gradient_law,
    "jakub_nica_recursion": jakub_nica_recursion,
}
BAD_WIDTHS = {
    "zero": [10, 0],
    "negative": [-3],
    "float": [10.0],
    "half": [2.5],
    "bool": [True, 4],
    "numpy bool": [np.True_],
    "text": "10,10",
    "texts": ["10"],
    "none": [None],
    "nan": [float("nan")],
    "empty": [],
    "too wide": [10**6 + 1],
    "nested": [[4, 4], [4, 4]],
    "bad after good": [4] * 50 + [0],
}
OF_WIDTH = {
    "angle_cumulants": lambda n: angle_cumulants(1.0, n),
    "jakub_nica_step": lambda n: jakub_nica_step(1.0, n),
    "small_angle_cumulants": small_angle_cumulants,
    "small_angle_cdf": lambda n: small_angle_cdf(n, 0.0),
    "mean_inverse_stretch": mean_inverse_stretch,
    "lyapunov": lyapunov,
    "readout_cumulants": readout_cumulants,
}
OF_ANGLE = {
    "angle_law": lambda theta: angle_law([9], theta),
    "infinite": lambda theta: angle_law([9], theta, method="infinite"),
    "sample_angles": lambda theta: sample_angles([9], theta, n_samples=2),
    "angle_cumulants": lambda theta: angle_cumulants(theta, 9),
    "jakub_nica_step": lambda theta: jakub_nica_step(theta, 9),
    "jakub_nica_recursion": lambda theta: jakub_nica_recursion([9], theta),
}
BAD_ANGLES = {
    "zero": 0.0,
    "negative": -0.1,
    "degrees": 90.0,
    "just above π": np.nextafter(np.pi, 4),
    "nan": np.nan,
    "infinite": np.inf,
    "one of several": [0.5, np.nan],
}
OF_INPUTS = {
    "sample_pairs": lambda x: sample_pairs(x, [4], n_samples=2),
    "sample_gram": lambda x: sample_gram(x, [4], n_samples=2),
}
BAD_INPUTS = {
    "nan": [[1.0, np.nan], [0, 1]],
    "infinite": [[1.0, np.inf], [0, 1]],
    "a vector": [1.0, 2.0],
    "a number": 1.0,
    "three axes": np.ones((2, 2, 2)),
    "no rows": np.ones((0, 3)),
    "no features": np.ones((2, 0)),
}
OTHERS = {
    "negative seed": lambda: sample_angles([4], rng=-1, n_samples=2),
    "no seed": lambda: sample_angles([4], rng=None, n_samples=2),
    "float seed": lambda: sample_pairs(EYE, [4], rng=1.0, n_samples=2),
    "bool seed": lambda: sample_gram(EYE, [4], rng=True, n_samples=2),
    "text seed": lambda: angle_law([4], method="chain", rng="1", n_samples=2),
    "no samples": lambda: sample_angles([4], n_samples=0),
    "negative samples": lambda: sample_pairs(EYE, [4], n_samples=-5),
    "float samples": lambda: sample_gram(EYE, [4], n_samples=10.0),
    "float samples of the law": lambda: angle_law([4], method="chain", n_samples=1e3),
    "unknown method": lambda: angle_law([9], method="gird"),
    "method none": lambda: angle_law([9], method=None),
    "grid with leaky slopes": lambda: angle_law([9], method="grid", phi="leaky_relu:0.1"),
    "closure with absolute value": lambda: angle_law([99], method="closure", phi="abs"),
    "diffusion with leaky slopes": lambda: angle_law([99], method="diffusion", phi="prelu"),
    "papers with leaky slopes": lambda: angle_law([99], method="jakub-nica", phi="leaky_relu"),
    "papers with one neuron": lambda: angle_law([9, 1], method="jakub-nica"),
    "papers' density with one neuron": lambda: angle_law([9, 1], method="jakub-nica-density"),
    "closure with one neuron": lambda: angle_law([9, 1], method="closure"),
    "unknown activation": lambda: angle_law([9], phi="gelu"),
    "threshold nan": lambda: angle_law([9], threshold=np.nan),
    "threshold infinite": lambda: angle_law([9], threshold=-np.inf),
    "all pairs parallel": lambda: angle_law([9], [0.0, 0.0]),
    "no angles": lambda: angle_law([9], []),
    "matrix of angles": lambda: angle_law([9], [[0.1, 0.2]]),
    "zero row": lambda: sample_pairs([[1.0, 0], [0, 0]], [4], n_samples=2),
    "one row": lambda: sample_pairs([[1.0, 0]], [4], n_samples=2),
    "negative bias": lambda: sample_gram(EYE, [4], sigma_b=-0.1, n_samples=2),
    "nan bias": lambda: sample_gram(EYE, [4], sigma_b=np.nan, n_samples=2),
    "zero weights": lambda: sample_gram(EYE, [4], sigma_w=0.0, n_samples=2),
    "a bias too many": lambda: sample_gram(EYE, [4, 4], sigma_b=[0.1] * 3, n_samples=2),
    "no scale for tanh": lambda: sample_gram(EYE, [4], phi=np.tanh, n_samples=2),
    "zero weights of lengths": lambda: length_law([4], sigma_w=0.0),
    "nan weights of lengths": lambda: gradient_law([4], sigma_w=np.nan),
    "quantile 0": lambda: angle_law([9]).quantile(0.0),
    "quantile 1": lambda: angle_law([9]).quantile(1.0),
    "quantile in percent": lambda: angle_law([9]).quantile(50),
    "quantile nan": lambda: angle_law([9]).quantile(np.nan),
    "more directions than fit": lambda: lyapunov(4, 4),
    "no directions": lambda: lyapunov(4, 0),
    "one output": lambda: readout_cumulants(1),
    "legacy step of one": lambda: jakub_nica_recursion([9], legacy_input_step=1),
}


def refuses(call, error=DomainError):
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    for part in (caught.value.found, caught.value.cause, caught.value.change):
        assert isinstance(part, str)
        assert part.strip().endswith((".", "?")) or len(part) > 10
        assert len(part) > 5


@pytest.mark.parametrize("case", BAD_WIDTHS)
@pytest.mark.parametrize("name", OF_WIDTHS)
def test_bad_widths_are_refused(name, case):
    refuses(lambda: OF_WIDTHS[name](BAD_WIDTHS[case]))


@pytest.mark.parametrize("value", [0, 1, -2, 2.0, True, "4", None, 10**6 + 1, np.nan])
@pytest.mark.parametrize("name", OF_WIDTH)
def test_a_bad_width_is_refused(name, value):
    refuses(lambda: OF_WIDTH[name](value))


@pytest.mark.parametrize("case", BAD_ANGLES)
@pytest.mark.parametrize("name", OF_ANGLE)
def test_bad_angles_are_refused(name, case):
    refuses(lambda: OF_ANGLE[name](BAD_ANGLES[case]))


@pytest.mark.parametrize("case", BAD_INPUTS)
@pytest.mark.parametrize("name", OF_INPUTS)
def test_bad_inputs_are_refused(name, case):
    refuses(lambda: OF_INPUTS[name](BAD_INPUTS[case]))


@pytest.mark.parametrize("case", OTHERS)
def test_other_bad_arguments_are_refused(case):
    refuses(OTHERS[case])


@pytest.mark.parametrize(
    "call",
    [
        lambda: sample_angles([4], n_samples=10**9),
        lambda: angle_law([4], method="chain", n_samples=10**9),
        lambda: sample_pairs(np.eye(100), [4], n_samples=10**6),
        lambda: sample_gram(np.eye(100), [4], n_samples=10**6),
        lambda: sample_gram(EYE, [4], n_samples=100, memory_budget=1000),
    ],
)
def test_too_many_samples_are_refused_before_they_are_drawn(call):
    refuses(call, MemoryBudgetError)


def test_integers_of_all_kinds_are_widths():
    want = angle_law([9, 9])
    for widths in ((9, 9), np.array([9, 9]), np.array([9, 9], np.uint8), [np.int32(9), 9], iter([9, 9])):
        assert angle_law(widths) == want
    assert angle_law(9) == angle_law([9])
