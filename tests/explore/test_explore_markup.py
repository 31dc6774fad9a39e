"""An answer as HTML: numbers in full, pictures of their own, and errors with nothing beside them."""

import base64
import math
import re

import pytest

pytest.importorskip("matplotlib", reason="the page shows pictures")

from gpdeep.explore.answers import Answer, Number, answer
from gpdeep.explore.choices import Choices, View
from gpdeep.explore.markup import section, shown
from gpdeep.result import Status, StatusCode

SMALL = Choices(width=16, depth=5)


def values(text):
    """What a script reads: the value of every number, by its key."""
    found = re.findall(r'<data value="([^"]*)" data-command="[^"]*" title="([^"]*)"', text)
    return {key: value for value, key in found}


def test_numbers_are_there_in_full():
    text, sigma_w = section(View.DEPTH, SMALL)
    found = answer(View.DEPTH, SMALL)
    assert sigma_w == SMALL.sigma_w
    there = values(text)
    assert there == {number.key: str(number.value) for number in found.numbers}
    mean = next(number.value for number in found.numbers if number.key == "finite.log_sin2_mean.-1")
    assert float(there["finite.log_sin2_mean.-1"]) == mean


@pytest.mark.parametrize(("view", "count"), [(View.DEPTH, 1), (View.MAPS, 2), (View.CLIP, 2)])
def test_pictures_are_drawn_with_words_beside_them(view, count):
    text, _ = section(view, SMALL.of_view(view))
    pictures = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]*)"[^>]* alt="([^"]*)"', text)
    assert len(pictures) == count
    for data, alternative in pictures:
        assert b"<svg" in base64.b64decode(data)
        assert " against " in alternative
        assert "$" not in alternative


def test_a_refusal_shows_three_parts_and_nothing_else():
    text, sigma_w = section(View.DEPTH, Choices(sigma_b=0.2, on_edge=True))
    assert sigma_w is None
    assert text.startswith('<div class="refusal" role="alert"><b>relu has no edge of chaos')
    for part in ("likely cause", "to change"):
        assert part in text
    for part in ("<img", "<data", "<pre", "Traceback"):
        assert part not in text


def test_an_unforeseen_failure_is_told_without_a_traceback(monkeypatch):
    def fails(*_):
        raise ZeroDivisionError("of <nothing>")

    monkeypatch.setattr("gpdeep.explore.markup.answer", fails)
    text, _ = section(View.DEPTH, Choices(width=3, depth=3))
    section.cache_clear()
    assert "ZeroDivisionError: of &lt;nothing&gt;" in text
    assert "likely cause" in text


def test_what_lies_outside_validity_is_marked():
    text, _ = section(View.MAPS, Choices(sigma_w=1.41))
    assert "<b>outside validity</b>" in text
    assert "The variance falls to 0" in text
    assert "outside validity" not in section(View.MAPS, Choices())[0]


def test_infinite_missing_and_foreign_text():
    numbers = tuple(
        Number(f"<{name}>", value, "gpdeep maps 'a\"b'", name)
        for name, value in {"inf": math.inf, "minus": -math.inf, "nan": math.nan, "none": None, "tiny": -1e-30}.items()
    )
    text = shown(Answer("a < b", numbers, Status(StatusCode.NOT_CONVERGED, ("x & y",)), pictures=()))
    assert re.findall(r">([^<]*)</data>", text) == ["∞", "−∞", "–", "–", "−1e−30"]
    assert "<inf>" not in text
    assert "&lt;inf&gt;" in text
    assert "a &lt; b" in text
    assert "x &amp; y" in text
    assert "<b>not converged</b>" in text
