"""What random sparse networks do before training: clipped ones keep their variance, the others lose it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gpdeep.agreement import Family, Verdict, count_test, mean_test

from ..claim import Claim, Kind, bar
from ..experiment import Settings
from ..specified_results import SpecifiedResults
from .grid import SPARSITIES, path_specifications
from .layers import name_of
from .paths import OUTSIDE, standard_error

SAFE_SLOPE = 0.7
LEAST_LOST, MOST_OFF = 0.75, 0.01
_FEW = 100  # networks that have stayed, below which their mean is not tested
_Paths = Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]


def initial_claims(settings: Settings, known: SpecifiedResults) -> list[Claim]:
    """Bars of the sampled variances, the exact laws behind them, and the control with wrong weights."""
    sampled = [(s, known.get(s)) for s in path_specifications(settings)]
    right = [(s, r) for s, r in sampled if r is not None and s["wrong"] == 1.0]
    wrong = [(s, r) for s, r in sampled if r is not None and s["wrong"] != 1.0]
    table = [(s, r) for s, r in right if s["width"] == 200]
    found = _bars(table)
    if right:
        found += [_laws(right), _quantiles(table)]
    if wrong:
        found.append(_control(wrong))
    return found


def _bars(table: _Paths) -> list[Claim]:
    safe = [(s, r) for s, r in table if s.get("slope") == SAFE_SLOPE and s["sparsity"] in SPARSITIES]
    free = [(s, r) for s, r in table if s["kind"] == "st" or (s["kind"] == "relu_tau" and s["sparsity"] >= 0.8)]
    if not safe or not free:
        return []
    kept = max(r["outside"][-1] for _, r in safe)
    lost = min(r["outside"][-1] for _, r in free)
    off = max(abs(r["sparsity"] - s["sparsity"]) for s, r in safe)
    networks = safe[0][1]["networks"]
    left = f"q outside [{OUTSIDE[0]:g}, {OUTSIDE[1]:g}] at the last layer"
    shared: dict[str, Any] = {"kind": Kind.BAR, "n": networks}
    return [
        Claim(
            id="E4.init.kept",
            statement=f"No clipped network with V' = 0.7 has {left} (largest share over arms)",
            source="gpdeep.sparse.design",
            estimate=kept,
            standard_error=standard_error(kept, networks),
            prediction=0.0,
            rival=lost,
            rival_name="smallest share without a clip",
            verdict=bar(kept, 0.0, at_most=True),
            details={name_of(s): r["outside"] for s, r in table},
            limits="One input a network; the networks that are trained have 1437.",
            **shared,
        ),
        Claim(
            id="E4.init.lost",
            statement=f"Without a clip most networks have {left} (smallest share; relu_tau from s = 0.8)",
            source="gpdeep.sparse.instability: V'(q*) = 1 and V'' > 0",
            estimate=lost,
            standard_error=standard_error(lost, networks),
            prediction=LEAST_LOST,
            rival=kept,
            rival_name="largest share with the clip",
            verdict=bar(lost, LEAST_LOST),
            limits="chi_1 = 1 and q* = 1 in every arm: the edge of chaos alone does not tell them apart.",
            **shared,
        ),
        Claim(
            id="E4.init.sparsity",
            statement="Clipped networks with V' = 0.7 have the sparsity they were designed for at the last layer",
            source="gpdeep.sparse.design",
            estimate=off,
            prediction=0.0,
            truncation=MOST_OFF,
            verdict=bar(off, MOST_OFF, at_most=True),
            details={name_of(s): r["sparsity"] for s, r in safe},
            **shared,
        ),
    ]


def _laws(right: _Paths) -> Claim:
    """Two exact laws an arm: how many have escaped, and the mean of the variances that have not."""
    tests: dict[str, Any] = {}
    for s, r in right:
        name = f"{name_of(s)} n {s['width']}"
        tests[f"{name}: escaped"] = count_test(r["escaped"], r["networks"], r["predicted_escape"])
        if r["networks"] - r["escaped"] >= _FEW:
            tests[f"{name}: mean"] = _mean_test(r)
    verdicts = Family(len(tests), name="init").judge(tests)
    worst = min(verdicts.claims, key=lambda one: one.p_value)
    return Claim(
        id="E4.init.law",
        kind=Kind.LAW,
        statement="Escapes, and variances of those that stay, have the law of the transfer operator",
        source="gpdeep.sparse.escape_probability",
        n=right[0][1]["networks"],
        verdict=str(verdicts.verdict),
        p_adjusted=worst.p_adjusted,
        power=f"{len(tests)} tests; smallest p {worst.p_value:.2g} ({worst.name}). {worst.note}",
        details={
            "p_values": {one.name: one.p_value for one in verdicts.claims},
            "escaped": {name_of(s): [r["escaped"] / r["networks"], r["predicted_escape"]] for s, r in right},
        },
    )


def _control(wrong: _Paths) -> Claim:
    """Networks whose weights are 5 % too large, against the law of the right ones."""
    tests = {name_of(s): _mean_test(r) for s, r in wrong}
    verdicts = Family(len(tests), name="control").judge(tests)
    refused = all(one.verdict is Verdict.REJECTED for one in verdicts.claims)
    return Claim(
        id="E4.init.control",
        kind=Kind.CONTROL,
        statement="Networks with weights 5 % too large do not pass as networks of the design, in any arm",
        source="gpdeep.sparse.escape_probability of the right weights",
        n=wrong[0][1]["networks"],
        verdict="REFUSED" if refused else "NOT REFUSED",
        p_adjusted=max(one.p_adjusted for one in verdicts.claims),
        details={one.name: one.p_value for one in verdicts.claims},
    )


def _quantiles(table: _Paths) -> Claim:
    return Claim(
        id="E4.init.quantiles",
        kind=Kind.REPORT,
        statement="Quantiles (5, 25, 50, 75, 95 %) of the variance over networks, after 30 and after all layers",
        source="gpdeep.sparse.sample_variances",
        n=table[0][1]["networks"] if table else None,
        verdict="REPORTED",
        details={name_of(s): r["quantiles"] for s, r in table},
    )


def _mean_test(r: Mapping[str, Any]) -> Any:
    """The mean of those that stayed, with the standard deviation that theory gives them."""
    stayed = r["networks"] - r["escaped"]
    return mean_test([r["stayed_mean"]], r["predicted_mean"], std=r["predicted_std"] / math.sqrt(stayed))
