"""The penalty on slopes in training: its value, the snap rule, the proximal step, optimiser groups, the schedule."""

import copy
import json
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.linearize import (  # noqa: E402
    CaptureWarning,
    TravelTimeWarning,
    clean_step,
    crossing_distance,
    prox_threshold,
    slope_penalty,
    slope_prox,
    travel_time,
)
from gpdeep.nn import LinearityPenalty, LinearizeSchedule, PartialReLU  # noqa: E402

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "linearize_folding.json").read_text())


def bare(slopes):
    """A model whose slopes no loss pulls at."""
    slopes = torch.as_tensor(slopes, dtype=torch.float64)
    return nn.Sequential(PartialReLU(slopes.numel(), slopes))


def descend(model, penalty, s, tau, steps):
    """Plain gradient descent on the penalty with the snap rule; the step at which each unit was frozen."""
    optimizer = torch.optim.SGD(penalty.parameters(), lr=s)
    when = torch.full(model[0].frozen.shape, -1)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        penalty().backward()
        optimizer.step()
        penalty.snap(tau)
        when[(when < 0) & model[0].frozen] = step
    return when


# ------------------------------------------------------------------------------------------- value


def test_value_and_gradient_are_those_of_the_formula():
    stored = REFERENCE["penalty"]
    model = bare(stored["slopes"])
    value = LinearityPenalty(model)()
    value.backward()
    eps = np.finfo(float).eps
    np.testing.assert_allclose(value.item(), sum(stored["values"]), rtol=4 * eps)
    np.testing.assert_allclose(model[0].alpha.grad, stored["derivatives"], rtol=4 * eps)


def test_mean_divides_by_the_number_of_channels_whatever_has_a_slope():
    x = {"channel": None, "layer": (1,), "unit": (4, 2, 5)}
    for shape in x.values():
        model = nn.Sequential(PartialReLU(4, 0.75, shape=shape), PartialReLU(6, 0.0))
        assert LinearityPenalty(model)().item() == pytest.approx(4 * 0.5 + 6, rel=1e-6)
        assert LinearityPenalty(model, reduction="mean")().item() == pytest.approx(0.8, rel=1e-6)


def test_factors_of_modules_by_name():
    model = nn.Sequential(PartialReLU(4), PartialReLU(6))
    assert LinearityPenalty(model, weights={"1": 0.5})().item() == 7.0
    assert LinearityPenalty(model, p=0.3, weights={"0": 2.0}).coefficient("0") == 2.0


def test_frozen_units_and_slopes_of_exactly_one_do_not_enter():
    model = bare([0.0, 0.5, 1.0, 2.0])
    model[0].freeze(torch.tensor([True, False, False, False]))
    value = LinearityPenalty(model)()
    value.backward()
    assert value.item() == pytest.approx(0.5**0.5 + 1)
    assert model[0].alpha.grad.isfinite().all()
    assert model[0].alpha.grad[[0, 2]].tolist() == [0.0, 0.0]
    assert model[0].alpha.grad[3] > 0  # pulled down from above


def test_value_is_that_of_numpy():
    slopes = np.random.default_rng(0).normal(size=20)
    for p in (0.3, 0.5, 1.0):
        np.testing.assert_allclose(LinearityPenalty(bare(slopes), p)().item(), slope_penalty(slopes, p), rtol=1e-14)


# ------------------------------------------------------------------------------------------- snap


@pytest.mark.parametrize("p", [0.3, 0.5, 0.8])
def test_every_unit_is_caught_after_its_travel_time(p):
    """With the flow's time to the edge of the window, and at most a logarithm more (`test_sparsity_prior`)."""
    start, tau = np.array([0.0, 0.2, 0.5, 0.9]), 0.05
    s = 0.5 * clean_step(tau, p)
    model = bare(start)
    when = descend(model, LinearityPenalty(model, p), s, tau, int(travel_time(0.0, s, p) * 1.2) + 5).numpy()
    least = travel_time(start, s, p) - travel_time(1 - tau, s, p)
    assert (when >= least - 1e-6).all()
    assert (when <= least + (1 - p) * np.log((1 - start) / tau) + 2).all()
    assert torch.equal(model[0].channel_slopes(), torch.ones(4, dtype=torch.float64))


def test_a_unit_that_crosses_one_is_frozen_and_no_other():
    s = 0.1
    edge = crossing_distance(s)
    model = bare([1 - 0.99 * edge, 1 - 1.01 * edge, 1 + 0.99 * edge])
    penalty = LinearityPenalty(model)
    when = descend(model, penalty, s, 1e-6, 1)
    assert when.tolist() == [1, -1, 1]


def test_without_the_sign_rule_it_would_not_have_been():
    """Negative control: the threshold alone leaves it on the other side."""
    s, tau = 0.1, 1e-6
    z = 0.99 * crossing_distance(s)
    after = z - s * 0.5 * z**-0.5
    assert after < -tau


def test_a_sign_change_while_the_penalty_was_off_counts_for_nothing():
    model = bare([0.5, 0.5])
    penalty = LinearityPenalty(model)
    with torch.no_grad():
        model[0].alpha[0] = 1.5  # training without the penalty
    penalty()  # it is switched on
    assert penalty.snap() == 0
    with torch.no_grad():
        model[0].alpha[0] = 0.9
    assert penalty.snap() == 1


def test_frozen_units_are_out_of_the_game():
    model = nn.Sequential(nn.Linear(3, 5), PartialReLU(5), nn.Linear(5, 1))
    penalty = LinearityPenalty(model)
    optimizer = torch.optim.SGD(penalty.groups(lr=0.5, momentum=0.9), lr=0.01)
    model[1].freeze(torch.tensor([True, False, False, False, False]))
    x = torch.randn(20, 3)
    for _ in range(50):
        optimizer.zero_grad()
        (model(x).square().mean() + 0.05 * penalty()).backward()
        optimizer.step()
        penalty.snap()
        assert model[1].alpha[0] == 1
    assert model[1].frozen.all()
    assert penalty().item() == 0
    assert penalty.snap() == 0


def test_the_state_of_a_run_is_in_the_model():
    model = bare([0.9, 0.0])
    penalty = LinearityPenalty(model)
    penalty.snap(0.2)
    again = copy.deepcopy(model)
    fresh = bare([0.0, 0.0])
    fresh.load_state_dict(model.state_dict())
    for other in (again, fresh):
        assert LinearityPenalty(other)().item() == penalty().item() == 1.0


# ------------------------------------------------------------------------------------------- proximal step


@pytest.mark.parametrize("p", [0.5, 0.75])
def test_prox_step_is_the_minimiser_with_each_units_weight(p):
    slopes = np.random.default_rng(1).normal(size=50)
    model = nn.Sequential(
        PartialReLU(50, torch.tensor(slopes)), PartialReLU(3, torch.full((1,), 0.5).double(), shape=(1,))
    )
    penalty = LinearityPenalty(model, p)
    count = penalty.prox_step(0.04)
    expected = slope_prox(1 - slopes, 0.04, p)
    np.testing.assert_allclose(1 - model[0].alpha.detach().numpy(), expected, rtol=0, atol=4e-16)
    np.testing.assert_allclose(1 - model[1].alpha.item(), slope_prox(0.5, 0.12, p), rtol=1e-14)  # 3 channels
    zeros = np.abs(1 - slopes) <= prox_threshold(0.04, p)
    assert model[0].frozen.numpy().tolist() == zeros.tolist()
    assert count == zeros.sum() > 0


def test_prox_step_without_freezing_lets_the_loss_bring_units_back():
    model = bare([0.99])
    penalty = LinearityPenalty(model)
    assert penalty.prox_step(0.01, freeze=False) == 1
    assert model[0].alpha.item() == 1.0
    assert not model[0].frozen.any()


def test_prox_steps_arrive_after_the_travel_time():
    s = 1e-3
    model = bare([0.0])
    penalty, steps = LinearityPenalty(model), 0
    while not model[0].frozen.all():
        penalty.prox_step(s)
        steps += 1
    # an implicit step is faster than the flow by what an explicit one is slower; it ends at the threshold
    least = travel_time(0.0, s) - travel_time(1 - float(prox_threshold(s)), s)
    assert least - np.log(1 / prox_threshold(s)) - 2 <= steps <= least + 2


# ------------------------------------------------------------------------------------------- optimiser, schedule


def test_groups_hold_every_parameter_once_and_slopes_without_decay():
    model = nn.Sequential(nn.Linear(3, 5), PartialReLU(5), nn.BatchNorm1d(5), nn.Linear(5, 1))
    penalty = LinearityPenalty(model)
    groups = penalty.groups(lr=0.5, momentum=0.0)
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=5e-4)
    slopes = optimizer.param_groups[1]
    assert slopes["params"] == penalty.parameters() == [model[1].alpha]
    assert (slopes["lr"], slopes["weight_decay"], slopes["momentum"]) == (0.5, 0.0, 0.0)
    known = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(known) == sorted(id(p) for p in model.parameters())
    assert optimizer.param_groups[0]["weight_decay"] == 5e-4


def test_the_schedule_is_a_half_open_window():
    schedule = LinearizeSchedule(omega=0.1, start=2, stop=4, tau=0.05)
    assert [schedule.weight(t) for t in (0, 1.99, 2, 3.5, 4, 9)] == [0, 0, 0.1, 0.1, 0, 0]
    model = bare([0.97])
    penalty = LinearityPenalty(model)
    assert schedule.after_step(1, penalty) == 0
    assert schedule.after_step(3, penalty) == 1
    assert schedule.after_step(5, penalty) == 0
    assert model[0].frozen.all()  # for good


def test_a_loop_as_documented_linearises_some_units_and_keeps_them():
    model = nn.Sequential(nn.Linear(4, 32), PartialReLU(32), nn.Linear(32, 1))
    x = torch.randn(64, 4)
    y = x.abs().sum(1, keepdim=True)
    penalty = LinearityPenalty(model)
    optimizer = torch.optim.SGD(penalty.groups(lr=0.5, momentum=0.0), lr=0.02, momentum=0.9)
    schedule = LinearizeSchedule(omega=0.02, start=50, stop=250)
    counts = []
    for step in range(300):
        loss = (model(x) - y).square().mean() + schedule.weight(step) * penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.after_step(step, penalty)
        counts.append(int(model[1].frozen.sum()))
    assert counts[49] == 0
    assert 0 < counts[249] == counts[-1]
    assert all(a <= b for a, b in pairwise(counts))


def test_the_check_warns_of_windows_that_do_nothing_and_of_jumps():
    model = nn.Sequential(PartialReLU(10))
    penalty = LinearityPenalty(model)
    late = LinearizeSchedule(omega=0.002, start=20, stop=40)
    with pytest.warns(TravelTimeWarning, match="640 steps, and a typical unit needs 1,333"):
        late.check(penalty, lr=0.5, steps=32)
    with pytest.warns(TravelTimeWarning):
        late.check(LinearityPenalty(model, reduction="mean"), lr=4.0, steps=32)
    with pytest.warns(CaptureWarning, match="0.05, above the 0.004"):
        LinearizeSchedule(omega=0.1).check(penalty, lr=0.5, steps=32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        late.check(penalty, lr=0.5, steps=67)  # 4/3
        late.check(penalty, lr=0.5, steps=32, momentum=0.55)
        LinearizeSchedule(omega=0.0).check(penalty, lr=0.5)
        model[0].freeze(True)
        late.check(penalty, lr=0.5, steps=1)  # nothing is left to travel


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearityPenalty(nn.Linear(2, 2)), "no PartialReLU"),
        (lambda: LinearityPenalty("model"), "torch.nn.Module"),
        (lambda: LinearityPenalty(bare([0.0]), p=2.0), "p = 2.0"),
        (lambda: LinearityPenalty(bare([0.0]), reduction="max"), "'max'"),
        (lambda: LinearityPenalty(bare([0.0]), weights={"1": 1.0}), "names '1'"),
        (lambda: LinearityPenalty(bare([0.0]), weights={"0": -1.0}), "weights"),
        (lambda: LinearityPenalty(bare([0.0])).snap(0.0), "tau"),
        (lambda: LinearityPenalty(bare([0.0])).prox_step(-1.0), "t = "),
        (lambda: LinearityPenalty(bare([0.0])).groups(lr=-1.0), "lr"),
        (lambda: LinearizeSchedule(omega=-1.0), "omega"),
        (lambda: LinearizeSchedule(omega=1.0, start=3, stop=3), "stop"),
        (lambda: LinearizeSchedule(omega=1.0, tau=2.0), "tau"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(DomainError, match=message) as caught:
        make()
    assert "to change:" in str(caught.value)
