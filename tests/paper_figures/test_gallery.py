"""The pictures in the README are those that today's code and evidence give: their numbers are computed anew."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="figures are drawn")

from paper_figures.catalogue import entries

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "paper_figures" / "gallery"
SHOWN = sorted(re.findall(r"!\[[^]]+\]\(paper_figures/gallery/(\S+)\.png\)", (ROOT / "README.md").read_text()))


def differences(old, new, rtol=1e-4, atol=1e-6):
    """Lines at which two tables differ; paths that were optimised are good to 1e-7, and of 1e-4 an eye sees nothing."""
    one, two = (list(csv.reader(io.StringIO(text))) for text in (old, new))
    return [k for k, pair in enumerate(zip(one, two, strict=False)) if not same(*pair, rtol, atol)] + (
        [] if len(one) == len(two) else [min(len(one), len(two))]
    )


def same(old, new, rtol, atol):
    """Whether two rows say the same."""

    def number(cell):
        try:
            return float(cell)
        except ValueError:
            return None

    return len(old) == len(new) and all(
        a == b
        or (
            None not in (number(a), number(b))
            and number(a) == pytest.approx(number(b), rel=rtol, abs=atol, nan_ok=True)
        )
        for a, b in zip(old, new, strict=True)
    )


def test_the_gallery_is_what_the_readme_shows_and_nothing_else():
    known = json.loads((GALLERY / "figures.json").read_text())
    assert len(SHOWN) == 5
    assert not [
        text for each in known.values() for text in map(str, each["parameters"].values()) if Path(text).is_absolute()
    ]
    assert sorted(name for each in known.values() for name in each["files"]) == sorted(
        f"{figure}.{ending}" for figure in SHOWN for ending in ("csv", "png")
    )
    found = {str(path.relative_to(GALLERY)) for path in GALLERY.rglob("*") if path.is_file()}
    assert found == {f"{figure}.{ending}" for figure in SHOWN for ending in ("csv", "png")} | {"figures.json"}


@pytest.mark.parametrize("figure", SHOWN)
def test_pictures_show_the_numbers_that_are_computed_today(figure):
    subject, name = figure.split("/")
    (entry,) = (each for each in entries() if (each.subject, each.name) == (subject, name))
    assert not differences((GALLERY / f"{figure}.csv").read_text(), entry.draw().numbers.csv())


def test_another_number_and_another_curve_are_noticed():
    table = "curve,angle\nlaw,0.5\nlaw,\n"
    assert not differences(table, "curve,angle\nlaw,0.50001\nlaw,\n")
    assert differences(table, "curve,angle\nlaw,0.501\nlaw,\n") == [1]
    assert differences(table, "curve,angle\nlimit,0.5\nlaw,0.1\n") == [1, 2]
    assert differences(table, "curve,angle\nlaw,0.5\n") == [2]
