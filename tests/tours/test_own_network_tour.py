"""The tour of one's own network says what its runs say: verdicts, a threshold, and a prediction that could fail."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the tour trains networks")
pytest.importorskip("sklearn", reason="the tour trains on the digits")

from gpdeep.depth import calibrate, read_runs  # noqa: E402
from tests.finite.chance import z_limit  # noqa: E402

pytestmark = pytest.mark.statistical

TOUR = "own_network"


@pytest.fixture(scope="module")
def walk(walked, tmp_path_factory):
    """The numbers of a walk, what it printed, and the folder in which it wrote."""
    folder = tmp_path_factory.mktemp("tour")
    return *walked("--quick", "--runs", folder / "runs.csv", "--out", folder / "own.json"), folder


def log_sin2_of_drawn_networks(script, width, depth, networks):
    """ln sin² by layer of one random pair of digits in each of many ReLU networks with weights."""
    rng, x = np.random.default_rng(11), script.load_labelled("digits").prepared().train_x
    pairs = np.array([rng.choice(len(x), 2, replace=False) for _ in range(networks)])
    a, found = x[pairs], np.empty((networks, depth))
    for layer in range(depth):
        a = np.maximum(a @ rng.normal(size=(networks, a.shape[2], width)), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            a = a / np.linalg.norm(a, axis=2, keepdims=True)
            u, v = a[:, 0], a[:, 1]
            found[:, layer] = 2 * np.log(np.linalg.norm(u - v, axis=1) * np.linalg.norm(u + v, axis=1) / 2)
    return found


def test_verdicts_and_the_variances_behind_them(script, walk):
    he, lecun, pytorch, own_lecun, own_pytorch = walk[0].checks
    assert he.agrees
    assert own_lecun.agrees
    assert own_pytorch.agrees  # uniform weights: the variances are theory's, the law to O(1/n)
    for wrong in (lecun, pytorch):  # negative controls
        assert not wrong.agrees
        assert wrong.first_departure == 1
        assert "variance" in wrong.departing
    depth, n = script.QUICK.checked, script.CHECKED
    q = 1 / 3 + 1 / (3 * n)
    for _ in range(depth - 1):
        q = q / 6 + 1 / (3 * n)
    # E q is exact; theory samples it with 400 networks, whose q has a standard deviation of √(5 · 5/64) = 0.6 E q
    for check, mean in ((he, 2.0), (own_lecun, 0.5 ** (depth - 1)), (own_pytorch, q)):
        np.testing.assert_allclose(check.predicted_variance, mean, rtol=z_limit(3) * 0.65 / 20)


def test_the_threshold_is_the_likeliest(script, walk):
    found = walk[0].calibration
    x, good = found.log_sin2, found.trained
    names, accuracies = zip(*walk[0].runs, strict=True)
    np.testing.assert_array_equal(good, np.array(accuracies) >= found.options["cut"])

    def log_likelihood(t, s):
        return -np.logaddexp(0, np.where(good, -1, 1) * (x[:, None, None] - t).transpose(1, 2, 0) / s[..., None]).sum(
            -1
        )

    t, s = np.linspace(x.min(), x.max(), 200)[None, :], np.geomspace(1e-3, 1e2, 80)[:, None]
    best = log_likelihood(np.array([[found.threshold]]), s).max()
    assert best >= log_likelihood(t, np.broadcast_to(s, (80, 200))).max() - 1e-6
    assert found.status.code == "ok"
    # negative control: had the deep networks trained and the shallow ones not
    backwards = calibrate(names, accuracies[::-1], data=script.load_labelled("digits").train_x)
    assert backwards.status.code == "outside_validity"


def test_angles_of_the_runs_and_the_predicted_depth_are_those_of_networks_with_weights(script, walk):
    tour, networks = walk[0], 1500
    limit = z_limit(4)
    for depth in script.QUICK.depths[:2]:
        x = log_sin2_of_drawn_networks(script, script.QUICK.width, depth, networks)[:, -1]
        x = x[np.isfinite(x)]
        name = f"64,{script.QUICK.width}x{depth},10"
        predicted = tour.calibration.log_sin2[tour.calibration.architecture.index(name)]
        assert abs(x.mean() - predicted) < limit * x.std() / np.sqrt(len(x))
    x = log_sin2_of_drawn_networks(script, script.QUICK.new_width, tour.predicted_depth + 6, networks)
    share, error = (x >= tour.calibration.threshold).mean(axis=0), limit * 0.5 / np.sqrt(networks)
    assert share[tour.predicted_depth - 1] > 0.5 - error
    assert share[tour.predicted_depth + 5] < 0.5 - error  # six layers on the share has sunk by 0.15


def test_the_new_width_is_tested_and_scored(script, walk):
    tour = walk[0]
    assert tour.new == f"64,{script.QUICK.new_width}x{tour.predicted_depth},10"
    cut, runs = tour.calibration.options["cut"], []
    for cell in tour.tested:
        assert cell.trained == sum(value >= cut for value in cell.accuracies)
        p = 1 / (1 + np.exp(-(cell.log_sin2 - tour.calibration.threshold) / tour.calibration.scale))
        np.testing.assert_allclose(cell.chance_to_train, p, rtol=1e-12, atol=1e-200)
        runs += [(p - (value >= cut)) ** 2 for value in cell.accuracies]
    np.testing.assert_allclose(tour.brier, np.mean(runs), rtol=1e-12)
    # the rival would be right if the width did not matter; of four times the width it knows nothing
    assert tour.brier < tour.rival_brier
    assert tour.rival_brier > 0.25
    assert tour.rival in script.QUICK.depths
    assert tour.predicted_depth > tour.rival


def test_list_of_runs_is_what_the_command_line_reads(script, walk):
    tour, printed, folder = walk
    names, accuracies = read_runs(folder / "runs.csv")
    assert tuple(zip(names, accuracies, strict=True)) == tour.runs
    assert len(names) == len(script.QUICK.depths) * script.QUICK.seeds
    assert json.loads((folder / "own.json").read_text()) == tour.to_dict()
    for words in ("1. CHECK", "2. PROBE", "3. RUNS", "4. PREDICTION", "5. TEST", "departs at layer 1"):
        assert words in printed


def test_a_user_s_own_loop_learns_and_is_repeatable(script):
    data = script.load_labelled("digits").prepared()
    one, two = (script.fit(script.made(data, 12, 3, "he", 0), data, 40, 0) for _ in range(2))
    assert one == two
    assert one > 0.25
