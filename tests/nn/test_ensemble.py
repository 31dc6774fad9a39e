"""An ensemble is M networks: each with the weights, gradients and fate that it would have alone."""

import itertools
import math
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep import Architecture, DomainError, MemoryBudgetError  # noqa: E402
from gpdeep.activations import from_callable  # noqa: E402
from gpdeep.nn import CST, CReLU, Ensemble, module_of, train_ensemble  # noqa: E402
from gpdeep.nn.ensembles.statistics import angle_floor, ensemble_statistics  # noqa: E402
from gpdeep.nn.memory_budget import free_bytes, has_room  # noqa: E402
from gpdeep.nn.modules.masked_ramps import masked  # noqa: E402
from gpdeep.nn.one_thread import one_thread  # noqa: E402

X = np.random.default_rng(0).normal(size=(96, 6))
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
DOUBLE = {"dtype": torch.float64}


def twin(ensemble, m):
    """Member m as an ordinary module of its own."""
    layers = []
    for (n, out), W, b in zip(itertools.pairwise(ensemble.widths), ensemble.weights, ensemble.biases, strict=True):
        linear = nn.Linear(n, out, dtype=W.dtype)
        with torch.no_grad():
            linear.weight.copy_(W[m].T)
            linear.bias.copy_(b[m, 0])
        layers += [linear, module_of(ensemble.phis[m])]
    return nn.Sequential(*layers[:-1])


# ------------------------------------------------------------------------------------ what is drawn


def test_a_member_is_drawn_the_same_in_any_company_place_and_type():
    company = Ensemble("6,9x3,2", 5, sigma_b=0.3, seeds=[10, 11, 12, 13, 14], **DOUBLE)
    alone = Ensemble("6,9x3,2", 1, sigma_b=0.3, seeds=[13], **DOUBLE)
    single = Ensemble("6,9x3,2", 2, sigma_b=0.3, seeds=[1, 13], dtype=torch.float32)
    for W, w, s in zip(company.weights, alone.weights, single.weights, strict=True):
        assert torch.equal(W[3], w[0])
        assert torch.equal(s[1], w[0].float())
    assert not torch.equal(company.weights[0][0], company.weights[0][1])


def test_entries_have_the_variance_that_was_asked_for():
    """4 standard errors of a mean square of k normal numbers, √(2/k); 12 comparisons: one false alarm in 1,300."""
    nets = Ensemble("300,400x2,50", 2, sigma_w=[1.0, 2.0], sigma_b=[0.0, 0.5], first_sigma_w=0.7, last_sigma_b=0.1)
    wanted = {(0, 0): 0.49, (0, 1): 0.49, (1, 0): 1.0, (1, 1): 4.0, (2, 0): 1.0, (2, 1): 1.0}
    for (layer, m), variance in wanted.items():
        W = nets.weights[layer][m].detach().double()
        assert W.square().mean() * W.shape[0] / variance == pytest.approx(1, abs=4 * math.sqrt(2 / W.numel()))
    assert not nets.biases[0][0].any()
    assert nets.biases[1][1].detach().square().mean() / 0.25 == pytest.approx(1, abs=4 * math.sqrt(2 / 400))


def test_relu_networks_keep_the_variance_by_default_and_an_architecture_brings_its_own():
    he = Ensemble("6,500,500,2", 1)
    assert he.weights[1].detach().square().mean() * 500 == pytest.approx(2, abs=4 * 2 * math.sqrt(2 / 500**2))
    own = Ensemble(Architecture(6, Architecture.parse("6,500x2,2").blocks, 2, sigma_w=1.0), 1)
    assert own.weights[1].detach().square().mean() * 500 == pytest.approx(1, abs=4 * math.sqrt(2 / 500**2))


@pytest.mark.parametrize("phi", ["relu", "tanh", "crelu:0.5,1", "cst:0.5,1", "gelu"])
def test_outputs_are_those_of_ordinary_modules(phi):
    nets = Ensemble("6,9x3,2", 3, activation=phi, sigma_w=1.3, sigma_b=0.2, **DOUBLE)
    x = torch.as_tensor(X)
    for m in range(3):
        np.testing.assert_allclose(nets(x)[m].detach(), twin(nets, m)(x).detach(), rtol=1e-12, atol=1e-14)


def test_members_may_have_activations_of_their_own():
    nets = Ensemble("6,9x2,2", 3, activation=["relu", "tanh", "tanh"], sigma_w=1.3, **DOUBLE)
    x = torch.as_tensor(X)
    for m in range(3):
        np.testing.assert_allclose(nets(x)[m].detach(), twin(nets, m)(x).detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("module", [CReLU(0.3, 0.7), CReLU(-0.2, 0.5), CST(0.3, 0.7), CST(0.0, 0.5)], ids=str)
def test_ramps_with_a_mask_are_the_modules_to_the_last_bit(module):
    tau, m = module.ends(torch.float32)
    at_ends = torch.tensor([tau, tau + m, -tau, -tau - m, 0.0, -0.0, math.inf, -math.inf])
    x = torch.cat([torch.linspace(-2, 2, 4001), at_ends])
    one, two = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, z = module(one), masked(module)(two)
    assert torch.equal(y, z)
    weight = torch.linspace(1, 2, len(x))
    (y * weight)[torch.isfinite(x)].sum().backward()
    (z * weight)[torch.isfinite(x)].sum().backward()
    assert torch.equal(one.grad, two.grad)


# ------------------------------------------------------------------------------------ training


OPTIMISERS = {
    "sgd": ({"lr": 0.05}, lambda p: torch.optim.SGD(p, lr=0.05)),
    "momentum": (
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    ),
    "nesterov": (
        {"lr": 0.05, "momentum": 0.9, "nesterov": True},
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    ),
    "adam": ({"lr": 0.01, "optimizer": "adam"}, lambda p: torch.optim.Adam(p, lr=0.01)),
    "adamw": (
        {"lr": 0.01, "optimizer": "adam", "weight_decay": 0.1},
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize(("options", "make"), OPTIMISERS.values(), ids=OPTIMISERS)
def test_members_walk_with_networks_that_are_trained_alone(options, make):
    """Full batches, so that the order of samples does not matter; 30 steps at 1e-12."""
    nets = Ensemble("6,9x3,2", 2, sigma_b=0.1, **DOUBLE)
    lone = [twin(nets, m) for m in range(2)]
    train_ensemble(nets, X, LABELS, steps=30, batch=len(X), **options)
    x, y = torch.as_tensor(X), torch.as_tensor(LABELS)
    for m, net in enumerate(lone):
        optimizer = make(net.parameters())
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
        for layer, W in enumerate(nets.weights):
            np.testing.assert_allclose(
                W[m].T.detach(), net[2 * layer].weight.detach(), rtol=1e-12, atol=1e-12, err_msg=str(layer)
            )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [2, 33, 300])  # torch multiplies small, batched and single matrices differently
@pytest.mark.parametrize(
    "options",
    [{"lr": 0.1}, {"lr": 0.05, "momentum": 0.9, "clip": 0.5}, {"lr": 0.01, "optimizer": "adam"}],
    ids=["sgd", "clipped", "adam"],
)
def test_a_member_alone_is_bitwise_the_member_in_company(dtype, width, options):
    seeds = [5, 6, 7, 8]
    company = Ensemble(f"6,{width}x4,2", 4, seeds=seeds, dtype=dtype)
    train_ensemble(company, X, LABELS, steps=40, batch=32, **options)
    for m, seed in enumerate(seeds):
        alone = Ensemble(f"6,{width}x4,2", 1, seeds=[seed], dtype=dtype)
        train_ensemble(alone, X, LABELS, steps=40, batch=32, **options)
        for W, w in zip(company.parameters(), alone.parameters(), strict=True):
            assert torch.equal(W[m], w[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "phi", "batch"),
    [
        ("6,1x2,2", "tanh", 32),  # products with a single column
        ("6,33,1", "relu", 96),
        ("6,9x3,2", "gelu", 7),  # members begin anywhere in a line of the cache, and in a vector of numbers
        ("6,33x2,3", "mish", 13),
        ("6,50x2,2", "cst:0.1,1", 31),
        ("6,21x4,5", "selu", 64),
    ],
)
def test_a_member_does_not_notice_where_in_memory_it_begins(shape, phi, batch, dtype):
    outputs = int(shape.rpartition(",")[2])
    targets = {"Y": LABELS} if outputs > 1 else {"Y": X[:, :1], "cost": "squared"}
    options = targets | {"steps": 15, "lr": 0.05, "momentum": 0.9, "batch": batch}
    company = Ensemble(shape, 5, activation=phi, sigma_w=1.2, dtype=dtype)
    train_ensemble(company, X, **options)
    for m in range(5):
        alone = Ensemble(shape, 1, activation=phi, sigma_w=1.2, seeds=[m], dtype=dtype)
        train_ensemble(alone, X, **options)
        for W, w in zip(company.parameters(), alone.parameters(), strict=True):
            assert torch.equal(W[m], w[0])


def test_own_batches_do_not_depend_on_the_company_and_differ():
    company = Ensemble("6,9,2", 2, seeds=[1, 2])
    twice = Ensemble("6,9,2", 2, seeds=[1, 1])
    alone = Ensemble("6,9,2", 1, seeds=[2])
    for nets in (company, twice, alone):
        train_ensemble(nets, X, LABELS, steps=20, batch=8, lr=0.1, own_batches=True)
    assert torch.equal(company.weights[0][1], alone.weights[0][0])
    assert torch.equal(twice.weights[0][0], twice.weights[0][1])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_diverging_member_rests_where_it_was_finite_and_its_neighbours_do_not_notice(optimizer):
    options = {"steps": 25, "batch": 32, "optimizer": optimizer}
    rates = [0.05, 1e9, 0.02] if optimizer == "sgd" else [0.01, 1e10, 0.002]
    nets = Ensemble("6,9x3,2", 3)
    found = train_ensemble(nets, X, LABELS, lr=rates, **options)
    assert found.alive.tolist() == [True, False, True]
    assert 0 < found.died_at[1] < 25
    assert "not finite" in found.reason[1]
    assert found.reason[0] == ""
    assert all(bool(torch.isfinite(p).all()) for p in nets.parameters())
    for m in (0, 2):
        alone = Ensemble("6,9x3,2", 1, seeds=[m])
        train_ensemble(alone, X, LABELS, lr=rates[m], **options)
        for W, w in zip(nets.parameters(), alone.parameters(), strict=True):
            assert torch.equal(W[m], w[0])
    resting = Ensemble("6,9x3,2", 1, seeds=[1])
    stopped = train_ensemble(resting, X, LABELS, lr=rates[1], **(options | {"steps": int(found.died_at[1])}))
    assert stopped.died_at[0] == found.died_at[1]
    assert torch.equal(nets.weights[1][1], resting.weights[1][0])


def test_a_large_cost_is_no_divergence():
    nets = Ensemble("6,9,2", 1, last_sigma_w=1e6)
    found = train_ensemble(nets, X, LABELS, steps=3, lr=1e-9)
    assert found.cost[0, 0] > 1e4
    assert found.alive.all()


def test_clipping_bounds_the_step_of_each_member():
    nets = Ensemble("6,9,2", 3, last_sigma_w=30.0, **DOUBLE)
    before = [p.detach().clone() for p in nets.parameters()]
    train_ensemble(nets, X, LABELS, steps=1, lr=[0.1, 0.1, 1e-3], clip=[0.5, 1e9, 0.5])
    moved = sum((p - q).square().sum((1, 2)) for p, q in zip(nets.parameters(), before, strict=True)).sqrt()
    assert moved[0].item() == pytest.approx(0.05, rel=1e-9)
    assert moved[1].item() > 0.06  # the negative control: a bound that is not reached changes nothing
    assert moved[2].item() == pytest.approx(5e-4, rel=1e-9)


def test_the_slope_of_prelu_is_no_parameter():
    nets = Ensemble("6,9x2,2", 3, activation="prelu:0.25", dtype=torch.float64)
    leaky = Ensemble("6,9x2,2", 3, activation="leaky_relu:0.25", dtype=torch.float64)
    assert len(list(nets.parameters())) == 6
    found, expected = (train_ensemble(each, X, LABELS, steps=9, lr=0.1) for each in (nets, leaky))
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-12)  # the same function, rounded differently


def test_a_layer_of_nan_has_no_share_of_zeros():
    nets = Ensemble("6,9x2,2", 2)
    with torch.no_grad():
        nets.weights[1][1] = math.nan
    found = ensemble_statistics(nets, X)
    assert np.isnan(found.zeros).tolist() == [[False, False], [False, True]]


def test_schedules_end_at_rest():
    nets = Ensemble("6,9,2", 1, **DOUBLE)
    seen = []
    train_ensemble(nets, X, LABELS, steps=4, lr=0.1, schedule=lambda share: seen.append(share) or 0.0)
    assert seen == [0.0, 0.25, 0.5, 0.75]
    again = Ensemble("6,9,2", 1, **DOUBLE)
    assert torch.equal(nets.weights[0], again.weights[0])


# ------------------------------------------------------------------------------------ looks


def test_records_are_what_an_ordinary_network_shows():
    nets = Ensemble("6,40x2,2", 2, **DOUBLE)
    pairs = [[0, 1], [2, 3]]
    found = train_ensemble(
        nets, X, LABELS, steps=7, lr=0.1, batch=len(X), record_at=(3,), test=(X[:10], LABELS[:10]), probe=(X, pairs)
    )
    assert [record.step for record in found.records] == [0, 3, 7]
    last = found.records[-1]
    net, x, y = twin(nets, 1), torch.as_tensor(X), torch.as_tensor(LABELS)
    cost = nn.functional.cross_entropy(net(x), y)
    cost.backward()
    assert last.train[0][1] == pytest.approx(cost.item(), rel=1e-12)
    assert last.train[1][1] == (net(x).argmax(1) == y).double().mean().item()
    assert last.test[1][1] == (net(x[:10]).argmax(1) == y[:10]).double().mean().item()
    norms = [net[k].weight.grad.norm().item() for k in (0, 2, 4)]
    np.testing.assert_allclose(last.gradient_norms[1], norms, rtol=1e-10)
    h = net[:3](x).detach()
    assert last.statistics.q[1, 1] == pytest.approx(h.square().mean().item(), rel=1e-12)
    assert last.statistics.zeros[1, 1] == (h <= 0).double().mean().item()
    u, v = torch.relu(h[2]), torch.relu(h[3])
    cosine = (u @ v / u.norm() / v.norm()).item()
    assert last.statistics.log_sin2[1, 1, 1] == pytest.approx(math.log(1 - cosine**2), rel=1e-10)
    assert "networks" in str(found)


def test_angles_keep_their_digits_down_to_the_floor_and_below_it_are_not_measurable():
    """With the identity the angle does not change but by the weights; next to it the floor of float32."""
    u = np.array([1.0, 0.0])
    nets = Ensemble("2,2,1", 1, activation="identity", sigma_w=1.0, **DOUBLE)
    with torch.no_grad():
        nets.weights[0].copy_(torch.eye(2))
    for angle in (1e-3, 1e-9, 1e-13):
        pair = np.stack([u, [math.cos(angle), math.sin(angle)]])
        found = ensemble_statistics(nets, pair, pairs=[[0, 1]])
        # one rounding of an entry of 1 changes the angle by eps
        assert found.log_sin2[0, 0, 0] == pytest.approx(2 * math.log(math.sin(angle)), abs=4 * 2.3e-16 / angle)
    same = ensemble_statistics(nets, np.stack([u, u]), pairs=[[0, 1]])
    assert math.isnan(same.log_sin2[0, 0, 0])
    assert same.not_measurable.tolist() == [[1]]
    rough = ensemble_statistics(nets, np.stack([u, [1.0, 1e-7]]), pairs=[[0, 1]], dtype=torch.float32)
    assert math.isnan(rough.log_sin2[0, 0, 0])
    assert angle_floor(torch.float32) == pytest.approx(5e-7, rel=0.1)


def test_an_interrupted_training_keeps_what_was_done():
    def stop(step, _):
        if step == 3:
            raise KeyboardInterrupt

    nets = Ensemble("6,9,2", 2)
    found = train_ensemble(nets, X, LABELS, steps=100, lr=0.1, progress=stop)
    assert found.status.code == "not_converged"
    assert "Interrupted after 3 of 100" in found.status.messages[0]
    assert_stands_after(3, found)


def test_a_training_interrupted_within_a_step_has_not_done_it():
    calls = []

    def schedule(share):
        calls.append(share)
        if share >= 0.04:
            raise KeyboardInterrupt
        return 1.0

    nets = Ensemble("6,9,2", 2)
    found = train_ensemble(nets, X, LABELS, steps=100, lr=0.1, schedule=schedule)
    assert "Interrupted after 4 of 100" in found.status.messages[0]
    assert_stands_after(4, found)


def assert_stands_after(steps, found):
    """An interrupted training of `steps` steps at a rate of 0.1 is that of as many steps that was not interrupted."""
    whole = train_ensemble(Ensemble("6,9,2", 2), X, LABELS, steps=steps, lr=0.1)
    assert found.steps == found.records[-1].step == steps
    np.testing.assert_array_equal(found.cost, whole.cost)
    np.testing.assert_array_equal(found.records[-1].gradient_norms, whole.records[-1].gradient_norms)
    np.testing.assert_array_equal(found.accuracy, whole.accuracy)


def test_networks_that_all_die_are_seen_as_they_rest():
    found = train_ensemble(Ensemble("6,9,2", 2), X, LABELS, steps=50, lr=1e9)
    last = found.died_at.max()
    assert 0 < last < 50
    assert (found.steps, [record.step for record in found.records], len(found.cost)) == (last, [0, last], last + 1)


def test_inference_mode_does_not_keep_networks_from_being_made_or_trained():
    with torch.inference_mode():
        nets = Ensemble("6,9,2", 2)
        found = train_ensemble(nets, torch.as_tensor(X) + 0.0, LABELS, steps=5, lr=0.1)
    again = train_ensemble(Ensemble("6,9,2", 2), X, LABELS, steps=5, lr=0.1)
    np.testing.assert_array_equal(found.cost, again.cost)
    train_ensemble(nets, X, LABELS, steps=1, lr=0.1)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


REFUSED = {
    "residual": (lambda: Ensemble("6,res(9x3),2", 2), "res"),
    "unknown width": (lambda: Ensemble("6,?x3,2", 2), "leaves a width open"),
    "no members": (lambda: Ensemble("6,9,2", 0), "members"),
    "half a member": (lambda: Ensemble("6,9,2", 1.5), "members"),
    "seeds": (lambda: Ensemble("6,9,2", 3, seeds=[1, 2]), "2 seeds for 3"),
    "sigmas": (lambda: Ensemble("6,9,2", 3, sigma_w=[1.0, 2.0]), "sigma_w"),
    "NaN": (lambda: Ensemble("6,9,2", 2, sigma_w=math.nan), "sigma_w"),
    "negative": (lambda: Ensemble("6,9,2", 2, sigma_b=-1.0), "sigma_b"),
    "activations": (lambda: Ensemble("6,9,2", 3, activation=["relu", "tanh"], sigma_w=1), "2 activations"),
    "no variance": (lambda: Ensemble("6,9,2", 2, activation="tanh"), "sigma_w"),
    "columns": (lambda: trained(X.T, LABELS), "shape"),
    "regression": (lambda: trained(X, X[:, :2]), "shape"),
    "classes": (lambda: trained(X, LABELS + 1), "classes|Classes|outputs"),
    "NaN data": (lambda: trained(X * np.nan, LABELS), "finite"),
    "rate": (lambda: trained(lr=math.inf), "lr"),
    "rates": (lambda: trained(lr=[1.0, 2.0, 3.0]), "lr"),
    "optimiser": (lambda: trained(optimizer="lion"), "lion"),
    "schedule": (lambda: trained(schedule="steps"), "schedule"),
    "cost": (lambda: trained(cost="absolute"), "cost"),
    "record": (lambda: trained(record_at=(99,)), "record_at"),
    "momentum": (lambda: trained(momentum=-0.1), "momentum"),
    "momentum of adam": (lambda: trained(optimizer="adam", momentum=0.9), "momentum"),
    "pairs": (lambda: trained(probe=(X, [[0, 500]])), "pairs"),
    "a module": (lambda: train_ensemble(nn.Linear(6, 2), X, LABELS, steps=1, lr=0.1), "ensemble is a Linear"),
    "ragged": (lambda: trained([[1.0, 2.0], [3.0]], [0, 1]), "array"),
    "ragged looks": (lambda: ensemble_statistics(Ensemble("6,9,2", 2), [[1.0], [2.0, 3.0]]), "array"),
    "activation": (lambda: Ensemble("6,9,2", 2, activation=3), "activation is a int"),
    "schedule of no name": (lambda: trained(schedule=[1]), "schedule"),
    "no steps": (lambda: trained(steps=0), "steps"),
    "shape": (lambda: Ensemble("6,9,2", 2)(torch.ones(3, 5)), "shape \\(3, 5\\)"),
    "a row": (lambda: Ensemble("6,9,2", 2)(torch.ones(6)), "shape \\(6,\\)"),
    "company": (lambda: Ensemble("6,9,2", 2)(torch.ones(3, 4, 6)), "each of the 2"),
    "an array": (lambda: Ensemble("6,9,2", 2)(X), "x is a ndarray"),
    "type": (lambda: Ensemble("6,9,2", 2)(torch.as_tensor(X)), "float64 on cpu, the weights torch.float32"),
    "no weights": (
        lambda: train_ensemble(Ensemble("6,9,2", 2, device="meta"), X, LABELS, steps=1, lr=1),
        "device meta",
    ),
    "for arrays": (
        lambda: Ensemble("6,9,2", 2, sigma_w=1, activation=from_callable(lambda x: np.minimum(x, 9.0), knots=(9.0,))),
        "tensor with a gradient",
    ),
    "halved": (lambda: train_ensemble(Ensemble("6,9,2", 2).half(), X, LABELS, steps=1, lr=1), "float16"),
    "halved to the brain": (
        lambda: train_ensemble(Ensemble("6,9,2", 2).bfloat16(), X, LABELS, steps=1, lr=1),
        "bfloat16",
    ),
    "of two types": (lambda: train_ensemble(of_two_types(), X, LABELS, steps=1, lr=1), "float32 on cpu, torch.float64"),
    "nesterov at rest": (lambda: trained(nesterov=True), "momentum"),
    "inputs beyond the type": (lambda: trained(x=X * 1e200), "torch.float32"),
    "few bits": (lambda: Ensemble("6,9,2", 2, dtype=torch.float16), "float16"),
    "deviations by layer": (lambda: Ensemble(Architecture.parse("6,9x2,2", sigma_b=(0.0, 5.0)), 2), "each layer"),
    "weights by layer": (lambda: Ensemble(Architecture.parse("6,9x2,2", sigma_w=(1.0, 3.0)), 2), "each layer"),
    "masked": (lambda: trained(np.ma.masked_array(X, mask=X > 1)), "masked"),
    "NaN probe": (lambda: trained(probe=(X * np.nan, [(0, 1)])), "NaN"),
    "targets beyond the type": (
        lambda: train_ensemble(Ensemble("6,9,2", 2), X, X[:, :2] * 1e200, steps=1, lr=0.1, cost="squared"),
        "finite",
    ),
    "orthogonal": (lambda: Ensemble(Architecture.parse("6,9,2", weights="orthogonal"), 2), "orthogonal weights"),
    "no hidden weights": (lambda: Ensemble("6,9,2", 2, sigma_w=0), "more than 0"),
    "no first weights": (lambda: Ensemble("6,9,2", 2, first_sigma_w=[0.0, 1.0]), "more than 0"),
    "limit of deviations": (lambda: Ensemble("6,9,2", 2, first_sigma_w=1e300), r"holds 1e\+300.(.|\n)*1e\+50"),
    "NaN deviations": (lambda: Ensemble("6,9,2", 2, sigma_b=np.float64("nan")), r"holds nan\."),
    "NaN rate": (lambda: trained(lr=np.float64("nan")), r"holds nan\."),
    "momentum 1": (lambda: trained(momentum=1), "below 1(.|\n)*ever forgotten"),
    "members": (lambda: Ensemble("6,9,2", 0), "members counts the networks"),
    "steps": (lambda: trained(steps=1.5), "steps counts steps"),
    "batch": (lambda: trained(batch=-1), "batch counts samples"),
    "samples": (lambda: Ensemble("6,9,2", 2).flops(0), "samples counts samples"),
    "frozen": (lambda: train_ensemble(Ensemble("6,9,2", 2).requires_grad_(False), X, LABELS, steps=1, lr=1), "frozen"),
}


def test_deviations_that_layers_share_are_those_of_all_members():
    given = Ensemble(Architecture.parse("6,9x2,2", sigma_w=torch.full((2,), 1.5), sigma_b=torch.tensor(0.5)), 2)
    other = Ensemble("6,9x2,2", 2, sigma_w=1.5, sigma_b=0.5)
    assert all(torch.equal(a, b) for a, b in zip(given.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int8, np.int16, np.int32, list])
def test_labels_are_whole_numbers_of_any_kind(kind):
    labels = LABELS.tolist() if kind is list else LABELS.astype(kind)
    np.testing.assert_array_equal(trained(y=labels).cost, trained().cost)


def test_a_trained_ensemble_is_pickled_at_its_own_size():
    nets = Ensemble("6,30x10,2", 3)
    before = len(pickle.dumps(nets))
    train_ensemble(nets, X, LABELS, steps=2, lr=0.1)
    after = pickle.dumps(nets)
    assert len(after) < 1.1 * before  # gradients are not among it, and views would be 22 times as much
    again = pickle.loads(after)
    assert all(torch.equal(a, b) for a, b in zip(nets.parameters(), again.parameters(), strict=True))


def of_two_types():
    nets = Ensemble("6,9,2", 2)
    nets.biases.double()
    return nets


def trained(x=X, y=LABELS, **options):
    return train_ensemble(Ensemble("6,9,2", 2), x, y, **({"steps": 2, "lr": 0.1} | options))


@pytest.mark.parametrize(("call", "says"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(call, says):
    with pytest.raises(DomainError, match=says) as error:
        call()
    assert error.value.change


def test_memory_is_asked_for_before_it_is_taken(monkeypatch):
    monkeypatch.setattr("gpdeep.nn.memory_budget.free_bytes", lambda device: 1000)
    with pytest.raises(MemoryBudgetError, match="GiB"):
        trained()


def test_what_torch_keeps_of_a_gpu_is_free(monkeypatch):
    """A cache that the last training left is room for the next one."""
    for name, found in (("mem_get_info", (100, 1000)), ("memory_reserved", 70), ("memory_allocated", 30)):
        monkeypatch.setattr(torch.cuda, name, lambda device, found=found: found)
    assert free_bytes("cuda") == 140
    assert has_room(126, "cuda")
    assert not has_room(127, "cuda")


def test_memory_that_the_system_keeps_of_files_counts_as_free(monkeypatch, tmp_path):
    told = tmp_path / "meminfo"
    monkeypatch.setattr("gpdeep.nn.memory_budget._MEMORY", told)
    told.write_text("MemTotal: 900 kB\nMemFree: 1 kB\nMemAvailable:     700 kB\n")
    assert free_bytes("cpu") == 700 * 1024
    for other in ("MemFree: 1 kB\n", "MemAvailable: much\n", "MemAvailable:\n"):
        told.write_text(other)
        assert free_bytes("cpu") > 2**20  # what the system's own count says


def test_a_recorded_step_asks_for_more_memory():
    nets = Ensemble("6,9,2", 2)
    assert nets.bytes_needed(32) < nets.bytes_needed(32, recorded=True) < 4 * nets.bytes_needed(32)


def test_the_table_of_a_training_in_which_all_died_has_gaps():
    nets = Ensemble("6,9x3,2", 2)
    with torch.no_grad():
        nets.weights[0].fill_(math.nan)
    found = train_ensemble(nets, X, LABELS, steps=3, lr=0.1)
    assert not found.alive.any()
    assert "2 networks, 2 diverged" in str(found)
