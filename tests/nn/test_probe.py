"""What is measured at each activation is what numpy and autograd give by hand; what cannot be measured is refused."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from scipy.special import digamma, polygamma  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import CReLU, PartialReLU, probe  # noqa: E402
from gpdeep.result import StatusCode, load  # noqa: E402

# Two orders of summing n squares in float64 differ by less than n eps; here n is at most 2,000.
EPS = 2000 * np.finfo(float).eps


def refused(*args, match, **kwargs):
    with pytest.raises(DomainError, match=match) as caught:
        probe(*args, **kwargs)
    assert all(caught.value.args)
    return caught.value


def mlp(phi=nn.ReLU, dtype=torch.float64):
    return nn.Sequential(
        nn.Linear(6, 20), phi(), nn.Linear(20, 15), phi(), nn.Linear(15, 4, bias=False)
    ).to(dtype)  # fmt: skip


def inputs(samples=9, features=6):
    return np.random.default_rng(1).normal(size=(samples, features))


V = np.random.default_rng(2).normal(size=(9, 4))


def along(v):
    """The loss v·y."""
    return lambda y: y * torch.as_tensor(v, dtype=y.dtype)


def weights(net):
    return [(layer.weight.detach().numpy(), 0 if layer.bias is None else layer.bias.detach().numpy()) for layer in net]


# ------------------------------------------------------------------------------------------- by hand


def test_mean_squares_shares_and_gradients_of_an_mlp_are_those_of_numpy():
    net, x = mlp(lambda: CReLU(0.1, 0.3)), inputs()
    report = probe(net, x, loss=along(V))
    (w1, b1), (w2, b2), (w3, _) = weights(net[::2])
    h1 = x @ w1.T + b1
    f = lambda h: np.clip(h - 0.1, 0, 0.3)  # noqa: E731
    slope = lambda h: (h > 0.1) & (h < 0.4)  # noqa: E731
    h2 = f(h1) @ w2.T + b2
    g2 = V @ w3 * slope(h2)
    g1 = g2 @ w2 * slope(h1)
    for k, (h, g) in enumerate([(h1, g1), (h2, g2)]):
        q = np.mean(h**2, axis=1)
        np.testing.assert_allclose(report.q[k], q.mean(), rtol=EPS)
        quantiles = [report.q_low[k], report.q_median[k], report.q_high[k]]
        np.testing.assert_allclose(quantiles, np.quantile(q, [0.05, 0.5, 0.95]), rtol=EPS)
        assert report.sparsity[k] == np.mean(f(h) == 0)
        assert report.linear[k] == np.mean(slope(h))
        assert report.clipped[k] == np.mean(h >= 0.4)
        np.testing.assert_allclose(report.log_grad_norm2[k], np.log(np.sum(g**2, axis=1)).mean(), atol=10 * EPS)
    assert report.names == ("1", "3")
    assert report.kinds == ("crelu:0.1,0.3",) * 2
    assert report.units.tolist() == [20, 15]
    assert report.inputs == 9
    assert report.status.code is StatusCode.OK
    assert np.isnan(report.predicted_q).all()


def test_gradients_are_those_of_autograd_in_a_network_with_a_skip():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner, self.last, self.act = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 4), nn.GELU()

        def hidden(self, x):
            h1 = self.first(x)
            return h1, h1 + self.inner(self.act(h1))

        def forward(self, x):
            return self.last(self.act(self.hidden(x)[1]))

    net = Residual().double()
    report = probe(net, inputs(), loss=along(V))
    h1, h2 = net.hidden(torch.as_tensor(inputs()))
    gradients = torch.autograd.grad((net.last(net.act(h2)) * torch.as_tensor(V)).sum(), [h1, h2])
    expected = [g.square().sum(dim=1).log().mean().item() for g in gradients]
    np.testing.assert_allclose(report.log_grad_norm2, expected, atol=10 * EPS)
    assert report.names == ("act", "act:2")


def test_a_unit_of_a_convolution_is_a_channel_at_a_position():
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.LeakyReLU(0.1), nn.Conv2d(3, 4, 3, stride=2), nn.Hardtanh(-0.2, 0.2), nn.Flatten()
    ).double()
    x = np.random.default_rng(3).normal(size=(5, 2, 8, 8))
    report = probe(net, x, loss=lambda y: y.sin())
    h1 = F.conv2d(torch.as_tensor(x), net[0].weight, net[0].bias)
    h2 = F.conv2d(F.leaky_relu(h1, 0.1), net[2].weight, net[2].bias, stride=2)
    gradients = torch.autograd.grad(F.hardtanh(h2, -0.2, 0.2).sin().sum(), [h1, h2])
    assert report.units.tolist() == [3 * 36, 4 * 4]
    for k, (h, g) in enumerate(zip([h1, h2], gradients, strict=True)):
        h, g = h.detach().numpy().reshape(5, -1), g.numpy().reshape(5, -1)
        np.testing.assert_allclose(report.q[k], np.mean(h**2), rtol=EPS)
        np.testing.assert_allclose(report.log_grad_norm2[k], np.log(np.sum(g**2, axis=1)).mean(), atol=10 * EPS)
    assert report.clipped.tolist() == [0, np.mean(np.abs(h) >= 0.2)]
    assert report.linear.tolist() == [1, np.mean(np.abs(h) < 0.2)]
    assert report.sparsity.tolist() == [0, 0]


def test_wrong_moments_are_told_apart():
    """Negative control: the tolerance above rejects the variance about the mean, the norm, and the mean of squares."""
    net, x = mlp(), inputs()
    report = probe(net, x, loss=along(V))
    w, b = weights(net[:1])[0]
    h = x @ w.T + b
    for wrong in (np.var(h), np.mean(np.sum(h**2, axis=1)), np.mean(np.maximum(h, 0) ** 2)):
        assert abs(report.q[0] / wrong - 1) > 1e4 * EPS
    assert abs(probe(net, x, loss=along(2 * V)).log_grad_norm2[0] - report.log_grad_norm2[0] - math.log(4)) < 10 * EPS


def test_cotangent_is_standard_normal():
    """At an activation that is the output itself the gradient is v: ln χ²_n, with known mean and variance."""
    n, samples = 8, 4000
    report = probe(nn.LeakyReLU(1.0), np.ones((samples, n)))
    error = math.sqrt(polygamma(1, n / 2) / samples)
    assert report.names == ("(the module itself)",)
    # one comparison, false-alarm rate 1e-3: |z| <= 3.29
    assert abs(report.log_grad_norm2[0] - digamma(n / 2) - math.log(2)) <= 3.29 * error
    assert abs(report.log_grad_norm2[0] - math.log(n)) > 3.29 * error  # negative control: ln E χ²


# ------------------------------------------------------------------------------------------- in whatever form


@pytest.mark.parametrize(
    "form",
    [lambda h: h, lambda h: h.view(-1, 4, 5), lambda h: h.view(-1, 4, 5).mT],
    ids=["itself", "view", "transposed"],
)
def test_activations_in_place_are_measured_before_they_overwrite(form):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.act = nn.Linear(6, 20), nn.Linear(20, 4), nn.ReLU(inplace=True)

        def forward(self, x):
            h = self.one(x)
            b = self.act(form(h))
            return self.two(b.reshape(-1, 20) + h)  # h is overwritten too

    net = Net().double()
    h = net.one(torch.as_tensor(inputs())).detach().requires_grad_()
    y = net.two(form(h).relu().reshape(-1, 20) + h.relu())
    (g,) = torch.autograd.grad((y * torch.as_tensor(V)).sum(), h)
    report = probe(net, inputs(), loss=along(V))
    np.testing.assert_allclose(report.log_grad_norm2, g.square().sum(1).log().mean().item(), atol=10 * EPS)
    np.testing.assert_allclose(report.q, h.square().mean().item(), rtol=EPS)
    assert report.sparsity == np.mean(h.detach().numpy() <= 0)


def test_first_module_may_work_in_place():
    x = torch.as_tensor(inputs())
    before = x.clone()
    report = probe(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 2).double()), x)
    assert torch.equal(x, before)
    np.testing.assert_allclose(report.q[0], np.mean(inputs() ** 2), rtol=EPS)


def test_a_module_used_again_is_another_layer():
    act = nn.Tanh()
    net = nn.Sequential(nn.Linear(6, 6), act, nn.Linear(6, 6), nn.Sequential(act), nn.Linear(6, 6), act)
    assert probe(net, inputs()).names == ("1", "1:2", "1:3")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_neither_overflows_nor_underflows_in_the_sums(dtype):
    net = nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False)).to(dtype)
    with torch.no_grad():
        net[0].weight.fill_(500.0)
        net[2].weight.fill_(2.0**-10)
    report = probe(net, np.ones((2, 4)), loss=lambda y: y[:, :1])
    # powers of two and sums of four: exact in every format; 2000² is beyond float16's 65504, 2^-20 subnormal there
    assert report.q[0] == 2000.0**2
    assert report.log_grad_norm2[0] == pytest.approx(math.log(3 * 2.0**-20), abs=4 * np.finfo(float).eps * 14)
    assert report.status.code is StatusCode.OK


@pytest.mark.parametrize(
    "x",
    [
        np.arange(12).reshape(2, 6),
        np.arange(12, dtype=np.uint8).reshape(2, 6),
        np.arange(12, dtype=">f4").reshape(2, 6),
        np.arange(12, dtype=np.float16).reshape(2, 6),
        np.arange(12.0).reshape(6, 2).T,
        np.arange(12.0).reshape(2, 6).tolist(),
        torch.arange(12).reshape(2, 6),
        torch.arange(12, dtype=torch.bfloat16).reshape(2, 6),
        torch.arange(12.0).reshape(2, 6).requires_grad_(),
    ],
    ids=lambda x: f"{type(x).__name__}-{getattr(x, 'dtype', '')}",
)
def test_inputs_of_any_real_type_are_taken(x):
    net = mlp(dtype=torch.float32)
    values = np.array(x.detach().float().numpy() if isinstance(x, torch.Tensor) else x, dtype=np.float64)
    assert probe(net, x) == probe(net, values)


def test_integers_stay_integers_for_an_embedding():
    net = nn.Sequential(nn.Embedding(10, 6), nn.Flatten(), nn.Linear(18, 5), nn.Tanh(), nn.Linear(5, 2))
    net.requires_grad_(False)
    report = probe(net, np.arange(6).reshape(2, 3))
    assert np.isfinite(report.log_grad_norm2).all()
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_a_batch_of_one_is_enough():
    report = probe(mlp(), inputs(1))
    assert report.q_low.tolist() == report.q_high.tolist() == report.q.tolist()


def test_frozen_networks_have_gradients_too():
    net = mlp()
    report = probe(net, inputs())
    assert probe(net.requires_grad_(False), inputs()) == report


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_contexts_without_gradients_do_not_matter(context):
    net = mlp()
    report = probe(net, inputs())
    with context():
        assert probe(net, inputs()) == report
        assert probe(net, torch.as_tensor(inputs())) == report


def test_the_seed_decides():
    net = nn.Sequential(nn.Linear(6, 50), nn.Dropout(0.5), nn.ReLU(), nn.Linear(50, 2))
    one, other = probe(net, inputs(), rng=3), probe(net, inputs(), rng=3)
    assert one == other
    assert one.seed == 3
    assert probe(net, inputs(), rng=4).sparsity != one.sparsity
    assert probe(net, inputs(), rng=np.random.default_rng(3)).seed is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch's own compiler
def test_wrappers_are_looked_through():
    net = mlp()
    report = probe(net, inputs())
    assert probe(nn.DataParallel(net), inputs()) == report
    assert probe(torch.compile(net, backend="eager"), inputs()) == report


def test_checkpointed_layers_are_seen_once():
    class Checkpointed(nn.Module):
        def __init__(self, inner, **options):
            super().__init__()
            self.inner, self.options = inner, options

        def forward(self, x):
            return torch.utils.checkpoint.checkpoint(self.inner, x, **self.options)

    import torch.utils.checkpoint

    net = mlp()
    plain = probe(net, inputs())
    report = probe(Checkpointed(net, use_reentrant=False), inputs())
    assert report.log_grad_norm2.tolist() == plain.log_grad_norm2.tolist()
    reentrant = probe(Checkpointed(net, use_reentrant=True), inputs())  # runs without autograd
    assert reentrant.q.tolist() == plain.q.tolist()
    assert np.isnan(reentrant.log_grad_norm2).all()
    assert "not known" in reentrant.status.messages[0]


def test_modules_of_ones_own_are_looked_at_when_named():
    class Cube(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.ReLU()

        def forward(self, x):
            return self.inner(x) ** 3

    net = nn.Sequential(nn.Linear(6, 5), Cube(), nn.Linear(5, 2)).double()
    assert probe(net, inputs()).names == ("1.inner",)
    report = probe(net, inputs(), activations=[net[1]])
    assert report.names == ("1",)
    assert report.kinds == ("Cube",)
    assert report.linear[0] == 1 - report.sparsity[0]
    assert probe(net, inputs(), activations=net[1]) == report
    assert probe(net, inputs(), activations=nn.ModuleList([net[1]])) == report
    for wrong in (3, None, [[net[1]]]):
        refused(net, inputs(), activations=wrong, match=f"activations is a {type(wrong).__name__}")
    assert probe(net, inputs(), activations={net[1]: "tanh"}).kinds == ("tanh",)
    refused(net, inputs(), activations=[Cube()], match="no part of the model")
    refused(net, inputs(), activations=["1"], match="no part of the model")


def test_activations_of_torch_outside_the_catalogue_are_measured():
    net = nn.Sequential(nn.Linear(6, 5), nn.Hardswish(), nn.Linear(5, 5), nn.PReLU(5), nn.Linear(5, 2), nn.Softmax(1))
    with torch.no_grad():
        net[3].weight[0] = 0.5
    assert probe(net, inputs()).kinds == ("Hardswish", "PReLU")  # one of many slopes, not a softmax


@pytest.mark.parametrize(
    "layer",
    [PartialReLU(5, 1.0), PartialReLU(5, 1.0, shape=(1,)), nn.PReLU(5, 1.0), nn.LeakyReLU(1.0)],
    ids=str,
)
def test_a_layer_whose_channels_are_all_linear_is_called_so(layer):
    net = nn.Sequential(nn.Linear(6, 5), layer, nn.Linear(5, 5), PartialReLU(5), nn.Linear(5, 2)).double()
    report = probe(net, inputs(), sigma_w=1.0)
    assert report.kinds == ("linear", "relu")
    assert [line.split()[2] for line in str(report).splitlines()[2:4]] == ["linear", "relu"]
    assert report.predicted_linear.tolist() == [1.0, 0.5]


def test_a_layer_with_one_channel_left_is_not_called_linear():
    net = nn.Sequential(nn.Linear(6, 5), PartialReLU(5, [1.0, 1.0, 0.0, 1.0, 1.0]), nn.Linear(5, 2)).double()
    assert probe(net, inputs()).kinds == ("PartialReLU",)
    net[1].freeze([False, False, True, False, False])
    assert probe(net, inputs()).kinds == ("linear",)


# ------------------------------------------------------------------------------------------- not finite


def test_overflow_is_reported_with_the_first_layer():
    net = mlp(nn.ReLU, torch.float16)
    with torch.no_grad():
        net[2].weight.fill_(6e4)
    report = probe(net, inputs())
    assert np.isfinite(report.q[0])
    assert not np.isfinite(report.q[1])
    assert report.status.code is StatusCode.OUTSIDE_VALIDITY
    assert "'3' (activation 2 of 2)" in report.status.messages[0]


def test_nan_is_not_counted_as_any_share():
    x = inputs()
    x[4, 2] = np.nan
    report = probe(mlp(), x)
    for field in (report.q, report.q_median, report.sparsity, report.linear, report.clipped):
        assert np.isnan(field).all()
    assert "'1' (activation 1 of 2) is the first whose pre-activations" in report.status.messages[0]
    assert "1 of 9 inputs" in report.status.messages[0]


def test_a_gradient_that_vanishes_is_minus_infinity():
    net = mlp()
    with torch.no_grad():
        net[0].bias.fill_(-100.0)
    report = probe(net, inputs())
    assert report.log_grad_norm2[0] == -np.inf
    assert np.isfinite(report.log_grad_norm2[1])
    assert report.sparsity[0] == 1
    assert "'1' (activation 1 of 2) is the first whose gradient vanishes" in report.status.messages[0]


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda y: y.sum() * np.nan, "The loss is nan, although all pre-activations are finite."),
        (lambda y: y.square().sum() * np.inf, "The loss is inf, although all pre-activations are finite."),
        (lambda y: (y - y).sqrt(), None),
    ],
    ids=["nan", "infinite", "infinite slope"],
)
def test_a_loss_that_is_not_finite_is_named(loss, says):
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
    report = probe(net, torch.ones(3, 6), loss=loss)
    *first, last = report.status.messages
    assert first == [says] * (says is not None)
    assert "'3' (activation 2 of 2) is the first whose gradient is not finite" in last


def test_a_gradient_that_is_cut_off_is_not_known():
    class Cut(nn.Sequential):
        def forward(self, x):
            return self[4](self[3](self[2](self[1](self[0](x.detach()).detach()))))

    net = Cut(*mlp()).requires_grad_(False)
    with torch.no_grad():
        refused(net, inputs(), match="no gradient")
    net[2].requires_grad_(True)
    report = probe(net, inputs())
    assert np.isnan(report.log_grad_norm2[0])
    assert np.isfinite(report.log_grad_norm2[1])
    assert np.isfinite(report.linear).all()
    assert "'1' (activation 1 of 2) is the first whose gradient is not known" in report.status.messages[0]


# ------------------------------------------------------------------------------------------- refused


def test_activations_that_are_functions_are_refused():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(6, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.two(torch.relu(self.one(x)))

    error = refused(Functional(), inputs(), match="no activation among its 3 modules")
    assert "cannot be hooked" in error.cause
    assert "self.act = nn.ReLU()" in error.change
    unused = Functional()
    unused.act = nn.ReLU()
    refused(unused, inputs(), match="None of the 1 activation modules was called")


@pytest.mark.parametrize(
    "x",
    [
        np.ones(6),
        np.ones((0, 6)),
        np.ones((2, 6), complex),
        np.array([["a"]]),
        [[1, 2], [3]],
        torch.ones(6),
        None,
        torch.eye(6).to_sparse(),
        torch.ones(2, 6, device="meta"),
    ],
)
def test_what_is_no_batch_of_inputs_is_refused(x):
    refused(mlp(), x, match=r"inputs")


def test_outputs_that_are_no_tensor_need_a_loss():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, x):
            return {"logits": self.net(x), "more": 3}

    net = Two()
    refused(net, inputs(), match="output is a dict")
    assert np.isfinite(probe(net, inputs(), loss=lambda output: output["logits"]).log_grad_norm2).all()
    refused(net, inputs(), loss=lambda output: 3.0, match="loss is a float")
    for loss in ("abc", 3):
        refused(net, inputs(), loss=loss, match=f"loss is {loss!r}")
    refused(net, inputs(), loss=lambda output: output["logits"].detach(), match="no gradient")


def test_modules_without_numbers_are_refused():
    refused(nn.Sequential(nn.LazyLinear(3), nn.ReLU()), inputs(), match="not initialised yet")
    refused(nn.Sequential(nn.Linear(6, 3, device="meta"), nn.ReLU()), inputs(), match="meta device")
    with torch.inference_mode():
        net = mlp()
    refused(net, inputs(), match="created in inference mode")
    refused(nn.ReLU, inputs(), match=r"torch\.nn\.Module")


@pytest.mark.parametrize("rng", [-1, 1.5, None, True, "0"])
def test_rng_is_a_seed_or_a_stream(rng):
    refused(mlp(), inputs(), rng=rng, match="rng")


# ------------------------------------------------------------------------------------------- the result


def test_report_survives_saving_and_prints_a_table(tmp_path):
    net = mlp()
    for report in (probe(net, inputs()), probe(net, inputs(), sigma_w=1.0), probe(net, inputs() * np.nan, sigma_w=1.0)):
        assert load(report.save(tmp_path / "report.json")) == report
        assert report.to_dict()["names"] == ["1", "3"]
        text = str(report)
        assert "2 activations relu, 9 inputs" in text
        assert ("ln|g|² pred." in text) == (report.sigma_w is not None)
        assert len(text.splitlines()) >= 4
