"""What becomes of sparse networks in training: which die, which learn, and whether they stay sparse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..claim import Claim, Kind, bar
from ..experiment import Settings
from ..specified_results import SpecifiedResults
from .grid import CLIPPED, SPARSITIES, UNCLIPPED, training_specifications
from .layers import layer_of, name_of

LEAST = {"plain": {0.7: 0.93, 0.8: 0.75, 0.85: 0.55}, "clip": {0.7: 0.97, 0.8: 0.95, 0.85: 0.65}}
DEAD_BY, SAME_SPARSITY, OWN_SPARSITY = 50, 0.04, 0.03
FAILS, TRAINS = 0.6, 0.85
_WORDS = {"plain": "plain SGD", "clip": "SGD with clipped gradients"}

_Runs = Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]


def training_claims(settings: Settings, known: SpecifiedResults) -> list[Claim]:
    """All claims for whose arms there are results."""
    every = [(s, known.get(s)) for s in training_specifications(settings)]
    runs = [(s, r) for s, r in every if r is not None]
    missing = len(every) - len(runs)
    if not runs:
        return []
    shapes = sorted({_shape(s) for s, _ in runs})
    found = []
    for shape in shapes:
        these = [(s, r) for s, r in runs if _shape(s) == shape]
        found += _asserted(these, missing) if shape == (200, 30) else [_table(these, f"E4.train.{shape[0]}x{shape[1]}")]
    return found


def _asserted(runs: _Runs, missing: int) -> list[Claim]:
    safe = _where(runs, kinds=CLIPPED, slope=0.7)
    found = [
        *_deaths(_where(runs, kinds=UNCLIPPED, how="plain")),
        *_alive(_where(safe, how="plain")),
        *(claim for how in LEAST for s in SPARSITIES for claim in _accuracies(runs, how, s)),
        *_sparsities(safe),
        *_fixed_points(runs),
        *_told(runs),
    ]
    return [*found, _table(runs, "E4.train.table", f"{missing} runs have no result.")]


def _deaths(runs: _Runs) -> list[Claim]:
    asserted = [(s, r) for s, r in runs if s["sparsity"] >= 0.8]
    if not asserted:
        return []
    share = float(np.mean([0 <= r["died_at"] <= DEAD_BY for _, r in asserted]))
    late = [(s, r) for s, r in asserted if not 0 <= r["died_at"] <= DEAD_BY]
    survived = "; ".join(
        f"{name_of(s)} seed {s['seed'][1]}, accuracy {r['train_accuracy']:.2f}, largest variance of an input before "
        f"training {_shown(r['initial_variance'][-1])}"
        for s, r in late
    )
    return [
        Claim(
            id="E4.plain.unclipped",
            kind=Kind.BAR,
            statement=f"Without a clip of the activation and s >= 0.8 plain SGD is not finite within {DEAD_BY} steps "
            "(share of runs)",
            source="gpdeep.sparse.instability",
            estimate=share,
            n=len(asserted),
            prediction=1.0,
            rival=0.0,
            rival_name="edge of chaos alone: chi_1 = 1 and q* = 1 as with the clip",
            verdict=bar(share, 1.0),
            limits="Plain SGD only: with clipped gradients these networks do train (E4.clip.unclipped). A network in "
            "which no input escapes within its 30 layers can stay finite; "
            + (f"so did {survived}." if late else "none did."),
            details={f"{name_of(s)} seed {s['seed'][1]}": r["died_at"] for s, r in runs},
        )
    ]


def _alive(runs: _Runs) -> list[Claim]:
    if not runs:
        return []
    share = float(np.mean([not r["diverged"] for _, r in runs]))
    return [
        Claim(
            id="E4.plain.finite",
            kind=Kind.BAR,
            statement="Clipped networks with V' = 0.7 stay finite under plain SGD (share of runs)",
            source="gpdeep.sparse.design",
            estimate=share,
            n=len(runs),
            prediction=1.0,
            verdict=bar(share, 1.0),
        )
    ]


def _accuracies(runs: _Runs, how: str, sparsity: float) -> list[Claim]:
    """The worse of CST and CReLU at V' = 0.7."""
    arms = {kind: _where(runs, kinds=(kind,), slope=0.7, how=how, sparsity=sparsity) for kind in CLIPPED}
    if not all(arms.values()):
        return []
    means = {kind: _mean(arm) for kind, arm in arms.items()}
    spread = {kind: means[kind][1] * math.sqrt(len(arm)) for kind, arm in arms.items()}
    kind = min(means, key=lambda name: means[name][0])
    least = LEAST[how][sparsity]
    free = [_mean(_where(runs, kinds=(name,), how=how, sparsity=sparsity))[0] for name in UNCLIPPED]
    return [
        Claim(
            id=f"E4.{how}.accuracy.{sparsity:g}",
            kind=Kind.BAR,
            statement=f"With V' = 0.7 and {sparsity:.0%} zeros both clipped kinds train by {_WORDS[how]} "
            "(mean train accuracy of the worse)",
            source="gpdeep.sparse.design",
            estimate=means[kind][0],
            standard_error=_known(means[kind][1]),
            n=len(arms[kind]),
            prediction=least,
            rival=_known(max(free)),
            rival_name="the better of the two without a clip" + (", chance where they died" if how == "plain" else ""),
            verdict=bar(means[kind][0], least),
            power=f"Seeds scatter by {spread['cst']:.2g} (CST) and {spread['crelu']:.2g} (CReLU).",
            limits="Depth 30 and width 200, so that at s = 0.85 as many units are active as there are layers: there "
            "some seeds train and others hardly do.",
            details={name: [r["train_accuracy"] for _, r in arm] for name, arm in arms.items()},
        )
    ]


def _sparsities(runs: _Runs) -> list[Claim]:
    if not runs:
        return []
    after = [abs(r["final_zeros"] - s["sparsity"]) for s, r in _where(runs, how="plain")]
    before = [abs(r["initial_zeros"] - s["sparsity"]) for s, r in _where(runs, how="plain")]  # the same in both
    found = []
    for name, off, most, words in (
        ("sparsity", after, SAME_SPARSITY, "after plain SGD, on the test samples"),
        ("own_init", before, OWN_SPARSITY, "before training"),
    ):
        if off:
            found.append(
                Claim(
                    id=f"E4.train.{name}",
                    kind=Kind.BAR,
                    statement=f"Clipped networks with V' = 0.7 have the designed share of zeros {words} (most off)",
                    source="gpdeep.sparse.design",
                    estimate=max(off),
                    n=len(off),
                    prediction=0.0,
                    truncation=most,
                    verdict=bar(max(off), most, at_most=True),
                )
            )
    return found


def _fixed_points(runs: _Runs) -> list[Claim]:
    """CST and CReLU with the same V' = 0.9 and s = 0.8: one has a second stable variance, the other has not."""
    found = []
    for how, words in _WORDS.items():
        arms = {kind: _where(runs, kinds=(kind,), slope=0.9, how=how, sparsity=0.8) for kind in CLIPPED}
        if not all(arms.values()):
            continue
        points = {kind: [1.0, *layer_of(arm[0][0]).other_fixed_points] for kind, arm in arms.items()}
        accuracies = {kind: [r["train_accuracy"] for _, r in arm] for kind, arm in arms.items()}
        (low, low_error), (high, high_error) = _mean(arms["cst"]), _mean(arms["crelu"])
        shared: dict[str, Any] = {
            "source": "gpdeep.sparse.design, fixed points of V",
            "details": {"fixed_points": points, "accuracy": accuracies},
            "rival_name": "V' = 0.9 alone, equal for both: the other kind's accuracy",
        }
        found += [
            Claim(
                id=f"E4.{how}.fixed_point.cst",
                kind=Kind.BAR,
                statement=f"CST at V' = 0.9, s = 0.8 has a second stable variance and does not train by {words}",
                estimate=low,
                standard_error=_known(low_error),
                n=len(arms["cst"]),
                prediction=FAILS,
                rival=high,
                verdict=bar(low, FAILS, at_most=True),
                **shared,
            ),
            Claim(
                id=f"E4.{how}.fixed_point.crelu",
                kind=Kind.BAR,
                statement=f"CReLU at V' = 0.9, s = 0.8 has q* = 1 alone and trains by {words}",
                estimate=high,
                standard_error=_known(high_error),
                n=len(arms["crelu"]),
                prediction=TRAINS,
                rival=low,
                verdict=bar(high, TRAINS),
                **shared,
            ),
            Claim(
                id=f"E4.{how}.fixed_point.control",
                kind=Kind.CONTROL,
                statement=f"The theory that V' alone decides, so that both train alike by {words}, is refused",
                source="the slope V'(q*) without the fixed points",
                estimate=high - low,
                standard_error=_known(math.hypot(low_error, high_error)),
                n=len(arms["cst"]) + len(arms["crelu"]),
                prediction=TRAINS - FAILS,
                verdict="REFUSED" if high - low >= TRAINS - FAILS else "NOT REFUSED",
            ),
        ]
    return found


def _told(runs: _Runs) -> list[Claim]:
    """Unclipped activations under clipped gradients, and where the variances of single inputs start."""
    free = _where(runs, kinds=UNCLIPPED, how="clip")
    found = []
    if free:
        mean, error = _mean(free)
        found.append(
            Claim(
                id="E4.clip.unclipped",
                kind=Kind.REPORT,
                statement="Train accuracy of activations without a clip under clipped gradients, over all arms",
                source="gpdeep.sparse.instability",
                estimate=mean,
                standard_error=_known(error),
                n=len(free),
                verdict="REPORTED",
                limits="That such networks cannot be trained is true of plain SGD and false of this.",
                details={
                    name_of(s): [r["train_accuracy"] for t, r in free if name_of(t) == name_of(s)] for s, _ in free
                },
            )
        )
    first = {name_of(s): r["initial_variance"] for s, r in reversed(_where(runs, how="plain")) if s["seed"][1] == 0}
    found.append(
        Claim(
            id="E4.train.variances",
            kind=Kind.REPORT,
            statement="Quantiles (5, 50, 95, 99, 100 %) over inputs of the last layer's variance before training",
            source="gpdeep.sparse.sample_variances",
            n=len(first),
            verdict="REPORTED",
            limits="One network an arm. Most inputs survive 30 layers even without a clip; a few explode.",
            details=first,
        )
    )
    return found


def _table(runs: _Runs, name: str, limits: str = "") -> Claim:
    """Every arm, its accuracies and what died."""
    rows: dict[str, Any] = {}
    for s, r in runs:
        row = rows.setdefault(
            f"{name_of(s)}, {_how(s)}", {"train": [], "test": [], "died_at": [], "zeros": [], "zeros_after": []}
        )
        row["train"].append(round(r["train_accuracy"], 4))
        row["test"].append(round(r["test_accuracy"], 4))
        row["died_at"].append(r["died_at"])
        row["zeros"].append(round(r["initial_zeros"], 4))
        row["zeros_after"].append(None if r["diverged"] else round(r["final_zeros"], 4))
    died = sum(bool(r["diverged"]) for _, r in runs)
    return Claim(
        id=name,
        kind=Kind.REPORT,
        statement="Accuracy of every arm by seed, steps after which runs were not finite, zeros before and after",
        source="gpdeep.sparse.design",
        n=len(runs),
        verdict="REPORTED",
        limits=f"{died} of {len(runs)} runs were not finite and count as chance. {limits}".strip(),
        details=rows,
    )


def _where(
    runs: _Runs,
    *,
    kinds: Sequence[str] = (*CLIPPED, *UNCLIPPED),
    slope: float | None = None,
    how: str | None = None,
    sparsity: float | None = None,
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [
        (s, r)
        for s, r in runs
        if s["kind"] in kinds
        and (slope is None or s.get("slope") == slope)
        and (how is None or _how(s) == how)
        and (sparsity is None or s["sparsity"] == sparsity)
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _how(s: Mapping[str, Any]) -> str:
    return "plain" if s["clip"] is None else "clip"


def _shown(variance: float | None) -> str:
    return "infinite" if variance is None else f"{variance:.3g}"


def _shape(s: Mapping[str, Any]) -> tuple[int, int]:
    return s["width"], s["depth"]


def _mean(runs: _Runs) -> tuple[float, float]:
    """Mean accuracy and its standard error over seeds."""
    values = [float(r["train_accuracy"]) for _, r in runs]
    error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return float(np.mean(values)) if values else math.nan, error
