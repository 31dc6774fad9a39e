"""Sparse activations of E4: their layers, sampled variances, claims on made-up results, plans, a short training."""

import functools

import numpy as np
import pytest

from validation.claim import Kind
from validation.e4_sparse_activations import EXPERIMENT
from validation.e4_sparse_activations.grid import (
    CLIPPED,
    UNCLIPPED,
    arms_of,
    path_specifications,
    plan,
    training_specifications,
)
from validation.e4_sparse_activations.layers import layer_of
from validation.e4_sparse_activations.paths import variance_paths
from validation.experiment import Settings, Size
from validation.sweep import Batch, key_of

QUICK = Settings(size=Size.QUICK)
SMOKE = Settings(size=Size.SMOKE)


@functools.cache
def specifications(settings):
    units = plan(settings)
    return [s for unit in units for s in (unit.specifications if isinstance(unit, Batch) else [unit.specification])]


def paths(s):
    """What the sampler would find if theory were exactly right, and the wrong weights shifted the mean."""
    free = s["kind"] in UNCLIPPED
    wrong = s["wrong"] != 1
    numbers = {"outside": [0.4, 0.8] if free else [0.0, 0.0], "quantiles": [[1.0] * 5] * 2, "networks": 400}
    law = {"predicted_escape": 0.8 if free else 0.0, "predicted_mean": 1.0, "predicted_std": 0.1}
    seen = {"escaped": 320 if free else 0, "stayed_mean": 1.3 if wrong else 1.0, "sparsity": s["sparsity"] + 0.001}
    return numbers | law | seen


def trained(s):
    """What the theory expects of a network."""
    free, plain = s["kind"] in UNCLIPPED, s["clip"] is None
    dies = free and plain
    stuck = s["kind"] == "cst" and s["slope"] == 0.9
    accuracy = 0.1 if dies else 0.3 if stuck else 0.98
    zeros = {"initial_zeros": s["sparsity"] - 0.01, "final_zeros": s["sparsity"] + 0.01, "sparsity": s["sparsity"]}
    fate = {"diverged": dies, "died_at": 1 if dies else -1, "initial_variance": [1.0] * 5}
    return {"train_accuracy": accuracy, "test_accuracy": accuracy, **zeros, **fate}


def verdicts(change=lambda s, result: result, settings=QUICK):
    made = [change(s, paths(s) if s["part"] == "paths" else trained(s)) for s in specifications(settings)]
    return {claim.id: claim.verdict for claim in EXPERIMENT.claims(settings, made)}


# ------------------------------------------------------------------ layers


@pytest.mark.parametrize("arm", arms_of((0.7, 0.9), (0.7, 0.85)), ids=lambda arm: "-".join(map(str, arm.values())))
def test_every_arm_is_on_the_edge_of_chaos_with_its_sparsity(arm):
    layer = layer_of(arm)
    moments = layer.phi.moments(1.0)
    # closed forms of Gaussian tails: a few roundings each
    assert layer.sigma_w**2 * moments.slope_second == pytest.approx(1.0, rel=1e-12)
    assert layer.sigma_w**2 * moments.second + layer.sigma_b**2 == pytest.approx(1.0, rel=1e-12)
    assert layer.sparsity == pytest.approx(arm["sparsity"], rel=1e-12)


def test_only_cst_has_a_second_stable_variance_at_slope_nine_tenths():
    assert [round(q, 2) for q in layer_of({"kind": "cst", "sparsity": 0.8, "slope": 0.9}).other_fixed_points] == [
        1.4,
        3.47,
    ]
    assert layer_of({"kind": "crelu", "sparsity": 0.8, "slope": 0.9}).other_fixed_points == ()


# ------------------------------------------------------------------ plans


@pytest.mark.parametrize(("size", "device"), [("smoke", "cpu"), ("quick", "cpu"), ("quick", "cuda"), ("full", "cuda")])
def test_plan_is_the_same_each_time_and_each_run_stands_in_it_once(size, device):
    settings = Settings(size=Size(size), device=device)
    keys = [key_of(s) for s in specifications(settings)]
    assert list(plan(settings)) == list(plan(settings))
    assert len(set(keys)) == len(keys)
    assert {key_of(s) for s in (*path_specifications(settings), *training_specifications(settings))} == set(keys)


def test_full_takes_a_million_networks_and_trains_a_hundred_layers():
    found = specifications(Settings(size=Size.FULL, device="cuda"))
    assert max(s["networks"] for s in found if s["part"] == "paths") == 10**6
    assert max(s["depth"] for s in found if s["part"] == "train") == 100
    assert max((s["width"], s["depth"]) for s in found if s["part"] == "paths") == (2048, 500)


def test_smoke_trains_nothing():
    assert {s["part"] for s in specifications(SMOKE)} == {"paths"}


# ------------------------------------------------------------------ claims


def test_networks_that_obey_the_theory_meet_every_bar():
    found = verdicts()
    assert set(found.values()) == {"MET", "CONSISTENT", "REFUSED", "REPORTED"}
    assert sum(name.startswith(("E4.plain.accuracy", "E4.clip.accuracy")) for name in found) == 6


def test_smoke_gives_the_claims_about_initialisation():
    assert set(verdicts(settings=SMOKE)) == {
        f"E4.init.{name}" for name in ("kept", "lost", "sparsity", "law", "quantiles", "control")
    }


def test_clipped_networks_that_lose_their_variance_are_seen():
    def change(s, result):
        lost = s["part"] == "paths" and s["kind"] == "cst" and s.get("slope") == 0.7 and s["wrong"] == 1
        return result | {"outside": [0.0, 0.01], "escaped": 40} if lost else result

    found = verdicts(change, SMOKE)
    assert found["E4.init.kept"] == "MISSED"
    assert found["E4.init.law"] == "REJECTED"


def test_wrong_weights_that_look_right_are_seen():
    found = verdicts(lambda s, result: result | {"stayed_mean": 1.001} if s["part"] == "paths" else result, SMOKE)
    assert found["E4.init.control"] == "NOT REFUSED"
    assert found["E4.init.law"] == "CONSISTENT"


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        (lambda s, r: r | {"died_at": 80} if s["kind"] == "st" and s["clip"] is None else r, "E4.plain.unclipped"),
        (lambda s, r: r | {"diverged": True} if s["kind"] == "crelu" else r, "E4.plain.finite"),
        (lambda s, r: r | {"train_accuracy": 0.7} if s["kind"] == "crelu" else r, "E4.clip.accuracy.0.8"),
        (lambda s, r: r | {"final_zeros": 0.2}, "E4.train.sparsity"),
        (lambda s, r: r | {"initial_zeros": 0.5}, "E4.train.own_init"),
        (lambda s, r: r | {"train_accuracy": 0.98}, "E4.clip.fixed_point.cst"),
        (lambda s, r: r | {"train_accuracy": 0.3}, "E4.plain.fixed_point.crelu"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_networks_that_do_otherwise_miss_their_bar(change, claim):
    assert verdicts(lambda s, r: change(s, r) if s["part"] == "train" else r)[claim] == "MISSED"


def test_two_kinds_that_train_alike_leave_the_slope_alone_unrefuted():
    found = verdicts(lambda s, r: r | {"train_accuracy": 0.7} if s["part"] == "train" else r)
    assert found["E4.plain.fixed_point.control"] == found["E4.clip.fixed_point.control"] == "NOT REFUSED"


def test_what_unclipped_networks_do_under_clipping_is_told_and_never_asserted():
    for accuracy in (0.1, 0.99):
        made = [
            paths(s) if s["part"] == "paths" else trained(s) | {"train_accuracy": accuracy}
            for s in specifications(QUICK)
        ]
        (told,) = (claim for claim in EXPERIMENT.claims(QUICK, made) if claim.id == "E4.clip.unclipped")
        assert (told.kind, told.verdict, told.good) == (Kind.REPORT, "REPORTED", None)
        assert told.estimate == pytest.approx(accuracy)


def test_failed_units_are_counted_and_do_not_stop_the_others():
    def change(s, result):
        return None if s["part"] == "train" and s["seed"][1] == 2 else result

    made = [change(s, paths(s) if s["part"] == "paths" else trained(s)) for s in specifications(QUICK)]
    claims = {claim.id: claim for claim in EXPERIMENT.claims(QUICK, made)}
    assert claims["E4.clip.accuracy.0.8"].verdict == "MET"
    assert "22 runs have no result" in claims["E4.train.table"].limits


# ------------------------------------------------------------------ measured


def test_smoke_holds():
    """All that CI asserts of E4, as it computes it: 400 networks an arm, with right and wrong weights."""
    results = [variance_paths(unit.specification, **unit.settings) for unit in plan(SMOKE)]
    found = {claim.id: claim.verdict for claim in EXPERIMENT.claims(SMOKE, results)}
    assert {found[f"E4.init.{name}"] for name in ("kept", "lost", "sparsity")} == {"MET"}
    assert (found["E4.init.law"], found["E4.init.control"]) == ("CONSISTENT", "REFUSED")


@pytest.mark.usefixtures("one_thread")
def test_torch_and_numpy_sample_the_same_law():
    """Means of 2000 paths each after 20 layers: 4.5 standard errors are one false alarm in 100,000."""
    pytest.importorskip("torch")
    from validation.e4_sparse_activations import paths as module

    s = path_specifications(SMOKE)[1] | {"depth": 20, "networks": 2000}
    layer, seed = layer_of(s), np.random.SeedSequence(5)
    one, _ = module._on_cpu(s, layer, [20], seed, "cpu")
    two, highest = module._on_gpu(s, layer, [20], seed, "cpu")
    error = (one.var() / 2000 + two.var() / 2000) ** 0.5
    assert abs(one.mean() - two.mean()) < 4.5 * error
    assert (highest >= two[:, 0]).all()


@pytest.mark.usefixtures("one_thread")
def test_unclipped_network_dies_beside_a_clipped_one_that_learns():
    pytest.importorskip("torch")
    from validation.e4_sparse_activations.networks import train_arms

    plain = [s for s in training_specifications(QUICK) if s["clip"] is None and s["seed"] == [0, 0]]
    pick = [s for s in plain if (s["kind"], s["sparsity"]) in {("crelu", 0.7), ("st", 0.85)}]
    members = [s | {"width": 64, "depth": 12, "steps": 150, "lr": 0.05 if s["kind"] in CLIPPED else 1e4} for s in pick]
    learns, dies = (outcome.values for outcome in train_arms(members, device="cpu", data="digits"))
    assert learns["train_accuracy"] > 0.3
    assert not learns["diverged"]
    assert abs(learns["initial_zeros"] - 0.7) < 0.1  # 64 units in 12 layers: some five standard errors
    assert dies["diverged"]
    assert dies["died_at"] >= 0
    assert dies["train_accuracy"] == pytest.approx(0.1)
