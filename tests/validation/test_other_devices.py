"""Experiments on a GPU: their full size can be planned anywhere, and no network of theirs meets a tensor left behind.

The meta device has shapes and no numbers. It refuses tensors of the processor beside its own, and a host that reads.
"""

import numpy as np
import pytest

pytest.importorskip("torch", reason="validation trains networks")

import torch
from torch.nn import functional as F

from gpdeep.nn import Ensemble, LeakyResNet, LinearityPenalty, replace_activations
from gpdeep.nn.ensembles.member_optimisers import SGD, Adam
from gpdeep.nn.ensembles.member_step import MemberStep
from gpdeep.nn.ensembles.samples import Samples
from validation.catalogue import IDS, experiment
from validation.e6_partial_linearisation.modules import Convolutional, Translator, translate
from validation.e6_partial_linearisation.stack import Stack
from validation.experiment import Settings, Size
from validation.sweep import Batch

META = {"device": "meta"}
LABELS = {"dtype": torch.int64, **META}


@pytest.fixture(autouse=True)
def generator_kept():
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("data", ["digits", "somewhere/mnist"])
def test_the_full_size_is_planned_with_the_device_outside_of_what_is_computed(id, device, data):
    units = experiment(id).plan(Settings(size=Size.FULL, device=device, data=data))
    assert units
    for unit in units:
        settings = dict(unit.settings)
        assert settings.get("device", device) == device
        for specification in unit.specifications if isinstance(unit, Batch) else [unit.specification]:
            assert "device" not in specification
            assert "somewhere" not in str(specification)


def test_the_control_a_tensor_left_behind_is_refused():
    with pytest.raises(RuntimeError, match="meta"):
        torch.empty(3, **META) + torch.ones(3)


@pytest.mark.parametrize(
    "optimiser", [SGD(0.9, True, 0.1), SGD(), Adam(weight_decay=0.1)], ids=["nesterov", "sgd", "adam"]
)
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_a_step_of_an_ensemble_stays_on_its_device_and_asks_the_host_nothing(optimiser, own):
    nets = Ensemble("6,9x3,2", 3, activation=["relu", "cst:0.3,1", "tanh"], sigma_w=1.2, **META)
    column = torch.ones(3, 1, **META)
    samples = Samples(torch.empty(50, 6, **META), torch.empty(50, **LABELS), True)
    step = MemberStep(nets, samples, optimiser, column, column, (3, 8) if own else (8,))
    for _ in range(2):
        step.count(0.5)
        step.both()
    assert {tensor.device.type for tensor in step.moving() + step.told()} == {"meta"}


@pytest.mark.parametrize("skips", [False, True])
def test_chains_are_trained_on_their_device(skips):
    net = Stack([1, 2], 6, 8, 3, 2, skips=skips)
    net.freeze(np.arange(48).reshape(2, 3, 8) % 2 == 0)
    net.to("meta")
    x, y = torch.empty(50, 6, **META), torch.empty(50, **LABELS)
    index = torch.as_tensor(np.arange(5), **META)
    penalty = LinearityPenalty(net)
    cost = F.cross_entropy(net(x[index]).transpose(1, 2).flatten(0, 1), y[index].repeat(2), reduction="sum") / 5
    assert _stepped(penalty.groups(0.1), cost + 0.1 * penalty()) == "meta"


def test_convolutional_networks_are_trained_on_their_device():
    net = replace_activations(Convolutional(1, 4, 3, 10, skips=True), example=torch.zeros(2, 1, 8, 8)).model.to("meta")
    penalty = LinearityPenalty(net)
    cost = F.cross_entropy(net(torch.empty(5, 1, 8, 8, **META)), torch.empty(5, **LABELS))
    assert _stepped(penalty.groups(0.1), cost + 0.1 * penalty()) == "meta"


def test_transformers_are_trained_and_asked_on_their_device():
    words = torch.zeros(2, 7, dtype=torch.int64)
    net = replace_activations(Translator(9, 9, 8, 16, 2, 1), example=(words, words)).model.to("meta")
    penalty = LinearityPenalty(net)
    source = torch.empty(5, 7, **LABELS)
    said = net(source, source)
    cost = F.cross_entropy(said.flatten(0, 1), source.flatten(), ignore_index=0)
    assert _stepped(penalty.groups(0.1), cost + 0.1 * penalty()) == "meta"
    assert translate(net, source, 6, 1).device.type == "meta"


def test_leaky_resnets_are_on_their_device():
    net = LeakyResNet(8, 4, 2.0, read_in=np.eye(8, 3), read_out=np.eye(3, 8), dtype=torch.float64, **META)
    cost = (net(torch.empty(5, 3, dtype=torch.float64, **META)) ** 2).sum()
    assert _stepped(net.parameters(), cost) == "meta"


def _stepped(parameters, cost):
    """The device of a cost after a step of torch's own optimiser."""
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True)
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()
    return cost.device.type
