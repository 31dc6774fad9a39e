"""Orders of the discrete actions on P33 at L̃ = 3 with equal steps, and the collocation that Gauss's points are."""

from functools import reduce
from operator import mul

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from stored_paths import entry, geometry

from gpdeep.leaky.boundary import Fixed
from gpdeep.leaky.elements import EULER, TRAPEZOID, gauss
from gpdeep.leaky.hermite import HermitePath
from gpdeep.leaky.path_newton import minimise
from gpdeep.leaky.path_system import PathAction

REFERENCE = entry("smooth/P33/Lt3")
# Elements at which the next order is small; the finest error is far above tol_S = 1e-10 of the reference
MESHES = {
    "euler": (EULER, (80, 160, 320)),
    "midpoint": (gauss(1), (20, 40, 80)),
    "trapezoid": (TRAPEZOID, (40, 80, 160)),
    "gauss-2": (gauss(2), (20, 40, 80)),
    "gauss-3": (gauss(3), (14, 20, 28)),
}


def stationary(scheme, elements):
    """The stationary path of a scheme with equal steps, near the stored one."""
    nodes, T, G = REFERENCE["nodes"], REFERENCE["Lt"], geometry(REFERENCE)
    path = HermitePath.of(G, T * nodes["p"], nodes["A"], nodes["B"])
    action = PathAction(G, scheme, Fixed(REFERENCE["X"]), Fixed(REFERENCE["Y"]))
    found = minimise(action, path.path(scheme, np.full(elements, T / elements)), tol=1e-11)
    assert found.converged
    return found


@pytest.mark.parametrize(("scheme", "meshes"), MESHES.values(), ids=MESHES)
def test_error_of_the_action_falls_with_the_order_of_the_scheme(scheme, meshes):
    errors = np.array([stationary(scheme, L).state.value for L in meshes]) - REFERENCE["S"]
    fitted = -np.polyfit(np.log(meshes), np.log(np.abs(errors)), 1)[0]
    print(f"{scheme.name}: errors {errors}, order {fitted:.3f}")
    assert np.abs(errors).min() > 10 * REFERENCE["tol_S"]
    assert abs(fitted - scheme.order) < 0.1


def test_orders_differ_between_schemes_by_more_than_the_tolerance():
    # negative control: a wrong weight of the quadrature leaves no order at all
    assert sorted(scheme.order for scheme, _ in MESHES.values()) == [1, 2, 2, 4, 6]
    coarse, fine = (stationary(EULER, L).state.value - 0.99 * REFERENCE["S"] for L in (80, 160))
    assert abs(np.log2(abs(coarse / fine)) - 1) > 0.1


def test_action_of_the_network_lies_below_that_of_the_path():
    assert stationary(EULER, 40).state.value < REFERENCE["S"] < stationary(TRAPEZOID, 40).state.value


def butcher(c):
    """a_ij = ∫₀^{c_i} ℓ_j and b_j = ∫₀¹ ℓ_j for Lagrange's polynomials on the points c."""
    through = []
    for j, others in enumerate(np.delete(c, j) for j in range(len(c))):
        factors = [Polynomial([-x, 1.0]) / (c[j] - x) for x in others]
        through.append(reduce(mul, factors, Polynomial([1.0])))
    integrals = [polynomial.integ() for polynomial in through]
    return np.array([[F(x) for F in integrals] for x in c]), np.array([F(1.0) for F in integrals])


def collocation_defects(found, a, b):
    """Largest violation of the collocation equations of dA/dt = ∂h/∂B, dB/dt = -∂h/∂A with the tableau a, b."""
    state, path = found.state, found.state.path
    G, h = found.action.geometry, path.h[:, None, None, None]
    A, B = state.A, state.point.B
    of_A, of_B = G.flow(A, B)
    defects = []
    for nodes, stages, rates in ((path.A, A, of_A), (state.momenta, B, of_B)):
        defects.append(stages - nodes[:-1, None] - h * np.einsum("ij,ljan->lian", a, rates))
        defects.append(np.diff(nodes, axis=0) - h[:, 0] * np.einsum("j,ljan->lan", b, rates))
    return max(np.abs(defect).max() for defect in defects)


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_stationary_paths_of_gauss_schemes_solve_the_collocation_equations(stages):
    scheme = gauss(stages)
    found = stationary(scheme, 20)
    a, b = butcher(scheme.points)
    np.testing.assert_allclose(b, scheme.weights, rtol=0, atol=1e-13)
    # the gradient left over, 1e-11 over a weight of at least h/10
    assert collocation_defects(found, a, b) < 1e-8
    # negative controls: another tableau, and momenta of another flow
    assert collocation_defects(found, a + (0.01 if stages == 1 else 0.01 * a.T), b) > 1e-4
    assert collocation_defects(found, a, 1.01 * b) > 1e-4


def test_stationary_paths_of_the_trapezoid_rule_are_no_gauss_collocation():
    # negative control: the midpoint's equations at the trapezoid's path
    rule = stationary(TRAPEZOID, 20)
    between = PathAction(rule.action.geometry, gauss(1), rule.action.start, rule.action.end)
    path = rule.state.path
    moved = type(path)(path.h, path.A, path.Q, path.B[:, :1])
    found = type(rule)(between, between.state(moved), 0, True, True)
    assert collocation_defects(found, *butcher(gauss(1).points)) > 1e-3
