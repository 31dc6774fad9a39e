"""E2's plan, a training in miniature, and its claims on made-up accuracies that follow theory, depth, or nothing."""

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="the experiment trains networks")
pytest.importorskip("sklearn", reason="the experiment trains on the digits")

from validation.claim import Kind
from validation.e2_accuracy_and_degeneracy import EXPERIMENT, trial
from validation.e2_accuracy_and_degeneracy.design import DESIGNS, Shape, batches, widths_of
from validation.e2_accuracy_and_degeneracy.networks import different_pairs
from validation.e2_accuracy_and_degeneracy.predictors import predictors
from validation.e2_accuracy_and_degeneracy.scores import isotonic_r2, partial_rank
from validation.experiment import Settings, Size

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = Settings(size=Size.QUICK)


@functools.cache
def predicted(widths):
    return predictors(widths, 64, 10, 1.6, "relu") | {"start": -2.0, "start_doubled": -1.5}


def made_up(law, settings=QUICK, noise=0.05):
    """Results in which accuracy is a function of the predictors, with noise over seeds."""
    results = []
    for batch in batches(settings):
        for spec in batch.specifications:
            widths = widths_of(spec)
            said = predicted(widths)
            stream = np.random.default_rng([spec["seed"], *widths, round(1000 * spec["rate"])])
            value = law(said, stream) + noise * stream.standard_normal()
            results.append(
                {
                    "predicted": said,
                    "angle": -2.0 + 0.1 * stream.standard_normal(),
                    "lost": 0,
                    "train": float(np.clip(value, 0, 1)),
                    "test": float(np.clip(value, 0, 1)),
                    "diverged": False,
                    "died_at": -1,
                    "chance": 0.1,
                }
            )
    return {claim.id: claim for claim in EXPERIMENT.claims(settings, results)}


def sigmoid(x):
    return 0.1 + 0.85 / (1 + np.exp(-x))


@pytest.mark.parametrize("size", list(Size))
def test_plan_has_unique_keys_and_is_the_same_every_time(size):
    one, two = (list(itertools.chain(*(batch.texts for batch in batches(Settings(size=size))))) for _ in range(2))
    assert one == two
    assert len(set(one)) == len(one)


def test_design_is_the_declared_one():
    quick = DESIGNS[Size.QUICK]
    assert len(quick.shapes) == len({(shape.pair, shape.depth) for shape in quick.shapes}) == 32
    assert (quick.seeds, quick.rates) == (8, (0.01, 0.03))
    for shape in quick.shapes:
        weights = (shape.depth - 1) * math.prod(shape.pair)
        assert abs(weights / shape.budget - 1) < 0.12  # widths are whole numbers, of 10 or more
    full = DESIGNS[Size.FULL]
    assert len(full.shapes) * len(full.activations) >= 150
    assert max(shape.depth for shape in full.shapes) == 500
    assert Shape(48_000, 6).pair == (98, 98)


def test_a_member_is_the_same_in_any_company():
    spec = {"experiment": "E2", "data": "digits", "root": 0, "pair": [8, 9], "depth": 3, "budget": 144}
    spec |= {"phi": "relu", "steps": 5, "batch": 128, "rate": 0.1}
    members = [spec | {"seed": seed} for seed in range(3)]
    together, (alone,) = trial(members), trial(members[1:2])
    assert together[1] == alone
    assert together[0] != alone
    assert set(alone) == {"predicted", "angle", "lost", "train", "test", "diverged", "died_at", "chance"}


@pytest.mark.parametrize("phi", ["tanh", "crelu"])
def test_other_activations_are_predicted_and_trained(phi):
    spec = {"experiment": "E2", "data": "digits", "root": 0, "pair": [24, 24], "depth": 4, "budget": 1728}
    spec |= {"phi": phi, "steps": 2, "batch": 128, "rate": 0.01}
    results = trial([spec | {"seed": seed} for seed in range(12)])
    found = np.array([result["angle"] for result in results])
    said = results[0]["predicted"]
    # 12 networks, and 400 sampled ones behind the prediction
    assert abs(found.mean() - said["start"]) < 4.5 * found.std(ddof=1) * math.sqrt(1 / 12 + 1 / 400)
    assert said["infinite"] == said["depth"] == -4


def test_start_of_real_networks_is_predicted(monkeypatch):
    # half of the networks: the controls are refused with p = 1e-11 by all of them
    monkeypatch.setitem(DESIGNS, Size.SMOKE, dataclasses.replace(DESIGNS[Size.SMOKE], start_seeds=48))
    settings = Settings(size=Size.SMOKE)
    results = [trial(batch.specifications, **batch.settings) for batch in batches(settings)]
    claims = {claim.id: claim for claim in EXPERIMENT.claims(settings, list(itertools.chain(*results)))}
    assert claims["E2.init"].verdict == "CONSISTENT"
    controls = {"E2.control.infinite", "E2.control.start_doubled"}
    assert {claims[id].verdict for id in controls} == {"REFUSED"}
    assert set(claims) == {"E2.init", *controls}


def test_accuracy_that_follows_theory_meets_every_bar():
    claims = made_up(lambda said, _: sigmoid(said["finite"] + 4))
    for id in ("rank", "gain", "within_depth", "same_parameters", "isotonic"):
        assert claims[f"E2.{id}"].verdict == "MET", id
    assert claims["E2.control.width_doubled"].verdict == "REFUSED"
    assert claims["E2.control.shuffled"].verdict == "REFUSED"


def test_accuracy_that_follows_depth_misses_what_depth_does_not_know():
    claims = made_up(lambda said, _: sigmoid(6 + 0.2 * said["depth"]))
    for id in ("gain", "within_depth"):
        assert claims[f"E2.{id}"].verdict == "MISSED", id
    assert claims["E2.isotonic"].rival > claims["E2.isotonic"].estimate


def test_accuracy_that_follows_nothing_misses_every_bar():
    claims = made_up(lambda _, stream: 0.5)
    for id in ("rank", "gain", "within_depth", "isotonic"):
        assert claims[f"E2.{id}"].verdict == "MISSED", id


def test_claims_survive_what_did_not_come_in():
    number = sum(len(batch.specifications) for batch in batches(QUICK))
    claims = EXPERIMENT.claims(QUICK, [None] * number)
    assert not any(claim.good for claim in claims)
    assert {claim.verdict for claim in claims if claim.kind is Kind.BAR} == {"MISSED"}


def test_isotonic_fit_sees_order_and_not_scale():
    x = np.linspace(0, 3, 30)
    assert isotonic_r2(x, np.exp(x)) > 0.98
    # the scale only decides where between two neighbours the third is
    assert abs(isotonic_r2(np.exp(5 * x), np.exp(x)) - isotonic_r2(x, np.exp(x))) < 0.01
    assert isotonic_r2(-x, np.exp(x)) < 0
    assert isotonic_r2(np.zeros(30), np.exp(x)) < 0


def test_partial_correlation_removes_the_rival():
    rng = np.random.default_rng(0)
    z = rng.standard_normal(500)
    x, y = z + 0.3 * rng.standard_normal(500), z + 0.3 * rng.standard_normal(500)
    assert abs(partial_rank(x, z, y)) < 0.15  # 3.3/√500
    assert partial_rank(x, z, x + 0.01 * y) > 0.9


def test_pairs_have_different_labels_and_no_row_twice():
    labels = np.random.default_rng(0).integers(10, size=500)
    pairs = different_pairs(labels)
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    assert np.unique(pairs).size == pairs.size
    assert pairs.max() < 256
