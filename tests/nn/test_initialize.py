"""A whole model from a design: variances layer by layer, streams, and the order that is read."""

import contextlib
import copy
import math
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from designed_models import DESIGN, WIDE, Clamped, mlp, phi, stand_in, state, unchanged, variances  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.activations import activation  # noqa: E402
from gpdeep.errors import DomainError, ValidityWarning  # noqa: E402
from gpdeep.nn import architecture_of, init_layer_, initialize, probe, scale_inputs  # noqa: E402
from gpdeep.sparse import design as sparse_design  # noqa: E402

# ------------------------------------------------------------------------------------------- the law


@pytest.mark.statistical
@pytest.mark.parametrize("design", [DESIGN, WIDE], ids=["crelu q*=1", "cst q*=4"])
@pytest.mark.parametrize("law", ["gaussian", "orthogonal"])
def test_variance_is_q_star_from_the_first_layer_on(design, law):
    """Mean of q_l over 16 networks and the layers; the spread over networks gives the standard error.

    |t| ≤ 6 with 15 degrees of freedom has a false-alarm rate of 2e-5 each, 1e-4 in all.
    """
    rng = np.random.default_rng(1)
    x = scale_inputs(torch.tensor(rng.standard_normal((8, 100)), dtype=torch.float32), design)
    q = np.array([variances(initialize(mlp((100, *[300] * 4, 5), design), design, weights=law, rng=seed), x)
                  for seed in range(16)])  # fmt: skip

    def t(values):
        return (values.mean() / design.q_star - 1) / (values.std(ddof=1) / design.q_star / math.sqrt(len(values)))

    assert abs(t(q[:, 0])) <= 6
    assert abs(t(q.mean(1))) <= 6
    # Negative control: unscaled inputs of mean square 1 put the first layer at σ_w² + σ_b².
    wrong = [variances(initialize(mlp((100, 300, 5), design), design, rng=seed), x / x.square().mean().sqrt())[0]
             for seed in range(16)]  # fmt: skip
    assert abs(t(np.array(wrong))) > 6


@pytest.mark.statistical
def test_first_layer_takes_up_the_scale_of_the_inputs():
    """Inputs of mean square E, without scaling: t as above. E is forgotten in the negative control."""
    rng = np.random.default_rng(2)
    x = torch.tensor(3 * rng.standard_normal((1, 400)))
    given = float(x.square().mean())

    def first(given):
        nets = [mlp((400, 300, 5)).double() for _ in range(16)]
        q = [
            variances(initialize(net, DESIGN, input_second_moment=given, rng=seed), x)[0]
            for seed, net in enumerate(nets)
        ]
        return (np.mean(q) - 1) / (np.std(q, ddof=1) / 4)

    assert abs(first(given)) <= 6
    assert abs(first(1.0)) > 6


@pytest.mark.statistical
def test_standard_deviations_layer_by_layer():
    """σ_w0, σ_w, σ_b, σ_out: entries are Gaussian, 8 comparisons at |z| ≤ 4.5 (false-alarm rate 5e-5)."""
    net = initialize(mlp((100, 200, 300, 50)), DESIGN, input_second_moment=2.0, output_sigma_w=0.5, rng=11)
    first = math.sqrt((1 - DESIGN.sigma_b**2) / 2)

    def z(x, variance):
        return (x.detach().square().mean().item() / variance - 1) * math.sqrt(x.numel() / 2)

    for layer, sigma in zip(net[::2], (first, DESIGN.sigma_w, 0.5), strict=True):
        assert abs(z(layer.weight, sigma**2 / layer.in_features)) <= 4.5
        assert abs(z(layer.weight, sigma**2 / layer.out_features)) > 4.5  # negative control: fan-out
        assert abs(z(layer.weight, sigma / layer.in_features)) > 4.5  # negative control: σ for σ²
    for layer in net[:3:2]:
        assert abs(z(layer.bias, DESIGN.sigma_b**2)) <= 4.5
    assert not net[4].bias.any()


@pytest.mark.statistical
def test_convolutions_keep_q_star_under_circular_padding_and_lose_it_under_zeros():
    """t over 12 networks as above; with zero padding up to two fifths of a sum are missing at the edges."""

    def net(mode):
        conv = lambda n: nn.Conv1d(n, 96, 5, padding=2, padding_mode=mode)  # noqa: E731
        return nn.Sequential(conv(4), phi(), conv(96), phi(), conv(96), phi(), nn.Flatten(), nn.Linear(96 * 8, 3))

    x = scale_inputs(torch.tensor(np.random.default_rng(3).standard_normal((4, 4, 8)), dtype=torch.float32), DESIGN)

    def t(mode, law):
        q = np.array([variances(initialize(net(mode), DESIGN, weights=law, rng=seed), x).mean() for seed in range(12)])
        return (q.mean() - 1) / (q.std(ddof=1) / math.sqrt(12))

    assert abs(t("circular", "gaussian")) <= 6
    assert abs(t("zeros", "delta_orthogonal")) <= 6  # the centre tap sees no padded zero, and there is no warning
    with pytest.warns(ValidityWarning, match=r"Module '0' \(Conv1d\), module '2' .* pads with zeros.*'circular'"):
        assert t("zeros", "gaussian") < -6


@pytest.mark.statistical
def test_a_design_of_gpdeep_sparse_is_taken():
    """q_l at q* = 3 over 16 networks, t as above; shares of zeros as designed, 85 %."""
    found = sparse_design("cst", 0.85, slope=0.5, q=3.0)
    x = torch.tensor(np.random.default_rng(4).standard_normal((4, 64)))
    x = x / x.square().mean(1, keepdim=True).sqrt()
    nets = [
        initialize(mlp((64, 300, 300, 5), found).double(), found, input_second_moment=1.0, rng=s) for s in range(16)
    ]
    q = np.array([variances(net, x).mean() for net in nets])
    assert abs(q.mean() / 3 - 1) <= 6 * q.std(ddof=1) / 3 / 4
    zeros = np.array([(net[:2](x) == 0).double().mean().item() for net in nets])
    assert abs(zeros.mean() - 0.85) <= 6 * zeros.std(ddof=1) / 4


# ------------------------------------------------------------------------------------------- streams


def test_hidden_layers_get_what_init_layer_gives_under_their_names():
    net = initialize(mlp((5, 6, 7, 2)), DESIGN, rng=3)
    for name in ("0", "2"):
        twin = init_layer_(copy.deepcopy(net[int(name)]).double(), DESIGN, name=name, rng=3)
        assert torch.equal(twin.weight.float(), net[int(name)].weight)
        assert torch.equal(twin.bias.float(), net[int(name)].bias)
    assert not torch.equal(*(initialize(mlp((5, 6, 7, 2)), DESIGN, rng=seed)[0].weight for seed in (0, 1)))


def test_weights_depend_neither_on_other_layers_nor_on_global_state():
    short = initialize(mlp((5, 6, 6, 2)), DESIGN)
    torch.manual_seed(99)
    deep = initialize(mlp((5, 6, 6, 6, 2)), DESIGN)
    assert torch.equal(short[0].weight, deep[0].weight)
    assert torch.equal(short[2].weight, deep[2].weight)
    before = torch.get_rng_state()
    initialize(deep, DESIGN)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("mode", [True, False])
def test_model_is_changed_in_place_and_keeps_its_mode_and_flags(mode):
    net = mlp((5, 6, 2)).train(mode).requires_grad_(False)
    assert initialize(net, DESIGN) is net
    assert net.training is mode
    assert not any(p.requires_grad for p in net.parameters())


# ------------------------------------------------------------------------------------------- what is understood


class Forward(nn.Module):
    """Layers used in another order than that of registration; calls of functions."""

    def __init__(self, call=None):
        super().__init__()
        self.out, self.body, self.phi = nn.Linear(12, 3), nn.Linear(2 * 6, 12), phi()
        self.conv, self.drop, self.call = nn.Conv1d(1, 2, 3, padding=1, padding_mode="circular"), nn.Dropout(0.5), call

    def forward(self, x):
        x = self.phi(self.conv(x.unsqueeze(1)))
        x = self.phi(self.body(x.view(x.size(0), x.size(1) * x.shape[2]).contiguous()))
        if self.call is not None:
            x = self.call(x)
        return self.out(x)


def test_order_is_that_of_execution():
    net = initialize(Forward(), DESIGN, input_second_moment=1.0)
    assert not net.out.bias.any()
    assert net.body.bias.any()
    first = init_layer_(nn.Conv1d(1, 2, 3), sigma_w=math.sqrt(1 - DESIGN.sigma_b**2), sigma_b=0.0, name="conv")
    torch.testing.assert_close(net.conv.weight, first.weight, rtol=1e-6, atol=0)  # float32's rounding


def test_functions_and_any_activation_are_read():
    design = stand_in("tanh", q=0.5)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(4))

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = torch.tanh(layer(x))
            return self.layers[-1](x).log_softmax(1)

    net = initialize(Net(), design)
    assert [bool(layer.bias.any()) for layer in net.layers] == [True, True, True, False]


def test_activation_at_the_end_makes_every_layer_hidden():
    net = initialize(nn.Sequential(nn.Linear(4, 5), phi(), nn.Linear(5, 6), phi()), DESIGN)
    assert net[2].bias.any()


def test_equal_functions_of_other_names_are_the_same_activation():
    net = nn.Sequential(nn.Linear(4, 5), nn.Hardtanh(-2, 2), nn.Linear(5, 3))
    initialize(net, stand_in("cst:0,2"))
    leaky = nn.Sequential(nn.Linear(4, 5), nn.LeakyReLU(0.25), nn.Linear(5, 5), nn.PReLU(), nn.Linear(5, 3))
    design = SimpleNamespace(
        phi=activation("prelu"), sigma_w=1.3, sigma_b=0.0, q_star=1.0, input_second_moment=1 / 1.69
    )
    initialize(leaky, design)


def test_pools_and_dropout_after_the_last_activation_disturb_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        initialize(nn.Sequential(nn.Conv2d(3, 8, 3), phi(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5),
                                 nn.Linear(8, 2), nn.LogSoftmax(1)), DESIGN)  # fmt: skip
        initialize(nn.Sequential(nn.Conv2d(3, 8, 3), phi(), nn.MaxPool2d(2), nn.Conv2d(8, 2, 3, padding=1)), DESIGN)
        initialize(nn.Sequential(nn.Linear(3, 8), phi(), nn.Dropout(0.5), nn.Linear(8, 8), phi()).eval(), DESIGN)
        initialize(nn.Sequential(nn.Conv1d(3, 8, 3, padding="valid"), phi(), nn.Identity(), nn.Flatten(),
                                 nn.Unflatten(1, (8, 4)), nn.Conv1d(8, 8, 2, stride=2), phi()), DESIGN)  # fmt: skip


@pytest.mark.parametrize(
    ("between", "message"),
    [
        (nn.AvgPool1d(2), r"Module '2' \(AvgPool1d\) averages over positions"),
        (nn.AdaptiveAvgPool1d(4), "averages"),
        (nn.Dropout(0.2), r"Module '2' \(Dropout\) drops channels"),
        (nn.Dropout1d(0.2), "drops channels"),
        (nn.ConstantPad1d(1, 0.0), "pads with constants"),
    ],
)
def test_what_changes_the_variance_on_the_way_is_said(between, message):
    net = nn.Sequential(nn.Conv1d(3, 8, 3), phi(), between, nn.Conv1d(8, 8, 3), phi(), nn.Conv1d(8, 2, 1))
    before = state(net)
    with pytest.warns(ValidityWarning, match=message):
        initialize(net, DESIGN)
    assert not unchanged(net, before)


def test_a_warning_that_is_an_error_changes_nothing():
    net = nn.Sequential(nn.Conv1d(3, 8, 3, padding="same"), phi(), nn.Conv1d(8, 2, 1))
    before = state(net)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValidityWarning, match="pads with zeros"):
            initialize(net, DESIGN)
    assert unchanged(net, before)


def test_one_warning_for_all_padded_layers():
    layers = [m for _ in range(6) for m in (nn.Conv1d(3, 3, 3, padding=1), phi())]
    with pytest.warns(ValidityWarning) as caught:
        initialize(nn.Sequential(*layers), DESIGN)
    assert len(caught) == 1
    assert "(and 3 more)" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_delta_orthogonal_weights_see_padding_that_is_wider_than_the_kernel():
    with pytest.warns(ValidityWarning, match="pads with zeros"):
        initialize(nn.Sequential(nn.Conv1d(3, 8, 3, padding=2), phi()), DESIGN, weights="delta_orthogonal")
    initialize(nn.Sequential(nn.Conv1d(3, 8, 3, padding=2, dilation=2), phi()), DESIGN, weights="delta_orthogonal")


class Branches(nn.Module):
    """What torch.fx cannot trace: a decision that depends on numbers."""

    def __init__(self, last=None, first=None):
        super().__init__()
        self.first = first or nn.Linear(4, 6)
        self.body = nn.Sequential(phi(), nn.Linear(6, 6), phi())
        self.out = last or nn.Linear(6, 2)

    def forward(self, x):
        if x.sum() > 0:
            x = -x
        return self.out(self.body(self.first(x)))


def test_without_a_trace_modules_are_taken_in_order_of_registration():
    net = Branches()
    with pytest.warns(ValidityWarning, match="The modules of Branches were taken in the order of registration.*traced"):
        initialize(net, DESIGN)
    assert net.first.bias.any()
    assert net.body[1].bias.any()
    assert not net.out.bias.any()


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (lambda: nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 2)), "'out.1' .*two weight layers in a row"),
        (lambda: nn.LSTM(6, 2), "'out' .*recurrent"),
        (lambda: nn.MultiheadAttention(6, 2), "'out' .*attention"),
        (lambda: nn.TransformerEncoderLayer(6, 2), "'out.self_attn' .*attention"),
    ],
)
def test_without_a_trace_the_rules_are_the_same(last, message):
    net = Branches(last())
    before = state(net)
    with pytest.raises(DomainError, match=message):
        initialize(net, DESIGN)
    assert unchanged(net, before)


def test_without_a_trace_a_layer_registered_twice_is_seen():
    shared = nn.Linear(6, 6)
    with pytest.raises(DomainError, match=r"'out\.2' .*used more than once"):
        initialize(Branches(nn.Sequential(shared, phi(), shared)), DESIGN)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch's own compiler
@pytest.mark.parametrize("wrap", [lambda net: torch.compile(net, backend="eager"), nn.DataParallel])
def test_wrapped_models_are_read(wrap):
    net = mlp((4, 5, 3))
    initialize(wrap(net), DESIGN)
    assert torch.equal(net[0].weight, initialize(mlp((4, 5, 3)), DESIGN)[0].weight)


class Asserting(nn.Sequential):
    def forward(self, x):
        assert x.shape[1] == 4
        return self[1](torch.relu(self[0](x)))


def test_refusals_without_a_trace_say_why_there_is_none():
    with pytest.raises(DomainError, match="two weight layers in a row") as caught:
        initialize(Asserting(nn.Linear(4, 5), nn.Linear(5, 3)), DESIGN)
    assert re.search(
        r"order of registration.* at 'assert x\.shape\[1\] == 4' \(test_init.*TraceError", caught.value.cause
    )


class Counting(nn.Module):
    """A forward that leaves traces in buffers and attributes, of itself and of a part."""

    def __init__(self, fails=False):
        super().__init__()
        self.a, self.b, self.act, self.fails = nn.Linear(4, 4), nn.Linear(4, 2), phi(), fails
        self.register_buffer("cnt", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(2))
        self.plain, self.calls, self.a.calls = torch.zeros(3), 0, 0

    def forward(self, x):
        self.cnt.add_(1)
        self.seen = self.seen + 1
        self.plain.add_(1)
        self.calls += 1
        self.a.calls += 1
        self.later = 1
        if self.fails and x.sum() > 0:
            return x
        return self.b(self.act(self.a(x)))


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("read", ["initialize", "refused", "architecture_of", "probe"])
@pytest.mark.filterwarnings("ignore:The modules of Counting:gpdeep.errors.ValidityWarning")
def test_reading_a_model_leaves_its_buffers_and_attributes(read, fails):
    net = Counting(fails)
    seen = net.seen
    with contextlib.suppress(DomainError):
        if read == "probe":
            probe(net, torch.ones(2, 4))
        elif read == "architecture_of":
            architecture_of(net)
        else:
            initialize(net, DESIGN if read == "initialize" else WIDE)
    assert net.seen is seen
    assert not any(tensor.any() for tensor in (net.cnt, net.seen, net.plain))
    assert (net.calls, net.a.calls, hasattr(net, "later")) == (0, 0, False)
    net(torch.ones(2, 4))  # negative control
    assert (net.cnt.item(), net.plain[0].item(), net.calls, net.a.calls, net.later) == (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.hardtanh(x, -2.0, 2.0),
        lambda x: torch.clamp(x, -2, 2),
        lambda x: x.clamp(min=-2, max=2),
        lambda x: x.clip(-2, 2),
        lambda x: F.hardtanh_(x, -2, 2),
    ],
)
def test_hard_tanh_is_recognised_in_whatever_words(call):
    class Net(Clamped):
        def forward(self, x):
            return self.b(call(self.a(x)))

    assert initialize(Net(), stand_in("hard_tanh:2")).a.bias.any()
    with pytest.raises(DomainError, match=r"'hard_tanh:2(\.0)?' where the design is for 'hard_tanh:1.5'"):
        initialize(Net(), stand_in("hard_tanh:1.5"))
