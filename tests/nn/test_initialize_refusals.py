"""What `initialize` refuses, by name and before anything is written."""

import math

import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from designed_models import DESIGN, Clamped, mlp, phi, state, unchanged  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.meanfield import edge_of_chaos  # noqa: E402
from gpdeep.nn import CReLU, initialize  # noqa: E402


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
