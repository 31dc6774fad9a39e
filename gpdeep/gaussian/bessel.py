r"""The moments J_{a,b} as formulas with integer coefficients:

    J_{a,b} = [ (π - θ) p(c) + s q(c) ] / (2π)   for a + b even,
    J_{a,b} = p(c) / (2√(2π))                    for a + b odd,

c = cos θ, s = sin θ. For a + b even, p = p_{a,b} is the full moment E[G^a W^b] = Σ_k k! P(a,k) P(b,k) c^k,
where the Bessel numbers P(a,k) count the partial matchings of a points that leave k points single: the
absolute coefficients of the Hermite polynomials. Everything here is exact, in Python integers, from the
recursion unrolled along its first index (see `closed_form`). Jakub & Nica 2023 (arXiv 2302.09712) found the
Bessel numbers in it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..result import FloatArray
from .arguments import angles, exponents, sine, supplement

_MOST_POINTS = 100_000
_HIGHEST = 2000
Polynomial = tuple[int, ...]  # integer coefficients, of c^0 first; the zero polynomial is ()

_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def bessel_number(a: int, k: int) -> int:
    r"""Number of partial matchings of a points with k points left single, P(a,k).

        P(a,k) = a! / ( k! ((a-k)/2)! 2^{(a-k)/2} )   for a - k even and ≥ 0, and 0 otherwise

    Parameters
    ----------
    a, k : int
        From 0 to 100,000.

    Returns
    -------
    int
        P(a,k), exactly: |coefficient of x^k| of the Hermite polynomial He_a.

    Raises
    ------
    DomainError
        `a` or `k` is no integer, negative, or above 100,000.

    References
    ----------
    Jakub & Nica 2023, arXiv 2302.09712; Choi & Smith 2003, Discrete Math. 264, 45 (Bessel numbers).

    Examples
    --------
    He_4(x) = x^4 - 6x^2 + 3:

    >>> [bessel_number(4, k) for k in range(5)]
    [3, 0, 6, 0, 1]
    """
    a, k = exponents(_MOST_POINTS, a=a, k=k)
    pairs, odd = divmod(a - k, 2)
    if odd or pairs < 0:
        return 0
    return math.comb(a, k) * _double_factorial(2 * pairs - 1)


def full_moment_polynomial(a: int, b: int) -> Polynomial:
    r"""Moment of the two Gaussians on the whole plane as a polynomial in c, p_{a,b}(c).

        p_{a,b}(c) = E[G^a W^b] = Σ_k k! P(a,k) P(b,k) c^k

    Parameters
    ----------
    a, b : int
        Exponents from 0 to 2000.

    Returns
    -------
    tuple of int
        The coefficients of c^0, c^1, ..., without trailing zeros; () for a + b odd, where the moment is 0.

    Raises
    ------
    DomainError
        An exponent is no integer, negative, or above 2000.

    Notes
    -----
    x^a = Σ_k P(a,k) He_k(x), and E[He_k(G) He_l(W)] = k! c^k for k = l, otherwise 0. By Wick's theorem: k
    points of the a copies of G are matched with k of the b copies of W, the others among themselves.

    References
    ----------
    Jakub & Nica 2023, arXiv 2302.09712.

    Examples
    --------
    E[G² W²] = 1 + 2c²:

    >>> full_moment_polynomial(2, 2)
    (1, 0, 2)
    """
    a, b = exponents(_HIGHEST, a=a, b=b)
    return _trim([math.factorial(k) * bessel_number(a, k) * bessel_number(b, k) for k in range(min(a, b) + 1)])


@dataclass(frozen=True)
class ClosedForm:
    r"""J_{a,b} as a formula in c = cos θ and s = sin θ, with integer coefficients.

    Parameters
    ----------
    a, b : int
        Exponents of the moment.
    p, q : tuple of int
        Coefficients of c^0, c^1, ...: J = [(π - θ) p(c) + s q(c)]/(2π) for a + b even; J = p(c)/(2√(2π)) for
        a + b odd, where q is ().

    Examples
    --------
    >>> print(ClosedForm(1, 0, (1, 1), ()))
    J_{1,0} = (c + 1) / (2√(2π))
    """

    a: int
    b: int
    p: Polynomial
    q: Polynomial

    def __call__(self, theta: ArrayLike) -> Any:
        """J_{a,b}(θ) in float64 for θ in [0, π], of the shape of `theta`, with the digits that are left."""
        angle = angles(theta)
        c = np.cos(angle)
        p, q = _horner(self.p, c), _horner(self.q, c)
        if (self.a + self.b) % 2:
            return (p / (2 * math.sqrt(2 * math.pi)))[()]
        return ((supplement(angle) * p + sine(angle) * q) / (2 * math.pi))[()]

    def __str__(self) -> str:
        name = f"J_{{{self.a},{self.b}}}"
        if (self.a + self.b) % 2:
            return f"{name} = ({_text(self.p)}) / (2√(2π))"
        terms = ["(π - θ)" + _factor(self.p)] + (["s" + _factor(self.q)] if self.q else [])
        return f"{name} = [{' + '.join(terms)}] / (2π)"


def closed_form(a: int, b: int) -> ClosedForm:
    r"""Formula of the moment with exact integer coefficients, J_{a,b}(θ).

        J_{a,b} = Σ_i b!/(b-i)! c^i ( u_{a,i} J_{0,b-i} + v_{a,i} J_{1,b-i} ),   a ≤ b

    Parameters
    ----------
    a, b : int
        Exponents from 0 to 2000.

    Returns
    -------
    ClosedForm
        The polynomials p and q; it prints as a formula and can be called with θ.

    Raises
    ------
    DomainError
        An exponent is no integer, negative, or above 2000.

    Notes
    -----
    The recursion J_{a,b} = (a-1) J_{a-2,b} + b c J_{a-1,b-1} becomes y_a = (a-1) y_{a-2} + x y_{a-1} for a
    formal variable x whose power x^i stands for c^i b!/(b-i)! and the shift b → b - i. Its two solutions are
    u_a(x) = Σ u_{a,i} x^i with (u_0, u_1) = (1, 0) and v_a(x) with (v_0, v_1) = (0, 1). With a ≤ b the shift
    never leaves b ≥ 1, where the recursion holds. The two boundary rows come from integration by parts,

        J_{0,n} = (n-1) J_{0,n-2} + c s^{n-1} m_{n-1}/√(2π),      J_{1,n} = s^n m_n/√(2π) + n c J_{0,n-1},

    m_k = (k-1)!!/√(2π) for odd k and (k-1)!!/2 for even k, and s² = 1 - c².

    *Where the formula loses digits.* J ~ (π - θ)^{a+b+1} near π, while the terms stay of order p(1): the
    relative error is about 2^-53 p(1) (π - θ)^{-(a+b+1)}. That of J_{4,4} is about 1e-5 at π - θ = 0.1,
    and at 0.01 no digit is left. For large a + b the coefficients alternate, and digits are lost everywhere.
    Use `relu_moment` for numbers; the formula is for reading, algebra and derivatives.

    *Cost.* O((a+b)³) integer operations.

    References
    ----------
    Jakub & Nica 2023, arXiv 2302.09712 (explicit formula by Bessel numbers).

    Examples
    --------
    >>> print(closed_form(1, 1))
    J_{1,1} = [(π - θ) c + s] / (2π)
    >>> print(closed_form(2, 2))
    J_{2,2} = [(π - θ)(2c² + 1) + s 3c] / (2π)
    >>> print(closed_form(3, 0))
    J_{3,0} = (-c³ + 3c + 2) / (2√(2π))
    >>> print(f"{closed_form(2, 2)(np.pi / 2):.15f}")
    0.250000000000000
    """
    a, b = exponents(_HIGHEST, a=a, b=b)
    low, high = min(a, b), max(a, b)
    u, v = _boundary_solutions(low)
    axis = _axis_row(high)
    p: list[int] = []
    q: list[int] = []
    for i, (u_i, v_i) in enumerate(itertools.zip_longest(u, v, fillvalue=0)):
        for weight, row in ((u_i, 0), (v_i, 1)):
            if weight:
                p_row, q_row = axis[high - i] if row == 0 else _first_row(high - i, axis)
                weight *= math.perm(high, i)
                p = _add(p, _scaled(p_row, weight, i))
                q = _add(q, _scaled(q_row, weight, i))
    return ClosedForm(a, b, _trim(p), _trim(q))


def _boundary_solutions(a: int) -> tuple[list[int], list[int]]:
    """u_a and v_a: y_a = x y_{a-1} + (a-1) y_{a-2} from (1, 0) and from (0, 1)."""
    pairs = []
    for y, y_next in (([1], [0]), ([0], [1])):
        for n in range(2, a + 2):
            y, y_next = y_next, _add(_scaled(y_next, 1, 1), _scaled(y, n - 1, 0))
        pairs.append(list(_trim(y)))
    return pairs[0], pairs[1]


def _axis_row(top: int) -> list[tuple[list[int], list[int]]]:
    """(p, q) of J_{0,n} for n = 0 .. top."""
    row: list[tuple[list[int], list[int]]] = [([1], []), ([1, 1], [])]
    for n in range(2, top + 1):
        p, q = (_scaled(polynomial, n - 1, 0) for polynomial in row[n - 2])
        boundary = _scaled(_sine_squared_power((n - 1) // 2), _double_factorial(n - 2), 1)
        row.append((_add(p, boundary), q) if n % 2 else (p, _add(q, boundary)))
    return row


def _first_row(n: int, axis: list[tuple[list[int], list[int]]]) -> tuple[list[int], list[int]]:
    """(p, q) of J_{1,n}."""
    if n == 0:
        return axis[1]
    p, q = (_scaled(polynomial, n, 1) for polynomial in axis[n - 1])
    boundary = _scaled(_sine_squared_power(n // 2), _double_factorial(n - 1), 0)
    return (p, _add(q, boundary)) if n % 2 else (_add(p, boundary), q)


def _sine_squared_power(k: int) -> list[int]:
    """(1 - c²)^k."""
    power = [0] * (2 * k + 1)
    power[::2] = [(-1) ** j * math.comb(k, j) for j in range(k + 1)]
    return power


def _double_factorial(n: int) -> int:
    return math.prod(range(n, 0, -2))


def _add(first: list[int], second: list[int]) -> list[int]:
    return [x + y for x, y in itertools.zip_longest(first, second, fillvalue=0)]


def _scaled(polynomial: list[int], factor: int, shift: int) -> list[int]:
    """factor · c^shift · polynomial."""
    return [0] * shift + [factor * coefficient for coefficient in polynomial] if polynomial else []


def _trim(polynomial: list[int]) -> Polynomial:
    """Without trailing zeros."""
    while polynomial and polynomial[-1] == 0:
        polynomial = polynomial[:-1]
    return tuple(polynomial)


def _horner(polynomial: Polynomial, c: FloatArray) -> FloatArray:
    value = np.zeros_like(c)
    try:
        for coefficient in reversed(polynomial):
            value = value * c + float(coefficient)
    except OverflowError as error:
        raise DomainError(
            f"A coefficient of the closed form has {len(str(max(map(abs, polynomial))))} digits.",
            "The exponents are so large that the coefficients leave the range of float64.",
            "Use relu_moment for numbers, or the integer coefficients in exact arithmetic.",
        ) from error
    return value


def _text(polynomial: Polynomial) -> str:
    """The polynomial, highest power first, as in 2c² + 1."""
    text = ""
    for power in range(len(polynomial) - 1, -1, -1):
        if coefficient := polynomial[power]:
            size = "" if abs(coefficient) == 1 and power else str(abs(coefficient))
            letter = "c" + (str(power).translate(_SUPERSCRIPT) if power > 1 else "") if power else ""
            sign = (" - " if coefficient < 0 else " + ") if text else ("-" if coefficient < 0 else "")
            text += sign + size + letter
    return text


def _factor(polynomial: Polynomial) -> str:
    """The polynomial as what follows a factor: nothing for 1, parentheses round a sum."""
    text = _text(polynomial)
    return "" if text == "1" else f"({text})" if " " in text else f" {text}"
