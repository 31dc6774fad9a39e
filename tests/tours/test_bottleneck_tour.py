"""The bottleneck tour says what it reads off: energies of stationary networks, of the task that is stored."""

import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gpdeep.leaky.energies import cost_of_identity, kernel

ROOT = Path(__file__).parents[2]
STORED = json.loads((ROOT / "tests" / "reference" / "leaky.json").read_text())["bottleneck_demo"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("bottleneck_tour", ROOT / "paper_figures" / "tours" / "bottleneck.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_task_is_the_stored_one(script):
    task = script.teacher()
    A, phi, stored = task.read_in @ task.train[0], "softplus:20", STORED["runs"][0]
    top = float(np.linalg.eigvalsh(kernel(A, activation=phi))[-1])
    # stored with 16 digits; the smallest singular value of A is not small
    np.testing.assert_allclose(
        cost_of_identity(A, gamma=1e-2 * top, activation=phi), stored["coi_gamma1e_2"][0], rtol=1e-10, atol=0
    )
    assert task.test[1].shape == (10, 60)


def test_quick_tour_prints_stationary_networks_whose_energy_rises_with_depth(script):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        tour = script.main(["--quick", "--json"])
    assert json.loads(printed.getvalue())["rows"][1]["layers"] == 12
    shallow, deep = tour.rows
    assert max(row.residual for row in tour.rows) <= 1e-6
    # kinetic energy dominates at depth 1; the rank comes from below, the cost of identity from above
    assert shallow.corrected < -10
    assert shallow.corrected < deep.corrected < 2
    assert shallow.reading.coi_fine > deep.reading.coi_fine > 2
    assert shallow.reading.rank is deep.reading.rank is None
    assert "depth 3" in deep.reading.reason
    assert "none" in script.table(tour.rows)
