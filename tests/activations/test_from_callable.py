"""A user's own function: kinks are found and told, errors are estimated, what cannot be treated is refused."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpdeep.activations.elu import elu
from gpdeep.activations.kink_search import find_knots
from gpdeep.activations.user_function import from_callable
from gpdeep.errors import DomainError, ValidityWarning
from gpdeep.gaussian.kink_split import kink_split_rule

# tanh at q on the edge of chaos with sigma_b² = 0.05: mpmath at 28 digits, trapezoidal rule and Gauss-Legendre
TANH = {
    "q": 0.5700478816407641499901555759,
    "sigma_w2": 1.760954639606739131631552024,
    "sigma_b2": 0.05,
    "V1": 0.5181864840680500367172071032,
    "V2": -0.6996436921810022013560474877,
    "chi_slope": -0.5786722201057007582634872314,
    "C2": 0.3240899560183662293892685817,
    "C_at_0": 0.08771193019099625353606116008,
}
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "piecewise_smooth.json").read_text())
TAU, M = 1.0364, 0.8095


def crelu(x):
    return np.clip(x - TAU, 0, M)


def bent(x):
    return np.where(x > 0.3, 0.5 * (x - 0.3) ** 2 + x, x)


@pytest.mark.parametrize("slope", [None, lambda x: 1 / np.cosh(x) ** 2], ids=["values only", "with slope"])
def test_smooth_function_meets_the_edge_of_chaos_of_tanh(slope):
    phi = from_callable(np.tanh, slope=slope)
    assert (phi.name, phi.knots, phi.kinks) == ("tanh", (), ())
    m, q = phi.moments(TANH["q"]), TANH["q"]
    # values on panels 1 wide: φ' to 400 units of rounding, φ'' to its square; averages gain a digit or two
    np.testing.assert_allclose(1 / m.slope_second, TANH["sigma_w2"], rtol=1e-13)
    np.testing.assert_allclose(q - m.second / m.slope_second, TANH["sigma_b2"], atol=1e-13)
    np.testing.assert_allclose(m.d_second / m.slope_second, TANH["V1"], rtol=1e-13)
    np.testing.assert_allclose(m.d2_second / m.slope_second, TANH["V2"], rtol=1e-12)
    np.testing.assert_allclose(m.d_slope_second / m.slope_second, TANH["chi_slope"], rtol=1e-12)
    np.testing.assert_allclose(q * phi.derivative_moment(2, q) / m.slope_second, TANH["C2"], rtol=1e-11)
    c = (phi.covariance(0.0, q, q) / m.slope_second + TANH["sigma_b2"]) / q
    np.testing.assert_allclose(c, TANH["C_at_0"], rtol=0, atol=1e-13)
    assert phi.error < 1e-13


@pytest.mark.parametrize("name", ["silu", "softplus"])
def test_smooth_functions_meet_the_reference(name):
    phi = from_callable({"silu": lambda x: x / (1 + np.exp(-x)), "softplus": lambda x: np.logaddexp(0, x)}[name])
    for values in REFERENCE["smooth"][name]["values"]:
        m, q = phi.moments(float(values["q"])), float(values["q"])
        got = [m.mean, m.second, m.fourth, m.slope_second, m.d_second, m.d2_second, m.d_slope_second]
        keys = ["E_phi", "E_phi2", "E_phi4", "E_dphi2", "dE_phi2_dq", "d2E_phi2_dq2", "dE_dphi2_dq"]
        # φ' from values carries 1e-13; d2_second is divided by q^(3/2) ≥ 1/8
        np.testing.assert_allclose(got, [float(values[key]) for key in keys], rtol=1e-13, atol=1e-12)
        for pair in values["pairs"]:
            lost = pair["rho"].removeprefix("1-") if pair["rho"].startswith("1-") else 1 - float(pair["rho"])
            theta = 2 * math.asin(math.sqrt(float(lost) / 2))
            np.testing.assert_allclose(phi.gap(theta, q), float(pair["deficit"]), rtol=1e-12, atol=0)


def test_an_inexact_knot_is_corrected_and_told():
    with pytest.warns(ValidityWarning, match=r"1\.0364 "):
        phi = from_callable(crelu, knots=[TAU + 1e-5, TAU + M])
    np.testing.assert_allclose(phi.knots, [TAU, TAU + M], rtol=0, atol=1e-12)


def test_kinks_of_a_clipped_ramp_are_found_and_told():
    with pytest.warns(ValidityWarning, match=r"1\.0364.*1\.8459") as told:
        phi = from_callable(crelu)
    assert len(told) == 1
    assert "infinite" in str(told[0].message)
    np.testing.assert_allclose(phi.knots, [TAU, TAU + M], rtol=0, atol=1e-12)
    np.testing.assert_allclose(phi.jumps, [1, -1], rtol=0, atol=1e-11)
    # E φ'² = P(τ < z < τ + m)
    want = (math.erfc(TAU / math.sqrt(2)) - math.erfc((TAU + M) / math.sqrt(2))) / 2
    np.testing.assert_allclose(phi.moments(1.0).slope_second, want, rtol=1e-12)
    np.testing.assert_allclose(phi.slope_product(1e-12, 1.0), want, rtol=1e-11)
    assert phi.derivative_moment(2, 1.0) == np.inf


def test_a_rule_across_the_kinks_misses_the_tolerance():
    """Control: the same number of nodes without the split gets E φ'² wrong by more than 1e-4."""
    z, w = kink_split_rule(1.0)
    across = np.sum(w * ((z > TAU) & (z < TAU + M)))
    want = (math.erfc(TAU / math.sqrt(2)) - math.erfc((TAU + M) / math.sqrt(2))) / 2
    assert abs(across / want - 1) > 1e-4


def test_known_knots_are_not_told():
    phi = from_callable(crelu, "clipped", knots=[TAU, TAU + M])
    assert phi.name == "clipped"
    np.testing.assert_allclose(phi.jumps, [1, -1], rtol=0, atol=1e-10)
    with pytest.warns(ValidityWarning, match=r"x = 1\.8459") as told:
        from_callable(crelu, knots=[TAU])
    assert "1.0364 " not in str(told[0].message)


def test_a_knot_where_nothing_happens_is_dropped():
    assert from_callable(np.tanh, knots=[0.5]).knots == ()


@given(st.floats(-6, 6), st.floats(1e-3, 10))
@example(-1.5497084445021887, 1.0)  # at the end of a panel of the search
@example(-1.5486, 1.0)  # closer to it than the outermost node
@settings(max_examples=25, deadline=None)
def test_a_kink_anywhere_is_found_to_rounding_over_its_size(at, size):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        phi = from_callable(lambda x: np.sin(x) + size * np.abs(x - at))
    assert any("kink" in str(w.message) for w in told)
    # both sides are continued by a tenth of their width: 100 units of rounding of values up to 1 + 12 size
    np.testing.assert_allclose(phi.knots, [at], rtol=0, atol=1e-12 * (1 + 1 / size))
    np.testing.assert_allclose(phi.jumps, [2 * size], rtol=1e-8)


def test_a_jump_of_the_curvature_is_found():
    phi = from_callable(bent)
    np.testing.assert_allclose(phi.knots, [0.3], rtol=0, atol=1e-9)
    assert phi.jumps == (0.0,)
    assert phi.kinks == ()
    # E φ''² = P(z > 0.3)
    np.testing.assert_allclose(phi.derivative_moment(2, 1.0), math.erfc(0.3 / math.sqrt(2)) / 2, rtol=1e-10)
    assert phi.derivative_moment(3, 1.0) == np.inf
    # E φ'² = ∫ (1 + (z - 0.3)_+)², from the moments of a ramp
    h = 0.3
    tail, density = math.erfc(h / math.sqrt(2)) / 2, math.exp(-h * h / 2) / math.sqrt(2 * math.pi)
    want = 1 + 2 * (density - h * tail) + (1 + h * h) * tail - h * density
    np.testing.assert_allclose(phi.moments(1.0).slope_second, want, rtol=1e-13)


def test_values_alone_give_the_pair_functions_of_elu():
    phi, theta = from_callable(elu(), "mine"), np.array([1e-6, 0.5, 2.0])
    np.testing.assert_allclose(phi.gap(theta, 1.0), elu().gap(theta, 1.0), rtol=1e-12)
    np.testing.assert_allclose(phi.remainder(theta, 1.0), elu().remainder(theta, 1.0), rtol=1e-10)


def test_a_singular_slope_is_graded_not_refused():
    # φ = sign(x)|x|^{3/2}: E φ'² = (9/4) E|z| = (9/4) √(2/π)
    phi = from_callable(lambda x: np.sign(x) * np.abs(x) ** 1.5)
    np.testing.assert_allclose(phi.moments(1.0).slope_second, 2.25 * math.sqrt(2 / math.pi), rtol=1e-10)


def test_steep_functions_are_not_taken_for_jumps():
    phi = from_callable(lambda x: np.tanh(1e4 * x))
    assert phi.knots == ()
    # E φ'² = 1e4 ∫ sech⁴ e^{-1e-8 y²/2} dy/√2π = 1e4 (4/3)/√2π to 1e-8
    np.testing.assert_allclose(phi.moments(1.0).slope_second, 1e4 * 4 / 3 / math.sqrt(2 * math.pi), rtol=1e-7)


@pytest.mark.parametrize("function", [np.tanh, np.abs], ids=["smooth", "kink"])
def test_float32_functions_say_so(function):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        phi = from_callable(lambda x: function(x.astype(np.float32)))
    assert any("float32" in str(w.message) for w in told)
    assert 1e-8 < phi.error < 1e-5
    exact = from_callable(function, knots=[0.0])
    true_error = abs(phi.moments(1.0).second / exact.moments(1.0).second - 1)
    assert true_error <= phi.error
    assert len(phi.kinks) == len(exact.kinks)


def test_the_error_bounds_the_true_one_for_polynomials():
    # E (z³)² = 15
    phi = from_callable(lambda x: x**3)
    assert abs(phi.moments(1.0).second / 15 - 1) <= max(phi.error, 1e-14)


def test_tensors_go_to_the_function_and_the_slope_comes_back_as_one():
    phi = from_callable(lambda x: x / (1 + x**2))
    torch = pytest.importorskip("torch", reason="tensors are asked for")
    x = torch.linspace(-2, 2, 5, dtype=torch.float64)
    np.testing.assert_allclose(phi(x), x / (1 + x**2))
    assert isinstance(phi(x), torch.Tensor)
    slope = phi.derivative(x)
    assert isinstance(slope, torch.Tensor)
    np.testing.assert_allclose(slope, (1 - x**2) / (1 + x**2) ** 2, rtol=0, atol=1e-13)
    assert phi(np.ones(2, dtype=np.float32)).dtype == np.float32
    assert isinstance(phi(1.0), np.float64)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.sign, "jumps by 2 at x = "),
        (np.floor, "jumps by 1"),
        (lambda x: x + 1e-4 * (x > 0.5), r"jumps by 0\.0001 at x = 0\.5"),
        (np.tan, "jumps"),
        (lambda x: np.full_like(x, 3.0), "constant"),
        (lambda x: np.maximum(x - 50, 0), "constant"),
        (lambda x: 0.0, r"shape \(\)"),
        (lambda x: x.sum(), r"shape \(\)"),
        (lambda x: x + 1j, "complex"),
        (np.log, "NaN"),
        (lambda x: 1 / x, "infinite or above"),
        (lambda x: np.exp(x**2), "infinite"),
        (lambda x: x if x > 0 else 0, "one number at a time"),
        (math.tanh, "one number at a time"),
        (lambda x: np.abs(x - np.round(x)), "not smooth at"),
        (lambda x: sum(0.6**k * np.cos(7**k * x) for k in range(12)), "scatter"),
    ],
)
def test_what_cannot_be_treated_is_refused(function, message):
    with pytest.raises(DomainError) as error:
        from_callable(function)
    assert error.match(message)


def test_a_function_of_tensors_only_is_refused():
    torch = pytest.importorskip("torch", reason="a function of torch's is asked for")
    with pytest.raises(DomainError, match="tensors only"):
        from_callable(torch.relu)


@pytest.mark.parametrize("at", [0.0, 0.3, -5.0])
def test_an_infinite_mean_squared_slope_is_refused(at):
    # ∫ φ'² = ∫ 1/4|x| diverges like a logarithm
    with pytest.raises(DomainError, match="is infinite"):
        from_callable(lambda x: np.sqrt(np.abs(x - at)))


@pytest.mark.parametrize("power", [0.75, 1.5])
def test_a_singular_but_square_integrable_slope_is_not_refused(power):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        phi = from_callable(lambda x: np.abs(x) ** power)
    # E φ'² = p² E|z|^(2p-2)
    want = power**2 * 2 ** (power - 1) * math.gamma(power - 0.5) / math.sqrt(math.pi)
    assert abs(phi.moments(1.0).slope_second / want - 1) <= max(phi.error, 1e-12)


def test_a_steep_function_has_a_few_angles_and_says_so_about_many(monkeypatch):
    monkeypatch.setattr("gpdeep.activations.pair_table._BUDGET", 2 * 10**6)
    phi, theta = from_callable(lambda x: np.sin(8 * x)), np.array([0.5, 0.6])
    # E sin(8u) sin(8v) = e^-64 sinh(64 ρ), E φ'φ' = 64 e^-64 cosh(64 ρ), E φ''φ'' = 64² e^-64 sinh(64 ρ)
    up, down = np.exp(64 * (np.cos(theta) - 1)), np.exp(-64 * (np.cos(theta) + 1))
    fall = (1 - math.exp(-128)) / 2 - (up - down) / 2
    np.testing.assert_allclose(phi.gap(theta, 1.0), fall, rtol=0, atol=1e-13)
    np.testing.assert_allclose(phi.slope_product(theta, 1.0), 32 * (up + down), rtol=0, atol=64e-12)
    np.testing.assert_allclose(phi.curvature_product(theta, 1.0), 2048 * (up - down), rtol=0, atol=4096e-9)
    linear = 64 * (1 + math.exp(-128)) / 2 * (1 - np.cos(theta))
    np.testing.assert_allclose(phi.remainder(theta, 1.0), linear - fall, rtol=1e-12)
    for many in (np.linspace(0.1, 3, 100), 1e-5):
        with pytest.raises(DomainError, match="turns too fast"):
            phi.gap(many, 1.0)
    assert phi.gap(0.0, 1.0) == 0
    # control: a slow function has its table within the same budget times 10, and keeps digits at small angles
    monkeypatch.setattr("gpdeep.activations.pair_table._BUDGET", 2 * 10**7)
    slow = from_callable(np.tanh)
    np.testing.assert_allclose(slow.gap(1e-5, 1.0), slow.moments(1.0).slope_second * 5e-11, rtol=1e-9)


@pytest.mark.parametrize("function", [lambda x: x * 0, lambda x: 1e-200 * x], ids=["zero", "tiny"])
def test_what_is_next_to_nothing_is_refused(function):
    with pytest.raises(DomainError, match="at most"):
        from_callable(function)


def test_random_functions_are_called_noisy():
    rng = np.random.default_rng(1)
    with pytest.raises(DomainError, match="noisy: the same x gave different values"):
        from_callable(lambda x: x + rng.normal(size=x.shape))


COMPANY = {
    "root mean square": lambda x: x / np.sqrt((x * x).mean() + 1e-9),
    "largest": lambda x: x / (1 + np.abs(x).max()),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(),
    "sorted": np.sort,
    "turned": lambda x: x[::-1] if x.ndim == 1 else x,
}


@pytest.mark.parametrize("function", COMPANY.values(), ids=COMPANY)
def test_a_function_of_the_whole_array_is_refused(function):
    with pytest.raises(DomainError, match="depends on more than its argument"):
        from_callable(function)


@pytest.mark.parametrize("error", [KeyError("a"), ZeroDivisionError(), IndexError(3)])
def test_whatever_a_function_raises_is_reported(error):
    def broken(x):
        raise error

    with pytest.raises(DomainError, match=type(error).__name__) as told:
        from_callable(broken)
    assert told.value.__cause__ is error


def test_a_wrong_slope_is_refused():
    with pytest.raises(DomainError, match="slope of"):
        from_callable(np.tanh, slope=lambda x: 1 / np.cosh(x))


@pytest.mark.parametrize("knots", [[np.nan], [1e3], ["a"], 3])
def test_bad_knots_are_refused(knots):
    with pytest.raises(DomainError, match="knots"):
        from_callable(np.tanh, knots=knots)


@pytest.mark.parametrize("span", [(0, 1), (-5, 5), (-np.inf, np.inf), 3, (10, -10)])
def test_bad_spans_are_refused(span):
    with pytest.raises(DomainError, match="span"):
        from_callable(np.tanh, span=span)


def test_a_variance_beyond_the_span_is_refused_and_a_wider_span_helps():
    with pytest.raises(DomainError, match="span"):
        from_callable(np.tanh).moments(1e4)
    assert from_callable(np.tanh, span=(-2000, 2000)).moments(1e4).second < 1
    with pytest.raises(DomainError, match="outside"):
        from_callable(np.tanh).derivative(200.0)


def test_the_search_answers_with_the_given_knots_too():
    found = find_knots(np.abs, -10.0, 10.0, [0.0], 3.0, 1e-14)
    assert [(k.x, k.bend) for k in found] == [(0.0, pytest.approx(0, abs=1e-9))]
    np.testing.assert_allclose(found[0].jump, 2.0, rtol=1e-12)
