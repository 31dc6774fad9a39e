"""Sparsifying activations as torch modules: the activation's values, zeros and slopes in every precision."""

import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.activations import Mixture, PiecewiseLinear, activation, from_callable  # noqa: E402
from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import CST, CReLU, ReLUTau, SoftThreshold, architecture_of, module_of  # noqa: E402
from gpdeep.nn.modules.module_of import Elementwise  # noqa: E402
from gpdeep.nn.reading.phi import phi_of_module, same_function  # noqa: E402

TAU, M = 1.0364, 1.1704
MODULES = {
    "relu_tau": ReLUTau(TAU),
    "relu_tau negative": ReLUTau(-0.3),
    "st": SoftThreshold(TAU),
    "st zero": SoftThreshold(0.0),
    "crelu": CReLU(TAU, M),
    "crelu narrow": CReLU(1.6449, 0.0917),
    "crelu negative": CReLU(-0.25, 0.7),
    "cst": CST(TAU, M),
    "cst zero": CST(0.0, M),
}
HALF = (torch.float16, torch.bfloat16)
every_module = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)


def ties(module):
    """The kinks as floats, and their neighbours."""
    knots = np.array([t for t, _ in module.phi.kinks])
    return knots, np.concatenate([np.nextafter(knots, -9), np.nextafter(knots, 9)])


def slope(module, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(module(x).sum(), x)[0]


# ------------------------------------------------------------------------------------------- values


@every_module
def test_values_in_float64_are_those_of_the_activation(module):
    knots, beside = ties(module)
    x = torch.cat([torch.linspace(-6, 6, 20_001, dtype=torch.float64), torch.tensor([*knots, *beside, 1e300, -np.inf])])
    value, expected = module(x), module.phi(x)
    inside = (x.abs() < np.abs(knots).max()) if hasattr(module, "m") else torch.ones_like(x, dtype=torch.bool)
    assert torch.equal(value[inside], expected[inside])  # bitwise up to the clip
    # there τ + m is rounded, and so is (τ + m) - τ: half a spacing of τ + m < 4 each
    torch.testing.assert_close(value, expected, rtol=0, atol=2 * 4.4e-16)


@every_module
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_half_precision_is_the_activation_within_its_rounding(module, dtype):
    x = torch.linspace(-6, 6, 20_001, dtype=torch.float64).to(dtype)
    value, expected, eps = module(x), module.phi(x.double()), torch.finfo(dtype).eps
    assert value.dtype == dtype
    # Relative roundings of eps/2: of τ and of the result; where it is clipped of m, τ + m, and what is left of that.
    bound = (
        eps / 2 * (abs(module.tau) + expected.abs() + 3 * (abs(module.tau) + module.m if hasattr(module, "m") else 0))
    )
    assert ((value.double() - expected).abs() <= bound).all()
    off = module.phi.scaled(1 + 8 * eps)(x.double())  # negative control
    assert module.tau == 0 or not ((off - expected).abs() <= bound).all()
    exact = module.phi.derivative(x.double())
    apart = torch.stack([(x.double() - t).abs() > torch.finfo(dtype).eps * 4 for t, _ in module.phi.kinks] or [x == x])
    assert torch.equal(slope(module, x).double()[apart.all(0)], exact[apart.all(0)])


@pytest.mark.parametrize("dtype", [*HALF, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("tau", [1.0364, 1.2816, 1.6449, 0.1, 2.5758])
def test_zeros_are_those_that_comparison_with_tau_says(dtype, tau):
    """Also where τ rounded is above τ: 1.0364 is 1.0390625 in bfloat16."""
    rounded = torch.tensor(tau, dtype=dtype)
    x = torch.cat([torch.linspace(-3, 3, 30_001).to(dtype), rounded[None], -rounded[None]])
    for module in (ReLUTau(tau), CReLU(tau, 0.9)):
        assert torch.equal(module(x) == 0, x <= tau)
        assert torch.equal(module(x) == 0, x <= rounded)
    for module in (SoftThreshold(tau), CST(tau, 0.9)):
        assert torch.equal(module(x) == 0, x.abs() <= tau)


def test_sum_of_ramps_has_not_these_zeros():
    """Negative control: the hinge sum a + b x + Σ c (x - t)_+ rounds in the dead zone."""
    phi = CST(1.4395, 1.1)
    x = torch.linspace(-1.4, 1.4, 20_001, dtype=torch.float64)
    hinges = phi.phi.a + sum(c * F.relu(x - t) for t, c in zip(phi.phi.t, phi.phi.c, strict=True))
    assert (phi(x) == 0).all()
    assert not (hinges == 0).all()


@every_module
def test_nan_stays_nan_and_infinity_is_clipped(module):
    x = torch.tensor([np.nan, np.inf, -np.inf], dtype=torch.float64)
    value = module(x)
    assert value[0].isnan()
    assert value[1] == pytest.approx(getattr(module, "m", np.inf), rel=4e-16)
    assert value[2] == module.phi(x)[2]
    assert slope(module, x)[1] == (0 if hasattr(module, "m") else 1)


# ------------------------------------------------------------------------------------------- slopes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_slope_at_ties_is_zero(dtype):
    rng = np.random.default_rng(0)
    for tau, m in rng.uniform(0.05, 3, (200, 2)):
        low = torch.tensor(tau, dtype=dtype)
        high = low + torch.tensor(m, dtype=dtype)
        x = torch.stack([low, high, -low, -high])
        for module in (CReLU(tau, m), CST(tau, m)):
            assert not slope(module, x).any()
        assert not slope(ReLUTau(tau), x[:1]).any()
        assert not slope(SoftThreshold(tau), x[[0, 2]]).any()


def test_slope_at_ties_of_other_primitives_is_one():
    """Negative control: what clamp and a plain hardtanh of x - τ give at x = τ and x = τ + m."""
    tau, m = 1.0364, 0.8095
    x = torch.tensor([tau, tau + m], dtype=torch.float64)
    assert slope(lambda x: (x - tau).clamp(0, m), x)[0] == 1
    assert any(
        slope(lambda x, m=m: F.hardtanh(x - tau, 0.0, m), torch.tensor([tau + m], dtype=torch.float64)).any()
        for m in np.linspace(0.5, 2, 50).tolist()
    )


@every_module
def test_gradients_are_those_of_finite_differences(module):
    knots, _ = ties(module)
    x = torch.linspace(-4.03, 4.05, 57, dtype=torch.float64)
    x = x[[bool((np.abs(v - knots) > 1e-3).all()) for v in x.numpy()]].requires_grad_()
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)
    assert torch.equal(slope(module, x.detach()), module.phi.derivative(x.detach()))


def test_gradients_that_overflowed_do_not_enter_the_dead_zone():
    x = torch.tensor([0.2, 1.5, 9.0], requires_grad=True)
    for module, expected in ((CST(1.0, 2.0), [0, np.inf, 0]), (SoftThreshold(1.0), [0, np.inf, np.inf])):
        (grad,) = torch.autograd.grad(module(x), x, torch.full_like(x, np.inf))
        assert grad.tolist() == expected


# ------------------------------------------------------------------------------------------- as a module


@pytest.mark.parametrize("name", ["relu_tau", "st", "crelu", "cst"])
def test_compiles_into_one_graph(name):
    """Forward and backward; no C++ is compiled."""
    module = MODULES[name]
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.linspace(-4, 4, 401).to(dtype)
        assert torch.equal(compiled(x), module(x))
        assert torch.equal(slope(compiled, x), slope(module, x))


@every_module
def test_works_under_function_transforms(module):
    x = torch.linspace(-4.03, 4.05, 40).reshape(8, 5)
    assert torch.equal(torch.func.vmap(module)(x), module(x))
    grads = torch.func.vmap(torch.func.grad(lambda row: module(row).sum()))(x)
    assert torch.equal(grads, slope(module, x))


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own
def test_forward_mode_agrees_with_reverse_mode():
    module, x = CST(TAU, M), torch.linspace(-4.03, 4.05, 40)
    _, tangent = torch.func.jvp(module, (x,), (torch.ones_like(x),))
    assert torch.equal(tangent, slope(module, x))


@every_module
def test_copies_and_has_no_state(module):
    assert module.state_dict() == {}
    assert not list(module.parameters())
    x = torch.linspace(-4, 4, 101)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), copy.deepcopy(module).half().float()):
        assert torch.equal(twin(x), module(x))
        assert twin.phi == module.phi
        assert repr(twin) == repr(module)


def test_parameters_are_shown_to_full_precision_and_cannot_be_set():
    module = CReLU(0.1 + 0.2, 1)
    assert repr(module) == "CReLU(tau=0.30000000000000004, m=1.0)"
    assert repr(ReLUTau(-1)) == "ReLUTau(tau=-1.0)"
    for name in ("tau", "m", "phi"):
        with pytest.raises(AttributeError):
            setattr(module, name, 2.0)


def test_is_made_under_a_meta_default_device():
    with torch.device("meta"):
        module = CReLU(TAU, M)
    assert module(torch.tensor(2.0)).device.type == "cpu"


def test_integers_and_empty_tensors_are_taken():
    assert CReLU(1.5, 2.0)(torch.tensor([0, 2, 9])).tolist() == [0.0, 0.5, 2.0]
    assert CST(1.5, 2.0)(torch.zeros(0, 3)).shape == (0, 3)


def test_ramp_below_the_spacing_of_a_dtype_keeps_its_height():
    # bfloat16 has a spacing of 2 at 300
    assert CReLU(300.0, 0.5)(torch.tensor([290.0, 300.0, 302.0], dtype=torch.bfloat16)).tolist() == [0.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReLUTau(float("nan")), "tau"),
        (lambda: SoftThreshold(-1.0), "tau = -1.0"),
        (lambda: CReLU(1.0, 0.0), "m = 0.0"),
        (lambda: CReLU("1", 1.0), "tau = '1'"),
        (lambda: CST(-1.0, 1.0), "tau = -1.0"),
        (lambda: CST(1.0, float("inf")), "m = inf"),
        (lambda: CReLU(1e20, 1.0), "tau \\+ m equals tau"),
    ],
)
def test_parameters_out_of_range_are_refused_as_by_the_activation(make, message):
    with pytest.raises(DomainError, match=message) as caught:
        make()
    assert "to change:" in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_gives_the_same_numbers():
    for dtype in (*HALF, torch.float32):
        x = torch.linspace(-6, 6, 20_001).to(dtype)
        for module in MODULES.values():
            assert torch.equal(module(x.cuda()).cpu(), module(x))
            assert torch.equal(slope(module, x.cuda()).cpu(), slope(module, x))


# ------------------------------------------------------------------------------------------- module_of

NAMES = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "leaky_relu:0.2": nn.LeakyReLU, "prelu:0.1": nn.PReLU,
    "identity": nn.Identity, "abs": Elementwise, "relu6": nn.ReLU6, "relu_tau:1": ReLUTau, "st:0.5": SoftThreshold,
    "crelu:1,1.5": CReLU, "cst:1,1.5": CST, "hard_tanh": nn.Hardtanh, "hard_tanh:2": nn.Hardtanh, "tanh": nn.Tanh,
    "erf": Elementwise, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "gelu_tanh": nn.GELU, "silu": nn.SiLU,
    "mish": nn.Mish, "softplus": nn.Softplus, "softplus:5": nn.Softplus, "sin": Elementwise, "cos": Elementwise,
    "exp": Elementwise, "elu": nn.ELU, "elu:0.5": nn.ELU, "selu": nn.SELU,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_module_of_a_name_applies_the_activation(name):
    module = module_of(name)
    assert type(module) is NAMES[name]
    assert module is not module_of(name)
    x = torch.linspace(-5, 5, 401, dtype=torch.float64)
    # Evaluated in float64 both times; softplus is x beyond 20/β, where log(1 + e^-20) = 2e-9 is dropped; the slope of
    # PReLU is a float32, half an eps 1.2e-7 off.
    atol = {"softplus": 2.1e-9, "prelu": 5 * 6e-8}.get(name.split(":")[0], 4e-15)
    torch.testing.assert_close(module.double()(x), activation(name)(x), rtol=4e-15, atol=atol)
    read = phi_of_module(module)
    if name.split(":")[0] not in ("leaky_relu", "prelu", "identity"):
        assert same_function(read, activation(name))


def test_activations_of_ones_own_become_elementwise():
    own = PiecewiseLinear("crelu:1,1.5", t=(0.0, 2.0), c=(1.0, -0.5))  # called like another
    swish = from_callable(lambda x: x / (1 + (-x).exp() if isinstance(x, torch.Tensor) else 1 + np.exp(-x)), "swish")
    half = Mixture((activation("relu"), activation("tanh")), (0.5, 0.5))
    x = torch.linspace(-3, 3, 40).reshape(10, 4)
    for phi in (own, swish, half, activation("crelu:1,1.5").scaled(2.0)):
        module = module_of(phi)
        assert type(module) is Elementwise
        assert torch.equal(module(x), phi(x))
        assert phi_of_module(module) == phi
    assert repr(module_of(own)) == "Elementwise(crelu:1,1.5)"


def test_one_function_under_two_names_is_one_function():
    assert same_function(activation("hard_tanh:2"), activation("cst:0,2"))
    assert same_function(activation("leaky_relu:0.25"), activation("prelu"))
    assert not same_function(activation("crelu:1,1.5"), activation("crelu:1,1.25"))
    assert not same_function(activation("tanh"), activation("erf"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("swish", "not in the catalogue"),
        (None, "is None"),
        (nn.ReLU(), "ReLU\\(\\)"),
        (from_callable(lambda x: np.tanh(np.array(x.tolist())), "mine"), "'mine' makes a ndarray of a tensor"),
        (from_callable(lambda x: np.maximum(x, -9.0) ** 3, "cut", knots=(-9.0,)), "'cut' fails on a tensor with a gr"),
        (from_callable(lambda x: np.where(x > 0, x, 0.1 * x), "hinge", knots=(0.0,)), "'hinge' (makes|fails)"),
    ],
)
def test_what_is_no_activation_for_tensors_is_refused(what, message):
    with pytest.raises(DomainError, match=message):
        module_of(what)


@pytest.mark.parametrize("name", ["crelu", "cst", "relu_tau", "st"])
def test_networks_with_these_modules_are_read(name):
    make = {"crelu": lambda: CReLU(TAU, M), "cst": lambda: CST(TAU, M), "relu_tau": lambda: ReLUTau(TAU)}
    phi = make.get(name, lambda: SoftThreshold(TAU))
    net = nn.Sequential(nn.Linear(20, 30), phi(), nn.Linear(30, 30), phi(), nn.Linear(30, 2))
    for layer in net[::2]:
        nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    architecture = architecture_of(net)
    assert str(architecture) == "20,30x2,2"
    assert architecture.phi == phi().phi
    net[3] = module_of("tanh")
    with pytest.raises(DomainError, match="two different activations"):
        architecture_of(net)
