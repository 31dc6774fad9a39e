"""The sparse tour says what it measures: variances and zeros as predicted, training with the clip and none without."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the tour trains networks")
pytest.importorskip("sklearn", reason="the tour trains on the digits")

from tests.finite.chance import z_limit  # noqa: E402

pytestmark = pytest.mark.statistical

TOUR = "sparse"


def largest_z(q, zeros):
    return np.max(np.abs([q.z, zeros.z]))


def check_that_a_network_of_the_design_has_its_variances_and_zeros(tour, depth):
    # One network's mean over its layers scatters by 1.2 points (measured, 150 networks of other seeds): one point is
    # 3.7 standard errors of 20 networks.
    assert abs(tour.sparsity.mean.mean() - 0.85) < 0.01
    assert largest_z(tour.q, tour.sparsity) <= z_limit(2 * depth)


def check_that_the_clip_makes_it_trainable(tour):
    (clipped,) = tour.runs["crelu"]
    assert clipped.broken_at is None
    assert min(clipped.train, clipped.test) > 2 * tour.chance  # after 200 steps of 1200
    assert abs(clipped.zeros - 0.85) < 0.04  # what training may change: the bar of experiment E4


def check_that_without_the_clip_training_breaks(tour):
    (soft,), (shifted,) = tour.runs["st"], tour.runs["relu_tau"]
    assert soft.broken_at is not None
    # The shifted relu may survive its first steps with weights that are lost: no better than naming one class, up to
    # the 3.3 standard errors that 360 test samples leave to chance.
    assert shifted.broken_at is not None or shifted.test < tour.chance + 3.3 * np.sqrt(0.1 * 0.9 / 360)
    for run in (soft, shifted):
        assert run.q_mean > 100  # some inputs have escaped before the first step
    assert tour.escaped["crelu"] < 0.01
    assert min(tour.escaped["relu_tau"], tour.escaped["st"]) > 0.8


def test_the_walk_arrives(script, walked):
    """One walk is one test: it takes ten seconds, and workers share nothing."""
    tour, printed = walked("--quick", "--networks", "20")
    check_that_a_network_of_the_design_has_its_variances_and_zeros(tour, script.DEPTH)
    check_that_the_clip_makes_it_trainable(tour)
    check_that_without_the_clip_training_breaks(tour)
    for words in ("1. DESIGN", "2. MODEL", "3. INITIALISATION", "4. TRAINING", "σ_w = 2.6476", "st: 0 of 1 finite"):
        assert words in printed
    assert f"{tour.runs['crelu'][0].test:.3f}" in printed


def test_another_variance_of_the_weights_is_seen(script):
    """Negative control: weights 15 % too large."""
    law = script.chosen()
    data = script.load_labelled("digits").prepared(mean_square=law.input_second_moment)
    wrong = dataclasses.replace(law, sigma_w=1.15 * law.sigma_w)
    assert largest_z(*script.initialised(wrong, data, 4)) > 2 * z_limit(2 * script.DEPTH)


def test_numbers_are_one_strict_json_object(script, walked):
    tour, printed = walked("--json", "--networks", "1", "--seeds", "1", "--steps", "1")
    assert json.loads(printed) == tour.to_dict()
    assert tour.to_dict()["q"]["std"][0] is None  # one network does not scatter
    assert tour.options["learning_rate"] == script.LEARNING_RATE


def test_the_step_whose_loss_is_not_finite_ends_training(script):
    net = torch.nn.Linear(1, 2)
    x, y, rng = torch.ones(4, 1), torch.tensor([0, 1, 0, 1]), np.random.default_rng(0)
    assert script.fit(net, x, y, 3, 0.1, rng) is None
    with torch.no_grad():
        net.weight.fill_(torch.inf)
    assert script.fit(net, x, y, 3, 0.1, rng) == 1
    assert script.accuracy(net, x, y) == 0.5  # NaN is called the first class
