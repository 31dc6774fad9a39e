"""What stands beside the measurement: the variance map from the first layer on, and where random networks lie."""

import functools
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep.activations import activation  # noqa: E402
from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.meanfield import variance_map  # noqa: E402
from gpdeep.nn import CReLU, probe  # noqa: E402
from gpdeep.nn.probing import prediction as probe_prediction  # noqa: E402
from gpdeep.result import StatusCode  # noqa: E402
from gpdeep.sparse import shares  # noqa: E402
from tests.finite.chance import FALSE_ALARM, z_limit  # noqa: E402

X = np.random.default_rng(1).normal(size=(5, 6)) * np.arange(1, 6)[:, None]


def chain(widths, phis, sigma_w=2**0.5, sigma_b=0.0):
    """Linear, φ, ..., Linear, with Gaussian weights of variance σ_w²/fan-in."""
    layers = []
    for k, (n, m) in enumerate(itertools.pairwise(widths)):
        linear = nn.Linear(n, m, dtype=torch.float64)
        nn.init.normal_(linear.weight, 0, sigma_w / math.sqrt(n))
        nn.init.normal_(linear.bias, 0, sigma_b) if sigma_b else nn.init.zeros_(linear.bias)
        layers += [linear] + ([phis[k]] if k < len(phis) else [])
    return nn.Sequential(*layers)


def first_squares(net):
    h = net[0](torch.as_tensor(X))
    return h.square().mean(1).detach().numpy()


# ------------------------------------------------------------------------------------------- the formula


def test_each_input_is_carried_on_by_each_layers_own_map():
    net = chain([6, 8, 9, 10, 3], [CReLU(0.5, 1.0), nn.LeakyReLU(0.3), nn.Tanh()])
    report = probe(net, X, sigma_w=1.2, sigma_b=0.4)
    q, log_chi = first_squares(net), []
    # a relative 1e-12 leaves room for the closed forms' own 1e-14 through three layers and different sums
    for k, phi in enumerate(map(activation, ("crelu:0.5,1", "leaky_relu:0.3", "tanh"))):
        share, V = shares(phi, q), variance_map(phi, sigma_w=1.2, sigma_b=0.4)
        np.testing.assert_allclose(report.predicted_q[k], q.mean(), rtol=1e-12)
        np.testing.assert_allclose(report.predicted_sparsity[k], share.zero.mean(), atol=1e-12)
        np.testing.assert_allclose(report.predicted_linear[k], share.linear.mean(), atol=1e-12)
        np.testing.assert_allclose(report.predicted_clipped[k], share.clipped.mean(), atol=1e-12)
        log_chi.append(np.log(V.chi_1(q)).mean())
        q = V(q)
    expected = report.log_grad_norm2[-1] + np.array([log_chi[0] + log_chi[1], log_chi[1], 0.0])
    np.testing.assert_allclose(report.predicted_log_grad_norm2, expected, atol=1e-11)
    assert report.status.code is StatusCode.OK
    # negative control: a map of the mean over inputs is another number, since V is not linear
    V = variance_map("crelu:0.5,1", sigma_w=1.2, sigma_b=0.4)
    assert abs(V(first_squares(net).mean()) / report.predicted_q[1] - 1) > 1e-3


def test_bias_is_zero_where_only_sigma_w_is_given():
    net = chain([6, 8, 8, 2], [nn.ReLU(), nn.ReLU()])
    report = probe(net, X, sigma_w=1.0)
    assert report.sigma_b == 0.0
    np.testing.assert_allclose(report.predicted_q[1], report.q[0] / 2, rtol=1e-14)
    assert probe(net, X).sigma_w is None


def test_design_gives_variances_and_says_where_the_model_is_another():
    design = SimpleNamespace(phi="crelu:0.5,1", sigma_w=1.5, sigma_b=0.6, q_star=1.0)
    net = chain([6, 200, 200, 2], [CReLU(0.5, 1.0), nn.ReLU()], 1.5, 0.6)
    report = probe(net, X, design)
    assert (report.sigma_w, report.sigma_b, report.q_star) == (1.5, 0.6, 1.0)
    assert report.predicted_q.tolist() == probe(net, X, sigma_w=1.5, sigma_b=0.6).predicted_q.tolist()
    mismatch, scale = report.status.messages
    assert mismatch == "'3' is relu; the design is for crelu:0.5,1."
    assert "where q* is 1" in scale
    assert "q* = 1" in str(report)


def test_design_stands_in_for_unknown_functions():
    class Own(nn.Module):
        def forward(self, x):
            return (x - 0.5).clamp(0, 1)

    design = SimpleNamespace(phi=activation("crelu:0.5,1"), sigma_w=1.5, sigma_b=0.6, q_star=1.0)
    net = chain([6, 200, 200, 2], [Own(), Own()], 1.5, 0.6)
    own = [net[1], net[3]]
    assert np.isfinite(probe(net, X, design, activations=own).predicted_q).all()
    unknown = probe(net, X, sigma_w=1.5, activations=own)
    assert np.isfinite(unknown.predicted_q[0])
    assert np.isnan(unknown.predicted_q[1])
    assert "the function of Own is not known" in unknown.status.messages[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sigma_b": 0.1}, "without sigma_w"),
        ({"sigma_w": 0.0}, "sigma_w = 0.0"),
        ({"sigma_w": np.nan}, "sigma_w = nan"),
        ({"sigma_w": 1.0, "sigma_b": -0.1}, "sigma_b = -0.1"),
        ({"sigma_w": 1.0, "sigma_b": torch.zeros(2)}, "sigma_b = .?tensor"),
        ({"sigma_w": torch.ones(2)}, "sigma_w = .?tensor"),
        ({"design": SimpleNamespace(phi="relu", sigma_w=1.0, sigma_b=0.0, q_star=None)}, "q_star = None"),
        ({"design": SimpleNamespace(phi="relu", sigma_w=1.0, sigma_b=0.0, q_star=1.0), "sigma_w": 1.0}, "together"),
        ({"design": SimpleNamespace(phi="relu", sigma_w=1.0)}, "sigma_b"),
        ({"design": "crelu"}, "lacks"),
    ],
)
def test_half_an_initialisation_is_refused(arguments, words):
    with pytest.raises(DomainError, match=words):
        probe(chain([6, 8, 2], [nn.ReLU()]), X, **arguments)


def test_other_modules_in_between_are_named():
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)).eval()
    report = probe(net, X, sigma_w=1.0)
    assert report.status.code is StatusCode.OUTSIDE_VALIDITY
    assert report.status.messages == ("Predicted is a plain chain; the model also has BatchNorm1d.",)
    assert probe(net, X).status.code is StatusCode.OK


class Loose(nn.Module):
    """Dense layers and one activation, with something else between them."""

    def __init__(self, forward):
        super().__init__()
        self.layers, self.act, self.way = nn.ModuleList(nn.Linear(6, 6) for _ in range(4)), nn.ReLU(), forward
        self.gain, self.W = nn.Parameter(torch.ones(6)), nn.Parameter(torch.eye(6))

    def forward(self, x):
        return self.way(self, *self.layers, self.act, x)


LOOSE = {
    "skip": (lambda _, a, b, c, d, act, x: d(act((h := a(x)) + b(act(h)))), "the function add"),
    "multiple": (lambda _, a, b, c, d, act, x: c(act(2 * b(act(a(x))))), "the function mul"),
    "relu as a function": (lambda _, a, b, c, d, act, x: d(act(c(torch.relu(b(act(a(x))))))), "the function relu"),
    "a gain": (lambda net, a, b, c, d, act, x: c(act(b(act(a(x))) * net.gain)), "the function mul"),
    "a shared layer": (lambda _, a, b, c, d, act, x: b(act(a(act(a(x))))), "one Linear in several places"),
    "before the first": (lambda _, a, b, c, d, act, x: c(act(b(act(2 * torch.relu(a((x - 1) / 3)))))), None),
    "after the last": (lambda _, a, b, c, d, act, x: 3 * torch.tanh(c(act(b(act(a(x)))))), None),
    "reshapings": (lambda _, a, b, c, d, act, x: c(act(b(act(a(x)).view(-1, 2, 3).flatten(1).clone()))), None),
    "dense without a module": (lambda net, a, b, c, d, act, x: c(act(act(a(x)) @ net.W + net.gain)), None),
    "dense as a function": (
        lambda net, a, b, c, d, act, x: c(act(nn.functional.linear(act(a(x)), net.W, net.gain))),
        None,
    ),
}


@pytest.mark.parametrize("name", LOOSE)
@pytest.mark.parametrize("inplace", [False, True])
def test_functions_between_activations_are_named(name, inplace):
    forward, says = LOOSE[name]
    net = Loose(forward)
    net.act.inplace = inplace and name != "skip"
    report = probe(net, X, sigma_w=1.0)
    wanted = () if says is None else (f"Predicted is a plain chain; the model also has {says}.",)
    assert tuple(m for m in report.status.messages if m.startswith("Predicted")) == wanted
    if name != "dense without a module":  # a frozen bias that no module adds is a number like any other
        assert probe(net.requires_grad_(False), X, sigma_w=1.0).status.messages == report.status.messages
    assert probe(net, X).status.code is StatusCode.OK


def test_what_runs_after_the_last_activation_is_not_part_of_the_prediction():
    head = [nn.Dropout(0.5), nn.Unflatten(1, (4, 2)), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Softmax(1)]
    report = probe(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), *head), X, sigma_w=1.0)
    assert report.status.code is StatusCode.OK
    before = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), *head, nn.Linear(4, 8), nn.Tanh())  # negative control
    messages = probe(before, X, sigma_w=1.0).status.messages
    assert messages == ("Predicted is a plain chain; the model also has Dropout, AdaptiveAvgPool1d, Softmax.",)


@pytest.mark.parametrize("factor", [0.0, np.inf])
def test_prediction_ends_where_a_variance_leaves_its_range(factor):
    x = X.copy()
    x[1] *= factor
    x[np.isnan(x)] = np.inf
    net = chain([6, 8, 8, 2], [nn.ReLU(), nn.ReLU()])
    report = probe(net, x, sigma_w=1.0)
    assert np.isnan(report.predicted_q[1])
    assert any("The prediction ends at '1'" in message for message in report.status.messages)


def test_prediction_that_dies_out_says_so():
    net = chain([6, 8, 8, 8, 2], [CReLU(50.0, 1.0) for _ in range(3)], 0.1)
    report = probe(net, X, sigma_w=0.1)  # P(z > 50/√q) is below the smallest number
    assert report.predicted_sparsity[0] == 1
    assert report.predicted_log_grad_norm2[0] == -np.inf or np.isnan(report.predicted_log_grad_norm2[0])
    assert any("there an input has the variance 0" in message for message in report.status.messages)


# ------------------------------------------------------------------------------------------- random networks

NETWORKS = 40


@pytest.fixture
def without_spread(monkeypatch):
    """Saves the law at finite width, a tenth of a second a network, where only means are looked at."""
    monkeypatch.setattr(probe_prediction, "_add_spread", lambda *_: None)


def he_networks(sigma_w, widths=(20, 400, 300, 400, 300, 400, 2)):
    """What 40 networks of five ReLU layers measure and what He's weights predict: ln|g|² and q of layers 1..5."""
    found = []
    for seed in range(NETWORKS):
        torch.manual_seed(seed)
        net = chain(widths, [nn.ReLU() for _ in widths[2:]], sigma_w)
        report = probe(net, np.random.default_rng(seed).normal(size=(3, widths[0])), sigma_w=2**0.5, rng=seed)
        gradient = report.log_grad_norm2 - report.predicted_log_grad_norm2
        found.append([report.q / report.predicted_q, gradient, report.sparsity - report.predicted_sparsity])
    return np.array(found)


def z_scores(x, expected=0.0):
    return (x.mean(axis=0) - expected) / (x.std(axis=0, ddof=1) / math.sqrt(len(x)))


# Means over 40 networks; their z-scores with an estimated error follow Student's law of 39 degrees of freedom, whose
# quantile at this level is 1.2 times the normal one. Comparisons: layers 2..5 of q, 1..4 of g, 1..5 of sparsity.
LIMIT = 1.2 * z_limit(13, FALSE_ALARM)


@pytest.mark.statistical
def test_he_networks_lie_around_the_prediction_in_the_mean(without_spread):
    """E q^l is exactly the prediction; E ln|g|² is, up to -(5/2) Σ 1/n: of ln of a product of factors 1 + O(√(5/n))."""
    q, gradient, sparsity = he_networks(2**0.5).transpose(1, 0, 2)
    n = np.array([400, 300, 400, 300, 400])
    drift = -2.5 * np.cumsum(1 / n[:-1][::-1])[::-1]
    assert np.abs(z_scores(q[:, 1:], 1.0)).max() <= LIMIT
    assert np.abs(z_scores(gradient[:, :-1], drift)).max() <= LIMIT
    assert np.abs(z_scores(sparsity)).max() <= LIMIT
    np.testing.assert_array_equal(q[:, 0], 1.0)
    np.testing.assert_array_equal(gradient[:, -1], 0.0)


@pytest.mark.statistical
def test_wrongly_scaled_networks_show_up(without_spread):
    """Negative control: LeCun's σ_w² = 1 in place of 2, and He's with a tenth more."""
    for factor in (1.0, 1.1 * 2**0.5):
        q, gradient, sparsity = he_networks(factor).transpose(1, 0, 2)
        assert np.abs(z_scores(q[:, 1:], 1.0)).min() > LIMIT
        assert np.abs(z_scores(gradient[:, :-1])).min() > LIMIT
        assert np.abs(z_scores(sparsity)).max() <= LIMIT  # of which homogeneous layers say nothing


@pytest.mark.statistical
def test_predicted_spread_is_that_of_networks(monkeypatch):
    """One input, unequal widths, CReLU at 70 % zeros with V' = 0.5, so that little is left of the first layer's χ²."""
    phi, sigma_w, sigma_b = CReLU(0.5244005, 1.0511), 2.0310, 0.6821
    widths, networks = (200, 150, 250, 150, 200), 300
    law = functools.cache(probe_prediction.escape_probability)  # at starts rounded to 0.2, twice their spread
    of_variances = []

    def rounded(phi, *, q, width, **options):
        found = law(phi, q=round(5 * q) / 5, width=tuple(width), **options)
        of_variances.append(found.q_std[1:])
        return found

    monkeypatch.setattr(probe_prediction, "escape_probability", rounded)
    monkeypatch.setattr(probe_prediction, "_wall", lambda V, q: 10.0)  # this V has no second fixed point
    q, spread, sparsity = [], [], []
    for seed in range(networks):
        torch.manual_seed(seed)
        net = chain((30, *widths, 2), [phi] * 5, sigma_w, sigma_b)
        x = np.random.default_rng(seed).normal(size=(1, 30))
        x *= math.sqrt(30 * (1 - sigma_b**2) / sigma_w**2) / np.linalg.norm(x)
        report = probe(net, x, sigma_w=sigma_w, sigma_b=sigma_b, rng=seed)
        q.append((report.q - report.predicted_q)[1:])
        spread.append(report.predicted_q_std[1:])
        sparsity.append((report.sparsity - report.predicted_sparsity)[1:] / report.predicted_sparsity_std[1:])
        assert report.predicted_q_std[0] == 0
    # A standard deviation of 300 nearly Gaussian numbers errs by 1/√600 = 0.041; excess kurtosis κ widens that by
    # √(1 + κ/2), here below 1.1 (κ of some 10/n a step). The prediction is leading order: 0.02 for its own O(1/n).
    limit = z_limit(8, FALSE_ALARM) * 1.1 / math.sqrt(2 * networks) + 0.02
    deviations = np.array(q) / spread
    assert np.abs(deviations.std(axis=0) - 1).max() <= limit
    assert np.abs(np.array(sparsity).std(axis=0) - 1).max() <= limit
    # negative control: the spread of the variances K alone, without that of a mean of n squares
    assert np.abs((np.array(q) / of_variances).std(axis=0) - 1).min() > limit


@pytest.mark.statistical
def test_circular_convolutions_of_any_stride_hand_back_chi_1():
    """|g|² of a layer is χ₁ that of the next, whatever channels, positions and stride; 40 networks."""
    ratios = []
    for seed in range(NETWORKS):
        torch.manual_seed(seed)
        parts = []
        for n, m, stride in ((3, 96, 1), (96, 64, 2), (64, 96, 1), (96, 64, 2)):
            layer = nn.Conv2d(n, m, 3, stride, 1, padding_mode="circular", bias=False)
            nn.init.normal_(layer.weight, 0, math.sqrt(2 / (9 * n)))
            parts += [layer, nn.ReLU()]
        report = probe(nn.Sequential(*parts, nn.Flatten()), np.random.default_rng(seed).normal(size=(2, 3, 8, 8)))
        ratios.append(np.exp(report.log_grad_norm2[:-1] - report.log_grad_norm2[-1]))
    assert np.abs(z_scores(np.array(ratios), 1.0)).max() <= LIMIT
    # negative control: without the cancellation of the widths, n_{l+1}/n_l, a factor 6 or 2/3 or 6
    assert np.abs(z_scores(np.array(ratios), np.array([6 * 64 / 96, 64 / 96 * 6, 6.0]))).min() > LIMIT
