r"""A leaky ResNet learns a function of two features, and at some depth its middle layers carry two dimensions.

    python paper_figures/tours/bottleneck.py            one to two minutes on one core
    python paper_figures/tours/bottleneck.py --quick    half the samples and layers, to depth 3: some seconds

The teacher squeezes 10 inputs through 2 numbers and makes 10 outputs of them. Networks of width 30 learn it at
effective depths L̃ = 1, 3, 7 and 14, each continued from the one before, with λ = L̃/1000, and each trained until its
weights are stationary to 1e-6: before that, energies of layers mean nothing. Read off are

    -2H/L̃       from the energy, median over the layers: raw, and without the first order of what finite steps add;
    min COI_γ    the least cost of identity of a layer, γ 1e-2 and 1e-4 times the largest eigenvalue of the kernel;
    r_W          the number of large singular values of W/L̃, by the median over the narrow stretch.

-2H/L̃ rises to the rank of the bottleneck from below, the least COI_γ falls to it from above (A. Jacot and A. Kaiser
2024, arXiv:2405.17573). At small depth kinetic energy dominates, and -2H/L̃ is negative: it is no rank there.

The minima are local ones, a few among many. Objectives of other seeds at L̃ = 1 scatter by one per cent; what is read
off at depths 7 and 14 by some per cent.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpdeep.leaky.bottleneck import Bottleneck, read_bottleneck
from gpdeep.leaky.network_continuation import continue_network
from gpdeep.leaky.network_newton import train_network
from gpdeep.leaky.network_result import NetworkSolution
from gpdeep.result import FloatArray, Result, render_table

WIDTH, FEATURES, HIDDEN, SAMPLES = 30, 10, 2, 60
DEPTHS = {1.0: 24, 3.0: 24, 7.0: 24, 14.0: 40}  # and how many layers
QUICK = {1.0: 12, 3.0: 12}
SHARPNESS, WEIGHT = 20.0, 1e-3  # of the rounded ReLU; λ = 1e-3 L̃


@dataclass(frozen=True)
class Task:
    """Inputs and targets, columns are samples; the embedding of the inputs and the projection to the outputs."""

    train: tuple[FloatArray, FloatArray]
    test: tuple[FloatArray, FloatArray]
    read_in: FloatArray
    read_out: FloatArray


@dataclass(frozen=True)
class Row:
    """One network: what it took, and what is read off."""

    effective_depth: float
    layers: int
    objective: float
    raw: float
    corrected: float
    reading: Bottleneck
    singular_values: tuple[float, ...]
    train_error: float
    test_error: float
    residual: float
    iterations: int
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class BottleneckTour(Result):
    """All numbers of the walk."""

    options: dict[str, Any]
    rows: tuple[Row, ...]


def teacher(samples: int = SAMPLES, seed: int = 5) -> Task:
    """10 numbers to 2 to 10, by two random networks of one hidden layer of 40 ReLUs each, centred and scaled."""
    rng = np.random.default_rng(seed)
    inputs = x = rng.normal(size=(FEATURES, 2 * SAMPLES))
    for before, after in ((FEATURES, HIDDEN), (HIDDEN, FEATURES)):
        inner = rng.normal(size=(40, before)) / np.sqrt(before)
        bias = 0.5 * rng.normal(size=(40, 1))
        outer = rng.normal(size=(after, 40)) / np.sqrt(20)
        x = outer @ np.maximum(inner @ x + bias, 0.0)
        x = (x - x.mean(axis=1, keepdims=True)) / x.std()
    inputs = inputs / inputs.std()
    ends = np.random.default_rng(0)
    read_in, read_out = (np.linalg.qr(ends.normal(size=(WIDTH, FEATURES)))[0] for _ in range(2))
    return Task(
        train=(inputs[:, :samples], x[:, :samples]),
        test=(inputs[:, SAMPLES:], x[:, SAMPLES:]),
        read_in=read_in,
        read_out=read_out.T,
    )


def first(task: Task, depth: float, layers: int, seed: int) -> NetworkSolution:
    """The network that the others are continued from."""
    return train_network(
        *task.train,
        depth,
        terminal_weight=WEIGHT * depth,
        layers=layers,
        activation="relu",
        sharpness=SHARPNESS,
        read_in=task.read_in,
        read_out=task.read_out,
        rng=seed,
    )


def deeper(network: NetworkSolution, depth: float, layers: int) -> NetworkSolution:
    """The same network at a larger depth; where there are to be more layers, they come first."""
    rho = None if layers == len(network.rho) else np.full(layers, 1 / layers)
    return continue_network(network, depth, terminal_weight=WEIGHT * depth, rho=rho)


def read(task: Task, network: NetworkSolution, seconds: float) -> Row:
    """What a network shows: A_{l-1} and B_l belong to layer l."""
    depth = network.effective_depth
    nodes = np.cumsum(network.rho) - network.rho
    reading = read_bottleneck(
        nodes,
        network.A[:-1],
        network.B[1:],
        depth,
        activation=f"softplus:{SHARPNESS:g}",
        bias=network.options["bias"],
        hamiltonian=network.corrected_energies,
        weights=network.weights,
        residual=network.residual,
    )
    speed = np.linalg.norm(np.diff(network.A, axis=0), axis=(1, 2)) / network.rho
    sigma = np.linalg.svd(network.weights[int(np.argmin(speed))] / depth, compute_uv=False)
    errors = [float(np.mean(np.sum((network.outputs(x) - y) ** 2, axis=0))) for x, y in (task.train, task.test)]
    return Row(
        effective_depth=depth,
        layers=len(network.rho),
        objective=network.objective,
        raw=float(np.median(-2 * network.energies / depth)),
        corrected=network.rank_like,
        reading=reading,
        singular_values=tuple(sigma[:4].tolist()),
        train_error=errors[0],
        test_error=errors[1],
        residual=network.residual,
        iterations=network.iterations,
        seconds=seconds,
    )


def table(rows: Sequence[Row]) -> str:
    """One line a network."""
    columns = ["Lt", "L", "S + C/lambda", "-2H/Lt", "corrected", "COI 1e-2", "COI 1e-4", "r_W", "rank", "sigma(W/Lt)"]
    columns += ["train", "test", "residual", "iterations", "seconds"]
    lines = []
    for r in rows:
        line = [f"{r.effective_depth:g}", str(r.layers), f"{r.objective:.4f}", f"{r.raw:.3f}", f"{r.corrected:.3f}"]
        line += [f"{r.reading.coi_coarse:.3f}", f"{r.reading.coi_fine:.3f}", str(r.reading.r_W)]
        line += ["none" if r.reading.rank is None else str(r.reading.rank)]
        line += [" ".join(f"{x:.2g}" for x in r.singular_values), f"{r.train_error:.4f}", f"{r.test_error:.2f}"]
        lines.append([*line, f"{r.residual:.0e}", str(r.iterations), f"{r.seconds:.0f}"])
    notes = ["-2H/Lt: median over layers; COI: its minimum over layers; sigma: at the slowest layer, the first four"]
    notes += ["train, test: mean |error|² of a sample of 10 outputs of variance 1"]
    return render_table("A teacher with 2 hidden features", columns, lines, [*notes, *(r.reading.reason for r in rows)])


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights that training starts from (0)")
    parser.add_argument("--quick", action="store_true", help="30 samples and 12 layers, to depth 3")
    parser.add_argument("--json", action="store_true", help="print the numbers and nothing else")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> BottleneckTour:
    """The walk: prints as it goes, and returns its numbers."""
    options = parsed(argv)
    say: Callable[[str], None] = (lambda text: None) if options.json else (lambda text: print(text, flush=True))
    task = teacher(SAMPLES // 2 if options.quick else SAMPLES)
    network: NetworkSolution | None = None
    rows: list[Row] = []
    for depth, layers in (QUICK if options.quick else DEPTHS).items():
        begun = time.perf_counter()
        network = first(task, depth, layers, options.seed) if network is None else deeper(network, depth, layers)
        rows.append(read(task, network, time.perf_counter() - begun))
        say(f"depth {depth:g}: {network.iterations} iterations, residual {network.residual:.1e}")
    say("\n" + table(rows))
    tour = BottleneckTour(options=vars(options), rows=tuple(rows))
    if options.json:
        print(json.dumps(tour.to_dict(), allow_nan=False))
    return tour


if __name__ == "__main__":
    main()
