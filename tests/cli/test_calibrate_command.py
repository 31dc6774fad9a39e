"""``gpdeep calibrate``: thresholds that runs of one's own give, with intervals that hold them."""

import json
import math

import numpy as np
import pytest

from gpdeep import DomainError, InfeasibleError, load
from gpdeep.cli import run
from gpdeep.depth import calibrate, read_runs
from gpdeep.depth.calibration import _fitted, _interval

DEPTHS = (2, 4, 8, 12, 16, 24, 32, 48, 64, 96)
NAMES = [f"64,32x{depth},10" for depth in DEPTHS]


def simulated(rng, x, threshold, scale):
    return rng.random(len(x)) < 1 / (1 + np.exp(-(x - threshold) / scale))


@pytest.mark.statistical
def test_intervals_hold_the_threshold_as_often_as_they_say():
    """300 sets of 60 runs at 90 %: 270 expected; fewer than 249 or more than 289 has a probability of 1e-4 each."""
    rng, x, held = np.random.default_rng(0), np.linspace(-8, -0.5, 60), 0
    for _ in range(300):
        good = simulated(rng, x, -4.0, 1.0)
        best, t, _, _ = _fitted(x, good)
        low, high = _interval(x, good, best, t, 0.9)
        held += (low is None or low <= -4) and (high is None or high >= -4)
    assert 249 <= held <= 289


def test_a_wrong_threshold_falls_out_of_the_interval():
    """The negative control: with 600 runs the interval does not hold a threshold one unit off."""
    rng, x = np.random.default_rng(1), np.linspace(-8, -0.5, 600)
    good = simulated(rng, x, -4.0, 1.0)
    best, t, s, separated = _fitted(x, good)
    low, high = _interval(x, good, best, t, 0.95)
    assert low < -4 < high
    assert not low < -5 < high
    assert not separated
    assert s == pytest.approx(1.0, abs=0.3)  # 4 standard errors, about 0.07 each


def test_fit_is_that_of_a_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    rng, x = np.random.default_rng(2), np.linspace(-8, -0.5, 80)
    good = simulated(rng, x, -4.0, 1.0)
    _, t, s, _ = _fitted(x, good)
    model = LogisticRegression(C=1e10, tol=1e-10).fit(x[:, None], good)
    slope, level = model.coef_[0, 0], model.intercept_[0]
    assert t == pytest.approx(-level / slope, abs=1e-3)
    assert s == pytest.approx(1 / slope, rel=1e-2)


def test_separated_runs_have_the_middle_of_their_gap_and_an_interval_around_it():
    found = calibrate(NAMES, [depth <= 16 for depth in DEPTHS])
    assert found.separated
    x = dict(zip(DEPTHS, found.log_sin2, strict=True))
    assert found.threshold == pytest.approx((x[16] + x[24]) / 2, rel=1e-12)
    assert found.low <= x[24]
    assert found.high >= x[16]
    assert found.status.code == "ok"


def test_accuracies_are_cut_half_way_unless_said_otherwise():
    accuracy = np.linspace(0.95, 0.1, len(DEPTHS))
    assert calibrate(NAMES, accuracy).options["cut"] == pytest.approx(0.525)
    assert calibrate(NAMES, accuracy, cut=0.9).trained.sum() == 1


def test_runs_that_tell_nothing_say_so():
    found = calibrate(NAMES, [depth % 8 == 0 for depth in DEPTHS])
    assert found.status.code == "outside_validity"
    backwards = calibrate(NAMES, [depth > 16 for depth in DEPTHS])
    assert backwards.status.code == "outside_validity"


def test_no_threshold_without_both_kinds_of_runs():
    for outcome, word in ((True, "All"), (False, "None")):
        with pytest.raises(InfeasibleError, match=word):
            calibrate(NAMES, [outcome] * len(NAMES))


@pytest.mark.parametrize(
    ("names", "outcomes"),
    [
        (NAMES, [1.0]),
        (NAMES[:1], [True]),
        (NAMES[:2], ["a", "b"]),
        (NAMES[:2], [math.nan, 1.0]),
        ([], []),
        (NAMES[:3], [0.97, 95.0, 0.2]),  # a fraction among percentages
        (NAMES[:2], [-0.1, 0.9]),
        (NAMES[:2], [30.0, 101.0]),
    ],
)
def test_bad_runs_are_refused(names, outcomes):
    with pytest.raises(DomainError):
        calibrate(names, outcomes)


def test_percentages_are_fractions():
    fractions = np.where(np.array(DEPTHS) <= 16, 0.9, 0.2)
    assert calibrate(NAMES, 100 * fractions).threshold == calibrate(NAMES, fractions).threshold


def test_the_cut_is_a_number():
    with pytest.raises(DomainError, match="cut"):
        calibrate(NAMES, np.linspace(0.9, 0.1, len(NAMES)), cut=math.nan)


def test_the_result_can_be_kept(tmp_path):
    found = calibrate(NAMES, [depth <= 16 for depth in DEPTHS])
    found.save(tmp_path / "x.json")
    assert load(tmp_path / "x.json") == found


# ------------------------------------------------------------------------------------ the command


def call(capsys, *arguments):
    code = run(["calibrate", *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_trained_and_accuracy_give_one_threshold(folder, capsys):
    trained = [f'"{name}",{int(depth <= 16)}' for name, depth in zip(NAMES, DEPTHS, strict=True)]
    accurate = [f'7,"{name}",{0.9 if depth <= 16 else 0.2}' for name, depth in zip(NAMES, DEPTHS, strict=True)]
    (folder / "a.csv").write_text("\n".join(["architecture,trained", *trained]))
    (folder / "b.csv").write_text("\ufeff" + "\n".join(["seed, architecture, accuracy", *accurate]) + "\n")
    first, second = (json.loads(call(capsys, name, "--json")[1]) for name in ("a.csv", "b.csv"))
    assert first["threshold"] == second["threshold"]
    assert first["inputs"]["runs"] == "a.csv"


def test_table_and_picture(folder, capsys):
    pytest.importorskip("matplotlib")
    lines = [f'"{name}",{depth <= 16}' for name, depth in zip(NAMES, DEPTHS, strict=True)]
    (folder / "a.csv").write_text("\n".join(["architecture,trained", *lines]))
    code, out, _ = call(capsys, "a.csv", "--plot", "a.png")
    assert code == 0
    assert "threshold of ln sin²" in out
    assert (folder / "a.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("text", "says", "code"),
    [
        ("name,accuracy\nx,1", "columns", 2),
        ("architecture,accuracy\n64,32x4,10,0.9", "Line 2", 2),
        ('architecture,accuracy\n"64,32x4,10",good', "Line 2", 2),
        ('architecture,trained\n"64,32x4,10",2', "Line 2", 2),
        ('architecture,trained\n"64,32x4",1\n"64,8,1",0', "64,32x4", 2),
        ('architecture,trained\n"64,32x4,10",1\n"64,32x9,10",1', "All", 1),
        ("", "is empty", 2),
        ("architecture,accuracy\n", "no line", 2),
        ("\0\0\0", "no CSV file", 2),
        ("\udc85\udcff", "no CSV file", 2),
    ],
)
def test_bad_files_are_refused_with_their_line(folder, capsys, text, says, code):
    (folder / "a.csv").write_text(text, errors="surrogateescape")
    found, out, err = call(capsys, "a.csv")
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


def test_a_missing_file_and_a_folder_are_refused(folder, capsys):
    (folder / "runs").mkdir()
    for name in ("none.csv", "runs"):
        code, out, err = call(capsys, name)
        assert (code, out) == (2, "")
        assert err.splitlines()[0].count(f"'{name}'") == 1
        assert "Errno" not in err
    with pytest.raises(OSError, match="none"):
        read_runs("none.csv")
