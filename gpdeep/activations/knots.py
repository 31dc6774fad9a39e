r"""What a piecewise-linear activation may be made of: its knots t_j sorted and merged, its jumps c_j not 0.

φ(x) = a + b x + Σ_j c_j (x - t_j)_+
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import DomainError
from ..gaussian.arguments import as_float, entries, shown

LEAST = 1e-50
"""Slopes, knots and values lie between this and its inverse, or are 0: fourth powers stay within float64."""

Floats = tuple[float, ...]


def merged_knots(
    name: str, a: float, b: float, t: Sequence[float], c: Sequence[float], levels: Sequence[float] | None
) -> tuple[Floats, Floats, Floats | None]:
    """Knots, jumps and levels φ(t_j), sorted, coincident knots merged, those without a jump dropped.

    Raises
    ------
    DomainError
        The name is no text, something is no number, not finite or beyond 1e50, a knot is neither 0 nor above 1e-50 in
        size, lengths differ, φ is 0 everywhere, or the levels are not those of φ.
    """
    check_name(name)
    a, b = _floats(name, "a", (a,))[0], _floats(name, "b", (b,))[0]
    t, c = _floats(name, "t", t), _floats(name, "c", c)
    levels = None if levels is None else _floats(name, "at_knots", levels)
    numbers = (a, b, *t, *c, *(levels or ()))
    largest = max(map(abs, numbers))
    if len(t) != len(c) or (levels is not None and len(levels) != len(t)):
        raise DomainError(
            f"Activation '{name}' has {len(t)} knots and {len(c)} jumps.",
            "Every knot needs the jump of the slope there.",
            "Give t, c (and at_knots) of one length.",
        )
    if not all(map(math.isfinite, numbers)) or largest > 1 / LEAST:
        raise DomainError(
            f"Activation '{name}' has a = {a}, b = {b}, knots {t} and jumps {c}.",
            "A number is NaN, infinite or beyond 1e50.",
            "Use finite numbers of ordinary size.",
        )
    tiny = [x for x in t if 0 < abs(x) < LEAST]
    if tiny:
        raise DomainError(
            f"Activation '{name}' has a knot at {shown(tiny[0])}.",
            "Below 1e-50 its powers leave the range of floats.",
            "Put the knot at 0.",
        )
    jumps: dict[float, list[float]] = {}
    for knot, jump in zip(t, c, strict=True):
        jumps.setdefault(knot + 0.0, []).append(jump)  # -0.0 is 0.0
    merged = [(knot, math.fsum(parts)) for knot, parts in sorted(jumps.items()) if math.fsum(parts) != 0]
    if largest < LEAST or not (a or b or merged):
        raise DomainError(
            f"Activation '{name}' is 0 everywhere.",
            "All slopes and the value at 0 are zero (below 1e-50), and with them every output.",
            "Give a slope or a jump that is not zero.",
        )
    knots, steps = tuple(knot for knot, _ in merged), tuple(jump for _, jump in merged)
    if levels is None:
        return knots, steps, None
    level = dict(zip((knot + 0.0 for knot in t), levels, strict=True))
    kept = tuple(level[knot] for knot in knots)
    _check_levels(name, a, b, knots, steps, kept)
    return knots, steps, kept


def check_name(name: Any) -> None:
    """Refuse what is no name of an activation."""
    if not isinstance(name, str):
        raise DomainError(
            f"The name of an activation is {shown(name)}.",
            "It comes first among the arguments, and was left out.",
            "Give a name first, such as 'ramp'.",
        )


def _floats(name: str, what: str, values: Any) -> Floats:
    """`values` as floats; text and truth values are no numbers."""
    try:
        found = tuple(map(as_float, entries(what, values, "numbers")))
        if any(map(math.isnan, found)):
            raise ValueError
        return found
    except ValueError as error:  # also that of `entries`
        raise DomainError(
            f"Activation '{name}' has {what} = {shown(values[0] if what in ('a', 'b') else values)}.",
            "A sequence of numbers was expected, and for a and b a number; text, None or a lone number was given.",
            "Write for instance PiecewiseLinear('ramp', 0.0, 0.0, (1.0, 2.0), (1.0, -1.0)).",
        ) from error


def _check_levels(name: str, a: float, b: float, knots: Floats, steps: Floats, levels: Floats) -> None:
    size = abs(a) + (abs(b) + sum(map(abs, steps))) * max(map(abs, knots), default=0.0) + LEAST
    for x, given in zip(knots, levels, strict=True):
        value = a + b * x + sum(c * max(x - t, 0.0) for t, c in zip(knots, steps, strict=True))
        if abs(given - value) > 1e-12 * size:
            raise DomainError(
                f"Activation '{name}' is {shown(value)} at its knot {shown(x)}, but at_knots says {shown(given)}.",
                "at_knots takes away rounding, it does not change φ.",
                "Leave at_knots out, or give φ at each knot.",
            )
