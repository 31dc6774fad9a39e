"""Maps and kernels beside those of other packages, in one run on one machine. Run by

    python -m pytest tests/benchmarks --benchmark-enable -n 0 -s

Each peer lives in an environment of its own (tests/benchmarks/peers/*.txt say how to build it) and is run by the
interpreter that GPDEEP_NEURAL_TANGENTS_PYTHON or GPDEEP_DKS_PYTHON names; without it, its tests are skipped. Times are
the least of several repetitions, warm; CPU seconds count all threads. Errors are relative ones of 1 - c, which is what
deep layers leave of a correlation, against 28-digit references; of kernels, against mpmath at chosen entries.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

pytestmark = pytest.mark.benchmark_ratio

PEERS = Path(__file__).parent / "peers"
REFERENCE = json.loads((PEERS.parent.parent / "reference" / "thousand_layers.json").read_text())["values"]
DEPTH, CORRELATIONS = 1000, np.linspace(-1, 1, 1001)
KERNEL_DEPTH, KERNEL_INPUTS, FEATURES = 50, 1000, 32
KERNELS = {
    "relu": {"sigma_w2": 2.0, "sigma_b2": 0.0},
    "erf": {"sigma_w2": float(np.pi / 4 * 5**0.5), "sigma_b2": 0.1841396778074527535},
}


def ask(variable, script, task):
    """What the peer's `script` prints for `task`."""
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(f"{variable} does not name an interpreter: see {PEERS.name}/*.txt")
    done = subprocess.run(
        [interpreter, str(PEERS / script)],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def least(work, repetitions):
    """Least CPU and wall seconds, each over all repetitions."""
    cpu, wall = [], []
    for _ in range(repetitions):
        c, w = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return min(cpu), min(wall)


def map_error(phi, one_minus_c):
    """Largest relative error of 1 - c after all layers, over the correlations of the reference."""
    rows = REFERENCE[phi]["values"]
    exact = np.array([float(row["one_minus_c"][str(DEPTH)]) for row in rows])
    return float(np.max(np.abs(one_minus_c[[row["index"] for row in rows]] / exact - 1)))


# ------------------------------------------------------------------------------------ many layers


@pytest.fixture(scope="module")
def maps():
    """For each activation: the peer's seconds and error, and ours."""
    from gpdeep.meanfield import compile_map

    problems = [
        {"phi": phi} | {key: float(row[key]) for key in ("q", "sigma_w2", "sigma_b2")} for phi, row in REFERENCE.items()
    ]
    task = {"depth": DEPTH, "repetitions": 9, "correlations": CORRELATIONS.tolist(), "problems": problems}
    answers = ask("GPDEEP_NEURAL_TANGENTS_PYTHON", "neural_tangents_maps.py", task)
    theta = np.arccos(CORRELATIONS)
    table = {}
    print(f"\n{DEPTH} layers, {CORRELATIONS.size} correlations{'CPU s':>14}{'error':>10}{'build s':>10}")
    for problem in problems:
        phi, answer = problem["phi"], answers[problem["phi"]]
        for form, got in answer.items():
            got["error"] = map_error(phi, 1 - np.array(got.pop("c")))
            print(f"{phi:9} neural-tangents {form:10}{got['cpu']:10.4f}{got['error']:10.1e}")
        build = time.process_time()
        q, sigma_w, sigma_b = problem["q"], problem["sigma_w2"] ** 0.5, problem["sigma_b2"] ** 0.5
        one_layer = compile_map(phi, q=q, sigma_w=sigma_w, sigma_b=sigma_b)
        build = time.process_time() - build
        cpu, _ = least(lambda m=one_layer: m.iterate(theta, DEPTH), 9)
        error = map_error(phi, 2 * np.sin(one_layer.iterate(theta, DEPTH) / 2) ** 2)
        print(f"{phi:9} gpdeep {'':19}{cpu:10.4f}{error:10.1e}{build:10.3f}")
        table[phi] = answer | {"gpdeep": {"cpu": cpu, "error": error, "build": build}}
    return table


@pytest.mark.parametrize("phi", ["relu", "erf", "gelu"])
def test_a_thousand_layers_cost_no_more_than_a_compiled_loop_and_err_less(maps, phi):
    ours, theirs = maps[phi]["gpdeep"], maps[phi]["general"]
    assert ours["cpu"] <= 1.2 * theirs["cpu"]
    assert ours["error"] < theirs["error"]
    assert ours["error"] < 1e-11  # 1000 layers, each of a few units of rounding


@pytest.mark.parametrize("phi", ["tanh", "crelu:1,1"])
def test_quadrature_is_fifty_times_slower_and_wrong_where_ours_has_eleven_digits(maps, phi):
    ours, theirs = maps[phi]["gpdeep"], maps[phi]["shared"]
    assert theirs["cpu"] >= 50 * ours["cpu"]
    assert ours["error"] < 1e-11 < theirs["error"]


# ------------------------------------------------------------------------------------ kernels


def data(normalised):
    """Inputs of unequal length, or all of length √d."""
    x = np.random.default_rng(0).standard_normal((KERNEL_INPUTS, FEATURES))
    return x / np.linalg.norm(x, axis=1, keepdims=True) * FEATURES**0.5 if normalised else x


def exact_entry(phi, x, y, sigma_w2, sigma_b2):
    """One entry of the kernel at 40 digits, from the closed forms of Cho & Saul and of Williams."""
    with mp.workdps(40):
        w, b = mp.mpf(sigma_w2), mp.mpf(sigma_b2)

        def start(u, v):
            return w * mp.fdot(map(mp.mpf, u), map(mp.mpf, v)) / len(u) + b

        def expectation(k, q1, q2):
            if phi == "erf":
                return 2 / mp.pi * mp.asin(2 * k / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2)))
            size = mp.sqrt(q1 * q2)
            theta = mp.acos(k / size) if k < size else mp.mpf(0)
            return size / (2 * mp.pi) * (mp.sin(theta) + (mp.pi - theta) * mp.cos(theta))

        k, q1, q2 = start(x, y), start(x, x), start(y, y)
        for _ in range(KERNEL_DEPTH):
            k, q1, q2 = (w * expectation(*z) + b for z in ((k, q1, q2), (q1, q1, q1), (q2, q2, q2)))
        return float(k), float(mp.sqrt(q1 * q2))


@pytest.fixture(scope="module", params=["unequal", "normalised"])
def kernels(request, tmp_path_factory):
    from gpdeep.meanfield import nngp

    folder = tmp_path_factory.mktemp("kernels")
    x = data(request.param == "normalised")
    np.save(folder / "x.npy", x)
    problems = [{"phi": phi} | sigmas for phi, sigmas in KERNELS.items()]
    task = {"inputs": str(folder / "x.npy"), "depth": KERNEL_DEPTH, "repetitions": 7, "problems": problems}
    answers = ask("GPDEEP_NEURAL_TANGENTS_PYTHON", "neural_tangents_kernels.py", task | {"out": str(folder)})
    pairs = [(0, 1), (2, 3), (17, 900), (500, 501), (998, 999)]
    print(
        f"\nNNGP {KERNEL_INPUTS} x {KERNEL_INPUTS}, depth {KERNEL_DEPTH}, {request.param:12}"
        f"{'CPU s':>8}{'wall s':>8}{'error':>9}"
    )
    for phi, sigmas in KERNELS.items():
        settings = {"phi": phi, "depth": KERNEL_DEPTH}
        settings |= {"sigma_w": sigmas["sigma_w2"] ** 0.5, "sigma_b": sigmas["sigma_b2"] ** 0.5}
        ours = nngp(x, **settings)
        cpu, wall = least(lambda s=settings: nngp(x, **s), 7)
        exact = [exact_entry(phi, x[i].tolist(), x[j].tolist(), **sigmas) for i, j in pairs]
        theirs = np.load(folder / f"{phi}.npy")

        def error(kernel, exact=exact):
            return max(abs(kernel[i, j] - k) / size for (i, j), (k, size) in zip(pairs, exact, strict=True))

        for form in ("network", "loop"):
            answers[phi][form]["error"] = error(theirs)
        answers[phi]["gpdeep"] = {"cpu": cpu, "wall": wall, "error": error(ours)}
        for who, got in answers[phi].items():
            print(f"{phi:5} {who:35}{got['cpu']:8.3f}{got['wall']:8.3f}{got['error']:9.1e}")
    return answers


@pytest.mark.parametrize("phi", KERNELS)
def test_a_kernel_of_a_thousand_inputs_is_three_times_faster(kernels, phi):
    """Than the compiled `kernel_fn` of the network, warm, in CPU and in wall seconds."""
    ours, theirs = kernels[phi]["gpdeep"], kernels[phi]["network"]
    assert theirs["cpu"] >= 3 * ours["cpu"]
    assert theirs["wall"] >= 3 * ours["wall"]
    assert ours["error"] <= 1e-13


# ------------------------------------------------------------------------------------ dks, and networks themselves


def test_one_value_of_dks_costs_more_than_a_million_of_ours():
    """`dks.base` integrates each value anew, and across the kink of ReLU: 3e-10, where the closed form has 1e-16."""
    from gpdeep.meanfield import compile_map

    answers = ask("GPDEEP_DKS_PYTHON", "dks_maps.py", {"correlations": [0.25, 0.5], "phi": ["relu"]})
    one_layer = compile_map("relu", q=1.0, sigma_w=2**0.5)
    theta = np.arccos(CORRELATIONS)
    cpu, _ = least(lambda: one_layer.iterate(theta, DEPTH), 9)
    c = np.array([0.25, 0.5])
    exact = (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / np.pi
    dks_error = np.max(np.abs(np.array(answers["relu"]["c"]) - exact))
    our_error = np.max(np.abs(np.cos(one_layer.iterate(np.arccos(c), 1)) - exact))
    each = min(answers["relu"]["cpu"])
    print(
        f"\ndks: {each:.3f} CPU s a value of C, error {dks_error:.0e}; gpdeep: {cpu:.3f} for 1,001,000, {our_error:.0e}"
    )
    assert each > cpu
    assert our_error < 1e-14 < dks_error


def test_a_network_of_width_two_thousand_costs_more_and_knows_less():
    """One float32 network of 50 layers gives a kernel with an error of order √(depth/width), here above 1 %."""
    torch = pytest.importorskip("torch")
    from gpdeep.meanfield import nngp

    width, inputs = 2000, 100
    x = data(normalised=True)[:inputs]
    settings = {"phi": "relu", "depth": KERNEL_DEPTH, "sigma_w": 2**0.5}
    exact = nngp(x, **settings)
    generator = torch.Generator().manual_seed(0)

    def network():
        with torch.inference_mode():
            h = torch.from_numpy(x).float()
            for _ in range(KERNEL_DEPTH):
                weight = torch.randn(h.shape[1], width, generator=generator) * (2 / h.shape[1]) ** 0.5
                h = torch.relu(h @ weight)
            return (2 / width * h @ h.T).double().numpy()

    error = float(np.sqrt(np.mean((network() / exact - 1) ** 2)))
    brute, _ = least(network, 2)
    ours, _ = least(lambda: nngp(x, **settings), 5)
    print(f"\n{inputs} inputs, width {width}: {brute:.2f} CPU s a network, error {error:.0e}; gpdeep {ours:.4f} s")
    assert error > 0.01
    assert brute > 100 * ours
