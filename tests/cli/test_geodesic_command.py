"""``gpdeep geodesic``: what it answers and writes, its exit codes, what it refuses, and how it is interrupted."""

import json
import math
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gpdeep.cli import run
from gpdeep.leaky import forward, geodesic, hamiltonian

MODULE = sys.modules["gpdeep.cli.geodesic"]  # `gpdeep.cli.geodesic` is the command
X = np.array([[0.9, -0.3, 0.4], [0.2, 0.8, -0.6], [-0.5, 0.1, 0.7]])
Y = np.array([[0.3, 0.6, -0.2], [-0.4, 0.5, 0.9], [0.8, -0.1, 0.4]])
QUICK = ["--effective-depth", "3", "--activation", "softplus:5", "--starts", "1"]
NUMBER = ["a.npy", "b.npy", "--activation", "identity", "--bias", "0"]


@pytest.fixture(autouse=True)
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with X.npy and Y.npy, and one number that is halved twice in a.npy and b.npy."""
    monkeypatch.chdir(tmp_path)
    for name, array in {"X": X, "Y": Y, "a": [[2.0]], "b": [[0.5]]}.items():
        np.save(f"{name}.npy", array)
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict, str]:
    code = run(["geodesic", *arguments, "--json"])
    streams = capsys.readouterr()
    return code, json.loads(streams.out, parse_constant=pytest.fail) if streams.out else {}, streams.err


def interrupted_at(number: int):
    """A progress bar at whose tick `number` somebody presses Ctrl-C."""

    @contextmanager
    def progress(title):
        def report(done, total):
            if done == number:
                raise KeyboardInterrupt

        yield report

    return progress


def test_answer_is_that_of_the_public_function(capsys: pytest.CaptureFixture[str]) -> None:
    code, found, err = call(capsys, "X.npy", "Y.npy", *QUICK)
    assert (code, err) == (0, "")
    answer = geodesic(X, Y, 3.0, activation="softplus:5", starts=1)
    expected = json.loads(json.dumps(answer.to_dict()))
    own = {"X": "X.npy", "Y": "Y.npy", "layers": len(answer.p) - 1, "out": None}
    assert found.pop("inputs") == own | expected.pop("inputs")
    assert found == expected


def test_inputs_hold_every_option_and_file(capsys: pytest.CaptureFixture[str]) -> None:
    options = {"bias": 0.5, "gamma": 1e-3, "terminal_weight": 0.02, "starts": 2, "seed": 3, "workers": 1, "layers": 17}
    arguments = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    _, found, _ = call(capsys, "X.npy", "Y.npy", *QUICK, *arguments, "--out", "n.npz")
    others = {"X": "X.npy", "Y": "Y.npy", "out": "n.npz", "activation": "softplus:5", "effective_depth": 3.0}
    assert {name: found["inputs"][name] for name in options | others} == options | others


def test_one_number_has_the_action_of_the_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    """A path from x to y has S = (ln(y/x) + L̃)²/2L̃ and -2H/L̃ = 1 - ln²(y/x)/L̃²."""
    code, found, _ = call(capsys, *NUMBER, "--effective-depth", "7")
    assert code == 0
    r = math.log(0.25)
    # solved to rtol = 1e-8
    assert found["action"] == pytest.approx((r + 7) ** 2 / 14, rel=1e-8)
    assert found["rank_like"] == pytest.approx(1 - r**2 / 49, rel=1e-8)
    assert found["bottleneck"]["rank"] == 1
    with pytest.raises(AssertionError):
        assert found["action"] == pytest.approx((r + 7) ** 2 / 7, rel=1e-8)


def test_terminal_cost_and_action_make_the_objective(capsys: pytest.CaptureFixture[str]) -> None:
    weight = ["--terminal-weight", "0.05", "--out", "n.npz"]
    code, found, _ = call(capsys, "X.npy", "Y.npy", *QUICK, *weight)
    assert code == 0
    end = np.load("n.npz")["A"][-1]
    cost = np.sum((Y - end) ** 2) / 3
    assert cost > 1e-4
    # sums of a few numbers of order 1
    assert found["objective"] == pytest.approx(cost + 0.05 * found["action"], rel=1e-12)


def test_written_network_follows_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    error = {}
    for layers in (40, 80, 160):
        code, found, _ = call(capsys, "X.npy", "Y.npy", *QUICK, "--out", "n.npz", "--layers", str(layers))
        assert code == 0
        with np.load("n.npz") as file:
            p, A, B, W, rho = (file[name] for name in ("p", "A", "B", "W", "rho"))
            assert len(file.files) == 5
        assert (p.shape, A.shape, B.shape) == ((layers + 1,), (layers + 1, 3, 3), (layers + 1, 3, 3))
        assert (W.shape, rho.shape) == ((layers, 3, 4), (layers,))
        np.testing.assert_array_equal(np.array([p[0], p[-1]]), [0, 1])
        np.testing.assert_allclose(np.diff(p), rho, rtol=0, atol=1e-15)  # sums of shares of 1
        assert (3 * rho < 1).all()
        # the ends are nodes of the path
        np.testing.assert_allclose(A[[0, -1]], [X, Y], rtol=0, atol=1e-14)
        energy = hamiltonian(A, B, 3.0, activation="softplus:5")
        # between nodes cubic interpolation in elements of 3/44: (3/44)⁴/384 = 6e-8 of fourth derivatives of order 10³
        np.testing.assert_allclose(energy, found["hamiltonian"], rtol=0, atol=1e-4)
        output = forward(X, W, rho, 3.0, activation="softplus:5")[-1]
        error[layers] = np.abs(output - Y).max()
    # first order: halved by every doubling, up to the second order, a quarter at 40 layers
    assert 1.6 < error[40] / error[80] < 2.5
    assert 1.7 < error[80] / error[160] < 2.3


def test_default_layers_are_short_enough_for_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    code, found, _ = call(capsys, *NUMBER, "--effective-depth", "200", "--out", "n.npz")
    assert code == 0
    assert found["inputs"]["layers"] >= max(200 / 0.95, len(found["p"]) - 1)
    with np.load("n.npz") as file:
        assert len(file["rho"]) == found["inputs"]["layers"]
        assert file["W"].shape[1:] == (1, 1)  # no column for a bias of 0
        assert (200 * file["rho"] < 1).all()


@pytest.mark.parametrize("dtype", ["float32", "int8", ">f8", "longdouble"])
def test_numbers_of_any_real_type_and_order_are_read(capsys: pytest.CaptureFixture[str], dtype: str) -> None:
    np.save("X.npy", np.asfortranarray(np.array([[2, 1], [0, 1]], dtype=dtype)))
    np.save("Y.npy", np.array([[1.0, 2.0], [1.0, 0.0]]))
    _, found, _ = call(capsys, "X.npy", "Y.npy", *QUICK)
    plain = geodesic([[2.0, 1.0], [0.0, 1.0]], np.load("Y.npy"), 3.0, activation="softplus:5", starts=1)
    assert found["action"] == plain.action


def bad_files() -> dict[str, bytes | np.ndarray]:
    whole = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), }" + b" " * 59 + b"\n"
    return {
        "row": np.ones(3),
        "cube": np.ones((2, 2, 2)),
        "number": np.array(1.0),
        "complex": X * 1j,
        "objects": np.array([[None, 1.0]], dtype=object),
        "truth": X > 0,
        "text": np.array([["a", "b"]]),
        "nan": np.full((3, 3), np.nan),
        "huge": 1e80 * X,
        "tall": np.ones((4, 3)),
        "transposed": np.ones((3, 4)),
        "no_samples": np.ones((3, 0)),
        "words": b"0.9 -0.3 0.4\n",
        "nothing": b"",
        "zip": b"PK\x03\x04 and so on",
        "cut": whole + bytes(64),
    }


@pytest.mark.parametrize("name", bad_files())
def test_files_that_hold_no_such_matrix_are_refused_in_three_parts(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    content = bad_files()[name]
    if isinstance(content, bytes):
        Path("bad.npy").write_bytes(content)
    else:
        np.save("bad.npy", content)
    for files in (["bad.npy", "Y.npy"], ["X.npy", "bad.npy"]):
        code, found, err = call(capsys, *files, *QUICK, "--out", "n.npz")
        assert (code, found) == (2, {})
        assert "likely cause:" in err
        assert "to change:" in err
    assert not Path("n.npz").exists()


@pytest.mark.parametrize("name", ["none.npy", ".", "no/such/X.npy"])
def test_files_that_are_not_there_are_named(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, _, err = call(capsys, "X.npy", name, *QUICK)
    assert code == 2
    assert name in err
    assert "likely cause:" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "n.npy"], "ends in '.npy'"),
        (["--out", "n"], "npz"),
        (["--out", "no/such/n.npz"], "folder"),
        (["--out", "folder.npz"], "folder"),
        (["--out", "n.npz", "--layers", "3"], "at least 4 layers"),
        (["--out", "n.npz", "--layers", "0"], "at least 4 layers"),
        (["--layers", "20"], "without --out"),
        (["--plot", "n.npz"], ".png"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    Path("folder.npz").mkdir()
    if "--plot" in arguments:
        pytest.importorskip("matplotlib", reason="the plot extra is not installed")
    code, _, err = call(capsys, "none.npy", "none.npy", *QUICK, *arguments)
    assert code == 2
    assert words in err
    assert "none.npy" not in err


def test_a_picture_without_matplotlib_is_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = call(capsys, "none.npy", "none.npy", *QUICK, "--plot", "x.png")
    assert code == 1
    assert "gpdeep[plot]" in err


def test_fewest_layers_that_are_accepted_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "X.npy", "Y.npy", *QUICK, "--out", "n.npz", "--layers", "4")[0] == 0
    assert len(np.load("n.npz")["rho"]) == 4


def test_no_path_leaves_no_file_and_an_old_one_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("X.npy", 1e6 * X)
    Path("old.npz").write_bytes(b"old")
    for name in ("n.npz", "old.npz"):
        code, found, err = call(capsys, "X.npy", "Y.npy", *QUICK, "--out", name)
        assert (code, found) == (1, {})
        assert "likely cause:" in err
    assert not Path("n.npz").exists()
    assert Path("old.npz").read_bytes() == b"old"
    assert not [file for file in Path().iterdir() if file.name.startswith(".")]


def test_table_reads_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["geodesic", "X.npy", "Y.npy", *QUICK]) == 0
    out = capsys.readouterr().out
    assert out.startswith("geodesic of softplus:5: 3 neurons, 3 samples")
    assert "action S = 6.1184555" in out


def test_interrupted_search_gives_the_best_path_so_far(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULE, "progress", interrupted_at(3))
    code, found, _ = call(capsys, "X.npy", "Y.npy", *QUICK[:4], "--out", "n.npz")
    assert code == 3
    assert found["status"]["code"] == "not_converged"
    assert "interrupted" in found["status"]["messages"][0]
    assert len(found["critical_points"]) == 1
    np.testing.assert_allclose(np.load("n.npz")["A"][-1], Y, rtol=0, atol=1e-14)


def test_interrupted_before_anything_was_found_writes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(job: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gpdeep.leaky.ladder.attempt", interrupted)
    code, found, err = call(capsys, "X.npy", "Y.npy", *QUICK[:4], "--out", "n.npz")
    assert (code, found) == (1, {})
    assert err.startswith("Interrupted")
    assert not Path("n.npz").exists()


TOLD = """
import sys
from contextlib import contextmanager
from gpdeep.cli import main

@contextmanager
def told(title):
    yield lambda done, total: print("tick", done, file=sys.stderr, flush=True)

sys.modules["gpdeep.cli.geodesic"].progress = told
main(sys.argv[1:])
"""


def heed_interrupts() -> None:
    """A shell's background job, in which tests may run, has them ignored, and so have its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_in_a_long_search_prints_and_writes_what_it_has() -> None:
    rng = np.random.default_rng(0)
    for name in "XY":
        np.save(f"{name}.npy", rng.normal(size=(4, 4)))
    options = ["--effective-depth", "7", "--activation", "softplus:5", "--json", "--out", "n.npz"]
    command = [sys.executable, "-c", TOLD, "geodesic", "X.npy", "Y.npy", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, preexec_fn=heed_interrupts, **pipes)
    assert process.stderr is not None
    for line in process.stderr:
        if line == "tick 4\n":
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=400)  # the path at hand is brought to its end
    assert process.returncode == 3
    assert "Traceback" not in err
    found = json.loads(out)
    assert "interrupted" in found["status"]["messages"][0]
    assert found["action"] > 0
    np.testing.assert_allclose(np.load("n.npz")["A"][0], np.load("X.npy"), rtol=0, atol=1e-14)
