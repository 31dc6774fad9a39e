r"""The threshold of ln sin² below which networks fail to train, from runs of the user's own.

    P(trained | x) = 1/(1 + exp(-(x - t)/s)),      x = mean of ln sin²θ_L that theory predicts for the architecture

t is where half of the runs train: the threshold for `predict_depth`, which at confidence 1/2 compares it with the
median of ln sin²θ_L, not with the mean x: that lies lower, by some 0.06 where its standard deviation is 1. Its
interval is that of the profile likelihood, all t with 2 (max ln L - max_s ln L(t, s)) ≤ the quantile of χ² with one
degree of freedom; it stays right where the runs are separated completely, and then holds at least the whole gap.

Assumptions: runs are independent given their architectures, and trained alike (data, optimiser, budget): the threshold
is a number of that task.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from ..errors import DomainError, InfeasibleError
from ..gaussian.arguments import as_array, real, shown
from ..result import SCHEMA_VERSION, BoolArray, FloatArray, Result, Status, StatusCode, path_of, render_table
from .predict import predict_depth

_STEEPEST, _FLATTEST = 1e-3, 1e3  # s, in units of ln sin²
_TRAINED = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_TRUSTED = 0.05  # p-value above which the runs do not tell that x matters


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration(Result):
    """A threshold of ln sin², and what it rests on.

    Attributes
    ----------
    threshold : float
        t.
    low, high : float or None
        Its interval; None where the runs give no bound on that side.
    confidence : float
    scale : float
        s: how sharp the transition is.
    separated : bool
        Every run above some x trained and every run below failed.
    p_value : float
        Of the likelihood ratio against "x does not matter".
    architecture : tuple of str
    log_sin2 : array (R,)
        x of each run.
    trained : array (R,) of bool
    options : mapping
    """

    threshold: float
    low: float | None
    high: float | None
    confidence: float
    scale: float
    separated: bool
    p_value: float
    architecture: tuple[str, ...]
    log_sin2: FloatArray
    trained: BoolArray
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The object that ``gpdeep calibrate --json`` prints."""
        plain = super().to_dict()
        return {"schema_version": SCHEMA_VERSION, "command": "calibrate", "inputs": plain.pop("options"), **plain}

    def __str__(self) -> str:
        rows = []
        for name in sorted(set(self.architecture), key=lambda n: -self.log_sin2[self.architecture.index(n)]):
            mine = np.array([other == name for other in self.architecture])
            rows.append(
                [name, f"{self.log_sin2[mine][0]:.3f}", f"{int(self.trained[mine].sum())} of {int(mine.sum())}"]
            )
        low, high = ("-∞" if self.low is None else f"{self.low:.2f}", "∞" if self.high is None else f"{self.high:.2f}")
        notes = [f"threshold of ln sin²: {self.threshold:.3f}, {self.confidence:.0%} interval {low} to {high}"]
        if self.separated:
            notes.append("the runs are separated: the threshold is the middle of the gap")
        return render_table("runs", ["architecture", "ln sin²θ", "trained"], rows, [*notes, *self.status.messages])


def calibrate(
    architectures: Sequence[Any],
    trained: Sequence[Any],
    *,
    cut: float | None = None,
    confidence: float = 0.95,
    options: Mapping[str, Any] | None = None,
    **prediction: Any,
) -> Calibration:
    r"""The threshold of ln sin² that separates runs which trained from runs which did not.

    Parameters
    ----------
    architectures : sequence of str or Architecture, length R
        One for each run, as `predict_depth` takes them; the same one may occur often.
    trained : sequence, length R
        Truth values, or accuracies: all from 0 to 1, or all from 0 to 100.
    cut : float, optional
        Accuracy from which a run counts as trained; default half way between the least and the largest.
    confidence : float
        Of the interval.
    options : mapping, optional
        Recorded as the inputs of the result.
    **prediction
        `angle`, `data` and the other options of `predict_depth`.

    Returns
    -------
    Calibration
        With the status OUTSIDE_VALIDITY where the runs do not tell that x matters.

    Raises
    ------
    DomainError
        There are fewer than two runs, the lengths differ, an entry is no number, or accuracies are not all fractions or
        all percentages.
    InfeasibleError
        All runs trained, or none did.

    Examples
    --------
    >>> names = ["64,64x4,10", "64,64x16,10", "64,64x64,10", "64,16x64,10"]
    >>> found = calibrate(names, [0.97, 0.9, 0.3, 0.1])
    >>> found.separated, found.log_sin2.round(1).tolist(), round(found.threshold, 1)
    (True, [-0.7, -2.4, -5.7, -13.0], -4.1)
    """
    level = real("confidence", confidence, 0.5, 1.0, "the confidence of the interval")
    if not all(map(_ordered, (architectures, trained))):
        raise DomainError(
            f"The runs are given as {shown(architectures, 60)} and {shown(trained, 60)}.",
            "Every run has an architecture and an outcome; a single one, text or something without an order was given.",
            "Give two lists, such as those that read_runs returns.",
        )
    if len(architectures) != len(trained) or len(trained) < 2:
        raise DomainError(
            f"There are {len(architectures)} architectures and {len(trained)} outcomes.",
            "Every run has one of each, and a threshold needs at least two runs.",
            "Give two sequences of one length.",
        )
    if options is not None and not isinstance(options, Mapping):
        raise DomainError(
            f"options is {shown(options)}.",
            "Options that a result remembers have names.",
            "Give a dict, or leave it out.",
        )
    good, where = _outcomes(trained, cut)
    if good.all() or not good.any():
        raise InfeasibleError(
            f"{'All' if good.all() else 'None'} of the {len(good)} runs trained.",
            "The threshold lies beyond the runs, or the cut is not between good and bad ones.",
            f"Add runs that {'fail' if good.all() else 'train'}, or give another cut (it is {where:g}).",
        )
    predicted = {str(network): predict_depth(network, **prediction) for network in architectures}
    x = np.array([predicted[str(network)].law.mean[-1] for network in architectures], dtype=float)
    if not np.isfinite(x).all():
        raise DomainError(
            f"'{architectures[int(np.argmin(np.isfinite(x)))]}' has no finite ln sin².",
            "All of its networks die or collapse.",
            "Leave such runs out: they lie below every threshold.",
        )
    best, t, s, separated = _fitted(x, good)
    low, high = _interval(x, good, best, t, level)
    p_value, rising = _matters(x, good, best)
    messages = []
    if not rising or p_value > _TRUSTED:
        messages.append(
            "Runs with a larger ln sin² did not clearly train better "
            f"(p = {p_value:.2g}): the threshold says little. Add runs, or look for another cause."
        )
    return Calibration(
        status=Status(StatusCode.OUTSIDE_VALIDITY if messages else StatusCode.OK, tuple(messages)),
        threshold=t,
        low=low,
        high=high,
        confidence=level,
        scale=s,
        separated=separated,
        p_value=p_value,
        architecture=tuple(map(str, architectures)),
        log_sin2=x,
        trained=good,
        options={"cut": where, "confidence": level, **(options or {})},
    )


def _ordered(values: Any) -> bool:
    """Whether `values` is a list of runs, or an array of them."""
    return (isinstance(values, Sequence) and not isinstance(values, (str, bytes))) or getattr(values, "ndim", 0) == 1


def read_runs(path: str | os.PathLike[str]) -> tuple[list[str], list[Any]]:
    """Architectures and outcomes of a CSV file with the columns ``architecture`` and ``accuracy`` or ``trained``.

    Raises
    ------
    DomainError
        A column is missing, there is no run, or an entry is no number or truth value; the line is named.
    OSError
        The file cannot be read.
    """
    where = path_of(path)
    try:
        with where.open(newline="", encoding="utf-8-sig") as file:
            return _runs(file, path)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DomainError(
            f"'{path}' is no CSV file ({error}).",
            "It holds bytes that are no text, or a quote that is never closed.",
            "Store the runs as text in UTF-8, one run a line.",
        ) from error


def _runs(file: TextIO, path: Any) -> tuple[list[str], list[Any]]:
    """`read_runs` of an open file."""
    rows = csv.DictReader(file)
    columns = [name.strip() for name in rows.fieldnames or ()]
    if any("\0" in name for name in columns):
        raise csv.Error("its first line holds zero bytes")
    outcome = next((name for name in ("trained", "accuracy") if name in columns), None)
    if "architecture" not in columns or outcome is None:
        raise DomainError(
            f"'{path}' has the columns {', '.join(columns):.200}." if columns else f"'{path}' is empty.",
            "The first line names the columns: architecture, and accuracy or trained.",
            'Write such as architecture,accuracy and then "784,128x50,10",0.93 (with quotes around commas).',
        )
    names, values = [], []
    for line, row in enumerate(rows, start=2):
        clean = {str(key).strip(): (value or "").strip() for key, value in row.items() if isinstance(value, str)}
        names.append(clean.get("architecture", ""))
        values.append(_entry(clean.get(outcome, ""), outcome, line, path))
    if not names:
        raise DomainError(
            f"'{path}' has no line below its columns.",
            "The runs are missing.",
            f'Write one run a line, such as "784,128x50,10",{"1" if outcome == "trained" else "0.93"}.',
        )
    return names, values


def _entry(text: str, column: str, line: int, path: Any) -> Any:
    try:
        return _TRAINED[text.lower()] if column == "trained" else float(text)
    except (KeyError, ValueError) as error:
        raise DomainError(
            f"Line {line} of '{path}' has {column} = {shown(text)}.",
            "Commas inside an architecture need quotes, or the entry is no number.",
            'Write such as "784,128x50,10",0.93; trained is 1 or 0, true or false.',
        ) from error


def _outcomes(trained: Sequence[Any], cut: float | None) -> tuple[BoolArray, float]:
    """Which runs trained, and the cut."""
    values = as_array(trained)
    if values.dtype.kind not in "biuf" or not np.isfinite(values.astype(float)).all():
        raise DomainError(
            f"The outcomes are {shown(list(trained)[:8], 120)}.",
            "They are truth values or accuracies; NaN or text is neither.",
            "Count a run that diverged as not trained: accuracy 0.",
        )
    numbers = values.astype(float)
    outside = (numbers < 0) | (numbers > 100)
    percent = numbers.max() > 1
    if outside.any() or (percent and ((numbers > 0) & (numbers < 1)).any()):
        odd = numbers[outside][0] if outside.any() else numbers[(numbers > 0) & (numbers < 1)][0]
        raise DomainError(
            f"Among the accuracies are {odd:g} and {numbers.max():g}.",
            "An accuracy is a fraction from 0 to 1, or all of them are percentages from 0 to 100.",
            "Write all of them in one way.",
        )
    where = 0.5 * (numbers.min() + numbers.max()) if cut is None else real("cut", cut, -1e300, 1e300, "an accuracy")
    return numbers >= where if values.dtype.kind != "b" else values.astype(bool), where


def _log_likelihood(x: FloatArray, good: BoolArray, t: float, s: float) -> float:
    return -float(np.logaddexp(0.0, np.where(good, -1.0, 1.0) * (x - t) / s).sum())


def _best_scale(x: FloatArray, good: BoolArray, t: float) -> tuple[float, float]:
    """The largest ln L over s at a threshold t, and s."""
    from scipy.optimize import minimize_scalar

    grid = np.linspace(np.log(_STEEPEST), np.log(_FLATTEST), 60)
    values = [_log_likelihood(x, good, t, float(np.exp(u))) for u in grid]
    k = int(np.argmax(values))
    span = (grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)])
    found = minimize_scalar(lambda u: -_log_likelihood(x, good, t, float(np.exp(u))), bounds=span, method="bounded")
    return max(-float(found.fun), values[k]), float(np.exp(found.x))


def _fitted(x: FloatArray, good: BoolArray) -> tuple[float, float, float, bool]:
    """Largest ln L, t, s, and whether the runs are separated."""
    from scipy.optimize import minimize_scalar

    worst_good, best_bad = float(x[good].min()), float(x[~good].max())
    if worst_good > best_bad:
        return 0.0, 0.5 * (worst_good + best_bad), _STEEPEST, True
    span = float(np.ptp(x)) or 1.0
    grid = np.linspace(x.min() - span, x.max() + span, 121)
    values = [_best_scale(x, good, float(t))[0] for t in grid]
    k = int(np.argmax(values))
    around = (grid[max(k - 1, 0)], grid[min(k + 1, 120)])
    found = minimize_scalar(lambda t: -_best_scale(x, good, float(t))[0], bounds=around, method="bounded")
    best, s = _best_scale(x, good, float(found.x))
    return best, float(found.x), s, False


def _interval(x: FloatArray, good: BoolArray, best: float, t: float, level: float) -> tuple[float | None, float | None]:
    """Ends of the profile likelihood interval; None where it is open."""
    from scipy.optimize import brentq
    from scipy.special import chdtri

    allowed = 0.5 * float(chdtri(1, 1 - level))

    def short(place: float) -> float:
        return best - _best_scale(x, good, place)[0] - allowed

    ends: list[float | None] = []
    for sign in (-1.0, 1.0):
        step, far = 0.25 * (float(np.ptp(x)) or 1.0), t
        for _ in range(40):
            near, far = far, far + sign * step
            step *= 1.5
            if short(far) > 0:
                ends.append(float(brentq(short, min(near, far), max(near, far), xtol=1e-6)))
                break
        else:
            ends.append(None)
    return ends[0], ends[1]


def _matters(x: FloatArray, good: BoolArray, best: float) -> tuple[float, bool]:
    """p-value of the likelihood ratio against a constant probability, and whether trained runs lie higher."""
    from scipy.special import chdtrc

    share = good.mean()
    constant = len(x) * float(share * np.log(share) + (1 - share) * np.log1p(-share))
    return float(chdtrc(1, max(0.0, 2 * (best - constant)))), bool(x[good].mean() > x[~good].mean())
