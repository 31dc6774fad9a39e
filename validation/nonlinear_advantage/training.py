r"""Training all members at once, each as if it were alone.

    g ← ∇ (mean cross-entropy) + decay · W,     v ← μ v + g,     W ← W - η (g + μ v)
    α ← α - η_α (∇_α + ∂R/∂α)     where the channel is not linear yet

A member whose loss or gradient is not finite is stopped where it was before that step and reported; its neighbours do
not notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F

from gpdeep.data import LabelledSplit
from gpdeep.result import IntArray

from .design import Design, Member
from .network import Stack
from .outcome import Outcome
from .snapping import caught, pull
from .streams import stream

_TEST_BLOCK = 1000


def train(
    task: str,
    data: dict[int, LabelledSplit],
    members: Sequence[Member],
    design: Design,
    after: Callable[[int], None] = lambda step: None,
) -> tuple[list[Outcome], Stack]:
    """Train `members`, and test them.

    Parameters
    ----------
    task : str
        Name by which weights and the order of samples are drawn.
    data : dict
        Seed to data.
    members : sequence of Member
    design : Design
    after : callable
        Told the number of steps done.

    Returns
    -------
    outcomes : list of Outcome
        In the order of `members`.
    stack : Stack
        The networks.
    """
    seeds = sorted({member.seed for member in members})
    row = torch.tensor([seeds.index(member.seed) for member in members])
    x, y = _tensors([(data[seed].train_x, data[seed].train_y) for seed in seeds])
    order = torch.from_numpy(np.stack([sample_order(task, seed, len(data[seed].train_y), design) for seed in seeds]))
    which = torch.arange(len(seeds))[:, None]

    stack = Stack(task, members, design, x.shape[2], data[seeds[0]].classes)
    descent = Descent(stack, members, design)
    for step in range(design.steps):
        batch = order[:, step]
        inputs = x[which, batch].transpose(1, 2).contiguous()
        descent.step(step, inputs.index_select(0, row), y[which, batch].index_select(0, row))
        after(step + 1)

    test = _tensors([(data[seed].test_x, data[seed].test_y) for seed in seeds])
    accuracies = accuracy(stack, test[0].transpose(1, 2), test[1], row)
    active = (~descent.linear).sum(dim=2)
    return [
        Outcome(
            member.seed,
            member.arm,
            member.omega,
            design.width,
            tuple(active[i].tolist()),
            float(accuracies[i]) if descent.alive[i] else None,
            descent.diverged_at.get(i),
        )
        for i, member in enumerate(members)
    ], stack


def sample_order(task: str, seed: int, samples: int, design: Design) -> IntArray:
    """Which samples are in which batch, (steps, batch): one permutation of all samples after another."""
    rng = stream(task, seed, "order")
    wanted = design.steps * design.batch
    passes = [rng.permutation(samples) for _ in range(-(-wanted // samples))]
    return np.concatenate(passes)[:wanted].reshape(design.steps, design.batch)


class Descent:
    """Steps of descent on a stack, and what they have to remember.

    Attributes
    ----------
    linear : torch.Tensor, shape (M, L, n)
        Channels whose slope is 1 for good.
    alive : torch.Tensor, shape (M,)
    diverged_at : dict
        Member to step.
    """

    def __init__(self, stack: Stack, members: Sequence[Member], design: Design) -> None:
        self.stack, self.design = stack, design
        self.linear = stack.slopes.detach() == 1.0
        self.alive = torch.ones(len(members), dtype=torch.bool)
        self.diverged_at: dict[int, int] = {}
        self._velocity = [torch.zeros_like(p) for p in (*stack.matrices, *stack.others)]
        self._windows = [design.window(member.arm) for member in members]
        self._omega = torch.tensor([member.omega for member in members])

    def step(self, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        """One step on inputs (M, features, B) and labels (M, B)."""
        stack, design = self.stack, self.design
        parameters = [*stack.matrices, *stack.others, stack.slopes]
        statistics = stack.mean.clone(), stack.var.clone()
        loss = F.cross_entropy(stack.logits(x, training=True), y, reduction="none").mean(dim=1)
        gradients = torch.autograd.grad(loss.sum(), parameters)
        self._stop_diverging(step, loss.detach(), gradients)
        share = design.share_of_rate(step)
        with torch.no_grad():
            if not self.alive.all():
                kept = self.alive.repeat_interleave(design.width)
                for now, before in zip((stack.mean, stack.var), statistics, strict=True):
                    torch.where(kept, now, before, out=now)
                gradients = tuple(torch.where(_over(self.alive, g), g, 0.0) for g in gradients)
            rate = design.rate * share * self.alive
            for i, (p, g, v) in enumerate(zip(parameters[:-1], gradients, self._velocity, strict=False)):
                if i < len(stack.matrices):
                    g = g + design.decay * p
                v.mul_(design.momentum).add_(g)
                p.sub_(_over(rate, p) * (g + design.momentum * v))
            self._step_slopes(step, gradients[-1], design.slope_rate * share)

    def _step_slopes(self, step: int, gradient: torch.Tensor, rate: float) -> None:
        slopes = self.stack.slopes
        open_now = self.alive & torch.tensor([step in window for window in self._windows])
        omega = _over(self._omega * open_now, slopes)
        pulled = torch.where(omega > 0, pull(slopes, omega), 0.0)
        moved = slopes - rate * _over(self.alive, slopes) * (gradient + pulled)
        self.linear |= _over(open_now, slopes) & caught(slopes, moved, self.design.snap)
        slopes.copy_(torch.where(self.linear, 1.0, moved))

    def _stop_diverging(self, step: int, loss: torch.Tensor, gradients: Sequence[torch.Tensor]) -> None:
        size = sum((g.flatten(1).square().sum(dim=1) for g in gradients), loss)  # infinite or NaN if any entry is
        for i in (self.alive & ~torch.isfinite(size)).nonzero().flatten().tolist():
            self.diverged_at[i] = step
        self.alive &= torch.isfinite(size)


def accuracy(stack: Stack, x: torch.Tensor, y: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    """Share of right answers (M,) on inputs (seeds, features, N), with running statistics; `row` is a member's seed."""
    right = torch.zeros(len(row))
    with torch.no_grad():
        for start in range(0, x.shape[2], _TEST_BLOCK):
            block = slice(start, start + _TEST_BLOCK)
            logits = stack.logits(x[:, :, block].contiguous().index_select(0, row), training=False)
            right += (logits.argmax(dim=1) == y[:, block].index_select(0, row)).sum(dim=1)
    return right.double() / x.shape[2]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run torch on so many threads: one is fastest where other programs are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tensors(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    x = np.stack([x for x, _ in parts]).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(np.stack([y for _, y in parts]))


def _over(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """One value a member, to be broadcast against `like`."""
    return values.view(-1, *[1] * (like.ndim - 1))
