"""All contenders in turn on every case, so that a busy machine disturbs them alike; the least time of each counts."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from gpdeep.result import provenance

from ..evidence import machine
from ..experiment import Size
from ..sweep.revision import commit
from .cases import BATCH, CLASSES, INPUTS, Case, cases_of, rounds_of
from .ceilings import measure_ceilings
from .clocks import Clock, clock_of
from .contenders import ENSEMBLE, GRAPHS, ONE_BY_ONE, contenders_of, seconds_of
from .estimates import H200, Machine, Work
from .memory_used import MemoryUsed
from .throughput import Throughput, Timing

_FIRST = Case(8, 2, 2, 1)  # does not count: libraries load what they need


def measure(
    device: str = "cpu",
    size: Size = Size.QUICK,
    seed: int = 0,
    *,
    tell: Callable[[Timing], None] | None = None,
    cases: Sequence[Case] | None = None,
) -> Throughput:
    """Time the cases of a size, or those given.

    Parameters
    ----------
    device : {'cpu', 'cuda'}
    size : Size
    seed : int
        Of weights and samples.
    tell : callable, optional
        Called with each case when it is done.
    cases : sequence of Case, optional

    Returns
    -------
    Throughput
    """
    import torch

    from gpdeep.nn.ensembles.full_precision import full_precision
    from gpdeep.nn.one_thread import one_thread

    loads = [_load()]
    began, cpu = time.perf_counter(), time.process_time()
    clock = clock_of(device)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2 * BATCH, INPUTS, generator=generator, dtype=torch.float32).to(device)
    y = torch.randint(0, CLASSES, (2 * BATCH,), generator=generator).to(device)
    timings = []
    with one_thread(), full_precision():
        ceilings = measure_ceilings(device, size, clock)
        _timed(_FIRST, 1, seed, x, y, clock, ceilings, device)
        for case in cases_of(size, device) if cases is None else cases:
            timings.append(_timed(case, rounds_of(size), seed, x, y, clock, ceilings, device))
            loads.append(_load())
            if tell is not None:
                tell(timings[-1])
    return Throughput(
        settings={"size": str(size), "device": device, "seed": seed},
        ceilings=asdict(ceilings),
        timings=tuple(timings),
        cpu_seconds=time.process_time() - cpu,
        seconds=time.perf_counter() - began,
        load=max(loads),
        versions={**provenance(), "torch": torch.__version__},
        machine=machine(device),
        commit=commit(),
    )


def _timed(case: Case, rounds: int, seed: int, x: Any, y: Any, clock: Clock, ceilings: Machine, device: str) -> Timing:
    import numpy as np
    import torch

    from gpdeep.nn import Ensemble

    memory = MemoryUsed(device)
    nets = Ensemble(
        ",".join(map(str, case.widths)),
        case.members,
        seeds=[np.random.SeedSequence([seed, member]) for member in range(case.members)],
        dtype=torch.float32,
        device=device,
    )
    names = contenders_of(device)
    turns: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            turns[name].append(seconds_of(name, case, nets, x, y, clock))
    least = {name: min(found) for name, found in turns.items()}
    best = min(least[name] for name in names if name != ONE_BY_ONE and not math.isnan(least[name]))
    work = Work.of(case)
    step = best * case.members
    return Timing(
        width=case.width,
        depth=case.depth,
        members=case.members,
        steps=case.steps,
        rounds=rounds,
        member_steps={name: None if math.isnan(seconds) else 1 / seconds for name, seconds in least.items()},
        ratio=least[ONE_BY_ONE] / best,
        of_rate=work.operations / step / ceilings.rate,
        of_bandwidth=work.bytes / step / ceilings.bandwidth,
        estimate=_estimates(work, case, ceilings),
        estimate_h200=_estimates(work, case, H200),
        memory=memory.height(),
        memory_asked=nets.bytes_needed(BATCH, recorded=GRAPHS in names),
    )


def _estimates(work: Work, case: Case, of: Machine) -> dict[str, float | None]:
    return {ENSEMBLE: work.member_steps(case, of), GRAPHS: work.member_steps(case, of, recorded=True)}


def _load() -> float:
    """Processes that wanted a processor in the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
