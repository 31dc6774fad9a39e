"""After training: how well accuracy follows the predictions, beside the rivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpdeep.agreement import (
    BootstrapInterval,
    cluster_bootstrap,
    concordance,
    permute_within,
    spearman,
    spearman_difference,
)
from gpdeep.result import FloatArray
from validation.claim import Claim, Kind, bar

from .comparison import Architectures, Member, architectures
from .predictors import NAMES
from .scores import clear_pairs, isotonic_r2, partial_rank

_RANK, _GAIN, _GAIN_LOW, _WITHIN, _P, _R2, _SAME = 0.93, 0.02, -0.01, 0.75, 0.01, 0.93, 0.75
_SOURCE = "gpdeep.finite.angle_law"
_DECLARED = "Test accuracy at the best learning rate by the mean over seeds, networks that diverged at chance."
_DEPTH = "infinite width, which is depth alone"


_BARS = ("E2.rank", "E2.gain", "E2.within_depth", "E2.same_parameters", "E2.isotonic")
_FEWEST = 8  # architectures for which bars are looked at


def claims(found: Sequence[Member]) -> list[Claim]:
    """The bars, the controls and the reports; bars that are missed where too little came in."""
    nets = architectures(found, "relu")
    if nets is None or len(nets.names) < _FEWEST:
        few = f"Fewer than {_FEWEST} architectures have all their results."
        statement = "Accuracy follows predicted degeneracy."
        return [
            Claim(id=id, kind=Kind.BAR, statement=statement, source=_SOURCE, verdict="MISSED", limits=few)
            for id in _BARS
        ]
    best = nets.best(nets.test)
    other = [phi for phi in dict.fromkeys(spec["phi"] for spec, _ in found) if phi != "relu"]
    return [
        *_ranks(nets, best),
        _within(nets, best),
        _same_parameters(nets, best),
        _isotonic(nets, best),
        _doubled(nets, best),
        _shuffled(nets, best),
        _rivals(nets, best),
        _rates(nets),
        *(_activation(found, phi) for phi in other),
    ]


def _interval(statistic: Any, *data: Any) -> BootstrapInterval:
    return cluster_bootstrap(statistic, *data, vectorized=True, n_resamples=4999)


def _ranks(nets: Architectures, best: FloatArray) -> list[Claim]:
    p = nets.predictors
    rank = _interval(spearman, p["finite"], best)
    gain = _interval(spearman_difference, p["finite"], p["infinite"], best)
    enough = bar(gain.estimate, _GAIN) == "MET" and gain.low > _GAIN_LOW
    A, S = best.shape
    return [
        Claim(
            id="E2.rank",
            kind=Kind.BAR,
            statement=f"Accuracy follows the predicted ln sin²θ with a rank correlation of {_RANK} or more.",
            source=_SOURCE,
            estimate=rank.estimate,
            standard_error=rank.standard_error,
            n=A * S,
            prediction=_RANK,
            rival=float(spearman(p["infinite"], best)),
            rival_name=_DEPTH,
            verdict=bar(rank.estimate, _RANK),
            power=f"95 % interval [{rank.low:.3f}, {rank.high:.3f}] over architectures and their seeds.",
            limits=f"{_DECLARED} {nets.diverged} networks diverged, {nets.left_out} "
            f"architectures with missing results are left out. Σ1/n orders as well: "
            f"{float(spearman(p['flatness'], best)):.3f}.",
            details={
                "networks": nets.names,
                "accuracy": best.mean(axis=1).tolist(),
                "standard_deviation": best.std(axis=1, ddof=1).tolist(),
                **{name: p[name].tolist() for name in NAMES},
            },
        ),
        Claim(
            id="E2.gain",
            kind=Kind.BAR,
            statement=f"Its rank correlation is {_GAIN} or more above that of infinite width, and the lower end of the "
            f"difference's 95 % interval above {_GAIN_LOW}.",
            source=_SOURCE,
            estimate=gain.estimate,
            standard_error=gain.standard_error,
            n=A * S,
            prediction=_GAIN,
            rival=0.0,
            rival_name=_DEPTH,
            verdict="MET" if enough else "MISSED",
            power=f"95 % interval [{gain.low:.3f}, {gain.high:.3f}] over architectures and their seeds.",
            limits=f"{_DECLARED} Architectures on a grid are no random sample. With a standard error of "
            f"{gain.standard_error:.2g} a difference is told from 0 from {2 * gain.standard_error:.2g} on.",
        ),
    ]


def _within(nets: Architectures, best: FloatArray) -> Claim:
    finite = nets.predictors["finite"]

    def statistic(x: Any) -> Any:
        return concordance(x, best, nets.depths)

    test = permute_within(statistic, finite, nets.depths)
    return Claim(
        id="E2.within_depth",
        kind=Kind.BAR,
        statement=f"Among networks of equal depth {_WITHIN:.0%} of the pairs or more are in the predicted order, and "
        f"chance does as well with p < {_P}.",
        source=_SOURCE,
        estimate=test.statistic,
        standard_error=test.null_std,
        n=best.size,
        prediction=_WITHIN,
        rival=0.5,
        rival_name="infinite width, which predicts no difference",
        verdict="MET" if bar(test.statistic, _WITHIN) == "MET" and test.p_value < _P else "MISSED",
        p_adjusted=test.p_value,
        power=f"{_pairs(nets.depths)} pairs; {test}. {_clear(finite, best, nets.depths)}. The standard error is "
        "that of chance.",
        limits=f"{_DECLARED} Σ1/n: {concordance(nets.predictors['flatness'], best, nets.depths):.3f}, parameters: "
        f"{concordance(nets.predictors['parameters'], best, nets.depths):.3f}.",
        details={
            "rates": {
                f"{rate:g}": concordance(finite, scores, nets.depths)
                for rate, scores in zip(nets.rates, nets.test, strict=True)
            }
        },
    )


def _same_parameters(nets: Architectures, best: FloatArray) -> Claim:
    finite, strata = nets.predictors["finite"], nets.strata
    score = float(concordance(finite, best, strata))
    pairs = _pairs(strata)
    return Claim(
        id="E2.same_parameters",
        kind=Kind.BAR,
        statement=f"At equal depth and equal parameters {_SAME:.0%} of the pairs or more are in the predicted order.",
        source=_SOURCE,
        estimate=score,
        n=best.size,
        prediction=_SAME,
        rival=0.5,
        rival_name="infinite width, and the number of parameters",
        verdict=bar(score, _SAME),
        power=f"{round(score * pairs)} of {pairs} pairs, which share networks; {_clear(finite, best, strata)}.",
        limits=f"{_DECLARED} Alternating wide and narrow layers, whose predictions lie close together.",
        details={
            "networks": [name for name, s in zip(nets.names, strata, strict=True) if (strata == s).sum() > 1],
            "accuracy": [float(a) for a, s in zip(best.mean(axis=1), strata, strict=True) if (strata == s).sum() > 1],
            "finite": [float(x) for x, s in zip(finite, strata, strict=True) if (strata == s).sum() > 1],
        },
    )


def _isotonic(nets: Architectures, best: FloatArray) -> Claim:
    mean = best.mean(axis=1)
    score = {name: isotonic_r2(nets.predictors[name], mean) for name in NAMES}
    met = bar(score["finite"], _R2) == "MET" and score["finite"] > score["infinite"]
    return Claim(
        id="E2.isotonic",
        kind=Kind.BAR,
        statement=f"An increasing function of the prediction explains {_R2:.0%} or more of the variance of accuracy "
        "between networks that it was not fitted to, and more than infinite width does.",
        source=_SOURCE,
        estimate=score["finite"],
        n=best.size,
        prediction=_R2,
        rival=score["infinite"],
        rival_name=_DEPTH,
        verdict="MET" if met else "MISSED",
        power=", ".join(f"{name} {value:.3f}" for name, value in score.items()),
        limits=f"{_DECLARED} Leave-one-out; accuracies are means over {best.shape[1]} seeds.",
        details={"scores": score},
    )


def _doubled(nets: Architectures, best: FloatArray) -> Claim:
    mean = best.mean(axis=1)
    right, wrong = (isotonic_r2(nets.predictors[name], mean) for name in ("finite", "doubled"))
    return Claim(
        id="E2.control.width_doubled",
        kind=Kind.CONTROL,
        statement="The theory with every width read as twice itself explains less of the variance of accuracy.",
        source=_SOURCE,
        estimate=wrong,
        n=best.size,
        prediction=right,
        rival=float(spearman(nets.predictors["doubled"], best)),
        rival_name="its rank correlation",
        verdict="REFUSED" if wrong < right else "NOT REFUSED",
        limits="Leave-one-out isotonic R² beside that of the right theory. An increasing fit takes up whatever "
        "stretches the predictions, and a factor of two in all widths hardly changes their order, so accuracy cannot "
        "tell the two apart; angles before training do (E2.control.start_doubled, E1.control.width_doubled).",
    )


def _shuffled(nets: Architectures, best: FloatArray) -> Claim:
    order = np.random.default_rng(0).permutation(len(nets.names))
    score = float(spearman(nets.predictors["finite"][order], best))
    return Claim(
        id="E2.control.shuffled",
        kind=Kind.CONTROL,
        statement="Predictions given to the wrong networks miss the bar of the rank correlation.",
        source=_SOURCE,
        estimate=score,
        n=best.size,
        prediction=_RANK,
        verdict="REFUSED" if bar(score, _RANK) == "MISSED" else "NOT REFUSED",
    )


def _rivals(nets: Architectures, best: FloatArray) -> Claim:
    p, mean = nets.predictors, best.mean(axis=1)
    ranks = {name: float(spearman(p[name], best)) for name in NAMES}
    partial = {
        "finite given infinite": partial_rank(p["finite"], p["infinite"], mean),
        "infinite given finite": partial_rank(p["infinite"], p["finite"], mean),
        "finite given flatness": partial_rank(p["finite"], p["flatness"], mean),
    }
    interval = _interval(spearman_difference, p["finite"], p["flatness"], best)
    return Claim(
        id="E2.rivals",
        kind=Kind.REPORT,
        statement="Rank correlation of the theory above that of Σ1/n.",
        source=_SOURCE,
        estimate=interval.estimate,
        standard_error=interval.standard_error,
        n=best.size,
        rival=ranks["flatness"],
        rival_name="Σ1/n",
        verdict="SUPPORTED" if interval.low > 0 else "REVERSED" if interval.high < 0 else "INCONCLUSIVE",
        power=f"95 % interval [{interval.low:.3f}, {interval.high:.3f}]; "
        + ", ".join(f"{name} {value:.3f}" for name, value in ranks.items()),
        limits="Σ1/n is the leading order of the theory's finite-width part, so it orders about as well.",
        details={"spearman": ranks, "partial": partial},
    )


def _rates(nets: Architectures) -> Claim:
    rows: dict[str, dict[str, Any]] = {}
    for rate, test, train in zip(nets.rates, nets.test, nets.train, strict=True):
        gain = _interval(spearman_difference, nets.predictors["finite"], nets.predictors["infinite"], test)
        rows[f"{rate:g}"] = {
            "finite": float(spearman(nets.predictors["finite"], test)),
            "infinite": float(spearman(nets.predictors["infinite"], test)),
            "flatness": float(spearman(nets.predictors["flatness"], test)),
            "parameters": float(spearman(nets.predictors["parameters"], test)),
            "gain": [gain.estimate, gain.low, gain.high],
            "finite, train accuracy": float(spearman(nets.predictors["finite"], train)),
            "seed standard deviation, median": float(np.median(test.std(axis=1, ddof=1))),
            "seed standard deviation, largest": float(test.std(axis=1, ddof=1).max()),
        }
    return Claim(
        id="E2.rates",
        kind=Kind.REPORT,
        statement="Rank correlation at each learning rate; the least of them.",
        source=_SOURCE,
        estimate=min(row["finite"] for row in rows.values()),
        n=nets.test[0].size,
        rival=max(row["infinite"] for row in rows.values()),
        rival_name="the most that infinite width has at any rate",
        verdict="REPORTED",
        limits="A large learning rate hides the effect.",
        details=rows,
    )


def _activation(found: Sequence[Member], phi: str) -> Claim:
    nets = architectures(found, phi)
    id, statement = f"E2.{phi}", f"Rank correlation of accuracy with the predicted ln sin²θ, {phi} networks."
    if nets is None or len(nets.names) < 3:
        return Claim(id=id, kind=Kind.REPORT, statement=statement, source=_SOURCE, verdict="REPORTED")
    best = nets.best(nets.test)
    rank = _interval(spearman, nets.predictors["finite"], best)
    return Claim(
        id=id,
        kind=Kind.REPORT,
        statement=statement,
        source="gpdeep.finite.angle_law, method chain",
        estimate=rank.estimate,
        standard_error=rank.standard_error,
        n=best.size,
        rival=float(spearman(nets.predictors["depth"], best)),
        rival_name="depth alone",
        verdict="REPORTED",
        power=f"95 % interval [{rank.low:.3f}, {rank.high:.3f}] over architectures and their seeds.",
        limits=f"{_DECLARED} {nets.diverged} networks diverged.",
        details={
            "networks": nets.names,
            "accuracy": best.mean(axis=1).tolist(),
            "finite": nets.predictors["finite"].tolist(),
            "depth": nets.predictors["depth"].tolist(),
        },
    )


def _clear(predictor: FloatArray, scores: FloatArray, strata: Any) -> str:
    clear, right = clear_pairs(predictor, scores, strata)
    return f"{clear} pairs differ by more than two standard errors, {right} of them as predicted"


def _pairs(strata: Any) -> int:
    """Pairs within equal entries."""
    _, counts = np.unique(strata, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())
