"""Slopes in place of ReLUs: the same function to begin with, wherever and however the ReLU is written."""

import copy
import re

import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import PartialReLU, replace_activations  # noqa: E402


class Functional(nn.Module):
    """Functions of every kind, on vectors."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = nn.Linear(5, 7), nn.Linear(7, 6), nn.Linear(6, 4), nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.a(x))
        x = torch.relu(self.b(x))
        x = self.c(x).relu()
        return self.d(x).clamp(min=0)


class OneReLU(nn.Module):
    """One module, called at three widths."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 7), nn.Linear(7, 6), nn.Linear(6, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.c(self.act(self.b(self.act(self.a(x))))))


class Block(nn.Module):
    """A residual block as in torchvision: one ReLU in place, used twice."""

    def __init__(self, channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels * stride, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels * stride)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels * stride, channels * stride, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels * stride)
        self.downsample = nn.Conv2d(channels, channels * stride, 1, stride) if stride > 1 else None

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.layers = nn.Sequential(Block(4), Block(4, 2))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 2)

    def forward(self, x):
        x = self.layers(self.relu(self.conv(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


class PreActivation(nn.Module):
    """The skip reads what the activation in place has changed."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 6)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.first(x)
        out = self.second(self.act(h))
        return out + h  # h is relu(h) by now


class FeedForward(nn.Module):
    """Of a transformer: channels last."""

    def __init__(self):
        super().__init__()
        self.norm, self.up, self.act, self.down = nn.LayerNorm(6), nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 6)

    def forward(self, x):
        return x + self.down(self.act(self.up(self.norm(x))))


class Branching(nn.Module):
    """Not traceable."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.fc, self.act2 = nn.Conv1d(3, 5, 3), nn.ReLU(inplace=True), nn.Linear(6, 4), nn.ReLU()

    def forward(self, x):
        x = self.act(self.conv(x))
        if x.sum() > -1:
            x = self.act2(self.fc(x))
        return x


CASES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3), nn.ReLU(True)), (5,), [7, 3], False),
    "functions": (Functional, (5,), [7, 6, 4, 3], True),
    "one module": (OneReLU, (5,), [7, 6, 4], True),
    "resnet": (ResNet, (3, 8, 8), [4, 4, 4, 8, 8], True),
    "pre-activation": (PreActivation, (4,), [6], True),
    "feed-forward": (FeedForward, (9, 6), [12], False),
    "untraceable": (Branching, (3, 8), [5, 4], False),
}
every_case = pytest.mark.parametrize(("make", "shape", "channels", "rewritten"), CASES.values(), ids=CASES)


@every_case
def test_the_function_is_the_same_in_both_modes_and_so_are_its_gradients(make, shape, channels, rewritten):
    model = make()
    x = torch.randn(6, *shape)
    before = copy.deepcopy(model.state_dict())
    report = replace_activations(model, example=x)
    assert [module.num_channels for module in report.modules.values()] == channels
    assert report.rewritten == rewritten
    assert report.compared
    for mode in (True, False):
        torch.manual_seed(0)
        one = model.train(mode)(x.clone())
        torch.manual_seed(0)
        other = report.model.train(mode)(x.clone())
        torch.testing.assert_close(other, one, rtol=0, atol=0)
    assert set(before) <= set(report.model.state_dict())
    model.load_state_dict(before)
    report.model.load_state_dict({**report.model.state_dict(), **before})
    model.eval()
    report.model.eval()
    for net in (model, report.model):
        net.zero_grad()
        net(x.clone()).sin().sum().backward()  # not flat where an output is 0
    twins = dict(report.model.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(twins[name].grad, parameter.grad, rtol=1e-5, atol=1e-6)  # float32 sums
    assert sum(module.alpha.grad.abs().sum() for module in report.modules.values()) > 0


@every_case
def test_the_model_that_was_given_is_left_alone(make, shape, channels, rewritten):
    model = make()
    kinds = [type(part) for part in model.modules()]
    state = copy.deepcopy(model.state_dict())
    report = replace_activations(model, example=torch.randn(2, *shape))
    assert [type(part) for part in model.modules()] == kinds
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    own = {id(p) for p in model.parameters()}
    assert not any(id(p) in own for p in report.model.parameters())
    assert not any(isinstance(part, nn.ReLU) for part in report.model.modules())
    assert report.left == ()


@every_case
def test_what_comes_out_can_be_copied_saved_and_trained(make, shape, channels, rewritten):
    report = replace_activations(make(), example=torch.randn(2, *shape))
    name, module = next(iter(report.modules.items()))
    module.freeze(True)
    twin = copy.deepcopy(report.model)
    assert twin.get_submodule(name).frozen.all()
    fresh = replace_activations(make(), example=torch.randn(2, *shape)).model
    fresh.load_state_dict(report.model.state_dict())
    x = torch.randn(4, *shape)
    assert torch.equal(fresh.eval()(x.clone()), report.model.eval()(x.clone()))
    assert str(module.num_channels) in str(report)


def test_weights_alone_tell_the_channels_where_they_can():
    for name in ("mlp", "functions", "one module", "pre-activation", "feed-forward", "resnet"):
        make, _, channels, _ = CASES[name]
        report = replace_activations(make())
        assert [module.num_channels for module in report.modules.values()] == channels
        assert not report.compared
        assert "no example" in str(report)


def test_axes_are_those_of_the_layers_before():
    report = replace_activations(FeedForward())
    assert report.modules["act"].channel_dim == -1
    assert {module.channel_dim for module in replace_activations(ResNet()).modules.values()} == {1}
    mixed = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.1), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU())
    assert [m.num_channels for m in replace_activations(mixed).modules.values()] == [4, 4]
    assert replace_activations(nn.Sequential(nn.ConvTranspose1d(3, 4, 2), nn.ReLU())).channels == 4
    assert replace_activations(nn.Sequential(nn.Embedding(9, 5), nn.ReLU())).modules["1"].channel_dim == -1

    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 5, 1)

        def forward(self, x):
            return F.relu(torch.cat([self.a(x), self.b(x)], 1))

    assert replace_activations(Joined()).channels == 9


# ------------------------------------------------------------------------------------------- several calls


def test_every_call_gets_slopes_of_its_own_or_all_share_one_set():
    model = nn.Sequential(Block(4))
    separate = replace_activations(model)
    assert list(separate.modules) == ["0.relu", "0.relu_2"]
    shared = replace_activations(model, reuse="share")
    assert list(shared.modules) == ["0.relu"]
    assert not shared.rewritten
    assert type(shared.model[0]) is Block
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(shared.model.eval()(x.clone()), model.eval()(x.clone()))
    shared.modules["0.relu"].freeze(True)
    separate.modules["0.relu"].freeze(True)
    assert not torch.equal(shared.model(x.clone()), separate.model.eval()(x.clone()))


def test_calls_of_different_width_cannot_share():
    with pytest.raises(DomainError, match=r"'act'.*7 channels on axis -1 and with 6"):
        replace_activations(OneReLU(), reuse="share")


def test_one_module_registered_twice_becomes_two_without_rewriting():
    act = nn.ReLU()
    model = nn.Sequential(nn.Linear(3, 5), act, nn.Linear(5, 4), act)
    report = replace_activations(model)
    assert list(report.modules) == ["1", "3"]
    assert not report.rewritten
    assert model[1] is model[3]


# ------------------------------------------------------------------------------------------- kinds, granularity


def test_slopes_begin_with_those_of_leaky_and_trained_activations():
    prelu = nn.PReLU(4)
    nn.init.uniform_(prelu.weight, -0.5, 0.5)
    model = nn.Sequential(
        nn.Linear(3, 4), nn.LeakyReLU(0.2), nn.Linear(4, 4), prelu, nn.Linear(4, 4), nn.PReLU(), nn.GELU()
    )
    x = torch.randn(9, 3)
    report = replace_activations(model, (nn.LeakyReLU, nn.PReLU), example=x)
    assert torch.equal(report.modules["3"].alpha, prelu.weight)
    assert report.modules["1"].alpha.unique().tolist() == pytest.approx([0.2])
    assert report.left == (("6", "GELU"),)
    torch.testing.assert_close(report.model(x), model(x), rtol=0, atol=0)


@pytest.mark.parametrize(("granularity", "count"), [("channel", [4, 4]), ("layer", [1, 1]), ("unit", [4 * 64, 4 * 16])])
def test_granularity_says_what_has_a_slope(granularity, count):
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU())
    x = torch.randn(2, 3, 8, 8)
    report = replace_activations(model, granularity=granularity, example=x)
    assert [module.alpha.numel() for module in report.modules.values()] == count
    assert [module.granularity for module in report.modules.values()] == [granularity] * 2
    torch.testing.assert_close(report.model(x), model(x), rtol=0, atol=0)


def test_type_and_device_are_those_of_the_model():
    report = replace_activations(nn.Sequential(nn.Linear(3, 4), nn.ReLU()).double())
    assert report.modules["1"].alpha.dtype == torch.float64


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.filterwarnings("ignore:.*nested tensor:UserWarning")
def test_transformer_layers_of_torch(mode):
    """In evaluation mode torch takes a fused kernel with a ReLU of its own, unless it is told not to."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).train(mode)
    x = torch.randn(2, 5, 8)
    report = replace_activations(model, example=x)
    assert {name: module.num_channels for name, module in report.modules.items()} == {
        "layers.0.activation": 16,
        "layers.1.activation": 16,
    }
    before = report.model(x)
    torch.testing.assert_close(before, model(x), rtol=1e-4, atol=1e-5)  # another kernel in float32
    for module in report.modules.values():
        module.freeze(True)
    assert (report.model(x) - before).abs().max() > 1e-3  # what is frozen is used
    decoder = replace_activations(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True))
    assert list(decoder.modules) == ["activation"]


# ------------------------------------------------------------------------------------------- refusals


class Moved(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return F.relu(self.conv(x).permute(0, 2, 3, 1))


class Modal(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, x):
        return F.dropout(F.relu(self.fc(x)), 0.5, self.training)


class Views(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        h = self.fc(x)
        y = F.relu(h.view(-1, 2, 2), inplace=True)
        return h + y.reshape(-1, 4)


class UntracedFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU()

    def forward(self, x):
        return F.relu(self.fc(self.act(x))) if x.sum() > -100 else x


class UntracedTwice(OneReLU):
    def forward(self, x):
        return super().forward(x) if x.sum() > -100 else x


@pytest.mark.parametrize(
    ("make", "example", "message"),
    [
        (Moved, None, r"'relu' \(node 'relu'\) is refused.*unknown"),
        (Moved, (2, 3, 5, 6), r"of shape \(2, 5, 6, 4\).*channel_dim=\{'relu': 1\}"),
        (lambda: nn.Sequential(nn.ReLU()), None, "module '0'"),
        (Modal, None, "function 'dropout'.*self.training"),
        (Views, None, "works in place.*another view"),
        (Branching, None, "cannot be traced"),
        (UntracedFunction, (2, 4), "Function 'relu' is called 1 times"),
        (UntracedTwice, (2, 5), "module 'act'"),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.GELU()), None, "calls no ReLU"),
        (lambda: nn.Linear(3, 4), None, "calls no ReLU"),
    ],
)
def test_what_cannot_be_replaced_is_refused_by_name(make, example, message):
    with pytest.raises(DomainError) as caught:
        replace_activations(make(), example=None if example is None else torch.randn(example))
    assert re.search(message, str(caught.value), re.IGNORECASE | re.DOTALL), str(caught.value)


def test_the_axis_can_be_told():
    x = torch.randn(2, 3, 5, 6)
    for told in (-1, 3, {"relu": -1}):
        report = replace_activations(Moved(), example=x, channel_dim=told)
        assert report.modules["relu"].num_channels == 4
    with pytest.raises(DomainError, match="no axis 7"):
        replace_activations(Moved(), example=x, channel_dim=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": (nn.GELU,)}, "kinds"),
        ({"kinds": nn.ReLU()}, "kinds"),
        ({"kinds": ()}, "kinds"),
        ({"granularity": "neuron"}, "granularity"),
        ({"reuse": "both"}, "reuse"),
        ({"granularity": "unit"}, "units"),
        ({"example": (2, 3)}, "example"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(DomainError, match=message):
        replace_activations(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), **options)


def test_a_wrong_replacement_would_be_noticed():
    """Negative control of the comparison on the example: slopes of 0.01 are another function."""
    from gpdeep.nn.reading.example_runs import same_answers

    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    x = torch.randn(5, 3)
    report = replace_activations(model, example=x)
    assert same_answers(model(x), report.model(x))
    with torch.no_grad():
        report.modules["1"].alpha += 0.01
    assert not same_answers(model(x), report.model(x))
    assert isinstance(report.model[1], PartialReLU)
