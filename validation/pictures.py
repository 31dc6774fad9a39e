"""A small picture of a claim, drawn as SVG from what the evidence holds: estimate, prediction and rival on one line."""

from __future__ import annotations

import math

from .claim import Claim

_WIDTH, _HEIGHT, _EDGE = 420, 64, 14


def picture(claim: Claim) -> str:
    """Estimate with its 95 % interval, prediction with its truncation (or bar), rival; empty where nothing is known.

    >>> picture(Claim(id="E0", kind="report", statement="", source="", verdict="REPORTED"))
    ''
    """
    if (
        claim.estimate is None
        or not math.isfinite(claim.estimate)
        or (claim.prediction is None and claim.rival is None)
    ):
        return ""
    half = 1.96 * (claim.standard_error or 0.0)
    wide = claim.truncation or 0.0
    places = [claim.estimate - half, claim.estimate + half]
    if claim.prediction is not None:
        places += [claim.prediction - wide, claim.prediction + wide]
    places += [claim.rival] if claim.rival is not None else []
    places = [place for place in places if math.isfinite(place)]
    low, high = min(places), max(places)
    span = (high - low) or abs(high) or 1.0

    def at(value: float) -> float:
        return _EDGE + (_WIDTH - 2 * _EDGE) * ((value - low) / span if high > low else 0.5)

    parts = [
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' width='{_WIDTH}' role='img' aria-label='estimate and prediction'>",
        f"<line x1='{_EDGE}' x2='{_WIDTH - _EDGE}' y1='30' y2='30' stroke='#8886'/>",
    ]
    if claim.prediction is not None and math.isfinite(claim.prediction):
        left, right = at(claim.prediction - wide), at(claim.prediction + wide)
        parts.append(f"<rect x='{left:.1f}' y='20' width='{max(right - left, 2):.1f}' height='20' fill='#0072B255'/>")
        parts.append(_label(at(claim.prediction), 56, "predicted" if claim.kind != "bar" else "bar", "#0072B2"))
    if claim.rival is not None and math.isfinite(claim.rival):
        x = at(claim.rival)
        parts.append(f"<path d='M{x - 4:.1f} 26 l8 8 m0 -8 l-8 8' stroke='#D55E00' stroke-width='2'/>")
        parts.append(_label(x, 14, claim.rival_name or "rival", "#D55E00"))
    x, left, right = at(claim.estimate), at(claim.estimate - half), at(claim.estimate + half)
    parts.append(f"<line x1='{left:.1f}' x2='{right:.1f}' y1='30' y2='30' stroke='currentColor' stroke-width='2'/>")
    parts.append(f"<circle cx='{x:.1f}' cy='30' r='4' fill='currentColor'/></svg>")
    return "".join(parts)


def _label(x: float, y: float, text: str, colour: str) -> str:
    anchor = "start" if x < _WIDTH / 3 else "end" if x > 2 * _WIDTH / 3 else "middle"
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f"<text x='{x:.1f}' y='{y}' font-size='11' text-anchor='{anchor}' fill='{colour}'>{escaped}</text>"
