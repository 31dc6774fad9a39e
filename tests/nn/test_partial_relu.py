"""The channel-wise PReLU: values, gradients, and freezing that cannot be undone by copies, states or devices."""

import copy
import io
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import (  # noqa: E402
    LinearityPenalty,
    LinearizeSchedule,
    PartialReLU,
    active_units,
    check,
    core_network,
    fold,
    graph_of,
    replace_activations,
    variance_shares,
)

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def partly_frozen(channels=6, channel_dim=1, **options):
    module = PartialReLU(channels, alpha=torch.linspace(-0.5, 0.9, channels), channel_dim=channel_dim, **options)
    module.freeze(torch.arange(channels) % 2 == 0)
    return module


# ------------------------------------------------------------------------------------------- values


def test_slope_zero_is_the_relu_and_its_gradient():
    x = torch.cat([torch.randn(50, 4), torch.zeros(1, 4), torch.full((1, 4), -0.0)]).requires_grad_()
    y = x.detach().clone().requires_grad_()
    PartialReLU(4)(x).sum().backward()
    F.relu(y).sum().backward()
    assert torch.equal(x.grad, y.grad)
    assert torch.equal(PartialReLU(4)(x), F.relu(x))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_frozen_channels_are_the_identity_to_the_last_bit(dtype):
    module = partly_frozen()
    big = torch.finfo(dtype).max
    x = torch.randn(200, 6).to(dtype)
    x[0], x[1], x[2] = big, -big, torch.finfo(dtype).tiny
    y = module(x)
    assert y.dtype == dtype
    assert torch.equal(y[:, ::2], x[:, ::2])
    assert not torch.equal(y[:, 1::2], x[:, 1::2])  # negative control: active ones are not
    near = PartialReLU(6, alpha=1 - 2**-7)  # nor is a slope that is nearly 1
    assert not torch.equal(near(x.double()), x.double())


@pytest.mark.parametrize("shape", [(7, 6), (7, 6, 5), (7, 6, 4, 5), (7, 6, 2, 3, 4)])
def test_values_are_those_of_the_definition_on_axis_one(shape):
    module = partly_frozen().double()
    x = torch.randn(shape, dtype=torch.float64)
    a = module.channel_slopes().reshape(1, 6, *[1] * (len(shape) - 2))
    assert torch.equal(module(x), x.clamp(min=0) + a * x.clamp(max=0))
    assert torch.equal(module(x), F.prelu(x, module.slopes()))


@pytest.mark.parametrize("axis", [-1, 2, 0, -3])
def test_channels_may_lie_on_any_axis(axis):
    module = partly_frozen(channel_dim=axis).double()
    x = torch.randn(4, 5, 6, dtype=torch.float64).transpose(axis, 2)
    expected = partly_frozen().double()(x.movedim(axis, 1)).movedim(1, axis)
    assert torch.equal(module(x), expected)


def test_a_vector_without_batch_is_taken():
    assert PartialReLU(3, 0.5, channel_dim=0)(torch.tensor([-1.0, 2.0, -4.0])).tolist() == [-0.5, 2.0, -2.0]


def test_one_slope_for_a_layer_and_one_for_each_unit():
    x = torch.randn(3, 4, 2, 5)
    layer = PartialReLU(4, 0.25, shape=(1,))
    assert torch.equal(layer(x), F.leaky_relu(x, 0.25))
    assert layer.channel_slopes().tolist() == [0.25] * 4
    unit = PartialReLU(4, torch.rand(4, 2, 5), shape=(4, 2, 5))
    assert torch.equal(unit(x), torch.where(x > 0, x, unit.alpha * x))
    torch.testing.assert_close(unit.channel_slopes(), unit.alpha.detach().mean((1, 2)))
    last = PartialReLU(5, torch.rand(4, 2, 5), channel_dim=-1, shape=(4, 2, 5))
    torch.testing.assert_close(last.channel_slopes(), last.alpha.detach().mean((0, 1)))
    assert [module.granularity for module in (layer, unit, PartialReLU(4))] == ["layer", "unit", "channel"]


def test_a_channel_with_slopes_by_unit_is_linear_only_if_all_are():
    unit = PartialReLU(2, torch.tensor([[0.5, 1.5], [0.0, 0.0]]), shape=(2, 2))
    slopes = unit.channel_slopes()
    assert slopes[0] < 1  # although the mean is 1
    unit.freeze(torch.tensor([[True, True], [True, False]]))
    assert unit.channel_slopes()[0] == 1
    assert unit.channel_slopes()[1] < 1


def test_gradients_are_those_of_finite_differences_and_none_where_frozen():
    module = partly_frozen().double()
    x = torch.randn(5, 6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradcheck(lambda a: torch.func.functional_call(module, {"alpha": a}, (x,)), module.alpha)
    module(x).square().sum().backward()
    assert not module.alpha.grad[::2].any()
    assert module.alpha.grad[1::2].all()


# ------------------------------------------------------------------------------------------- freezing


def trained(module, steps=20):
    """The module after an optimiser with momentum and weight decay has pulled at its slopes."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        module(torch.randn(16, module.num_channels)).square().mean().backward()
        optimizer.step()
    return module


def test_frozen_channels_stay_linear_whatever_an_optimiser_does():
    module = PartialReLU(6)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1, weight_decay=0.1)
    for step in range(30):
        optimizer.zero_grad()
        module(torch.randn(16, 6)).square().mean().backward()
        optimizer.step()
        if step == 10:
            module.freeze(torch.tensor([True, False] * 3))
    assert not torch.equal(module.alpha[::2], torch.ones(3))  # the momentum of before moves the numbers
    assert torch.equal(module.channel_slopes()[::2], torch.ones(3))
    x = torch.randn(9, 6)
    assert torch.equal(module(x)[:, ::2], x[:, ::2])


def test_freezing_adds_up_and_counts_what_is_new():
    module = PartialReLU(4)
    assert module.freeze(torch.tensor([True, False, False, False])) == 1
    assert module.freeze([True, True, False, False]) == 1
    assert module.freeze(False) == 0
    assert module.frozen.tolist() == [True, True, False, False]
    assert module.freeze(True) == 2


@pytest.mark.parametrize(
    "twin",
    [
        copy.deepcopy,
        lambda module: pickle.loads(pickle.dumps(module)),
        lambda module: module.double().float(),
        lambda module: module.half(),
        lambda module: module.bfloat16(),
        lambda module: module.to("cpu", torch.float64),
        lambda module: module.to("cpu"),
        lambda module: module.train().eval().requires_grad_(False),
    ],
    ids=["deepcopy", "pickle", "double.float", "half", "bfloat16", "to", "device", "modes"],
)
def test_what_is_frozen_survives(twin):
    module = trained(partly_frozen())
    frozen = module.frozen.clone()
    again = twin(copy.deepcopy(module))
    assert again.frozen.dtype == torch.bool
    assert torch.equal(again.frozen, frozen)
    x = torch.randn(5, 6, dtype=again.alpha.dtype)
    assert torch.equal(again(x)[:, ::2], x[:, ::2])
    again.freeze(torch.zeros(6, dtype=torch.bool))
    assert torch.equal(again.frozen, frozen)


def test_what_is_frozen_survives_a_state_dict():
    module = trained(partly_frozen())
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    fresh = PartialReLU(6)
    fresh.load_state_dict(torch.load(file))
    x = torch.randn(5, 6)
    assert torch.equal(fresh(x), module(x))
    assert set(module.state_dict()) == {"alpha", "frozen"}
    forgetful = PartialReLU(6)  # negative control: without the mask it is lost
    forgetful.load_state_dict({"alpha": module.alpha}, strict=False)
    assert not forgetful.frozen.any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_what_is_frozen_survives_a_gpu():
    module = trained(partly_frozen())
    x = torch.randn(5, 6, 4)
    on_gpu = copy.deepcopy(module).cuda()
    assert on_gpu.frozen.is_cuda
    assert torch.equal(on_gpu(x.cuda()).cpu(), module(x))


def test_is_made_where_torch_makes_tensors():
    with torch.device("meta"):
        assert PartialReLU(3, 0.5).alpha.is_meta
    assert PartialReLU(3, torch.zeros(3, dtype=torch.float64)).alpha.dtype == torch.float64
    assert PartialReLU(3, np.zeros(3)).alpha.dtype == torch.float64
    assert PartialReLU(3, [0, 0, 0]).alpha.dtype == torch.float32


def test_compiles_into_one_graph_and_works_under_transforms():
    module = partly_frozen()
    torch._dynamo.reset()
    x = torch.randn(4, 6)
    assert torch.equal(torch.compile(module, fullgraph=True, backend="aot_eager")(x), module(x))
    grads = torch.func.vmap(torch.func.grad(lambda row: module(row[None]).sum()))(x)
    y = x.clone().requires_grad_()
    module(y).sum().backward()
    assert torch.equal(grads, y.grad)


def test_mixed_precision_keeps_the_type_of_its_input():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = nn.Linear(3, 6)(torch.randn(2, 3))
        assert x.dtype == torch.bfloat16
        assert partly_frozen()(x).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PartialReLU(0), "num_channels"),
        (lambda: PartialReLU(3, channel_dim=1.0), "channel_dim"),
        (lambda: PartialReLU(3, float("nan")), "alpha"),
        (lambda: PartialReLU(3, [0.0, 1.0]), "alpha"),
        (lambda: PartialReLU(3, "0"), "alpha"),
        (lambda: PartialReLU(3, shape=(4,)), "do not fit"),
        (lambda: PartialReLU(3, shape=(4, 5)), "do not fit"),
        (lambda: PartialReLU(3)(torch.zeros(2, 4)), "has not 3 channels on axis 1"),
        (lambda: PartialReLU(3)(torch.zeros(2, 4, 3)), "channel_dim=-1"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(DomainError, match=message) as caught:
        make()
    assert "to change:" in str(caught.value)


# ------------------------------------------------------------------------------------------- table


def test_the_table_lists_calls_in_order_of_execution():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = PartialReLU(3), PartialReLU(4)
            self.fc1, self.fc2, self.fc3 = nn.Linear(2, 4), nn.Linear(4, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.last(self.fc3(self.last(self.fc2(self.first(self.fc1(x))))))

    net = Net()
    net.last.freeze([True, True, False])
    found = active_units(net)
    assert found.names == ("first", "last", "last:2")
    assert found.channels.tolist() == [4, 3, 3]
    assert found.active.tolist() == [4, 1, 1]
    assert found.slopes[1].tolist() == [1.0, 1.0, 0.0]
    assert "6 of 10 units are active" in str(found)
    assert found.summary.support == 3
    np.testing.assert_allclose(found.summary.effective_width, 2.0)
    assert found.status.messages == ()


def test_the_table_of_what_cannot_be_traced_says_so():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.act, self.unused = PartialReLU(2, shape=(1,)), PartialReLU(2)

        def forward(self, x):
            return self.act(x) if x.sum() > 0 else x

    found = active_units(Odd())
    assert found.names == ("act", "unused")
    assert found.active.tolist() == [2, 2]
    assert "order of registration" in found.status.messages[0]
    with pytest.raises(DomainError, match="no PartialReLU"):
        active_units(nn.Linear(2, 2))


SCHEDULE = LinearizeSchedule(1.0, 0, 1000)
BATCH = torch.linspace(-1, 1, 12).reshape(3, 4)
READS_MODULES = {
    "core": core_network,
    "fold": fold,
    "graph": lambda model: graph_of(model, BATCH),
    "shares": lambda model: variance_shares(model, BATCH),
    "check": lambda model: check(lambda: redrawn(model), seeds=2, samples=20),
}
READS_PARTIAL = {
    "table": active_units,
    "penalty": lambda model: LinearityPenalty(model)(),
    "snap": lambda model: LinearityPenalty(model).snap(),
    "proximal step": lambda model: LinearityPenalty(model).prox_step(0.01),
    "schedule": lambda model: SCHEDULE.after_step(0, LinearityPenalty(model)),
    "schedule's check": lambda model: SCHEDULE.check(LinearityPenalty(model), lr=0.003),
}
LOST = pytest.mark.parametrize("lost", [float("nan"), float("inf"), -float("inf")])


def three_layers(activation):
    return nn.Sequential(nn.Linear(4, 8), activation(8), nn.Linear(8, 8), activation(8), nn.Linear(8, 2))


def redrawn(model):
    """The same slopes between other weights."""
    other = copy.deepcopy(model)
    for layer in other[::2]:
        layer.reset_parameters()
    return other


def refused_by_name(read, model):
    with pytest.raises(DomainError, match=r"^1 of 8 slopes of .*'3'.* are NaN or infinite\.") as caught:
        read(model)
    assert "diverged" in caught.value.cause
    assert "smaller rate" in caught.value.change


@LOST
@pytest.mark.parametrize("read", (READS_MODULES | READS_PARTIAL).values(), ids=READS_MODULES | READS_PARTIAL)
def test_slopes_that_a_training_lost_are_refused_by_name(lost, read):
    read(three_layers(PartialReLU))
    model = three_layers(PartialReLU)
    with torch.no_grad():
        model[3].alpha[2] = lost
    refused_by_name(read, model)
    assert not model[3].frozen.any()  # nothing was done
    assert not model[1].frozen.any()
    assert not model[1].alpha.any()


@LOST
@pytest.mark.parametrize(
    "read",
    [*READS_MODULES.values(), lambda model: replace_activations(model, (nn.PReLU,))],
    ids=[*READS_MODULES, "replacement"],
)
def test_slopes_that_a_prelu_lost_are_refused_by_name(lost, read):
    read(three_layers(nn.PReLU))
    model = three_layers(nn.PReLU)
    with torch.no_grad():
        model[3].weight[2] = lost
    refused_by_name(read, model)


def test_a_lost_slope_of_one_position_is_refused():
    model = nn.Sequential(nn.Conv1d(4, 8, 1), PartialReLU(8, shape=(8, 3)), nn.Conv1d(8, 2, 1))
    graph_of(model, (1, 4, 3))
    with torch.no_grad():
        model[1].alpha[5, 1] = float("nan")
    for read in (fold, active_units, lambda model: graph_of(model, (1, 4, 3))):
        with pytest.raises(DomainError, match=r"^1 of 24 slopes of .*'1'.* are NaN or infinite\."):
            read(model)


@pytest.mark.parametrize("read", READS_PARTIAL.values(), ids=READS_PARTIAL)
def test_numbers_below_frozen_slopes_do_not_matter(read):
    model = three_layers(PartialReLU)
    model[3].freeze(torch.arange(8) == 2)
    with torch.no_grad():
        model[3].alpha[2] = float("nan")
    read(model)
    core_network(model)


def test_networks_that_lose_slopes_in_the_second_seed_are_refused():
    made = []

    def factory():
        made.append(three_layers(PartialReLU))
        with torch.no_grad():
            made[-1][1].alpha[0] = 0.5  # a mixture
            made[-1][3].alpha[2] = float("nan") if len(made) > 1 else 0.0
        return made[-1]

    refused_by_name(lambda factory: check(factory, seeds=2, samples=20), factory)


def test_a_penalty_that_overflows_is_not_called_lost():
    model = nn.Sequential(PartialReLU(4, -60000.0).half())
    penalty = LinearityPenalty(model, p=1.0)
    assert penalty().isinf()


def test_the_table_is_kept(tmp_path):
    from gpdeep import load

    found = active_units(nn.Sequential(nn.Linear(2, 6), partly_frozen()))
    assert load(found.save(tmp_path / "units.json")) == found
