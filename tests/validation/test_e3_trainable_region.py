"""The trainable region of E3: scores of regions, claims on made-up results, plans, and what can be measured at once."""

import functools
import itertools
import math

import numpy as np
import pytest

from gpdeep.meanfield import depth_scales
from validation.claim import Kind
from validation.e3_trainable_region import EXPERIMENT
from validation.e3_trainable_region.grid import DECAY, cell_specifications, decay_specifications, grid_of, plan
from validation.e3_trainable_region.networks import decay
from validation.e3_trainable_region.region import auc, best_constant, best_factor, half_depth, iou, within
from validation.experiment import Settings, Size
from validation.sweep import Batch, key_of

QUICK = Settings(size=Size.QUICK)
DEPTHS = np.array([4.0, 8.0, 16.0, 32.0])


@functools.cache
def scales_of(phi, sigma_w, sigma_b2):
    return depth_scales(phi, sigma_w=sigma_w, sigma_b=math.sqrt(sigma_b2))


@functools.cache
def specifications(settings):
    units = plan(settings)
    return [s for unit in units for s in (unit.specifications if isinstance(unit, Batch) else [unit.specification])]


def made_up(accuracy, settings=QUICK, rate=1.0):
    """Results in which a network has `accuracy`(L/ξ_c, L, specification); angles shrink at `rate` times theory's."""
    found = []
    for s in specifications(settings):
        scales = scales_of(s["phi"], s["sigma_w"], s["sigma_b2"])
        if s["part"] == "decay":
            predicted = -1 / scales.xi_c
            numbers = {"predicted": predicted, "xi_q": scales.xi_q, "kappa": 1.1}
            found.append({"rate": predicted * rate, "standard_error": 1e-4, **numbers})
        else:
            found.append({"train_accuracy": accuracy(s["depth"] / scales.xi_c, s["depth"], s), "diverged": False})
    return found


def verdicts(results, settings=QUICK):
    return {claim.id: claim.verdict for claim in EXPERIMENT.claims(settings, results)}


def falling(x):
    """Accuracy that falls through one half where x = 1."""
    return 0.1 + 0.8 / (1 + x**4)


# ------------------------------------------------------------------ scores


def test_iou_of_equal_disjoint_and_empty_regions():
    a, none = np.array([True, True, False]), np.zeros(3, bool)
    assert [float(iou(a, a)), float(iou(a, ~a)), float(iou(none, none))] == [1.0, 0.0, 0.0]


def test_best_factor_finds_the_factor_that_made_the_region():
    scale = np.geomspace(1, 6, 30)
    fit = best_factor(scale, DEPTHS, within(scale, DEPTHS, 5.0))
    assert fit.iou == 1.0
    assert fit.value == pytest.approx(5.0, rel=0.05)  # 30 scales by 4 depths leave the factor a few per cent of room


def test_constant_depth_fits_a_rectangle_and_no_triangle():
    rectangle = np.broadcast_to(DEPTHS <= 16, (4, 4))
    assert best_constant(DEPTHS, rectangle).iou == 1.0
    assert best_constant(DEPTHS, rectangle).value == 16
    triangle = within(np.array([1.0, 2.0, 4.0, 8.0]), DEPTHS, 5.0)
    assert best_constant(DEPTHS, triangle).iou < 0.7


def test_half_depth_is_on_a_line_in_the_logarithm_of_depth():
    assert half_depth(DEPTHS, np.array([0.9, 0.7, 0.3, 0.1]), 0.5) == (round(8 * 2**0.5, 9), True)
    assert half_depth(DEPTHS, np.full(4, 0.9), 0.5) == (32.0, False)
    assert half_depth(DEPTHS, np.full(4, 0.1), 0.5) == (4.0, False)


def test_area_is_one_for_the_order_itself_and_one_half_for_none():
    trained = np.array([True, True, False])
    assert auc(np.array([3.0, 2.0, 1.0]), trained) == 1.0
    assert auc(np.ones(3), trained) == 0.5
    assert math.isnan(auc(np.ones(3), np.ones(3, bool)))


# ------------------------------------------------------------------ plans


@pytest.mark.parametrize(("size", "device"), [("smoke", "cpu"), ("quick", "cpu"), ("quick", "cuda"), ("full", "cuda")])
def test_plan_is_the_same_each_time_and_each_network_stands_in_it_once(size, device):
    settings = Settings(size=Size(size), device=device)
    keys = [key_of(s) for s in specifications(settings)]
    assert list(plan(settings)) == list(plan(settings))
    assert len(set(keys)) == len(keys)
    wanted = [*decay_specifications(settings), *cell_specifications(settings)]
    assert {key_of(s) for s in wanted} == set(keys)


def test_members_of_an_ensemble_are_equally_deep_and_wide():
    for unit in plan(Settings(size=Size.FULL, device="cuda")):
        if isinstance(unit, Batch):
            assert len({(s["phi"], s["depth"], s["width"], s["steps"], s["batch"]) for s in unit.specifications}) == 1


def test_keys_know_neither_the_device_nor_where_the_data_lie():
    assert specifications(Settings(data="a/mnist")) == specifications(Settings(data="b/c/mnist/"))
    assert specifications(Settings(data="digits")) != specifications(Settings(data="mnist"))
    by_device = [{key_of(s) for s in specifications(Settings(device=d))} for d in ("cpu", "cuda")]
    assert by_device[0] == by_device[1]


def test_full_reaches_depth_500():
    sheets = grid_of(Size.FULL).sheets
    assert max(max(sheet.depths) for sheet in sheets) == 500
    assert {sheet.phi for sheet in sheets} == {"tanh", "erf"}


# ------------------------------------------------------------------ claims


def test_networks_that_obey_the_theory_meet_every_bar():
    found = verdicts(made_up(lambda x, depth, s: falling(x / 6)))
    assert {found[f"E3.tanh.{name}"] for name in ("iou", "margin", "factor", "l50", "rank")} == {"MET"}
    assert {found[f"E3.decay.{w}"] for w in ("0.8", "1", "1.1")} == {"AGREE"}
    assert found["E3.tanh.control"] == found["E3.decay.control"] == "REFUSED"


def test_networks_that_only_know_their_depth_miss_the_bars():
    found = verdicts(made_up(lambda x, depth, s: falling(depth / 30)))
    assert found["E3.tanh.iou"] == found["E3.tanh.margin"] == found["E3.tanh.rank"] == "MISSED"


def test_networks_that_train_three_times_as_deep_miss_the_factor():
    found = verdicts(made_up(lambda x, depth, s: falling(x / 18)))
    assert found["E3.tanh.iou"] == found["E3.tanh.factor"] == found["E3.tanh.l50"] == "MISSED"


def test_angles_that_shrink_five_per_cent_too_fast_disagree():
    found = verdicts(made_up(lambda x, depth, s: falling(x / 6), rate=1.05))
    assert {found[f"E3.decay.{w}"] for w in ("0.8", "1", "1.1")} == {"DISAGREE"}


def test_a_cell_is_judged_by_its_best_learning_rate():
    rates = grid_of(Size.QUICK).rates
    good = made_up(lambda x, depth, s: falling(x / 6) if s["lr"] == rates[depth % 3] else 0.1)
    assert verdicts(good)["E3.tanh.iou"] == "MET"


def test_a_sheet_with_an_empty_cell_is_not_judged_and_one_seed_less_is():
    results = made_up(lambda x, depth, s: falling(x / 6))
    cell = ("train", 4, 0.8, 0.05)
    where = [
        i
        for i, s in enumerate(specifications(QUICK))
        if s["part"] == "train" and (s["part"], s["depth"], s["sigma_w"], s["lr"]) == cell
    ]
    results[where[0]] = None
    assert verdicts(results)["E3.tanh.iou"] == "MET"
    results[where[1]] = None
    assert verdicts(results)["E3.tanh.iou"] == "INCONCLUSIVE"


def test_smoke_asserts_nothing_about_training():
    settings = Settings(size=Size.SMOKE)
    claims = EXPERIMENT.claims(settings, made_up(lambda x, depth, s: 0.1, settings))
    assert [claim.kind for claim in claims if "tanh" in claim.id] == [Kind.REPORT]


# ------------------------------------------------------------------ measured


def test_measured_depth_scales_agree_with_theory():
    settings = Settings(size=Size.SMOKE)
    results = [None] * len(specifications(settings))
    units = plan(settings)
    for i, unit in enumerate(itertools.takewhile(lambda unit: not isinstance(unit, Batch), units)):
        assert unit.function == DECAY
        results[i] = decay(unit.specification, **unit.settings)
    found = verdicts(results, settings)
    assert {found[f"E3.decay.{w}"] for w in ("0.8", "1", "1.1")} == {"AGREE"}
    assert found["E3.decay.control"] == "REFUSED"


@pytest.mark.usefixtures("one_thread")
def test_shallow_networks_train_and_each_as_if_alone():
    pytest.importorskip("torch")
    from validation.e3_trainable_region.networks import train_cells

    one = cell_specifications(Settings(size=Size.SMOKE))[2] | {"width": 32, "steps": 60}
    fast, slow = train_cells([one, one | {"lr": 1e-4}], device="cpu", data="digits")
    assert fast.values["train_accuracy"] > slow.values["train_accuracy"] + 0.2
    assert not fast.diverged
    (alone,) = train_cells([one], device="cpu", data="digits")
    assert alone.values == fast.values


def test_a_theory_that_meets_all_bars_though_it_is_wrong_is_seen():
    """Networks that train to 18 ξ_c: then the theory of 18 ξ_c, one of the controls, is right and not refused."""
    assert verdicts(made_up(lambda x, depth, s: falling(x / 18)))["E3.tanh.control"] == "NOT REFUSED"
