"""E6: stacks are networks side by side, all arms run, gaps are read rightly, and each bar can be missed."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the experiment trains networks")
pytest.importorskip("sklearn", reason="sums are of scikit-learn's digits")

import torch

from gpdeep.data import LabelledSplit
from gpdeep.linearize import path_length
from gpdeep.nn import PartialReLU, graph_of
from validation.claim import Claim, Kind
from validation.e6_partial_linearisation import EXPERIMENT, module_trial, stack_trial, sums
from validation.e6_partial_linearisation.design import SHARES
from validation.e6_partial_linearisation.masks import DRAWS
from validation.e6_partial_linearisation.stack import Stack
from validation.e6_partial_linearisation.windows import Training, orders, train
from validation.experiment import Settings, Size
from validation.nonlinear_advantage import gaps
from validation.sweep.compute import compute

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = Settings(Size.QUICK)
LEFT = {0.007: 0.5, 0.01: 0.35, 0.016: 0.2, 0.03: 0.05}  # of units, in the synthetic results


def computed(unit, **changes):
    (record,) = compute(unit.function, [{**json.loads(unit.text), **changes}], unit.settings, False)
    assert record.status == "done", record.error
    return json.loads(record.result)


def units_of(part, settings=QUICK):
    return [unit for unit in EXPERIMENT.plan(settings) if unit.specification["part"] == part]


def verdicts(claims):
    return {claim.id: claim.verdict for claim in claims}


def small_split(seed=0, n=60):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 9))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return LabelledSplit(x, y, x[:20], y[:20], 2).prepared()


# ---------------------------------------------------------------------- the plan


@pytest.mark.parametrize("size", list(Size))
def test_plan_is_deterministic_with_unique_keys(size):
    one, two = (EXPERIMENT.plan(Settings(size, seed=2)) for _ in range(2))
    keys = [unit.key for unit in one]
    assert len(set(keys)) == len(keys)
    assert keys == [unit.key for unit in two]
    assert all(unit.specification["experiment"] == "E6" for unit in one)


def test_full_plan_has_depth_skips_and_both_tasks():
    specifications = [unit.specification for unit in EXPERIMENT.plan(Settings(Size.FULL, device="cuda"))]
    stacks = [s for s in specifications if s["part"] == "stack"]
    assert {s["data"] for s in stacks} == {"templates", "sum"}
    assert {(s["depth"], s["skips"]) for s in stacks} >= {(4, False), (8, False), (8, True), (32, True)}
    assert {s["model"] for s in specifications if s["part"] == "module"} == {"cnn", "transformer"}


def test_where_a_folder_lies_is_no_part_of_the_key():
    one, two = (EXPERIMENT.plan(Settings(data=f"/{place}/fashion")) for place in ("here", "there"))
    assert [unit.key for unit in one] == [unit.key for unit in two]
    assert {unit.settings.get("source") for unit in two} >= {"/there/fashion", None}


# ---------------------------------------------------------------------- the networks


def test_member_of_a_stack_computes_what_the_stack_does():
    for skips in (False, True):
        net = Stack([4, 5, 6], 9, 8, 3, 2, skips=skips)
        mask = np.random.default_rng(0).random((3, 3, 8)) < 0.5
        net.freeze(mask)
        x = torch.randn(7, 9, generator=torch.Generator().manual_seed(0))
        together, alone = net(x), net.member(1)(x)
        # eight terms a sum, four sums deep, in float32
        np.testing.assert_allclose(together[1].T.detach(), alone.detach(), rtol=1e-5, atol=1e-5)
        assert net.active().tolist() == (8 - mask.sum(axis=2)).tolist()
        by_graph = path_length(graph_of(net.member(1), x)).value
        if not skips:
            np.testing.assert_allclose(by_graph, net.active()[1].sum() / 8, rtol=1e-12)


def test_member_begins_alone_as_in_company():
    one, three = Stack([5], 9, 8, 2, 2), Stack([4, 5, 6], 9, 8, 2, 2)
    for a, b in zip(one.weights, three.weights, strict=True):
        assert torch.equal(a[0], b[1])
    assert not torch.equal(three.weights[0][0], three.weights[0][1])


def test_masks_keep_their_numbers():
    frozen = np.random.default_rng(0).random((4, 3, 16)) < 0.4
    drawn = {name: draw(frozen, np.random.default_rng(1)) for name, draw in DRAWS.items()}
    assert np.array_equal(drawn["same"], frozen)
    assert np.array_equal(drawn["per_layer"].sum(axis=2), frozen.sum(axis=2))
    assert not np.array_equal(drawn["per_layer"], frozen)
    assert np.array_equal(drawn["anywhere"].sum(axis=(1, 2)), frozen.sum(axis=(1, 2)))
    assert not np.array_equal(drawn["anywhere"].sum(axis=2), frozen.sum(axis=2))


def test_windows_have_one_length_and_close_before_the_rate_falls():
    training = Training(100)
    (a, b), (c, d) = training.window("early"), training.window("late")
    assert (a, b - a) == (0, d - c)
    assert b == c
    assert training.share_of_rate(d) == 1.0
    assert training.share_of_rate(99) < 0.01


def test_units_become_linear_in_their_window_only():
    split = small_split()
    x, y = torch.as_tensor(split.train_x, dtype=torch.float32), torch.as_tensor(split.train_y)

    def run(arm, omega):
        net = Stack([0], 9, 8, 2, 2)
        seen = []

        def loss(model, index):
            seen.append(int(model.active().sum()))
            return torch.nn.functional.cross_entropy(model(x[index])[0].T, y[index])

        batches = (torch.as_tensor(i) for i in orders(np.random.default_rng(0), 60, 20))
        assert train(net, loss, batches, Training(30, rate=0.01), arm, omega)
        return net, seen

    net, seen = run("late", 2.0)
    assert seen[9] == 16  # the window opens at step 10
    assert seen[20] == int(net.active().sum()) < 16  # and nothing changes after it
    assert run("early", 2.0)[1][10] < 16
    untouched, _ = run("active", 0.0)
    assert int(untouched.active().sum()) == 16
    assert all(not phi.alpha.any() for phi in untouched.modules() if isinstance(phi, PartialReLU))


def test_a_stack_of_all_arms_runs(monkeypatch):
    monkeypatch.setattr(stack_trial, "split_of", lambda s, source=None: small_split())
    monkeypatch.setattr(stack_trial, "record_of", lambda s, source=None: {"source": "small"})
    changes = {"width": 8, "depth": 2, "seeds": [0, 1], "training": {"steps": 24, "batch": 20, "rate": 0.02}}
    base, shuffled, penalised = units_of("stack")[:3]
    base_result = computed(base, **changes)
    found = base_result["arms"]
    assert base_result["record"] == {"source": "small"}
    assert set(found) == {"active", "linear"}
    assert found["active"]["napl"] == [2.0, 2.0]
    assert found["linear"]["napl"] == [0.0, 0.0]
    # a linear chain keeps angles as they are, at infinite width; the ReLU shrinks them
    assert found["active"]["log_sin2"][0] < found["linear"]["log_sin2"][0]
    assert set(computed(shuffled, **changes)["arms"]) == {"active"}
    arms = computed(penalised, **changes, omega=1.0)["arms"]
    assert set(arms) == {"late", "early", *DRAWS}
    assert arms["same"]["active"] == arms["per_layer"]["active"] == arms["late"]["active"]
    assert all(0 <= a <= 1 for arm in arms.values() for a in arm["accuracy"])
    skipping = computed(penalised, **changes | {"skips": True, "omega": 1.0})["arms"]["late"]
    assert skipping["log_sin2"] == [None, None]  # theory speaks of chains


@pytest.mark.parametrize("model", ["cnn", "transformer"])
def test_other_networks_run_as_a_code_path(model, monkeypatch):
    split = LabelledSplit(
        np.random.default_rng(0).normal(size=(40, 196)), np.arange(40) % 4, np.eye(9, 196), np.zeros(9, int), 4
    )
    monkeypatch.setattr(module_trial, "split_of", lambda s, source=None: split)
    units = [unit for unit in units_of("module") if unit.specification["model"] == model]
    found = {unit.specification["arm"]: computed(unit) for unit in units}
    assert set(found) == {"active", "linear", "early", "late"}
    assert found["linear"]["napl"] == 0
    assert found["active"]["napl"] > 0
    assert found["active"]["active"] == found["active"]["channels"]
    assert sum(found["early"]["active"]) < sum(found["early"]["channels"])


def test_a_network_that_diverges_rests_and_is_a_result(monkeypatch):
    split = LabelledSplit(
        np.random.default_rng(0).normal(size=(40, 196)), np.arange(40) % 4, np.eye(9, 196), np.zeros(9, int), 4
    )
    monkeypatch.setattr(module_trial, "split_of", lambda s, source=None: split)
    (unit,) = (u for u in units_of("module") if (u.specification["model"], u.specification["arm"]) == ("cnn", "late"))
    calm = computed(unit)
    lost = computed(unit, training=unit.specification["training"] | {"rate": 1e30})
    assert (calm["diverged"], lost["diverged"], lost["accuracy"]) == (False, True, None)
    assert calm["accuracy"] is not None
    assert lost["active"] == lost["channels"]  # it did not come to its window


def test_a_stack_does_not_go_on_without_one_of_its_networks(monkeypatch):
    monkeypatch.setattr(stack_trial, "split_of", lambda s, source=None: small_split())
    monkeypatch.setattr(stack_trial, "record_of", lambda s, source=None: {"source": "small"})
    changes = {"width": 8, "depth": 2, "seeds": [0, 1], "training": {"steps": 24, "batch": 20, "rate": 1e30}}
    unit = units_of("stack")[0]
    (record,) = compute(unit.function, [json.loads(unit.text) | changes], unit.settings, False)
    assert record.status == "failed"
    assert "One of 2 networks diverged in the arm 'active'" in record.error


# ---------------------------------------------------------------------- the claims


def arm(accuracy, left, skew=0.0, log_sin2=-1.0, seeds=4, noise=0.002):
    """An arm of four seeds whose first layer keeps `skew` more than the last."""
    layers = np.clip(left + skew * np.linspace(0.5, -0.5, 4), 0, 1)
    wobble = noise * np.linspace(-1, 1, seeds)
    return {
        "accuracy": (accuracy + wobble).tolist(),
        "active": np.rint(64 * np.tile(layers, (seeds, 1)) - np.arange(seeds)[:, None] % 2).astype(int).tolist(),
        "napl": [4 * left] * seeds,
        "log_sin2": [log_sin2] * seeds,
    }


def synthetic(base=0.93, linear=0.58, loss=0.05, skew=0.3, late=-0.02, shuffled=0.1, shift=0.0):
    """Results in the order of the quick plan that meet every bar unless told otherwise."""
    from gpdeep.linearize import predict_angle

    found = []
    for unit in EXPERIMENT.plan(QUICK):
        s = unit.specification
        if s["part"] == "start":
            theory = predict_angle([s["share"]] * s["depth"], s["angle"], width=s["width"])
            found.append(
                {"mean": (theory.mean + shift).tolist(), "std": theory.std.tolist(), "networks": s["networks"]}
            )
        elif s["part"] == "sums":
            rows = [o for o in sums.committed() if o.seed == s["seed"] and (o.omega == 0 or o.omega in s["omegas"])]
            found.append({"members": [{**vars(o), "active": list(o.active)} for o in rows]})
        elif s["part"] == "module":
            napl = {"active": 2.0, "linear": 0.0}.get(s["arm"], 1.0)
            found.append(
                {
                    "accuracy": 0.3,
                    "diverged": False,
                    "channels": [4, 4],
                    "active": [2, 2],
                    "names": ["a", "b"],
                    "napl": napl,
                }
            )
        elif "omega" not in s:
            arms = (
                {"active": arm(shuffled, 1.0)}
                if s.get("shuffled")
                else {"active": arm(base, 1.0), "linear": arm(linear, 0.0)}
            )
            found.append({"angle": 1.6, "arms": arms})
        else:
            left = LEFT[s["omega"]]
            score = base - loss * (1 - left)
            arms = {name: arm(score - late, left, skew, -left) for name in ("early", *DRAWS)}
            # seeds of the rivals scatter otherwise, or the paired difference would have no error
            found.append({"angle": 1.6, "arms": {"late": arm(score, left, skew, -left, noise=0.004), **arms}})
    return found


def test_smoke_run_refuses_a_wrong_share_and_no_right_one():
    settings = Settings(Size.SMOKE)
    results = [computed(unit, networks=500) for unit in EXPERIMENT.plan(settings)]
    found = verdicts(EXPERIMENT.claims(settings, results))
    assert found.pop("E6.start_control") == "REFUSED"
    # 500 networks are too few to AGREE at every share; a wrong share is off by ten standard errors and more
    assert set(found) == {f"E6.start.{share:g}" for share in SHARES}
    assert set(found.values()) <= {"AGREE", "INCONCLUSIVE"}


def test_results_that_meet_every_bar_are_good():
    claims = EXPERIMENT.claims(QUICK, synthetic())
    asserted = [claim for claim in claims if claim.kind is not Kind.REPORT]
    assert {claim.kind for claim in asserted} == {Kind.PREDICTION, Kind.BAR, Kind.CONTROL}
    assert all(claim.good for claim in asserted), verdicts(claims)
    assert all(claim.good is None for claim in claims if claim.kind is Kind.REPORT)
    for claim in claims:
        assert Claim.from_dict(json.loads(json.dumps(claim.to_dict()))) == claim


@pytest.mark.parametrize(
    ("changes", "name", "verdict"),
    [
        ({"linear": 0.8}, "nonlinear", "MISSED"),
        ({"shuffled": 0.9}, "shuffled_control", "NOT REFUSED"),
        ({"loss": 0.5}, "late_loss", "MISSED"),
        ({"loss": -0.1}, "monotone", "MISSED"),
        ({"skew": -0.3}, "first_layer", "MISSED"),
    ],
)
def test_each_bar_can_be_missed(changes, name, verdict):
    assert verdicts(EXPERIMENT.claims(QUICK, synthetic(**changes)))[f"E6.templates.4.{name}"] == verdict


def test_a_shifted_law_of_angles_is_refuted():
    found = verdicts(EXPERIMENT.claims(QUICK, synthetic(shift=0.2)))
    assert {found[f"E6.start.{share:g}"] for share in SHARES} == {"DISAGREE"}


@pytest.mark.parametrize(("late", "verdict"), [(0.02, "SUPPORTED"), (-0.02, "REVERSED"), (0.0, "INCONCLUSIVE")])
def test_gap_of_late_is_read_with_its_sign(late, verdict):
    found = {claim.id: claim for claim in EXPERIMENT.claims(QUICK, synthetic(late=late))}
    for name in ("early", *DRAWS):
        claim = found[f"E6.templates.4.gap.{name}"]
        assert (claim.kind, claim.verdict) == (Kind.REPORT, verdict)
        np.testing.assert_allclose(claim.estimate, late, rtol=0, atol=1e-12)
        assert len(claim.details["rows"]) == 4


def test_sums_are_compared_by_the_code_of_their_own_experiment():
    stored = json.loads(sums.EVIDENCE.read_text())["tasks"]["sum"]["at_equal_napl"]
    found = {claim.id: claim for claim in EXPERIMENT.claims(QUICK, synthetic())}
    for gap in stored:
        if gap["at"] in sums.PLACES:
            claim = found[f"E6.sum.committed.{gap['at']:g}"]
            # six decimals of accuracies are stored
            np.testing.assert_allclose(claim.estimate, gap["gap"], rtol=0, atol=3e-6)
            assert claim.verdict == "SUPPORTED"
    run = found["E6.sum.run.1"]
    three = [o for o in sums.committed() if o.seed < 3 and (o.omega == 0 or o.omega in (0.012, 0.016, 0.03, 0.06))]
    np.testing.assert_allclose(run.estimate, gaps(three, [1.0])[0].gap, rtol=1e-12)
    assert run.n == 3


def test_a_sum_unit_trains_both_limits_and_both_windows():
    found = computed(units_of("sums")[0], epochs=1, omegas=[0.3], task="digit")
    assert [row["arm"] for row in found["members"]] == ["active", "linear", "early", "late"]
    assert len(sums.outcomes_of(found["members"])) == 4


def test_failed_units_are_left_out():
    results = [
        None if unit.specification["part"] in ("sums", "module") else result
        for unit, result in zip(EXPERIMENT.plan(QUICK), synthetic(), strict=True)
    ]
    found = verdicts(EXPERIMENT.claims(QUICK, results))
    assert found["E6.templates.4.nonlinear"] == "MET"
    assert not [name for name in found if name.startswith(("E6.sum", "E6.cnn"))]
    assert EXPERIMENT.claims(QUICK, [None] * len(results)) == []
