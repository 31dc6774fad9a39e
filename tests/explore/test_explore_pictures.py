"""Frames stay where they are from one position of a slider to the next, and nothing of a picture is cut off."""

import pytest

pytest.importorskip("matplotlib", reason="the page shows pictures")

from gpdeep.explore.answers import answer
from gpdeep.explore.choices import DESIGNED, Choices, View
from gpdeep.explore.pictures import svg

POSITIONS = [
    Choices(width=16, depth=5),
    Choices(width=4, depth=200, sparsity=0.97, slope=0.3, sigma_w=2.0, sigma_b=2.0),  # ln sin² down to -200, q* = inf
    Choices(width=16, depth=5, activation=DESIGNED, slope=0.97),  # three fixed points: the longest legend
    Choices(width=16, depth=5, activation="selu", sigma_w=3.0, sigma_b=2.0, family="cst", sparsity=0.3),
]


def inches(box, dpi):
    return [round(side / dpi, 6) for side in (box.x0, box.width, box.height)]


@pytest.mark.parametrize("view", View)
def test_frames_stay_and_nothing_is_cut_off(view):
    frames = []
    for choices in POSITIONS:
        for ax in answer(view, choices).pictures:
            page = ax.figure
            assert svg(ax).startswith(b"<?xml")
            frames.append(inches(ax.get_window_extent(), page.dpi))
            parts = [ax.get_legend().get_window_extent(), ax.xaxis.get_tightbbox(), ax.yaxis.get_tightbbox()]
            for part in parts:
                assert page.bbox.x0 <= part.x0
                assert page.bbox.y0 <= part.y0
                assert part.x1 <= page.bbox.x1
                assert part.y1 <= page.bbox.y1
    assert all(frame == frames[0] for frame in frames)
