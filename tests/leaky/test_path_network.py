"""Networks from paths: the one that follows arrives up to O(1/L), and the optimal one is that of a trained network."""

import numpy as np
import pytest
from stored_paths import entries, entry, name, options

from gpdeep import DomainError
from gpdeep.leaky import forward, geodesic, layer_energies, stationarity_residual

NETWORKS = [net for net in entries("network") if net["lam"] is None and net["activation"] == "softplus"]


def from_stored(path, **kwargs):
    return geodesic(
        path["X"], path["Y"], path["Lt"], start=tuple(path["nodes"][k] for k in "pAB"), **options(path), **kwargs
    )


@pytest.fixture(scope="module")
def p33():
    """P33 at L̃ = 3."""
    return from_stored(entry("smooth/P33/Lt3"), rtol=1e-10)


@pytest.fixture(scope="module")
def deeper():
    """P33 at L̃ = 7, where layers at both ends are fast."""
    return from_stored(entry("smooth/P33/Lt7"), rtol=1e-10)


def fitted_order(depths, errors):
    return -np.polyfit(np.log(depths), np.log(np.abs(errors)), 1)[0]


def output(result, rho, W):
    return forward(result.A[0], W, rho, result.effective_depth, activation=result.activation, bias=result.bias)


@pytest.mark.parametrize("steps", ["equal", None])
def test_network_along_the_path_arrives_with_an_error_of_first_order(p33, steps):
    depths = (80, 160, 320)
    errors = []
    for L in depths:
        rho, W, A = p33.network(L, steps)
        assert W.shape == (L, 3, 4)
        layers = output(p33, rho, W)
        errors.append(np.abs(layers[-1] - p33.A[-1]).max())
        # all along the way, and not only at its end
        assert np.abs(layers - A).max() < 3 * errors[-1]
    assert abs(fitted_order(depths, errors) - 1) < 0.1
    # negative control: the same weights against the depth do not arrive
    assert np.abs(output(p33, rho, W[::-1])[-1] - p33.A[-1]).max() > 10 * errors[-1]


def test_weights_of_the_network_are_those_of_the_path_in_the_middle_of_layers(p33):
    rho, W, nodes = p33.network(12, "equal")
    p = np.concatenate([[0], np.cumsum(rho)])
    A, B = p33.at(0.5 * (p[1:] + p[:-1]))
    features = np.concatenate([p33.geometry.phi.value(A), np.ones_like(A[:, :1])], axis=1)
    np.testing.assert_allclose(W, 3 * B @ np.swapaxes(features, 1, 2), rtol=1e-12)
    np.testing.assert_allclose(nodes, p33.at(p)[0], rtol=1e-12)
    assert len(p33.network()[0]) == len(p33.p) - 1


@pytest.mark.parametrize("net", NETWORKS, ids=name)
def test_optimal_network_is_the_stored_minimum(net):
    """What training found by other means: actions to 1e-7, and energies of layers."""
    near = "smooth/P22/Lt3" if "P22" in net["id"] else f"smooth/P33/Lt{net['Lt']:g}"
    path = from_stored(entry(near))
    rho, W, A = path.optimal_network(net["L"], net["rho"])
    action = (rho[:, None, None] * W**2).sum() / (2 * net["Lt"])
    np.testing.assert_allclose(action, net["action"], rtol=0, atol=1e-7)
    assert action < path.action
    np.testing.assert_allclose(output(path, rho, W), A, rtol=0, atol=1e-9)
    np.testing.assert_allclose(A[[0, -1]], [net["X"], net["Y"]], rtol=0, atol=1e-13)
    h, kernel = rho * net["Lt"], path.geometry.kernel(path.geometry.phi.value(A[:-1]))
    B = (np.diff(A, axis=0) / h[:, None, None] + A[:-1]) @ np.linalg.inv(kernel)
    momenta = np.concatenate([_before(A, B, W, h, path)[None], B])
    for corrected, key in ((False, "minus_2H_over_Lt_per_layer"), (True, "minus_2H_over_Lt_corrected_per_layer")):
        kwargs = {"activation": path.activation, "bias": path.bias, "corrected": corrected}
        energies = layer_energies(A, momenta, W, rho, net["Lt"], **kwargs)
        # the stored networks are stationary to 1e-7 of their objective, so energies to its root
        np.testing.assert_allclose(-2 * energies / net["Lt"], net[key], rtol=0, atol=1e-4)
    residual = stationarity_residual(A, momenta, W, net["Lt"], activation=path.activation, bias=path.bias)
    assert residual < 1e-7


def _before(A, B, W, h, path):
    """B_0 of the backward recursion from B_1."""
    w = W[0] / path.effective_depth
    return (1 - h[0]) * B[0] + h[0] * path.geometry.phi.slope(A[0]) * (w[:, :-1].T @ B[0])


def test_action_of_optimal_networks_falls_short_of_the_path_by_first_order(p33):
    depths = (80, 160, 320)
    missing = []
    for L in depths:
        rho, W, _ = p33.optimal_network(L, "equal")
        missing.append((rho[:, None, None] * W**2).sum() / 6 - p33.action)
    assert max(missing) < 0
    assert abs(fitted_order(depths, missing) - 1) < 0.1


@pytest.mark.parametrize("L", [20, 40])
def test_steps_that_follow_the_path_lower_the_error_of_the_action(deeper, L):
    """Equal steps waste layers on the slow middle of a deep path."""
    error = {}
    for steps in (None, "equal"):
        rho, W, _ = deeper.optimal_network(L, steps)
        np.testing.assert_allclose(rho.sum(), 1, rtol=1e-12)
        error[steps] = (rho[:, None, None] * W**2).sum() / 14 - deeper.action
    print(f"P33, L̃ = 7, {L} layers: action off by {error[None]:.4f} adapted, {error['equal']:.4f} equal")
    assert error[None] < 0
    assert error["equal"] < 0
    assert abs(error[None]) < abs(error["equal"])


def test_steps_that_follow_the_path_share_its_changes_and_stay_below_the_leak(deeper):
    rho, _, A = deeper.network(30)
    change = np.sqrt((np.diff(A, axis=0) ** 2).sum(axis=(1, 2)))
    even = np.sqrt((np.diff(deeper.network(30, "equal")[2], axis=0) ** 2).sum(axis=(1, 2)))
    assert change.max() / change.min() < 0.6 * even.max() / even.min()
    assert (rho * 7 < 1).all()
    short = deeper.network(8)[0]  # the least number of layers: nearly all at the limit
    assert (short * 7 < 1).all()


REFUSED = {
    "too few layers": ({"depth": 7}, "7 layers"),
    "equal and too few": ({"depth": 7, "steps": "equal"}, "7 layers"),
    "half a layer": ({"depth": 2.5}, "number of layers"),
    "truth": ({"depth": True}, "number of layers"),
    "a negative number": ({"depth": -3}, "number of layers"),
    "steps of another depth": ({"depth": 10, "steps": [0.5, 0.5]}, "steps holds 2 numbers"),
    "steps beyond 1": ({"depth": 10, "steps": [0.2] * 10}, "sum to 2"),
    "a step as long as the leak": ({"depth": 10, "steps": [0.19] + [0.09] * 9}, "longest step"),
    "a step back": ({"depth": 10, "steps": [-0.1, 0.2] + [0.1125] * 8}, "steps holds"),
    "NaN": ({"depth": 2, "steps": [np.nan, 0.5]}, "steps"),
}


@pytest.mark.parametrize(("kwargs", "says"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("method", ["network", "optimal_network"])
def test_bad_depths_and_steps_are_refused(deeper, method, kwargs, says):
    with pytest.raises(DomainError, match=says) as error:
        getattr(deeper, method)(**kwargs)
    assert error.value.cause
    assert error.value.change


def test_no_depth_means_that_of_the_mesh_and_is_no_wish_for_none(p33):
    with pytest.raises(DomainError, match="number of layers"):
        p33.network(0)


def test_optimal_networks_of_a_terminal_cost_are_refused():
    path = entry("terminal/P33/Lt3/lam0.01")
    priced = from_stored(path, terminal_weight=0.01)
    rho, W, _ = priced.network(160)  # the one that follows is there
    np.testing.assert_allclose(output(priced, rho, W)[-1], priced.A[-1], rtol=0, atol=0.1)
    with pytest.raises(DomainError, match="terminal cost"):
        priced.optimal_network(40)


@pytest.mark.parametrize("problem", ["P35", "P44"])
def test_networks_of_more_samples_or_without_bias_arrive_as_well(problem):
    path = from_stored(entry(f"smooth/{problem}/Lt1"))
    depths = (40, 80, 160)
    errors = []
    for L in depths:
        rho, W, _ = path.network(L, "equal")
        assert W.shape[-1] == path.A.shape[1] + (path.bias > 0)
        errors.append(np.abs(output(path, rho, W)[-1] - path.A[-1]).max())
    assert abs(fitted_order(depths, errors) - 1) < 0.15
    rho, W, A = path.optimal_network(40, "equal")
    np.testing.assert_allclose(output(path, rho, W), A, rtol=0, atol=1e-7)
    assert (rho[:, None, None] * W**2).sum() / 2 < path.action


@pytest.mark.parametrize("layers", ["P33/Lt3/L20", "P22/Lt3/L12", "P33/Lt7/L40"])
def test_optimal_relu_network_is_the_stored_one_with_its_zeros(layers):
    """Entries of the optimal network rest exactly at 0, as those of the path do."""
    net = entry(f"network/{layers}/relu/fixed")
    path = geodesic(net["X"], net["Y"], net["Lt"], starts=1, bias=net["bias"])
    rho, W, A = path.optimal_network(net["L"], net["rho"])
    action = (rho * (W**2).sum(axis=(1, 2))).sum() / (2 * net["Lt"])
    assert action == pytest.approx(net["action"], rel=net["tol"])
    assert int((A == 0).sum()) == net["exact_zero_entries"]
