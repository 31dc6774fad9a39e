"""A model that was probed is the model that it was, also when its forward raises halfway."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep.nn import probe  # noqa: E402

X = np.random.default_rng(1).normal(size=(8, 6))


class Moody(nn.Module):
    """Everything that a forward pass may change, and a place to fail."""

    def __init__(self, fails=""):
        super().__init__()
        self.one, self.norm = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 7)), nn.BatchNorm1d(7)
        self.drop, self.act, self.two = nn.Dropout(0.3), nn.ReLU(inplace=True), nn.Linear(7, 3)
        self.register_buffer("seen", torch.zeros(7))
        self.register_buffer("nothing", None)
        self.fails = fails

    def forward(self, x):
        h = self.act(self.drop(self.norm(self.one(x))))
        self.seen = self.seen + h.detach().mean(0)  # bound anew
        if self.fails == "forward":
            raise RuntimeError("forward")
        return self.two(h)


def state(net):
    """What one can see of a module from outside."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs")
    return (
        {name: tensor.clone() for name, tensor in net.state_dict().items()},
        [(id(p), p.requires_grad, p.grad is None, p._version) for p in net.parameters()],
        [id(b) for b in net.buffers()],
        [module.training for module in net.modules()],
        [[list(getattr(module, kind)) for kind in hooks] for module in net.modules()],
    )


def assert_same(before, after):
    assert before[1:] == after[1:]
    assert list(before[0]) == list(after[0])
    for name, tensor in before[0].items():
        assert torch.equal(tensor, after[0][name]), name


def prepared(fails=""):
    torch.manual_seed(0)
    net = Moody(fails)
    net(torch.as_tensor(X, dtype=torch.float32)).sum().backward() if not fails else None
    net.two.weight.requires_grad_(False)
    net.act.register_forward_hook(lambda module, args, output: None)
    net.drop.eval()
    return net


def fails_in_loss(output):
    raise RuntimeError("loss")


@pytest.mark.parametrize("fails", ["", "forward", "loss"])
@pytest.mark.parametrize("training", [True, False])
def test_nothing_changes(fails, training):
    net = prepared("forward" if fails == "forward" else "").train(training)
    gradients = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    before, numpy_state, torch_state = state(net), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    if fails:
        with pytest.raises(RuntimeError, match=fails):
            probe(net, X, loss=fails_in_loss if fails == "loss" else None)
    else:
        probe(net, X, sigma_w=1.0)
    assert_same(before, state(net))
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        assert (parameter.grad is None) == (gradient is None)
        assert gradient is None or torch.equal(parameter.grad, gradient)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.is_grad_enabled()


def test_the_model_would_have_changed():
    """Negative control of the test above: a forward pass alone is seen by it."""
    net = prepared().train()
    before, torch_state = state(net), torch.get_rng_state()
    net(torch.as_tensor(X, dtype=torch.float32))
    with pytest.raises(AssertionError):
        assert_same(before, state(net))
    assert not torch.equal(torch.get_rng_state(), torch_state)


def test_flags_of_frozen_embeddings_come_back():
    net = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.ReLU(), nn.Linear(12, 2))
    net[0].weight.requires_grad_(False)
    before = state(net)
    assert np.isfinite(probe(net, [[1, 2, 3], [4, 5, 6]]).q).all()
    assert_same(before, state(net))


def test_the_model_computes_the_same_while_it_is_probed():
    net = prepared().double().eval()
    expected = copy.deepcopy(net)(torch.as_tensor(X))
    outputs = []
    probe(net, X, loss=lambda y: outputs.append(y.detach()) or y)
    assert torch.equal(outputs[0], expected)


def test_hooks_of_ones_own_stay_and_are_heeded():
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    net[1].register_forward_pre_hook(lambda module, args: (args[0] + 100.0,))
    net[1].register_forward_hook(lambda module, args, output: torch.zeros_like(output) * output)
    report = probe(net, X)
    assert report.q[0] > 80**2
    assert report.sparsity[0] == 1
