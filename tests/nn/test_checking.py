"""`check` sees what is wrong, and nothing else: its error rate over many networks, and its power."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep import Architecture, DomainError, load  # noqa: E402
from gpdeep.nn import check  # noqa: E402

FEW = {"samples": 1500}


def test_right_networks_seldom_depart():
    """40 checks at 0.05 each: 2 expected; more than 8 has a probability of 3e-4."""
    departures = [not check("8,24x4,3", seed=seed, alpha=0.05, samples=400).agrees for seed in range(40)]
    assert sum(departures) <= 8


@pytest.mark.parametrize("phi", ["tanh", "gelu", "crelu:0.5,1"])
def test_any_activation_agrees_at_its_own_variances(phi):
    assert check("8,32x5,3", activation=phi, sigma_w=1.3, sigma_b=0.3, angle=0.7, **FEW).agrees


def test_wrong_variances_are_seen():
    """He networks predicted with σ_w 15 % off: the variance is off by 1.15^(2l)."""
    report = check(lambda: module(2**0.5), sigma_w=1.15 * 2**0.5, **FEW)
    assert not report.agrees
    assert "variance" in report.departing
    biased = check(lambda: module(2**0.5), sigma_b=1.0, **FEW)
    assert biased.first_departure == 1


def module(sigma):
    layers = [nn.Linear(8, 64), *(nn.Linear(64, 64) for _ in range(7)), nn.Linear(64, 3)]
    for layer in layers:
        nn.init.normal_(layer.weight, 0, sigma / layer.in_features**0.5)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*(part for layer in layers[:-1] for part in (layer, nn.ReLU())), layers[-1])


def test_global_random_state_and_type_of_the_user_are_left_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    check(lambda: module(2**0.5), **FEW)
    assert torch.equal(state, torch.get_rng_state())


def test_the_same_seed_gives_the_same_report_and_it_can_be_kept(tmp_path):
    one, two = (check("8,16x3,2", seed=3, **FEW) for _ in range(2))
    assert one == two
    one.save(tmp_path / "check.json")
    assert load(tmp_path / "check.json") == one
    assert json.loads(json.dumps(one.to_dict()))["command"] == "check"


def test_data_give_pairs_of_inputs():
    X = np.random.default_rng(0).normal(size=(50, 8)) + 1
    assert check("8,32x3,2", data=X, **FEW).agrees
    assert check(Architecture.parse("8,32x3,2"), data=X, centre=False, **FEW).agrees


OWN = {
    "its own": ({"sigma_w": 3.0, "sigma_b": 0.5}, {}, (3.0, 0.5, "relu")),
    "one for each layer": (
        {"phi": "tanh", "sigma_w": [1.0, 2.0, 3.0], "sigma_b": [0.0, 1.0, 0.2]},
        {},
        ((1.0, 2.0, 3.0), (0.0, 1.0, 0.2), "tanh"),
    ),
    "an argument in place of it": (
        {"phi": "tanh", "sigma_w": 1.5, "sigma_b": 0.5},
        {"sigma_w": 0.8, "activation": "relu"},
        (0.8, 0.5, "relu"),
    ),
    "none": ({}, {"sigma_b": 0.3}, (2**0.5, 0.3, "relu")),
}


@pytest.mark.parametrize(("own", "given", "used"), OWN.values(), ids=OWN)
def test_an_architecture_brings_its_own_variances_and_activation(own, given, used):
    """What is drawn has them too: the first variance is σ_w² + σ_b²."""
    report = check(Architecture.parse("16,32x3,2", **own), seeds=30, **given, **FEW)
    assert tuple(report.options[key] for key in ("sigma_w", "sigma_b", "activation")) == used
    first = float(np.ravel(used[0])[0] ** 2 + np.ravel(used[1])[0] ** 2)
    assert report.measured.variance[0] == pytest.approx(first, rel=0.3)  # 30 networks of 32 neurons: 5 deviations
    assert report.agrees


REFUSED = {
    "an instance": (lambda: check(nn.Linear(3, 3)), "one network"),
    "a number": (lambda: check(3), "int"),
    "no module": (lambda: check(lambda: 3), "int"),
    "another activation": (lambda: check(lambda: module(1.0), activation="tanh"), "relu"),
    "one input": (lambda: check("1,8x2,2"), "one input"),
    "angle and data": (lambda: check("8,8x2,2", angle=1.0, data=np.eye(8)), "angle"),
    "angle": (lambda: check("8,8x2,2", angle=4.0), "angle"),
    "alpha": (lambda: check("8,8x2,2", alpha=2.0), "alpha"),
    "a deviation beyond all numbers": (lambda: check("8,8x2,2", sigma_w=1e60), "sigma_w"),
    "unknown width": (lambda: check("8,?x2,2"), "unknown"),
}


@pytest.mark.parametrize(("call", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_checked_is_refused(call, says):
    with pytest.raises(DomainError, match=says):
        call()


@pytest.mark.statistical
def test_narrow_networks_with_he_weights_raise_no_alarm():
    """ln sin² has so long a tail there that the mean of eight networks follows no law of few moments."""
    for arch in ("64,12x8,10", "64,16x12,10"):
        assert all(check(arch, seed=seed, seeds=8, samples=1000).agrees for seed in range(4)), arch  # 8e-3 in all
