"""`check` of residual, normalised and partly linear networks: right ones agree, wrong ones depart, others are named."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep import Architecture, DomainError, load  # noqa: E402
from gpdeep.nn import PartialReLU, check  # noqa: E402
from gpdeep.nn.probing.check_path_length import path_lengths_of  # noqa: E402

FEW = {"samples": 600}
HE, N = 2**0.5, 24


def linear(fan_in, width, sigma=HE):
    layer = nn.Linear(fan_in, width)
    nn.init.normal_(layer.weight, 0, sigma / fan_in**0.5)
    nn.init.zeros_(layer.bias)
    return layer


class Residual(nn.Module):
    def __init__(self, alpha=0.9, beta=0.5, sigma=HE, inplace=False):
        super().__init__()
        self.alpha, self.beta = alpha, beta
        self.first, self.last = linear(8, N), linear(N, 3)
        self.inner = nn.ModuleList(linear(N, N, sigma) for _ in range(4))
        self.act = nn.ReLU(inplace)

    def forward(self, x):
        h = self.first(x)
        for layer in self.inner:
            skip = self.skip(h)
            h = skip + layer(self.act(h)).mul(self.beta)
        return self.last(self.act(h))

    def skip(self, h):
        return self.alpha * h


class Same(Residual):
    def skip(self, h):
        return h


class SkipOfPhi(Residual):
    def skip(self, h):
        return self.act(h)


def normalised(sigma=HE, eps=1e-5):
    parts = ((linear(N if k else 8, N, sigma), nn.LayerNorm(N, eps=eps), nn.ReLU()) for k in range(5))
    return nn.Sequential(*itertools.chain(*parts), linear(N, 3))


def partly(linear_units=(0, 4, 8, 24), kind=PartialReLU):
    parts = []
    for k, count in enumerate(linear_units):
        slopes = (torch.arange(N) < count).float()
        phi = PartialReLU(N, alpha=slopes) if kind is PartialReLU else nn.PReLU(N)
        if kind is not PartialReLU:
            phi.weight.data = slopes
        parts += [linear(N if k else 8, N), phi]
    return nn.Sequential(*parts, linear(N, 3))


AGREEING = {
    "residual": ("8,res(24x5,alpha=0.9,beta=0.5),3", {}),
    "normalised": ("8,ln(24x5),3", {"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.3, "angle": 0.6}),
    "mixed": ("8,24x2,ln(16x2),res(16x2,alpha=1,beta=-0.3),3", {}),
    "module, residual": (Residual, {}),
    "module, normalised": (normalised, {}),
    "module, partly linear": (partly, {}),
}


@pytest.mark.parametrize("name", AGREEING)
def test_networks_as_predicted_agree(name):
    network, options = AGREEING[name]
    report = check(network, **options, **FEW)
    assert report.agrees, str(report)
    for table in (report.predicted, report.measured, report.z_scores):
        assert np.isfinite(table.log_grad_norm2).all()


def test_true_networks_seldom_depart():
    """20 checks at 0.05: 1 expected, more than 5 with a probability of 3e-4."""
    departures = [
        not check(text, seed=seed, alpha=0.05, samples=300).agrees
        for text in ("8,res(16x4,beta=0.5),3", "8,ln(16x4),3")
        for seed in range(10)
    ]
    assert sum(departures) <= 5


def changing(first, others):
    """A factory whose first network, from which the architecture is read, is unlike those that are measured."""
    made = itertools.count()
    return lambda: first() if next(made) == 0 else others()


WRONG = {
    "alpha": (changing(Residual, lambda: Residual(alpha=0.6)), {}, 1),
    "beta": (changing(Residual, lambda: Residual(beta=1.0)), {}, 1),
    "LeCun in residual branches": (lambda: Residual(beta=1.0, sigma=1.0), {}, None),
    "LeCun before normalisation": (lambda: normalised(sigma=1.0), {}, 1),
    "He, said to be LeCun": (partly, {"sigma_w": 1.0}, 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_networks_depart(name):
    network, options, layer = WRONG[name]
    report = check(network, **options, **FEW)
    assert not report.agrees
    assert layer is None or report.first_departure == layer


def test_what_a_module_is_read_as():
    assert check(Residual, **FEW).options["architecture"] == "8,24,res(24x4,alpha=0.9,beta=0.5),3"
    assert check(lambda: normalised(eps=0.5), **FEW).status.messages[-1].startswith("The eps = 0.5 of '1'")


def test_path_lengths_of_networks_with_linear_channels(tmp_path):
    """A path through layers of 24 of which 24, 20, 16, 0 are active: 60/24 on average."""
    for kind in (PartialReLU, nn.PReLU):
        report = check(lambda kind=kind: partly(kind=kind), **FEW)
        assert report.path_length.average_path_length == pytest.approx(60 / 24, rel=1e-12)
        assert report.path_length.normalised_average_path_length == pytest.approx(60 / 24, rel=1e-12)
        assert "path length 2.5" in str(report)
        assert "sigma_w = √2" in report.status.messages[0]
    report.save(tmp_path / "check.json")
    assert load(tmp_path / "check.json") == report
    assert check("8,8x2,3", **FEW).path_length is None


class Unread(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.act = nn.Linear(8, 8), nn.PReLU(8, init=1.0)

    def forward(self, x):
        return torch.cumprod(self.act(self.first(x)), 1)


def test_why_a_path_length_is_not_known():
    found = path_lengths_of(Unread(), 8)
    assert found.average_path_length is found.normalised_average_path_length is None
    assert "cumprod" in found.reason
    assert found.reason in str(found)
    assert path_lengths_of(nn.PReLU(8), 8) is None


class Hidden(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x[:, None])


def convolutional():
    return Hidden(nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)))


def new_slopes():
    return partly((int(torch.randint(24, ())), 3))


REFUSED = {
    "convolution": (convolutional, r"Conv1d.*not predicted", "gpdeep.nn.probe"),
    "batch norm": (
        lambda: nn.Sequential(linear(8, N), nn.BatchNorm1d(N), nn.ReLU(), linear(N, 3)),
        "BatchNorm1d",
        "ln",
    ),
    "skip from the activation": (SkipOfPhi, "'act'.*not predicted", "text"),
    "overwritten before the skip": (lambda: Same(inplace=True), "'add'.*not predicted", "text"),
    "normalised sum": (
        lambda: nn.Sequential(linear(8, N), nn.ReLU(), nn.LayerNorm(N), linear(N, 3)),
        "LayerNorm.*something else",
        "text",
    ),
    "other channels in each network": (new_slopes, "not the same in all networks", "once"),
    "orthogonal": (lambda: Architecture.parse("8,8x2,2"), "orthogonal", "gaussian"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_predicted_is_named(name):
    network, found, change = REFUSED[name]
    if name == "orthogonal":
        network = Architecture(8, network().blocks, 2, weights="orthogonal")
    with pytest.raises(DomainError, match=found) as caught:
        check(network, **FEW)
    assert change in caught.value.change


class Cloning(Residual):
    def forward(self, x):
        h = self.first(x.contiguous())
        for layer in self.inner:
            h += layer(self.act(torch.clone(h))).mul(self.beta).clone()
        return self.last(self.act(h))


def test_copies_of_a_tensor_are_that_tensor():
    for inplace in (False, True):
        report = check(lambda inplace=inplace: Cloning(inplace=inplace), **FEW)
        assert report.options["architecture"] == "8,24,res(24x4,alpha=1,beta=0.5),3"
        assert report.agrees, str(report)


def test_a_skip_that_starts_before_it_is_overwritten_is_one():
    assert check(lambda: Residual(inplace=True), **FEW).agrees
    assert check(Same, **FEW).options["architecture"] == "8,24,res(24x4,alpha=1,beta=0.5),3"
