"""Branches of critical paths over the depth: their slope is the energy, and folds and crossings lie where they should.

The two wells are one neuron and one sample, φ = id, γ = 1e-4, a₀ = a₁ = 1: a'' = o²a with o² = 1 + 2h and

    cosh oT = 2o²/((1 - o²)γ) - 1,      a(t) = cosh o(t - T/2)/cosh(oT/2),      S = ½ ∫ (a' + a)²/(a² + γ) dt

To stay near 1 costs T/2, to dip to 0 and come back ln(1 + 1/γ): a crossing at T* = 2 ln(1 + 1/γ) up to γT*. The dip
and the saddle between both end at the least T(o), a fold.
"""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from stored_paths import entry, options

from gpdeep import DomainError
from gpdeep.leaky import continue_in_depth, geodesic

GAMMA = 1e-4
WELLS = {"activation": "identity", "bias": 0.0, "gamma": GAMMA}
ONE = [[1.0]]
CROSSING = 2 * np.log1p(1 / GAMMA)


def depth_of(o):
    """T(o)."""
    return np.arccosh(2 * o**2 / ((1 - o**2) * GAMMA) - 1) / o


FOLD = minimize_scalar(depth_of, bounds=(0.1, 0.9999), method="bounded", options={"xatol": 1e-12})


def exact(T, kind):
    """S and H/T of the stay, the saddle or the dip at depth T."""
    low = np.sqrt(GAMMA) * (1 + 1e-9)  # where T(o) begins, with cosh = 1
    turn = minimize_scalar(lambda o: -depth_of(o), bounds=(low, 0.1), method="bounded", options={"xatol": 1e-14}).x
    between = {"stay": (low, turn), "saddle": (turn, FOLD.x), "dip": (FOLD.x, 1 - 1e-13)}[kind]
    o = brentq(lambda x: depth_of(x) - T, *between, xtol=1e-15)

    def density(t):
        a, rate = np.cosh(o * (t - T / 2)) / np.cosh(o * T / 2), o * np.sinh(o * (t - T / 2)) / np.cosh(o * T / 2)
        return 0.5 * (rate + a) ** 2 / (a**2 + GAMMA)

    # the density jumps from 0 to 2 within o(a² + γ)^½ of T/2
    return quad(density, 0, T, epsabs=1e-11, limit=400, points=[T / 2, T / 2 + 4])[0], (o**2 - 1) / 2


@pytest.fixture(scope="module")
def wells():
    """Both ends alone, at L̃ = 20."""
    return geodesic(ONE, ONE, 20.0, **WELLS)


def stored(kind):
    return entry(f"closed/gamma_scalar/Lt20_gamma1e-4_{kind}")


@pytest.mark.parametrize("kind", ["stay", "saddle", "dip"])
def test_formulas_above_give_the_stored_digits(kind):
    S, h = exact(20.0, kind)
    np.testing.assert_allclose([S, 20 * h], [stored(kind)["S"], stored(kind)["H"]], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["stay", "dip"])
def test_both_wells_are_found_from_both_ends_alone(wells, kind):
    minima = [point for point in wells.critical_points if point.kind == "minimum"]
    actions = np.array([point.action for point in minima])
    nearest = minima[int(np.argmin(np.abs(actions - stored(kind)["S"])))]
    np.testing.assert_allclose(nearest.action, stored(kind)["S"], rtol=1e-8)
    np.testing.assert_allclose(nearest.hamiltonian, stored(kind)["H"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(wells.action, stored("dip")["S"], rtol=1e-8)


def test_only_the_wells_are_minima_and_the_saddle_between_is_the_lowest_one(wells):
    kinds = [point.kind for point in wells.critical_points]
    assert kinds[:2] == ["minimum", "minimum"]
    assert "minimum" not in kinds[2:]
    np.testing.assert_allclose(wells.critical_points[2].action, stored("saddle")["S"], rtol=1e-8)


def branch_of(diagram, action, at=0):
    """The branch with an action at one of the depths."""
    return int(np.nanargmin(np.abs(diagram.action[:, at] - action)))


@pytest.fixture(scope="module")
def over_the_crossing(wells):
    return continue_in_depth(wells, [20.0, 19.0, 18.0, 17.0], rtol=1e-10)


@pytest.mark.parametrize("kind", ["stay", "dip"])
def test_branches_of_both_wells_have_their_actions_and_energies(over_the_crossing, kind):
    diagram = over_the_crossing
    branch = branch_of(diagram, stored(kind)["S"])
    for k, T in enumerate(diagram.effective_depth):
        S, h = exact(T, kind)
        np.testing.assert_allclose(diagram.action[branch, k], S, rtol=1e-8)
        np.testing.assert_allclose(diagram.hamiltonian[branch, k], T * h, rtol=0, atol=1e-6)
        np.testing.assert_allclose(diagram.rank_like[branch, k], -2 * h, rtol=0, atol=1e-6)
    assert (diagram.is_minimum[branch] == 1).all()


def test_the_wells_change_places_at_the_transition_depth(over_the_crossing):
    diagram = over_the_crossing
    stay, dip = (branch_of(diagram, stored(kind)["S"]) for kind in ("stay", "dip"))
    assert list(diagram.lowest) == [dip, dip, stay, stay]  # T* = 18.42
    gap = diagram.action[stay] - diagram.action[dip]
    depths = np.sort(diagram.effective_depth)
    crossing = np.interp(0.0, np.sort(gap), depths)
    # staying has -2h = 1 - γ: a crossing γT* = 2e-3 deeper, and the gap is straight to 1e-4
    np.testing.assert_allclose(crossing, CROSSING, rtol=0, atol=2 * GAMMA * CROSSING)
    # the jump of the energy there is that of the rank, from 1 to 0
    np.testing.assert_allclose(np.ptp(diagram.rank_like[[stay, dip], 2]), 1.0, atol=2e-3)


def test_the_dip_ends_at_its_fold(wells):
    depths = [20.0, 17.0, 15.0, 14.0, 13.0, 12.0]
    assert 13 < FOLD.fun < 14
    diagram = continue_in_depth(wells, depths)
    stay, dip = (branch_of(diagram, stored(kind)["S"]) for kind in ("stay", "dip"))
    exists = np.isfinite(diagram.action[dip])
    assert list(exists) == [FOLD.fun < T for T in depths]
    (event,) = [event for event in diagram.events if event.branch == dip]
    # followed in steps that shrink to 3 %
    assert FOLD.fun <= event.effective_depth <= 1.05 * FOLD.fun
    assert event.joined in (stay, None)
    assert np.isfinite(diagram.action[stay]).all()
    assert f"branch {dip} ends" in str(diagram)


def test_every_critical_point_has_a_branch_or_an_event(wells):
    diagram = continue_in_depth(wells, [20.0])
    for number, point in enumerate(wells.critical_points):
        followed = np.isclose(diagram.action[number, 0], point.action, rtol=1e-7)
        assert followed or any(event.branch == number for event in diagram.events), (point.kind, point.action)


# ------------------------------------------------------------------------------------ P33


@pytest.fixture(scope="module")
def p33():
    path = entry("smooth/P33/Lt3")
    return geodesic(path["X"], path["Y"], 3.0, starts=1, rtol=1e-10, **options(path))


def test_slope_of_a_branch_is_minus_the_energy(p33):
    """dS*/dL̃ = -H/L̃, by differences of fourth order."""
    h = 0.02
    diagram = continue_in_depth(p33, 3 + h * np.array([-2, -1, 0, 1, 2]), rtol=1e-11)
    S, H = diagram.action[0], diagram.hamiltonian[0]
    # h⁴ S⁽⁵⁾/30 = 5e-9 S⁽⁵⁾ and 1e-10/h of rounding; the curvature of S is 0.4 here
    slope = (8 * (S[3] - S[1]) - (S[4] - S[0])) / (12 * h)
    np.testing.assert_allclose(slope, -H[2] / 3, rtol=0, atol=1e-6)
    np.testing.assert_allclose(diagram.rank_like[0], -2 * H / diagram.effective_depth, rtol=1e-12)
    assert abs(slope - H[2] / 3) > 1  # negative control: the sign
    assert not diagram.events


def test_a_branch_agrees_with_what_is_stored_at_other_depths(p33):
    diagram = continue_in_depth(p33, [3.0, 2.0, 1.0])
    np.testing.assert_allclose(diagram.action[0, [0, 2]], [entry(f"smooth/P33/Lt{T}")["S"] for T in (3, 1)], rtol=1e-8)
    assert (diagram.is_minimum == 1).all()
    for k, points in enumerate(diagram.points):
        assert points[0].action == diagram.action[0, k]
        np.testing.assert_allclose(points[0].A[[0, -1]], p33.A[[0, -1]], rtol=0, atol=1e-13)


def test_order_of_depths_is_that_of_the_answer(p33):
    up, down = (continue_in_depth(p33, depths) for depths in ([2.8, 3.2], [3.2, 2.8]))
    np.testing.assert_allclose(up.action[:, ::-1], down.action, rtol=1e-7)
    assert list(down.effective_depth) == [3.2, 2.8]


def test_branches_do_not_jump_to_another_where_they_fold():
    """P33 has two minima from L̃ = 3.8 on, 1e-3 apart; one ends there in a fold.

    Along a branch ΔS = -∫H/L̃ dL̃, by the trapezoid rule to ΔL̃² h''/12: 1.4e-3 on the last step before the fold, where
    h'' grows; the jump to the other minimum misses 2e-2.
    """
    path = entry("smooth/P33/Lt3")
    start = geodesic(path["X"], path["Y"], 7.0, starts=4, **options(path))
    assert sum(point.kind == "minimum" for point in start.critical_points) >= 2
    diagram = continue_in_depth(start, [7.0, 5.0, 4.2, 4.1, 4.0, 3.9, 3.8, 3.7, 3.6, 3.5])
    T, fine = diagram.effective_depth, slice(2, None)
    for S, rank in zip(diagram.action[:, fine], diagram.rank_like[:, fine], strict=True):
        missed = np.diff(S) / np.diff(T[fine]) - 0.25 * (rank[1:] + rank[:-1])
        assert np.nanmax(np.abs(missed), initial=0.0) < 5e-3
    assert diagram.events
    assert np.isfinite(diagram.action[:, -1]).sum() == 1


def test_diagrams_print_and_become_json(p33):
    diagram = continue_in_depth(p33, [3.0, 4.0])
    assert "branches in depth" in str(diagram)
    assert diagram.to_dict()["action"][0][0] == pytest.approx(p33.action, rel=1e-8)


REFUSED = {
    "zero": ([3.0, 0.0], "effective_depths holds 0"),
    "negative": (-1.0, "effective_depths holds -1"),
    "nan": ([np.nan], "effective_depths"),
    "text": ("deep", "effective_depths"),
    "empty": ([], "effective_depths"),
    "a matrix": (np.ones((2, 2)), "effective_depths"),
}


@pytest.mark.parametrize(("depths", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_depth_is_refused(p33, depths, says):
    with pytest.raises(DomainError, match=says):
        continue_in_depth(p33, depths)


def test_paths_with_a_terminal_cost_are_refused():
    path = entry("terminal/P33/Lt3/lam0.01")
    priced = geodesic(
        path["X"], path["Y"], 3.0, start=tuple(path["nodes"][k] for k in "pAB"), terminal_weight=0.01, **options(path)
    )
    with pytest.raises(DomainError, match="terminal cost"):
        continue_in_depth(priced, [4.0])
