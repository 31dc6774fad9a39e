"""``gpdeep clip``: what it answers, its exit codes, and what it refuses."""

import json
import math

import numpy as np
import pytest

from gpdeep.cli import run


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    code = run(["clip", *arguments, "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out, parse_constant=pytest.fail) if out else {}


def test_second_stable_variance_is_reported_beside_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = call(capsys, "crelu", "--sparsity", "0.9", "--slope", "0.9")
    assert code == 3
    assert found["status"]["code"] == "outside_validity"
    # § 4.4 of the theory, to its printed digits
    np.testing.assert_allclose([p["q"] for p in found["fixed_points"]], [1.0, 1.399, 3.474], rtol=0, atol=5e-4)
    assert [p["stable"] for p in found["fixed_points"]] == [True, False, True]
    assert found["basin"] == [0.0, found["fixed_points"][1]["q"]]
    assert found["escape_probability"] is None


def test_stable_design_exits_zero_with_an_open_basin(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = call(capsys, "crelu", "--sparsity", "0.85", "--slope", "0.7")
    assert code == 0
    assert found["basin"] == [0.0, None]
    np.testing.assert_allclose(
        found["sigma_w"] ** 2 * found["input_second_moment"] + found["sigma_b"] ** 2, 1, rtol=1e-14
    )


def test_width_and_depth_alone_choose_the_largest_safe_slope(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = call(capsys, "cst", "--sparsity", "0.8", "--width", "300", "--depth", "100")
    assert code == 0
    assert found["inputs"]["slope"] == 0.8
    assert 0 < found["escape_probability"] < 0.01
    code, closure = call(capsys, "cst", "--sparsity", "0.8", "--width", "300", "--depth", "100", "--law", "gamma")
    assert code == 0
    assert closure["escape_probability"] > found["escape_probability"]


def test_too_many_escapes_exit_three(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["cst", "--sparsity", "0.8", "--slope", "0.84", "--width", "100", "--depth", "100"]
    assert call(capsys, *arguments)[0] == 3
    assert call(capsys, *arguments, "--p-fail", "0.5")[0] == 0


def test_no_sparsity_is_the_hard_tanh(capsys: pytest.CaptureFixture[str]) -> None:
    _, one = call(capsys, "cst", "--sparsity", "0", "--slope", "0.6")
    _, two = call(capsys, "hard_tanh", "--slope", "0.6")
    assert one["activation"] == two["activation"] == f"hard_tanh:{one['m']!r}"
    assert (one["sigma_w"], one["sigma_b"], one["sparsity"]) == (two["sigma_w"], two["sigma_b"], 0.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["crelu", "--tau", "-0.5", "--m", "2"], ["σ_b² ≥ 0 binds", "-0.44", "0.7908"]),
        (["crelu", "--sparsity", "0.8", "--slope", "1"], ["without clipping", "below 1"]),
        (["cst", "--sparsity", "1", "--slope", "0.5"], ["every unit would be 0"]),
        (["crelu", "--sparsity", "0", "--slope", "0.5"], ["τ = -∞", "cst at sparsity 0 is the hard tanh"]),
        (["crelu", "--sparsity", "0.4", "--slope", "0.5"], ["σ_b² ≥ 0 binds", "0.2776"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_cannot_be_says_what_binds(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    assert run(["clip", *arguments]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    for word in words:
        assert word in streams.err


def test_scale_of_the_variance(capsys: pytest.CaptureFixture[str]) -> None:
    _, one = call(capsys, "crelu", "--sparsity", "0.7", "--slope", "0.5")
    _, four = call(capsys, "crelu", "--sparsity", "0.7", "--slope", "0.5", "--q", "4")
    assert four["m"] == 2 * one["m"]
    assert four["sigma_w"] == one["sigma_w"]
    assert math.isclose(four["sigma_b"], 2 * one["sigma_b"], rel_tol=1e-14)


def test_table_reads_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["clip", "crelu", "--sparsity", "0.85", "--width", "300", "--depth", "30"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("crelu: 85 % zeros")
    assert "fixed points of V" in out
