"""The depth tour says what theory says: depths against networks and maps made here, and trainings that follow them."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the tour trains networks")
pytest.importorskip("sklearn", reason="the tour trains on the digits")

from tests.finite.chance import z_limit  # noqa: E402

pytestmark = pytest.mark.statistical

TOUR = "depth"


@pytest.fixture(scope="module")
def walk(walked, tmp_path_factory):
    """The numbers of a walk, what it printed and what it wrote."""
    path = tmp_path_factory.mktemp("tour") / "depth.json"
    return *walked("--quick", "--out", path), path


def directions(script):
    x = script.load_labelled("digits").train_x
    x = x - x.mean(axis=0)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def log_sin2_of_drawn_networks(x, width, depth, networks):
    """ln sin² by layer of one random pair in each of many ReLU networks with weights; -inf where one has collapsed."""
    rng = np.random.default_rng(11)
    pairs = np.array([rng.choice(len(x), 2, replace=False) for _ in range(networks)])
    a, found = x[pairs], np.empty((networks, depth))
    for layer in range(depth):
        W = rng.normal(size=(networks, a.shape[2], width))
        a = np.maximum(a @ W, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            a = a / np.linalg.norm(a, axis=2, keepdims=True)
            u, v = a[:, 0], a[:, 1]
            found[:, layer] = 2 * np.log(np.linalg.norm(u - v, axis=1) * np.linalg.norm(u + v, axis=1) / 2)
    return np.where(np.isnan(found), -np.inf, found)


def test_degeneracy_depth_is_that_of_networks_with_weights(script, walk):
    law, networks = walk[0].foretold[0], 1500
    x = log_sin2_of_drawn_networks(directions(script), law.width, law.finite + 4, networks)
    share = (x >= -4).mean(axis=0)
    error = z_limit(2) * 0.5 / np.sqrt(networks)
    assert share[law.finite - 1] > 0.5 - error
    # four layers on the share has sunk by 0.12: what would pass for any depth refuses this one
    assert share[law.finite + 3] < 0.5 - error


def test_infinite_width_follows_the_arc_cosine_map(script, walk):
    # the map is monotone: half of the pairs are above -4 as long as the median pair is
    theta, depth = walk[0].angle, 0
    while 2 * np.log(np.sin(theta)) >= -4 or depth == 0:
        theta = np.arccos((np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi)
        depth += 1
    assert walk[0].foretold[0].infinite == depth - 1


def test_trainable_depth_of_the_ordered_phase_by_another_quadrature(script, walk):
    z, w = np.polynomial.hermite_e.hermegauss(80)
    w = w / w.sum()
    q, b2 = 1.0, script.SIGMA_B**2
    for _ in range(500):
        q = w @ np.tanh(np.sqrt(q) * z) ** 2 + b2
    chi = w @ np.cosh(np.sqrt(q) * z) ** -4.0  # σ_w = 1, and c* = 1
    cell = walk[0].tanh[0]
    assert cell.sigma_w == 1.0
    np.testing.assert_allclose(cell.trainable_depth, -6 / np.log(chi), rtol=1e-8)  # 80 nodes: 1e-10 at this q
    np.testing.assert_allclose(cell.expected_gradient, (cell.depth - 2) * np.log(chi), rtol=1e-8)


def test_random_networks_have_the_angles_of_their_width_and_not_those_of_infinite_width(walk):
    start = walk[0].start
    assert np.abs((start.measured - start.predicted) / start.standard_error).max() < z_limit(len(start.layers))
    # negative control
    assert np.abs((start.measured - start.infinite) / start.standard_error).max() > 2 * z_limit(len(start.layers))


def test_trainings_follow_the_prediction(walk):
    tour, printed, _ = walk
    shallow, _, deep = tour.relu
    assert shallow.mean > tour.half > deep.mean
    law = tour.foretold[0]
    assert tour.halves[f"width {law.width}"] < np.sqrt(law.finite * law.infinite)  # nearer to this width's
    ordered, edge, chaotic = tour.tanh[1::2]
    assert edge.mean > tour.half > max(ordered.mean, chaotic.mean)
    assert tour.halves[f"sigma_w {edge.sigma_w:.3f}"] is None
    for words in ("1. DATA", "2. PREDICTION", "3. INITIALISATION", "4. TRAINING", "5. TANH", "Nearer is this width"):
        assert words in printed
    assert f"{deep.mean:.3f}" in printed


def test_nothing_is_learnt_from_shuffled_labels(script, walk):
    """Negative control of the accuracies."""
    raw = script.load_labelled("digits")
    shuffled = dataclasses.replace(raw, train_y=np.random.default_rng(0).permutation(raw.train_y))
    cell = script.relu_cell(shuffled, 16, 5, script.QUICK)
    # 360 test samples in each of two runs, 3.3 standard errors of chance above the commonest class
    assert cell.mean < walk[0].chance + 3.3 * np.sqrt(0.1 * 0.9 / 360)


def test_words_follow_the_numbers(script, walk):
    """Where the accuracy falls as infinite width says, and where tanh dies early, the walk says so."""
    law, cell = walk[0].foretold[0], walk[0].relu[0]
    far = [dataclasses.replace(cell, depth=d, test=(a,)) for d, a in ((40, 0.9), (70, 0.1))]
    assert "Nearer is infinite width" in script.said_of_relu(far, law, 0.5)
    assert "does not fall" in script.said_of_relu(far[:1], law, 0.5)
    dead = [dataclasses.replace(walk[0].tanh[0], test=(0.1,))]
    assert "against the prediction" in script.said_of_tanh(dead, 0.5)


def test_numbers_are_one_strict_json_object(walk):
    tour, _, path = walk
    assert json.loads(path.read_text()) == tour.to_dict()
    assert tour.to_dict()["relu"][0]["gradient"] is None  # of ReLU cells it is not asked
