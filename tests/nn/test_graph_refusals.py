"""What cannot be followed is refused by name, and nothing is lost in silence."""

import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.linearize import path_length  # noqa: E402
from gpdeep.nn import graph_of, register_rule  # noqa: E402

X = torch.zeros(2, 6)


class Net(nn.Module):
    def __init__(self, forward, **layers):
        super().__init__()
        self.function = forward
        self.fc = nn.Linear(6, 6)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *args):
        return self.function(self, *args)


def refused(model, example, match, **options):
    with pytest.raises(DomainError, match=match) as caught:
        graph_of(model, example, **options)
    assert all((caught.value.found, caught.value.cause, caught.value.change))
    return caught.value


# ------------------------------------------------------------------------------------------- operations


class Inner(nn.Module):
    def forward(self, x):
        return torch.linalg.matrix_exp(x)


def test_an_unknown_operation_is_named_with_its_module_its_line_and_what_to_do():
    error = refused(Net(lambda s, x: s.fc(s.inner(x)), inner=Inner()), torch.zeros(6, 6), "matrix_exp")
    assert "in 'inner' (Inner)" in error.found
    assert "torch.linalg.matrix_exp(x)" in error.found
    assert "test_graph_refusals.py" in error.found
    assert "gpdeep.nn.register_rule" in error.change


UNKNOWN = {
    "lstm": (lambda s, x: s.layer(x.unsqueeze(0))[0], nn.LSTM(6, 4)),
    "gru": (lambda s, x: s.layer(x.unsqueeze(0))[0], nn.GRU(6, 4)),
    "fft": (lambda s, x: torch.fft.rfft(x).abs(), None),
    "cumsum over channels": (lambda s, x: torch.cumsum(x, 1), None),
    "sort over channels": (lambda s, x: x.sort(dim=1).values, None),
    "topk over channels": (lambda s, x: x.topk(2, dim=1).values, None),
    "product over channels": (lambda s, x: x.prod(dim=1), None),
    "std of the data": (lambda s, x: s.fc(x) + x.std(1, keepdim=True), None),
    "condition": (lambda s, x: x > 0, None),
    "argmax": (lambda s, x: s.fc(x).argmax(1), None),
    "index as a number": (lambda s, x: s.fc(x) + s.fc(x).argmax(1, keepdim=True), None),
    "channels chosen by data": (lambda s, x: x.gather(1, s.fc(x).argmax(1, keepdim=True)), None),
    "weights of data": (lambda s, x: F.linear(x, s.fc(x)), None),
    "cdist": (lambda s, x: torch.cdist(x, s.fc(x)), None),
    "cosine": (lambda s, x: F.cosine_similarity(x, s.fc(x)), None),
    "read as another type": (lambda s, x: x.view(torch.int32), None),
    "three factors": (lambda s, x: torch.einsum("bi,bi,bi->bi", x, x, s.fc(x)), None),
    "scatter": (lambda s, x: x.scatter(1, torch.zeros(2, 1, dtype=torch.long), 1.0), None),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_refused(name):
    forward, layer = UNKNOWN[name]
    refused(Net(forward, **({"layer": layer} if layer else {})), X, "cannot be followed|paths would run through")


def test_unused_results_of_unknown_operations_are_no_concern():
    def forward(s, x):
        torch.fft.rfft(x)
        assert torch.cumsum(x, 1).shape == x.shape
        return s.fc(F.relu(x))

    assert path_length(graph_of(Net(forward), X)).value == 1.0


def test_an_unknown_operation_in_a_gate_matters_only_where_paths_run_through_it():
    graph = graph_of(Net(lambda s, x: F.relu(x) * torch.sigmoid(torch.cumsum(s.fc(x), 1) * 2)), X)
    assert path_length(graph, products="value").value == 1.0
    with pytest.raises(DomainError, match=r"'cumsum'.*cannot be followed"):
        path_length(graph, products="merge")


def test_channels_that_lie_elsewhere_are_refused():
    image = torch.zeros(2, 6, 6, 6)
    refused(
        Net(lambda s, x: s.two(s.one(x).transpose(1, 2)), one=nn.Conv2d(6, 6, 1), two=nn.Conv2d(6, 4, 1)),
        image,
        "takes its channels along axis 1, and the channels of its input lie along axis 2",
    )
    refused(
        Net(lambda s, x: s.one(x)[:, :, :1] + s.one(x).transpose(1, 2)[:, :1], one=nn.Conv2d(6, 6, 1)),
        image,
        "along different axes: the channel axis is lost",
    )
    refused(
        Net(lambda s, x: F.avg_pool1d(s.fc(x).unsqueeze(1), 2)), X, "mixes positions along axis 2, where the channels"
    )


# ------------------------------------------------------------------------------------------- out of sight


def test_numbers_that_leave_torch_are_refused():
    refused(Net(lambda s, x: s.fc(torch.from_numpy(np.tanh(s.fc(x).numpy())))), X, r"reads numbers .*numpy")
    refused(Net(lambda s, x: x * s.fc(x).sum().item()), X, r"reads numbers .*item")
    refused(Net(lambda s, x: torch.tensor(s.fc(x).tolist())), X, r"reads numbers .*tolist")


def test_compiled_code_is_refused_and_not_taken_for_a_constant():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(nn.Sequential(nn.Linear(6, 6), nn.ReLU()))
    refused(Net(lambda s, x: x + s.inner(x), inner=scripted), X, "comes from an operation which was not seen")
    refused(nn.Sequential(scripted), X, "comes from an operation which was not seen")


def test_tensors_that_were_there_before_are_constants():
    table = torch.linspace(0, 1, 6)
    held = {"deep": [torch.ones(6)]}

    def forward(s, x):
        made = torch.tensor([1.0] * 6) + torch.arange(6) + torch.from_numpy(np.ones(6, dtype=np.float32))
        return F.relu(s.fc(x)) * table + held["deep"][0] * made

    assert path_length(graph_of(Net(forward), X)).value == 1.0


def test_custom_autograd_functions_are_seen_from_inside():
    class Rectify(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, g):
            return g

    model = Net(lambda s, x: s.fc(Rectify.apply(s.fc(x))))
    assert path_length(graph_of(model, X)).value == 1.0


def test_writing_through_a_view_is_refused_where_the_whole_is_used():
    def through_view(s, x):
        h = s.fc(x)
        h[:, :3].relu_()
        return h

    def through_constant(s, x):
        out = torch.zeros(2, 6)
        out[:, :3].copy_(s.fc(x)[:, :3])
        return out

    def part_alone(s, x):
        return s.fc(x)[:, :3].relu_()

    refused(Net(through_view), X, "changed in place through another name")
    refused(Net(through_constant), X, "changed in place through another name")
    assert path_length(graph_of(Net(part_alone), X)).value == 1.0


def test_writing_a_slice_back_is_followed():
    def forward(s, x):
        h = s.fc(x)
        h[:, :3] = F.relu(h[:, :3])
        return h

    def operator(s, x):
        h = s.fc(x)
        h[:, :3] += 1
        h[:, 3:] *= 2
        return F.relu(h)

    assert path_length(graph_of(Net(forward), X)).value == 0.5
    assert path_length(graph_of(Net(operator), X)).value == 1.0


# ------------------------------------------------------------------------------------------- examples and models


def test_examples_that_do_not_fit():
    refused(nn.Linear(6, 2), torch.zeros(2, 5), "does not run on the example")
    refused(nn.Linear(6, 2), (2, 0), "has the shape")
    refused(nn.Linear(6, 2), "image", "does not run|cannot be made an array|have the type")
    refused(nn.Linear(6, 2), X, "channel_axis", channel_axis=3)
    refused(nn.Linear(6, 2), X, "channel_axis", channel_axis=[])
    refused(nn.Linear(6, 2), X, "products", products="gate")
    refused(nn.Sequential(nn.LazyLinear(3)), X, "has no numbers yet")
    refused(nn.Linear(6, 2, device="meta"), X, "has no numbers yet")


def test_outputs_that_do_not_depend_on_the_input():
    refused(Net(lambda s, x: s.fc.weight), X, "depends on the input")
    refused(Net(lambda s, x: torch.zeros_like(x)), X, "depends on the input")
    refused(Net(lambda s, x: None), X, "depends on the input")
    refused(Net(lambda s, x: x[:, :0].sum() + torch.zeros(2)), X, ".")


def test_a_model_that_is_none():
    with pytest.raises(DomainError):
        graph_of(lambda x: x, X)


@pytest.mark.parametrize(
    ("op", "rule"), [(3, "copy"), (None, "copy"), (int, "copy"), (torch.sort, "sorting"), (torch.sort, 1), ("", "copy")]
)
def test_rules_that_are_none(op, rule):
    with pytest.raises(DomainError):
        register_rule(op, rule)
    with pytest.raises(DomainError):
        graph_of(nn.Linear(6, 2), X, rules={op: rule})


def test_a_rule_whose_result_does_not_fit():
    wrong = {
        "cumsum": lambda call: call.known(call.state(call.args[0])).__class__(
            call.first.wire, call.first.labels, (2, 3)
        )
    }
    refused(Net(lambda s, x: x.cumsum(1)), X, "A rule made a tensor of shape", rules=wrong)
    error = refused(
        Net(lambda s, x: x.cumsum(1)), X, "three", rules={"cumsum": lambda call: call.refuse("it has three")}
    )
    assert re.search("'cumsum'", error.found)


def test_an_unknown_factor_that_is_no_gate_by_its_looks_is_not_guessed_about():
    graph = graph_of(Net(lambda s, x: F.relu(x) * torch.cumsum(s.fc(x), 1)), X)
    with pytest.raises(DomainError, match="no operand that is known to carry the features"):
        path_length(graph, products="value")
    assert path_length(graph, products={"mul": 0}).value == path_length(graph, products={"m*": 0}).value == 1.0
    with pytest.raises(DomainError, match="cannot be followed"):
        path_length(graph, products={"mul": 1})
