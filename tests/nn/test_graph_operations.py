"""What each kind of operation makes of channels: against graphs by hand, with masks that tell channels apart."""

from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.activations import Mixture, TwoSlope, activation  # noqa: E402
from gpdeep.linearize import Graph, path_length  # noqa: E402
from gpdeep.nn import (  # noqa: E402
    CST,
    CReLU,
    PartialReLU,
    ReLUTau,
    SoftThreshold,
    graph_of,
    module_of,
    register_rule,
)

MASK = [1, 1, 0, 1, 0, 0]  # of six channels: which of them a path runs through is seen from its length
SLOPES = torch.tensor([0.0 if m else 1.0 for m in MASK])


class Net(nn.Module):
    """`forward(self, x)` as a function, with layers as keyword arguments."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.function = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *args):
        return self.function(self, *args)


def lengths(graph):
    """NAPL, APL and the number of paths, and NAPL of each output channel: a fingerprint of where paths run."""
    every = [path_length(graph, weight=weight, exact=True) for weight in ("branch", "path")]
    wires = graph.wires()
    (number,) = graph.outputs.values()
    each = []
    for channel in range(wires[number].channels):
        try:
            each.append(path_length(Graph.of(wires[number][[channel]]), exact=True).exact)
        except ValueError:
            each.append(None)
    return [f.exact for f in every], every[1].log10_paths, each


def masked(x):
    """The input, with six channels along axis 1, of which some are rectified."""
    return F.prelu(x, SLOPES)


def start():
    return Graph.input(6).relu(MASK)


IMAGES, VECTORS = torch.zeros(2, 6, 4, 4), torch.zeros(2, 6)

MOVEMENTS = {
    "flatten": (lambda s, x: torch.flatten(x, 1), lambda h: h.flatten(16)),
    "view": (lambda s, x: x.view(x.size(0), -1), lambda h: h.flatten(16)),
    "reshape": (lambda s, x: x.reshape(len(x), 6 * 16), lambda h: h.flatten(16)),
    "reshape after permute": (
        lambda s, x: x.permute(0, 2, 3, 1).reshape(2, -1),
        lambda h: h.index(list(range(6)) * 16),
    ),
    "slice": (lambda s, x: x[:, 1:4], lambda h: h[1:4]),
    "slice with a step": (lambda s, x: x[:, ::2, ::2, ::2], lambda h: h[::2]),
    "list of channels": (lambda s, x: x[:, [5, 0, 0]], lambda h: h[[5, 0, 0]]),
    "reversed": (lambda s, x: x.flip(1), lambda h: h[::-1]),
    "rolled": (lambda s, x: torch.roll(x, 2, dims=1), lambda h: h[[4, 5, 0, 1, 2, 3]]),
    "index_select": (lambda s, x: x.index_select(1, torch.tensor([3, 1])), lambda h: h[[3, 1]]),
    "narrow": (lambda s, x: x.narrow(1, 2, 3), lambda h: h[2:5]),
    "chunk": (lambda s, x: x.chunk(3, dim=1)[1], lambda h: h[2:4]),
    "split": (lambda s, x: torch.split(x, [1, 5], dim=1)[1], lambda h: h[1:]),
    "unbind": (lambda s, x: torch.stack(x.unbind(1)[3:], 1), lambda h: h[3:]),
    "select": (lambda s, x: x[:, 2].unsqueeze(1), lambda h: h[2:3]),
    "pad": (lambda s, x: F.pad(x, (1, 1, 0, 2, 2, 1)), lambda h: h.pad(2, 1)),
    "pad of positions": (lambda s, x: F.pad(x, (1, 1, 1, 1), mode="reflect"), lambda h: h),
    "zero padding module": (lambda s, x: nn.ZeroPad2d(2)(x), lambda h: h),
    "cat with zeros": (lambda s, x: torch.cat([x, x.new_zeros(2, 2, 4, 4)], 1), lambda h: h.pad(0, 2)),
    "cat": (lambda s, x: torch.cat((x, x[:, :2]), dim=1), lambda h: Graph.concat(h, h[:2])),
    "shuffle": (
        lambda s, x: x.view(2, 2, 3, 4, 4).transpose(1, 2).contiguous().view(2, 6, 4, 4),
        lambda h: h.shuffle(2),
    ),
    "shuffle module": (lambda s, x: nn.ChannelShuffle(3)(x), lambda h: h.shuffle(3)),
    "pixel unshuffle": (lambda s, x: F.pixel_unshuffle(x, 2), lambda h: h.flatten(4)),
    "repeat": (lambda s, x: x.repeat(1, 2, 1, 1), lambda h: Graph.concat(h, h)),
    "repeat_interleave": (lambda s, x: x.repeat_interleave(2, dim=1), lambda h: h.flatten(2)),
    "expand": (lambda s, x: s.conv(x[:, 2:3].expand(-1, 3, -1, -1)), lambda h: h[[2, 2, 2]].dense(2)),
    "there and back": (lambda s, x: x.permute(2, 3, 1, 0).movedim(-1, 0).permute(0, 3, 1, 2), lambda h: h),
    "written into zeros": (lambda s, x: into_zeros(x), lambda h: h.pad(1, 2)),
    "written in place": (lambda s, x: into_copy(x), lambda h: Graph.concat(h[:2], h[4:], h[4:])),
    "shifted in time": (lambda s, x: shifted(x), lambda h: h),
    "unfold": (lambda s, x: F.unfold(x, 2), lambda h: h.flatten(4)),
    "unfold with zeros": (lambda s, x: F.unfold(x, 3, padding=1), lambda h: h.flatten(9)),
    "fold": (lambda s, x: F.fold(F.unfold(x, 2), 4, 2), lambda h: h.flatten(4).dense(6, groups=6)),
}


def into_zeros(x):
    out = torch.zeros(2, 9, 4, 4)
    out[:, 1:7] = x
    return out


def into_copy(x):
    out = x.clone()
    out[:, 2:4] = x[:, 4:]
    return out


def shifted(x):
    out = torch.zeros_like(x)
    out[:, :2, 1:] = x[:, :2, :-1]
    out[:, 2:] = x[:, 2:]
    return out


@pytest.mark.parametrize("name", MOVEMENTS)
def test_moving_numbers_about_moves_channels(name):
    forward, by_hand = MOVEMENTS[name]
    found = graph_of(Net(lambda s, x: forward(s, masked(x)), conv=nn.Conv2d(3, 2, 1)), IMAGES)
    assert lengths(found) == lengths(Graph.of(by_hand(start())))


def test_a_shuffle_the_other_way_round_is_another_one():
    """Negative control: the fingerprint tells shuffles apart."""
    forward, _ = MOVEMENTS["shuffle"]
    found = graph_of(Net(lambda s, x: forward(s, masked(x))), IMAGES)
    assert lengths(found) != lengths(Graph.of(start().shuffle(3)))


class ShuffledByHand(nn.Module):
    def forward(self, x):
        b, c, h, w = x.shape
        x = x.view(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3)
        return x.reshape(b, c // 4, 2 * h, 2 * w)


@pytest.mark.parametrize("shuffle", [nn.PixelShuffle(2), ShuffledByHand()])
def test_a_pixel_shuffle_merges_the_channels_that_become_positions(shuffle):
    """Channel c is made of channels 4c, ..., 4c + 3, each at other positions."""
    slopes = torch.tensor([0.0, 1, 1, 1, 0, 0, 0, 1])

    def forward(s, x):
        return s.conv(F.prelu(s.act(s.shuffle(F.prelu(x, slopes))), torch.tensor([1.0, 0.0])))

    model = Net(forward, conv=nn.Conv2d(2, 2, 1, groups=2), shuffle=shuffle, act=nn.GELU())
    found = graph_of(model, (1, 8, 3, 3))
    merged = Graph.input(8).relu((slopes == 0).long().numpy()).dense(2, groups=2)
    by_hand = Graph.of(merged.relu().relu([0, 1]).dense(2, groups=2))
    assert lengths(found)[0][0] == lengths(by_hand)[0][0] == Fraction(1, 2) * (Fraction(5, 4) + Fraction(11, 4))
    assert lengths(found)[2] == lengths(by_hand)[2]


COPIES = {
    "batch norm": lambda: nn.BatchNorm2d(6),
    "instance norm": lambda: nn.InstanceNorm2d(6),
    "group norm": lambda: nn.GroupNorm(2, 6),
    "layer norm": lambda: nn.LayerNorm([6, 4, 4]),
    "local response norm": lambda: nn.LocalResponseNorm(2),
    "dropout": lambda: nn.Dropout(0.5),
    "dropout2d": lambda: nn.Dropout2d(0.5),
    "average pool": lambda: nn.AvgPool2d(2),
    "adaptive pool": lambda: nn.AdaptiveAvgPool2d(1),
    "max pool": lambda: nn.MaxPool2d(2),
    "adaptive max pool": lambda: nn.AdaptiveMaxPool2d(2),
    "upsample": lambda: nn.Upsample(scale_factor=2),
    "bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "softmax": lambda: nn.Softmax(dim=1),
    "identity": lambda: nn.Identity(),
    "mean": lambda: Net(lambda s, x: x.mean(dim=(2, 3), keepdim=True)),
    "mean of a mean": lambda: Net(lambda s, x: x.mean(3).mean(2)),
    "sum": lambda: Net(lambda s, x: torch.sum(x, dim=[-2, -1])),
    "max": lambda: Net(lambda s, x: x.amax(dim=(2, 3))),
    "max with indices": lambda: Net(lambda s, x: x.max(dim=3).values.max(2)[0]),
    "scaled": lambda: Net(lambda s, x: 3 * x / 2 - 1),
    "scaled by channel": lambda: Net(lambda s, x: x * torch.arange(6.0).view(6, 1, 1) + torch.ones(6, 1, 1)),
    "negated": lambda: Net(lambda s, x: 1 - x),
    "in place": lambda: Net(lambda s, x: x.mul_(2).add_(1).sub_(3).div_(2).neg_()),
    "cast": lambda: Net(lambda s, x: x.double().to(torch.float32).float()),
    "depthwise mixing of positions": lambda: Net(lambda s, x: s.fc(x), fc=nn.Linear(4, 7)),
    "mixing by a matrix": lambda: Net(lambda s, x: torch.ones(5, 4) @ x),
    "einsum over positions": lambda: Net(lambda s, x: torch.einsum("bchw,wk->bckh", x, torch.ones(4, 3))),
    "normalize": lambda: Net(lambda s, x: F.normalize(x, dim=1)),
    "grid": lambda: Net(lambda s, x: F.grid_sample(x, torch.zeros(2, 3, 3, 2), align_corners=False)),
    "masked": lambda: Net(lambda s, x: x.masked_fill(torch.eye(4) > 0, -1.0)),
    "chosen": lambda: Net(lambda s, x: torch.where(torch.eye(4) > 0, x, torch.zeros(()))),
    "cumulated positions": lambda: Net(lambda s, x: x.cumsum(dim=2)),
    "sorted positions": lambda: Net(lambda s, x: x.sort(dim=3).values),
    "positions at an index": lambda: Net(lambda s, x: x[:, :, 0, torch.tensor([1, 2])]),
    "last of sequence": lambda: Net(lambda s, x: x[torch.arange(2), :, 3]),
}


@pytest.mark.parametrize("name", COPIES)
def test_what_keeps_channels_apart(name):
    found = graph_of(Net(lambda s, x: s.layer(masked(x)), layer=COPIES[name]()), IMAGES, channel_axis=1)
    assert lengths(found) == lengths(Graph.of(start()))


ACTIVATIONS = {
    "ReLU": nn.ReLU(),
    "ReLU6": nn.ReLU6(),
    "LeakyReLU": nn.LeakyReLU(0.1),
    "GELU": nn.GELU(),
    "SiLU": nn.SiLU(inplace=True),
    "Mish": nn.Mish(),
    "Tanh": nn.Tanh(),
    "Sigmoid": nn.Sigmoid(),
    "ELU": nn.ELU(),
    "SELU": nn.SELU(inplace=True),
    "CELU": nn.CELU(),
    "Softplus": nn.Softplus(),
    "Softsign": nn.Softsign(),
    "Softshrink": nn.Softshrink(),
    "Hardshrink": nn.Hardshrink(),
    "Tanhshrink": nn.Tanhshrink(),
    "Hardtanh": nn.Hardtanh(),
    "Hardsigmoid": nn.Hardsigmoid(),
    "Hardswish": nn.Hardswish(),
    "LogSigmoid": nn.LogSigmoid(),
    "Threshold": nn.Threshold(0.1, 0.0),
    "RReLU": nn.RReLU(),
    "PReLU": nn.PReLU(),
    "ReLUTau": ReLUTau(1.0),
    "SoftThreshold": SoftThreshold(1.0),
    "CReLU": CReLU(1.0, 1.0),
    "CST": CST(1.0, 1.0),
    "Elementwise": module_of("sin"),
    "torch.relu": Net(lambda s, x: torch.relu(x)),
    "relu_": Net(lambda s, x: x.relu_()),
    "F.relu in place": Net(lambda s, x: F.relu(x, inplace=True)),
    "F.leaky_relu_": Net(lambda s, x: F.leaky_relu_(x, 0.2)),
    "tanh method": Net(lambda s, x: x.tanh()),
    "clamp": Net(lambda s, x: x.clamp(min=0)),
    "clamp both": Net(lambda s, x: torch.clamp(x, -1, 1)),
    "abs": Net(lambda s, x: abs(x)),
    "exp": Net(lambda s, x: torch.exp(x)),
    "square": Net(lambda s, x: x**2),
    "reciprocal": Net(lambda s, x: 1 / (1 + x)),
    "maximum": Net(lambda s, x: torch.maximum(x, torch.zeros(()))),
    "max of two": Net(lambda s, x: torch.max(x, torch.zeros(1))),
    "maximum of functions": Net(lambda s, x: torch.maximum(x, 0.1 * x)),
    "swish by hand": Net(lambda s, x: x * torch.sigmoid(x)),
    "swish with a constant": Net(lambda s, x: x * torch.sigmoid(1.702 * x)),
    "gelu by hand": Net(lambda s, x: 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.04 * x**3)))),
    "softsign by hand": Net(lambda s, x: x / (1 + x.abs())),
    "relu by a mask": Net(lambda s, x: x * (x > 0)),
    "leaky by where": Net(lambda s, x: torch.where(x > 0, x, 0.1 * x)),
    "relu by masked_fill": Net(lambda s, x: x.masked_fill(x < 0, 0.0)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_units(name):
    layer = ACTIVATIONS[name]
    found = graph_of(nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2)), torch.zeros(1, 3))
    result = path_length(found)
    assert result.value == 1.0
    assert [(x.channels, x.nonlinear) for x in result.layers][-1] == (4, 4)


LINEAR = {
    "LeakyReLU of slope 1": nn.LeakyReLU(1.0),
    "PReLU of slope 1": nn.PReLU(init=1.0),
    "SoftThreshold of 0": SoftThreshold(0.0),
    "identity": module_of("identity"),
    "line": module_of(TwoSlope("line", -2.0, -2.0)),
    "power 1": Net(lambda s, x: x**1),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_activations_are_none(name):
    model = nn.Sequential(nn.Linear(3, 4), LINEAR[name], nn.Linear(4, 2))
    assert path_length(graph_of(model, torch.zeros(1, 3))).value == 0.0


@pytest.mark.parametrize("layer", [PartialReLU(4, 1.0), nn.PReLU(4, 1.0), nn.LeakyReLU(1.0)], ids=str)
def test_a_layer_whose_channels_are_all_linear_is_called_so(layer):
    model = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    kinds = [line.split()[1:4] for line in str(path_length(graph_of(model, torch.zeros(1, 3)))).splitlines()[2:4]]
    assert kinds == [["linear", "4", "0"], ["relu", "4", "4"]]


def test_slopes_of_modules_are_read():
    cases = {
        nn.LeakyReLU(0.5): 0.25 / 1.25,
        module_of(TwoSlope("mirrored", 1.0, 0.5)): 0.25 / 1.25,
        module_of(Mixture((activation("relu"), activation("identity")), (0.25, 0.75))): 0.25,
        module_of("abs"): 2.0,
        nn.RReLU(0.5, 0.5): 0.25 / 1.25,
    }
    for layer, g in cases.items():
        graph = graph_of(nn.Sequential(nn.Linear(3, 8), layer, nn.Linear(8, 2)), torch.zeros(1, 3))
        np.testing.assert_allclose(path_length(graph, unit="g").value, g, rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", [(6,), (1,), (6, 4, 4)])
def test_partial_relus_of_every_granularity(shape):
    act = PartialReLU(6, shape=shape)
    frozen = torch.zeros(shape, dtype=torch.bool)
    frozen[0] = True
    if len(shape) > 1:
        frozen[1, :2] = True
    act.freeze(frozen)
    graph = graph_of(nn.Sequential(act, nn.Conv2d(6, 2, 1)), IMAGES)
    expected = {1: Fraction(5, 6) if shape == (6,) else 0, 3: Fraction(4, 6) + Fraction(1, 12)}[len(shape)]
    assert path_length(graph, exact=True).exact == expected


def test_channels_may_lie_along_the_last_axis():
    act = PartialReLU(6, channel_dim=-1)
    act.freeze(torch.tensor([not m for m in MASK]))
    graph = graph_of(nn.Sequential(nn.Linear(3, 6), act, nn.Linear(6, 2)), torch.zeros(2, 5, 3))
    assert path_length(graph).value == 0.5


class HasSlopes(nn.Module):
    """A module of the user's own with the protocol, and a forward that nobody could read."""

    def __init__(self):
        super().__init__()
        self.slopes = nn.Parameter(SLOPES.clone())

    def channel_slopes(self):
        return self.slopes.detach()

    def forward(self, x):
        return torch.from_numpy(x.detach().numpy() * self.slopes.detach().numpy())


def test_modules_with_channel_slopes_are_read_whole():
    graph = graph_of(nn.Sequential(HasSlopes(), nn.Linear(6, 2)), torch.zeros(1, 6))
    assert path_length(graph).value == 0.5
    assert path_length(graph).layers[0].nonlinear == 3


DENSE = {
    "linear": (nn.Linear(6, 4), VECTORS, lambda h: h.dense(4)),
    "conv1d": (nn.Conv1d(6, 4, 3), torch.zeros(1, 6, 5), lambda h: h.dense(4)),
    "conv2d": (nn.Conv2d(6, 4, 3, padding="same", padding_mode="circular"), IMAGES, lambda h: h.dense(4)),
    "conv3d": (nn.Conv3d(6, 4, 1), torch.zeros(1, 6, 2, 2, 2), lambda h: h.dense(4)),
    "grouped": (nn.Conv2d(6, 9, 3, groups=3), IMAGES, lambda h: h.dense(9, groups=3)),
    "depthwise": (nn.Conv2d(6, 12, 3, groups=6), IMAGES, lambda h: h.dense(12, groups=6)),
    "transposed": (nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2), IMAGES, lambda h: h.dense(4, groups=2)),
    "unbatched": (nn.Conv2d(6, 4, 3), torch.zeros(6, 5, 5), lambda h: h.dense(4)),
    "matmul": (Net(lambda s, x: x @ torch.ones(6, 4)), VECTORS, lambda h: h.dense(4)),
    "from the left": (Net(lambda s, x: torch.ones(4, 6) @ x), torch.zeros(1, 6, 5), lambda h: h.dense(4)),
    "addmm": (Net(lambda s, x: torch.addmm(torch.ones(4), x, torch.ones(6, 4))), VECTORS, lambda h: h.dense(4)),
    "mv": (Net(lambda s, x: torch.ones(4, 6).mv(x[0]).unsqueeze(0)), VECTORS, lambda h: h.dense(4)),
    "einsum": (Net(lambda s, x: torch.einsum("bi,oi->bo", x, torch.ones(4, 6))), VECTORS, lambda h: h.dense(4)),
    "einsum with dots": (
        Net(lambda s, x: torch.einsum("bc...,oc->bo...", x, torch.ones(4, 6))),
        IMAGES,
        lambda h: h.dense(4),
    ),
    "einsum by groups": (
        Net(lambda s, x: torch.einsum("bgi,gio->bgo", x.view(2, 2, 3), torch.ones(2, 3, 4)).flatten(1)),
        VECTORS,
        lambda h: h.dense(8, groups=2),
    ),
    "bmm by groups": (
        Net(lambda s, x: torch.bmm(x.view(2, 3, 2).transpose(0, 1), torch.ones(3, 2, 4)).transpose(0, 1).flatten(1)),
        VECTORS,
        lambda h: h.dense(12, groups=3),
    ),
    "linear on groups": (
        Net(lambda s, x: s.fc(x.view(2, 2, 3)).flatten(1), fc=nn.Linear(3, 4)),
        VECTORS,
        lambda h: h.dense(8, groups=2),
    ),
    "tensordot": (
        Net(lambda s, x: torch.tensordot(x, torch.ones(4, 6), dims=([1], [1]))),
        VECTORS,
        lambda h: h.dense(4),
    ),
    "flattened": (Net(lambda s, x: s.fc(x.flatten(1)), fc=nn.Linear(96, 4)), IMAGES, lambda h: h.flatten(16).dense(4)),
    "sum over channels": (Net(lambda s, x: x.sum(1, keepdim=True)), IMAGES, lambda h: h.dense(1)),
    "mean over channels": (Net(lambda s, x: x.mean(dim=1)), VECTORS, lambda h: h.dense(1)),
    "mean over everything": (Net(lambda s, x: x.mean()), IMAGES, lambda h: h.dense(1)),
    "mean over groups": (Net(lambda s, x: x.view(2, 2, 3).mean(2)), VECTORS, lambda h: h.dense(2, groups=2)),
    "maxout": (Net(lambda s, x: x.view(2, 3, 2).max(dim=2)[0]), VECTORS, lambda h: h.dense(3, groups=3)),
    "weight norm": (nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), VECTORS, lambda h: h.dense(4)),
    "loss": (Net(lambda s, x: F.cross_entropy(x, torch.zeros(2, dtype=torch.long))), VECTORS, lambda h: h.dense(1)),
}


@pytest.mark.parametrize("name", DENSE)
def test_sums_over_channels(name):
    layer, example, by_hand = DENSE[name]
    axis = 0 if name == "unbatched" else 1

    def forward(s, x):
        slopes = SLOPES.view([6 if k == axis else 1 for k in range(x.ndim)])
        return s.layer(F.prelu(x, SLOPES) if axis == 1 else torch.where(x > 0, x, slopes * x))

    if name == "unbatched":
        act = PartialReLU(6, channel_dim=0)
        act.freeze(SLOPES == 1)
        model = nn.Sequential(act, layer)
    else:
        model = Net(forward, layer=layer)
    assert lengths(graph_of(model, example, channel_axis=axis)) == lengths(Graph.of(by_hand(start())))


def test_embeddings_are_read_from_one_token():
    model = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 10))
    graph = graph_of(model, torch.zeros(2, 5, dtype=torch.long))
    by_hand = Graph.of(Graph.input(1).dense(6).dense(4).relu().dense(10))
    assert lengths(graph) == lengths(by_hand)


# ------------------------------------------------------------------------------------------- sums and joins


def test_adding_constants_is_no_operand():
    model = Net(lambda s, x: x + s.bias + torch.ones(1, 1) + 3, bias=nn.Parameter(torch.zeros(6)))
    graph = graph_of(Net(lambda s, x: s.inner(masked(x)), inner=model), VECTORS)
    assert lengths(graph) == lengths(Graph.of(start()))


def test_broadcast_sums():
    graph = graph_of(
        Net(lambda s, x: masked(x) + s.fc(masked(x).mean((2, 3)))[:, :, None, None], fc=nn.Linear(6, 6)), IMAGES
    )
    h = start()
    assert lengths(graph) == lengths(Graph.of(h + h.dense(6)))
    one = graph_of(Net(lambda s, x: masked(x) + s.conv(masked(x)), conv=nn.Conv2d(6, 1, 1)), IMAGES)
    assert lengths(one) == lengths(Graph.of(h + h.dense(1)[[0] * 6]))


def test_concatenation_along_positions_is_a_sum():
    model = Net(lambda s, x: torch.cat([masked(x), s.conv(masked(x))], dim=2), conv=nn.Conv2d(6, 6, 1))
    h = start()
    assert lengths(graph_of(model, IMAGES)) == lengths(Graph.of(h + h.dense(6)))
    token = Net(
        lambda s, x: s.fc(torch.cat([s.cls.expand(2, -1, -1), s.fc(x)], 1)),
        fc=nn.Linear(6, 6),
        cls=nn.Parameter(torch.zeros(1, 1, 6)),
    )
    assert lengths(graph_of(token, torch.zeros(2, 5, 6))) == lengths(Graph.of(Graph.input(6).dense(6).dense(6)))


def test_stacked_tensors_are_channels_apart_until_they_are_summed():
    def stacked(end):
        return graph_of(
            Net(lambda s, x: end(torch.stack([masked(x), s.fc(masked(x))], 1)), fc=nn.Linear(6, 6)), VECTORS
        )

    h = start()
    assert lengths(stacked(lambda y: y.sum(1))) == lengths(Graph.of(h + h.dense(6)))
    assert lengths(stacked(lambda y: y[:, 1])) == lengths(Graph.of(h.dense(6)))
    assert lengths(stacked(lambda y: y.flatten(1))) == lengths(Graph.of(Graph.concat(h, h.dense(6))))


def test_alpha_scales_the_second_operand():
    model = Net(lambda s, x: torch.add(x, s.fc(F.relu(x)), alpha=0.5), fc=nn.Linear(6, 6))
    graph = graph_of(model, VECTORS)
    np.testing.assert_allclose(path_length(graph, weight="variance").value, 0.25 / 1.25, rtol=1e-12, atol=0)
    mixed = Net(lambda s, x: torch.lerp(x, s.fc(F.relu(x)), 0.25), fc=nn.Linear(6, 6))
    np.testing.assert_allclose(path_length(graph_of(mixed, VECTORS), weight="variance").value, 0.1, rtol=1e-12, atol=0)


def test_normalisations_and_their_factors_enter_theoretical_moments():
    def model(norm):
        return Net(lambda s, x: x + s.fc(F.relu(s.norm(x))), fc=nn.Linear(6, 6), norm=norm)

    with torch.no_grad():
        scaled = nn.BatchNorm1d(6)
        scaled.weight.fill_(0.5)
        layer = nn.LayerNorm(6)
        layer.weight.zero_()
    for norm, share in ((nn.BatchNorm1d(6), 1 / 2), (scaled, 0.25 / 1.25), (layer, 0.0), (nn.GroupNorm(2, 6), 1 / 2)):
        found = path_length(graph_of(model(norm), VECTORS), weight="variance").value
        np.testing.assert_allclose(found, share, rtol=1e-12, atol=0)


# ------------------------------------------------------------------------------------------- inputs and outputs


def test_several_inputs_and_outputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(5, 4), nn.Linear(4, 2)

        def forward(self, x, y, scale=1.0):
            h = self.a(x) + F.relu(self.b(y)) * scale
            return {"logits": self.c(F.relu(h)), "features": [h, torch.ones(3)]}

    for example in (
        (torch.zeros(1, 3), torch.zeros(1, 5)),
        {"x": torch.zeros(1, 3), "y": np.zeros((1, 5)), "scale": 2.0},
    ):
        graph = graph_of(Two(), example)
        assert list(graph.outputs) == ["logits", "features[0]"]
        assert path_length(graph, output="logits").value == 1.5
        assert path_length(graph, output="features[0]").value == 0.5
        assert path_length(graph).value == 1.0


@pytest.mark.parametrize(
    ("model", "shape", "channels"),
    [
        (nn.Sequential(nn.Linear(6, 4), nn.ReLU()), (2, 5, 6), 6),
        (nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 4)), (2, 5, 6), 6),
        (nn.Sequential(nn.Conv1d(5, 4, 1), nn.ReLU()), (2, 5, 6), 5),
        (Net(lambda s, x: s.c(x.transpose(1, 2)), c=nn.Conv1d(6, 4, 1)), (2, 5, 6), 6),
        (Net(lambda s, x: s.c(x.permute(0, 3, 1, 2)), c=nn.Conv2d(6, 4, 1)), (2, 5, 5, 6), 6),
        (Net(lambda s, x: s.f(x.flatten(1)), f=nn.Linear(16, 4)), (2, 1, 4, 4), 1),
        (Net(lambda s, x: s.f(x.flatten(1)), f=nn.Linear(48, 4)), (2, 3, 4, 4), 3),
        (nn.Sequential(nn.Conv2d(1, 4, 3)), (2, 1, 4, 4), 1),
        (nn.Sequential(nn.Linear(6, 4), nn.ReLU()), (6,), 6),
        (nn.Sequential(nn.Linear(1, 4), nn.ReLU()), (2, 7, 1), 1),
        (Net(lambda s, x: s.c(x.unsqueeze(1)), c=nn.Conv1d(1, 4, 3)), (2, 7), 1),
        (Net(lambda s, x: s.c(x[:, None]), c=nn.Conv2d(1, 4, 3)), (2, 7, 7), 1),
        (Net(lambda s, x: s.c(x.unsqueeze(-1)), c=nn.Linear(1, 4)), (2, 7), 1),
    ],
)
def test_the_channels_of_an_input_are_those_that_the_first_layer_takes(model, shape, channels):
    graph = graph_of(model, torch.zeros(shape))
    assert [node.channels for node in graph.nodes if node.name == "input"] == [channels]


def test_axes_of_several_inputs_are_found_one_by_one():
    def forward(s, x, y, z):
        return s.a(x).mean(1) + s.b(y) + s.c(z).mean((2, 3))

    model = Net(forward, a=nn.Linear(6, 4), b=nn.Linear(5, 4), c=nn.Conv2d(3, 4, 1))
    graph = graph_of(model, (torch.zeros(2, 7, 6), torch.zeros(2, 5), torch.zeros(2, 3, 4, 4)))
    assert [node.channels for node in graph.nodes if node.name.startswith("input")] == [6, 5, 3]


def test_shapes_and_arrays_are_examples():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    graphs = [graph_of(model, x) for x in ((1, 3), [1, 3], np.zeros((5, 3)), np.zeros((5, 3), dtype=np.float32))]
    assert all(graph == graphs[0] for graph in graphs)


# ------------------------------------------------------------------------------------------- rules of one's own


class Sorting(nn.Module):
    def forward(self, x):
        return x.sort(dim=1).values


def test_rules_for_one_graph():
    model = nn.Sequential(nn.Linear(3, 4), Sorting(), nn.Linear(4, 2))
    for rule, value in (("activation", 1.0), ("copy", 0.0), ("dense", 0.0), ("normalise", 0.0)):
        assert path_length(graph_of(model, torch.zeros(1, 3), rules={Sorting: rule})).value == value
    by_call = {"sort": lambda call: (call.activation("sorted"), None)}
    found = path_length(graph_of(model, torch.zeros(1, 3), rules=by_call))
    assert [(layer.name, layer.kind) for layer in found.layers] == [("1.sort", "sorted")]


def test_registered_rules_hold_from_then_on():
    class Spectrum(nn.Module):
        def forward(self, x):
            return torch.fft.rfft(x).abs()

    def mixes(call):
        return call.dense(channels=call.result.shape[-1], axis=-1)

    register_rule(torch.fft.rfft, mixes)
    try:
        found = path_length(graph_of(nn.Sequential(nn.Linear(3, 4), Spectrum(), nn.Linear(3, 2)), torch.zeros(1, 3)))
    finally:
        from gpdeep.nn.graphs import rules as graph_rules

        graph_rules._REGISTERED.clear()
    assert (found.value, found.layers[0].kind) == (1.0, "abs")


def test_norms_of_ones_own_without_parts_are_normalisations():
    class RMSNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight

    class PreNorm(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.norm, self.inner = RMSNorm(), inner

        def forward(self, x):
            return x + self.inner(self.norm(x))

    inner = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))
    assert path_length(graph_of(nn.Sequential(PreNorm(inner), PreNorm(inner)), torch.zeros(1, 4))).value == 1.0
