"""Layer steps follow the representation, weights are carried along, and the callback comes when it should."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import AdaptiveSteps, LeakyResNet, adapt_steps  # noqa: E402

LAYERS, DEPTH, ZONE = 40, 3.0, 0.05
ONE = torch.ones(1, 1, dtype=torch.float64)


def growth(p):
    """ln A_p: a fast zone of the width 0.05 in the middle."""
    return np.tanh((p - 0.5) / ZONE)


def fast_inside(depth=DEPTH):
    """A_p = exp(growth(p) - growth(0)) for φ = id: W = L̃ + growth'(p), at the middles of equal layers."""
    middles = (np.arange(LAYERS) + 0.5) / LAYERS
    W = depth + (1 - growth(middles) ** 2) / ZONE
    return LeakyResNet.from_arrays(
        np.full(LAYERS, 1 / LAYERS), W[:, None, None], depth, activation="identity", bias=0.0, dtype=torch.float64
    )


def unevenness(model):
    """The largest change of ln A over a layer, over the mean."""
    moved = model.representations(ONE.to(model.weights.dtype)).detach().double().flatten().log().diff().abs()
    return (moved.max() / moved.mean()).item()


def test_layers_go_where_the_representation_changes_and_stay_there():
    model = fast_inside()
    before = unevenness(model)
    seen = []
    for _ in range(8):
        steps = adapt_steps(model, ONE, blend=1.0)
        assert abs(steps.sum().item() - 1) < 1e-14  # a rounding per layer
        assert steps.min() > 0
        assert steps.max() * DEPTH < 1
        seen.append(unevenness(model))
    # a floor of 0.15 under the speed is left: the mean speed is 1.15 times the one that counts, and no more
    assert before > 5
    assert max(seen[3:]) < 1.25
    middles = np.cumsum(steps.numpy()) - 0.5 * steps.numpy()
    inside = np.abs(middles - 0.5) < 2 * ZONE
    assert inside.mean() > 0.7  # four zone widths, which held a fifth of the layers, hold most of them


def test_blending_goes_part_of_the_way():
    whole, part = fast_inside(), fast_inside()
    start, aim = part.steps.clone(), adapt_steps(whole, ONE, blend=1.0)
    torch.testing.assert_close(adapt_steps(part, ONE, blend=0.25), 0.75 * start + 0.25 * aim, rtol=1e-13, atol=0)


def test_the_function_survives_where_weights_are_carried_and_jumps_where_not():
    """Both meshes resolve the path to some 1/L of ln A, whose change is 2; without carrying, most of it is lost."""
    model, careless = fast_inside(), fast_inside()
    before = model(ONE).log().item()
    weights = model.weights
    adapt_steps(model, ONE, blend=1.0)
    adapt_steps(careless, ONE, blend=1.0, carry=False)
    assert abs(model(ONE).log().item() - before) < 0.2
    assert abs(careless(ONE).log().item() - before) > 1  # negative control
    assert model.weights is weights
    assert weights.requires_grad
    assert weights.grad is None
    assert not model.steps.requires_grad


def test_the_rule_of_the_paper_is_the_inverse_speed_of_each_layer():
    model = fast_inside()
    A = model.representations(ONE).flatten()
    inverse = model.steps * A[:-1] / A.diff().abs()
    aim = (inverse / inverse.sum()).detach()
    damped = model.steps * (aim / model.steps) ** 0.3
    found = adapt_steps(fast_inside(), ONE, blend=0.3, rule="paper")
    # where A hardly changes, a rounding of A is many of its change
    rtol = 8 * torch.finfo(torch.float64).eps / (A.diff().abs() / A[1:]).min().item()
    torch.testing.assert_close(found, (damped / damped.sum()).detach(), rtol=rtol, atol=0)
    assert rtol < 1e-5
    assert 5.0 * aim.max() > 1  # at this effective depth, the outer layers would be too long, undamped
    limited = adapt_steps(fast_inside(5.0), ONE, blend=1.0, rule="paper")
    assert 5.0 * limited.max() < 0.95 + 1e-12
    assert abs(limited.sum().item() - 1) < 1e-14


def test_float32_and_many_inputs_with_maps():
    model = LeakyResNet(6, 8, 2.0, in_features=3, out_features=2, learn_read_in=True)
    X = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 3)))
    steps = adapt_steps(model, X)
    assert steps.dtype == torch.float32
    assert abs(steps.double().sum().item() - 1) < 1e-6
    assert not torch.equal(steps, torch.full((8,), 1 / 8))
    again = LeakyResNet(6, 8, 2.0, in_features=3, out_features=2)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(X.float()), model(X.float()))


def test_the_callback_comes_every_so_often_in_the_middle():
    model, X = LeakyResNet(4, 6, 2.0), torch.ones(3, 4)
    adaptive = AdaptiveSteps(total=1000, every=100, start=0.25, end=0.7)
    assert [step for step in range(1, 1001) if adaptive(step, model, X)] == [300, 400, 500, 600, 700]
    assert AdaptiveSteps(total=10, every=3, start=0.0, end=1.0).due(9)
    assert not AdaptiveSteps(total=10, every=3, start=0.0, end=1.0).due(10)


def test_a_loop_of_ones_own_goes_on_with_the_same_parameters():
    model, X = fast_inside(), ONE
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    adaptive = AdaptiveSteps(total=60, every=5)
    losses, moved = [], 0
    for step in range(1, 61):
        loss = (model(X).log() - 1.5).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        moved += adaptive(step, model, X)
        losses.append(loss.item())
    assert moved == 7
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "papers"}, "rule = 'papers'"),
        ({"blend": 0.0}, r"blend = 0\.0"),
        ({"blend": 1.5}, r"blend = 1\.5"),
    ],
)
def test_other_rules_and_shares_are_refused(options, message):
    with pytest.raises(DomainError, match=message):
        adapt_steps(fast_inside(), ONE, **options)
    with pytest.raises(DomainError, match=message):
        AdaptiveSteps(total=10, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total": 0}, "total = 0"),
        ({"total": 10, "every": 1.5}, r"every = 1\.5"),
        ({"total": 10, "start": 0.8, "end": 0.2}, r"start = 0\.8 and end = 0\.2"),
    ],
)
def test_other_cadences_are_refused(options, message):
    with pytest.raises(DomainError, match=message):
        AdaptiveSteps(**options)
    with pytest.raises(DomainError, match="inputs have the shape"):
        adapt_steps(fast_inside(), torch.ones(3))
