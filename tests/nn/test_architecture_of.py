"""What `architecture_of` reads off a torch module, what it refuses, and what it says about the weights."""

import contextlib
import copy
import itertools
import math
import pickle
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from scipy import stats  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils import prune  # noqa: E402

from gpdeep.activations import activation  # noqa: E402
from gpdeep.errors import DomainError, ValidityWarning  # noqa: E402
from gpdeep.nn import architecture_of, weight_report  # noqa: E402
from gpdeep.nn.initialising.architecture_of import _common  # noqa: E402
from gpdeep.nn.reading.weights import TRUNCATED_KURTOSIS, TRUNCATED_VARIANCE, describe  # noqa: E402

# Agreement of a standard deviation: |z| <= 5, false-alarm rate 6e-7 for each comparison; fixed seeds.
Z = 5.0


def gaussian(module, sigma_w=2**0.5, sigma_b=0.0):
    """`module` with Gaussian weights of the given standard deviations, in place."""
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(0, sigma_w / math.sqrt(layer.in_features))
                if layer.bias is not None:
                    layer.bias.normal_(0, sigma_b) if sigma_b else layer.bias.zero_()
    return module


def mlp(widths, phi=nn.ReLU, **kwargs):
    layers = []
    for n, m in itertools.pairwise(widths):
        layers += [nn.Linear(n, m, **kwargs), phi()]
    return nn.Sequential(*layers[:-1])


def z_score(sigma, claimed, entries):
    """(σ - σ₀)/σ₀ in standard errors of the root mean square of that many Gaussian entries, 1/√(2N)."""
    return (sigma / claimed - 1) * math.sqrt(2 * entries)


# ------------------------------------------------------------------------------------------- what is read


def test_widths_and_he_variance_come_back_from_a_he_network():
    net = gaussian(mlp((50, 64, 64, 32, 10)))
    architecture = architecture_of(net)
    entries = 50 * 64 + 64 * 64 + 64 * 32
    assert str(architecture) == "50,64x2,32,10"
    assert architecture.phi == activation("relu")
    assert architecture.sigma_b == 0.0
    assert abs(z_score(architecture.sigma_w, math.sqrt(2), entries)) <= Z


def test_he_weights_do_not_pass_for_lecun_weights():
    """Negative control of the assertion above: σ_w² = 1 is refuted by the same statistic."""
    architecture = architecture_of(gaussian(mlp((50, 64, 64, 32, 10))))
    assert abs(z_score(architecture.sigma_w, 1.0, 50 * 64 + 64 * 64 + 64 * 32)) > Z


def test_sigmas_are_the_root_mean_squares_of_the_hidden_layers():
    net = gaussian(mlp((20, 30, 40, 5), dtype=torch.float64), sigma_b=0.3)
    with torch.no_grad():
        net[4].weight *= 100  # the readout must not enter
        net[4].bias += 100
    weights = [net[i].weight.detach().numpy() * math.sqrt(net[i].in_features) for i in (0, 2)]
    biases = [net[i].bias.detach().numpy() for i in (0, 2)]
    architecture = architecture_of(net)
    # Two ways to sum 1,800 squares in float64: relative difference below 1800 eps = 4e-13.
    for value, entries in ((architecture.sigma_w, weights), (architecture.sigma_b, biases)):
        assert value == pytest.approx(np.sqrt(np.mean(np.concatenate([x.ravel() for x in entries]) ** 2)), rel=4e-13)


def test_layers_of_different_variance_give_one_sigma_each():
    net = gaussian(mlp((100, 100, 100, 10)), sigma_b=0.5)
    with torch.no_grad():
        net[2].weight *= 1.2
        net[2].bias.zero_()
    architecture = architecture_of(net)
    assert len(architecture.sigma_w) == 2
    assert architecture.sigma_w[1] / architecture.sigma_w[0] == pytest.approx(1.2, rel=0.05)
    assert architecture.sigma_b[0] > 0
    assert architecture.sigma_b[1] == 0.0


def test_one_number_is_returned_just_within_five_standard_errors():
    # Two layers with N entries each: σ = 1 ∓ d/2 deviate from the pooled one by d/2 (to O(d²)); its standard
    # error is √((1/N - 1/2N)/2) = 1/√(4N); the threshold is d = 5/√N.
    n = 10**6
    for factor, kind in ((0.99, float), (1.01, tuple)):
        d = factor * 5 / math.sqrt(n)
        assert isinstance(_common([1 - d / 2, 1 + d / 2], [n, n]), kind)
    assert _common([0.0, 0.0], [4, 4]) == 0.0
    assert _common([0.0, 0.1], [1, 10**6]) == (0.0, 0.1)


def test_gaussian_layers_of_one_variance_are_pooled():
    """False-alarm rate of splitting: 400 networks of 6 layers, each test 6e-7 to 6e-6 (few entries)."""
    rng = np.random.default_rng(5)
    counts = [4, 8, 16, 16, 100, 300]
    for _ in range(400):
        sigmas = [math.sqrt(np.mean(rng.standard_normal(n) ** 2)) for n in counts]
        assert isinstance(_common(sigmas, counts), float)


@pytest.mark.parametrize(
    ("layer", "slope", "name"),
    [
        (lambda: nn.LeakyReLU(0.1), 0.1, "leaky_relu:0.1"),
        (nn.LeakyReLU, 0.01, "leaky_relu:0.01"),
        (lambda: nn.PReLU(init=0.25), 0.25, "prelu:0.25"),
        (lambda: nn.PReLU(64, init=0.5), 0.5, "prelu:0.5"),
        (lambda: nn.ReLU(inplace=True), 0.0, "relu"),
    ],
)
def test_slope_is_read_off_the_activation(layer, slope, name):
    phi = architecture_of(gaussian(mlp((8, 64, 64, 2), layer))).phi
    assert (phi.name, phi.negative, phi.positive) == (name, slope, 1.0)


class Functional(nn.Module):
    def __init__(self, phi, flatten=lambda x: torch.flatten(x, 1)):
        super().__init__()
        self.phi, self.flatten = phi, flatten
        self.first, self.body, self.drop = nn.Linear(48, 32), nn.ModuleList(), nn.Dropout(0.3)
        self.body.extend(nn.Linear(32, 32) for _ in range(3))
        self.out = nn.Linear(32, 4)

    def forward(self, x):
        x = self.drop(self.phi(self.first(self.flatten(x))))
        for layer in self.body:
            x = self.phi(layer(x))
        return self.out(F.dropout(x, 0.5, training=self.training))


@pytest.mark.parametrize(
    ("phi", "slope"),
    [
        (F.relu, 0.0),
        (torch.relu, 0.0),
        (torch.relu_, 0.0),
        (lambda x: x.relu(), 0.0),
        (lambda x: F.relu(x, inplace=True), 0.0),
        (F.leaky_relu, 0.01),
        (lambda x: F.leaky_relu(x, 0.2), 0.2),
        (lambda x: F.leaky_relu(x, negative_slope=0.3), 0.3),
    ],
)
def test_handwritten_forward_is_read_like_sequential(phi, slope):
    architecture = architecture_of(gaussian(Functional(phi)).eval())
    assert str(architecture) == "48,32x4,4"
    assert architecture.phi.negative == slope


@pytest.mark.parametrize(
    "flatten",
    [
        nn.Flatten(),
        nn.Identity(),
        lambda x: x.flatten(1),
        lambda x: torch.flatten(x, start_dim=1),
        lambda x: x.view(x.size(0), -1),
        lambda x: x.view(x.size()[0], -1),
        lambda x: x.reshape((x.shape[0], -1)),
        lambda x: torch.reshape(x, (x.shape[0], -1)),
        lambda x: x.view(-1, 48),
    ],
)
def test_flattening_is_an_identity(flatten):
    assert str(architecture_of(gaussian(Functional(F.relu, flatten)).eval())) == "48,32x4,4"


def test_nested_sequential_with_dropout_and_identity_is_a_chain():
    block = nn.Sequential(nn.Linear(16, 16), nn.Identity(), nn.Sequential(nn.ReLU(), nn.Dropout(0.1)))
    net = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(9, 16), nn.ReLU()), block, nn.Linear(16, 3))
    assert str(architecture_of(gaussian(net).eval())) == "9,16x2,3"
    with pytest.raises(DomainError, match=r"'2\.2\.1' \(Dropout\).*p = 0\.1 is active"):
        architecture_of(net.train())


def test_one_activation_module_may_be_used_in_every_layer():
    phi = nn.PReLU()
    net = nn.Sequential(nn.Linear(4, 8), phi, nn.Linear(8, 8), phi, nn.Linear(8, 2))
    assert str(architecture_of(gaussian(net))) == "4,8x2,2"


def test_own_subclass_of_linear_is_a_linear_layer():
    class Mine(nn.Linear):
        pass

    assert str(architecture_of(gaussian(nn.Sequential(Mine(4, 8), nn.ReLU(), Mine(8, 2, bias=False))))) == "4,8,2"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_statistics_of_low_precision_weights_are_float64(dtype):
    """float16 sums of squares would overflow at 65504; float64 of the stored values agrees with numpy."""
    net = gaussian(mlp((64, 64, 8)), sigma_w=300.0).to(dtype)
    stored = net[0].weight.detach().double().numpy()
    # 4,096 squares summed in another order: 4096 eps = 1e-12
    assert architecture_of(net).sigma_w == pytest.approx(math.sqrt(64 * np.mean(stored**2)), rel=1e-12)


def test_tiny_weights_keep_their_digits():
    net = gaussian(mlp((64, 64, 8), dtype=torch.float64))
    scaled = copy.deepcopy(net)
    with torch.no_grad():
        scaled[0].weight *= 2.0**-500  # exact; the squares underflow
    assert architecture_of(scaled).sigma_w == architecture_of(net).sigma_w * 2.0**-500


def test_nothing_about_the_module_or_the_random_state_changes():
    class Counts(Functional):
        def forward(self, x):
            self.calls = getattr(self, "calls", 0) + 1
            torch.rand(3)
            return super().forward(x)

    net = gaussian(Counts(torch.relu)).eval()
    net.first.train()  # modes may differ within a module
    names, modes = sorted(vars(net)), [m.training for m in net.modules()]
    values, state = pickle.dumps(net.state_dict()), torch.get_rng_state()
    architecture_of(net)
    weight_report(net)
    assert sorted(vars(net)) == names
    assert [m.training for m in net.modules()] == modes
    assert pickle.dumps(net.state_dict()) == values
    assert torch.equal(torch.get_rng_state(), state)


# ---------------------------------------------------------------------------------------- what is refused


class Forward(nn.Module):
    """fc1, fc2: 8 -> 8, out: 8 -> 2, and a forward given as a function."""

    def __init__(self, forward):
        super().__init__()
        self.fc1, self.fc2, self.out, self.run = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2), forward
        self.table = nn.Parameter(torch.ones(8))

    def forward(self, x):
        return self.run(self, x)


def changed(change):
    net = mlp((8, 8, 8, 2))
    with torch.no_grad():
        change(net)
    return net


def shared():
    layer = nn.Linear(8, 8)
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(8, 2))


def tied(net):
    net[2].weight = net[0].weight


def set_weight(value):
    def change(net):
        net[2].weight[1, 2] = value

    return change


def two_phis():
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.LeakyReLU(0.1), nn.Linear(8, 2))


def with_layer(layer):
    return lambda: nn.Sequential(nn.Linear(8, 8), layer(), nn.ReLU(), nn.Linear(8, 2))


def with_phi(phi):
    return lambda: nn.Sequential(nn.Linear(8, 8), phi(), nn.Linear(8, 2))


def forward(run):
    return lambda: Forward(run)


def different_slopes():
    phi = nn.PReLU(8)
    with torch.no_grad():
        phi.weight[3] = 0.5
    return nn.Sequential(nn.Linear(8, 8), phi, nn.Linear(8, 2))


@contextlib.contextmanager
def deprecations_ignored():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def quantised():
    with deprecations_ignored():
        return torch.ao.quantization.quantize_dynamic(mlp((8, 8, 2)), {nn.Linear})


def scripted():
    with deprecations_ignored():
        return torch.jit.script(mlp((8, 8, 2)))


def normed():
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 2))


def pruned():
    net = mlp((8, 8, 2))
    prune.random_unstructured(net[2], "bias", amount=1)
    return net


REFUSED = {
    "batch norm": (with_layer(lambda: nn.BatchNorm1d(8)), r"'1' \(BatchNorm1d\).*batch"),
    "layer norm": (with_layer(lambda: nn.LayerNorm(8)), r"'1' \(LayerNorm\).*rescales"),
    "convolution": (with_layer(lambda: nn.Conv1d(8, 8, 1)), r"'1' \(Conv1d\).*convolution"),
    "pooling": (with_layer(lambda: nn.MaxPool1d(1)), r"'1' \(MaxPool1d\).*pools"),
    "bad flatten": (with_layer(lambda: nn.Flatten(0)), r"'1' \(Flatten\)"),
    "alpha dropout": (with_layer(nn.AlphaDropout), r"'1' \(AlphaDropout\)"),
    "softsign": (with_phi(nn.Softsign), r"'1' \(Softsign\).*activation"),
    "lopsided hardtanh": (with_phi(lambda: nn.Hardtanh(-1, 2)), r"'1' \(Hardtanh\).*activation"),
    "early softplus": (with_phi(lambda: nn.Softplus(threshold=2)), r"'1' \(Softplus\).*activation"),
    "slopes by channel": (different_slopes, r"'1' \(PReLU\).*8 channels.*0\.25 to 0\.5"),
    "NaN slope": (with_phi(lambda: nn.LeakyReLU(math.nan)), r"'1' \(LeakyReLU\).*slope is nan"),
    "softmax": (lambda: nn.Sequential(*mlp((8, 8, 2)), nn.Softmax(1)), r"'3' \(Softmax\).*logits"),
    "final activation": (
        lambda: nn.Sequential(*mlp((8, 8, 2)), nn.ReLU()),
        r"'3' \(ReLU\).*after the output",
    ),
    "activation first": (
        lambda: nn.Sequential(nn.ReLU(), *mlp((8, 8, 2))),
        r"'0' \(ReLU\).*before the first",
    ),
    "activation twice": (
        lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.ReLU(), nn.Linear(8, 2)),
        r"'2' \(ReLU\).*follows another activation, module '1'",
    ),
    "two activations": (two_phis, r"'3' \(LeakyReLU\).*two different activations"),
    "two linear layers": (
        lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)),
        r"'1' \(Linear\).*follows module '0' \(Linear\).*two linear layers in a row",
    ),
    "features lost": (
        lambda: nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)),
        r"'3' \(Linear\).*takes 12 features where 6 arrive",
    ),
    "shared layer": (shared, r"'2' \(Linear\).*more than once.*share weights"),
    "tied weights": (lambda: changed(tied), r"'2' \(Linear\).*in the memory of the weight of module '0' \(Linear\)"),
    "no hidden layer": (lambda: nn.Sequential(nn.Linear(8, 2)), r"no hidden layer"),
    "single linear": (lambda: nn.Linear(8, 2), r"no hidden layer"),
    "empty": (nn.Sequential, r"no hidden layer"),
    "single convolution": (lambda: nn.Conv2d(3, 3, 3), r"\(Conv2d\).*convolution"),
    "NaN": (lambda: changed(set_weight(math.nan)), r"weight of layer '2' has 1 of 64 entries.*NaN"),
    "infinity": (lambda: changed(set_weight(math.inf)), r"weight of layer '2' has 1 of 64"),
    "NaN bias": (lambda: changed(lambda net: net[0].bias.fill_(math.nan)), r"bias of layer '0' has 8 of 8"),
    "NaN readout": (
        lambda: changed(lambda net: net[4].bias.fill_(math.nan)),
        r"bias of layer '4' has 2 of 2",
    ),
    "zeros": (lambda: changed(lambda net: net[0].weight.zero_()), r"weight of layer '0'.*other than zero"),
    "complex": (lambda: mlp((8, 8, 2), dtype=torch.complex64), r"weight of layer '0'.*complex64"),
    "meta": (lambda: mlp((8, 8, 2), device="meta"), r"weight of layer '0'.*meta"),
    "quantised": (quantised, r"'0' \(Linear\).*quantised"),
    "scripted": (scripted, r"cannot be traced"),
    "lazy": (
        lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2)),
        r"weight of layer '0'.*not initialised",
    ),
    "weight norm": (normed, r"weight of layer '0'.*computed from other"),
    "pruning": (pruned, r"bias of layer '2'.*computed from other"),
    "residual": (
        forward(lambda m, x: m.out(torch.relu(x + m.fc2(torch.relu(m.fc1(x)))))),
        r"'add' \(node 'add'\).*residual addition",
    ),
    "residual in place": (
        forward(lambda m, x: m.out(torch.relu(m.fc1(x)).add_(x))),
        r"'\.add_\(\)' \(node 'add_'\).*residual addition",
    ),
    "two branches": (
        forward(lambda m, x: m.out(torch.relu(m.fc1(x)) * m.fc2(x))),
        r"'fc2' \(Linear\).*takes 'x'.*a branch",
    ),
    "scaling": (forward(lambda m, x: m.out(2 * torch.relu(m.fc1(x)))), r"'mul' \(node 'mul'\)"),
    "functional softmax": (
        forward(lambda m, x: F.log_softmax(m.out(torch.relu(m.fc1(x))), 1)),
        r"'log_softmax'.*logits",
    ),
    "functional softsign": (forward(lambda m, x: m.out(F.softsign(m.fc1(x)))), r"'softsign' \(node 'softsign'\)"),
    "functional dropout": (forward(lambda m, x: m.out(F.dropout(m.fc1(x).relu()))), r"'dropout'.*active"),
    "functional linear": (forward(lambda m, x: m.out(F.linear(x, m.fc1.weight).relu())), r"'fc1\.weight'"),
    "parameter": (forward(lambda m, x: m.out((m.fc1(x) + m.table).relu())), r"'table'.*directly"),
    "view across the batch": (
        forward(lambda m, x: m.out(m.fc1(x).relu().view(-1))),
        r"'\.view\(\)'.*reshapes",
    ),
    "view to another width": (
        forward(lambda m, x: m.out(m.fc1(x).relu().view(-1, 4))),
        r"'out' \(Linear\).*takes 8 features where 4",
    ),
    "in place and dropped": (
        forward(lambda m, x: [h := m.fc1(x).relu(), h.mul_(2), m.out(h)][-1]),
        r"'\.mul_\(\)' \(node 'mul_'\).*not used",
    ),
    "two results": (forward(lambda m, x: (m.out(h := m.fc1(x).relu()), h)), r"'output'.*more or other"),
    "branching on data": (
        forward(lambda m, x: m.out(m.fc1(x)) if x.sum() > 0 else x),
        r"Forward cannot be traced",
    ),
    "a class": (lambda: nn.Linear, r"A type was given"),
    "a state": (lambda: mlp((8, 8, 2)).state_dict(), r"A OrderedDict was given"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_a_dense_chain_is_refused_by_name(case):
    make, message = REFUSED[case]
    with deprecations_ignored(), pytest.raises(DomainError, match=f"(?s){message}") as error:
        architecture_of(make())
    assert error.value.cause
    assert error.value.change


def test_refusing_spectral_norm_does_not_step_its_power_iteration():
    net = mlp((8, 8, 2))
    nn.utils.parametrizations.spectral_norm(net[0])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(DomainError, match="computed from other"):
        architecture_of(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_failed_trace_keeps_its_cause():
    with pytest.raises(DomainError) as error:
        architecture_of(Forward(lambda m, x: x if x.sum() > 0 else m.out(x)))
    assert isinstance(error.value.__cause__, torch.fx.proxy.TraceError)


# --------------------------------------------------------------------------- from which law the weights are


def test_pytorch_default_is_a_third_and_warns_as_uniform():
    net = mlp((900, 200, 200, 10))
    with pytest.warns(ValidityWarning, match=r"layers '0', '2' are uniform .*-1\.2.*infinite width hold") as caught:
        architecture = architecture_of(net)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    # Of uniform entries the rms has the relative standard error √((κ+2)/(4N)) = √(0.2/N).
    for sigma, variance, n in (
        (architecture.sigma_w, 1 / 3, 200 * 1100),
        (architecture.sigma_b[0], 1 / (3 * 900), 200),
        (architecture.sigma_b[1], 1 / (3 * 200), 200),
    ):
        assert abs(sigma / math.sqrt(variance) - 1) <= Z * math.sqrt(0.2 / n)


def test_gaussian_layers_do_not_warn():
    """20 shapes, 20 draws each; four tests of level 1e-9 a side: false-alarm rate 3e-6 over all."""
    rng = np.random.default_rng(11)
    for shape in [
        (1, 1),
        (1, 40),
        (2, 2),
        (2, 30),
        (3, 3),
        (8, 8),
        (16, 5),
        (40, 40),
        (10, 300),
        (300, 10),
    ] * 2:
        layer = nn.Linear(shape[1], shape[0], dtype=torch.float64)
        for _ in range(20):
            layer.weight.data = torch.from_numpy(rng.standard_normal(shape))
            assert describe("layer", layer).distribution == "gaussian"


def fill(law, shape, rng):
    if law == "uniform":
        return rng.uniform(-1, 1, shape)
    if law == "truncated":
        return stats.truncnorm.rvs(-2, 2, size=shape, random_state=rng)
    if law == "orthogonal":
        return torch.nn.init.orthogonal_(torch.empty(shape)).numpy()
    if law == "gaussian":
        return rng.standard_normal(shape)
    return {
        "laplace": lambda: rng.laplace(size=shape),
        "signs": lambda: rng.choice([-1.0, 1.0], shape),
        "shifted": lambda: rng.standard_normal(shape) + 0.2,
        "low rank": lambda: rng.standard_normal((shape[0], 3)) @ rng.standard_normal((3, shape[1])),
        "sparse": lambda: rng.standard_normal(shape) * (rng.random(shape) < 0.5),
    }[law]()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(64, 64), (32, 128), (128, 32)])
@pytest.mark.parametrize("law", ["gaussian", "uniform", "truncated", "orthogonal"])
def test_law_of_the_weights_is_recognised(law, shape, dtype):
    layer = nn.Linear(shape[1], shape[0], dtype=dtype)
    for seed in range(5):
        layer.weight.data = torch.tensor(fill(law, shape, np.random.default_rng(seed))).to(dtype)
        assert describe("layer", layer).distribution == law


@pytest.mark.parametrize("law", ["laplace", "signs", "shifted", "low rank", "sparse"])
def test_other_laws_are_called_other_and_warn(law):
    net = gaussian(mlp((64, 64, 64, 2)))
    net[2].weight.data = torch.tensor(fill(law, (64, 64), np.random.default_rng(3))).float() / 5
    with pytest.warns(ValidityWarning, match=r"layer '2' are neither"):
        architecture_of(net)
    assert [layer.distribution for layer in weight_report(net)][:2] == ["gaussian", "other"]


def test_orthogonal_networks_are_read_as_such_and_need_no_warning():
    net = gaussian(mlp((64, 64, 48, 96, 2)))
    for layer in net[:6:2]:
        nn.init.orthogonal_(layer.weight, gain=2**0.5)
    architecture = architecture_of(net)
    assert architecture.weights == "orthogonal"
    # entries of a 96 x 48 matrix with orthogonal columns have variance gain²/96, fan-in 48: σ_w² = 1
    np.testing.assert_allclose(np.square(architecture.sigma_w), [2, 2, 1], rtol=1e-6, atol=0)  # float32
    assert architecture_of(gaussian(mlp((64, 64, 64, 2)))).weights == "gaussian"


def test_each_law_is_warned_of_once_and_the_readout_not_at_all():
    net = gaussian(mlp((64, 64, 64, 64, 64)))
    nn.init.orthogonal_(net[0].weight)
    nn.init.xavier_uniform_(net[2].weight)
    nn.init.orthogonal_(net[6].weight)  # the readout
    with pytest.warns(ValidityWarning) as caught:
        architecture_of(net)
    messages = [str(item.message) for item in caught]
    assert ["'0'" in m and "orthogonal" in m and "does not" in m for m in messages] == [True, False]
    assert ["'2'" in m and "uniform" in m for m in messages] == [False, True]
    assert not any("'6'" in m for m in messages)


def test_orthogonality_defect_is_zero_one_and_undefined():
    rng = np.random.default_rng(8)
    layer = nn.Linear(50, 20, dtype=torch.float64)
    squares = []
    for _ in range(200):
        layer.weight.data = torch.from_numpy(rng.standard_normal((20, 50)))
        squares.append(describe("layer", layer).orthogonality_defect ** 2)
    # E D² = 1 exactly; |z| <= 5 over one comparison
    assert abs(np.mean(squares) - 1) <= Z * np.std(squares) / math.sqrt(len(squares))
    nn.init.orthogonal_(layer.weight)
    assert describe("layer", layer).orthogonality_defect < 1e-13  # 50 eps
    assert math.isnan(describe("layer", nn.Linear(50, 1)).orthogonality_defect)


def test_report_covers_every_linear_layer_of_any_module():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 8, bias=False))
    (report,) = weight_report(net)
    assert (report.name, report.shape, report.sigma_b) == ("3", (8, 16), 0.0)
    assert weight_report(nn.Linear(3, 2))[0].name == "(the module itself)"


# ------------------------------------------------------------------------ the numbers that the page states


def test_truncated_normal_has_variance_0774_and_kurtosis_minus_063():
    variance, kurtosis = stats.truncnorm.stats(-2, 2, moments="vk")
    # scipy's own moments are good to about 1e-12
    assert pytest.approx(variance, rel=1e-11) == TRUNCATED_VARIANCE
    assert pytest.approx(kurtosis, rel=1e-10) == TRUNCATED_KURTOSIS
    assert (round(TRUNCATED_VARIANCE, 3), round(TRUNCATED_KURTOSIS, 2)) == (0.774, -0.63)
    assert round(math.sqrt(TRUNCATED_VARIANCE), 3) == 0.880
    assert stats.uniform.stats(moments="k") == pytest.approx(-1.2)


def test_orthogonal_relu_layer_fluctuates_by_3_over_n_where_gaussian_does_by_5():
    """var(2|φ(h)|²/|x|²)·n for h = Wx: with orthogonal W, h is uniform on a sphere; two z-scores."""
    rng = np.random.default_rng(2)
    n, draws = 100, 50_000
    h = rng.standard_normal((draws, n))
    for scale, constant in ((np.ones(draws), 5.0), (n / np.sum(h**2, axis=1), 3.0)):
        factor = 2 * np.sum(h.clip(0) ** 2, axis=1) * scale / n
        squares = n * (factor - 1) ** 2
        error = np.std(squares) / math.sqrt(draws)
        # On the sphere the exact value is 3n/(n+2), 0.06 below 3.
        expected = constant if constant == 5 else 3 * n / (n + 2)
        assert abs(np.mean(squares) - expected) <= Z * error
        assert abs(np.mean(squares) - (8 - constant)) > Z * error  # negative control: the other law


def test_fourth_cumulant_of_preactivations_is_kurtosis_times_fourth_moment():
    """κ₄(Σ W_j x_j) = κ σ_w⁴ Σ x_j⁴/n² for uniform W: the cumulants of independent terms add."""
    n, sigma_w = 7, 1.3
    x = np.random.default_rng(4).standard_normal(n)
    edge = sigma_w * math.sqrt(3 / n)  # uniform in ±edge: variance σ_w²/n
    one = edge**4 * (1 / 5 - 3 / 9)  # E W⁴ - 3 (E W²)²
    assert np.sum(one * x**4) == pytest.approx(-1.2 * sigma_w**4 * np.sum(x**4) / n**2, rel=1e-13)
