r"""How deep can this network be? From the angles of the data to trained networks around the predicted depth.

    python paper_figures/tours/depth.py            a good minute on one core
    python paper_figures/tours/depth.py --quick    the same walk in ten seconds; fewer networks, and less is learnt

Two inputs at an angle θ come out of a random ReLU layer at a smaller one. At infinite width θ falls as 3π/depth, the
same for all architectures; at width n also by chance, and ln sin²θ loses another 2/n a layer (A. Jakub and M. Nica
2023, arXiv:2302.09712). Where it has sunk below -4 in half of all initialisations a network hardly tells its inputs
apart any more: the degeneracy depth. -4 is a rule of thumb for easy images, taken as it is and not fitted here. The
walk: `initial_angles`, what the data bring; `foretold`, the degeneracy depth of some widths; `at_start`, whether random
networks have these angles; `relu_cells`, networks trained at depths around it, and twenty layers at half, once and
twice the width that `find_width` gives; `tanh_cells`, the same question for tanh, on the edge of chaos and off it,
where the answer of infinite width is 6 ξ_c (S. Schoenholz et al. 2017, arXiv:1611.01232).

Each network is trained at several learning rates; which one counts is decided by the accuracy on training samples, the
mean over seeds. "Half of the accuracy" is half way between naming one class and the best network of the walk.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import gpdeep
from gpdeep import Architecture, find_width, meanfield, predict_depth
from gpdeep.data import LabelledSplit, load_labelled, pair_angles
from gpdeep.gaussian import angle_map
from gpdeep.result import FloatArray, IntArray, Result, render_table

LONGEST, PLAN, BATCH = (
    100,
    20,
    64,
)  # layers looked ahead; layers of the networks whose width is found; samples of a step
RATES, TANH_RATES = (0.01, 0.03, 0.1), (0.01, 0.05)
TANH_WIDTH, SIGMA_B, OFF_EDGE = 32, 0.05**0.5, (1.0, 2.5)
PAIRS, FAR = 200, 1e6


@dataclass(frozen=True)
class Foretold:
    """The degeneracy depth of one width, beside that of infinite width and of inputs that are not centred."""

    width: int
    finite: int
    infinite: int
    not_centred: int


@dataclass(frozen=True)
class Start:
    """ln sin²θ of random networks of one width after some layers; mean and standard error over networks."""

    width: int
    layers: tuple[int, ...]
    measured: FloatArray
    standard_error: FloatArray
    predicted: FloatArray
    infinite: FloatArray


@dataclass(frozen=True)
class Cell:
    """Networks of one width and depth, trained: accuracies on test samples, a seed each, at the best learning rate.

    Attributes
    ----------
    finite, infinite : float
        Mean of ln sin²θ after the last hidden layer at this width and at infinite width; NaN for tanh.
    trainable_depth : float
        6 ξ_c; NaN for ReLU.
    gradient, expected_gradient : float
        ln of |∂C/∂W|² of the second hidden layer over that of the last before training, the mean over members, and
        (L - 2) ln χ₁; NaN for ReLU.
    rate, train : float
        The learning rate, and the accuracy on training samples by which it was chosen.
    test : tuple of float
    """

    width: int
    depth: int
    sigma_w: float
    rate: float
    train: float
    test: tuple[float, ...]
    finite: float = math.nan
    infinite: float = math.nan
    trainable_depth: float = math.nan
    gradient: float = math.nan
    expected_gradient: float = math.nan

    @property
    def mean(self) -> float:
        """Test accuracy, the mean over seeds."""
        return float(np.mean(self.test))


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthTour(Result):
    """All numbers of the walk; `halves` the depths at which half of the accuracy is gone, by width and by σ_w."""

    options: dict[str, Any]
    angle: float
    raw_angle: float
    foretold: tuple[Foretold, ...]
    found_width: int
    start: Start
    relu: tuple[Cell, ...]
    planned: tuple[Cell, ...]
    tanh: tuple[Cell, ...]
    chance: float
    half: float
    halves: dict[str, float | None]


@dataclass(frozen=True)
class Plan:
    """What is trained, and how long."""

    depths: dict[int, tuple[int, ...]]  # by width
    tanh_depths: tuple[int, ...]
    seeds: int
    steps: int
    rates: tuple[float, ...]
    tanh_rates: tuple[float, ...]
    networks: int  # looked at before training


FULL = Plan({16: (5, 10, 15, 20, 30, 45), 32: (10, 20, 30, 40, 60)}, (10, 20, 30, 45), 4, 300, RATES, TANH_RATES, 200)
QUICK = Plan({16: (5, 15, 30)}, (8, 36), 2, 150, (0.03,), (0.05,), 60)


def foretold(data: LabelledSplit, width: int) -> Foretold:
    """The degeneracy depths of networks of `width`; the pairs of inputs are those of the training samples."""
    text = f"{data.train_x.shape[1]},{width}x{LONGEST},{data.classes}"
    centred, raw = (predict_depth(text, data=data.train_x, centre=centre).degeneracy_depth for centre in (True, False))
    assert centred.finite is not None  # the grid knows the probability
    assert raw.finite is not None
    return Foretold(width, centred.finite, centred.infinite, raw.finite)


def at_start(raw: LabelledSplit, width: int, depth: int, networks: int) -> Start:
    """Angles of random networks beside their law; the sample are the networks, since pairs share the weights.

    Means are over the pairs of which both are alive and apart, as those of the law.
    """
    x = raw.prepared().train_x
    rng = np.random.default_rng(0)
    pairs = np.array([rng.choice(len(x), 2, replace=False) for _ in range(PAIRS)])
    u, v = x[pairs[:, 0]], x[pairs[:, 1]]
    angles = theta = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))
    law, infinite = gpdeep.finite.angle_law([width] * depth, angles), []
    for _ in range(depth):
        theta = angle_map(theta)
        infinite.append(2 * np.log(np.sin(theta)).mean())

    ensemble = gpdeep.nn.Ensemble(f"{x.shape[1]},{width}x{depth},{raw.classes}", networks)
    seen = gpdeep.nn.ensemble_statistics(ensemble, x, pairs=pairs).log_sin2
    layers = tuple(sorted({1, 2, 5, depth // 2, depth}))
    here = np.array(layers) - 1
    each = np.nanmean(np.where(np.isfinite(seen), seen, np.nan), axis=2)[:, here]
    error = each.std(axis=0, ddof=1) / math.sqrt(networks)
    return Start(width, layers, each.mean(axis=0), error, law.mean[here], np.array(infinite)[here])


def trained(ensemble: gpdeep.nn.Ensemble, data: LabelledSplit, rates: FloatArray, steps: int) -> Any:
    """Plain SGD at a constant rate, which is the member's own."""
    test = data.test_x, data.test_y
    return gpdeep.nn.train_ensemble(ensemble, data.train_x, data.train_y, steps=steps, lr=rates, batch=BATCH, test=test)


def best(outcome: Any, mine: IntArray, rates: Sequence[float]) -> tuple[float, float, tuple[float, ...]]:
    """The rate with the largest training accuracy, that, and test accuracies; `mine` are members (rates, seeds)."""
    train, test = outcome.accuracy[mine], outcome.test_accuracy[mine]
    k = int(np.argmax(train.mean(axis=1)))
    return rates[k], float(train[k].mean()), tuple(test[k].tolist())


def relu_cell(raw: LabelledSplit, width: int, depth: int, plan: Plan) -> Cell:
    """One architecture, all seeds and learning rates as one program."""
    text = f"{raw.train_x.shape[1]},{width}x{depth},{raw.classes}"
    prediction = predict_depth(text, data=raw.train_x)
    R, S = len(plan.rates), plan.seeds
    ensemble = gpdeep.nn.Ensemble(text, R * S, seeds=list(range(S)) * R)
    outcome = trained(ensemble, raw.prepared(), np.repeat(plan.rates, S), plan.steps)
    rate, train, test = best(outcome, np.arange(R * S).reshape(R, S), plan.rates)
    finite, infinite = float(prediction.law.mean[-1]), float(prediction.infinite.log_sin2[-1])
    return Cell(width, depth, math.sqrt(2), rate, train, test, finite=finite, infinite=infinite)


def tanh_cells(raw: LabelledSplit, depth: int, plan: Plan) -> list[Cell]:
    """tanh on the edge of chaos and on both sides of it, each starting at its own q*."""
    sigmas = (OFF_EDGE[0], meanfield.edge_of_chaos("tanh", sigma_b=SIGMA_B).sigma_w, OFF_EDGE[1])
    laws = [meanfield.depth_scales("tanh", sigma_w=sigma, sigma_b=SIGMA_B) for sigma in sigmas]
    R, S = len(plan.tanh_rates), plan.seeds
    shape = len(sigmas), R, S
    ensemble = gpdeep.nn.Ensemble(
        f"{raw.train_x.shape[1]},{TANH_WIDTH}x{depth},{raw.classes}",
        math.prod(shape),
        activation="tanh",
        sigma_w=np.repeat(sigmas, R * S),
        sigma_b=SIGMA_B,
        first_sigma_w=np.repeat([math.sqrt(law.q_star - SIGMA_B**2) for law in laws], R * S),
        seeds=list(range(S)) * (len(sigmas) * R),
    )
    outcome = trained(ensemble, raw.prepared(), np.tile(np.repeat(plan.tanh_rates, S), len(sigmas)), plan.steps)
    norms = np.log(outcome.records[0].gradient_norms ** 2)
    cells = []
    for sigma, law, mine in zip(sigmas, laws, np.arange(math.prod(shape)).reshape(shape), strict=True):
        cell = Cell(
            TANH_WIDTH,
            depth,
            sigma,
            *best(outcome, mine, plan.tanh_rates),
            trainable_depth=law.trainable_depth,
            gradient=float((norms[mine.ravel(), 1] - norms[mine.ravel(), -2]).mean()),
            expected_gradient=(depth - 2) * math.log(law.chi_1),
        )
        cells.append(cell)
    return cells


def half_depth(cells: Sequence[Cell], half: float) -> float | None:
    """The depth at which the accuracy falls through `half`, between two cells; None where it does not."""
    for one, two in itertools.pairwise(cells):
        if one.mean >= half > two.mean:
            return one.depth + (two.depth - one.depth) * (one.mean - half) / (one.mean - two.mean)
    return None


def start_table(start: Start) -> str:
    """Step 3 in print."""
    rows = [
        [str(layer), f"{found:.3f} ± {error:.3f}", f"{law:.3f}", f"{infinite:.3f}", f"{(found - law) / error:+.1f}"]
        for layer, found, error, law, infinite in zip(
            start.layers, start.measured, start.standard_error, start.predicted, start.infinite, strict=True
        )
    ]
    return render_table("", ["layer", "ln sin²θ", f"width {start.width}", "infinite width", "z"], rows)


def cell_table(cells: Sequence[Cell]) -> str:
    """Trained networks, a line each."""
    tanh = not math.isnan(cells[0].gradient)
    columns = ["σ_w", "depth", "6 ξ_c", "gradient", "theory"] if tanh else ["width", "depth", "ln sin²θ", "infinite"]
    rows = []
    for c in cells:
        row = [f"{c.sigma_w:.3f}" if tanh else str(c.width), str(c.depth)]
        row += [_depth(c.trainable_depth), f"{c.gradient:.2f}", f"{c.expected_gradient + 0.0:.2f}"] if tanh else []
        row += [] if tanh else [f"{c.finite:.2f}", f"{c.infinite:.2f}"]
        rows.append([*row, f"{c.rate:g}", *(f"{a:.3f}" for a in (c.train, c.mean, min(c.test), max(c.test)))])
    return render_table("", [*columns, "rate", "train", "test", "least", "most"], rows)


def said_of_relu(cells: Sequence[Cell], law: Foretold, half: float) -> str:
    """Which prediction is nearer to what was found, by the ratio of depths."""
    found, where = half_depth(cells, half), f"   width {law.width}"
    told = f"predicted {law.finite} at this width, {law.infinite} at infinite width"
    if found is None:
        return f"{where}: the accuracy does not fall through {half:.2f} between the depths trained; {told}."
    off = {"this width": abs(math.log(found / law.finite)), "infinite width": abs(math.log(found / law.infinite))}
    nearer = min(off, key=lambda name: off[name])
    return (
        f"{where}: half of the accuracy is gone at depth {found:.1f}; {told}. "
        f"Nearer is {nearer}, off by a factor {math.exp(off[nearer]):.2f}."
    )


def said_of_planned(cells: Sequence[Cell], width: int, half: float) -> str:
    """From which of the widths on networks train."""
    enough = [cell.width for cell in cells if cell.mean >= half]
    if not enough:
        return f"None of them reaches half of the accuracy: {width} is too narrow."
    return f"From width {min(enough)} on they reach half of the accuracy; foretold was {width}."


def said_of_tanh(cells: Sequence[Cell], half: float) -> str:
    """What was found beside 6 ξ_c."""
    told, first, deepest, found = cells[0].trainable_depth, cells[0], cells[-1], half_depth(cells, half)
    here = f"   σ_w = {first.sigma_w:.3f}, 6 ξ_c = {_depth(told)}:"
    if found is not None:
        aside = f", {found / told:.2f} times that" if told < FAR else ": width and learning rate end it, not ξ_c"
        return f"{here} half of the accuracy is gone at depth {found:.1f}{aside}."
    if deepest.mean >= half:
        aside = ", against the prediction" if deepest.depth > 1.5 * told else ""
        return f"{here} {deepest.depth} layers still have {deepest.mean:.2f}{aside}."
    return f"{here} not even {first.depth} layers learn half of it, against the prediction."


def _depth(value: float) -> str:
    """On the edge ξ_c is infinite, or what rounding makes of that."""
    return f"{value:.0f}" if value < FAR else "∞"


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="digits", help="digits, or a folder of idx files such as Fashion-MNIST's")
    parser.add_argument("--quick", action="store_true", help="one width, two seeds, 150 steps")
    parser.add_argument("--json", action="store_true", help="print the numbers and nothing else")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers there as well")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> DepthTour:
    """The walk: prints as it goes, and returns its numbers."""
    options = parsed(argv)
    say: Callable[[str], None] = (lambda text: None) if options.json else (lambda text: print(text + "\n", flush=True))
    plan = QUICK if options.quick else FULL

    raw = load_labelled(options.data)
    features, classes = raw.train_x.shape[1], raw.classes
    angle, raw_angle = (pair_angles(raw.train_x, centre=centre).median for centre in (True, False))
    say(
        f"1. DATA: {len(raw.train_x)} samples of {features} features. The angle between two of them is {angle:.3f} rad "
        f"(median) seen from their mean, and {raw_angle:.3f} as stored."
    )

    laws = tuple(foretold(raw, width) for width in plan.depths)
    width = find_width(f"{features},?x{PLAN},{classes}", data=raw.train_x).width
    assert width is not None  # there was one to be found
    rows = [[str(one.width), str(one.finite), str(one.infinite), str(one.not_centred)] for one in laws]
    table = render_table("", ["width", "degeneracy depth", "infinite width", "as stored"], rows)
    say(
        f"2. PREDICTION: layers after which half of all networks have ln sin²θ ≥ -4\n{table}\n\n"
        f"   {PLAN} layers need the width {width}."
    )

    start = at_start(raw, laws[0].width, laws[0].finite, plan.networks)
    say(f"3. INITIALISATION: {plan.networks} random networks, mean over {PAIRS} pairs\n{start_table(start)}")

    relu = {width: [relu_cell(raw, width, depth, plan) for depth in depths] for width, depths in plan.depths.items()}
    planned = [relu_cell(raw, n, PLAN, plan) for n in (max(width // 2, 1), width, 2 * width)]
    chance = float(np.bincount(raw.test_y).max() / len(raw.test_y))
    half = 0.5 * (chance + max(cell.mean for cells in relu.values() for cell in cells))
    rates = ", ".join(f"{rate:g}" for rate in plan.rates)
    say(
        f"4. TRAINING: plain SGD, {plan.steps} steps of {BATCH} samples, {plan.seeds} seeds, best learning rate of "
        f"{rates}\n{cell_table([cell for cells in relu.values() for cell in cells])}\n\n"
        + "\n".join(said_of_relu(relu[law.width], law, half) for law in laws)
        + f"\n\n   {PLAN} layers at half, once and twice the width {width}:\n{cell_table(planned)}\n\n"
        f"   {said_of_planned(planned, width, half)}\n"
        f"   always the commonest class: {chance:.3f}; half of the accuracy: {half:.3f}. That networks fail at -4 is a "
        "rule of thumb: more steps or another optimiser move it."
    )

    by_sigma = list(zip(*(tanh_cells(raw, depth, plan) for depth in plan.tanh_depths), strict=True))
    tanh = tuple(cell for cells in by_sigma for cell in cells)
    text = f"{features},{TANH_WIDTH}x{plan.tanh_depths[-1]},{classes}"
    chaotic = Architecture.parse(text, phi="tanh", sigma_w=OFF_EDGE[1], sigma_b=SIGMA_B)
    apart = predict_depth(chaotic, data=raw.train_x, samples=500)
    say(
        f"5. TANH, width {TANH_WIDTH}, σ_b² = {SIGMA_B**2:g}; ln |∂C/∂W|², second hidden layer over last, and theory "
        f"(L-2) ln χ₁\n{cell_table(tanh)}\n\n"
        + "\n".join(said_of_tanh(cells, half) for cells in by_sigma)
        + f"\n   At σ_w = {OFF_EDGE[1]:g} angles say nothing: ln sin²θ is {apart.law.mean[-1]:.2f} in the last of "
        f"{plan.tanh_depths[-1]} layers. There it is the gradients that explode."
    )

    halves = {f"width {n}": half_depth(cells, half) for n, cells in relu.items()}
    halves |= {f"sigma_w {cells[0].sigma_w:.3f}": half_depth(cells, half) for cells in by_sigma}
    tour = DepthTour(
        options={name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        angle=angle,
        raw_angle=raw_angle,
        foretold=laws,
        found_width=width,
        start=start,
        relu=tuple(cell for cells in relu.values() for cell in cells),
        planned=tuple(planned),
        tanh=tanh,
        chance=chance,
        half=half,
        halves=halves,
    )
    written = json.dumps(tour.to_dict(), allow_nan=False)
    if options.json:
        print(written)
    if options.out is not None:
        options.out.write_text(written + "\n")
    return tour


if __name__ == "__main__":
    main()
