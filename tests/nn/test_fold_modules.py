"""Folding: every exact case equal on data in float64, every other one refused, borders counted, costs reported."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep import load  # noqa: E402
from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import CoreModel, PartialReLU, core_network, fold  # noqa: E402
from gpdeep.nn.folding.maps import convolution_map, identity_map  # noqa: E402
from gpdeep.nn.folding.specs import obstacle, parallel_obstacle  # noqa: E402

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "linearize_folding.json").read_text())["folding"]
# Sums of at most some 1e3 products of numbers of order 1, in another order: relative to the largest output.
EQUAL = 1e-12


@pytest.fixture(autouse=True)
def _in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def largest(x):
    return float(x.detach().abs().max())


def linear(channels):
    """An activation all of whose channels are linear."""
    phi = PartialReLU(channels, alpha=0.3)
    phi.freeze(True)
    return phi


def norm(channels, axes=2, shift=True):
    """Batch normalisation with statistics of its own; without shift its bias undoes its mean."""
    bn = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}[axes](channels)
    bn.running_var.uniform_(0.5, 2.0)
    nn.init.uniform_(bn.weight, 0.5, 2.0)
    if shift:
        bn.running_mean.normal_()
        nn.init.normal_(bn.bias)
    return bn


def conv(n, m, k, stride=1, padding=0, **options):
    return nn.Conv2d(n, m, k, stride, padding, **options)


class Skip(nn.Module):
    """shortcut(x) + body(x), written in several ways."""

    def __init__(self, body, shortcut=None, style="+"):
        super().__init__()
        self.body, self.shortcut, self.style = body, shortcut or nn.Identity(), style

    def forward(self, x):
        if self.style == "+=":
            out = self.body(x)
            out += self.shortcut(x)
            return out
        if self.style == "add":
            return torch.add(self.body(x), self.shortcut(x))
        return x + self.body(x) if self.style == "bare" else self.shortcut(x) + self.body(x)


class RepVGG(nn.Module):
    """Three branches, each with its normalisation."""

    def __init__(self, channels):
        super().__init__()
        self.one, self.three = (
            conv(channels, channels, 1, bias=False),
            conv(channels, channels, 3, padding=1, bias=False),
        )
        self.bn, self.bn1, self.bn3 = norm(channels), norm(channels), norm(channels)

    def forward(self, x):
        return self.bn3(self.three(x)) + self.bn1(self.one(x)) + self.bn(x)


EXACT = {
    "linear, linear": (lambda: [nn.Linear(6, 9), linear(9), nn.Linear(9, 4)], (6,)),
    "linear, linear, without bias": (lambda: [nn.Linear(6, 9, bias=False), nn.Linear(9, 4, bias=False)], (6,)),
    "linear, norm": (lambda: [nn.Linear(6, 9), norm(9, 0)], (6,)),
    "norm, linear": (lambda: [norm(6, 0), linear(6), nn.Linear(6, 4)], (6,)),
    "linear, norm, linear, dropout, linear": (
        lambda: [nn.Linear(6, 6), norm(6, 0), linear(6), nn.Linear(6, 6), nn.Dropout(0.5), nn.Identity(),
                 nn.Linear(6, 2)],
        (6,),
    ),
    "linear on tokens": (lambda: [nn.Linear(6, 9), nn.Linear(9, 4)], (5, 6)),
    "conv, norm": (lambda: [conv(3, 4, 3, padding=1), norm(4)], (3, 9, 9)),
    "conv, norm without statistics of its own": (lambda: [conv(3, 4, 3), nn.BatchNorm2d(4, affine=False)], (3, 9, 9)),
    "1d conv, norm": (lambda: [nn.Conv1d(3, 4, 3, padding=1), norm(4, 1)], (3, 9)),
    "3d convs": (lambda: [nn.Conv3d(2, 3, 2, padding=1), nn.Conv3d(3, 2, (1, 2, 2))], (2, 5, 6, 7)),
    "norm, unpadded conv": (lambda: [norm(3), linear(3), conv(3, 4, 3)], (3, 9, 9)),
    "norm without shift, padded conv": (lambda: [norm(3, shift=False), conv(3, 4, 3, padding=1)], (3, 9, 9)),
    "unpadded convs": (lambda: [conv(3, 4, 3), linear(4), conv(4, 5, 3), conv(5, 2, 2)], (3, 9, 9)),
    "unpadded convs with strides": (lambda: [conv(3, 4, 3, 2), conv(4, 5, 3, 2)], (3, 17, 18)),
    "dilated convs": (lambda: [conv(3, 4, 3, 2, dilation=2), conv(4, 5, 2, dilation=3)], (3, 21, 22)),
    "padded conv, unpadded conv": (lambda: [conv(3, 4, 3, padding=1), conv(4, 5, 3)], (3, 9, 9)),
    "padded conv, 1x1": (lambda: [conv(3, 4, 3, padding=1), linear(4), conv(4, 5, 1)], (3, 9, 9)),
    "1x1 without bias, padded conv": (
        lambda: [conv(3, 4, 1, bias=False), linear(4), conv(4, 5, 3, padding=1)], (3, 9, 9)),
    "strided 1x1 without bias, padded conv": (
        lambda: [conv(3, 4, 1, 2, bias=False), conv(4, 5, 3, padding=1)], (3, 10, 11)),
    "1x1 without bias, padded conv, 1x1": (
        lambda: [conv(4, 4, 1, bias=False), conv(4, 4, 3, padding=1), linear(4), conv(4, 4, 1)],
        (4, 9, 9),
    ),
    "1x1 with bias, circular conv": (
        lambda: [conv(3, 4, 1), conv(4, 5, 3, padding=1, padding_mode="circular")], (3, 9, 9)),
    "norm, reflecting conv": (lambda: [norm(3), conv(3, 5, 3, padding=1, padding_mode="reflect")], (3, 9, 9)),
    "circular convs": (
        lambda: [conv(3, 4, 3, padding=1, padding_mode="circular"), conv(4, 5, 5, padding=2, padding_mode="circular")],
        (3, 9, 9),
    ),
    "replicating conv, 1x1": (lambda: [conv(3, 4, 3, padding=1, padding_mode="replicate"), conv(4, 5, 1)], (3, 9, 9)),
    "grouped convs": (lambda: [conv(8, 8, 3, padding=1, groups=4), conv(8, 8, 1, groups=2)], (8, 9, 9)),
    "depthwise, pointwise": (lambda: [conv(8, 8, 3, padding=1, groups=8), norm(8), conv(8, 12, 1)], (8, 9, 9)),
    "depthwise, depthwise": (lambda: [conv(8, 8, 3, groups=8), conv(8, 16, 3, groups=8)], (8, 9, 9)),
    "padding='same', 1x1": (lambda: [conv(3, 4, 3, padding="same"), conv(4, 5, 1)], (3, 9, 9)),
    "padded along one axis, then along the other": (
        lambda: [conv(3, 4, (3, 1), padding=(1, 0), bias=False), conv(4, 5, (1, 3), padding=(0, 1))],
        (3, 9, 8),
    ),
    "skip around a conv": (lambda: [Skip(conv(4, 4, 3, padding=1))], (4, 9, 9)),
    "skip around a segment": (
        lambda: [Skip(nn.Sequential(conv(4, 4, 3, padding=1), norm(4), linear(4), conv(4, 4, 1)))],
        (4, 9, 9),
    ),
    "skip around linear layers": (lambda: [Skip(nn.Sequential(nn.Linear(5, 5), linear(5), nn.Linear(5, 5)))], (5,)),
    "skip around a grouped conv": (lambda: [Skip(conv(4, 4, 3, padding=1, groups=2))], (4, 9, 9)),
    "skip in place": (lambda: [Skip(conv(4, 4, 3, padding=1), style="+=")], (4, 9, 9)),
    "skip by torch.add": (lambda: [Skip(conv(4, 4, 3, padding=1), style="add")], (4, 9, 9)),
    "skip, written bare": (lambda: [Skip(conv(4, 4, 3, padding=1), style="bare")], (4, 9, 9)),
    "projected skip": (lambda: [Skip(conv(4, 6, 3, 2, padding=1), conv(4, 6, 1, 2))], (4, 9, 9)),
    "RepVGG": (lambda: [RepVGG(4)], (4, 9, 9)),
    "skip between convs": (
        lambda: [conv(3, 4, 1, bias=False), Skip(conv(4, 4, 3, padding=1)), linear(4), conv(4, 2, 1)],
        (3, 9, 9),
    ),
    "skip in a skip": (lambda: [Skip(nn.Sequential(conv(4, 4, 1), Skip(conv(4, 4, 1))))], (4, 9, 9)),
}  # fmt: skip


@pytest.mark.parametrize("with_example", [False, True], ids=["", "example"])
@pytest.mark.parametrize(("make", "shape"), EXACT.values(), ids=EXACT)
def test_exact_cases_become_one_layer_and_are_equal(make, shape, with_example):
    model = nn.Sequential(*make()).eval()
    x = torch.randn(4, *shape)
    folded, report = fold(model, example=x if with_example else None, only_if_cheaper=False)
    expected = model(x)
    torch.testing.assert_close(folded(x), expected, rtol=0, atol=EQUAL * largest(expected))
    layers = [node for node in folded.graph.nodes if node.op == "call_module"]
    assert len(layers) == 1, report
    assert report.exact
    assert report.left == ()
    if with_example:
        assert report.change <= EQUAL * report.scale
    with torch.no_grad():  # negative control: a wrong weight shows
        next(folded.parameters()).mul_(1 + 1e-6)
    assert (folded(x) - expected).abs().max() > 1e4 * EQUAL * expected.abs().max()


BORDER = {
    "two padded convs": (lambda: [conv(3, 4, 3, padding=1), linear(4), conv(4, 5, 3, padding=1)], (3, 9, 9), 32, 81),
    "1x1 with bias, padded conv": (lambda: [conv(3, 4, 1), conv(4, 5, 3, padding=1)], (3, 9, 9), 32, 81),
    "norm, padded conv": (lambda: [norm(3), conv(3, 5, 3, padding=1)], (3, 9, 9), 32, 81),
    "1x1 without bias, norm, padded conv": (
        lambda: [conv(3, 4, 1, bias=False), norm(4), linear(4), conv(4, 5, 5, padding=2)], (3, 9, 9), 56, 81),
    "skip around two padded convs": (
        lambda: [Skip(nn.Sequential(conv(4, 4, 3, padding=1), conv(4, 4, 3, padding=1)))], (4, 9, 9), 32, 81),
    "three padded convs": (lambda: [conv(2, 2, 3, padding=1) for _ in range(3)], (2, 9, 9), 56, 81),
}  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "affected", "positions"), BORDER.values(), ids=BORDER)
def test_what_differs_at_the_border_is_refused_and_counted(make, shape, affected, positions):
    model = nn.Sequential(*make()).eval()
    x = torch.randn(4, *shape)
    expected = model(x)
    same, report = fold(model, example=x, only_if_cheaper=False)
    torch.testing.assert_close(same(x), expected, rtol=0, atol=EQUAL * largest(expected))
    assert any("zero" in part.why for part in report.left)
    folded, report = fold(model, exact=False, example=x, only_if_cheaper=False)
    (segment,) = report.segments
    assert not segment.exact
    assert (segment.affected, segment.positions) == (affected, positions)
    wrong = ((folded(x) - expected).abs() > 1e-9).any(1).any(0)
    assert int(wrong.sum()) == affected
    assert report.change == largest(folded(x) - expected) > 1e-3
    assert f"no: {affected} of {positions} positions" in str(report)


@pytest.mark.parametrize(
    ("strides", "stored"),
    [((1, 1), "wrong_of_two_3x3_on_17"), ((2, 1), "wrong_of_stride_2_then_3x3_on_17"),
     ((1, 2), "wrong_of_3x3_then_stride_2_on_17")],
)  # fmt: skip
def test_wrong_pixels_of_two_padded_convolutions(strides, stored):
    model = nn.Sequential(*(conv(1, 1, 3, s, 1) for s in strides))
    x = torch.randn(2, 1, 17, 17)
    folded, report = fold(model, exact=False, example=x, only_if_cheaper=False)
    assert [report.segments[0].affected, report.segments[0].positions] == REFERENCE[stored]
    assert int(((folded(x) - model(x)).abs() > 1e-9).any(0).sum()) == REFERENCE[stored][0]
    merged = folded.get_submodule("0")
    assert merged.kernel_size == (3 + 2 * strides[0],) * 2
    assert merged.stride == (strides[0] * strides[1],) * 2
    assert merged.padding == (1 + strides[0],) * 2


def test_ones_with_ones():
    model = nn.Sequential(conv(1, 1, 3, bias=False), conv(1, 1, 3, bias=False))
    for layer in model:
        nn.init.ones_(layer.weight)
    folded, _ = fold(model, only_if_cheaper=False)
    line = np.array(REFERENCE["ones_with_ones"])
    np.testing.assert_array_equal(folded.get_submodule("0").weight.detach()[0, 0], np.outer(line, line))


# ------------------------------------------------------------------------------------------- refusals


def partly(channels):
    phi = PartialReLU(channels)
    phi.freeze(torch.arange(channels) > 0)
    return phi


class Twice(nn.Module):
    """What lies between is read twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x):
        h = self.a(x)
        return self.b(h) * h


class ChangedInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(5, 5)

    def forward(self, x):
        h = self.a(x)
        x.relu_()
        return h + x


INEXACT = {
    "an active channel": (lambda: [nn.Linear(6, 5), partly(5), nn.Linear(5, 4)], (6,), "1 of 5 channels of module '1'"),
    "relu": (lambda: [nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)], (6,), "'1' (ReLU) is not linear"),
    "max pool": (lambda: [conv(3, 4, 1), nn.MaxPool2d(2), conv(4, 5, 1)], (3, 8, 8), "joins several positions"),
    "normalisation in training": (lambda: [nn.Linear(6, 5), norm(5, 0).train()], (6,), None),
    "between layers, in training": (
        lambda: [nn.Linear(6, 5), norm(5, 0).train(), nn.Linear(5, 4)], (6,), "statistics of the batch"),
    "no running statistics": (
        lambda: [nn.Linear(6, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 4)], (6,), "statistics"),
    "dropout in training": (lambda: [nn.Linear(6, 5), nn.Dropout(0.5).train(), nn.Linear(5, 4)], (6,), "drops units"),
    "flatten": (lambda: [conv(3, 4, 1), nn.Flatten(), nn.Linear(4 * 64, 2)], (3, 8, 8), "lies between"),
    "transposed": (lambda: [conv(3, 4, 1), nn.ConvTranspose2d(4, 3, 2), conv(3, 2, 1)], (3, 8, 8), "lies between"),
    "modes that differ": (
        lambda: [conv(3, 4, 3, padding=1), conv(4, 4, 3, padding=1, padding_mode="circular")], (3, 8, 8), "mode"),
    "unpadded conv before a circular one": (
        lambda: [conv(3, 4, 3), conv(4, 4, 3, padding=1, padding_mode="circular")], (3, 8, 8), "mode 'circular'"),
    "strided 1x1 before a reflecting one": (
        lambda: [conv(3, 4, 1, 2), conv(4, 4, 3, padding=1, padding_mode="reflect")], (3, 8, 8), "mode 'reflect'"),
    "uneven padding": (lambda: [conv(3, 4, 2, padding="same"), conv(4, 4, 1)], (3, 8, 8), None),
    "skip of another stride": (
        lambda: [Skip(nn.Sequential(conv(3, 3, 3)), conv(3, 3, (3, 3), padding=0, dilation=1))], (3, 8, 8), "equal"),
    "read twice": (lambda: [Twice()], (5,), "read by 2 operations"),
    "changed in place": (lambda: [ChangedInPlace()], (5,), "changed in place"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize(("make", "shape", "why"), INEXACT.values(), ids=INEXACT)
def test_what_is_not_one_layer_is_left_with_the_reason(make, shape, why):
    model = nn.Sequential(*make())
    modes = [part.training for part in model.modules()]
    x = torch.randn(6, *shape)
    for part in model.modules():
        if not isinstance(part, (nn.modules.batchnorm._BatchNorm, nn.Dropout)):
            part.training = False
    if why == "equal":  # negative control: equal branches are one layer
        folded, report = fold(model, only_if_cheaper=False)
        assert len(report.segments) == 1
        torch.testing.assert_close(folded(x), model(x), rtol=0, atol=1e-13)
        return
    folded, report = fold(model, only_if_cheaper=False)
    assert report.segments == ()
    torch.manual_seed(0)
    expected = model(x.clone())
    torch.manual_seed(0)
    torch.testing.assert_close(folded(x.clone()), expected, rtol=0, atol=0)
    if why is not None:
        assert any(why in part.why for part in report.left), report.left
    assert len(modes) == len(list(model.modules()))


def test_layers_with_hooks_and_shared_layers():
    hooked = nn.Linear(4, 4)
    hooked.register_forward_hook(lambda module, given, output: output + 1)
    model = nn.Sequential(nn.Linear(4, 4), hooked, nn.Linear(4, 4))
    x = torch.randn(3, 4)
    folded, report = fold(model)
    assert report.segments == ()
    torch.testing.assert_close(folded(x), model(x), rtol=0, atol=0)
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(4, 2))
    folded, report = fold(model)
    assert report.segments[0].layers == ("0", "3")
    torch.testing.assert_close(folded(x), model(x), rtol=0, atol=EQUAL)


def test_linear_activations_alone_are_taken_out():
    model = nn.Sequential(linear(4), nn.ReLU(), nn.PReLU(init=1.0), nn.LeakyReLU(1.0))
    folded, report = fold(model)
    assert report.removed == ("0", "2", "3")
    x = torch.randn(3, 4)
    assert torch.equal(folded(x), model(x))


def test_a_normalisation_of_positions_is_not_one_of_features():
    """BatchNorm1d of (N, T, features) acts on T: told by the example, and by the sizes where they differ."""
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)).eval()
    model[1].running_mean.normal_()
    x = torch.randn(2, 5, 6)
    folded, report = fold(model, example=x)
    assert "different axes" in report.left[0].why
    assert torch.equal(folded(x), model(x))
    folded, report = fold(nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(7)).eval())
    assert report.segments == ()


# ------------------------------------------------------------------------------------------- costs


def test_folding_is_by_cost():
    three = nn.Sequential(conv(8, 8, 3), conv(8, 8, 3))
    x = torch.randn(1, 8, 12, 12)
    _, report = fold(three, example=x)
    assert report.segments == ()
    assert "as one layer they need" in report.left[0].why
    _, report = fold(three, only_if_cheaper=False)
    assert report.segments[0].after / report.segments[0].before == pytest.approx(25 / 18)
    three = nn.Sequential(conv(8, 8, 3), conv(8, 8, 3), conv(8, 8, 3))
    _, report = fold(three, only_if_cheaper=False)
    assert report.segments[0].after / report.segments[0].before == pytest.approx(49 / 27)


def test_multiplications_are_counted_for_the_example():
    model = nn.Sequential(
        conv(3, 4, 3, padding=1), norm(4), linear(4), conv(4, 5, 1, 2), nn.Flatten(), nn.Linear(125, 7)
    )
    x = torch.randn(2, 3, 10, 10)
    _, report = fold(model.eval(), example=x)
    before = 3 * 4 * 9 * 100 + 4 * 100 + 4 * 5 * 25 + 125 * 7
    after = 3 * 5 * 9 * 25 + 125 * 7
    assert (report.multiplications_before, report.multiplications_after) == (before, after)
    assert report.per == "input"
    assert (report.segments[0].before, report.segments[0].after) == (before - 875, after - 875)
    _, unsized = fold(model)
    assert unsized.per == "position"
    assert np.isnan(unsized.multiplications_before)
    assert unsized.segments[0].before == 4 * (108 + 4) + 20  # four outputs of the first for one of the second
    assert unsized.segments[0].after == 135


def test_the_partition_is_the_cheapest_of_all():
    """A narrow place in the middle is kept; wide layers around it are merged."""
    widths = [16, 20, 3, 18, 2, 30, 8]
    model = nn.Sequential(*(nn.Linear(n, m) for n, m in zip(widths, widths[1:], strict=False)))  # noqa: RUF007
    folded, report = fold(model)
    best = min(
        sum(a * b for a, b in zip(kept, kept[1:], strict=False))  # noqa: RUF007
        for mask in range(2**5)
        for kept in [[16, *[w for k, w in enumerate(widths[1:-1]) if mask >> k & 1], 8]]
    )
    assert report.multiplications_after == best
    x = torch.randn(5, 16)
    torch.testing.assert_close(folded(x), model(x), rtol=0, atol=EQUAL)


def test_a_wide_skip_is_left_where_it_is_cheaper():
    model = nn.Sequential(Skip(nn.Sequential(nn.Linear(40, 2), nn.Linear(2, 40))))
    folded, report = fold(model)
    assert report.segments == ()
    assert "as it is 160" in report.left[0].why
    x = torch.randn(2, 40)
    assert torch.equal(folded(x), model(x))


# ------------------------------------------------------------------------------------------- what comes out


def test_the_model_is_left_alone_and_keeps_its_type():
    model = nn.Sequential(nn.Linear(6, 6), linear(6), nn.Linear(6, 2)).float().eval()
    state = copy.deepcopy(model.state_dict())
    folded, _ = fold(model)
    assert len(model) == 3
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert folded.get_submodule("0").weight.dtype == torch.float32
    assert not folded.training
    x = torch.randn(7, 6, dtype=torch.float32)
    torch.testing.assert_close(folded(x), model(x), rtol=1e-5, atol=1e-6)  # rounded once to float32
    twin = copy.deepcopy(folded)
    assert torch.equal(twin(x), folded(x))


def test_an_approximate_fold_needs_an_example():
    with pytest.raises(DomainError, match="without an example"):
        fold(nn.Sequential(nn.Linear(2, 2)), exact=False)
    with pytest.raises(DomainError, match=r"torch\.nn\.Module"):
        fold("model")


def test_the_report_is_kept_and_shown(tmp_path):
    model = nn.Sequential(nn.Linear(6, 5), linear(5), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    _, report = fold(model, example=torch.randn(2, 6))
    assert load(report.save(tmp_path / "fold.json")) == report
    text = str(report)
    assert "0 + 2" in text
    assert "50 -> 24" not in text
    assert "62 -> 36" in text
    assert "left: 2 | 4: module '3' (ReLU) is not linear" in text


def test_random_pairs_of_convolutions_follow_the_rule():
    """Where no obstacle is named the merged layer is equal; where only the border is, it differs there alone."""
    rng = np.random.default_rng(5)
    found = {"exact": 0, "border": 0, "other": 0}
    modes = ["zeros", "zeros", "circular", "replicate", "reflect"]
    for _ in range(300):
        n, m, o = (int(rng.choice([2, 4])) for _ in range(3))
        pair = [
            nn.Conv1d(a, b, int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(0, 3)),
                      int(rng.integers(1, 3)), int(rng.choice([1, 2])), bool(rng.integers(2)), str(rng.choice(modes)))
            for a, b in ((n, m), (m, o))
        ]  # fmt: skip
        x = torch.randn(2, n, 24)
        first, second = (convolution_map(layer, tuple(layer.padding)) for layer in pair)
        barrier = obstacle(first.spec, second.spec)
        if barrier is not None and not barrier.border:
            found["other"] += 1
            continue
        expected = pair[1](pair[0](x))
        merged = second.after(first).module(pair[0].weight)(x)
        wrong = (merged - expected).abs() > 1e-11
        found["exact" if barrier is None else "border"] += 1
        if barrier is None:
            assert not wrong.any(), pair
        else:
            assert merged.shape == expected.shape
            assert not wrong[..., 8:-8].any(), pair
    assert min(found.values()) > 20, found


def test_sums_of_different_layers_are_refused():
    one, other = conv(3, 3, 3, padding=1), conv(3, 3, 3, padding=0)
    specs = [convolution_map(layer, tuple(layer.padding)).spec for layer in (one, other)]
    assert "crops" in parallel_obstacle(*specs)
    assert parallel_obstacle(specs[0], identity_map(3).spec) == ""
    assert parallel_obstacle(specs[0], identity_map(4).spec) != ""


# ------------------------------------------------------------------------------------------- core network


class Residual(nn.Module):
    """Skips, normalisation, scaling, concatenation, a ReLU in place and one called twice."""

    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Linear(12, 8), norm(8, 0)
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(24, 5)
        self.phi, self.psi, self.relu = PartialReLU(8), PartialReLU(8, 0.2), nn.ReLU(inplace=True)
        self.scale = nn.Parameter(torch.rand(8))
        self.phi.freeze(torch.arange(8) > 2)
        self.psi.freeze(torch.arange(8) > 0)

    def forward(self, x):
        h = self.phi(self.bn(self.stem(torch.flatten(x, 1))))
        h = h + 0.5 * self.psi(self.a(h))
        g = self.b(h) * self.scale - h
        g = self.phi(g)
        r = F.relu(self.b(g))
        return -self.c(torch.cat([h, g, self.relu(r - 1.0)], dim=-1))


def test_core_network_of_a_model_with_skips_is_equal():
    model = Residual().eval()
    x = torch.randn(50, 3, 4)
    core = core_network(model)
    expected = model(x).detach().numpy()
    np.testing.assert_allclose(
        core.evaluate(x.flatten(1).numpy()), expected, rtol=0, atol=EQUAL * np.abs(expected).max()
    )
    assert core.names == ("phi", "psi", "phi:2", "relu", "relu:2")
    assert core.active.tolist() == [3, 1, 3, 8, 8]
    again = CoreModel(core, torch.float64)
    torch.testing.assert_close(again(x.flatten(1)), model(x), rtol=0, atol=EQUAL * float(np.abs(expected).max()))
    model.phi.freeze(True)  # negative control: another network
    assert np.abs(core_network(model).evaluate(x.flatten(1).numpy()) - expected).max() > 1e-3


@pytest.mark.parametrize("cuts", [(), (2,), "cheapest"])
def test_core_network_of_a_chain_with_normalisation(cuts):
    layers = []
    for _ in range(6):
        layers += [nn.Linear(10, 10), norm(10, 0), partly(10)]
    model = nn.Sequential(*layers, nn.Linear(10, 3)).eval()
    x = torch.randn(40, 10)
    core = core_network(model, cuts=cuts)
    expected = model(x).detach().numpy()
    np.testing.assert_allclose(core.evaluate(x.numpy()), expected, rtol=0, atol=EQUAL * np.abs(expected).max())
    assert core.parameters_before == 6 * (110 + 20) + 33
    assert core.multiplications_before == 6 * 110 + 30
    torch.testing.assert_close(CoreModel(core, torch.float64)(x), model(x), rtol=0, atol=EQUAL)
    if cuts == ():
        assert core.multiplications_after == 6 * 10 + 15 + 3 * 16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.Linear(3, 3)), r"module '0' \(Conv2d\) takes it"),
        (lambda: nn.Sequential(nn.Linear(3, 3), nn.GELU()), "GELU"),
        (lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), "statistics of the batch"),
        (lambda: nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)), "training mode"),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4)), "given 4 features"),
        (lambda: Twice(), "multiplied"),
        (lambda: nn.Sequential(nn.ReLU()), "number of features"),
    ],
)
def test_core_networks_of_other_models_are_refused(make, message):
    with pytest.raises(DomainError, match=message):
        core_network(make())


def test_cuts_are_for_chains():
    with pytest.raises(DomainError, match="skip leads past an activation"):
        core_network(Residual().eval(), cuts=(1,))
    with pytest.raises(DomainError, match="CoreNetwork"):
        CoreModel(nn.Linear(2, 2))
