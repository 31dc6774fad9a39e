"""E5: what is claimed of the start holds, trained networks are described, and each bar can be missed."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the experiment trains networks")

from validation.claim import Claim, Kind
from validation.e5_leaky_resnets import EXPERIMENT
from validation.e5_leaky_resnets.design import networks_of
from validation.e5_leaky_resnets.task import draw_task, ends
from validation.e5_leaky_resnets.trial import participation
from validation.experiment import Settings, Size
from validation.sweep.compute import compute

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = Settings(Size.QUICK)


def computed(unit):
    (record,) = compute(unit.function, [json.loads(unit.text)], unit.settings, False)
    assert record.status == "done", record.error
    return json.loads(record.result)


def verdicts(claims):
    return {claim.id: claim.verdict for claim in claims}


def network(depth, layers, steps, spread=0.02, rank=2.2, untrained=0.3):
    """A result as a network gives it that meets every bar."""
    even = steps == "adaptive"
    moves = np.full(layers, 0.1)
    moves[0] = 0.11 if even else 0.3
    spread = spread * 24 / layers
    return {
        "objective": 0.5,
        "cost": 0.1,
        "action": 20.0,
        "rank_like": 1.5,
        "test_cost": 0.2,
        "steps": [1 / layers] * layers,
        "residuals": [0.1] * layers,
        "energies": [-1.0] * layers,
        "corrected_energies": [-1.0] * layers,
        "kinetic": 10.0,
        "spread": {"raw": 2 * spread, "corrected": spread},
        "rank": [11.0] * (layers // 2) + [rank] * (layers // 2 + 1),
        "rank_uncentred": [1.5] * (layers + 1),
        "moves": moves.tolist(),
        "cost_of_identity": [3.0] * layers,
        "after_adam": {"objective": 0.6, "residuals": [0.9] * layers, "spread": {"raw": 0.05, "corrected": 0.05}},
        "untrained": {"spread": {"raw": untrained, "corrected": untrained}},
        "training_seconds": 1.0,
    }


def synthetic(settings=QUICK, **changes):
    start = {"invariant.relu": 1e-15, "invariant.tanh": 0.3}
    found = []
    for unit in EXPERIMENT.plan(settings):
        s = unit.specification
        if s.get("what") == "invariant":
            found.append({"violation": start[f"invariant.{s['activation']}"]})
        elif s.get("what") == "level":
            found.append({name: {"mean": m, "standard_error": 0.01} for name, m in (("level", 1.02), ("he", 0.05))})
        else:
            found.append(network(s["effective_depth"], s["layers"], s["steps"], **changes))
    return found


@pytest.mark.parametrize("size", list(Size))
def test_plan_is_deterministic_with_unique_keys(size):
    one, two = (EXPERIMENT.plan(Settings(size, seed=1)) for _ in range(2))
    keys = [unit.key for unit in one]
    assert len(set(keys)) == len(keys)
    assert keys == [unit.key for unit in two]
    assert all(unit.specification["experiment"] == "E5" for unit in one)
    assert not set(keys) & {unit.key for unit in EXPERIMENT.plan(Settings(size, seed=100))}


def test_full_plan_reaches_200_layers_and_respects_the_longest_step():
    cells = networks_of(Settings(Size.FULL, device="cuda"))
    assert max(s["layers"] for s in cells) == 200
    assert max(s["effective_depth"] for s in cells) == 20
    assert all(s["effective_depth"] / s["layers"] < 1 for s in cells)


def test_smoke_run_says_what_holds_at_the_start():
    settings = Settings(Size.SMOKE)
    claims = EXPERIMENT.claims(settings, [computed(unit) for unit in EXPERIMENT.plan(settings)])
    assert verdicts(claims) == {"E5.invariant": "CONSISTENT", "E5.invariant_control": "REFUSED", "E5.level": "AGREE"}


def test_a_network_is_trained_and_described():
    (unit,) = [u for u in EXPERIMENT.plan(QUICK) if u.specification.get("steps") == "adaptive"][:1]
    small = {
        **unit.specification,
        "width": 14,
        "layers": 6,
        "samples": 30,
        "adam": 40,
        "lbfgs": 30,
        "effective_depth": 1.5,
    }
    (record,) = compute(unit.function, [small], {"device": "cpu"}, False)
    assert record.status == "done", record.error
    found = json.loads(record.result)
    assert found["objective"] < found["after_adam"]["objective"]
    assert np.isclose(found["objective"], found["cost"] + 0.02 * found["action"], rtol=1e-9)
    assert len(found["energies"]) == len(found["residuals"]) == len(found["cost_of_identity"]) == 6
    assert len(found["rank"]) == 7
    assert not np.allclose(found["steps"], 1 / 6)
    assert np.isclose(sum(found["steps"]), 1.0, rtol=1e-12)
    assert np.isfinite(found["test_cost"])


def test_a_result_that_meets_every_bar_is_good():
    claims = EXPERIMENT.claims(QUICK, synthetic())
    asserted = [claim for claim in claims if claim.kind is not Kind.REPORT]
    assert asserted
    assert all(claim.good for claim in asserted), verdicts(claims)
    assert all(claim.good is None for claim in claims if claim.kind is Kind.REPORT)
    for claim in claims:
        assert Claim.from_dict(json.loads(json.dumps(claim.to_dict()))) == claim


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"spread": 0.1}, {"E5.energy.corrected.1.5", "E5.energy.raw.4"}),
        ({"rank": 6.0}, {"E5.rank.1.5", "E5.rank.4"}),
        ({"untrained": 0.01}, {"E5.energy_control.1.5", "E5.energy_control.4"}),
    ],
)
def test_each_bar_can_be_missed(changes, missed):
    found = verdicts(EXPERIMENT.claims(QUICK, synthetic(**changes)))
    assert {found[name] for name in missed} <= {"MISSED", "NOT REFUSED"}


def test_adapted_steps_that_move_nothing_are_missed():
    results = synthetic()
    units = EXPERIMENT.plan(QUICK)
    for unit, result in zip(units, results, strict=True):
        if unit.specification.get("steps") == "adaptive":
            result["moves"][0], result["objective"] = 0.3, 0.6
    found = verdicts(EXPERIMENT.claims(QUICK, results))
    assert found["E5.adaptive_moves.4.24"] == found["E5.adaptive_cost.4.24"] == "MISSED"
    assert found["E5.adaptive_objective.4.24"] == "REPORTED"


def test_failed_units_are_left_out_and_counted():
    results = [
        None if unit.specification.get("layers") == 48 else r
        for unit, r in zip(EXPERIMENT.plan(QUICK), synthetic(), strict=True)
    ]
    claims = {claim.id: claim for claim in EXPERIMENT.claims(QUICK, results)}
    assert claims["E5.energy_table"].details["failed"] == 2
    assert "E5.energy_layers.raw.4" not in claims


def test_participation_rank_counts_equal_directions():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    np.testing.assert_allclose(participation(q[:, :3] @ rng.permutation(np.eye(3))), 3.0, rtol=1e-12)
    assert participation(q[:, :3] * [1.0, 0.5, 0.1]) < 2


def test_task_has_its_hidden_dimension():
    task = draw_task(0, 400)
    # a function of two directions: the residual of y after a quintic in them is small, that in two others is not
    read_in, read_out = ends(20, 12, 12)
    assert np.array_equal(read_in.T @ read_in, np.eye(12))
    assert np.array_equal(read_out @ read_out.T, np.eye(12))
    np.testing.assert_allclose((task.y.mean(), task.y.std()), (0.0, 1.0), rtol=0, atol=1e-12)
    gradient = np.linalg.lstsq(np.c_[task.x, np.ones(400)], task.y, rcond=None)[0][:12]
    values = np.linalg.svd(gradient, compute_uv=False)
    assert values[1] > 0.1  # y depends on two directions of x,
    assert values[2] < 0.5 * values[1]  # and a linear fit sees no third of their size
    assert np.array_equal(task.x, draw_task(0, 400).x)
