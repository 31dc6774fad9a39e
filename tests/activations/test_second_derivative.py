"""φ'' of every activation of the catalogue against mpmath, and against differences where no formula was given."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from gpdeep import DomainError, Mixture, Smooth, activation, from_callable

X = np.array([-7.3, -2.1, -0.4, 0.0, 1e-3, 0.7, 3.3, 8.1])

ORACLES = {
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "gelu_tanh": lambda x: x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3))),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "mish": lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "softplus:5": lambda x: mpmath.log1p(mpmath.exp(5 * x)) / 5,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "exp": mpmath.exp,
}


@pytest.mark.parametrize("name", ORACLES)
def test_formula_agrees_with_mpmath(name):
    with mpmath.workdps(40):
        expected = [float(mpmath.diff(ORACLES[name], mpmath.mpf(float(x)), 2)) for x in X]
    # rounding of x itself, of size eps |x φ'''|, and cancellation between terms of the size of x φ'''
    np.testing.assert_allclose(activation(name).second_derivative(X), expected, rtol=1e-12, atol=2e-14)


@pytest.mark.parametrize("name", ["elu", "selu"])
def test_piecewise_smooth_curvature_is_the_exponential_branch(name):
    phi = activation(name)
    # α e^x on the left is φ + φ(-∞), and 0 on the right
    left = X[X < 0]
    np.testing.assert_allclose(phi.second_derivative(left), phi(left) - phi(-1e3), rtol=1e-13, atol=1e-15)
    assert not phi.second_derivative(X[X > 0]).any()


@pytest.mark.parametrize("name", ["relu", "crelu:1,0.5", "hard_tanh", "identity", "abs"])
def test_straight_pieces_have_none(name):
    assert not activation(name).second_derivative(X).any()


def test_differences_stand_in_where_no_formula_was_given():
    known = activation("tanh")
    own = Smooth("own", known.function, known.slope, known.strip)
    # δ⁴ max|φ^(6)|/30 = 1e-8 · 272/30
    np.testing.assert_allclose(own.second_derivative(X), known.second_derivative(X), rtol=0, atol=1e-7)
    assert not np.allclose(own.second_derivative(X), known.derivative(X), rtol=0, atol=1e-3)


def test_function_of_ones_own():
    phi = from_callable(np.tanh, name="mine")
    np.testing.assert_allclose(phi.second_derivative(X), activation("tanh").second_derivative(X), rtol=0, atol=1e-8)


def test_mixture_takes_it_by_neuron():
    phi = Mixture((activation("tanh"), activation("relu")), (0.5, 0.5))
    both = phi.second_derivative(np.full((3, 4), 0.5))
    np.testing.assert_array_equal(both[:, 2:], 0)
    np.testing.assert_array_equal(both[:, :2], activation("tanh").second_derivative(0.5))
    with pytest.raises(DomainError):
        phi.second_derivative(0.5)
