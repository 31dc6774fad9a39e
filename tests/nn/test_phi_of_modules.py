"""Torch's activations are those of the catalogue: same name, same values."""

import pytest

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpdeep.activations import activation  # noqa: E402
from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn.initialising.chain import read_chain  # noqa: E402

MODULES = {
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "elu": nn.ELU(),
    "elu:0.5": nn.ELU(0.5),
    "selu": nn.SELU(),
    "softplus": nn.Softplus(),
    "softplus:5": nn.Softplus(5, threshold=20),
    "hard_tanh": nn.Hardtanh(),
    "hard_tanh:2": nn.Hardtanh(-2, 2),
    "st:0.5": nn.Softshrink(0.5),
    "leaky_relu:0.2": nn.LeakyReLU(0.2),
    "crelu:0,2": nn.Hardtanh(0, 2),
}
FUNCTIONS = [
    ("tanh", torch.tanh),
    ("tanh", lambda x: x.tanh_()),
    ("gelu", F.gelu),
    ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
    ("silu", F.silu),
    ("elu:0.5", lambda x: F.elu(x, 0.5)),
    ("elu", F.elu_),
    ("sin", torch.sin),
    ("sigmoid", lambda x: x.sigmoid()),
    ("leaky_relu:0.2", lambda x: F.leaky_relu(x, 0.2)),
    ("hard_tanh", F.hardtanh),
    ("hard_tanh:2", lambda x: F.hardtanh(x, -2, 2)),
    ("hard_tanh:2", lambda x: torch.clamp(x, -2, 2)),
    ("hard_tanh:2", lambda x: x.clip(max=2.0, min=-2.0)),
    ("relu", lambda x: torch.clamp(x, min=0)),
    ("relu", lambda x: x.clamp_min(0.0)),
    ("relu6", lambda x: x.clamp(0, 6)),
    ("relu6", F.relu6),
    ("crelu:0,1.5", lambda x: F.hardtanh_(x, 0, 1.5)),
    ("softplus", F.softplus),
    ("softplus:5", lambda x: F.softplus(x, beta=5)),
    ("st:0.5", F.softshrink),
    ("st:0.25", lambda x: F.softshrink(x, 0.25)),
]
NOT_OF_THE_CATALOGUE = [
    lambda x: x.clamp(-1, 2),
    lambda x: x.clamp(max=1),
    lambda x: x.clamp(0, x.shape[0]),
    lambda x: F.softplus(x, 1.0, 5.0),
]


class Functional(nn.Module):
    def __init__(self, phi):
        super().__init__()
        self.one, self.two, self.phi = nn.Linear(4, 5), nn.Linear(5, 2), phi

    def forward(self, x):
        return self.two(self.phi(self.one(x)))


@pytest.mark.parametrize("name", MODULES)
def test_module_is_read_by_its_name_and_has_its_values(name: str) -> None:
    phi = read_chain(nn.Sequential(nn.Linear(4, 5), MODULES[name], nn.Linear(5, 2))).phi
    assert phi.name == name
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    # both evaluate the same function in float64: some roundings of values up to 12; torch's softplus is x beyond 20/β,
    # where log(1 + e^-20) = 2e-9 is dropped
    atol = 2.1e-9 if "softplus" in name else 4e-15
    torch.testing.assert_close(phi(x), MODULES[name](x), rtol=4e-15, atol=atol)
    with pytest.raises(AssertionError):  # negative control
        torch.testing.assert_close(phi(x * 1.001), MODULES[name](x), rtol=4e-15, atol=atol)


@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_function_is_read_by_its_name_and_has_its_values(name: str, function) -> None:
    phi = read_chain(Functional(function)).phi
    assert phi.name == activation(name).name
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    torch.testing.assert_close(phi(x), function(x.clone()), rtol=4e-15, atol=2.1e-9 if "softplus" in name else 4e-15)


@pytest.mark.parametrize("function", NOT_OF_THE_CATALOGUE)
def test_function_with_other_numbers_is_none_of_the_catalogue(function) -> None:
    with pytest.raises(DomainError):
        read_chain(Functional(function))


@pytest.mark.parametrize("name", MODULES)
def test_derivative_is_that_of_autograd(name: str) -> None:
    phi = read_chain(nn.Sequential(nn.Linear(4, 5), MODULES[name], nn.Linear(5, 2))).phi
    x = torch.linspace(-7.03, 7.04, 301, dtype=torch.float64, requires_grad=True)  # no kink among them
    (slope,) = torch.autograd.grad(MODULES[name](x).sum(), x)
    atol = 2.1e-9 if "softplus" in name else 1e-14  # as above
    torch.testing.assert_close(phi.derivative(x.detach()), slope, rtol=1e-13, atol=atol)
