"""A deep network in which 85 % of all activations are zero, and which trains: the walk from theory to accuracy.

    python paper_figures/tours/sparse.py            some two and a half minutes on one core
    python paper_figures/tours/sparse.py --quick    the same walk in a quarter of a minute; less is learnt

A shifted ReLU, max(x - τ, 0), with τ = 1.04 standard deviations of its input is zero for 85 % of them. On the edge of
chaos, where gradients neither vanish nor explode, it cannot keep its variance: V(q) ≥ q with equality at q* alone, so
whatever noise pushes above q* escapes (`gpdeep.sparse.instability`). Clipped at the right level, min(max(x - τ, 0), m),
it can: V'(q*) < 1 while χ₁ = 1 (Price, Daultry Ball, Lam, Jones & Tanner 2024, arXiv:2402.16184). The walk has four
steps: `chosen`, a clip level for width 300 and 30 layers; `network`, the torch model with these weights; `initialised`,
does it have the variances and zeros that theory says; `trained`, does it learn, and what becomes of the same network
without the clip.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

import gpdeep
from gpdeep.data import LabelledSplit, load_labelled
from gpdeep.result import FloatArray, Result, render_table, shown_layers
from gpdeep.sparse import Design, EscapeProbability, Instability, escape_probability, instability

SPARSITY, WIDTH, DEPTH, DEEPER = 0.85, 300, 30, 100
BATCH, LEARNING_RATE = 64, 0.02
MEASURED = 360  # at most so many test samples are looked at inside a network: all there are of the digits


@dataclass(frozen=True)
class Compared:
    """One quantity in every layer of N networks: mean and scatter, measured and predicted; arrays of shape (L,).

    z is in predicted standard errors, σ/√N. The sample are the networks and not the inputs, which share the weights. A
    mean over inputs has the expectation of one input and at most its standard deviation, which is the predicted one.
    """

    mean: FloatArray
    std: FloatArray
    predicted_mean: FloatArray
    predicted_std: FloatArray
    z: FloatArray

    @classmethod
    def of(cls, measured: FloatArray, mean: FloatArray, std: FloatArray) -> Compared:
        """From what was measured, shape (N, L), and the law of one network."""
        found = measured.mean(axis=0)
        scatter = measured.std(axis=0, ddof=1) if len(measured) > 1 else np.full_like(found, np.nan)
        return cls(found, scatter, mean, std, (found - mean) / std * math.sqrt(len(measured)))


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes
    ----------
    seed : int
    q_median, q_mean : float
        q of the last hidden layer before training, over inputs: the median is that of a typical one, and the mean,
        after an escape, that of the largest.
    broken_at : int or None
        The step, from 1, whose loss is not finite any more; None where all are.
    train, test : float
        Accuracy. A network of NaN calls everything the first class.
    zeros : float
        Fraction of exact zeros after training, over all hidden layers; NaN where broken.
    """

    seed: int
    q_median: float
    q_mean: float
    broken_at: int | None
    train: float
    test: float
    zeros: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseTour(Result):
    """All numbers of the walk; `escaped` and `runs` by activation: crelu, and relu_tau and st, which have no clip."""

    options: dict[str, Any]
    design: dict[str, Any]
    q: Compared
    sparsity: Compared
    deep_q: tuple[float, float]
    escaped: dict[str, float]
    chance: float
    runs: dict[str, tuple[Run, ...]]


def chosen() -> Design:
    """Step 1, the design: the largest slope V'(q*) whose variance is safe at this width and depth.

    Why crelu, and no slope of our own? Test accuracies measured with the recipe of `trained` on the digits, five seeds:

        crelu   V' = 0.6    0.80 0.69 0.76 0.82 0.66
                     0.7    0.86 0.82 0.83 0.84 0.81
                     0.8    0.84 0.87 0.88 0.88 0.88
                     0.85   0.86 0.88 0.84 0.85 0.85
        cst     V' = 0.7    0.79 0.68 0.79 0.86 0.84
                     0.8    0.85 0.72 0.09 0.87 0.09

    The smaller the slope, the more units are clipped and the fewer pass a gradient. The largest safe one, 0.8, is what
    `design` chooses; beyond it nothing is gained, and 2 % of the networks escape. cst at 0.8 stands next to its fold at
    0.84, from where on it has a second stable variance: the two trainings that failed had gone there, with 40 % zeros.
    """
    return gpdeep.sparse.design("crelu", SPARSITY, width=WIDTH, depth=DEPTH)


def network(law: Design | Instability, features: int, classes: int, seed: int) -> nn.Sequential:
    """Step 2, the model: DEPTH hidden layers of WIDTH units, all weights drawn from `law`.

    Inputs are to have the mean square `law.input_second_moment`: then every input has the variance q* in the first
    layer, exactly. Equal seeds give equal random numbers, whichever the law that scales them.
    """
    layers: list[nn.Module] = []
    for inputs in [features] + [WIDTH] * (DEPTH - 1):
        layers += [nn.Linear(inputs, WIDTH), gpdeep.nn.module_of(law.phi)]
    return gpdeep.nn.initialize(nn.Sequential(*layers, nn.Linear(WIDTH, classes)), law, rng=seed)


def initialised(law: Design, data: LabelledSplit, networks: int) -> tuple[Compared, Compared]:
    """Step 3, before training: variance q^l and fraction of zeros in every layer, over random networks.

    Theory follows the variance K^l that the weights of layer l give each of its units (`design.escape`: a Markov
    chain, exact at this width, K¹ = q*). Measured is the mean square of n units, K^l χ²_n/n, which scatters more:
    its variance is var K + 2 E K²/n.
    """
    x = torch.tensor(data.test_x[:MEASURED], dtype=torch.float32)
    reports = [gpdeep.nn.probe(network(law, x.shape[1], data.classes, seed), x) for seed in range(networks)]
    chain = law.escape
    assert chain is not None  # width and depth were given
    q_std = np.sqrt(chain.q_std**2 + 2 / WIDTH * (chain.q_mean**2 + chain.q_std**2))
    q = Compared.of(np.array([report.q for report in reports]), chain.q_mean, q_std)
    zeros = np.array([report.sparsity for report in reports])
    return q, Compared.of(zeros, chain.sparsity_mean, chain.sparsity_std)


def deeper(law: Design | Instability) -> EscapeProbability:
    """The variance through 100 layers, from theory alone.

    We do not train 100 layers here. Only n(1-s) = 45 of the 300 units are active at a time, and a network much deeper
    than that does not train in reach of a CPU, whatever its variance: its inputs become indistinguishable, and its
    gradients scatter over orders of magnitude.
    """
    return escape_probability(law.phi, sigma_w=law.sigma_w, sigma_b=law.sigma_b, width=WIDTH, depth=DEEPER, threshold=2)


def trained(law: Design | Instability, raw: LabelledSplit, seed: int, steps: int, learning_rate: float) -> Run:
    """Step 4, training: plain SGD, no momentum, no clipping of gradients, a learning rate that falls linearly to 0.

    One recipe for all activations; each has the weights and the length of inputs that its own theory wants.
    """
    data = raw.prepared(mean_square=law.input_second_moment)
    x, test_x = (torch.tensor(part, dtype=torch.float32) for part in (data.train_x, data.test_x))
    y, test_y = torch.tensor(data.train_y), torch.tensor(data.test_y)
    net = network(law, x.shape[1], data.classes, seed)
    before = gpdeep.nn.probe(net, test_x[:MEASURED])
    q = float(before.q_median[-1]), float(before.q[-1])
    broken_at = fit(net, x, y, steps, learning_rate, np.random.default_rng([seed, 1]))
    zeros = math.nan if broken_at else float(gpdeep.nn.probe(net, test_x[:MEASURED]).sparsity.mean())
    return Run(seed, *q, broken_at, accuracy(net, x, y), accuracy(net, test_x, test_y), zeros)


def fit(
    net: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int, learning_rate: float, rng: np.random.Generator
) -> int | None:
    """Train `net` in place. A loss that is not finite ends it, and its step is returned."""
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step in range(1, steps + 1):
        drawn = torch.from_numpy(rng.integers(len(x), size=BATCH))
        loss = nn.functional.cross_entropy(net(x[drawn]), y[drawn])
        if not loss.isfinite():
            return step
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return None


def accuracy(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """The fraction of samples whose largest output is the right one."""
    with torch.no_grad():
        return float((net(x).argmax(dim=1) == y).double().mean())


def initialisation_table(q: Compared, zeros: Compared, networks: int) -> str:
    """Step 3 in print: some of the layers, and what holds for all of them."""
    columns = ["layer", "q", "theory", "std", "theory", "z", "zeros", "theory", "std", "theory", "z"]
    rows = []
    for k in (layer - 1 for layer in shown_layers(len(q.mean))):
        row = [str(k + 1)]
        for found, digits, unit in ((q, 3, 1), (zeros, 2, 100)):
            values = (found.mean[k], found.predicted_mean[k], found.std[k], found.predicted_std[k])
            row += [*(f"{unit * value:.{digits}f}" for value in values), f"{found.z[k]:+.1f}"]
        rows.append(row)
    z, scatter = np.concatenate([q.z, zeros.z]), 100 * zeros.predicted_std
    notes = [
        f"zeros, all layers and networks: {100 * zeros.mean.mean():.2f} %; wanted {100 * SPARSITY:g} %",
        f"largest of {len(z)} |z|: {np.abs(z).max():.2f}",
        f"one layer of one network scatters by {scatter.min():.1f} to {scatter.max():.1f} points around its mean",
        "std: between networks; measured that of a mean over inputs, in theory that of one input, the upper bound",
    ]
    return render_table(f"{networks} networks before training (q; zeros in %)", columns, rows, notes)


def training_table(runs: Mapping[str, Sequence[Run]], chance: float) -> str:
    """Step 4 in print: every training, and for each activation the mean, the smallest and the largest accuracy."""
    columns = ["", "seed", "median q", "mean q", "loss finite", "train", "test", "zeros"]
    rows, notes = [], ["q: over inputs, last hidden layer, before training; zeros: after training", ""]
    for name, its_runs in runs.items():
        for run in its_runs:
            until = f"to step {run.broken_at - 1}" if run.broken_at else "always"
            row = [name, str(run.seed), f"{run.q_median:.3g}", f"{run.q_mean:.3g}", until]
            row += [f"{run.train:.3f}", f"{run.test:.3f}", "" if run.broken_at else f"{100 * run.zeros:.1f} %"]
            rows.append(row)
        test = [run.test for run in its_runs]
        finite = sum(run.broken_at is None for run in its_runs)
        notes.append(
            f"{name}: {finite} of {len(its_runs)} finite to the end; "
            f"test accuracy {np.mean(test):.3f} on average, from {min(test):.3f} to {max(test):.3f}"
        )
    return render_table("", columns, rows, [*notes, f"always the commonest class: {chance:.3f}"])


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options, every one resolved."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="digits", help="digits, or a folder of idx files such as Fashion-MNIST's")
    parser.add_argument("--networks", type=int, help="random networks to look at before training (20)")
    parser.add_argument("--seeds", type=int, help="trainings of each activation (5)")
    parser.add_argument("--steps", type=int, help="of a training (1200)")
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="of torch (1; two are 1.3 times as fast on idle cores, and 3 times slower beside one busy neighbour)",
    )
    parser.add_argument("--quick", action="store_true", help="6 networks, 1 seed, 200 steps, where not said otherwise")
    parser.add_argument("--json", action="store_true", help="print the numbers and nothing else")
    options = parser.parse_args(argv)
    for name, (usual, quick) in {"networks": (20, 6), "seeds": (5, 1), "steps": (1200, 200)}.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
        if getattr(options, name) < 1:
            parser.error(f"--{name} is a number from 1.")
    return options


def main(argv: Sequence[str] | None = None) -> SparseTour:
    """The walk: prints as it goes, and returns its numbers."""
    options = parsed(argv)
    say: Callable[[str], None] = (lambda text: None) if options.json else (lambda text: print(text + "\n", flush=True))
    torch.set_num_threads(options.threads)

    law = chosen()
    say(f"1. DESIGN: {100 * SPARSITY:g} % zeros, width {WIDTH}, {DEPTH} layers\n\n{law}")

    raw = load_labelled(options.data)
    data, features = raw.prepared(mean_square=law.input_second_moment), raw.train_x.shape[1]
    say(
        f"2. MODEL: {features} features, {DEPTH} x {WIDTH} units, {raw.classes} classes; {len(raw.train_x)} samples to "
        f"train on and {len(raw.test_x)} to test, of mean square {law.input_second_moment:.4f}"
    )

    q, zeros = initialised(law, data, options.networks)
    say(f"3. INITIALISATION: {initialisation_table(q, zeros, options.networks)}")

    laws: dict[str, Design | Instability] = {"crelu": law}
    laws |= {kind: instability(kind, SPARSITY) for kind in ("relu_tau", "st")}  # the same sparsity without a clip
    chains = {kind: deeper(one) for kind, one in laws.items()}
    escaped = {kind: float(chain.probability[-1]) for kind, chain in chains.items()}
    deep_q = float(chains["crelu"].q_mean[-1]), float(chains["crelu"].q_std[-1])
    say(
        f"   Through {DEEPER} layers theory has the variance {deep_q[0]:.3f} ± {deep_q[1]:.3f}. It passes 2 in "
        f"{100 * escaped['crelu']:.1f} % of the networks, without the clip in {100 * escaped['relu_tau']:.0f} % "
        f"(relu_tau) and {100 * escaped['st']:.0f} % (st).\n   So deep a network is not trained here: with n(1-s) = "
        f"{WIDTH * (1 - SPARSITY):.0f} active units, {DEEPER} layers do not train in reach of a CPU, whatever their "
        "variance."
    )

    recipe = options.steps, options.learning_rate
    runs = {
        kind: tuple(trained(one, raw, seed, *recipe) for seed in range(options.seeds)) for kind, one in laws.items()
    }
    chance = float(np.bincount(raw.test_y).max() / len(raw.test_y))
    say(
        f"4. TRAINING: plain SGD, {options.steps} steps of {BATCH} samples, learning rate {options.learning_rate:g} "
        f"falling to 0\n{training_table(runs, chance)}"
    )

    tour = SparseTour(
        options=vars(options),
        design=law.to_dict(),
        q=q,
        sparsity=zeros,
        deep_q=deep_q,
        escaped=escaped,
        chance=chance,
        runs=runs,
    )
    if options.json:
        print(json.dumps(tour.to_dict(), allow_nan=False))
    return tour


if __name__ == "__main__":
    main()
