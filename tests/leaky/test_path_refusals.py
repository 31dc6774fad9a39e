"""What a path refuses, and what it makes of extreme data: an answer with an honest error, or an error that says why."""

import numpy as np
import pytest

from gpdeep import ConvergenceError, DomainError, load
from gpdeep.activations import from_callable
from gpdeep.leaky import continue_in_depth, geodesic, train_network

ONES, UP = np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[2.0, 1.0], [1.0, 3.0]])
LINE = (np.array([0.0, 1.0]), np.stack([ONES, UP]))
REFUSED = {
    "X is text": (("abc", UP, 1.0), {}, "^X "),
    "X has NaN": (([[np.nan, 1.0], [1.0, 1.0]], UP, 1.0), {}, "^X holds .*nan"),
    "Y is infinite": ((ONES, [[np.inf, 1.0], [1.0, 1.0]], 1.0), {}, "^Y holds .*inf"),
    "a row": (([1.0, 2.0], UP, 1.0), {}, "^X has shape"),
    "other shapes": ((ONES, np.ones((2, 3)), 1.0), {}, r"shape \(2, 2\).*shape \(2, 3\)"),
    "transposed": ((np.ones((2, 3)), np.ones((3, 2)), 1.0), {}, "(?i)transpose"),
    "no depth": ((ONES, UP, 0.0), {}, "effective_depth"),
    "negative depth": ((ONES, UP, -1.0), {}, "effective_depth"),
    "depth NaN": ((ONES, UP, np.nan), {}, "effective_depth"),
    "negative bias": ((ONES, UP, 1.0), {"bias": -1.0}, "bias"),
    "negative gamma": ((ONES, UP, 1.0), {"gamma": -1.0}, "gamma"),
    "unknown activation": ((ONES, UP, 1.0), {"activation": "nonsense"}, "nonsense"),
    "no weight": ((ONES, UP, 1.0), {"terminal_weight": 0.0}, "terminal_weight"),
    "cost without weight": ((ONES, UP, 1.0), {"cost": "cross_entropy"}, "terminal_weight"),
    "read-out without weight": ((ONES, UP, 1.0), {"read_out": np.eye(2)}, "terminal_weight"),
    "unknown cost": ((ONES, UP, 1.0), {"terminal_weight": 0.1, "cost": "absolute"}, "absolute"),
    "labels out of range": ((ONES, [0, 2], 1.0), {"terminal_weight": 0.1, "cost": "cross_entropy"}, "classes"),
    "both read-ins": ((ONES, UP, 1.0), {"read_in": np.eye(2), "read_in_penalty": 0.1}, "Both"),
    "both read-outs": (
        (ONES, UP, 1.0),
        {"terminal_weight": 0.1, "read_out": np.eye(2), "read_out_penalty": 0.1},
        "Both",
    ),
    "read-in of other inputs": ((ONES, UP, 1.0), {"read_in": np.ones((2, 3))}, "read_in"),
    "read-out of other neurons": ((ONES, UP, 1.0), {"terminal_weight": 0.1, "read_out": np.ones((2, 3))}, "read_out"),
    "learned read-out of classes": (
        (ONES, [0, 1], 1.0),
        {"terminal_weight": 0.1, "cost": "cross_entropy", "read_out_penalty": 0.1},
        "learned read-out",
    ),
    "another width": ((ONES, UP, 1.0), {"width": 3}, "width"),
    "no starts": ((ONES, UP, 1.0), {"starts": 0}, "starts"),
    "half a worker": ((ONES, UP, 1.0), {"workers": 0.5}, "workers"),
    "rtol of rounding": ((ONES, UP, 1.0), {"rtol": 1e-15}, "rtol"),
    "start of one array": ((ONES, UP, 1.0), {"start": ONES}, "start"),
    "start that goes back": ((ONES, UP, 1.0), {"start": (LINE[0][::-1], LINE[1])}, "start"),
    "start of half the path": ((ONES, UP, 1.0), {"start": (0.5 * LINE[0], LINE[1])}, "start"),
    "start of other shape": ((ONES, UP, 1.0), {"start": (LINE[0], np.ones((2, 3, 2)))}, "start"),
    "start's B of other shape": ((ONES, UP, 1.0), {"start": (*LINE, np.ones((2, 3, 2)))}, "start's B"),
}


@pytest.mark.parametrize(("arguments", "kwargs", "says"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_with_its_cause(arguments, kwargs, says):
    with pytest.raises(DomainError, match=says) as error:
        geodesic(*arguments, **{"activation": "softplus:5"} | kwargs)
    assert error.value.found
    assert error.value.cause
    assert error.value.change


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_a_sample_without_features_is_refused_unless_bias_or_gamma_move_it(activation):
    dead = np.array([[1.0, 0.0], [2.0, 0.0]])
    for ends in ((dead, UP), (UP, dead)):
        with pytest.raises(DomainError, match="sample 1") as error:
            geodesic(*ends, 1.0, activation=activation, bias=0.0)
        assert "bias or gamma" in error.value.change
    if activation == "identity":
        assert geodesic(dead, UP, 1.0, activation=activation, bias=1.0, starts=1).is_minimum
        assert geodesic(dead, UP, 1.0, activation=activation, bias=0.0, gamma=0.1, starts=1).is_minimum


def test_what_leads_nowhere_ends_in_an_error_that_says_so():
    # entries 1e6 apart from order 1
    rng = np.random.default_rng(0)
    with pytest.raises(ConvergenceError, match="effective depth 30"):
        geodesic(1e-8 * rng.normal(size=(2, 6)), 1e8 * rng.normal(size=(2, 6)), 30.0, activation="tanh", starts=1)


# ------------------------------------------------------------------------------------ hostile data

SMALL_X = np.array([[0.9, -0.3], [0.2, 0.8]])
SMALL_Y = np.array([[0.3, 0.6], [-0.4, 0.5]])
SMALL = (SMALL_X, SMALL_Y)


@pytest.mark.parametrize(("gamma", "depth"), [(0.0, 3.0), (0.05, 3.0), (1e-4, 3.0), (0.05, 5.0)])
def test_relu_paths_start_again_from_themselves(gamma, depth):
    """A path with kinks is its own start, although at kinks a Newton step is not defined."""
    path = geodesic(*SMALL, depth, gamma=gamma, starts=1)
    again = geodesic(*SMALL, depth, gamma=gamma, start=path)
    np.testing.assert_allclose(again.action, path.action, rtol=1e-9)  # the asked accuracy of both


def test_relu_paths_start_at_a_depth_nearby():
    path = geodesic(*SMALL, 3.0, starts=1)
    near = geodesic(*SMALL, 3.02, start=path)
    np.testing.assert_allclose(near.action, geodesic(*SMALL, 3.02, starts=1).action, rtol=1e-9)


def test_functions_of_the_user_answer_as_catalogue_functions_do(tmp_path):
    own = from_callable(lambda z: np.tanh(z))
    path = geodesic(*SMALL, 3.0, starts=1, activation=own)
    np.testing.assert_allclose(path.action, geodesic(*SMALL, 3.0, starts=1, activation="tanh").action, rtol=1e-9)
    assert path.W.shape == (len(path.p), 2, 3)
    assert continue_in_depth(path, [4.0]).action.shape == (1, 1)
    path.save(tmp_path / "path.json")
    loaded = load(tmp_path / "path.json")
    with pytest.raises(DomainError, match="callable"):
        _ = loaded.W  # a function cannot be written into a file
    np.testing.assert_array_equal(loaded.with_activation(own).W, path.W)


@pytest.mark.parametrize(("x", "y", "depth"), [(1.0, 2.0, 50.0), (1.0, 1.0, 30.0), (0.5, 3.0, 4.0)])
def test_one_relu_neuron_is_exact_at_any_depth(x, y, depth):
    path = geodesic([[x]], [[y]], depth, bias=0.0, starts=1)
    exact = (np.log(y / x) + depth) ** 2 / (2 * depth)
    np.testing.assert_allclose(path.action, exact, rtol=1e-9)
    assert path.status.code == "ok"


def test_far_from_order_one_an_answer_has_an_error_that_covers_it_and_is_no_ok():
    path = geodesic([[1e-3]], [[5.0]], 3.0, bias=0.0, starts=1)
    exact = (np.log(5e3) + 3.0) ** 2 / 6.0
    assert path.status.code == "not_converged" or path.action == pytest.approx(exact, rel=1e-9)
    assert abs(path.action - exact) <= max(path.action_error, 1e-9 * exact)
    with pytest.raises(ConvergenceError, match="far from order 1"):
        geodesic([[1e-6]], [[1e6]], 3.0, bias=0.0, starts=1)


def test_activations_that_overflow_end_in_an_error():
    with pytest.raises(ConvergenceError, match="No stationary path"):
        geodesic(*SMALL, 3.0, activation="exp", starts=2)


def test_seeds_may_be_sequences():
    seed = np.random.SeedSequence(3)
    kwargs = {"activation": "softplus:5", "starts": 3}
    first, second = (geodesic(*SMALL, 3.0, seed=seed, **kwargs) for _ in range(2))
    assert first.action == second.action


def test_a_weight_beyond_what_can_be_told_is_no_ok():
    path = geodesic(*SMALL, 3.0, activation="softplus:5", starts=1, terminal_weight=1e100)
    assert path.status.code == "not_converged"
    assert "too large" in path.status.messages[0]


def test_equal_samples_with_two_targets_are_named():
    with pytest.raises(DomainError, match="Samples 0 and 1 are equal in X"):
        geodesic([[1, 1], [2, 2.0]], [[1, 2], [3, 3.0]], 3.0)


@pytest.mark.parametrize("p", [1.1, -0.1, "a", np.nan, None])
def test_places_beside_the_path_are_refused(p):
    path = geodesic(*SMALL, 1.0, activation="softplus:5", starts=1)
    with pytest.raises(DomainError, match="p = "):
        path.at(p)


def test_branches_are_refused_or_told_rough():
    path = geodesic(*SMALL, 1.0, activation="softplus:5", starts=1)
    with pytest.raises(DomainError, match="rtol"):
        continue_in_depth(path, [2.0], rtol=-1)
    with pytest.raises(DomainError, match="ndarray"):
        continue_in_depth(SMALL_X, [2.0])
    fine = continue_in_depth(path, [2.0])
    assert fine.status.code == "ok"
    assert (fine.action_error <= 1e-9 * fine.action).all()


@pytest.mark.parametrize("width", [2.0, "a", -1])
def test_widths_are_whole_numbers(width):
    with pytest.raises(DomainError, match="width"):
        geodesic(*SMALL, 3.0, terminal_weight=0.1, read_in_penalty=1.0, width=width)


def test_other_wrong_kinds_of_arguments_are_refused():
    with pytest.raises(DomainError, match=r"^Y "):
        geodesic(SMALL_X, [[0], [1, 2]], 3.0, cost="cross_entropy", terminal_weight=0.1)
    with pytest.raises(DomainError, match="bias"):
        geodesic(*SMALL, 3.0, activation="softplus:5", bias=1e300)
    with pytest.raises(DomainError, match="seed"):
        train_network(*SMALL, 3.0, terminal_weight=0.01, layers=6, rng=-1)
    with pytest.raises(DomainError, match="masked"):
        geodesic(np.ma.array(SMALL_X, mask=[[1, 0], [0, 0]]), SMALL_Y, 3.0)
