"""``gpdeep maps`` prints what the functions compute; numbers against closed forms of ReLU, erf and tanh's own."""

import json
import math
from typing import Any

import pytest

from gpdeep.cli import run


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert run(["maps", *arguments, "--json"]) == code
    streams = capsys.readouterr()
    assert streams.err == ""
    result: dict[str, Any] = json.loads(streams.out, parse_constant=pytest.fail)
    return result


def test_relu_keeps_every_variance_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "relu", "--q", "3")
    assert found["inputs"]["sigma_w"] == pytest.approx(2**0.5, rel=1e-15)  # one square root
    assert found["marginal"] is True
    assert found["q_star"] == 3.0
    assert found["phase"] == "edge"
    assert found["chi_1"] == pytest.approx(1.0, rel=1e-15)
    assert found["fixed_points"] == []
    for infinite in ("xi_q", "xi_c", "xi_grad", "trainable_depth"):
        assert found[infinite] is None


def test_relu_with_bias_is_ordered_with_closed_forms(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "relu", "--sigma-w", "1", "--sigma-b", "0.5", "--factor", "4")
    # V = q/2 + 1/4: q* = 1/2, V' = χ₁ = 1/2, each after a few roundings
    assert found["q_star"] == pytest.approx(0.5, rel=1e-14)
    assert found["chi_1"] == pytest.approx(0.5, rel=1e-14)
    assert (found["phase"], found["c_star"], found["one_minus_c_star"]) == ("ordered", 1.0, 0.0)
    for scale in ("xi_q", "xi_c", "xi_grad"):
        assert found[scale] == pytest.approx(1 / math.log(2), rel=1e-14)
    assert found["trainable_depth"] == pytest.approx(4 / math.log(2), rel=1e-14)
    (point,) = found["fixed_points"]
    assert point["stable"] is True
    assert point["slope"] == pytest.approx(0.5, rel=1e-14)
    assert point["basin"] == [0.0, None]


def test_chaotic_erf_solves_its_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "erf", "--sigma-w", "2", "--sigma-b", "0.3")
    q, c = found["q_star"], found["c_star"]
    # two equations with coefficients of order 1, solved to rounding
    assert 8 / math.pi * math.asin(2 * q / (1 + 2 * q)) + 0.09 == pytest.approx(q, rel=1e-13)
    assert 8 / math.pi * math.asin(2 * q * c / (1 + 2 * q)) + 0.09 == pytest.approx(q * c, rel=1e-12)
    assert found["phase"] == "chaotic"
    chi = 16 / math.pi / math.sqrt((1 + 2 * q) ** 2 - (2 * q * c) ** 2)
    assert found["xi_c"] == pytest.approx(-1 / math.log(chi), rel=1e-11)
    assert found["trainable_depth"] == pytest.approx(6 * found["xi_c"], rel=1e-15)


def test_a_variance_without_limit_is_an_answer_with_nulls_and_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "relu", "--sigma-w", "2", code=3)
    assert found["status"]["code"] == "outside_validity"
    assert "grows beyond" in found["status"]["messages"][0]
    assert found["q_star"] is None
    assert found["xi_c"] is None
    found = answer(capsys, "tanh", "--sigma-w", "0.9", code=3)
    assert found["q_star"] == 0.0
    assert "falls to 0" in found["status"]["messages"][0]


def test_wiring_reaches_the_map(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "relu", "--sigma-w", "1", "--alpha", "0.6", "--beta", "0.8", "--layer-norm")
    # V = α² q + β² σ_w²/2
    assert found["q_star"] == pytest.approx(0.32 / 0.64, rel=1e-14)
    assert found["fixed_points"][0]["slope"] == pytest.approx(0.36, rel=1e-14)
    assert found["inputs"]["layer_norm"] is True


def test_table_is_printed_and_points_of_doubt_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["maps", "tanh", "--sigma-w", "1.5", "--sigma-b", "0.2"]) == 0
    streams = capsys.readouterr()
    assert "chaotic" in streams.out.splitlines()[0]
    assert streams.err == ""
    assert run(["maps", "relu", "--sigma-w", "2"]) == 3
    assert "outside_validity" in capsys.readouterr().err


def test_missing_sigma_points_at_the_command_that_finds_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["maps", "tanh"]) == 2
    assert "gpdeep eoc tanh" in capsys.readouterr().err
