"""Networks as torch modules have the path lengths of the graphs written by hand."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.linearize import Graph, path_length  # noqa: E402
from gpdeep.nn import PartialReLU, graph_of  # noqa: E402

sys.path.append(str(Path(__file__).parents[1] / "linearize"))
from reference_graphs import inception_c4, masked_chain, plain20, preact, threeway  # noqa: E402

KNOWN = json.loads((Path(__file__).parents[1] / "reference" / "linearize_graphs.json").read_text())["graphs"]
RTOL = 1e-12  # as for the graphs by hand: PathLength.error is below


def both(model, example, **options):
    """NAPL and APL as fractions."""
    graph = graph_of(model, example, **options)
    return tuple(path_length(graph, weight=weight, exact=True).exact for weight in ("branch", "path"))


def by_hand(graph):
    return tuple(path_length(graph, weight=weight, exact=True).exact for weight in ("branch", "path"))


# ------------------------------------------------------------------------------------------- residual networks


class BasicBlock(nn.Module):
    """A block as CIFAR code writes it, with an option A or B shortcut, activations as functions or modules."""

    def __init__(self, width_in, width, option, style, mask=None):
        super().__init__()
        stride = 1 if width_in == width else 2
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.style, self.extra = style, width - width_in
        self.shortcut = None
        if self.extra and option == "B":
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.relu = nn.ReLU(inplace=style == "inplace")
        if style == "partial":
            self.relu1, self.relu2 = partial(width, mask), partial(width, mask)

    def forward(self, x):
        out = self.bn1(self.conv1(x))
        out = F.relu(out) if self.style == "functional" else (self.relu1 if self.style == "partial" else self.relu)(out)
        out = self.bn2(self.conv2(out))
        identity = x
        if self.shortcut is not None:
            identity = self.shortcut(x)
        elif out.shape[1] != x.shape[1]:  # a decision on sizes
            side = self.extra // 2
            identity = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, side, side), "constant", 0)
        if self.style == "inplace":
            out += identity
            return self.relu(out)
        if self.style == "functional":
            return F.relu(torch.add(identity, out))
        return (self.relu2 if self.style == "partial" else self.relu)(out + identity)


def partial(width, share):
    module = PartialReLU(width)
    module.freeze(torch.arange(width) >= round(share * width))
    return module


class CifarResNet(nn.Module):
    def __init__(self, blocks, option, style="modules", share=None):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.act = partial(16, share) if style == "partial" else nn.ReLU()
        layers, width_in = [], 16
        for width in (16, 32, 64):
            for _ in range(blocks):
                layers.append(BasicBlock(width_in, width, option, style, share))
                width_in = width
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        out = self.layers(self.act(self.bn(self.conv(x))))
        out = F.avg_pool2d(out, out.size(3))
        return self.fc(out.view(out.size(0), -1))


IMAGE = (1, 3, 8, 8)


@pytest.mark.parametrize("style", ["modules", "functional", "inplace"])
@pytest.mark.parametrize("option", ["A", "B"])
def test_cifar_resnets_have_the_known_lengths(option, style):
    found = graph_of(CifarResNet(3, option, style), IMAGE)
    known = KNOWN[f"resnet20_cifar_option{option}"]
    assert path_length(found, exact=True).fraction == known["NAPL_branch_fraction"]
    np.testing.assert_allclose(path_length(found, weight="path").value, known["APL_path"], rtol=RTOL, atol=0)
    np.testing.assert_allclose(path_length(found, weight="path").log10_paths, known["log10_paths"], rtol=RTOL, atol=0)


@pytest.mark.parametrize("name", ["resnet32_cifar_optionA", "resnet56_cifar_optionB", "resnet110_cifar_optionA"])
def test_deeper_cifar_resnets(name):
    blocks = {"32": 5, "56": 9, "110": 18}[name[6:].partition("_")[0]]
    found = graph_of(CifarResNet(blocks, name[-1], "inplace"), IMAGE)
    assert path_length(found, exact=True).fraction == KNOWN[name]["NAPL_branch_fraction"]
    np.testing.assert_allclose(path_length(found, weight="path").value, KNOWN[name]["APL_path"], rtol=RTOL, atol=0)


def test_a_quarter_of_the_channels_active():
    model = CifarResNet(3, "B", "partial", 0.25)
    known = KNOWN["resnet20_optionB_p0.25"]
    found = path_length(graph_of(model, IMAGE), exact=True)
    assert found.fraction == known["NAPL_branch_fraction"]
    assert {(layer.channels, layer.nonlinear) for layer in found.layers} == {(16, 4), (32, 8), (64, 16)}
    apl = path_length(graph_of(model, IMAGE), weight="path").value
    np.testing.assert_allclose(apl, known["APL_path"], rtol=RTOL, atol=0)


def test_an_option_a_shortcut_does_not_pass_for_option_b():
    """Negative control: structural zeros are seen."""
    assert both(CifarResNet(1, "A"), IMAGE) != both(CifarResNet(1, "B"), IMAGE)


def test_layers_are_called_by_their_modules():
    layers = path_length(graph_of(CifarResNet(1, "A", "inplace"), IMAGE)).layers
    assert [layer.name for layer in layers[:3]] == ["act", "layers.0.relu", "layers.0.relu:2"]
    functional = path_length(graph_of(CifarResNet(1, "A", "functional"), IMAGE)).layers
    assert [layer.name for layer in functional[:3]] == ["act", "layers.0.relu", "layers.0.relu:2"]
    assert {(layer.kind, layer.channels, layer.nonlinear) for layer in layers} == {
        ("relu", 16, 16),
        ("relu", 32, 32),
        ("relu", 64, 64),
    }


# ------------------------------------------------------------------------------------------- other networks


class PreAct(nn.Module):
    def __init__(self, blocks=9, width=16, inplace=False):
        super().__init__()
        self.stem = nn.Linear(3, width)
        self.blocks = nn.ModuleList([nn.ModuleList([nn.Linear(width, width) for _ in range(2)]) for _ in range(blocks)])
        self.act, self.head = nn.ReLU(), nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        for one, two in self.blocks:
            x = x + two(self.act(one(self.act(x))))
        return self.head(self.act(x))


def test_plain_and_preactivation_networks():
    plain = [layer for k in range(19) for layer in (nn.Linear(3 if k == 0 else 16, 16), nn.ReLU())]
    assert both(nn.Sequential(*plain, nn.Linear(16, 10)), torch.zeros(2, 3)) == by_hand(plain20())
    assert both(PreAct(), torch.zeros(1, 3)) == by_hand(preact(9))
    assert by_hand(preact(9))[0] == Fraction(KNOWN["preact_9blocks_w16"]["NAPL_branch_fraction"])


def test_in_place_activations_change_the_skip_as_torch_does():
    """relu_ of a block's input also rectifies what its skip carries: the sum is of relu(x), not of x."""

    class Block(nn.Module):
        def __init__(self, inplace):
            super().__init__()
            self.act, self.fc = nn.ReLU(inplace=inplace), nn.Linear(4, 4)

        def forward(self, x):
            return x + self.fc(self.act(x))

    stem = nn.Linear(3, 4)
    kept, changed = (both(nn.Sequential(stem, Block(flag)), torch.zeros(1, 3))[0] for flag in (False, True))
    assert (kept, changed) == (Fraction(1, 2), 1)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        relu = nn.ReLU

        def conv(i, o):
            return nn.Conv2d(i, o, 1)

        self.stem, self.head = conv(3, 4), nn.Conv2d(16, 2, 1)
        self.one = nn.Sequential(conv(4, 4), relu())
        self.two = nn.Sequential(conv(4, 4), relu(), conv(4, 8), relu())
        self.three = nn.Sequential(conv(4, 4), relu(), conv(4, 4), relu(), conv(4, 4), relu())

    def forward(self, x):
        x = self.stem(x)
        return self.head(torch.cat([self.one(x), self.two(x), self.three(x)], dim=1))


def test_inception():
    assert both(Inception(), IMAGE) == by_hand(inception_c4())


class UNet(nn.Module):
    """Down, up, with concatenated skips."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.merge = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        one = F.relu(self.down1(x))
        two = F.relu(self.down2(F.max_pool2d(one, 2)))
        up = self.up(two)
        return self.head(F.relu(self.merge(torch.cat((up, one), 1))))


def test_u_net():
    one = Graph.input(3).dense(4).relu()
    up = one.copy("max_pool").dense(8).relu().dense(4)
    assert both(UNet(), IMAGE) == by_hand(Graph.of(Graph.concat(up, one).dense(4).relu().dense(2)))
    with_pool = graph_of(UNet(), IMAGE)
    assert path_length(with_pool, count={"max_pool": 1}).value == path_length(with_pool).value + 0.5


class DenseNet(nn.Module):
    """Each layer reads all before it, as a list of features; a feature is asked whether it is a tensor."""

    def __init__(self, layers=4, growth=4):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(8 + growth * k) for k in range(layers)])
        self.convs = nn.ModuleList([nn.Conv2d(8 + growth * k, growth, 3, padding=1) for k in range(layers)])
        self.head = nn.Linear(8 + growth * layers, 10)

    def layer(self, k, features):
        features = [features] if isinstance(features, torch.Tensor) else features
        return self.convs[k](F.relu(self.norms[k](torch.cat(features, 1))))

    def forward(self, x):
        features = [self.stem(x)]
        for k in range(len(self.convs)):
            features.append(self.layer(k, features))
        return self.head(F.relu(torch.cat(features, 1)).mean([2, 3]))


def test_dense_net():
    parts = [Graph.input(3).dense(8)]
    for _ in range(4):
        parts.append(Graph.concat(*parts).relu().dense(4) if len(parts) > 1 else parts[0].relu().dense(4))
    assert both(DenseNet(), IMAGE) == by_hand(Graph.of(Graph.concat(*parts).relu().dense(10)))


@pytest.mark.parametrize("writing", ["left", "right", "flat", "sum", "inplace", "stack", "sub", "identity"])
def test_every_writing_of_a_sum(writing):
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head, self.none = nn.Linear(2, 2), nn.Linear(2, 2), nn.Identity()
            self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(5)])

        def forward(self, x):
            x = self.stem(x)
            f = self.layers
            a = f[1](F.relu(f[0](x)))
            b = f[4](F.relu(f[3](F.relu(f[2](x)))))
            if writing == "inplace":
                total = x.clone()
                total += a
                total.add_(b)
            else:
                total = {
                    "left": lambda: (x + a) + b,
                    "right": lambda: x + (a + b),
                    "flat": lambda: torch.stack([x, a, b]).sum(0),
                    "sum": lambda: sum([x, a, b]),
                    "stack": lambda: torch.stack([x, a, b], dim=-1).mean(-1),
                    "sub": lambda: torch.sub(x, -a, alpha=0.5) - (1.5 - b),
                    "identity": lambda: self.none(F.dropout(x + a, 0.5, self.training)) + b,
                }[writing]()
            return self.head(total)

    assert both(Sum(), torch.zeros(1, 2)) == by_hand(threeway("flat"))


def test_masked_prelu_chain():
    def prelu(mask):
        module = nn.PReLU(len(mask))
        with torch.no_grad():
            module.weight.copy_(torch.tensor([0.25 if active else 1.0 for active in mask]))
        return module

    masks = ([1, 0, 0], [1, 1], [0, 1, 1, 1])
    layers = [nn.Linear(2, 3), prelu(masks[0]), nn.Linear(3, 2), prelu(masks[1]), nn.Linear(2, 4), prelu(masks[2])]
    model = nn.Sequential(*layers, nn.Linear(4, 2))
    assert both(model, torch.zeros(1, 2)) == by_hand(masked_chain())
    with torch.no_grad():
        layers[1].weight[0] = float(np.nextafter(np.float32(1), np.float32(0)))  # nearly linear is not linear
    assert both(model, torch.zeros(1, 2)) == by_hand(masked_chain())


def test_a_module_that_is_called_several_times_is_several_activations_with_one_set_of_slopes():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.act, self.fc = PartialReLU(4), nn.Linear(4, 4)

        def forward(self, x):
            for _ in range(3):
                x = self.act(self.fc(x))
            return x

    model = Shared()
    model.act.freeze(torch.tensor([True, False, False, True]))
    found = path_length(graph_of(model, torch.zeros(1, 4)))
    assert found.value == 1.5
    assert [layer.name for layer in found.layers] == ["act", "act:2", "act:3"]


def test_permuting_the_channels_of_a_trained_network_changes_nothing():
    torch.manual_seed(1)
    model = CifarResNet(1, "B", "partial", 0.5)
    block = model.layers[0]
    before = both(model, IMAGE)
    order = torch.randperm(16)
    with torch.no_grad():
        block.conv1.weight.copy_(block.conv1.weight[order])
        block.relu1.frozen.copy_(block.relu1.frozen[order])
        block.relu1.alpha.copy_(block.relu1.alpha[order])
        block.conv2.weight.copy_(block.conv2.weight[:, order])
    assert both(model, IMAGE) == before


def test_batch_size_and_image_size_do_not_matter():
    model = CifarResNet(1, "A")
    assert both(model, (1, 3, 8, 8)) == both(model, torch.zeros(3, 3, 16, 16)) == both(model, np.zeros((2, 3, 8, 8)))


# ------------------------------------------------------------------------------------------- leaving no trace


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_was(training):
    model = CifarResNet(1, "A", "inplace").train(training)
    model.layers[0].eval()  # modes of parts are their own
    modes = [m.training for m in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    state = torch.get_rng_state()
    x = torch.ones(2, 3, 8, 8)
    first = graph_of(model, x)
    with torch.no_grad():
        assert graph_of(model, x) == first
    with torch.inference_mode():
        assert graph_of(model, x) == first
    assert [m.training for m in model.modules()] == modes
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()] == hooks
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert bool((x == 1).all())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_modes_and_hooks_come_back_after_an_error():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU()).train()
    with pytest.raises(DomainError, match="does not run on the example"):
        graph_of(model, torch.zeros(1, 4))
    assert model.training
    assert not model[0]._forward_hooks
    assert not model[0]._forward_pre_hooks


def test_wrapped_models_are_unwrapped():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    assert both(nn.DataParallel(model), torch.zeros(1, 3)) == both(model, torch.zeros(1, 3))


@pytest.mark.parametrize(
    "wrap",
    [
        torch.nn.utils.parametrizations.spectral_norm,
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
        lambda layer: layer,
    ],
)
def test_weights_that_are_computed_are_weights(wrap):
    model = nn.Sequential(wrap(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2))
    assert both(model, torch.zeros(1, 3)) == by_hand(Graph.of(Graph.input(3).dense(4).relu().dense(2)))


def test_forwards_in_inference_mode_and_autocast():
    class Inference(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        @torch.inference_mode()
        def forward(self, x):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                y = self.fc(x)
            y += x
            return F.relu_(y)

    h = Graph.input(4)
    assert both(Inference(), torch.zeros(1, 4)) == by_hand(Graph.of((h.dense(4) + h).relu()))


def test_hooks_of_the_users_own_are_part_of_the_model():
    layer = nn.Linear(3, 4)
    layer.register_forward_hook(lambda module, args, output: F.relu(output))
    assert both(nn.Sequential(layer, nn.Linear(4, 2)), torch.zeros(1, 3))[0] == 1
