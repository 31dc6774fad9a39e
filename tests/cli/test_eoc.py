"""``gpdeep eoc`` prints the edge of chaos: tanh's published point, closed forms of erf, what does not exist."""

import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest

from gpdeep.cli import run


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["eoc", *arguments, "--json"]) == 0
    streams = capsys.readouterr()
    assert streams.err == ""
    result: dict[str, Any] = json.loads(streams.out, parse_constant=pytest.fail)
    return result


def test_tanh_with_bias_variance_a_twentieth(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "tanh", "--sigma-b", "0.22360679774997896")
    # by quadrature with 50 digits; the root in q* loses an order of magnitude to the slope of σ_b²(q*)
    assert found["sigma_w"] ** 2 == pytest.approx(1.760954639606739, rel=1e-13)
    assert found["sigma_b"] == 0.22360679774997896
    assert found["chi_1"] == pytest.approx(1, rel=1e-15)  # σ_w² E φ'²: a root, a square, a product
    assert 0 < found["slope"] < 1
    assert found["other_solutions"] == []


def test_erf_at_a_given_variance_is_a_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "erf", "--q", "1")
    sigma_w2 = math.pi / 4 * math.sqrt(5)
    # quotients of closed forms: a few roundings, and q - σ_w² E φ² cancels to 0.18
    assert found["sigma_w"] == pytest.approx(math.sqrt(sigma_w2), rel=1e-14)
    assert found["sigma_b"] == pytest.approx(math.sqrt(1 - sigma_w2 * 2 / math.pi * math.asin(2 / 3)), rel=1e-13)
    assert found["slope"] == pytest.approx(1 / 3, rel=1e-13)
    assert found["chi_2"] == pytest.approx(4 / 5, rel=1e-12)
    assert found["inputs"] == {
        "activation": "erf",
        "q": 1.0,
        "sigma_b": None,
        "alpha": 0.0,
        "beta": 1.0,
        "layer_norm": False,
    }


def test_relu_stands_at_hes_weights(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "relu", "--sigma-b", "0")
    assert found["sigma_w"] == pytest.approx(2**0.5, rel=1e-15)
    assert found["marginal"] is True
    assert found["chi_2"] is None  # infinite: φ has a kink


def test_table_names_the_standard_deviations(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eoc", "tanh", "--sigma-b", "0.2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("edge of chaos of tanh")
    assert "σ_w" in out


def test_what_does_not_exist_is_refused_with_the_bias_that_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eoc", "relu", "--sigma-b", "0.5"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "sigma_b = 0 alone" in streams.err


@pytest.mark.parametrize("command", [["--version"], ["eoc", "--help"], ["maps", "--help"]])
def test_nothing_heavy_is_imported_to_say_what_there_is(command: list[str]) -> None:
    code = (
        "import sys\nfrom gpdeep.cli import run\nrun(sys.argv[1:])\n"
        "names = ('scipy.stats', 'scipy.optimize', 'matplotlib', 'torch', 'gpdeep.plots', 'gpdeep.meanfield')\n"
        "print([name for name in names if name in sys.modules], file=sys.stderr)"
    )
    program = [sys.executable, "-c", code, *command]
    done = subprocess.run(program, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "100"})
    assert done.stderr.strip() == "[]"
