"""One layer drawn from σ_w and σ_b: its variances, its orthogonality, its streams, and what is refused."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from scipy.special import ndtri  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, prune, weight_norm  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import init_layer_, weight_report  # noqa: E402
from gpdeep.nn.weight_draws import _orthogonal, root_of, stream  # noqa: E402

SIGMA_W, SIGMA_B = 2.7, 3.0
LAYERS = {
    "linear": lambda: nn.Linear(300, 200),
    "wider": lambda: nn.Linear(60, 400),
    "conv1d": lambda: nn.Conv1d(40, 60, 5),
    "conv2d": lambda: nn.Conv2d(30, 50, (3, 5), stride=2),
    "conv3d": lambda: nn.Conv3d(8, 40, 3),
    "grouped": lambda: nn.Conv2d(32, 96, 3, groups=4),
    "depthwise": lambda: nn.Conv1d(200, 400, 7, groups=200),
}


def z_limit(comparisons, rate=1e-3):
    """Largest |z| to accept: `rate` is the false-alarm rate of all comparisons together."""
    return float(-ndtri(rate / comparisons / 2))


def numbers(layer):
    return layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()


def z_of_variance(x, variance):
    """z-score of the mean square of Gaussian numbers, whose relative standard error is √(2/N)."""
    return (np.mean(x**2) / variance - 1) * math.sqrt(x.size / 2)


# ------------------------------------------------------------------------------------------- Gaussian


@pytest.mark.statistical
@pytest.mark.parametrize("name", LAYERS)
def test_variances_are_sigma_squared_over_fan_in(name):
    """False-alarm rate 1e-3 over all layers together, weights, biases and means."""
    layer = init_layer_(LAYERS[name](), sigma_w=SIGMA_W, sigma_b=SIGMA_B, name=name, rng=1)
    weight, bias = numbers(layer)
    limit = z_limit(4 * len(LAYERS))
    fan_in = math.prod(weight.shape[1:])
    assert abs(z_of_variance(weight, SIGMA_W**2 / fan_in)) <= limit
    assert abs(z_of_variance(bias, SIGMA_B**2)) <= limit
    assert abs(weight.mean() * math.sqrt(weight.size * fan_in) / SIGMA_W) <= limit
    assert abs(bias.mean() * math.sqrt(bias.size) / SIGMA_B) <= limit
    # Negative controls: fan-out, taps or groups forgotten, σ for σ².
    outputs, channels, *kernel = weight.shape
    wrong = {SIGMA_W**2 / (outputs * math.prod(kernel)), SIGMA_W / fan_in, SIGMA_W**2 / channels}
    wrong |= {SIGMA_W**2 / (fan_in * getattr(layer, "groups", 1))}
    for variance in wrong - {SIGMA_W**2 / fan_in}:
        assert abs(z_of_variance(weight, variance)) > limit
    assert abs(z_of_variance(bias, SIGMA_B)) > limit


def test_gaussian_weights_are_read_as_gaussian():
    (report,) = weight_report(init_layer_(nn.Linear(300, 200), sigma_w=SIGMA_W, sigma_b=0.0))
    assert report.distribution == "gaussian"
    assert report.sigma_b == 0.0


@pytest.mark.statistical
def test_preactivations_have_the_variance_at_every_position_of_a_circular_convolution():
    """σ_w² x̄² + σ_b² at each position: 64 positions, false-alarm rate 1e-3. Zero padding fails at the edges."""
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.standard_normal((1, 20, 64)))
    x /= x.square().mean(1, keepdim=True).sqrt()  # mean square 1 at each position
    for mode, passes in (("circular", True), ("reflect", True), ("zeros", False)):
        layer = nn.Conv1d(20, 4000, 3, padding=1, padding_mode=mode, dtype=torch.float64)
        y = init_layer_(layer, sigma_w=2.0, sigma_b=0.5, rng=3)(x)[0].detach().numpy()
        z = [z_of_variance(column, 4.25) for column in y.T]  # channels are independent
        assert (np.abs(z).max() <= z_limit(2 * 64)) == passes


# ------------------------------------------------------------------------------------------- orthogonal


@pytest.mark.parametrize("law", ["orthogonal", "delta_orthogonal"])
@pytest.mark.parametrize("name", LAYERS)
def test_orthogonal_weights_keep_lengths(name, law):
    """W Wᵀ = σ_w², or WᵀW = σ_w² c_out/fan-in where there are more outputs, in each group."""
    layer = init_layer_(LAYERS[name]().double(), sigma_w=SIGMA_W, sigma_b=SIGMA_B, weights=law)
    weight, _ = numbers(layer)
    if law == "delta_orthogonal":
        centre = (slice(None), slice(None), *(k // 2 for k in weight.shape[2:]))
        kept = np.zeros_like(weight)
        kept[centre] = weight[centre]
        assert np.array_equal(kept, weight)
        weight = weight[centre]
    for group in np.split(weight.reshape(len(weight), -1), getattr(layer, "groups", 1)):
        rows, columns = group.shape
        scale = SIGMA_W**2 * max(1, rows / columns)
        gram = group @ group.T if rows <= columns else group.T @ group
        # QR is backward stable: ‖QᵀQ - 1‖ < 10 n eps = 7e-13 at n = 300
        np.testing.assert_allclose(gram / scale, np.eye(len(gram)), rtol=0, atol=1e-12)
        assert np.mean(group**2) == pytest.approx(SIGMA_W**2 / columns, rel=1e-12)


def test_torchs_orthogonal_weights_have_another_length_where_there_are_more_outputs():
    """Negative control: gain σ_w leaves the factor √(n_out/n_in) out."""
    layer = nn.Linear(60, 400, dtype=torch.float64)
    nn.init.orthogonal_(layer.weight, gain=SIGMA_W)
    assert numbers(layer)[0].var() == pytest.approx(SIGMA_W**2 / 400, rel=0.1)


@pytest.mark.statistical
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_orthogonal_matrices_are_uniform(shape):
    """An entry x √(columns/long)... of a Haar matrix of size N has E x² = 1/N, E x⁴ = 3/(N(N+2)), E x = 0.

    False-alarm rate 1e-3 over the first column of the three shapes; 6,000 matrices.
    """
    rng, count = np.random.default_rng(7), 6_000
    n = max(shape)
    x = np.array([_orthogonal(rng, *shape) for _ in range(count)]) * math.sqrt(shape[1] / n)

    def z_scores(x):
        column = x[:, :, 0]
        variance4 = 105 / (n * (n + 2) * (n + 4) * (n + 6)) - (3 / (n * (n + 2))) ** 2  # E x⁸ - (E x⁴)²
        yield from column.mean(0) * math.sqrt(count * n)
        yield from (np.mean(column**4, 0) - 3 / (n * (n + 2))) * math.sqrt(count / variance4)

    limit = z_limit(2 * (3 + 4 + 2))
    assert np.abs(list(z_scores(x))).max() <= limit
    raw = np.array([np.linalg.qr(rng.standard_normal((n, min(shape))))[0] for _ in range(count)])
    raw = raw if shape[0] == n else raw.transpose(0, 2, 1)
    assert np.abs(list(z_scores(raw))).max() > limit  # negative control: signs not taken out


# ------------------------------------------------------------------------------------------- streams


def test_same_key_gives_the_same_numbers_whatever_the_type_or_torchs_state():
    def draw(seed, **kwargs):
        torch.manual_seed(seed)
        layer = init_layer_(nn.Linear(30, 20, **kwargs), sigma_w=1.0, sigma_b=1.0, name="a.b", rng=5)
        return layer.weight.detach(), layer.bias.detach()

    exact = draw(0, dtype=torch.float64)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for wide, narrow in zip(exact, draw(1, dtype=dtype), strict=True):
            assert torch.equal(wide.to(dtype), narrow)


def test_global_random_states_are_left_alone():
    torch.manual_seed(3)
    layer = nn.Linear(30, 20)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    init_layer_(layer, sigma_w=1.0, sigma_b=1.0)
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])  # noqa: NPY002


def test_names_and_seeds_tell_streams_apart():
    """Also names that end alike in many letters, for integer seeds, SeedSequences and Generators."""
    names = ["encoder.layer.weight", "decoder.layer.weight", "", "0.weight", "0.bias"]
    roots = [root_of(0), root_of(1), root_of(np.random.SeedSequence(0)), root_of(np.random.default_rng(0))]
    first = {float(stream(root, name).standard_normal()) for root in roots for name in names}
    assert len(first) == len(roots) * len(names)
    assert stream(root_of(0), "a").standard_normal() == stream(root_of(np.int64(0)), "a").standard_normal()


def test_a_generator_advances_and_a_seed_does_not():
    def draw(rng):
        return init_layer_(nn.Linear(4, 4), sigma_w=1.0, sigma_b=0.0, rng=rng).weight.detach()

    generator = np.random.default_rng(0)
    assert not torch.equal(draw(generator), draw(generator))
    assert torch.equal(draw(0), draw(0))


def test_layer_is_changed_in_place_and_stays_as_it_is_otherwise():
    layer = nn.Linear(4, 4)
    layer.weight.requires_grad_(False)
    weight = layer.weight
    assert init_layer_(layer, sigma_w=0.0, sigma_b=0.0) is layer
    assert layer.weight is weight
    assert not weight.requires_grad
    assert layer.bias.requires_grad
    assert not weight.any()


# ------------------------------------------------------------------------------------------- hostile


def quantised():
    return torch.ao.nn.quantized.Linear(3, 3)


def pruned():
    layer = nn.Linear(3, 3)
    prune.random_unstructured(layer, "weight", 0.5)
    return layer


def made_for_inference():
    with torch.inference_mode():
        return nn.Linear(3, 3)


class Scaled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


REFUSED = {
    "transposed": (lambda: nn.ConvTranspose2d(3, 3, 3), "ConvTranspose2d is a transposed convolution"),
    "lazy": (lambda: nn.LazyLinear(3), "not initialised yet"),
    "lazy conv": (lambda: nn.LazyConv2d(3, 3), "not initialised yet"),
    "meta": (lambda: nn.Linear(3, 3, device="meta"), "meta device"),
    "complex": (lambda: nn.Linear(3, 3, dtype=torch.complex64), "complex64"),
    "weight norm": (lambda: parametrizations.weight_norm(nn.Linear(3, 3)), "computed from other tensors"),
    "spectral norm": (lambda: parametrizations.spectral_norm(nn.Conv1d(3, 3, 3)), "computed from other tensors"),
    "pruned": (pruned, "computed from other tensors"),
    "inference": (made_for_inference, "inference mode"),
    "own forward": (lambda: Scaled(3, 3), "Scaled is none of Linear"),
    "bilinear": (lambda: nn.Bilinear(3, 3, 3), "Bilinear is none of"),
    "norm": (lambda: nn.BatchNorm1d(3), "BatchNorm1d is none of"),
    "no module": (lambda: torch.ones(3, 3), "Tensor is none of"),
    "no bias": (lambda: nn.Conv2d(3, 3, 3, bias=False), "Conv2d has no bias.*0.5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_layer_is_refused_by_name(name):
    make, message = REFUSED[name]
    with pytest.raises(DomainError, match=message) as caught:
        init_layer_(make(), sigma_w=1.0, sigma_b=0.5)
    assert "to change:" in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_old_weight_norm_is_refused():
    with pytest.raises(DomainError, match=r"'body\.3' .*computed from other tensors"):
        init_layer_(weight_norm(nn.Linear(3, 3)), sigma_w=1.0, sigma_b=0.5, name="body.3")


def test_empty_layers_are_refused():
    with pytest.warns(UserWarning, match="zero-element"):
        layer = nn.Linear(0, 3)
    with pytest.raises(DomainError, match=r"shape \(3, 0\)"):
        init_layer_(layer, sigma_w=1.0, sigma_b=0.0)


def test_even_kernels_have_no_centre():
    for kernel in (2, (3, 4)):
        with pytest.raises(DomainError, match="no centre"):
            init_layer_(nn.Conv2d(3, 3, kernel), sigma_w=1.0, sigma_b=0.0, weights="delta_orthogonal")
    init_layer_(nn.Conv2d(3, 3, 2), sigma_w=1.0, sigma_b=0.0, weights="orthogonal")


def test_layer_without_bias_is_taken_where_none_is_needed():
    assert init_layer_(nn.Linear(3, 3, bias=False), sigma_w=1.0, sigma_b=0.0).bias is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "design is None, sigma_w is None"),
        ({"sigma_w": 1.0}, "sigma_b is None"),
        ({"sigma_w": 1.0, "sigma_b": 0.0, "design": object()}, "sigma_w is 1.0"),
        ({"design": "crelu"}, "The design is 'crelu', without phi"),
        ({"sigma_w": -1.0, "sigma_b": 0.0}, "sigma_w = -1.0"),
        ({"sigma_w": 1.0, "sigma_b": math.nan}, "sigma_b = nan"),
        ({"sigma_w": 1.0, "sigma_b": "0"}, "sigma_b = '0'"),
        ({"sigma_w": 1.0, "sigma_b": 0.0, "weights": "haar"}, "weights is 'haar'"),
        ({"sigma_w": 1.0, "sigma_b": 0.0, "rng": -1}, "rng is -1"),
        ({"sigma_w": 1.0, "sigma_b": 0.0, "rng": None}, "rng is None"),
        ({"sigma_w": 1.0, "sigma_b": torch.ones(2)}, "sigma_b = .?tensor"),
        ({"sigma_w": 1.0, "sigma_b": 0.0, "name": torch.ones(2)}, "name is tensor"),
        ({"sigma_w": 1.0, "sigma_b": 0.0, "name": None}, "name is None"),
        ({"sigma_w": 1.0, "sigma_b": 0.0, "name": ["0"]}, "name is"),
        ({"sigma_w": 1e40, "sigma_b": 0.0}, r"Linear holds numbers up to 3.4e\+38 .torch.float32"),
        ({"sigma_w": 1.0, "sigma_b": 1e38}, "its biases are to have the standard deviation 1e"),
    ],
)
def test_wrong_arguments_are_refused_and_change_nothing(arguments, message):
    layer = nn.Linear(3, 3)
    before = layer.weight.detach().clone()
    with pytest.raises(DomainError, match=message):
        init_layer_(layer, **arguments)
    assert torch.equal(layer.weight, before)
