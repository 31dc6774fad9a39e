"""What this machine can do at most: products of large matrices, copies, operations that have nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..experiment import Size
from .clocks import Clock
from .estimates import Machine

_SIDE = {"cpu": 1024, "cuda": 8192}
_NUMBERS = {"cpu": 2**25, "cuda": 2**30}  # of a copy, larger than any cache
_SMOKE_SIDE, _SMOKE_NUMBERS = 128, 2**16
_LAUNCHES = 1000
_TURNS = 5


def measure_ceilings(device: str, size: Size, clock: Clock) -> Machine:
    """The best of five turns of each; float32, on one thread of a processor."""
    import torch

    smoke = size is Size.SMOKE
    side = _SMOKE_SIDE if smoke else _SIDE[device]
    numbers = _SMOKE_NUMBERS if smoke else _NUMBERS[device]
    a, b = (torch.rand(side, side, generator=_generator(), dtype=torch.float32).to(device) for _ in range(2))
    out = torch.empty_like(a)
    product = _least(clock, lambda: torch.mm(a, b, out=out))
    source, target = torch.ones(numbers, device=device), torch.empty(numbers, device=device)
    copy = _least(clock, lambda: target.copy_(source))
    one = torch.zeros(1, device=device)

    def idle() -> None:
        for _ in range(_LAUNCHES):
            one.add_(1.0)

    return Machine(
        rate=2.0 * side**3 / product,
        bandwidth=2.0 * 4 * numbers / copy,
        launch=_least(clock, idle) / _LAUNCHES,
        replay=_least(clock, _recorded(idle)) / _LAUNCHES if device == "cuda" else None,
    )


def _recorded(call: Callable[[], None]) -> Callable[[], Any]:
    """The replay of a CUDA graph."""
    import torch

    call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    replay: Callable[[], Any] = graph.replay
    return replay


def _least(clock: Clock, call: Callable[[], Any]) -> float:
    """Seconds of the fastest turn after one that does not count."""
    call()
    found = []
    for _ in range(_TURNS):
        first = clock.mark()
        call()
        found.append(clock.between(first, clock.mark()))
    return min(found)


def _generator() -> Any:
    """Numbers of its own: torch's global generator stays as it is."""
    import torch

    return torch.Generator().manual_seed(0)
