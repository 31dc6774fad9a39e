"""Numbers of the leaky figures: conserved energies, known actions and orders of convergence, and the evidence."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures are drawn")

from figure_tables import column, drawn

from gpdeep import leaky
from gpdeep.errors import DomainError
from paper_figures.leaky import energies, singular_values, steps, trained_energies
from validation.evidence import RESULTS

KEPT = json.loads((RESULTS / "cpu" / "E5-quick.json").read_text())


def stored(name):
    (claim,) = [claim for claim in KEPT["claims"] if claim["id"] == name]
    return claim


@pytest.fixture(scope="module")
def path_energies():
    return drawn(energies)


def test_energy_is_constant_and_its_parts_are_not(path_energies):
    drawing, rows = path_energies
    assert len(drawing.figure.axes) == 2
    for depth in ("1.0", "3.0"):
        energy = column(rows, "minus_two_h_over_depth", effective_depth=depth)
        assert np.ptp(energy) < 1e-8  # nodes solve the equations to 1e-10, energies of order 10
        for part in ("cost_of_identity", "kinetic"):
            assert np.ptp(column(rows, part, effective_depth=depth)) > 1  # which the test of constancy would refuse


def test_rank_like_number_is_twice_the_slope_of_the_action(path_energies):
    """-2H/L̃ = 2 dS*/dL̃, by a central difference of actions of other geodesics."""
    _, rows = path_energies
    X, Y = np.array(energies._INPUTS), np.array(energies._OUTPUTS)
    h = 0.02
    low, high = (leaky.geodesic(X, Y, 3 + d, activation="softplus:5", starts=1).action for d in (-h, h))
    found = column(rows, "minus_two_h_over_depth", effective_depth="3.0")
    assert found[0] == pytest.approx((high - low) / h, rel=1e-3)  # the difference errs by S'''h²/3, S''' of order 1
    assert found[0] != pytest.approx((high - low) / (2 * h), rel=1e-3)  # without the factor 2


def test_cost_of_identity_is_its_trace(path_energies):
    """tr A (K + γI)⁻¹ Aᵀ at the input, which both paths share, from the matrices alone."""
    _, rows = path_energies
    A = np.array(energies._INPUTS)
    features = np.vstack([np.log1p(np.exp(5 * A)) / 5, np.ones(3)])
    K = features.T @ features
    gamma = 1e-2 * np.linalg.eigvalsh(K)[-1]
    expected = np.trace(A @ np.linalg.inv(K + gamma * np.eye(3)) @ A.T)
    for depth in ("1.0", "3.0"):
        assert column(rows, "cost_of_identity", effective_depth=depth)[0] == pytest.approx(expected, rel=1e-10)


def test_own_matrices_are_read(tmp_path):
    np.save(tmp_path / "X.npy", [[1.0, 0.2], [0.1, 0.8]])
    drawing, rows = drawn(energies, inputs=str(tmp_path / "X.npy"), outputs=str(tmp_path / "X.npy"), depths="3")
    direct = leaky.geodesic([[1.0, 0.2], [0.1, 0.8]], [[1.0, 0.2], [0.1, 0.8]], 3.0, activation="softplus:5", starts=1)
    assert column(rows, "action")[0] == pytest.approx(direct.action, rel=1e-8)
    assert "2 neurons, 2 samples" in drawing.notes[0]
    (tmp_path / "text.npy").write_text("no matrix")
    for name in ("text.npy", "missing.npy"):
        with pytest.raises(DomainError, match="cannot be read as a matrix"):
            energies.draw(inputs=str(tmp_path / name))


def test_singular_values_of_ends_and_weights():
    _, rows = drawn(singular_values)
    for name, end in (("_INPUTS", 0), ("_OUTPUTS", -1)):
        expected = np.linalg.svd(np.array(getattr(energies, name)), compute_uv=False)
        found = [column(rows, "singular_value", matrix="representation", number=str(k))[end] for k in (1, 2, 3)]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0)
    # the squares of the weights' singular values integrate to the action: S = (L̃/2) ∫ |W/L̃|² dp
    p = column(rows, "p", matrix="weights", number="1")
    squares = sum(column(rows, "singular_value", matrix="weights", number=str(k)) ** 2 for k in (1, 2, 3))
    action = 1.5 * np.trapezoid(squares, p)
    assert action == pytest.approx(6.118455595, rel=5e-3)  # 45 nodes and a trapezoidal rule, h² of it
    assert action * 2 != pytest.approx(6.118455595, rel=5e-3)


def test_action_errors_are_of_first_order():
    drawing, rows = drawn(steps, layers="40,80,160", depths="3")
    assert len(drawing.figure.axes) == 4
    for kind in ("equal", "adaptive"):
        errors = column(rows, "action_error", curve="action", steps=kind)
        assert (errors < 0).all()
        orders = np.log2(errors[:-1] / errors[1:])
        assert np.abs(orders - 1).max() < 0.1
        assert np.abs(orders - 2).min() > 0.5  # a scheme of second order would be noticed
    for depth in ("1.5", "4.0", "7.0"):
        rho = column(rows, "rho", of="trained network", effective_depth=depth)
        assert rho.tolist() == stored(f"E5.adaptive_moves.{float(depth):g}.24")["details"]["steps"][0]
        ratio = column(rows, "adaptive_over_equal", quantity="objective", effective_depth=depth)
        assert ratio == stored(f"E5.adaptive_objective.{float(depth):g}.24")["estimate"]
    assert column(rows, "rho", of="path").sum() == pytest.approx(1.0, rel=1e-12)


def test_trained_energies_are_those_of_the_evidence():
    drawing, rows = drawn(trained_energies)
    for depth in ("1.5", "4"):
        for kind in ("raw", "corrected"):
            claim = stored(f"E5.energy.{kind}.{depth}")
            (expected,) = claim["details"]["energies"]
            chosen = {"curve": "energy", "kind": kind, "effective_depth": str(float(depth))}
            assert column(rows, "energy", **chosen).tolist() == expected
            # the band: scatter over mean kinetic energy is what was measured
            (kinetic,) = set(column(rows, "mean_kinetic_energy", **chosen))
            assert np.std(expected) / kinetic == pytest.approx(claim["estimate"], rel=1e-7)
        rank = column(rows, "participation_rank", curve="rank", effective_depth=str(float(depth)))
        assert rank.tolist() == stored(f"E5.rank.{depth}")["details"]["rank"][0]
    kinetic = [
        set(column(rows, "mean_kinetic_energy", curve="energy", kind=kind, effective_depth="4.0"))
        for kind in ("raw", "corrected")
    ]
    assert kinetic[0].pop() == pytest.approx(kinetic[1].pop(), rel=0.2)  # of one network, read off two scatters
    text = " ".join(drawing.notes)
    assert all(c["id"] in text for c in KEPT["claims"] if c["verdict"] in ("MISSED", "NOT REFUSED"))
