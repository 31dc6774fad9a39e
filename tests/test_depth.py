"""The main job: degeneracy depth, its inverse, and where the initial angle comes from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from gpdeep import Architecture, DomainError, InfeasibleError, activation, find_width, load, predict_depth
from gpdeep.depth.search import MOST_TRIED
from gpdeep.finite import angle_law

# Degeneracy depth for threshold -4 from a right angle, at confidence 1/2 and 0.9: an independent implementation of
# the grid, whose cumulants were third order in 1/n: up to width 24 it is a layer short where the probability crosses
# the confidence flatly (400,000 samples of the exact chain put P(x_23 ≥ -4) at 0.5017 ± 0.0008 for width 24).
TABLE = [(16, 17, 7), (24, 22, 10), (32, 26, 13), (64, 36, 19), (128, 44, 25), (512, 54, 38), (1024, 56, 43)]


@pytest.mark.parametrize(("width", "half", "most"), TABLE)
def test_degeneracy_depth_against_an_independent_table(width: int, half: int, most: int) -> None:
    slack = 1 if width <= 24 else 0
    for confidence, expected in ((0.5, half), (0.9, most)):
        answer = predict_depth(f"784,{width}x60,10", confidence=confidence).degeneracy_depth
        assert abs(answer.finite - expected) <= slack
        assert answer.infinite == 58
        assert answer.reached


def test_negative_control_another_threshold_gives_another_depth() -> None:
    assert predict_depth("784,64x60,10", threshold=-3).degeneracy_depth.finite != 36


def test_depth_is_the_last_layer_whose_probability_is_high_enough() -> None:
    answer = predict_depth("784,48x60,10", confidence=0.7)
    above = answer.law.above
    depth = answer.degeneracy_depth.finite
    assert above[depth - 1] >= 0.7 > above[depth]


def test_reached_is_false_where_inputs_are_still_told_apart() -> None:
    assert predict_depth("784,128x5,10").degeneracy_depth.reached is False


def test_no_layer_is_good_enough() -> None:
    assert predict_depth("784,4x5,10", threshold=-1e-9).degeneracy_depth.finite == 0


def test_input_and_output_dimension_do_not_enter() -> None:
    first, second = predict_depth("784,16x5,10"), predict_depth("3,16x5,1000")
    np.testing.assert_array_equal(first.law.mean, second.law.mean)


def test_width_found_is_the_smallest() -> None:
    answer = find_width("784,?x20,10")
    assert answer.degeneracy_depth.finite == 20
    assert predict_depth(f"784,{answer.width - 1}x20,10").degeneracy_depth.finite < 20
    assert answer.architecture == "784,?x20,10"


def test_width_below_eight_is_found_by_sampling() -> None:
    answer = find_width(3, confidence=0.5)
    assert answer.width < 8
    assert answer.law.method == "chain"


def test_mixed_architecture_with_one_unknown() -> None:
    assert find_width("784,64,?x10,32,10").width > 1


def test_depth_beyond_infinite_width_is_infeasible_and_says_the_limit() -> None:
    with pytest.raises(InfeasibleError, match="58"):
        find_width(70)


def test_a_search_that_cannot_succeed_tries_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpdeep.depth.predict.angle_law", None)
    with pytest.raises(InfeasibleError, match="58"):
        predict_depth("64,?x100000,10")


def test_a_method_without_probabilities_says_so_however_deep_the_network() -> None:
    with pytest.raises(DomainError, match="jakub-nica"):
        predict_depth("784,?x500,10", method="jakub-nica")


def test_a_search_tells_how_many_widths_it_has_tried() -> None:
    told: list[tuple[int, int]] = []
    find_width(50, progress=lambda tried, most: told.append((tried, most)))
    assert [tried for tried, _ in told] == list(range(1, len(told) + 1))
    assert 8 < len(told) <= MOST_TRIED
    assert {most for _, most in told} == {MOST_TRIED}


@pytest.mark.parametrize(("depth", "threshold"), [(20, -1.0), (96, -2.5), (200, -4.0)])
def test_where_no_width_is_tried_none_is_enough(depth: int, threshold: float) -> None:
    """The bound on what chance can do, against the law at widths about its best one, t = D/c with c = 2."""
    short = threshold - predict_depth(f"1,8x{depth},1", threshold=threshold).infinite.log_sin2[-1]
    best = max(1, round(2 * depth / short))
    widths = {max(1, round(best * factor)) for factor in (0.25, 0.5, 1.0, 2.0, 4.0)}
    chance = max(predict_depth(f"1,{n}x{depth},1", threshold=threshold).law.above[-1] for n in widths)
    bound = float(ndtr(-0.9 * short**0.5))
    assert short > 1.0
    assert chance < bound
    with pytest.raises(InfeasibleError, match="No width lets"):
        find_width(depth, threshold=threshold, confidence=1.01 * bound)
    with pytest.raises(InfeasibleError, match="No width up to"):
        find_width(depth, threshold=threshold, confidence=0.99 * bound)


@pytest.mark.parametrize("bad", ["784,128,10", True, 3.5, None])
def test_find_width_refuses_what_has_no_unknown(bad: object) -> None:
    with pytest.raises(DomainError):
        find_width(bad)  # type: ignore[arg-type]


def test_angles_of_data_are_mixed(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((300, 40))
    np.save(tmp_path / "x.npy", x)
    answer = predict_depth("40,32x10,10", data=tmp_path / "x.npy")
    assert answer.initial_angle.pairs == 2000
    # independent directions in 40 dimensions: right angles with a spread of 1/√40, here within 10 %
    assert abs(answer.initial_angle.mean - np.pi / 2) < 0.02
    np.testing.assert_allclose(answer.initial_angle.std, 40**-0.5, rtol=0.1, atol=0)
    # the first layer's variance holds the spread of the angles: the mixture is wider than its mean angle's law
    assert answer.law.std[0] > angle_law([32] * 10, answer.initial_angle.mean).std[0]


def test_identical_samples_count_as_collapsed() -> None:
    x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    answer = predict_depth("2,64x2,1", data=x, centre=False)
    # one of the three pairs is identical
    np.testing.assert_allclose(answer.law.survival, 2 / 3, rtol=1e-12, atol=0)
    np.testing.assert_allclose(answer.law.collapsed, 1 / 3, rtol=1e-12, atol=0)


def test_feature_count_must_fit(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="2 features"):
        predict_depth("3,8,1", data=np.eye(4, 2))


@pytest.mark.parametrize(
    "options",
    [
        {"angle": 1.0, "data": np.eye(3)},
        {"angle": 0.0},
        {"angle": np.nan},
        {"angle": 4.0},
        {"confidence": 0.0},
        {"confidence": 1.0},
        {"confidence": np.nan},
        {"threshold": np.inf},
        {"threshold": 4.0},  # ln sin² is never positive: the minus is missing
        {"threshold": 0.0},
        {"method": "brute"},
        {"seed": -1},
        {"seed": 1.5},
        {"samples": 0},
    ],
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(DomainError):
        predict_depth("3,4x3,1", **options)  # type: ignore[arg-type]


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("text", "phi", "sigma_w", "sigma_b", "weights"),
    [
        ("600,res(600x6,alpha=0.9,beta=0.5),10", "relu", None, 0.0, "gaussian"),
        ("600,ln(600x6),10", "tanh", 1.5, 0.2, "gaussian"),
        ("600,600x6,10", "tanh", 1.5, 0.2, "orthogonal"),
        ("600,600x2,res(600x2,alpha=1,beta=0.5),ln(600x2),10", "gelu", 1.4, 0.1, "gaussian"),
    ],
)
def test_every_wiring_is_answered_and_near_infinite_width(text, phi, sigma_w, sigma_b, weights) -> None:
    net = replace(Architecture.parse(text), phi=activation(phi), sigma_w=sigma_w, sigma_b=sigma_b, weights=weights)
    answer = predict_depth(net, angle=1.0, samples=1000)
    assert answer.law.method == "chain"
    assert answer.options["weights"] == weights
    # Each layer adds one or two 1/n to the mean: 6 layers of 600 give some 0.02; sampling adds std/√1000 < 0.005.
    np.testing.assert_allclose(answer.law.mean, answer.infinite.log_sin2, rtol=0, atol=0.035)
    if "(" in text:  # negative control: the same network without its blocks
        plain = replace(net, blocks=Architecture.parse("1,600x6,1").blocks)
        other = predict_depth(plain, angle=1.0, samples=10).infinite.log_sin2
        assert np.abs(other - answer.infinite.log_sin2).max() > 0.04


def test_missing_sigma_w_points_at_the_edge_of_chaos() -> None:
    net = replace(Architecture.parse("3,8x2,1"), phi=activation("tanh"))
    with pytest.raises(DomainError, match="sigma_w") as caught:
        predict_depth(net)
    assert "gpdeep eoc" in caught.value.change


def test_width_of_a_normalised_network_is_found_and_two_neurons_are_the_least() -> None:
    answer = find_width(Architecture.parse("9,ln(?x3),1"), threshold=-6.0, samples=500)
    assert answer.width >= 2
    assert answer.degeneracy_depth.finite == 3


def test_search_by_sampling_gives_up_where_infinite_width_is_not_enough() -> None:
    net = replace(Architecture.parse("9,?x20,1"), phi=activation("tanh"), sigma_w=0.5, sigma_b=0.5)
    with pytest.raises(InfeasibleError, match="infinite width"):
        find_width(net, samples=20)


def test_orthogonal_weights_keep_the_angles_of_a_linear_network() -> None:
    net = replace(Architecture.parse("8,8x5,1"), phi=activation("identity"), weights="orthogonal")
    answer = predict_depth(net, angle=1.0, samples=100)
    # rotations, each some rounding units
    np.testing.assert_allclose(answer.law.mean, 2 * np.log(np.sin(1.0)), rtol=0, atol=1e-12)
    gaussian = predict_depth(replace(net, weights="gaussian"), angle=1.0, samples=100)
    assert gaussian.law.std[0] > 0.01  # negative control


def test_method_without_a_law_gives_no_depth() -> None:
    answer = predict_depth("3,64x5,1", method="jakub-nica")
    assert answer.degeneracy_depth.finite is None
    assert answer.to_dict()["finite"]["log_sin2_std"] == [None] * 5


@pytest.mark.statistical
def test_biases_change_the_angle_as_at_infinite_width() -> None:
    net = Architecture.parse("784,400x4,10")
    biased = Architecture(net.inputs, net.blocks, net.outputs, sigma_w=1.2, sigma_b=0.5)
    answer = predict_depth(biased, samples=2000)
    plain = predict_depth(net)
    # At width 400 the mean differs from infinite width by O(4/400); the bias moves it by half a nat.
    np.testing.assert_allclose(answer.law.mean, answer.infinite.log_sin2, rtol=0, atol=0.05)
    assert np.abs(answer.law.mean[-1] - plain.law.mean[-1]) > 0.4


def test_infinite_width_with_bias_against_the_kernel_recursion() -> None:
    mpmath = pytest.importorskip("mpmath", reason="the exact extra is not installed")
    mpmath.mp.dps = 40
    sw2, sb2 = mpmath.mpf("1.44"), mpmath.mpf("0.25")
    q, k = sw2 + sb2, sb2  # inputs at a right angle
    expected = []
    for _ in range(4):
        theta = mpmath.acos(k / q)
        cov = q * (mpmath.sin(theta) + (mpmath.pi - theta) * mpmath.cos(theta)) / (2 * mpmath.pi)
        expected.append(mpmath.log(1 - (cov / (q / 2)) ** 2))
        q, k = sw2 * q / 2 + sb2, sw2 * cov + sb2
    net = Architecture.parse("784,64x4,10")
    biased = Architecture(net.inputs, net.blocks, net.outputs, sigma_w=1.2, sigma_b=0.5)
    # four layers, each a few roundings of quantities of order one
    np.testing.assert_allclose(
        predict_depth(biased, samples=10).infinite.log_sin2, np.array(expected, float), rtol=1e-13, atol=0
    )


def test_predictions_of_the_first_version_are_read(tmp_path: Path) -> None:
    answer = predict_depth("1,16x3,1")
    file = answer.save(tmp_path / "answer.json")
    text = file.read_text()
    home = "gpdeep:DepthPrediction"
    assert home in text
    file.write_text(text.replace(home, "gpdeep.depth:DepthPrediction"))  # where 0.1.0 had the class
    assert load(file) == answer
    file.write_text(text.replace(home, "gpdeep.width:DepthPrediction"))
    with pytest.raises(DomainError, match="gpdeep result"):
        load(file)


def test_save_and_load(tmp_path: Path) -> None:
    answer = predict_depth("784,16x5,10")
    again = load(answer.save(tmp_path / "answer.json"))
    assert again == answer
    assert str(again) == str(answer)
    assert again.to_dict() == answer.to_dict()
