"""The bottleneck tour says what it reads off: energies of stationary networks, of the task that is stored."""

import json
from pathlib import Path

import numpy as np

from gpdeep.leaky.energies import cost_of_identity, kernel

TOUR = "bottleneck"
STORED = json.loads((Path(__file__).parents[1] / "reference" / "leaky.json").read_text())["bottleneck_demo"]


def test_task_is_the_stored_one(script):
    task = script.teacher()
    A, phi, stored = task.read_in @ task.train[0], "softplus:20", STORED["runs"][0]
    top = float(np.linalg.eigvalsh(kernel(A, activation=phi))[-1])
    # stored with 16 digits; the smallest singular value of A is not small
    np.testing.assert_allclose(
        cost_of_identity(A, gamma=1e-2 * top, activation=phi), stored["coi_gamma1e_2"][0], rtol=1e-10, atol=0
    )
    assert task.test[1].shape == (10, 60)


def test_quick_tour_prints_stationary_networks_whose_energy_rises_with_depth(script, walked):
    tour, printed = walked("--quick", "--json")
    assert json.loads(printed)["rows"][1]["layers"] == 12
    shallow, deep = tour.rows
    assert max(row.residual for row in tour.rows) <= 1e-6
    # kinetic energy dominates at depth 1; the rank comes from below, the cost of identity from above
    assert shallow.corrected < -10
    assert shallow.corrected < deep.corrected < 2
    assert shallow.reading.coi_fine > deep.reading.coi_fine > 2
    assert shallow.reading.rank is deep.reading.rank is None
    assert "depth 3" in deep.reading.reason
    assert "none" in script.table(tour.rows)
