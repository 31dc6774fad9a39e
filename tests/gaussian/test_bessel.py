"""Closed forms against a symbolic derivation, and the Bessel numbers behind them."""

import itertools

import mpmath as mp
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep.gaussian import (
    ClosedForm,
    bessel_number,
    closed_form,
    full_moment_polynomial,
    relu_moment,
)

EPS = np.finfo(np.float64).eps
c, s, theta = sympy.symbols("c s theta")
# p and q as published, highest power first; for a + b odd the polynomial over 2√(2π)
TABLE = {
    (0, 0): ([1], []),
    (1, 1): ([1, 0], [1]),
    (2, 0): ([1], [1, 0]),
    (2, 2): ([2, 0, 1], [3, 0]),
    (3, 1): ([3, 0], [1, 0, 2]),
    (4, 0): ([3], [-2, 0, 5, 0]),
    (3, 3): ([6, 0, 9, 0], [11, 0, 4]),
    (4, 2): ([12, 0, 3], [2, 0, 13, 0]),
    (5, 1): ([15, 0], [-2, 0, 9, 0, 8]),
    (6, 0): ([15], [8, 0, -26, 0, 33, 0]),
    (4, 4): ([24, 0, 72, 0, 9], [50, 0, 55, 0]),
    (5, 3): ([60, 0, 45, 0], [6, 0, 83, 0, 16]),
    (6, 2): ([90, 0, 15], [-4, 0, 28, 0, 81, 0]),
    (1, 0): ([1, 1], []),
    (2, 1): ([1, 2, 1], []),
    (3, 0): ([-1, 0, 3, 2], []),
}
PAIRS = [(a, b) for a, b in itertools.product(range(7), repeat=2) if a + b <= 9]


def as_expression(form):
    """A closed form as a sympy expression in θ, c, s."""
    p = sum(coefficient * c**k for k, coefficient in enumerate(form.p))
    q = sum(coefficient * c**k for k, coefficient in enumerate(form.q))
    if (form.a + form.b) % 2:
        return p / (2 * sympy.sqrt(2 * sympy.pi))
    return ((sympy.pi - theta) * p + s * q) / (2 * sympy.pi)


def half_moment(k):
    """E[N^k 1{N > 0}], N ~ N(0, 1)."""
    return (
        sympy.Rational(2) ** (sympy.Rational(k, 2) - 1) * sympy.gamma(sympy.Rational(k + 1, 2)) / sympy.sqrt(sympy.pi)
    )


def derived(a, b, factor=1):
    """J_{a,b} by Gaussian integration by parts, symbolically; `factor` 1 is right, others are the control."""
    a, b = max(a, b), min(a, b)
    root = sympy.sqrt(2 * sympy.pi)
    if (a, b) == (0, 0):
        return (sympy.pi - theta) / (2 * sympy.pi)
    if (a, b) == (1, 0):
        return (1 + c) / (2 * root)
    if b == 0:
        return (a - 1) * derived(a - 2, 0, factor) + c * s ** (a - 1) * half_moment(a - 1) / root
    if a == 1:
        return s * half_moment(1) / root + c * derived(0, 0, factor)
    return (a - 1) * derived(a - 2, b, factor) + factor * b * c * derived(a - 1, b - 1, factor)


def vanishes(expression):
    """Whether the expression is 0 given s² + c² = 1."""
    return sympy.simplify(sympy.rem(sympy.expand(expression), s**2 + c**2 - 1, s)) == 0


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_closed_form_is_the_symbolic_recursion(a, b):
    assert vanishes(as_expression(closed_form(a, b)) - derived(a, b))


def test_a_wrong_recursion_gives_another_closed_form():
    assert not vanishes(as_expression(closed_form(3, 2)) - derived(3, 2, factor=2))


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_closed_form_solves_prices_equation_and_vanishes_at_pi(a, b):
    """With the value 0 at π this proves the formula by induction on min(a, b), without the recursion."""
    angle = sympy.Symbol("angle")
    on_the_circle = {theta: angle, c: sympy.cos(angle), s: sympy.sin(angle)}
    form = as_expression(closed_form(a, b)).subs(on_the_circle)
    slope = sympy.diff(form, angle).subs({sympy.cos(angle): c, sympy.sin(angle): s, angle: theta})
    if a and b:
        expected = -a * b * s * as_expression(closed_form(a - 1, b - 1))
    else:
        n = a + b
        expected = -(sympy.Rational(2) ** sympy.Rational(n, 2)) * sympy.gamma(sympy.Rational(n, 2) + 1)
        expected = expected / (2 * sympy.pi) * s**n
    assert vanishes(slope - expected)
    assert form.subs(angle, sympy.pi) == 0


@pytest.mark.parametrize(("a", "b"), TABLE)
def test_closed_form_reproduces_the_table(a, b):
    p, q = TABLE[a, b]
    assert closed_form(a, b) == ClosedForm(a, b, tuple(p[::-1]), tuple(q[::-1]))
    assert closed_form(b, a).p == tuple(p[::-1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(a=st.integers(0, 40), b=st.integers(0, 40))
def test_p_is_the_full_moment_in_bessel_numbers(a, b):
    if (a + b) % 2:
        assert full_moment_polynomial(a, b) == ()
    else:
        assert closed_form(a, b).p == full_moment_polynomial(a, b)


@pytest.mark.parametrize("a", range(12))
def test_bessel_numbers_are_the_absolute_hermite_coefficients(a):
    x = sympy.Symbol("x")
    he = sympy.expand(2 ** sympy.Rational(-a, 2) * sympy.hermite(a, x / sympy.sqrt(2)))
    assert [bessel_number(a, k) for k in range(a + 1)] == [abs(he.coeff(x, k)) for k in range(a + 1)]


def test_physicists_hermite_coefficients_are_not_the_bessel_numbers():
    x = sympy.Symbol("x")
    other = sympy.Poly(sympy.hermite(4, x), x)
    assert [bessel_number(4, k) for k in range(5)] != [abs(k) for k in reversed(other.all_coeffs())]


def test_bessel_numbers_count_involutions():
    """Σ_k P(a,k) is the number of involutions of a points: I_a = I_{a-1} + (a-1) I_{a-2}."""
    totals = [sum(bessel_number(a, k) for k in range(a + 1)) for a in range(30)]
    assert totals[:2] == [1, 1]
    assert all(totals[a] == totals[a - 1] + (a - 1) * totals[a - 2] for a in range(2, 30))


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_calling_a_closed_form_gives_the_moment_where_it_is_well_conditioned(a, b):
    theta = np.linspace(0, 2, 21)
    form = closed_form(a, b)
    # Horner: 2 units a coefficient, of the terms' size Σ|p|π + Σ|q| before the division by 2π or 2√(2π)
    size = np.pi * sum(map(abs, form.p)) + sum(map(abs, form.q))
    atol = 2 * (len(form.p) + len(form.q) + 2) * EPS * size
    np.testing.assert_allclose(form(theta), relu_moment(a, b, theta), rtol=(2 * (a + b) + 8) * EPS, atol=atol)
    assert isinstance(form(1.0), np.float64)


def test_closed_form_loses_its_digits_near_pi():
    error = abs(closed_form(4, 4)(np.pi - 0.01) / relu_moment(4, 4, np.pi - 0.01) - 1)
    assert error > 0.5


def test_large_exponents_stay_exact():
    form = closed_form(31, 24)
    with mp.workdps(80):
        angle = mp.mpf(1)
        exact = mp.polyval(list(form.p[::-1]), mp.cos(angle)) / (2 * mp.sqrt(2 * mp.pi))
    # the moment's own 2(a + b) + 8 units
    np.testing.assert_allclose(relu_moment(31, 24, 1.0), float(exact), rtol=118 * EPS, atol=0)


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        ((0, 0), "J_{0,0} = [(π - θ)] / (2π)"),
        ((1, 1), "J_{1,1} = [(π - θ) c + s] / (2π)"),
        ((4, 0), "J_{4,0} = [(π - θ) 3 + s(-2c³ + 5c)] / (2π)"),
        ((2, 1), "J_{2,1} = (c² + 2c + 1) / (2√(2π))"),
    ],
)
def test_prints_as_a_formula(pair, text):
    assert str(closed_form(*pair)) == text
