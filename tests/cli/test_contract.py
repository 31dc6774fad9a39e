"""The contract of the command line: keys, lengths, exit codes, streams. Later commands join `COMMANDS`."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from gpdeep.cli import run
from gpdeep.cli.references import BIBTEX, REFERENCES
from gpdeep.cli.schemas import SCHEMAS

COMMANDS = {
    "depth": ["784,128x50,10"],
    "maps": ["tanh", "--sigma-w", "1.5", "--sigma-b", "0.2"],
    "eoc": ["tanh", "--sigma-b", "0.2"],
    "clip": ["crelu", "--sparsity", "0.85", "--slope", "0.7", "--width", "100", "--depth", "10"],
    "path-length": ["net.py:make", "--input-shape", "1,4"],
    "check": ["16,16x3,4"],
    "calibrate": ["runs.csv"],
    "geodesic": ["X.npy", "Y.npy", "--effective-depth", "3", "--activation", "softplus:5", "--starts", "1"],
}

NEED_TORCH = {"path-length", "check"}

# The keys that others call by, written down once more by hand.
KEYS = {
    "depth": {
        "": {"schema_version", "command", "inputs", "status", "finite", "infinite", "degeneracy_depth"}
        | {"effective_depth", "initial_angle"},
        "finite": {"method", "log_sin2_mean", "log_sin2_std", "log_sin2_median", "survival"}
        | {"log_length2_mean", "log_length2_std", "error"},
        "infinite": {"angle", "log_sin2"},
        "degeneracy_depth": {"finite", "infinite", "reached", "threshold", "confidence"},
        "status": {"code", "messages"},
    },
    "maps": {
        "": {"schema_version", "command", "inputs", "status", "q_star", "fixed_points", "chi_1", "c_star"}
        | {"one_minus_c_star", "xi_q", "xi_c", "xi_grad", "phase", "trainable_depth", "marginal"},
        "inputs": {"activation", "sigma_w", "sigma_b", "q", "factor", "alpha", "beta", "layer_norm"},
        "status": {"code", "messages"},
    },
    "eoc": {
        "": {"schema_version", "command", "inputs", "status", "sigma_w", "sigma_b", "q_star", "chi_1", "slope"}
        | {"curvature", "other_solutions"},
        "inputs": {"activation", "q", "sigma_b", "alpha", "beta", "layer_norm"},
        "status": {"code", "messages"},
    },
    "clip": {
        "": {"schema_version", "command", "inputs", "status", "tau", "m", "sigma_w", "sigma_b", "q_star", "chi_1"}
        | {"slope", "curvature", "sparsity", "fixed_points", "basin", "escape_probability", "input_second_moment"},
        "inputs": {"family", "sparsity", "tau", "slope", "m", "width", "depth", "q", "p_fail", "law"},
        "status": {"code", "messages"},
    },
    "path-length": {
        "": {"schema_version", "command", "inputs", "status", "average_path_length"}
        | {"normalised_average_path_length", "layers"},
        "inputs": {"network", "input_shape"},
        "status": {"code", "messages"},
    },
    "calibrate": {
        "": {"schema_version", "command", "inputs", "status", "threshold", "low", "high", "confidence", "separated"},
        "inputs": {"runs", "activation", "sigma_w", "sigma_b", "angle", "data", "cut", "seed"},
        "status": {"code", "messages"},
    },
    "check": {
        "": {"schema_version", "command", "inputs", "status", "predicted", "measured", "z_scores", "agrees"}
        | {"first_departure"},
        **{
            table: {"log_sin2", "variance", "sparsity", "log_grad_norm2"}
            for table in ("predicted", "measured", "z_scores")
        },
        "inputs": {"network", "activation", "sigma_w", "sigma_b", "angle", "data", "seeds", "seed", "device"},
        "status": {"code", "messages"},
    },
    "geodesic": {
        "": {"schema_version", "command", "inputs", "status", "action", "objective", "action_error", "hamiltonian"}
        | {"hamiltonian_drift", "rank_like", "p", "cost_of_identity", "kinetic", "cost_of_identity_gamma", "rank"}
        | {"bottleneck", "is_minimum", "critical_points", "residual"},
        "inputs": {"X", "Y", "effective_depth", "activation", "bias", "gamma", "terminal_weight", "starts", "seed"}
        | {"workers", "layers", "out"},
        "bottleneck": {"rank", "start", "end", "reason"},
        "status": {"code", "messages"},
    },
}


@pytest.fixture(autouse=True)
def matrices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in a folder with the ends of a path (X.npy, Y.npy), runs (runs.csv) and a module (net.py)."""
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", [[0.9, -0.3], [0.2, 0.8]])
    np.save("Y.npy", [[0.3, 0.6], [-0.4, 0.5]])
    runs = {"64,64x4,10": 0.97, "64,64x8,10": 0.95, "64,64x64,10": 0.3, "64,16x64,10": 0.1}
    lines = [f'"{name}",{accuracy}' for name, accuracy in runs.items()]
    (tmp_path / "runs.csv").write_text("\n".join(["architecture,accuracy", *lines, *lines]))
    network = "nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))"
    (tmp_path / "net.py").write_text(f"from torch import nn\ndef make(): return {network}\n")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    streams = capsys.readouterr()
    return code, streams.out, streams.err


@pytest.mark.parametrize("command", COMMANDS)
def test_json_has_the_fixed_keys_and_fits_its_schema(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    if command in NEED_TORCH:
        pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")
    code, out, err = call(capsys, command, *COMMANDS[command], "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out, parse_constant=pytest.fail)
    jsonschema.validate(answer, SCHEMAS[command])
    assert (answer["schema_version"], answer["command"]) == (1, command)
    for place, keys in KEYS[command].items():
        assert keys <= set(answer[place] if place else answer)


@pytest.mark.parametrize("command", COMMANDS)
def test_schema_and_cite_answer(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "schema", command)
    assert code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(out))
    code, out, _ = call(capsys, "cite", command)
    assert code == 0
    assert out.count("@") >= len(REFERENCES[command])


@pytest.mark.parametrize("command", COMMANDS)
def test_schema_rejects_an_object_with_a_key_missing(command: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema_version": 1, "command": command}, SCHEMAS[command])


def test_every_reference_has_an_entry() -> None:
    assert {key for keys in REFERENCES.values() for key in keys} == set(BIBTEX)
    assert set(REFERENCES) == set(SCHEMAS) == set(COMMANDS)


def test_depth_arrays_have_one_entry_a_layer(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "depth", "784,64,32x6,10", "--json")
    answer = json.loads(out)
    for name, values in (*answer["finite"].items(), *answer["infinite"].items()):
        if isinstance(values, list):
            assert len(values) == 7, name


def test_geodesic_arrays_have_one_entry_a_node(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "geodesic", *COMMANDS["geodesic"], "--json")
    answer = json.loads(out)
    for name in ("cost_of_identity", "cost_of_identity_gamma", "kinetic", "rank"):
        assert len(answer[name]) == len(answer["p"]), name
    assert (answer["p"][0], answer["p"][-1]) == (0.0, 1.0)
    assert {"action", "hamiltonian", "rank_like", "kind"} <= set(answer["critical_points"][0])


def test_depth_prints_one_object_a_line_for_several_networks(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "depth", "784,16x2,10", "784,32x2,10", "--json")
    assert code == 0
    assert [json.loads(line)["inputs"]["architecture"] for line in out.splitlines()] == ["784,16x2,10", "784,32x2,10"]


def test_inputs_hold_every_option_with_its_resolved_value(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "depth", "784,16x2,10", "--activation", "leaky_relu:0.5", "--samples", "100", "--json")
    inputs = json.loads(out)["inputs"]
    assert inputs["sigma_w"] == pytest.approx((2 / 1.25) ** 0.5, rel=1e-15)
    assert inputs["method"] == "chain"
    assert inputs["angle"] == np.pi / 2
    expected = {"architecture", "activation", "sigma_w", "sigma_b", "angle", "data", "centre", "threshold"}
    assert set(inputs) == expected | {"confidence", "method", "seed", "samples", "weights"}


@pytest.mark.parametrize(
    ("name", "variance"), [("relu", 2.0), ("abs", 1.0), ("identity", 1.0), ("prelu:0.3", 2 / 1.09), ("tanh", None)]
)
def test_every_command_has_a_default_for_the_same_activations(
    capsys: pytest.CaptureFixture[str], name: str, variance: float | None
) -> None:
    """σ_w² = 2/(a² + b²) for slopes a, b; where there is none, both say how to find a value."""
    for command in (["maps", name], ["depth", "3,8x2,1", "--activation", name, "--samples", "20"]):
        code, out, err = call(capsys, *command, "--json")
        if variance is None:
            assert (code, out) == (2, "")
            assert "--sigma-w is missing" in err
            assert "gpdeep eoc tanh" in err
        else:
            assert code == 0
            # one root and one square
            assert json.loads(out)["inputs"]["sigma_w"] ** 2 == pytest.approx(variance, rel=1e-15)


def test_data_give_a_summary_of_their_angles(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn", reason="the data extra is not installed")
    _, out, _ = call(capsys, "depth", "64,32x3,10", "--data", "digits", "--json")
    angle = json.loads(out)["initial_angle"]
    assert angle["pairs"] == 2000
    _, out, _ = call(capsys, "depth", "64,32x3,10", "--data", "digits", "--no-centre", "--json")
    assert json.loads(out)["initial_angle"]["mean"] < angle["mean"] - 0.5  # raw images live in one orthant


def test_unknown_width_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "depth", "784,?x10,10", "--json")
    assert code == 0
    assert json.loads(out)["width"] > 1


def test_torch_module_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="the torch extra is not installed")
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\nfrom torch import nn\n"
        "def make():\n"
        "    torch.manual_seed(0)\n"
        "    net = nn.Sequential(nn.Linear(30, 24, bias=False), nn.ReLU(), nn.Linear(24, 20, bias=False), nn.ReLU(),\n"
        "                        nn.Linear(20, 3, bias=False))\n"
        "    for p in net.parameters():\n"
        "        nn.init.normal_(p, 0, (2 / p.shape[1]) ** 0.5)\n"
        "    return net\n"
    )
    code, out, err = call(capsys, "depth", f"{file}:make", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["inputs"]["architecture"] == "30,24,20,3"
    assert call(capsys, "depth", f"{file}:make", "--sigma-w", "1")[0] == 2
    file.write_text("from torch import nn\nnet = nn.Sequential(nn.Linear(30, 90), nn.ReLU(), nn.Linear(90, 3))\n")
    code, out, _ = call(capsys, "depth", f"{file}:net", "--samples", "50", "--json")
    answer = json.loads(out)
    assert code == 3  # torch's default weights are uniform: right to O(1/n) only, and said so
    assert "uniform" in answer["status"]["messages"][0]
    assert answer["inputs"]["sigma_w"] == pytest.approx(3**-0.5, rel=0.05)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, []),
        (2, ["nothing"]),
        (2, ["depth"]),
        (2, ["depth", "784,10"]),
        (2, ["depth", "784,0,10"]),
        (2, ["depth", "784,4,10", "--bogus"]),
        (2, ["depth", "784,4,10", "--angle", "wide"]),
        (2, ["depth", "784,4,10", "--angle", "90"]),
        (2, ["depth", "784,4,10", "--angle", "0"]),
        (2, ["depth", "784,4,10", "--angle", "nan"]),
        (2, ["depth", "784,4,10", "--activation", "tanh"]),
        (2, ["depth", "784,4,10", "--activation", "nope", "--sigma-w", "1"]),
        (2, ["depth", "784,4,10", "--sigma-w", "-1"]),
        (2, ["depth", "784,4,10", "--sigma-b", "-1"]),
        (2, ["depth", "784,4,10", "--confidence", "90"]),
        (2, ["depth", "784,4,10", "--threshold", "nan"]),
        (2, ["depth", "784,4,10", "--method", "guess"]),
        (2, ["depth", "784,4,10", "--samples", "0"]),
        (2, ["depth", "784,4,10", "--seed", "-1"]),
        (2, ["depth", "784,4,10", "--data", "no/such/folder"]),
        (2, ["depth", "784,4,10", "--angle", "1", "--data", "digits"]),
        (2, ["depth", "784,4,10", "--data", "digits"]),
        (2, ["depth", "784,4,10", "784,5,10", "--plot", "x.png"]),
        (2, ["depth", "784,4,10", "--plot", "x.xyz"]),
        (2, ["depth", "784,res(4x2,alpha=1,beta=1),10", "--method", "grid"]),
        (2, ["depth", "784,4,10", "--sigma-b", "1", "--method", "grid"]),
        (2, ["depth", "no_such.py:make"]),
        (1, ["depth", "784,?x70,10"]),
        (2, ["depth", "784,8,10", "--plot", "no/such/folder/x.png"]),
        (1, ["depth", "784,4,10", "--samples", "900000000"]),
        (2, ["clip"]),
        (2, ["clip", "nope", "--sparsity", "0.8", "--slope", "0.5"]),
        (2, ["clip", "crelu:1,1", "--slope", "0.5"]),
        (2, ["clip", "relu_tau", "--sparsity", "0.8", "--slope", "0.5"]),
        (2, ["clip", "crelu", "--slope", "0.5"]),
        (2, ["clip", "crelu", "--sparsity", "0.8"]),
        (2, ["clip", "crelu", "--sparsity", "85", "--slope", "0.5"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--slope", "nan"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--tau", "1", "--slope", "0.5"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--slope", "0.5", "--m", "1"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--slope", "0.5", "--width", "100"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--width", "0", "--depth", "100"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--slope", "0.5", "--q", "0"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--slope", "0.5", "--p-fail", "2"]),
        (2, ["clip", "crelu", "--sparsity", "0.8", "--slope", "0.5", "--plot", "x.xyz"]),
        (1, ["clip", "crelu", "--sparsity", "0.8", "--slope", "1"]),
        (1, ["clip", "crelu", "--sparsity", "1", "--slope", "0.5"]),
        (1, ["clip", "crelu", "--sparsity", "0", "--slope", "0.5"]),
        (1, ["clip", "crelu", "--tau", "-0.5", "--m", "2"]),
        (2, ["geodesic"]),
        (2, ["geodesic", "X.npy", "Y.npy"]),
        (2, ["geodesic", "X.npy", "--effective-depth", "3"]),
        (2, ["geodesic", "X.npy", "none.npy", "--effective-depth", "3"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "0"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "nan"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--activation", "nope"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--bias", "-1"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--gamma", "inf"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--terminal-weight", "0"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--starts", "0"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--workers", "0"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--seed", "-1"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--layers", "20"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--layers", "3", "--out", "n.npz"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--out", "n.txt"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--out", "no/such/n.npz"]),
        (2, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "3", "--plot", "x.xyz"]),
        (1, ["geodesic", "X.npy", "Y.npy", "--effective-depth", "1e6", "--activation", "tanh", "--starts", "1"]),
        (2, ["maps"]),
        (2, ["maps", "nope", "--sigma-w", "1"]),
        (2, ["maps", "crelu:1", "--sigma-w", "1"]),
        (2, ["maps", "tanh"]),
        (2, ["maps", "tanh", "--sigma-w", "0"]),
        (2, ["maps", "tanh", "--sigma-w", "nan"]),
        (2, ["maps", "tanh", "--sigma-w", "1", "--sigma-b", "-1"]),
        (2, ["maps", "tanh", "--sigma-w", "1", "--q", "0"]),
        (2, ["maps", "tanh", "--sigma-w", "1", "--factor", "-6"]),
        (2, ["maps", "tanh", "--sigma-w", "1", "--beta", "0"]),
        (2, ["maps", "tanh", "--sigma-w", "1", "--alpha", "inf"]),
        (2, ["maps", "tanh", "--sigma-w", "1", "--plot", "x.xyz"]),
        (2, ["eoc"]),
        (2, ["eoc", "tanh"]),
        (2, ["eoc", "tanh", "--q", "1", "--sigma-b", "0.1"]),
        (2, ["eoc", "tanh", "--q", "-1"]),
        (2, ["eoc", "tanh", "--sigma-b", "nan"]),
        (2, ["eoc", "nope", "--q", "1"]),
        (2, ["eoc", "tanh", "--q", "1", "--plot", "no/such/folder/x.png"]),
        (1, ["eoc", "relu", "--sigma-b", "0.1"]),
        (1, ["eoc", "tanh", "--q", "1", "--alpha", "1"]),
        (2, ["schema", "nothing"]),
        (2, ["cite", "nothing"]),
    ],
)
def test_refusals_leave_stdout_empty_and_say_three_things(
    code: int, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if any(".py:" in argument for argument in arguments):
        pytest.importorskip("torch", reason="the torch extra is not installed")
    got, out, err = call(capsys, *arguments)
    assert (got, out) == (code, "")
    assert "likely cause:" in err
    assert "to change:" in err
    assert "Traceback" not in err


def test_missing_sigma_points_at_the_command_that_finds_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "gpdeep eoc" in call(capsys, "depth", "784,4,10", "--activation", "tanh")[2]


def test_answer_outside_validity_is_given_with_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "depth", "784,16x2,10", "--method", "closure", "--json")
    assert code == 3
    assert json.loads(out)["status"]["code"] == "outside_validity"


def test_no_survivors_is_an_answer_with_nulls_and_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "depth", "784,1x4,10", "--json")
    assert code == 3
    answer = json.loads(out)
    assert answer["finite"]["survival"] == [0.0] * 4
    assert answer["finite"]["log_sin2_mean"] == [None] * 4
    assert answer["degeneracy_depth"]["finite"] == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_plot_is_written(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="the plot extra is not installed")
    if command in NEED_TORCH:
        pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")
    code, out, err = call(capsys, command, *COMMANDS[command], "--plot", str(tmp_path / "x.png"))
    assert (code, err) == (0, "")
    assert out
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", ["depth", "check"])
@pytest.mark.parametrize("text", ["net.py", "file.txt:make", "folder:make", "models/net"])
def test_the_form_of_ones_own_network_is_told(command: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, command, text)
    assert (code, out) == (2, "")
    assert "FILE.py:FACTORY" in err


def test_an_answer_that_has_nowhere_to_go_is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run(["depth", "784,16x5,10"]) == 1
    assert "output is closed" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from gpdeep import __version__

    assert call(capsys, "--version") == (0, f"{__version__}\n", "")


def test_terminal_without_greek_letters_and_closed_pipe_give_no_traceback() -> None:
    command = [sys.executable, "-m", "gpdeep", "depth", "784,16x5,10"]
    ascii_only = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    run_ascii = subprocess.run(command, capture_output=True, env=ascii_only, check=False)
    assert (run_ascii.returncode, run_ascii.stderr) == (0, b"")
    pipe = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    pipe.stdout.close()
    assert b"Traceback" not in pipe.stderr.read()
    pipe.stderr.close()
    pipe.wait()
