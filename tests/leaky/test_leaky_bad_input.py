"""Every refusal of arguments of paths: what was found, the likeliest cause, and what to change."""

import math

import numpy as np
import pytest

from gpdeep import DomainError, Mixture, activation
from gpdeep.leaky.checks import (
    check_bias,
    check_effective_depth,
    check_ends,
    check_gamma,
    check_geometry,
    check_kernel,
    check_matrices,
    check_matrix,
    check_numbers,
    check_pair,
    check_terminal_weight,
)
from gpdeep.leaky.energies import (
    cost_of_identity,
    flow,
    flow_jacobian,
    hamiltonian,
    kernel,
    kinetic,
    lagrangian,
    momentum,
    speed,
    stable_rank,
    weights,
)

ONES = np.ones((2, 3))
NOT_MATRICES = {
    "text": "abc",
    "none": None,
    "texts": [["1", "2"]],
    "truth values": [[True, False]],
    "complex": [[1j, 2]],
    "ragged": [[1.0, 2.0], [3.0]],
    "objects": [[None, 1.0]],
    "a number": 3.0,
    "a row": [1.0, 2.0],
    "empty": np.empty((0, 3)),
    "no samples": np.empty((3, 0)),
    "nan": [[math.nan, 1.0]],
    "infinite": [[math.inf, 1.0]],
    "huge": [[1e71, 1.0]],
}
NOT_FROM_ZERO = {
    "negative": -1.0,
    "nan": math.nan,
    "infinite": math.inf,
    "text": "3",
    "bool": True,
    "numpy bool": np.True_,
    "list": [1.0],
    "none": None,
}
NOT_POSITIVE = NOT_FROM_ZERO | {"zero": 0}
OF_ONE = {"kernel": kernel, "cost_of_identity": lambda A: cost_of_identity(A, gamma=0.1), "stable_rank": stable_rank}
OF_TWO = {
    function.__name__: function
    for function in (lagrangian, momentum, hamiltonian, flow, flow_jacobian, weights, kinetic, speed)
}


def said(error):
    """All three parts are there."""
    assert error.value.found
    assert error.value.cause
    assert error.value.change
    return str(error.value)


@pytest.mark.parametrize("value", NOT_MATRICES.values(), ids=NOT_MATRICES)
def test_what_is_no_matrix_is_refused_by_name(value):
    for check in (check_matrices, check_matrix):
        with pytest.raises(DomainError, match=r"^X_train ") as error:
            check("X_train", value)
        said(error)
    for function in OF_ONE.values():
        with pytest.raises(DomainError, match=r"^A "):
            function(value)
    for function in OF_TWO.values():
        with pytest.raises(DomainError):
            function(value, ONES, 1.0)
        with pytest.raises(DomainError):
            function(ONES, value, 1.0)


def test_matrices_become_float64_and_keep_their_values():
    for dtype in (np.int8, np.uint16, np.float16, np.float32, np.float64):
        M = check_matrix("X", ONES.astype(dtype))
        assert M.dtype == np.float64
        assert M.tolist() == ONES.tolist()
    assert check_matrix("X", [[1, 2]]).tolist() == [[1.0, 2.0]]
    assert check_matrices("A", np.ones((4, 2, 3))).shape == (4, 2, 3)
    with pytest.raises(DomainError, match="shape \\(4, 2, 3\\)"):
        check_matrix("X", np.ones((4, 2, 3)))


def test_what_is_given_is_not_changed():
    X = np.ones((2, 3))
    check_matrix("X", X)[0, 0] = 7
    assert X[0, 0] == 1


def test_tensors_on_the_way():
    torch = pytest.importorskip("torch")
    assert check_matrix("X", torch.ones(2, 3)).dtype == np.float64
    with pytest.raises(DomainError, match="gradient"):
        check_matrix("X", torch.ones(2, 3, requires_grad=True))


def test_count_and_value_of_bad_entries_are_told():
    with pytest.raises(DomainError, match=r"holds .*nan.* \(2 of 6 entries"):
        check_matrix("X", [[1.0, math.nan, 2.0], [3.0, 4.0, -math.inf]])


@pytest.mark.parametrize(
    ("X", "Y", "words"),
    [
        ((2, 3), (3, 2), "Y.T may be meant"),
        ((2, 3), (4, 3), "width is constant"),
        ((3, 2), (3, 4), "same samples"),
        ((2, 3), (4, 5), "same samples"),
    ],
)
def test_unequal_ends_name_both_shapes_and_a_remedy(X, Y, words):
    with pytest.raises(DomainError) as error:
        check_ends(np.ones(X), np.ones(Y))
    message = said(error)
    assert f"X has shape {X} and Y has shape {Y}" in message
    assert words in message


def test_pairs_broadcast_over_leading_axes_only():
    one, other = check_pair(("A", "B"), np.ones((4, 2, 3)), ONES)
    assert (one.shape, other.shape) == ((4, 2, 3), (2, 3))
    for shape in ((5, 2, 3), (4, 3, 2)):
        with pytest.raises(DomainError, match="A has shape"):
            check_pair(("A", "B"), np.ones((4, 2, 3)), np.ones(shape))


@pytest.mark.parametrize("value", NOT_POSITIVE.values(), ids=NOT_POSITIVE)
def test_depth_and_terminal_weight_are_positive(value):
    for check, called in ((check_effective_depth, "effective_depth"), (check_terminal_weight, "terminal_weight")):
        with pytest.raises(DomainError, match=f"^{called} = ") as error:
            check(value)
        said(error)
    for function in OF_TWO.values():
        with pytest.raises(DomainError, match=r"^effective_depth = "):
            function(ONES, ONES, value)
    assert check_effective_depth(np.float32(2)) == check_terminal_weight(2) == 2.0


@pytest.mark.parametrize("value", NOT_FROM_ZERO.values(), ids=NOT_FROM_ZERO)
def test_bias_and_gamma_are_zero_or_more(value):
    for check, called in ((check_bias, "bias"), (check_gamma, "gamma")):
        with pytest.raises(DomainError, match=f"^{called} = ") as error:
            check(value)
        said(error)
        for function in OF_TWO.values():
            with pytest.raises(DomainError, match=f"^{called} = "):
                function(ONES, ONES, 1.0, **{called: value})
    assert math.copysign(1, check_bias(-0.0)) == 1
    assert check_gamma(np.int64(3)) == 3.0


def test_activations_are_one_function():
    mixture = Mixture((activation("relu"), activation("identity")), (0.5, 0.5))
    for phi in (mixture, "nope", "leaky_relu:x", None, 3):
        with pytest.raises(DomainError):
            check_geometry(phi, 1.0, 0.0)
    G = check_geometry(activation("relu"), 0.5, 0.1)
    assert (G.phi.phi.name, G.bias, G.gamma) == ("relu", 0.5, 0.1)


def test_silent_samples_are_named():
    X = np.array([[1.0, -1.0, 0.0], [0.5, -2.0, -3.0]])
    bare = check_geometry("relu", 0.0, 0.0)
    with pytest.raises(DomainError, match=r"relu\(x\) of sample 1 of Y are 0 \(2 of 3 samples\)") as error:
        check_kernel("Y", X, bare)
    assert "bias or gamma" in said(error)
    check_kernel("Y", X[:, :1], bare)
    for G in (("relu", 1.0, 0.0), ("relu", 0.0, 1e-3), ("leaky_relu:0.1", 0.0, 0.0)):
        check_kernel("Y", X[:, :2], check_geometry(*G))
    # a column of zeros is silent for any φ with φ(0) = 0
    with pytest.raises(DomainError, match="sample 0 of X"):
        check_kernel("X", np.zeros((2, 1)), check_geometry("tanh", 0.0, 0.0))


def test_rows_of_numbers():
    assert check_numbers("p", 3).tolist() == [3.0]
    assert check_numbers("p", [1, 2.5]).tolist() == [1.0, 2.5]
    for bad in ("abc", None, [], [[1.0]], [math.nan], [True], [[1], [2, 3]], [1e999]):
        with pytest.raises(DomainError, match=r"^p is ") as error:
            check_numbers("p", bad)
        said(error)
