"""Ways of training the same networks: one by one as anyone would, as one program, as one program that is replayed."""

from __future__ import annotations

import itertools
from typing import Any

from .cases import BATCH, Case
from .clocks import Clock

ONE_BY_ONE, ENSEMBLE, GRAPHS = "one_by_one", "ensemble", "graphs"
_RATE = 1e-4  # of learning
_LONE = 4  # networks that are trained one by one: more of them would only take longer
_WARM = {"cpu": 1, "cuda": 10}  # steps before the clock runs: a recording is made in the first ones


def contenders_of(device: str) -> tuple[str, ...]:
    """Those that a device has."""
    return (ONE_BY_ONE, ENSEMBLE, GRAPHS) if device == "cuda" else (ONE_BY_ONE, ENSEMBLE)


def seconds_of(name: str, case: Case, nets: Any, x: Any, y: Any, clock: Clock) -> float:
    """Seconds that a step of one network takes, in the mean over a round."""
    if name == ONE_BY_ONE:
        return _one_by_one(case, x, y, clock)
    return _together(case, nets, x, y, clock, graphs=name == GRAPHS)


def _one_by_one(case: Case, x: Any, y: Any, clock: Clock) -> float:
    """`torch.nn.Sequential` and `torch.optim.SGD`."""
    import torch
    from torch import nn

    warm = _WARM[x.device.type]
    seconds = 0.0
    lone = min(case.members, _LONE)
    for seed in range(lone):
        net = _module(case, seed).to(x.device)
        optimizer = torch.optim.SGD(net.parameters(), lr=_RATE)
        first = clock.mark()
        for step in range(warm + case.steps):
            if step == warm:
                first = clock.mark()
            rows = slice(step % 2 * BATCH, (step % 2 + 1) * BATCH)
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
        seconds += clock.between(first, clock.mark())
    return seconds / lone / case.steps


def _together(case: Case, nets: Any, x: Any, y: Any, clock: Clock, graphs: bool) -> float:
    """`gpdeep.nn.train_ensemble`, between two of its steps: what comes before and after them does not count."""
    from gpdeep.nn import train_ensemble

    warm = _WARM[x.device.type]
    marks = {}

    def progress(done: int, _: int) -> None:
        if done in (warm, warm + case.steps):
            marks[done] = clock.mark()

    steps = warm + case.steps
    found = train_ensemble(
        nets, x, y, steps=steps, lr=_RATE, batch=BATCH, probe=(x[:2], None), graphs=graphs, progress=progress
    )
    if graphs and not found.replayed:
        return float("nan")  # it has warned
    return clock.between(marks[warm], marks[steps]) / case.steps / case.members


def _module(case: Case, seed: int) -> Any:
    """He weights from a generator of their own."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    layers: list[Any] = []
    for n, out in itertools.pairwise(case.widths):
        linear = nn.utils.skip_init(nn.Linear, n, out)
        with torch.no_grad():
            linear.weight.normal_(0.0, (2.0 / n) ** 0.5, generator=generator)
            linear.bias.zero_()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
