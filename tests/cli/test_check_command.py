"""``gpdeep check``: right initialisations pass, wrong ones are told with the layer where they depart."""

import json

import pytest

pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from gpdeep.cli import run
from gpdeep.cli.schemas import SCHEMAS

NETWORKS = """
import torch
from torch import nn


def chain(init=None, bias=True):
    layers = [nn.Linear(64, 64, bias=bias) for _ in range(20)] + [nn.Linear(64, 10, bias=bias)]
    for layer in layers:
        if init is not None:
            init(layer.weight)
            if bias:
                nn.init.zeros_(layer.bias)
    return nn.Sequential(*(part for layer in layers[:-1] for part in (layer, nn.ReLU())), layers[-1])


def he():
    return chain(lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"))


def lecun():
    return chain(lambda w: nn.init.normal_(w, 0, w.shape[1] ** -0.5))


def default():
    return chain()


def one_layer():  # the twelfth layer alone is 2.5 times too large
    net = he()
    with torch.no_grad():
        net[22].weight.mul_(2.5)
    return net


def normalised():
    return nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))


def convolutional():
    return nn.Sequential(nn.Unflatten(1, (1, 64)), nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(248, 10))


def partly():
    layers = [nn.Linear(16, 16) for _ in range(3)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    slopes = [nn.PReLU(16), nn.PReLU(16)]
    for phi in slopes:
        phi.weight.data = torch.arange(16) % 2 * 1.0
    return nn.Sequential(layers[0], slopes[0], layers[1], slopes[1], layers[2])
"""


@pytest.fixture(autouse=True)
def networks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NETWORKS)


def call(capsys, *arguments):
    code = run(["check", *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_a_network_in_text_agrees_on_digits(capsys):
    pytest.importorskip("sklearn")
    code, out, err = call(capsys, "64,64x20,10", "--data", "digits", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["agrees"] is True
    assert found["first_departure"] is None
    for table in ("predicted", "measured", "z_scores"):
        for name in ("log_sin2", "variance", "sparsity", "log_grad_norm2"):
            assert len(found[table][name]) == 20
    assert found["inputs"]["sigma_w"] == pytest.approx(2**0.5, rel=1e-15)


def test_he_weights_of_a_module_agree(capsys):
    code, out, _ = call(capsys, "net.py:he", "--json")
    assert code == 0
    assert json.loads(out)["agrees"] is True


@pytest.mark.parametrize(("factory", "layer"), [("lecun", 1), ("default", 1), ("one_layer", 12)])
def test_other_weights_depart_where_they_are_wrong(capsys, factory, layer):
    code, out, _ = call(capsys, f"net.py:{factory}", "--json")
    found = json.loads(out)
    assert code == 3
    assert found["agrees"] is False
    assert found["status"]["code"] == "outside_validity"
    if factory == "one_layer":  # gradients before the layer depart as well
        assert found["first_departure"] <= layer
        assert abs(found["z_scores"]["variance"][layer - 2]) < 4
    else:
        assert found["first_departure"] == layer
    assert f"Layer {found['first_departure']} departs" in found["status"]["messages"][0]


def test_lecun_weights_agree_where_they_are_said(capsys):
    code, _, _ = call(capsys, "net.py:lecun", "--sigma-w", "1", "--json")
    assert code == 0


def test_what_cannot_be_predicted_is_named(capsys):
    code, out, err = call(capsys, "net.py:normalised")
    assert (code, out) == (2, "")
    assert "BatchNorm1d" in err
    code, out, err = call(capsys, "net.py:convolutional")
    assert (code, out) == (2, "")
    assert "(Conv1d) is not predicted" in err
    assert "gpdeep.nn.probe" in err


def test_residual_and_normalised_networks_in_text(capsys):
    code, out, _ = call(capsys, "16,16,res(16x2,alpha=1,beta=0.5),ln(8x2),4", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["path_length"] is None
    assert None not in found["predicted"]["log_grad_norm2"]


def test_path_lengths_where_channels_are_linear(capsys):
    """Half of two layers: a path has one active unit on average."""
    code, out, _ = call(capsys, "net.py:partly", "--json")
    found = json.loads(out)
    assert code == 0
    pytest.importorskip("jsonschema").validate(found, SCHEMAS["check"])
    assert found["path_length"] == {
        "average_path_length": 1.0,
        "normalised_average_path_length": 1.0,
        "reason": "",
    }


@pytest.mark.parametrize(
    "arguments",
    [("64,64x10,10", "--activation", "gelu", "--sigma-w", "1.5"), ("8,ln(2x4),3",)],
    ids=["gelu", "two normalised neurons"],
)
def test_constants_agree_with_what_rounding_leaves_of_them(capsys, arguments):
    code, out, err = call(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    assert None not in json.loads(out)["z_scores"]["sparsity"]


def test_usage(capsys):
    for arguments, word in (
        (["net.py:he", "--activation", "tanh"], "--activation"),
        (["64,?x2,10"], "unknown"),
        (["64,64x2,10", "--seeds", "1"], "seeds"),
        (["64,64x2,10", "--activation", "tanh"], "sigma"),
        (["32,64x2,10", "--data", "digits"], "features"),
        (["64,64x2,10", "--device", "nowhere"], "device"),
    ):
        code, out, err = call(capsys, *arguments)
        assert (code, out) == (2, ""), arguments
        assert word in err
        assert "Traceback" not in err


def test_a_table_and_a_picture(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    code, out, _ = call(capsys, "16,16x4,2", "--plot", "check.png")
    assert code == 0
    assert "agrees with theory" in out
    assert (tmp_path / "check.png").stat().st_size > 5000


@pytest.mark.parametrize("device", ["tpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_named_as_the_option(capsys, device):
    assert run(["check", "8,8x2,2", "--device", device]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"--device {device}:")
    assert "dtype" not in err
    assert "torch.float64" not in err
