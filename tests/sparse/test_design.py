"""`design`: scale, relatives, what is infeasible and why, families of one's own, the result."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpdeep import DomainError, InfeasibleError, PiecewiseLinear, load
from gpdeep.activations.piecewise_linear import crelu, hard_tanh
from gpdeep.result import StatusCode
from gpdeep.sparse import design, sample_variances
from gpdeep.sparse.families import bias_variance


def test_q_star_is_a_scale_of_everything_but_the_input():
    one, four = design("crelu", 0.85, slope=0.8), design("crelu", 0.85, slope=0.8, q=4.0)  # powers of 4: no rounding
    assert (four.tau, four.m, four.sigma_w) == (2 * one.tau, 2 * one.m, one.sigma_w)
    np.testing.assert_allclose(four.sigma_b, 2 * one.sigma_b, rtol=1e-15, atol=0)
    np.testing.assert_allclose([4 * four.curvature, 4 * four.d_chi_1], [one.curvature, one.d_chi_1], rtol=1e-13, atol=0)
    assert (four.slope, four.sparsity, four.linear, four.kappa) == (one.slope, one.sparsity, one.linear, one.kappa)
    np.testing.assert_allclose(four.input_second_moment, 4 * one.input_second_moment, rtol=1e-14, atol=0)
    same = [
        sample_variances(
            d.phi, sigma_w=d.sigma_w, sigma_b=d.sigma_b, width=50, depth=30, q=d.q_star, n_samples=20, rng=1
        )
        for d in (one, four)
    ]
    np.testing.assert_allclose(
        same[1], 4 * same[0], rtol=1e-12, atol=0
    )  # the same random numbers, 30 layers of rounding


def test_input_mismatch_is_what_scale_does_not_heal():
    # § 4.6: unit inputs start at 11.7 q* for q* = 1 and at 3.4 q* for q* = 4
    for q, ratio in ((1.0, 11.7), (4.0, 3.4)):
        one = design("crelu", 0.9, slope=0.7, q=q)
        np.testing.assert_allclose((one.sigma_w**2 + one.sigma_b**2) / q, ratio, rtol=0, atol=0.06)
        np.testing.assert_allclose(one.sigma_w**2 * one.input_second_moment + one.sigma_b**2, q, rtol=1e-14, atol=0)


@given(st.floats(0.5, 0.99), st.floats(0.05, 0.99))
@settings(max_examples=30, deadline=None)
def test_designs_are_on_the_edge_of_chaos_with_the_slope(sparsity, slope):
    one = design("crelu", sparsity, slope=slope)
    layer = one.layer
    # V and χ₁ are products and sums of a few terms of order 1; σ_b² is known relatively
    np.testing.assert_allclose([layer(1.0), layer.chi_1(1.0)], 1.0, rtol=1e-13, atol=0)
    np.testing.assert_allclose(layer.slope(1.0), slope, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(one.sparsity, sparsity, rtol=1e-13, atol=0)
    assert one.sigma_b >= 0  # never binds for τ ≥ 0
    np.testing.assert_allclose(one.linear * one.sigma_w**2, 1.0, rtol=1e-13, atol=0)


@pytest.mark.parametrize("sparsity", [0.6, 0.85])
def test_one_and_two_sides_share_what_does_not_count_them(sparsity):
    one = design("crelu", (1 + sparsity) / 2, slope=0.8)  # Φ(h) = s and 2Φ(h) - 1 = s' at one h
    two = design("cst", sparsity, slope=0.8)
    for name in ("tau", "m", "sigma_b", "slope", "curvature", "kappa", "fold_slope"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-12, atol=0, err_msg=name)
    np.testing.assert_allclose(one.sigma_w**2, 2 * two.sigma_w**2, rtol=1e-12, atol=0)
    assert one.c_zero > two.c_zero  # an odd activation has mean 0


def test_hard_tanh_is_the_thresholdless_case():
    named, by_sparsity, by_tau = (
        design("hard_tanh", slope=0.7),
        design("cst", 0, slope=0.7),
        design("cst", tau=0, slope=0.7),
    )
    assert named.phi == by_sparsity.phi == by_tau.phi == hard_tanh(named.m)
    assert named.sparsity == 0
    assert named.fold_slope == 1
    # σ_b² where it is a small difference: 2 μ E(z - μ)_+ / E φ'², from the tail's series at μ ≈ 5
    steep = design("hard_tanh", slope=1 - 1e-5)
    import mpmath

    with mpmath.workdps(40):
        mu = mpmath.mpf(steep.m)
        exact = 2 * mu * (mpmath.npdf(mu) - mu * mpmath.ncdf(-mu)) / (1 - 2 * mpmath.ncdf(-mu))
    np.testing.assert_allclose(steep.sigma_b**2, float(exact), rtol=1e-12, atol=0)
    assert steep.sigma_b**2 < 1e-5


def test_naive_bias_loses_those_digits():
    # negative control: q* - σ_w² E φ² at the same level
    steep = design("hard_tanh", slope=1 - 1e-7)
    moments = steep.phi.moments(1.0)
    naive = 1.0 - float(moments.second / moments.slope_second)
    assert abs(naive / bias_variance(steep.phi, 1.0) - 1) > 1e-10


class TestInfeasible:
    """Each message says what binds and by how much."""

    @pytest.mark.parametrize("slope", [1.0, 1.2])
    def test_slope_of_one(self, slope):
        with pytest.raises(InfeasibleError, match="1 is reached without clipping"):
            design("crelu", 0.9, slope=slope)

    def test_slope_of_zero(self):
        with pytest.raises(InfeasibleError, match="m = 0"):
            design("crelu", 0.9, slope=0.0)

    @pytest.mark.parametrize("kind", ["crelu", "cst"])
    def test_sparsity_one(self, kind):
        with pytest.raises(InfeasibleError, match="every unit would be 0"):
            design(kind, 1.0, slope=0.5)

    def test_crelu_without_zeros(self):
        with pytest.raises(InfeasibleError, match="hard tanh"):
            design("crelu", 0.0, slope=0.5)

    # § 4.2: the largest μ with σ_b² ≥ 0, and the slope there
    @pytest.mark.parametrize(("h", "most", "slope"), [(-0.1, 1.658, 0.58), (-0.25, 1.192, 0.28), (-0.5, 0.791, 0.01)])
    def test_negative_threshold(self, h, most, slope):
        with pytest.raises(InfeasibleError, match="σ_b² ≥ 0 binds") as caught:
            design("crelu", tau=h, m=2.0)
        assert f"m ≤ {most:.2f}"[:-1] in str(caught.value)
        design("crelu", tau=h, m=most - 0.001)
        with pytest.raises(InfeasibleError, match="binds"):
            design("crelu", tau=h, slope=slope + 0.02)

    def test_nearly_all_zero(self):
        with pytest.raises(InfeasibleError, match="standard deviations"):
            design("crelu", 1 - 1e-9, slope=0.5)


@pytest.mark.parametrize(
    ("positional", "options"),
    [
        (("crelu",), {"slope": 0.5}),
        (("crelu", 0.9), {}),
        (("crelu", 0.9), {"slope": 0.5, "m": 1.0}),
        (("crelu", 0.9), {"slope": 0.5, "tau": 1.0}),
        (("crelu", 0.9), {"slope": 0.5, "width": 100}),
        (("crelu", 0.9), {"slope": 0.5, "depth": 100}),
        (("crelu", 0.9), {"width": 0, "depth": 100}),
        (("crelu", 0.9), {"slope": math.nan}),
        (("crelu", 0.9), {"slope": "0.7"}),
        (("crelu", 0.9), {"slope": [0.7]}),
        (("crelu", 0.9), {"slope": 1j}),
        (("crelu", 0.9), {"slope": 10**400}),
        (("crelu", 0.9), {"slope": 0.7, "law": "bogus"}),
        (("crelu", 0.9), {"width": 100, "depth": 10, "law": ["exact"]}),
        (("crelu:1,1",), {"slope": 0.7}),
        (("hard_tanh",), {"sparsity": np.zeros(2), "slope": 0.7}),
        (("crelu", math.nan), {"slope": 0.5}),
        (("crelu", 90), {"slope": 0.5}),
        (("crelu", -0.1), {"slope": 0.5}),
        (("crelu", "0.9"), {"slope": 0.5}),
        (("crelu", 0.9), {"m": -1.0}),
        (("crelu", 0.9), {"m": 0.0}),
        (("crelu", 0.9), {"m": math.inf}),
        (("crelu", 0.9), {"slope": 0.5, "q": 0.0}),
        (("crelu", 0.9), {"slope": 0.5, "q": -2.0}),
        (("crelu", 0.9), {"slope": 0.5, "p_fail": 0.0}),
        (("crelu", 0.9), {"slope": 0.5, "p_fail": 1.0}),
        (("crelu", 0.9), {"width": 100, "depth": 10, "law": "normal"}),
        (("relu_tau", 0.9), {"slope": 0.5}),
        (("nope", 0.9), {"slope": 0.5}),
        (("hard_tanh", 0.9), {"slope": 0.5}),
        (("cst",), {"tau": -1.0, "slope": 0.5}),
        ((3, 0.9), {"slope": 0.5}),
        ((lambda m: math.tanh,), {"slope": 0.5}),
        ((lambda m: crelu(1.0, m), 0.9), {"slope": 0.5}),
    ],
    ids=lambda value: repr(value).split(" at 0x")[0],
)
def test_bad_requests_are_refused(positional, options):
    with pytest.raises(DomainError):
        design(*positional, **options)


def test_second_stable_variance_is_outside_validity():
    beyond, below = design("crelu", 0.9, slope=0.9), design("crelu", 0.9, slope=0.87)
    assert beyond.status.code is StatusCode.OUTSIDE_VALIDITY
    assert "beyond the fold" in beyond.status.messages[0]
    assert [p.stable for p in beyond.fixed_points] == [True, False, True]
    np.testing.assert_allclose([p.q for p in beyond.fixed_points], [1.0, 1.399, 3.474], rtol=0, atol=5e-4)
    assert beyond.basin == (0.0, beyond.fixed_points[1].q)
    assert beyond.escape_threshold == beyond.unstable_q
    assert below.status.code is StatusCode.OK
    assert "linger" in below.status.messages[0]  # the tangency is near
    assert below.basin == (0.0, math.inf)
    assert below.escape_threshold == 2.0


def test_escapes_beyond_tolerance_are_outside_validity():
    risky = design("crelu", 0.85, slope=0.85, width=300, depth=100)
    assert risky.escape_probability > 0.01
    assert risky.status.code is StatusCode.OUTSIDE_VALIDITY
    assert design("crelu", 0.85, slope=0.85, width=300, depth=100, p_fail=0.2).status.code is StatusCode.OK


def test_family_of_ones_own_is_searched():
    own = design(lambda m: crelu(1.0364333894937898, m), slope=0.7)
    named = design("crelu", 0.85, slope=0.7)
    np.testing.assert_allclose(
        [own.m, own.sigma_w, own.sigma_b], [named.m, named.sigma_w, named.sigma_b], rtol=1e-9, atol=0
    )
    assert own.tau is None
    assert math.isnan(own.fold_slope)

    def leaky(m: float) -> PiecewiseLinear:
        """A clipped ramp that keeps a slope of 0.1 beyond the clip."""
        return PiecewiseLinear("leaky clip", 0.0, 0.0, (0.8, 0.8 + m), (1.0, -0.9))

    one = design(leaky, slope=0.9, q=2.0)
    assert one.options["family"] == "leaky"
    np.testing.assert_allclose([one.layer(2.0), one.layer.chi_1(2.0), one.layer.slope(2.0)], [2.0, 1.0, 0.9], rtol=1e-9)
    for level in one.other_levels:
        np.testing.assert_allclose(design(leaky, m=level, q=2.0).slope, 0.9, rtol=1e-8, atol=0)
    with pytest.raises(InfeasibleError, match="slope goes from"):
        design(leaky, slope=0.1, q=2.0)  # its slopes start at 1 and dip to 0.18


def test_unstable_start_of_ones_own_is_said():
    def convex(m: float) -> PiecewiseLinear:
        return PiecewiseLinear("convex", b=0.5, t=(m,), c=(1.0,))

    one = design(convex, m=1.0)
    assert one.slope > 1
    assert one.status.code is StatusCode.OUTSIDE_VALIDITY
    assert "not stable" in one.status.messages[0]
    assert one.basin == (1.0, 1.0)
    assert one.unstable_q is None


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("hard_tanh", {"m": 10.0}),
        ("hard_tanh", {"m": 1e7}),
        ("hard_tanh", {"slope": 1 - 1e-12}),
        ("crelu", {"tau": 1.0, "m": 10.0}),
        ("crelu", {"tau": 1.0, "slope": 1 - 1e-9}),
    ],
)
def test_clip_out_of_reach_is_no_design(kind, options):
    with pytest.raises(InfeasibleError, match="as unstable as without"):
        design(kind, **options)


def test_far_threshold_is_no_design():
    with pytest.raises(InfeasibleError, match="standard deviations"):
        design("crelu", tau=5.0, slope=0.5)
    assert design("crelu", tau=5.0, slope=0.5, q=16.0).tau == 5.0


def broken(m: float) -> PiecewiseLinear:
    if m > 2:
        raise RuntimeError("no")
    return crelu(1.0, m)


FAILING = {
    "no argument": lambda: 1,
    "nothing beyond 2": lambda m: None if m > 2 else crelu(1.0, m),
    "raises": broken,
    "text": lambda m: crelu(1.0, "m"),
}


@pytest.mark.parametrize("case", FAILING)
def test_families_that_fail_say_so(case):
    with pytest.raises(DomainError, match="for m ="):
        design(FAILING[case], slope=0.5)


def test_family_without_response_somewhere_is_searched_where_it_responds():
    one = design(lambda m: PiecewiseLinear("far", t=(1 / m, 1 / m + 0.5), c=(1.0, -1.0)), m=2.0)
    assert 0 < one.slope < 1
    with pytest.raises(InfeasibleError):
        design(lambda m: PiecewiseLinear("farther", t=(1e3, 1e3 + m), c=(1.0, -1.0)), slope=0.5)


def test_level_given_tells_the_slope():
    one = design("cst", 0.8, m=1.0632)
    np.testing.assert_allclose(one.slope, 0.7, rtol=0, atol=1e-4)
    assert one.options["slope"] == one.slope


def test_result_is_kept_and_shown(tmp_path):
    one = design("crelu", 0.85, slope=0.8, width=100, depth=20)
    again = load(one.save(tmp_path / "x.json"))
    assert again == one
    assert again.layer == one.layer
    plain = one.to_dict()
    assert plain["command"] == "clip"
    assert plain["basin"] == [0.0, None]
    assert plain["inputs"]["width"] == 100
    text = str(one)
    for word in ("zeros", "σ_w", "σ_b", "E x²", "fixed points of V", "P(variance > 2)"):
        assert word in text


def test_margin_and_gradients():
    one = design("crelu", 0.85, slope=0.5)
    np.testing.assert_allclose(one.margin(300), 1 / 0.0778, rtol=1e-3, atol=0)
    np.testing.assert_allclose(one.gradient_spread(300, 99), 3.08, rtol=0, atol=0.14)  # 240 real networks, one s.e.
