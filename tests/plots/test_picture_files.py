"""Pictures are written whole or not at all, and touch nothing but their own axis."""

import subprocess
import sys

import pytest

from gpdeep import DomainError, MissingExtraError
from gpdeep.plots import plot_angle_law, save_figure

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("b.PDF", b"%PDF"), ("c.svg", b"<?xml")])
def test_saved_figure_is_of_the_named_format(law, tmp_path, name, start):
    path = save_figure(plot_angle_law(law), tmp_path / name)
    assert path == tmp_path / name
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a", "a.jpg", "png", "a.png.txt"])
def test_unknown_formats_are_refused_in_three_parts(law, tmp_path, name):
    with pytest.raises(DomainError, match=r"likely cause[\s\S]*\.png, \.pdf, \.svg"):
        save_figure(plot_angle_law(law), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_writing_fails(law, tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(DomainError, match=r"a\.png"):
        save_figure(plot_angle_law(law), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_neither_pyplot_nor_global_settings_are_touched(tmp_path):
    code = (
        "import sys, matplotlib\n"
        "def settings(): return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = settings()\n"  # without the backend, which would be chosen by being looked at
        "from gpdeep.plots import plot_lengths, save_figure\n"
        "from gpdeep.finite import length_law\n"
        "save_figure(plot_lengths(length_law([8] * 3)), sys.argv[1])\n"
        "print('matplotlib.pyplot' in sys.modules, settings() == before)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    answer = subprocess.run([*command, str(tmp_path / "a.svg")], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "True"]


def test_missing_matplotlib_names_the_extra(monkeypatch, law):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"gpdeep\[plot\]"):
        plot_angle_law(law)
