"""The linear tour says what is left: counted by hand, drawn by hand, and rewritten without changing an output."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the tour trains networks")
pytest.importorskip("sklearn", reason="the tour trains on the digits")

from tests.finite.chance import z_limit  # noqa: E402

pytestmark = pytest.mark.statistical

TOUR = "linear"


@pytest.fixture(scope="module")
def walk(walked, tmp_path_factory):
    """The numbers of a walk, what it printed and what it wrote."""
    path = tmp_path_factory.mktemp("tour") / "linear.json"
    return *walked("--quick", "--out", path), path


def log_sin2_of_drawn_networks(slopes, networks):
    """ln sin² after the last layer of two inputs at a right angle, in networks with these slopes, shape (networks,)."""
    rng, n = np.random.default_rng(5), len(slopes[0])
    a = np.broadcast_to(np.eye(n)[:2], (networks, 2, n))
    for own in slopes:
        h = a @ rng.normal(size=(networks, n, n))
        a = np.where(h > 0, h, own * h)
        a = a / np.linalg.norm(a, axis=2, keepdims=True)
    u, v = a[:, 0], a[:, 1]
    return 2 * np.log(np.linalg.norm(u - v, axis=1) * np.linalg.norm(u + v, axis=1) / 2)


def test_what_is_left_is_counted_by_hand(walk):
    tour, late = walk[0], walk[0].runs[-1]
    active = [int((own != 1).sum()) for own in tour.slopes]
    assert late.active == tuple(active)
    length = sum((own != 1).mean() for own in tour.slopes)
    depth = sum(((1 - own) ** 2).sum() / (1 + own**2).sum() for own in tour.slopes)
    for found, value in ((tour.graph_path_length, length), (late.path_length, length)):
        np.testing.assert_allclose(found, value, rtol=1e-13)  # sums of some ten numbers
    for found in (tour.graph_depth, late.degeneracy_depth):
        np.testing.assert_allclose(found, depth, rtol=1e-13)
    assert 0 < length < len(tour.slopes) / 2


def test_angles_are_those_of_networks_with_these_slopes(script, walk):
    tour = walk[0]
    x = log_sin2_of_drawn_networks(tour.slopes, 1500)
    error = x.std() / np.sqrt(len(x))
    assert abs(x.mean() - tour.angles.predicted[-1]) < z_limit(2) * error + 0.01 * abs(tour.angles.predicted[-1])
    # negative control: the same network before any channel was linear
    assert abs(x.mean() - tour.angles.relu[-1]) > 3 * z_limit(2) * error
    z = (tour.angles.measured - tour.angles.predicted) / tour.angles.standard_error
    assert np.abs(z).max() < z_limit(len(z))


def test_the_task_needs_the_nonlinearity_that_is_left(walk):
    relu, linear, early, late = walk[0].runs
    assert (relu.arm, linear.arm, early.arm, late.arm) == ("relu", "linear", "early", "late")
    assert linear.path_length == 0.0
    assert relu.path_length == len(relu.active)
    # a linear network is no better than chance, 0.1, by much: 2000 test pairs of 360 images
    assert linear.test < 0.25 < late.test < relu.test
    assert early.path_length < late.path_length  # at one penalty early ends with less


def test_rewritten_networks_compute_the_same(script, walk):
    numbers = walk[0].rewritten
    assert max(numbers.core_error, numbers.fold_error) < 1e-12  # float64 through six layers
    assert numbers.core_units == sum(walk[0].runs[-1].active)
    assert numbers.fold_layers[1] < numbers.fold_layers[0] == len(walk[0].slopes) + 1
    # layers that are linear in every channel are merged with the next
    assert numbers.fold_layers[0] - numbers.fold_layers[1] == walk[0].runs[-1].active.count(0)


def test_the_core_of_another_network_is_seen(script):
    """Negative control: active units made linear after the core was written down."""
    plan = script.Plan(3, 8, 0, (), (), 50)
    data = script.sums(script.load_labelled("digits"), plan.samples, 0)
    model = script.gpdeep.nn.replace_activations(script.network(plan, data.train_x.shape[1], 10, 0)).model.double()
    core = script.gpdeep.nn.core_network(model)
    x = torch.tensor(data.test_x)
    with torch.no_grad():
        same = np.abs(core.evaluate(data.test_x) - model(x).numpy()).max()
        model[3].freeze(torch.arange(8) < 4)  # one alone may be positive on all samples
        other = np.abs(core.evaluate(data.test_x) - model(x).numpy()).max()
    assert same < 1e-12 < 1e-3 < other


def test_sums_are_of_two_images_that_are_in_one_part(script):
    raw = script.load_labelled("digits")
    found, one = script.sums(raw, 40, 3), raw.prepared()
    for x, y, images, labels in (
        (found.train_x, found.train_y, one.train_x, one.train_y),
        (found.test_x, found.test_y, one.test_x, one.test_y),
    ):
        places = [np.abs(images[None] - half[:, None]).max(axis=2).argmin(axis=1) for half in (x[:, :64], x[:, 64:])]
        np.testing.assert_array_equal(np.concatenate([images[k] for k in places], axis=1), x)
        np.testing.assert_array_equal((labels[places[0]] + labels[places[1]]) % 10, y)


def test_what_is_printed_and_written(walk):
    tour, printed, path = walk
    for words in ("1. TASK", "2. SLOPES", "3. TRAINING", "4. WHAT IS LEFT", "5. ANGLES", "6. REWRITTEN"):
        assert words in printed
    assert "1,333" in tour.warned  # 4/(3 s) steps for s = 0.5 · 0.002
    assert f"{tour.runs[-1].test:.3f}" in printed
    assert json.loads(path.read_text()) == tour.to_dict()


def test_early_and_late_are_compared_at_equal_path_length(script):
    def run(arm, length, test):
        return script.Run(arm, 0.01, (1,), length, length, 1.0, test)

    runs = [run("relu", 4.0, 0.9), run("late", 1.0, 0.5), run("late", 2.0, 0.7), run("early", 1.5, 0.8)]
    assert "at path length 1.50 early has 0.800 and late 0.600" in script.said_of_arms(runs)
    assert script.said_of_arms([*runs[:3], run("early", 0.5, 0.8)]) == ""  # no late network is as linear
