"""Networks that are trained together are trained as each would be alone, by the rules that are written down."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the experiments train networks")

import torch.nn.functional as F  # noqa: E402

from gpdeep.data import LabelledSplit  # noqa: E402
from gpdeep.nn.linearising.linearity_penalty import LinearityPenalty  # noqa: E402
from gpdeep.nn.modules.partial_relu import PartialReLU  # noqa: E402
from validation.nonlinear_advantage.channel_slopes import ChannelSlopes  # noqa: E402
from validation.nonlinear_advantage.design import Design, Member  # noqa: E402
from validation.nonlinear_advantage.network import Stack  # noqa: E402
from validation.nonlinear_advantage.snapping import caught, pull  # noqa: E402
from validation.nonlinear_advantage.training import Descent, sample_order, train  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = Design(epochs=12, steps_per_epoch=4, hidden_layers=3, width=8, batch=16)
OMEGA = 0.5  # travel time 5 steps of the 16 in a window
PARAMETERS = ("first", "hidden", "head", "offset", "gain", "shift", "slopes")


def blobs(seed, samples=100):
    """Three classes of ten numbers."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2 * samples, 10)), np.arange(2 * samples) % 3
    x += 2 * np.eye(10)[y]
    return LabelledSplit(x[:samples], y[:samples], x[samples:], y[samples:], 3)


DATA = {seed: blobs(seed) for seed in range(3)}
FIVE = [Member(0, "active"), Member(1, "early", OMEGA), Member(0, "late", OMEGA), Member(2, "linear")]
FIVE += [Member(0, "early", 0.3)]


def numbers(stack, i):
    """All that member `i` has learnt."""
    members = stack.slopes.shape[0]
    running = [s.view(len(s), members, -1)[:, i] for s in (stack.mean, stack.var)]
    return [*(getattr(stack, name).detach()[i] for name in PARAMETERS), *running]


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_member_alone_is_bitwise_the_member_among_others_wherever_it_stands():
    outcomes, stack = train("t", DATA, FIVE, SMALL)
    turned, turned_stack = train("t", DATA, FIVE[::-1], SMALL)
    assert turned == outcomes[::-1]
    for i, member in enumerate(FIVE):
        (alone,), lonely = train("t", {member.seed: DATA[member.seed]}, [member], SMALL)
        assert alone == outcomes[i]
        assert same(numbers(lonely, 0), numbers(stack, i))
        assert same(numbers(turned_stack, 4 - i), numbers(stack, i))
    # the control: another seed, and another penalty of the same seed, are other networks
    assert not same(numbers(stack, 0), numbers(stack, 3))
    assert not same(numbers(stack, 0), numbers(stack, 4))


def test_full_size_members_are_bitwise_independent():
    design = Design(epochs=1, steps_per_epoch=3)
    five = [Member(0, "early", omega) for omega in (0.5, 1.0, 1.5, 2.0)] + [Member(0, "active")]
    _, stack = train("t", DATA, five, design)
    for i in (0, 4):
        _, lonely = train("t", DATA, five[i : i + 1], design)
        assert same(numbers(lonely, 0), numbers(stack, i))


def test_arms_of_a_seed_are_one_network_until_their_windows_open():
    members = [Member(0, "late", OMEGA), Member(0, "active")]
    stack = Stack("t", members, SMALL, 10, 3)
    descent = Descent(stack, members, SMALL)
    x, y = torch.from_numpy(DATA[0].train_x.astype(np.float32)), torch.from_numpy(DATA[0].train_y)
    opens = SMALL.window("late").start
    for step, batch in enumerate(sample_order("t", 0, 100, SMALL)[: opens + 1]):
        assert same(numbers(stack, 0), numbers(stack, 1)), step
        descent.step(step, x[batch].T.expand(2, -1, -1), y[batch].expand(2, -1))
    assert not same(numbers(stack, 0), numbers(stack, 1))


def test_samples_come_once_a_pass_and_by_what_the_run_is():
    order = sample_order("t", 0, 100, SMALL)
    assert order.shape == (48, 16)
    np.testing.assert_array_equal(np.sort(order.ravel()[:100]), np.arange(100))
    np.testing.assert_array_equal(np.sort(order.ravel()[100:200]), np.arange(100))
    assert not np.array_equal(order.ravel()[:100], order.ravel()[100:200])
    assert not np.array_equal(order, sample_order("t", 1, 100, SMALL))
    assert not np.array_equal(order, sample_order("u", 0, 100, SMALL))


def test_pull_is_the_gradient_of_the_penalty():
    slopes = torch.tensor([-0.3, 0.0, 0.5, 0.98, 1.2], dtype=torch.float64, requires_grad=True)
    (0.7 * (1 - slopes).abs().sqrt().sum()).backward()
    # four roundings of numbers that are not added up
    torch.testing.assert_close(pull(slopes.detach(), torch.tensor(0.7)), slopes.grad, rtol=1e-7, atol=0)
    assert (pull(slopes.detach(), torch.tensor(0.7))[:4] < 0).all()  # descent goes up, to 1


def test_slope_is_caught_within_tau_or_across_one():
    before = [0.9, 0.9, 0.9, 0.9, 1.1, 1.1, 0.5]
    after = [0.985, 0.991, 1.5, 0.2, 0.6, 1.02, 1.009]
    expected = [False, True, True, False, True, False, True]
    assert caught(torch.tensor(before), torch.tensor(after), 0.01).tolist() == expected


def test_slopes_are_caught_as_the_penalty_module_catches_them():
    rng = np.random.default_rng(5)
    before, after = (torch.tensor(rng.uniform(0.9, 1.1, size=400).astype(np.float32)) for _ in range(2))
    module = PartialReLU(400)
    penalty = LinearityPenalty(torch.nn.Sequential(module))
    with torch.no_grad():
        module.alpha.copy_(before)
        penalty()
        module.alpha.copy_(after)
    penalty.snap(0.01)
    assert torch.equal(module.frozen, caught(before, after, 0.01))
    assert 100 < int(module.frozen.sum()) < 300


def test_channel_slopes_are_prelu_and_its_derivatives():
    rng = np.random.default_rng(3)
    x = torch.tensor(rng.normal(size=(6, 40)), requires_grad=True)
    slopes = torch.tensor(rng.uniform(-0.3, 1.2, size=6), requires_grad=True)
    weight = torch.tensor(rng.normal(size=(6, 40)))
    own = torch.autograd.grad((ChannelSlopes.apply(x, slopes[:, None]) * weight).sum(), [x, slopes])
    theirs = torch.autograd.grad((F.prelu(x[None], slopes)[0] * weight).sum(), [x, slopes])
    # x + (α-1)x against αx: two roundings; sums of 40 products in another order
    torch.testing.assert_close(own, theirs, rtol=1e-12, atol=1e-12)
    zeros, ones = torch.zeros(6, 1), torch.ones(6, 1)
    z = torch.tensor(rng.normal(size=(6, 40)).astype(np.float32))
    assert torch.equal(ChannelSlopes.apply(z, zeros), z.relu())
    assert torch.equal(ChannelSlopes.apply(z, ones), z)


class OneByOne:
    """The same training of a single network with torch's modules and optimiser, a slope at a time."""

    def __init__(self, member, design, stack, *, catch_crossing=True, decay_everything=False):
        sizes = [10] + [design.width] * design.hidden_layers
        self.member, self.design, self.catch_crossing = member, design, catch_crossing
        with torch.random.fork_rng():
            self.layers = [
                (torch.nn.Linear(i, o, bias=False), torch.nn.BatchNorm1d(o), torch.nn.PReLU(o, 0.0))
                for i, o in itertools.pairwise(sizes)
            ]
            self.head = torch.nn.Linear(design.width, 3)
        with torch.no_grad():
            for layer, weight in zip(self.layers, [stack.first[0], *stack.hidden[0]], strict=True):
                layer[0].weight.copy_(weight)
            self.head.weight.copy_(stack.head[0])
            self.head.bias.zero_()
        matrices = [*(layer[0].weight for layer in self.layers), self.head.weight]
        rest = [self.head.bias, *(p for layer in self.layers for p in layer[1].parameters())]
        groups = [
            {"params": matrices, "weight_decay": design.decay},
            {"params": rest, "weight_decay": design.decay if decay_everything else 0.0},
        ]
        self.optimizer = torch.optim.SGD(groups, lr=design.rate, momentum=design.momentum, nesterov=True)
        self.slopes = [layer[2].weight for layer in self.layers]
        self.frozen = set()

    def train(self, split):
        order = sample_order("t", self.member.seed, len(split.train_y), self.design)
        x, y = torch.from_numpy(split.train_x.astype(np.float32)), torch.from_numpy(split.train_y)
        for step, batch in enumerate(order):
            h = x[batch]
            for part in itertools.chain(*self.layers):
                h = part(h)
            self.optimizer.zero_grad()
            for slope in self.slopes:
                slope.grad = None
            F.cross_entropy(self.head(h), y[batch]).backward()
            share = self.share(step)
            for group in self.optimizer.param_groups:
                group["lr"] = self.design.rate * share
            self.optimizer.step()
            for layer, slope in enumerate(self.slopes):
                for channel in range(self.design.width):
                    self.move(layer, slope, channel, step, self.design.slope_rate * share)

    def share(self, step):
        """Constant to 70 %, then half a cosine."""
        t = step / self.design.steps
        return 1.0 if t <= 0.7 else 0.5 + 0.5 * math.cos(math.pi * (t - 0.7) / 0.3)

    def move(self, layer, slope, channel, step, rate):
        if (layer, channel) in self.frozen:
            return
        third = self.design.steps // 3
        begin = {"early": 0, "late": third}[self.member.arm]
        on = begin <= step < begin + third
        before, gradient = float(slope[channel].detach()), float(slope.grad[channel])
        u = 1 - before
        after = before - rate * (gradient - on * self.member.omega * 0.5 * math.copysign(abs(u) ** -0.5, u))
        crossed = self.catch_crossing and (1 - after) * u < 0
        if on and (abs(1 - after) < 0.01 or crossed):
            self.frozen.add((layer, channel))
            after = 1.0
        with torch.no_grad():
            slope[channel] = after

    def numbers(self):
        rows = {
            "first": self.layers[0][0].weight,
            "hidden": torch.stack([layer[0].weight for layer in self.layers[1:]]),
            "gain": torch.stack([layer[1].weight for layer in self.layers]),
            "slopes": torch.stack(self.slopes),
            "mean": torch.stack([layer[1].running_mean for layer in self.layers]),
            "var": torch.stack([layer[1].running_var for layer in self.layers]),
        }
        return {name: row.detach() for name, row in rows.items()}


SHORT = Design(epochs=6, steps_per_epoch=4, hidden_layers=3, width=8, batch=16)
WEAK = 0.33  # the penalty alone needs 8.1 steps, as many as a window has: some slopes arrive and some do not


def distance(member, **wrong):
    """Largest difference of the batched program from torch's modules, and which channels became linear in both."""
    (outcome,), stack = train("t", DATA, [member], SHORT)
    single = OneByOne(member, SHORT, Stack("t", [member], SHORT, 10, 3), **wrong)
    single.train(DATA[member.seed])
    expected = single.numbers()
    found = {name: getattr(stack, name).detach().view(expected[name].shape) for name in expected}
    linear = (expected["slopes"] == 1.0).sum(dim=1)
    return max(float((found[name] - expected[name]).abs().max()) for name in expected), outcome.active, linear


@pytest.mark.parametrize("arm", ["early", "late"])
def test_batched_program_is_the_rule_on_a_single_module(arm):
    error, active, linear = distance(Member(0, arm, WEAK))
    # float32 numbers of order 1 after 24 steps: a few hundred roundings of 1e-7 at worst (measured: seven)
    assert error < 3e-5
    assert active == tuple((8 - linear).tolist())
    assert 0 < int(linear.sum()) < 24  # the window did something, and not everything


@pytest.mark.parametrize("wrong", ["catch_crossing", "decay_everything"])
def test_another_rule_is_told_apart(wrong):
    error, _, _ = distance(Member(0, "early", WEAK), **{wrong: wrong == "decay_everything"})
    assert error > 1e-3


def test_diverging_member_stops_where_it_was_and_its_neighbours_do_not_notice():
    bad = blobs(1)
    step = 3
    bad.train_x[sample_order("t", 1, 100, SMALL)[step, 5]] = 3e38  # sums of ten are infinite in float32
    alone, lonely = train("t", DATA, [FIVE[0]], SMALL)
    members = [Member(1, "early", OMEGA), FIVE[0]]
    (dead, alive), stack = train("t", {0: DATA[0], 1: bad}, members, SMALL)
    assert (dead.accuracy, dead.diverged_at) == (None, step)
    assert alive == alone[0]
    assert same(numbers(stack, 1), numbers(lonely, 0))
    assert all(torch.isfinite(row).all() for row in numbers(stack, 0))


def test_linear_arm_is_linear_and_active_arm_is_not():
    outcomes, stack = train("t", DATA, [Member(0, "linear"), Member(0, "active")], SMALL)
    assert [outcome.napl for outcome in outcomes] == [0.0, 3.0]
    x = torch.randn(2, 10, 50, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        value = [stack.logits(scale * x, training=False) for scale in (-1.0, 0.0, 1.0)]
    bend = (value[0] + value[2] - 2 * value[1]).abs().amax(dim=(1, 2))
    # logits of order 10 in float32
    assert bend[0] < 1e-4 < 1e-1 < bend[1]
