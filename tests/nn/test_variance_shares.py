"""Second moments measured on a batch: what they are, and that walks weighted by them agree with theory."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.errors import DomainError, ValidityWarning  # noqa: E402
from gpdeep.linearize import moments_at_initialisation, path_length  # noqa: E402
from gpdeep.nn import graph_of, variance_shares  # noqa: E402

# Two ways to sum some hundred squares in float64.
RTOL = 1e-12


class Net(nn.Module):
    def __init__(self, forward, **layers):
        super().__init__()
        self.function = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def square(x, axis=1):
    return x.detach().double().square().mean(dim=[k for k in range(x.ndim) if k != axis]).numpy()


def test_dense_layers_are_weighted_by_squared_weights_and_inputs():
    torch.manual_seed(0)
    layers = {
        "a": nn.Conv2d(4, 6, 3, padding=1),
        "b": nn.Conv2d(6, 4, 3, groups=2),
        "c": nn.ConvTranspose2d(4, 6, 2, groups=2),
        "d": nn.Linear(6, 5),
    }
    model = Net(lambda s, x: s.d(F.relu(s.c(s.b(F.relu(s.a(x))))).mean((2, 3))), **layers).double()
    x = torch.randn(7, 4, 5, 5).double()
    found = variance_shares(model, x)
    h = F.relu(model.a(x))
    k = model.b(h)
    m = F.relu(model.c(k)).mean((2, 3))
    weights = {name: layer.weight.detach().square() for name, layer in layers.items()}
    taps = {name: w.flatten(2).sum(2).numpy() if w.ndim > 2 else w.numpy() for name, w in weights.items()}
    np.testing.assert_allclose(found.nodes["a"], taps["a"] * square(x), rtol=RTOL, atol=0)
    np.testing.assert_allclose(
        found.nodes["b"], taps["b"] * np.repeat(square(h).reshape(2, 3), 2, axis=0), rtol=RTOL, atol=0
    )
    transposed = np.concatenate([taps["c"][:2].T, taps["c"][2:].T])  # outputs first, group by group
    np.testing.assert_allclose(
        found.nodes["c"], transposed * np.repeat(square(k).reshape(2, 2), 3, axis=0), rtol=RTOL, atol=0
    )
    np.testing.assert_allclose(found.nodes["d"], taps["d"] * square(m), rtol=RTOL, atol=0)
    np.testing.assert_allclose(found.outputs["output"], square(model(x)), rtol=RTOL, atol=0)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("statistic", ["second_moment", "variance"])
def test_operands_are_measured_before_they_are_added(inplace, statistic):
    torch.manual_seed(0)

    def forward(s, x):
        h = s.a(x)
        k = s.b(F.relu(h))
        if inplace:
            h += k
            return h
        return h + k

    model = Net(forward, a=nn.Linear(3, 4), b=nn.Linear(4, 4)).double()
    x = torch.randn(50, 3).double()
    found = variance_shares(model, x, statistic=statistic)
    h = model.a(x)
    parts = [part.detach().numpy() for part in (h, model.b(F.relu(h)))]
    measure = (lambda p: np.var(p, axis=0)) if statistic == "variance" else (lambda p: np.mean(p**2, axis=0))
    np.testing.assert_allclose(found.nodes["add"], [measure(p) for p in parts], rtol=RTOL, atol=0)
    assert found.how == f"measured, operands by their {statistic.replace('_', ' ')}"


class PreActivation(nn.Module):
    """Residual blocks with He weights, without biases; with batch normalisation, or masks."""

    def __init__(self, blocks, width, norm=False, share=None):
        super().__init__()
        self.stem = nn.Linear(64, width, bias=False)
        nn.init.normal_(self.stem.weight, 0, 1 / 8)
        self.layers = nn.ModuleList([nn.Linear(width, width, bias=False) for _ in range(2 * blocks)])
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) if norm else nn.Identity() for _ in self.layers])
        self.acts = nn.ModuleList([nn.PReLU(width) for _ in range(2 * blocks + 1)])
        with torch.no_grad():
            for act in self.acts:
                act.weight.copy_(torch.zeros(width) if share is None else (torch.rand(width) > share).float())

    def forward(self, x):
        x = self.stem(x)
        for k in range(0, len(self.layers), 2):
            h = self.layers[k](self.acts[k](self.norms[k](x)))
            x = x + self.layers[k + 1](self.acts[k + 1](self.norms[k + 1](h)))
        return self.acts[-1](x)


def test_measured_shares_are_those_of_theory_at_initialisation():
    """Per tensor the relative fluctuation is below √(4/width) for each of 8 layers: 0.13 in all at width 1024."""
    torch.manual_seed(2)
    model, x = PreActivation(4, 1024, share=0.5), torch.randn(100, 64)
    graph, found = graph_of(model, x[:1]), variance_shares(model, x)
    theory = moments_at_initialisation(graph, "he")
    for name, moments in theory.nodes.items():
        if name.startswith("add"):
            measured = found.nodes[name].mean(axis=1)
            np.testing.assert_allclose(measured[1] / measured[0], (moments[1] / moments[0]).mean(), rtol=0.13, atol=0)
    depths = [
        path_length(graph, weight="variance", unit="g", shares=shares).value for shares in (found, theory, "matched")
    ]
    # each of 4 branches, of length 1 at most, has its share s off by s (1 - s) times 0.13
    assert abs(depths[0] - depths[1]) < 4 * 0.25 * 0.13
    assert abs(depths[0] - depths[2]) > 4 * 0.25 * 0.13  # negative control: other gains


def test_normalised_branches_shrink_beside_a_running_sum():
    """Share 1/(l + 1) of the second moment in block l; of the variance less, since a mean of ReLUs is no variance."""
    torch.manual_seed(1)
    model, x = PreActivation(27, 128, norm=True), torch.randn(256, 64)
    with torch.no_grad():
        for norm in model.norms:
            norm.momentum = 1.0
        model.train()(x)
    model.eval()
    shares = {}
    for statistic in ("second_moment", "variance"):
        found = variance_shares(model, x, statistic=statistic)
        shares[statistic] = np.array(
            [(m[1] / m.sum(axis=0)).mean() for name, m in found.nodes.items() if name.startswith("add")]
        )
    expected = 1 / (1 + np.arange(1, 28))
    # a mean over 128 channels of spread about the share itself, the stem included: 4/√128
    np.testing.assert_allclose(shares["second_moment"], expected, rtol=4 / math.sqrt(128), atol=0)
    assert (shares["variance"] < shares["second_moment"]).all()
    lengths = path_length(graph_of(model, x), weight="variance", shares=variance_shares(model, x)).layers
    np.testing.assert_allclose(sum(x.contribution for x in lengths[:-1]), 2 * expected.sum(), rtol=0.1, atol=0)


def test_attention_is_not_measured_and_says_so():
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x = torch.randn(3, 5, 8)
    found = variance_shares(model, x)
    with pytest.warns(ValidityWarning, match="chooses evenly"):
        result = path_length(graph_of(model, x), weight="variance", products="value", shares=found)
    np.testing.assert_allclose(result.layers[0].contribution, result.value, rtol=1e-14)  # a sum in another order
    assert result.status.messages


def test_arguments():
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), torch.randn(5, 3)
    with pytest.raises(DomainError, match="statistic"):
        variance_shares(model, x, statistic="mean")
    other = variance_shares(nn.Sequential(nn.Linear(3, 5), nn.ReLU()), x)
    with pytest.raises(DomainError, match="measured on another model"):
        path_length(graph_of(model, x), weight="variance", shares=other)
