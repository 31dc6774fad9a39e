"""An answer, or why there is none, as HTML.

One piece replaces the one before it whole, so an old picture never stands beside new numbers. A number is a ``<data>``
element: shown with five digits, its `value` in full, its title the key under which the command prints it.
"""

from __future__ import annotations

import base64
import html
import math
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import GpdeepError, ValidityWarning
from ..result import StatusCode
from .answers import Answer, Number, answer
from .choices import Choices, View
from .pictures import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOGETHER = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
_KEPT = 64  # answers, some 100 kB each: dragging back and forth passes the same positions

STYLE = """
:host { font: 16px/1.45 system-ui, sans-serif; color: #1f2328; display: block; }
p { margin: 0 0 12px; }
.summary { font-size: 18px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); gap: 16px;
            margin: 0 0 16px; }
img { width: 100%; max-width: 640px; height: auto; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 0 32px;
     margin: 0 0 16px; }
dl div { display: flex; justify-content: space-between; gap: 12px; border-bottom: 1px solid #d8dee4; padding: 4px 0; }
dt { color: #59636e; }
dd { margin: 0; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f5f7; border-radius: 6px; padding: 10px 12px;
      margin: 0; font: 14px/1.5 ui-monospace, monospace; }
.doubt, .refusal { border-left: 4px solid #d29922; background: #fff8e5; padding: 10px 14px; margin: 0 0 14px; }
.refusal { border-color: #d55e00; background: #fdf0e8; }
.refusal dl { display: block; margin: 8px 0 0; }
.refusal dl div { display: block; border: 0; }
.quiet { color: #59636e; font-size: 14px; margin: 6px 0 8px; }
"""


@lru_cache(maxsize=_KEPT)
def section(view: View, choices: Choices) -> tuple[str, float | None]:
    """The HTML of a view at these slider values, and the σ_w that was used (None where there is none).

    Never raises on account of the values: where there is no answer, the HTML holds the three parts of the error.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ValidityWarning)  # part of the answer's status
            found = answer(view, choices)
    except GpdeepError as error:
        return refusal(error), None
    except (ArithmeticError, ValueError, MemoryError) as error:
        return refusal(
            GpdeepError(
                f"{type(error).__name__}: {error}",
                "A number is far out of the usual range, or this is a mistake in gpdeep.",
                "Move a slider back; if its value is usual, please report it.",
            )
        ), None
    return shown(found), found.sigma_w


def shown(found: Answer) -> str:
    """An answer as HTML.

    Parameters
    ----------
    found : Answer

    Returns
    -------
    str
    """
    doubts = "".join(f"<p>{_text(message)}</p>" for message in found.status.messages)
    outside = found.status.code is not StatusCode.OK
    heading = f"<p><b>{_text(str(found.status.code).replace('_', ' '))}</b></p>" if outside else ""
    box = f'<div class="doubt" role="status">{heading}{doubts}</div>' if heading or doubts else ""
    pictures = "".join(_picture(ax, found.summary) for ax in found.pictures)
    numbers = "".join(_list([one for one in found.numbers if one.command == command]) for command in found.commands)
    notes = "".join(f'<p class="quiet">{_text(note)}</p>' for note in found.notes)
    summary = _text(found.summary.replace(" = ", _TOGETHER))
    commands = "\n".join(map(_text, found.commands))
    return (
        f'<p class="summary">{summary}</p>{box}<div class="pictures">{pictures}</div>{numbers}{notes}'
        f'<p class="quiet">The same numbers on the command line, in full with --json:</p><pre>{commands}</pre>'
    )


def refusal(error: GpdeepError) -> str:
    """The three parts of an error as HTML.

    Examples
    --------
    >>> from gpdeep.errors import DomainError
    >>> "Use 1 &lt; 2." in refusal(DomainError("Found.", "Cause.", "Use 1 < 2."))
    True
    """
    return (
        f'<div class="refusal" role="alert"><b>{_text(error.found)}</b><dl>'
        f"<div><dt>likely cause</dt><dd>{_text(error.cause)}</dd></div>"
        f"<div><dt>to change</dt><dd>{_text(error.change)}</dd></div></dl></div>"
    )


def _list(numbers: list[Number]) -> str:
    """Numbers of one command with their names."""
    rows = "".join(f"<div><dt>{_text(one.name)}</dt><dd>{_number(one)}</dd></div>" for one in numbers)
    return f"<dl>{rows}</dl>"


def _number(number: Number) -> str:
    value = "" if number.value is None else number.value
    return (
        f'<data value="{_text(str(value))}" data-command="{_text(number.command)}" title="{_text(number.key)}">'
        f"{_text(_digits(number.value))}</data>"
    )


def _digits(value: float | int | str | None) -> str:
    """Five digits; ∞, and a dash for what does not exist."""
    if not isinstance(value, float):
        return "–" if value is None else str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return "–" if math.isnan(value) else f"{value:.5g}".replace("-", "−")


def _picture(ax: Axes, alternative: str) -> str:
    """The figure of `ax` as an image that scales with the page."""
    data = base64.b64encode(svg(ax)).decode()
    width, height = (round(100 * side) for side in ax.figure.canvas.figure.get_size_inches())
    return (
        f'<img src="data:image/svg+xml;base64,{data}" width="{width}" height="{height}" decoding="sync" '
        f'alt="{_text(f"{ax.get_ylabel()} against {ax.get_xlabel()}. {alternative}".replace("$", ""))}">'
    )


def _text(words: str) -> str:
    return html.escape(words)
