"""``gpdeep path-length`` on networks written as plain torch code."""

import json
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from gpdeep.cli import run

RESNET = """
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        blocks, inputs = [], 16
        for outputs, stride in ((16, 1), (32, 2), (64, 2)):
            for k in range(3):
                blocks.append(Block(inputs, outputs, stride if k == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        out = self.blocks(F.relu(self.bn(self.conv(x))))
        out = F.avg_pool2d(out, out.size()[3])
        return self.linear(out.view(out.size(0), -1))


class Odd(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).real


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return torch.relu(self.a(x)) * torch.sigmoid(self.b(x))


def half():
    net = nn.Sequential(nn.Linear(4, 8), nn.PReLU(8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([1.0] * 4 + [0.25] * 4))
    return net
"""


@pytest.fixture(autouse=True)
def networks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(RESNET)


def call(capsys, *arguments):
    code = run(["path-length", *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_resnet_20_of_plain_torch_code_within_five_seconds():
    """The bar is 5 seconds on a quiet machine; a test run beside others gets six times as much."""
    command = [sys.executable, "-m", "gpdeep", "path-length", "net.py:ResNet20", "--input-shape", "1,3,32,32", "--json"]
    begin = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.perf_counter() - begin < 30
    found = json.loads(process.stdout)
    assert found["normalised_average_path_length"] == 14.5
    assert found["average_path_length"] == pytest.approx(18.9402, abs=5e-5)
    assert len(found["layers"]) == 19
    assert found["layers"][0]["channels"] == found["layers"][0]["nonlinear"] == 16
    assert found["inputs"] == {
        "network": "net.py:ResNet20",
        "input_shape": [1, 3, 32, 32],
        "products": None,
        "output": None,
    }
    assert sum(found["probability"]) == pytest.approx(1, rel=0, abs=1e-12)


def test_a_channel_is_linear_where_its_slope_is_one(capsys):
    code, out, _ = call(capsys, "net.py:half", "--input-shape", "1,4", "--json")
    found = json.loads(out)
    assert code == 0
    assert [(layer["channels"], layer["nonlinear"]) for layer in found["layers"]] == [(8, 4), (8, 8)]
    assert found["normalised_average_path_length"] == 1.5


def test_an_unknown_operation_is_refused_by_name(capsys):
    code, out, err = call(capsys, "net.py:Odd", "--input-shape", "2,8")
    assert (code, out) == (2, "")
    assert "fft" in err
    assert "register_rule" in err


def test_products_need_a_policy(capsys):
    code, out, err = call(capsys, "net.py:Gate", "--input-shape", "2,4")
    assert (code, out) == (2, "")
    assert "mul" in err
    code, out, _ = call(capsys, "net.py:Gate", "--input-shape", "2,4", "--products", "merge", "--json")
    assert code == 0
    assert json.loads(out)["conventions"]["products"]
    code, _, err = call(capsys, "net.py:Gate", "--input-shape", "2,4", "--products", "both")
    assert code == 2
    assert "--products" in err


@pytest.mark.parametrize("shape", ["", "1,x", "0,4", "1,-4", "1.5,4"])
def test_shapes_are_positive_integers(capsys, shape):
    code, out, err = call(capsys, "net.py:half", "--input-shape", shape)
    assert (code, out) == (2, "")
    assert "--input-shape" in err


def test_a_shape_that_does_not_fit_is_refused(capsys):
    code, out, err = call(capsys, "net.py:half", "--input-shape", "1,5")
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_a_table_and_a_picture(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    code, out, _ = call(capsys, "net.py:half", "--input-shape", "1,4", "--plot", "lengths.png")
    assert code == 0
    assert "normalised average path length 1.5" in out
    assert (tmp_path / "lengths.png").stat().st_size > 5000
