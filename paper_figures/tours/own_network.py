r"""Does any of that hold for a network that I train? A module of one's own: checked, trained, and used to predict.

    python paper_figures/tours/own_network.py            a good minute on one core
    python paper_figures/tours/own_network.py --quick    fewer and shorter trainings; some seconds

`Net` is the network and `fit` the training loop of a user who knows nothing of this package. The walk: `checked`, does
its initialisation do what theory predicts, with He's weights, LeCun's, and those that PyTorch gives unasked; `probed`,
what training has done to one of its networks, layer by layer; `recorded`, runs at several depths, written to a file as
anyone would who keeps a list; `calibrate`, at which ln sin²θ these runs stop to train, which is a number of this task,
this loop and this patience; `foretold`, what that says of another width, before it is trained; `tested`, what becomes
of it. The rival is the rule of thumb that needs no theory: networks train up to the depth at which they did before.
At infinite width it would be right.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gpdeep
from gpdeep import predict_depth
from gpdeep.data import LabelledSplit, load_labelled
from gpdeep.depth import Calibration, calibrate, read_runs
from gpdeep.nn import ProbeReport
from gpdeep.result import Result, render_table, shown_layers

BATCH, RATE, FURTHEST, CHECKED = 64, 0.03, 100, 64  # samples, rate, layers looked ahead, width that is checked


class Net(nn.Module):  # type: ignore[misc]
    """A user's network: `depth` hidden layers and one activation for all of them.

    The output layer follows the same rule: gradients that are checked come through it.
    """

    def __init__(self, features: int, width: int, depth: int, classes: int, rule: str = "he") -> None:
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(features if k == 0 else width, width) for k in range(depth)])
        self.act = nn.ReLU()
        self.head = nn.Linear(width, classes)
        for layer in (*self.hidden, self.head) if rule != "pytorch" else ():
            nn.init.normal_(layer.weight, std=math.sqrt((2 if rule == "he" else 1) / layer.in_features))
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        for layer in self.hidden:
            x = self.act(layer(x))
        return self.head(x)


def fit(net: nn.Module, data: LabelledSplit, steps: int, seed: int) -> float:
    """A user's training loop, plain SGD; the accuracy on test samples, that of naming one class where it diverged."""
    x, y = torch.tensor(data.train_x, dtype=torch.float32), torch.tensor(data.train_y)
    rng = np.random.default_rng([seed, 1])
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    for _ in range(steps):
        drawn = torch.from_numpy(rng.integers(len(x), size=BATCH))
        loss = nn.functional.cross_entropy(net(x[drawn]), y[drawn])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = net(torch.tensor(data.test_x, dtype=torch.float32)).argmax(dim=1).numpy()
    return float((found == data.test_y).mean())


@dataclass(frozen=True)
class Plan:
    """What is run."""

    width: int
    depths: tuple[int, ...]
    new_width: int
    seeds: int
    steps: int
    checked: int  # layers of the network that is checked
    initialisations: int
    samples: int  # networks of the prediction


FULL = Plan(16, (4, 8, 12, 16, 20, 26, 34), 48, 5, 300, 12, 8, 2000)
QUICK = Plan(12, (3, 8, 16), 48, 2, 150, 6, 5, 400)


@dataclass(frozen=True)
class Checked:
    """A verdict: whose weights they are, what was predicted, and where the two part."""

    rule: str
    sigma_w: float
    sigma_b: float
    agrees: bool
    first_departure: int | None
    departing: tuple[str, ...]
    last_variance: float
    predicted_variance: float
    log_sin2: float
    predicted_log_sin2: float


@dataclass(frozen=True)
class Tested:
    """A depth of the new width: what was predicted, and the accuracies of its runs."""

    depth: int
    log_sin2: float
    chance_to_train: float
    accuracies: tuple[float, ...]
    trained: int


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnNetworkTour(Result):
    """All numbers of the walk; `rival` and `found` are depths, of the runs and of the new width."""

    options: dict[str, Any]
    checks: tuple[Checked, ...]
    runs: tuple[tuple[str, float], ...]
    calibration: Calibration
    new: str
    predicted_depth: int
    rival: int
    tested: tuple[Tested, ...]
    brier: float
    rival_brier: float


def text_of(data: LabelledSplit, width: int, depth: int) -> str:
    """The architecture as the package writes it."""
    return f"{data.train_x.shape[1]},{width}x{depth},{data.classes}"


def made(data: LabelledSplit, width: int, depth: int, rule: str, seed: int) -> Net:
    """A network of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Net(data.train_x.shape[1], width, depth, data.classes, rule)


def checked(data: LabelledSplit, plan: Plan) -> list[Checked]:
    """Step 1: three rules against He's prediction, and the two others against their own."""
    own = 1 / math.sqrt(3), 1 / math.sqrt(3 * CHECKED)  # uniform in ±1/√n, weights and biases alike
    asked = [("he", math.sqrt(2), 0.0), ("lecun", math.sqrt(2), 0.0), ("pytorch", math.sqrt(2), 0.0)]
    asked += [("lecun", 1.0, 0.0), ("pytorch", *own)]
    found = []
    for rule, sigma_w, sigma_b in asked:
        report = gpdeep.nn.check(
            partial(Net, data.train_x.shape[1], CHECKED, plan.checked, data.classes, rule),
            sigma_w=sigma_w,
            sigma_b=sigma_b,
            data=data.train_x,
            seeds=plan.initialisations,
            samples=plan.samples,
            label=f"Net with the weights of {rule}",
        )
        seen, told = report.measured, report.predicted
        verdict = report.agrees, report.first_departure, report.departing
        last = seen.variance[-1], told.variance[-1], seen.log_sin2[-1], told.log_sin2[-1]
        found.append(Checked(rule, sigma_w, sigma_b, *verdict, *map(float, last)))
    return found


def check_table(found: Sequence[Checked], depth: int) -> str:
    """Step 1 in print."""
    columns = [
        "weights",
        "predicted σ_w",
        "σ_b",
        f"variance in layer {depth}",
        "predicted",
        "ln sin²θ",
        "predicted",
        "",
    ]
    rows = []
    for c in found:
        verdict = "agrees" if c.agrees else f"departs at layer {c.first_departure}: {', '.join(c.departing)}"
        row = [c.rule, f"{c.sigma_w:.4f}", f"{c.sigma_b:.4f}", f"{c.last_variance:.3g}", f"{c.predicted_variance:.3g}"]
        rows.append([*row, f"{c.log_sin2:.3f}", f"{c.predicted_log_sin2:.3f}", verdict])
    return render_table("", columns, rows)


def probe_table(before: ProbeReport, after: ProbeReport) -> str:
    """Step 2 in print."""
    columns = ["layer", "q", "theory", "trained", "zeros", "theory", "trained", "ln|g|²", "theory", "trained"]
    rows = []
    for k in (layer - 1 for layer in shown_layers(len(before.q))):
        row = [str(k + 1), f"{before.q[k]:.3f}", f"{before.predicted_q[k]:.3f}", f"{after.q[k]:.3f}"]
        row += [f"{before.sparsity[k]:.3f}", f"{before.predicted_sparsity[k]:.3f}", f"{after.sparsity[k]:.3f}"]
        row += [f"{before.log_grad_norm2[k]:.2f}", f"{before.predicted_log_grad_norm2[k]:.2f}"]
        rows.append([*row, f"{after.log_grad_norm2[k]:.2f}"])
    return render_table("", columns, rows)


def recorded(data: LabelledSplit, plan: Plan, path: Path) -> tuple[list[str], list[float]]:
    """Step 3: train, write the list, and read it as anyone's list is read."""
    with path.open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file)
        sheet.writerow(["architecture", "accuracy"])
        for depth in plan.depths:
            for seed in range(plan.seeds):
                reached = fit(made(data, plan.width, depth, "he", seed), data, plan.steps, seed)
                sheet.writerow([text_of(data, plan.width, depth), f"{reached:.4f}"])
    return read_runs(path)


def chance_to_train(found: Calibration, log_sin2: float) -> float:
    """What the runs say of a network with this mean of ln sin²θ in its last layer."""
    return float(1 / (1 + np.exp(-np.clip((log_sin2 - found.threshold) / found.scale, -500, 500))))


def depth_of(data: LabelledSplit, width: int, threshold: float) -> int:
    """The degeneracy depth of a width for a threshold: half of all networks are above it; from 1."""
    prediction = predict_depth(text_of(data, width, FURTHEST), data=data.train_x, threshold=threshold)
    return max(prediction.degeneracy_depth.finite or 0, 1)


def deepest_trained(plan: Plan, found: Calibration) -> int:
    """The rival: the largest depth at which half of the runs trained; the runs are those of `recorded`, in order."""
    shares = found.trained.reshape(len(plan.depths), plan.seeds).mean(axis=1)
    return max((depth for depth, share in zip(plan.depths, shares, strict=True) if share >= 0.5), default=0)


def tested(data: LabelledSplit, plan: Plan, found: Calibration, depths: Sequence[int]) -> list[Tested]:
    """Step 5: networks of the new width; a run counts as trained by the same accuracy as before."""
    cells = []
    for depth in depths:
        accuracies = [fit(made(data, plan.new_width, depth, "he", s), data, plan.steps, s) for s in range(plan.seeds)]
        trained = sum(value >= found.options["cut"] for value in accuracies)
        x = float(predict_depth(text_of(data, plan.new_width, depth), data=data.train_x).law.mean[-1])
        cells.append(Tested(depth, x, chance_to_train(found, x), tuple(accuracies), trained))
    return cells


def tested_table(cells: Sequence[Tested], rival: int) -> str:
    """Step 5 in print."""
    columns = ["depth", "ln sin²θ", "chance to train", "rival", "trained", "accuracies"]
    rows = []
    for c in cells:
        row = [str(c.depth), f"{c.log_sin2:.2f}", f"{c.chance_to_train:.2f}", f"{float(c.depth <= rival):.0f}"]
        rows.append([*row, f"{c.trained} of {len(c.accuracies)}", " ".join(f"{value:.2f}" for value in c.accuracies)])
    return render_table("", columns, rows)


def brier(cells: Sequence[Tested], chances: Sequence[float]) -> float:
    """Mean of (chance - outcome)² over runs: 0 for a prophet, 1/4 for a coin."""
    shares = np.array([c.trained / len(c.accuracies) for c in cells])
    p = np.array(chances)
    return float(np.mean(shares * (1 - p) ** 2 + (1 - shares) * p**2))


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="digits", help="digits, or a folder of idx files such as Fashion-MNIST's")
    parser.add_argument("--runs", type=Path, metavar="FILE.csv", help="where the list of runs is kept (nowhere)")
    parser.add_argument("--quick", action="store_true", help="three depths, two seeds, 150 steps")
    parser.add_argument("--json", action="store_true", help="print the numbers and nothing else")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers there as well")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> OwnNetworkTour:
    """The walk: prints as it goes, and returns its numbers."""
    options = parsed(argv)
    say: Callable[[str], None] = (lambda text: None) if options.json else (lambda text: print(text + "\n", flush=True))
    torch.set_num_threads(1)
    plan = QUICK if options.quick else FULL
    data = load_labelled(options.data).prepared()

    checks = tuple(checked(data, plan))
    say(
        f"1. CHECK: {plan.initialisations} networks of {plan.checked} layers of width {CHECKED} beside theory\n"
        f"{check_table(checks, plan.checked)}"
    )

    net = made(data, CHECKED, plan.checked, "he", 0)
    before = gpdeep.nn.probe(net, data.test_x, sigma_w=math.sqrt(2))
    reached = fit(net, data, plan.steps, 0)
    after = gpdeep.nn.probe(net, data.test_x)
    say(f"2. PROBE: one of them before and after training to {reached:.3f}\n{probe_table(before, after)}")

    with tempfile.TemporaryDirectory() as folder:
        path = options.runs or Path(folder) / "runs.csv"
        names, accuracies = recorded(data, plan, path)
    found = calibrate(names, accuracies, data=data.train_x)
    say(
        f"3. RUNS: width {plan.width}, {plan.steps} steps of {BATCH} samples, learning rate {RATE:g}; and CALIBRATION: "
        f"trained is from {found.options['cut']:.3f} on\n{found}"
    )

    ends = [found.threshold if end is None else end for end in (found.high, found.low)]
    foretold, low, high = (depth_of(data, plan.new_width, threshold) for threshold in (found.threshold, *ends))
    rival = deepest_trained(plan, found)
    new = text_of(data, plan.new_width, foretold)
    say(
        f"4. PREDICTION for the width {plan.new_width}: half of the networks train at {foretold} layers; {low} to "
        f"{high} by the interval of the threshold.\n   The rival says {rival}, as at width {plan.width}."
    )

    depths = {max(rival, 1), foretold, min(2 * foretold, FURTHEST)}
    depths |= set() if options.quick else {max(foretold // 2, 1), (rival + foretold) // 2}
    cells = tested(data, plan, found, sorted(depths))
    scores = brier(cells, [c.chance_to_train for c in cells]), brier(cells, [float(c.depth <= rival) for c in cells])
    say(f"5. TEST: {new} and other depths\n{tested_table(cells, rival)}")
    share = next(c for c in cells if c.depth == foretold)
    say(
        f"   At {foretold} layers {share.trained} of {plan.seeds} train, {share.chance_to_train:.2f} of them foretold. "
        f"Mean squared error of the chances {scores[0]:.3f}, of the rival {scores[1]:.3f}; a coin has 0.25."
    )

    tour = OwnNetworkTour(
        options={name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        checks=checks,
        runs=tuple(zip(names, accuracies, strict=True)),
        calibration=found,
        new=new,
        predicted_depth=foretold,
        rival=rival,
        tested=tuple(cells),
        brier=scores[0],
        rival_brier=scores[1],
    )
    written = json.dumps(tour.to_dict(), allow_nan=False)
    if options.json:
        print(written)
    if options.out is not None:
        options.out.write_text(written + "\n")
    return tour


if __name__ == "__main__":
    main()
