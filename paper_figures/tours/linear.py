r"""How nonlinear is this network really, and how deep is what is left? A network loses its ReLUs one by one.

    python paper_figures/tours/linear.py            a minute and a half on one core
    python paper_figures/tours/linear.py --quick    a smaller network and fewer steps; some seconds

Twelve ReLU layers of width 32 learn the last figure of the sum of two handwritten digits, which no linear function of
the pixels gives. Then every channel gets a slope a of its own, max(x, 0) + a min(x, 0); the penalty ω √|1-a| pulls it
to 1, and a channel that arrives is linear for good (C. Mehmeti-Göpel and J. Disselhoff 2023, arXiv:2211.17180). The
walk: `sums`, the task; `trained`, one training, with the penalty in its first third (early), in its second (late), or
never; `left`, how many nonlinear units a path meets (the average path length), and how many ReLU layers they are worth
for the angle between two inputs (the degeneracy depth G); `angles`, that angle by theory, in random networks with the
same slopes, and in the trained one; `rewritten`, the network over its active units alone, and its linear layers merged,
each beside the original.

Which units survive is what training makes of it. At one ω early ends with less than late, so that accuracies are
compared at equal path length; and this is one seed of one recipe. In a chain without normalisation, as here, linear
channels also help to train; `python -m validation.nonlinear_advantage` compares ten seeds with batch normalisation,
where late is ahead.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gpdeep
from gpdeep.data import LabelledSplit, load_labelled
from gpdeep.linearize import ChainProfile, path_length, predict_angle, preserving_sigma_w
from gpdeep.result import FloatArray, Result, render_table, shown_layers

BATCH, RATE, CLIP, SLOPE_RATE, HOLD = (
    256,
    0.05,
    1.0,
    0.5,
    0.7,
)  # the rate is constant for 70 % of the steps, then falls to 0
TOO_SMALL = 0.002  # a penalty under which nothing arrives
NETWORKS, PAIRS = 40, 60  # in which angles are measured


@dataclass(frozen=True)
class Plan:
    """Network, length of training, and penalties."""

    layers: int
    width: int
    steps: int
    early: tuple[float, ...]  # at one ω it ends with less than late
    late: tuple[float, ...]  # the last network is looked into
    samples: int


FULL = Plan(12, 32, 1500, (0.008, 0.012), (0.012, 0.025, 0.05), 8000)
QUICK = Plan(6, 24, 400, (0.06,), (0.06,), 4000)


@dataclass(frozen=True)
class Run:
    """One training: what is left of the nonlinearity, and what it has learnt.

    Attributes
    ----------
    arm : str
        relu, linear, early or late.
    active : tuple of int
        Units that are not linear, by layer.
    path_length, degeneracy_depth : float
        Σ p_l and Σ g_l over the layers.
    """

    arm: str
    omega: float
    active: tuple[int, ...]
    path_length: float
    degeneracy_depth: float
    train: float
    test: float


@dataclass(frozen=True)
class Angles:
    """ln sin²θ by layer for two inputs at the angle theta0: by theory, in random networks, in the trained one."""

    theta0: float
    relu: FloatArray
    predicted: FloatArray
    std: FloatArray
    measured: FloatArray
    standard_error: FloatArray
    spread_evenly: float
    trained: FloatArray


@dataclass(frozen=True)
class Rewritten:
    """The two exact forms of what is left; errors are relative to the largest output."""

    core_error: float
    fold_error: float
    core_units: int
    core_layers: int
    parameters: tuple[int, int]
    fold_layers: tuple[int, int]
    multiplications: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearTour(Result):
    """All numbers of the walk; `slopes`, and path length and depth of the graph, are those of the late network."""

    options: dict[str, Any]
    warned: str
    runs: tuple[Run, ...]
    slopes: tuple[FloatArray, ...]
    graph_path_length: float
    graph_depth: float
    angles: Angles
    rewritten: Rewritten


def sums(raw: LabelledSplit, samples: int, seed: int) -> LabelledSplit:
    """Two images side by side, and the last figure of the sum of their labels; no image is in both parts."""
    rng, one = np.random.default_rng([seed, 7]), raw.prepared()
    parts = []
    for x, y, count in ((one.train_x, one.train_y, samples), (one.test_x, one.test_y, samples // 2)):
        pair = rng.integers(len(x), size=(count, 2))
        parts.append((np.concatenate([x[pair[:, 0]], x[pair[:, 1]]], axis=1), y[pair].sum(axis=1) % raw.classes))
    train, test = parts
    return LabelledSplit(*train, *test, raw.classes)


def network(plan: Plan, features: int, classes: int, seed: int, slope: float = 0.0) -> nn.Sequential:
    """A plain ReLU network without biases at the start; its weights keep the variance for activations of this slope."""
    sigma_w = preserving_sigma_w(slope)
    widths = [features] + [plan.width] * plan.layers
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts: list[nn.Module] = []
        for before, after in zip(widths, [*widths[1:], classes], strict=True):
            layer = nn.Linear(before, after)
            nn.init.normal_(layer.weight, std=(sigma_w if after == plan.width else 1.0) / math.sqrt(before))
            nn.init.zeros_(layer.bias)
            parts += [layer, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def window(arm: str, steps: int) -> tuple[float, float]:
    """Steps in which the penalty acts: a third of training, over before the rate falls."""
    start = {"early": 0, "late": steps // 3}.get(arm, steps)
    return start, start + steps // 3


def trained(plan: Plan, data: LabelledSplit, arm: str, omega: float, seed: int) -> tuple[nn.Module, Run]:
    """SGD with Nesterov's momentum; slopes have a rate of their own, and no momentum or decay."""
    slope = 1.0 if arm == "linear" else 0.0
    model = gpdeep.nn.replace_activations(network(plan, data.train_x.shape[1], data.classes, seed, slope)).model
    penalty = gpdeep.nn.LinearityPenalty(model)
    if arm == "linear":
        for part in penalty.modules.values():
            part.freeze(torch.ones(part.num_channels, dtype=torch.bool))
    if not omega:
        for slopes in penalty.parameters():
            slopes.requires_grad_(False)
    schedule = gpdeep.nn.LinearizeSchedule(omega, *window(arm, plan.steps))
    optimizer = torch.optim.SGD(
        penalty.groups(SLOPE_RATE, momentum=0.0, nesterov=False),
        lr=RATE,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
    )
    fall = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (1 - step / plan.steps) / (1 - HOLD)))
    x, y = torch.tensor(data.train_x, dtype=torch.float32), torch.tensor(data.train_y)
    rng = np.random.default_rng([seed, 1])
    for step in range(plan.steps):
        drawn = torch.from_numpy(rng.integers(len(x), size=BATCH))
        loss = nn.functional.cross_entropy(model(x[drawn]), y[drawn]) + schedule.weight(step) * penalty()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(penalty.groups(1.0)[0]["params"], CLIP)  # linear channels pass more than ReLUs did
        optimizer.step()
        schedule.after_step(step, penalty)
        fall.step()
    model.eval()
    units = gpdeep.nn.active_units(model)
    profile = ChainProfile.channels(units.slopes)
    accuracies = [accuracy(model, *part) for part in ((data.train_x, data.train_y), (data.test_x, data.test_y))]
    depths = profile.average_path_length, profile.degeneracy_depth
    return model, Run(arm, omega, tuple(units.active.tolist()), *depths, *accuracies)


def accuracy(model: nn.Module, x: FloatArray, y: Any) -> float:
    """The share of samples whose largest output is the right one."""
    with torch.no_grad():
        found = model(torch.tensor(x, dtype=torch.float32)).argmax(dim=1).numpy()
    return float((found == y).mean())


def angles(plan: Plan, model: nn.Module, data: LabelledSplit) -> Angles:
    """What the slopes of `model` do to the angle of two inputs, in networks whose weights are drawn anew and in itself.

    Weights of any variance will do: without biases angles do not depend on it. The trained network is looked at with
    its biases, on pairs of test samples; its first angles are theirs.
    """
    units = gpdeep.nn.active_units(model)
    profile, theta0 = ChainProfile.channels(units.slopes), math.pi / 2
    law = predict_angle(profile, theta0, width=plan.width)
    relu = predict_angle([1.0] * plan.layers, theta0, width=plan.width)
    even = predict_angle([profile.average_path_length / plan.layers] * plan.layers, theta0, width=plan.width)
    assert law.mean is not None  # a width was given
    assert law.std is not None
    assert relu.mean is not None
    assert even.mean is not None

    features = data.test_x.shape[1]
    random = copy.deepcopy(model).double()
    rng = np.random.default_rng(3)
    found = np.empty((NETWORKS, plan.layers))
    with torch.no_grad():
        for k in range(NETWORKS):
            for part in random.children():
                if isinstance(part, nn.Linear):
                    part.weight.copy_(
                        torch.from_numpy(rng.normal(size=part.weight.shape) / math.sqrt(part.in_features))
                    )
                    part.bias.zero_()
            found[k] = log_sin2(random, torch.eye(features, dtype=torch.float64)[:2]).mean(axis=1)
    pairs = torch.tensor(data.test_x[: 2 * PAIRS])
    return Angles(
        theta0,
        relu.mean,
        law.mean,
        law.std,
        found.mean(axis=0),
        found.std(axis=0, ddof=1) / math.sqrt(NETWORKS),
        float(even.mean[-1]),
        log_sin2(copy.deepcopy(model).double(), pairs).mean(axis=1),
    )


def log_sin2(model: nn.Module, x: torch.Tensor) -> FloatArray:
    """ln sin² of the angle between rows 0 and 1, 2 and 3, ... after each activation; shape (L, pairs)."""
    found = []
    with torch.no_grad():
        for part in list(model.children())[:-1]:
            x = part(x)
            if not isinstance(part, nn.Linear):
                unit = x / x.norm(dim=1, keepdim=True)
                u, v = unit[::2], unit[1::2]
                found.append(2 * torch.log((u - v).norm(dim=1) * (u + v).norm(dim=1) / 2))
    return np.array(torch.stack(found).numpy())


def rewritten(model: nn.Module, data: LabelledSplit) -> tuple[str, Rewritten]:
    """The core network and the folded one, in float64, and how far their outputs are from the original's."""
    exact = copy.deepcopy(model).double()
    x = torch.tensor(data.test_x)
    core = gpdeep.nn.core_network(exact)
    folded, report = gpdeep.nn.fold(exact, example=x)
    with torch.no_grad():
        y, merged = exact(x).numpy(), folded(x).numpy()
    scale = np.abs(y).max()
    layers = [sum(isinstance(part, nn.Linear) for part in net.modules()) for net in (exact, folded)]
    numbers = Rewritten(
        core_error=float(np.abs(core.evaluate(data.test_x) - y).max() / scale),
        fold_error=float(np.abs(merged - y).max() / scale),
        core_units=int(core.active.sum()),
        core_layers=int(np.count_nonzero(core.active)),
        parameters=(core.parameters_before, core.parameters_after),
        fold_layers=(layers[0], layers[1]),
        multiplications=(report.multiplications_before, report.multiplications_after),
    )
    return f"{core}\n\n{report}", numbers


def run_table(runs: Sequence[Run]) -> str:
    """One training a line."""
    columns = ["penalty", "ω", "path length", "G", "train", "test", "active units by layer"]
    rows = []
    for run in runs:
        row = [run.arm, f"{run.omega:g}" if run.omega else "", f"{run.path_length:.3f}", f"{run.degeneracy_depth:.3f}"]
        rows.append([*row, f"{run.train:.3f}", f"{run.test:.3f}", " ".join(map(str, run.active))])
    return render_table("", columns, rows)


def said_of_arms(runs: Sequence[Run]) -> str:
    """Early beside late, interpolated to the path length of each early network that lies among the late ones."""
    late = sorted((run.path_length, run.test) for run in runs if run.arm in ("late", "relu"))
    lengths, accuracies = zip(*late, strict=True)
    said = []
    for run in runs:
        if run.arm == "early" and run.path_length >= lengths[0]:
            other = float(np.interp(run.path_length, lengths, accuracies))
            said.append(f"at path length {run.path_length:.2f} early has {run.test:.3f} and late {other:.3f}")
    return "   Interpolated, " + "; ".join(said) + ". One seed." if said else ""


def angle_table(found: Angles) -> str:
    """Layers in print."""
    rows = []
    for layer in shown_layers(len(found.predicted)):
        k = layer - 1
        z = (found.measured[k] - found.predicted[k]) / found.standard_error[k]
        row = [f"{found.relu[k]:.3f}", f"{found.predicted[k]:.3f} ± {found.std[k]:.3f}", f"{found.measured[k]:.3f}"]
        rows.append([str(layer), *row, f"{z:+.1f}", f"{found.trained[k]:.3f}"])
    return render_table("", ["layer", "ReLU", "these slopes", "random", "z", "trained"], rows)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="digits", help="digits, or a folder of idx files such as MNIST's")
    parser.add_argument("--seed", type=int, default=0, help="of pairs, weights and batches (0)")
    parser.add_argument("--quick", action="store_true", help="6 layers of width 24, 400 steps, one penalty")
    parser.add_argument("--json", action="store_true", help="print the numbers and nothing else")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers there as well")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> LinearTour:
    """The walk: prints as it goes, and returns its numbers."""
    options = parsed(argv)
    say: Callable[[str], None] = (lambda text: None) if options.json else (lambda text: print(text + "\n", flush=True))
    torch.set_num_threads(1)
    plan = QUICK if options.quick else FULL
    data = sums(load_labelled(options.data), plan.samples, options.seed)
    features = data.train_x.shape[1]
    say(
        f"1. TASK: the last figure of the sum of two digits, {features} pixels; {len(data.train_x)} pairs to train on, "
        f"{len(data.test_x)} of other images to test"
    )

    replaced = gpdeep.nn.replace_activations(network(plan, features, data.classes, options.seed))
    say(f"2. SLOPES: {replaced}")
    start, stop = window("late", plan.steps)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        schedule = gpdeep.nn.LinearizeSchedule(TOO_SMALL, start, stop)
        schedule.check(gpdeep.nn.LinearityPenalty(replaced.model), lr=SLOPE_RATE)
    warned = "; ".join(str(one.message) for one in told)
    say(
        f"   A penalty of {TOO_SMALL:g} does nothing in the {stop - start:.0f} steps of a window, and says so before:\n"
        f"   {warned}"
    )

    asked = [("relu", 0.0), ("linear", 0.0), *(("early", omega) for omega in plan.early)]
    asked += [("late", omega) for omega in plan.late]
    results = [trained(plan, data, arm, omega, options.seed) for arm, omega in asked]
    runs, (late, last) = tuple(run for _, run in results), results[-1]
    relu, linear = runs[:2]
    say(f"3. TRAINING: {plan.steps} steps of {BATCH} samples\n{run_table(runs)}")
    say(
        f"   A linear network has {linear.test:.3f}, {plan.layers} ReLU layers {relu.test:.3f}. "
        f"{sum(last.active)} of {plan.layers * plan.width} units, a path length of {last.path_length:.2f}, still "
        f"have {last.test:.3f}.\n{said_of_arms(runs)}".rstrip()
    )

    units = gpdeep.nn.active_units(late)
    graph = gpdeep.nn.graph_of(late, (1, features))
    napl = path_length(graph, distribution=True)
    depth = path_length(graph, weight="variance", unit="g")
    say(
        f"4. WHAT IS LEFT of the late network, ω = {last.omega:g}\n{units}\n\n{napl}\n\n"
        f"   Degeneracy depth D = {depth.value:.4f}: for the angle of two inputs it is as deep as so many ReLU layers."
    )

    found = angles(plan, late, data)
    say(
        f"5. ANGLES: ln sin²θ of two inputs at a right angle; {NETWORKS} random networks with the slopes of step 4\n"
        f"{angle_table(found)}"
    )
    say(
        f"   The same path length spread evenly would have {found.spread_evenly:.3f}. The trained network, on pairs of "
        "test samples, is none of these:\n   theory speaks of its slopes, not of weights that have learnt."
    )

    text, numbers = rewritten(late, data)
    say(f"6. REWRITTEN, in float64\n{text}")
    say(
        f"   Outputs of {len(data.test_x)} samples differ by {numbers.core_error:.0e} (core) and "
        f"{numbers.fold_error:.0e} (folded) of the largest."
    )
    tour = LinearTour(
        options={name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        warned=warned,
        runs=runs,
        slopes=units.slopes,
        graph_path_length=napl.value,
        graph_depth=depth.value,
        angles=found,
        rewritten=numbers,
    )
    written = json.dumps(tour.to_dict(), allow_nan=False)
    if options.json:
        print(written)
    if options.out is not None:
        options.out.write_text(written + "\n")
    return tour


if __name__ == "__main__":
    main()
