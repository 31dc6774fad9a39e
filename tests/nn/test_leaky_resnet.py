"""A LeakyResNet computes the recursion that theory writes, keeps its steps, and starts without drift."""

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from gpdeep.activations import activation  # noqa: E402
from gpdeep.errors import DomainError, ValidityWarning  # noqa: E402
from gpdeep.nn import LeakyResNet  # noqa: E402

STEPS = np.array([0.2, 0.1, 0.15, 0.05, 0.25, 0.1, 0.15])
DEPTH = 2.5  # L̃; the longest step has ρ L̃ = 0.63
DOUBLE = {"dtype": torch.float64}


def network(phi="relu", bias=1.5, **options):
    """Seven unequal layers of five neurons, between three inputs and two outputs."""
    model = LeakyResNet(
        5, 7, DEPTH, steps=STEPS, activation=phi, bias=bias, in_features=3, out_features=2, **DOUBLE | options
    )
    with torch.no_grad():
        model.weights += torch.from_numpy(np.random.default_rng(1).standard_normal(tuple(model.weights.shape)))
    return model


def inputs(samples=4, features=3):
    return torch.from_numpy(np.random.default_rng(2).standard_normal((samples, features)))


def by_hand(model, X, leak=DEPTH):
    """A_0..A_L and the output, samples as columns, from the formula alone."""
    W, rho = model.weights.detach().numpy(), model.steps.numpy()
    A = [model.read_in.detach().numpy() @ X.numpy().T]
    for W_l, rho_l in zip(W, rho, strict=True):
        Sg = activation(model.phi)(A[-1])
        if model.bias:
            Sg = np.vstack([Sg, np.full(Sg.shape[1], model.bias)])
        A.append((1 - rho_l * leak) * A[-1] + rho_l * W_l @ Sg)
    return A, model.read_out.detach().numpy() @ A[-1]


# 7 layers, each with sums of 6 terms; what a layer rounds, the rest of the network enlarges by some 20 at most
ROUNDING = 20 * 7 * 8 * np.finfo(float).eps


@pytest.mark.parametrize("bias", [0.0, 1.5])
@pytest.mark.parametrize(
    "phi", ["relu", "softplus:5", "tanh", "prelu:0.2", "crelu:0.3,1", "sin", "mish", "elu:0.5", "abs", "identity"]
)
def test_forward_is_the_recursion_to_rounding(phi, bias):
    model, X = network(phi, bias), inputs()
    A, Z = by_hand(model, X)
    scale = max(np.abs(a).max() for a in A)
    np.testing.assert_allclose(model(X).detach().numpy().T, Z, rtol=0, atol=ROUNDING * scale)
    path = model.representations(X).detach().numpy()
    np.testing.assert_allclose(path.transpose(0, 2, 1), A, rtol=0, atol=ROUNDING * scale)
    _, wrong = by_hand(model, X, leak=1.01 * DEPTH)  # negative control
    assert np.abs(model(X).detach().numpy().T - wrong).max() > 1e6 * ROUNDING * scale


def test_inputs_may_have_any_leading_axes():
    model, X = network(), inputs(6)
    torch.testing.assert_close(model(X.reshape(2, 3, 3)).reshape(6, 2), model(X), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(model(X[0]), model(X)[0], rtol=1e-13, atol=1e-13)
    assert model.representations(X.reshape(2, 3, 3)).shape == (8, 2, 3, 5)


def test_without_maps_inputs_and_outputs_are_neurons():
    model = LeakyResNet(3, 4, 1.0, **DOUBLE)
    assert model(inputs()).shape == (4, 3)
    assert torch.equal(model.representations(inputs())[0], inputs())
    assert torch.equal(model.representations(inputs())[-1], model(inputs()))


def test_parameter_cost_and_its_gradient():
    model = network()
    value = model.parameter_cost()
    W = model.weights.detach().numpy()
    np.testing.assert_allclose(
        value.item(), sum(r * (w**2).sum() for r, w in zip(STEPS, W, strict=True)) / (2 * DEPTH), rtol=1e-14
    )
    value.backward()
    # one product and one quotient
    np.testing.assert_allclose(model.weights.grad.numpy(), STEPS[:, None, None] * W / DEPTH, rtol=1e-15)
    assert model.read_in.requires_grad is False


def test_gradients_are_the_backward_recursion():
    """∂C/∂W_l + λ ∂S/∂W_l = λ(ρ_l/L̃)(W_l - L̃ B_l Sgᵀ): the residual is the largest relative gradient."""
    model, X = network(), inputs()
    Y, lam = torch.ones(4, 2, dtype=torch.float64), 0.3
    loss = (model(X) - Y).square().sum() / 4 + lam * model.parameter_cost()
    loss.backward()
    factor = (lam * model.steps / DEPTH)[:, None, None]
    relative = model.weights.grad.flatten(1).norm(dim=1) / (factor * model.weights).detach().flatten(1).norm(dim=1)
    found = model.stationarity_residual(X, Y, lam=lam)
    np.testing.assert_allclose(found, relative.max().item(), rtol=1e-12)  # some 1e3 roundings
    assert abs(model.stationarity_residual(X, Y, lam=1.01 * lam) / found - 1) > 1e-3  # negative control


def spd_network(layers):
    """A = Gᵖ X is a geodesic for φ = id, with the constant weights W = ln G + L̃."""
    rng = np.random.default_rng(3)
    M = 0.4 * rng.standard_normal((3, 3))
    log_g = M + M.T
    values, vectors = np.linalg.eigh(log_g)
    G = (vectors * np.exp(values)) @ vectors.T
    W = np.repeat((log_g + 3.0 * np.eye(3))[None], layers, axis=0)
    model = LeakyResNet.from_arrays(np.full(layers, 1 / layers), W, 3.0, activation="identity", bias=0.0, **DOUBLE)
    return model, G


def test_error_against_a_closed_geodesic_falls_as_the_inverse_number_of_layers():
    errors, layers = [], np.array([40, 80, 160, 320])
    for count in layers:
        model, G = spd_network(count)
        eye = torch.eye(3, dtype=torch.float64)
        errors.append(np.abs(model(eye).numpy(force=True).T - G).max())
    order = -np.polyfit(np.log(layers), np.log(errors), 1)[0]
    assert abs(order - 1) < 0.1
    assert 0.9 < errors[-2] / errors[-1] / 2 < 1.1
    wrong = []  # negative control: a leak that is not what the weights make up for does not go away
    for count in layers:
        model, G = spd_network(count)
        model.effective_depth *= 1.01
        wrong.append(np.abs(model(eye).numpy(force=True).T - G).max())
    assert abs(-np.polyfit(np.log(layers), np.log(wrong), 1)[0] - 1) > 0.2


class Path:
    """What `from_geodesic` asks of a path: the closed form above."""

    p = np.linspace(0, 1, 21)
    effective_depth, activation, bias, gamma = 3.0, "identity", 0.0, 0.0

    def network(self, depth, steps=None):
        model, _ = spd_network(depth)
        rho = np.full(depth, 1 / depth) if steps is None else np.asarray(steps)
        return rho, model.weights.detach().numpy(), None


def test_network_of_a_geodesic():
    model = LeakyResNet.from_geodesic(Path(), **DOUBLE)
    expected, _ = spd_network(20)
    assert model.depth == 20
    assert torch.equal(model(inputs()), expected(inputs()))
    assert LeakyResNet.from_geodesic(Path(), 7).weights.dtype == torch.float32
    uneven = LeakyResNet.from_geodesic(Path(), 4, steps=[0.3, 0.2, 0.2, 0.3], **DOUBLE)
    assert uneven.steps.tolist() == [0.3, 0.2, 0.2, 0.3]
    with pytest.raises(DomainError, match="Step 1 of 2"):
        LeakyResNet.from_geodesic(Path(), 2)


def test_a_path_with_private_features_is_warned_of():
    path = Path()
    path.gamma = 0.01
    with pytest.warns(ValidityWarning, match=r"gamma = 0\.01"):
        LeakyResNet.from_geodesic(path)


def test_state_is_kept_steps_included(tmp_path):
    model, X = network(learn_read_out=True), inputs()
    assert sorted(model.state_dict()) == ["read_in", "read_out", "steps", "weights"]
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other = LeakyResNet(5, 7, DEPTH, bias=1.5, in_features=3, out_features=2, rng=5, **DOUBLE)
    assert not torch.equal(other(X), model(X))
    other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.equal(other(X), model(X))
    twin = copy.deepcopy(model)
    with torch.no_grad():
        model.weights.zero_()
        model.steps.fill_(1 / 7)
    assert torch.equal(twin(X), other(X))
    assert torch.equal(twin.steps, torch.from_numpy(STEPS))


def test_half_the_digits_in_float32():
    model, X = network(), inputs()
    Z = model(X)
    single = copy.deepcopy(model).to(torch.float32)
    assert single.weights.dtype == single.steps.dtype == single.read_in.dtype == torch.float32
    ratio = np.finfo(np.float32).eps / np.finfo(float).eps
    torch.testing.assert_close(
        single(X.float()).double(), Z, rtol=0, atol=float(ratio * ROUNDING * Z.detach().abs().max())
    )


def test_learned_maps_are_parameters_and_fixed_ones_are_not():
    names = [name for name, _ in network().named_parameters()]
    assert names == ["weights"]
    names = [name for name, _ in network("prelu:0.25", learn_read_in=True, learn_read_out=True).named_parameters()]
    assert names == ["weights", "read_in", "read_out"]
    given = np.arange(15.0).reshape(5, 3)
    model = LeakyResNet(5, 7, DEPTH, read_in=given, learn_read_in=True, **DOUBLE)
    assert isinstance(model.read_in, torch.nn.Parameter)
    np.testing.assert_array_equal(model.read_in.detach().numpy(), given)
    assert LeakyResNet(5, 7, DEPTH, read_in=torch.tensor(given)).read_in.dtype == torch.float32


@pytest.mark.statistical
@pytest.mark.parametrize("phi", ["relu", "tanh"])
def test_the_start_keeps_mean_squares(phi):
    """z-score over 40 networks; |z| < 5 is exceeded by chance once in a million."""
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 200)))
    x /= x.square().mean().sqrt()

    def z(sigma_w):
        q = np.array(
            [
                LeakyResNet(200, 7, DEPTH, steps=STEPS, activation=phi, rng=seed, sigma_w=sigma_w, **DOUBLE)(x)
                .square()
                .mean()
                .item()
                for seed in range(40)
            ]
        )
        return (q.mean() - 1) / (q.std(ddof=1) / math.sqrt(40))

    # a chain with tanh is pushed back to 1, where the 1/width of the variance's fluctuations shows as a bias below 1 %
    assert abs(z(None)) < 5
    assert abs(z(1.0)) > 20  # negative control


def test_random_numbers_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    one = network(rng=3)
    assert torch.equal(network(rng=3).weights, one.weights)
    assert not torch.equal(network(rng=4).weights, one.weights)
    assert torch.equal(torch.get_rng_state(), state)
    single = LeakyResNet(5, 7, DEPTH, steps=STEPS, rng=3, in_features=3)
    double = LeakyResNet(5, 7, DEPTH, steps=STEPS, rng=3, in_features=3, out_features=1, learn_read_in=True, **DOUBLE)
    assert torch.equal(single.weights, double.weights.float())
    assert torch.equal(single.read_in, double.read_in.float())
    stream = np.random.default_rng(0)
    assert not torch.equal(network(rng=stream).weights, network(rng=stream).weights)
    assert double.weights[:, :, -1].abs().max() == 0  # no bias at the start
    # a column of x ~ N(0, 1/in) and of weights: the read-in has entries of variance 1/3
    wide = LeakyResNet(300, 2, 1.0, in_features=100).read_in
    assert abs(wide.square().mean().item() * 100 - 1) < 5 * math.sqrt(2 / 30000)  # five standard errors


@pytest.mark.parametrize("phi", ["relu", "leaky_relu:0.1", "abs"])
@pytest.mark.parametrize("bias", [0.0, 1.5])
def test_momenta_of_samples_change_by_what_the_bias_adds_and_no_more(phi, bias):
    model, Y = network(phi, bias), torch.ones(4, 2)
    found = model.sample_invariant(inputs(), Y, lam=0.1)
    assert found.shape == (7, 4)
    at = [np.abs(a).max() for a in by_hand(model, inputs())[0]]
    scale = max(at) ** 2 * 2 / 0.1  # a·b with b of the size of the residual over λ, enlarged on the way
    np.testing.assert_allclose(found, 0, rtol=0, atol=ROUNDING * scale)
    smooth = network("tanh", bias).sample_invariant(inputs(), Y, lam=0.1)  # negative control
    assert np.abs(smooth).max() > 1e3 * ROUNDING * scale


def test_energies_of_an_untrained_network_are_warned_of():
    model, Y = network(), torch.ones(4, 2)
    with pytest.warns(ValidityWarning, match="stationarity residual"):
        raw = model.layer_energies(inputs(), Y, lam=0.1, corrected=False)
    with pytest.warns(ValidityWarning, match="stationarity residual"):
        corrected = model.layer_energies(inputs(), Y, lam=0.1)
    assert raw.shape == corrected.shape == (7,)


def test_a_cost_of_ones_own_is_differentiated():
    model, X, Y = network(), inputs(), torch.randn(4, 2, dtype=torch.float64)
    named = model.stationarity_residual(X, Y, lam=0.1)
    own = model.stationarity_residual(X, Y, lam=0.1, cost=lambda z, y: (z - y).square().sum(1).mean())
    np.testing.assert_allclose(own, named, rtol=1e-12)  # some 1e3 roundings
    classes = torch.tensor([0, 1, 1, 0])
    hot = torch.nn.functional.one_hot(classes).double()
    by_number = model.stationarity_residual(X, classes, lam=0.1, cost="cross_entropy")
    np.testing.assert_allclose(
        model.stationarity_residual(X, hot, lam=0.1, cost="cross_entropy"), by_number, rtol=1e-12
    )
    np.testing.assert_allclose(
        model.stationarity_residual(X, classes, lam=0.1, cost=torch.nn.functional.cross_entropy), by_number, rtol=1e-12
    )
    with pytest.raises(DomainError, match="cost made a float"):
        model.stationarity_residual(X, Y, lam=0.1, cost=lambda z, y: 1.0)


def test_rounded_kinks_tend_to_the_kinks():
    """|φ_k - φ| ≤ ln 2/k, and the slopes differ within 1/k of a kink only, where a random network has no entry."""
    model, X, Y = network(), inputs(), torch.ones(4, 2)
    exact = model.stationarity_residual(X, Y, lam=0.1)
    found = [abs(model.stationarity_residual(X, Y, lam=0.1, sharpness=k) / exact - 1) for k in (10.0, 1e4)]
    assert found[0] > 1e-3
    assert found[1] < 1e-3
    with pytest.raises(DomainError, match="sharpness = -1"):
        model.stationarity_residual(X, Y, lam=0.1, sharpness=-1.0)


def test_an_ordinary_training_loop():
    model, X = network(learn_read_out=True), inputs()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        loss = (model(X) - 1).square().mean() + 0.01 * model.parameter_cost()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_repr_names_the_shape():
    text = repr(network(learn_read_in=True))
    assert "width=5, depth=7, effective_depth=2.5, bias=1.5, read_in=3 -> 5, learned, read_out=5 -> 2" in text


BAD = [
    ((0, 4, 1.0), {}, "width = 0"),
    ((3, 2.5, 1.0), {}, r"depth = 2\.5"),
    ((3, 4, 0.0), {}, "effective_depth = 0"),
    ((3, 4, 4.0), {}, "4 equal layers at L̃ = 4 have ρ L̃ = 1"),
    ((3, 4, 3.0), {"steps": [0.4, 0.2, 0.2, 0.2]}, "Step 1 of 4 has ρ L̃"),
    ((3, 4, 1.0), {"steps": [0.5, 0.5]}, r"shape \(2,\) for 4 layers"),
    ((3, 4, 1.0), {"steps": [0.5, 0.5, 0.5, -0.5]}, "smallest step is -0.5"),
    ((3, 4, 1.0), {"steps": [0.5, 0.5, 0.5, 0.5]}, "add up to 2"),
    ((3, 4, 1.0), {"steps": [0.5, 0.5, "x", 0.5]}, "steps cannot be made an array"),
    ((3, 4, 1.0), {"steps": [0.5, 0.5, math.nan, 0.5]}, "1 entries of 4 that are NaN"),
    ((3, 4, 1.0), {"activation": "rleu"}, "not in the catalogue"),
    ((3, 4, 1.0), {"bias": -1.0}, r"bias = -1\.0"),
    ((3, 4, 1.0), {"sigma_w": -1.0}, r"sigma_w = -1\.0"),
    ((3, 4, 1.0), {"read_in": np.ones((2, 3))}, r"read_in has the shape \(2, 3\), not \(3, in_features\)"),
    ((3, 4, 1.0), {"read_out": np.ones((3, 2))}, r"read_out has the shape \(3, 2\), not \(out_features, 3\)"),
    ((3, 4, 1.0), {"read_in": np.ones((3, 2)), "in_features": 4}, r"not \(3, 4\)"),
    ((3, 4, 1.0), {"in_features": 0}, "in_features = 0"),
    ((3, 4, 1.0), {"learn_read_in": True}, "learn_read_in is true without a read_in"),
    ((3, 4, 1.0), {"rng": -1}, "rng is -1"),
    ((3, 4, 1.0), {"activation": "relu_tau:20"}, "of relu_tau:20 is"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), BAD, ids=[b[2] for b in BAD])
def test_what_is_no_network_is_refused_in_three_parts(arguments, options, message):
    with pytest.raises(DomainError, match=message) as caught:
        LeakyResNet(*arguments, **options)
    assert caught.value.cause
    assert caught.value.change


def test_arrays_that_are_no_network_are_refused():
    with pytest.raises(DomainError, match=r"weights has the shape \(2, 3, 3\) with bias = 1"):
        LeakyResNet.from_arrays([0.5, 0.5], np.ones((2, 3, 3)), 1.0)
    with pytest.raises(DomainError, match="steps has the shape"):
        LeakyResNet.from_arrays([1.0], np.ones((2, 3, 4)), 1.0)


@pytest.mark.parametrize(
    ("X", "Y", "options", "message"),
    [
        (np.ones((3, 4)), np.ones((4, 2)), {}, r"inputs have the shape \(3, 4\)"),
        (np.ones((4, 3)), np.ones((2, 4)), {}, r"targets have the shape \(2, 4\)"),
        (np.full((4, 3), np.nan), np.ones((4, 2)), {}, "inputs are not all finite"),
        (np.ones((4, 3)), np.full((4, 2), np.inf), {}, "NaN"),
        (np.ones((4, 3)), np.ones((4, 2)), {"cost": "hinge"}, "hinge"),
        (np.ones((4, 3)), np.ones((4, 2)), {"lam": 0.0}, r"lam = 0\.0"),
        (np.ones((4, 3)), np.array([0, 1, 2, 0]), {"cost": "cross_entropy"}, "class numbers"),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_are_refused(X, Y, options, message):
    with pytest.raises(DomainError, match=message):
        network().stationarity_residual(X, Y, **{"lam": 0.1} | options)
