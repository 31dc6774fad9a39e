"""A whole model from a design: variances layer by layer, the rules of order, and all-or-nothing refusals."""

import contextlib
import copy
import itertools
import math
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.activations import activation  # noqa: E402
from gpdeep.errors import DomainError, ValidityWarning  # noqa: E402
from gpdeep.meanfield import edge_of_chaos  # noqa: E402
from gpdeep.nn import CReLU, architecture_of, init_layer_, initialize, module_of, probe, scale_inputs  # noqa: E402
from gpdeep.sparse import design as sparse_design  # noqa: E402


def stand_in(name, q=1.0):
    """What a design has, from the edge of chaos of any activation."""
    edge = edge_of_chaos(name, q=q)
    return SimpleNamespace(
        phi=activation(name), sigma_w=edge.sigma_w, sigma_b=edge.sigma_b, q_star=q,
        input_second_moment=(q - edge.sigma_b**2) / edge.sigma_w**2,
    )  # fmt: skip


DESIGN = stand_in("crelu:1.0364,1.1704")
WIDE = stand_in("cst:2.0728,2.3408", q=4.0)


@pytest.fixture(autouse=True)
def _one_thread():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(5)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


def phi():
    return module_of(DESIGN)


def mlp(widths, design=DESIGN, **kwargs):
    layers = []
    for n, m in itertools.pairwise(widths):
        layers += [nn.Linear(n, m, **kwargs), module_of(design)]
    return nn.Sequential(*layers[:-1])


def variances(model, x):
    """Mean square of what each activation is given, over channels, positions and inputs."""
    found = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: found.append(args[0].detach().double().square().mean().item()))
        for layer in model.modules()
        if hasattr(layer, "phi")
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return np.array(found)


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unchanged(model, before):
    return all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


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


# ------------------------------------------------------------------------------------------- what is refused


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.phi = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2), phi()

    def forward(self, x):
        x = self.a(x)
        return self.c(self.phi(x + self.b(self.phi(x))))


class Twice(Residual):
    def forward(self, x):
        return self.c(self.phi(self.b(self.phi(self.b(self.phi(self.a(x)))))))


class Unused(Residual):
    def forward(self, x):
        return self.c(self.phi(self.a(x)))


class Scaled(Residual):
    def forward(self, x):
        return self.c(2 * self.phi(self.b(self.phi(self.a(x)))))


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.phi, self.scale = nn.Linear(4, 4), phi(), nn.Parameter(torch.ones(4, 4))

    def forward(self, x):
        return F.linear(self.phi(self.a(x)), self.scale)


class MadeInForward(Bare):
    def forward(self, x):
        return CReLU(1.0364, 1.1704)(self.a(x)) @ self.scale


class Clamped(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(torch.clamp(self.a(x), 0, 1))


def tied():
    net = mlp((4, 4, 4, 4))
    net[4].weight = net[2].weight
    return net


class Listed(nn.Module):
    """Layers in a plain list, of which the model knows nothing."""

    def __init__(self, first=lambda x: x):
        super().__init__()
        self.a, self.phi, self.ls, self.first = nn.Linear(4, 4), phi(), [nn.Linear(4, 4)], first

    def forward(self, x):
        return self.ls[0](self.phi(self.a(self.first(x))))


def with_third(**parameters):
    net = mlp((6, 6, 6))
    for name, tensor in parameters.items():
        setattr(net[2], name, nn.Parameter(tensor))
    return net


def shared_bias():
    net = mlp((6, 6, 6))
    net[2].bias = net[0].bias
    return net


def overlapping():
    net, both = mlp((6, 6, 6)), torch.randn(11, 6)
    net[0].weight, net[2].weight = nn.Parameter(both[:6]), nn.Parameter(both[5:])
    return net


def expanded():
    return with_third(weight=torch.randn(1, 6).expand(6, 6))


def sparse():
    return with_third(weight=torch.eye(6).to_sparse())


def flat():
    return with_third(weight=torch.randn(6))


def between(*modules, n=6):
    return nn.Sequential(nn.Linear(4, 6), phi(), *modules, nn.Linear(n, 6), phi(), nn.Linear(6, 2))


def convs(*modules):
    return nn.Sequential(nn.Conv2d(3, 4, 3), phi(), *modules, nn.Conv2d(4, 4, 3), phi(), nn.Conv2d(4, 2, 1))


REFUSED = {
    "another activation": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)),
        "'1' .ReLU.*'relu' where the design is for 'crelu:1.0364,1.1704'.*\n.*\n.*module_of\\(design\\)",
    ),
    "other numbers": (
        lambda: nn.Sequential(nn.Linear(4, 6), CReLU(1.0364, 1.17), nn.Linear(6, 2)),
        "'crelu:1.0364,1.17' where",
    ),
    "sigmoid at the end": (lambda: nn.Sequential(*mlp((4, 6, 2)), nn.Sigmoid()), "'3' .Sigmoid.*'sigmoid' where"),
    "unknown activation": (lambda: between(nn.Softsign()), "'2' .Softsign.*not recognised as the design's"),
    "function": (Clamped, "unction 'clamp'.*'crelu:0,1' where the design is for"),
    "no activation": (lambda: nn.Sequential(nn.Linear(4, 2)), r"1 weight layer\(s\) and no activation"),
    "a layer alone": (lambda: nn.Linear(4, 2), "no activation"),
    "two layers": (lambda: nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2), phi()), "'1' .*two weight layers in a row"),
    "two at the end": (lambda: nn.Sequential(*mlp((4, 6, 2)), nn.Linear(2, 2)), "'3' .*two weight layers in a row"),
    "activation first": (lambda: nn.Sequential(phi(), *mlp((4, 6, 2))), "'0' .*before the first"),
    "activation twice": (lambda: between(phi()), "'2' .*follows another activation"),
    "batch norm": (lambda: between(nn.BatchNorm1d(6)), "'2' .BatchNorm1d.*rescales"),
    "layer norm": (lambda: between(nn.LayerNorm(6, elementwise_affine=False)), "'2' .LayerNorm.*rescales"),
    "max pool": (lambda: convs(nn.MaxPool2d(2)), "'2' .MaxPool2d.*largest of several positions"),
    "adaptive max pool": (lambda: convs(nn.AdaptiveMaxPool2d(5)), "'2' .*largest"),
    "lp pool": (lambda: convs(nn.LPPool2d(2, 2)), "'2' .LPPool2d.*no closed form"),
    "transposed": (lambda: convs(nn.ConvTranspose2d(4, 4, 3), phi()), "'2' .ConvTranspose2d.*transposed"),
    "softmax": (lambda: between(nn.Softmax(1)), "'2' .Softmax.*couples the channels"),
    "embedding": (lambda: nn.Sequential(nn.Embedding(9, 4), *mlp((4, 6, 2))), "'0' .Embedding.*looks rows up"),
    "recurrent": (lambda: between(nn.GRU(6, 6)), "'2' .GRU.*recurrent"),
    "residual": (Residual, "residual addition"),
    "twice": (Twice, "'b' .*used more than once"),
    "shared": (tied, "'4' .*its weight lies in the memory of the weight of module '2'"),
    "unused": (Unused, "'b.weight' of Linear.*does not use"),
    "scaled": (Scaled, "unction 'mul'"),
    "bare tensor": (Bare, "ensor 'scale'"),
    "module made in forward": (MadeInForward, "MadeInForward uses a CReLU that is none of its submodules"),
    "layers in a list": (Listed, r"Listed uses a Linear that is none of its submodules(.*\n)*.*nn.ModuleList"),
    "layers in a list, untraced": (lambda: Listed(lambda x: x if x.sum() > 0 else -x), "Listed uses a Linear"),
    "shared bias": (shared_bias, "'2' .*its bias lies in the memory of the bias of module '0'"),
    "overlapping views": (overlapping, "'2' .*its weight lies in the memory of the weight of module '0'"),
    "one row, expanded": (expanded, r"'2' .Linear. has a weight of shape \(6, 6\) and strides \(0, 1\)"),
    "sparse weights": (sparse, "'2' .Linear. has a weight of the layout torch.sparse_coo"),
    "weights of another rank": (flat, r"'2' .Linear. has a weight of shape \(6,\)"),
    "bilinear": (lambda: between(nn.Bilinear(6, 6, 6)), "'2' .Bilinear"),
    "no bias": (lambda: mlp((4, 6, 2), bias=False), "odule '0' .Linear. has no bias"),
    "no bias in the last hidden": (
        lambda: nn.Sequential(nn.Linear(4, 6), phi(), nn.Linear(6, 6, bias=False), phi(), nn.Linear(6, 2)),
        "odule '2' .Linear. has no bias",
    ),
    "lazy": (lambda: between(nn.LazyLinear(6), phi()), "'2' .LazyLinear.*not initialised"),
    "meta": (lambda: nn.Sequential(nn.Linear(4, 6, device="meta"), phi()), "'0' .*meta device"),
    "normalised weights": (
        lambda: between(nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)), phi()),
        "'2' .*computed from other tensors",
    ),
    "complex": (lambda: between(nn.Linear(6, 6, dtype=torch.complex64), phi()), "'2' .*complex64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_models_keep_their_weights(name):
    make, message = REFUSED[name]
    net = make()
    plain = name not in ("lazy", "meta", "sparse weights")
    before = state(net) if plain else None
    with pytest.raises(DomainError, match=message) as caught:
        initialize(net, DESIGN)
    assert str(caught.value).count("\n  ") == 2
    assert not plain or unchanged(net, before)


def test_views_of_one_tensor_that_share_no_entry_are_independent():
    both = torch.randn(6, 12)
    net = with_third(weight=both[:, 6:])
    net[0].weight = nn.Parameter(both[:, :6])
    initialize(net, DESIGN)
    assert torch.equal(net[2].weight, initialize(mlp((6, 6, 6)), DESIGN)[2].weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_sigma_w": 1e30}, r"odule '2' .Linear. holds numbers up to 6.55e\+04 .torch.float16.*4.08e\+29"),
        ({"input_second_moment": 1e-12}, "odule '0' .Linear. holds numbers up to"),
    ],
)
def test_numbers_that_overflow_the_type_are_refused_before_any_is_written(arguments, message):
    net = mlp((6, 6, 6)).half()
    before = state(net)
    with pytest.raises(DomainError, match=message):
        initialize(net, DESIGN, **arguments)
    assert unchanged(net, before)
    initialize(net.double(), DESIGN, **arguments)


def test_largest_numbers_that_are_accepted_do_not_overflow():
    """12.3 standard deviations are held; 2·10⁶ normal numbers reach 5 of them."""
    net = mlp((1000, 1000, 1000)).half()
    initialize(net, DESIGN, output_sigma_w=math.sqrt(1000) * 65504 / 12.4)
    assert net[2].weight.isfinite().all()
    with pytest.raises(DomainError, match="holds numbers up to"):
        initialize(net, DESIGN, output_sigma_w=math.sqrt(1000) * 65504 / 12.2)


def test_even_kernels_are_refused_for_delta_orthogonal_weights_before_anything_is_changed():
    net = nn.Sequential(nn.Conv1d(3, 4, 3), phi(), nn.Conv1d(4, 4, 2), phi(), nn.Conv1d(4, 2, 2))
    before = state(net)
    with pytest.raises(DomainError, match=r"'2' .*no centre"):
        initialize(net, DESIGN, weights="delta_orthogonal")
    assert unchanged(net, before)
    initialize(
        nn.Sequential(*list(net)[:2], nn.Conv1d(4, 2, 2)), DESIGN, weights="delta_orthogonal"
    )  # output: Gaussian


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "he"}, "weights is 'he'"),
        ({"rng": 1.5}, "rng is 1.5"),
        ({"input_second_moment": 0.0}, "input_second_moment = 0.0"),
        ({"input_second_moment": math.nan}, "input_second_moment = nan"),
        ({"output_sigma_w": -1.0}, "output_sigma_w = -1.0"),
        ({"design": "crelu:1,1"}, "The design is 'crelu:1,1', without phi"),
        ({"design": edge_of_chaos("tanh", q=1.0)}, "without phi"),
        ({"model": "net.pt"}, "A str was given"),
        ({"model": nn.Sequential}, "A type was given"),
        ({"output_sigma_w": torch.ones(2)}, "output_sigma_w = .?tensor"),
        ({"input_second_moment": torch.ones((), device="meta")}, "input_second_moment = .?tensor"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    net = mlp((4, 6, 2))
    before = state(net)
    with pytest.raises(DomainError, match=message):
        initialize(**{"model": net, "design": DESIGN, **arguments})
    assert unchanged(net, before)


# ------------------------------------------------------------------------------------------- scale_inputs


@pytest.mark.parametrize("shape", [(5, 7), (5, 3, 4), (5, 1, 2, 3)])
def test_inputs_get_the_mean_square_of_the_design_sample_by_sample(shape):
    x = np.random.default_rng(0).standard_normal(shape) * np.logspace(-200, 200, 5).reshape(5, *[1] * (len(shape) - 1))
    axes = tuple(range(1, len(shape)))
    for y in (scale_inputs(x, WIDE), scale_inputs(torch.tensor(x), WIDE).numpy()):
        np.testing.assert_allclose((y**2).mean(axes), WIDE.input_second_moment, rtol=1e-14)  # a dozen roundings
        np.testing.assert_allclose(y / x, np.broadcast_to((y / x).max(axes, keepdims=True), shape), rtol=1e-14)


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (np.ones((2, 3), np.float32), np.float32), (np.ones((2, 3), np.uint8), np.float64), ([[1, 2]], np.float64),
        (torch.ones(2, 3, dtype=torch.bfloat16), torch.bfloat16), (torch.ones(2, 3, dtype=torch.uint8), torch.float32),
    ],
)  # fmt: skip
def test_type_of_scaled_inputs(x, dtype):
    assert scale_inputs(x, DESIGN).dtype == dtype


def test_scaled_inputs_carry_gradients_and_an_empty_batch_stays_empty():
    x = torch.randn(3, 4, requires_grad=True)
    scale_inputs(x, DESIGN).square().sum().backward()
    assert x.grad.abs().max() < 1e-6  # the length is fixed
    assert scale_inputs(np.zeros((0, 4)), DESIGN).shape == (0, 4)


@pytest.mark.parametrize("make", [np.array, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]], r"Sample 1 of 3 is zero \(2 of them"),
        ([[1.0, 2.0], [3.0, math.nan]], "Sample 1 of 2 has entries that are NaN"),
        ([[1.0, -math.inf]], "Sample 0 of 1 has entries that are NaN or infinite"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[], []], r"shape \(2, 0\)"),
        ([[1j, 2.0]], "complex"),
    ],
)
def test_samples_without_a_length_are_refused(make, x, message):
    with pytest.raises(DomainError, match=message):
        scale_inputs(make(x), DESIGN)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([["a"]], "type <U1"),
        ([[1, 2], [3]], "cannot be made an array"),
        (torch.eye(3).to_sparse(), "layout torch.sparse_coo"),
        (torch.ones(2, 3, device="meta"), "device meta"),
    ],
)
def test_what_is_no_dense_array_of_numbers_is_no_input(x, message):
    with pytest.raises(DomainError, match=message):
        scale_inputs(x, DESIGN)


def test_an_empty_batch_of_tensors_stays_empty():
    assert scale_inputs(torch.randn(0, 3), DESIGN).shape == (0, 3)
