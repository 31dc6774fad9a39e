"""Blocks of well-known networks, as their code is written, against lengths by hand."""

from fractions import Fraction

import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.linearize import Graph, path_length  # noqa: E402
from gpdeep.nn import graph_of  # noqa: E402

IMAGE = (2, 3, 8, 8)


def both(graph):
    return tuple(path_length(graph, weight=weight, exact=True, products="value").exact for weight in ("branch", "path"))


def agree(model, by_hand, example=IMAGE):
    assert both(graph_of(model, example)) == both(Graph.of(by_hand))


def conv_norm(i, o, k=1, stride=1, groups=1, act=True):
    layers = [nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if act else []))


def test_vgg_counts_flattened_positions():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(True),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 5), nn.ReLU(True), nn.Dropout(), nn.Linear(5, 2),
    )  # fmt: skip
    h = Graph.input(3).dense(4).relu().dense(6).relu()
    agree(model, h.flatten(4).dense(5).relu().dense(2))


def test_bottleneck_of_resnet():
    class Bottleneck(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = conv_norm(3, 16)
            self.one, self.two, self.three = conv_norm(16, 4), conv_norm(4, 4, 3), conv_norm(4, 16, act=False)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            x = self.stem(x)
            for _ in range(4):
                out = self.three(self.two(self.one(x)))
                out += x
                x = self.relu(out)
            return x

    h = Graph.input(3).dense(16).relu()
    for _ in range(4):
        h = (h.dense(4).relu().dense(4).relu().dense(16) + h).relu()
    agree(Bottleneck(), h)
    assert both(graph_of(Bottleneck(), IMAGE))[0] == 1 + 4 * 2


def test_resnext_groups():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b = conv_norm(3, 8), conv_norm(8, 8), conv_norm(8, 8, 3, groups=4)
            self.c = conv_norm(8, 8, act=False)

        def forward(self, x):
            x = self.stem(x)
            return F.relu(x + self.c(self.b(self.a(x))))

    h = Graph.input(3).dense(8).relu()
    agree(Block(), (h + h.dense(8).relu().dense(8, groups=4).relu().dense(8)).relu())


def test_mobilenet_inverted_residual():
    class Inverted(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 1)
            self.block = nn.Sequential(conv_norm(4, 24), conv_norm(24, 24, 3, groups=24), conv_norm(24, 4, act=False))

        def forward(self, x):
            x = self.stem(x)
            x = x + self.block(x)
            return x + self.block(x)

    h = Graph.input(3).dense(4)
    for _ in range(2):
        h = h + h.dense(24).relu().dense(24, groups=24).relu().dense(4)
    agree(Inverted(), h)


def test_efficientnet_block_with_squeeze_and_excite_and_stochastic_depth():
    class DropPath(nn.Module):
        def forward(self, x):
            if not self.training:
                return x
            return x.div(0.8) * torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 0.8))

    class MBConv(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 1)
            self.expand = nn.Sequential(nn.Conv2d(4, 16, 1), nn.BatchNorm2d(16), nn.SiLU())
            self.depth = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.SiLU())
            self.squeeze = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 2, 1), nn.SiLU(), nn.Conv2d(2, 16, 1), nn.Sigmoid()
            )
            self.project, self.drop = nn.Sequential(nn.Conv2d(16, 4, 1), nn.BatchNorm2d(4)), DropPath()

        def forward(self, x):
            x = self.stem(x)
            h = self.depth(self.expand(x))
            return x + self.drop(self.project(self.squeeze(h) * h))

    x = Graph.input(3).dense(4)
    h = x.dense(16).relu().dense(16, groups=16).relu()
    agree(MBConv(), x + h.product(h.dense(2).dense(16), value=0).dense(4))


def test_shufflenet_unit():
    class Unit(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 1)
            self.branch = nn.Sequential(conv_norm(4, 4), conv_norm(4, 4, 3, groups=4, act=False), conv_norm(4, 4))

        def shuffle(self, x, groups):
            b, c, h, w = x.size()
            return torch.transpose(x.view(b, groups, c // groups, h, w), 1, 2).contiguous().view(b, c, h, w)

        def forward(self, x):
            x = self.stem(x)
            for _ in range(3):
                one, two = x.chunk(2, dim=1)
                x = self.shuffle(torch.cat((one, self.branch(two)), dim=1), 2)
            return x

    h = Graph.input(3).dense(8)
    for _ in range(3):
        one, two = h.chunk(2)
        h = Graph.concat(one, two.dense(4).relu().dense(4, groups=4).dense(4).relu()).shuffle(2)
    agree(Unit(), h)


def test_convnext_block_with_channels_last_and_layer_scale():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 4, stride=4)
            self.depth, self.norm = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.LayerNorm(8)
            self.one, self.two, self.gamma = nn.Linear(8, 32), nn.Linear(32, 8), nn.Parameter(torch.ones(8))

        def forward(self, x):
            x = self.stem(x)
            h = self.norm(self.depth(x).permute(0, 2, 3, 1))
            h = self.gamma * self.two(F.gelu(self.one(h)))
            return (x + h.permute(0, 3, 1, 2)).mean([-2, -1])

    h = Graph.input(3).dense(8)
    agree(Block(), h + h.dense(8, groups=8).dense(32).relu().dense(8))


def test_repvgg_block_has_three_branches():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 1)
            self.three, self.one, self.none = (
                conv_norm(8, 8, 3, act=False),
                conv_norm(8, 8, act=False),
                nn.BatchNorm2d(8),
            )

        def forward(self, x):
            x = F.relu(self.stem(x))
            for _ in range(3):
                x = F.relu(self.three(x) + self.one(x) + self.none(x))
            return x

    h = Graph.input(3).dense(8).relu()
    for _ in range(3):
        h = h.dense(8).add(h.dense(8), h).relu()
    agree(Block(), h)


def test_feature_pyramid_with_several_outputs():
    class Pyramid(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.ModuleList(
                [nn.Sequential(nn.Conv2d(3 if k == 0 else 4, 4, 3, 2, 1), nn.ReLU()) for k in range(3)]
            )
            self.lateral = nn.ModuleList([nn.Conv2d(4, 4, 1) for _ in range(3)])

        def forward(self, x):
            features = []
            for layer in self.down:
                x = layer(x)
                features.append(x)
            top = self.lateral[2](features[2])
            outputs = [top]
            for k in (1, 0):
                up = F.interpolate(top, size=features[k].shape[-2:], mode="nearest")
                top = self.lateral[k](features[k]) + up
                outputs.insert(0, top)
            return dict(zip("abc", outputs, strict=True))

    graph = graph_of(Pyramid(), (1, 3, 16, 16))
    lengths = [path_length(graph, output=name, exact=True).exact for name in "abc"]
    # each sum is an output of its own, so nested sums are not merged
    assert lengths == [Fraction(1, 2) * (1 + Fraction(5, 2)), Fraction(5, 2), 3]
    assert path_length(graph, exact=True).exact == sum(lengths) / 3


def test_option_a_shortcut_as_a_lambda_and_as_a_concatenation_of_zeros():
    class Shortcut(nn.Module):
        def __init__(self, way):
            super().__init__()
            self.stem, self.way = nn.Conv2d(3, 4, 1), way
            self.branch = nn.Sequential(conv_norm(4, 8, 3, 2), conv_norm(8, 8, 3, act=False))

        def forward(self, x):
            x = self.stem(x)
            skip = F.avg_pool2d(x, 1, 2)
            if self.way == "mul":
                skip = torch.cat((skip, skip.mul(0)), 1)
            elif self.way == "cat":
                skip = torch.cat([skip, torch.zeros(skip.size(0), 4, skip.size(2), skip.size(3))], dim=1)
            else:
                skip = F.pad(skip, (0, 0, 0, 0, 0, 4))
            return F.relu(self.branch(x) + skip)

    h = Graph.input(3).dense(4)
    by_hand = (h.dense(8).relu().dense(8) + h.pad(0, 4)).relu()
    for way in ("cat", "pad", "mul"):
        agree(Shortcut(way), by_hand)


def test_super_resolution():
    class Upscale(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.body = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.up = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(4))
            self.head = nn.Conv2d(4, 3, 3, padding=1)

        def forward(self, x):
            h = F.relu(self.stem(x))
            return self.head(self.up(h + self.body(h)))

    h = Graph.input(3).dense(8).relu()
    agree(Upscale(), (h + h.dense(8)).dense(16).dense(4, groups=4).relu().dense(3))


def test_a_reversible_block_and_a_list_of_experts():
    class Reversible(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Linear(3, 8)
            self.f, self.g = (nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)) for _ in range(2))

        def forward(self, x):
            a, b = torch.split(self.stem(x), 4, dim=1)
            a = a + self.f(b)
            b = b + self.g(a)
            return torch.cat([a, b], 1)

    h = Graph.input(3).dense(8)
    a, b = h.chunk(2)
    a = a + b.dense(4).relu().dense(4)
    b = b + a.dense(4).relu().dense(4)
    agree(Reversible(), Graph.concat(a, b), (1, 3))


def test_loops_follow_the_example():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            while x.shape[0] > 1 or not torch.isfinite(x).all():
                return self.fc(x)
            for _ in range(int(x.abs().sum().round().long())):
                x = F.relu(self.fc(x))
            return x

    assert path_length(graph_of(Loop(), torch.full((1, 4), 0.5))).value == 2.0
    assert path_length(graph_of(Loop(), torch.zeros(3, 4))).value == 0.0
