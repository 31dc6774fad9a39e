"""Run the experiment, a seed at a time, and sum it up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gpdeep.errors import DomainError
from gpdeep.result import Status, StatusCode

from ..sweep.revision import commit
from .comparison import gaps, gaps_at_equal_omega, level
from .design import Design, Member
from .evidence import Evidence, TaskEvidence, device, versions
from .outcome import Outcome
from .tasks import TASKS, Task

Progress = Callable[[int, int], None]


def run(
    tasks: Sequence[str] = ("sum", "digit"),
    seeds: int = 5,
    *,
    epochs: int | None = None,
    omegas: Sequence[float] | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    keep: Callable[[Evidence], None] = lambda evidence: None,
) -> Evidence:
    """Train all networks of `tasks` and compare early with late.

    Parameters
    ----------
    tasks : sequence of str
        Of `TASKS`.
    seeds : int
        Repetitions; an interval needs two.
    epochs : int, optional
        Instead of each task's own number.
    omegas : sequence of float, optional
        Penalties, instead of each task's own.
    threads : int
        Of torch.
    progress : callable, optional
        Told the steps of a batch done and all there are.
    keep : callable
        Given the evidence so far after every seed.

    Returns
    -------
    Evidence
        Its status is `not_converged` where networks diverged, `outside_validity` where a penalty cannot reach a linear
        channel in its window.

    Raises
    ------
    DomainError
        An unknown task, fewer than one seed, or a penalty that is not positive.
    """
    from .training import threads as torch_threads
    from .training import train

    plans = {name: _plan(name, seeds, epochs, omegas) for name in dict.fromkeys(tasks)}
    total = sum(plan.steps * seeds for _, plan, _ in plans.values())
    done = 0
    outcomes: dict[str, list[Outcome]] = {}
    spent: dict[str, tuple[float, float]] = {}

    def evidence() -> Evidence:
        return _evidence(plans, seeds, threads, outcomes, spent)

    def after(step: int) -> None:
        if progress is not None:
            progress(done + step, total)

    with torch_threads(threads):
        for name, (task, design, penalties) in plans.items():
            outcomes[name], spent[name] = [], (0.0, 0.0)
            for seed in range(seeds):
                begun = time.process_time(), time.perf_counter()
                found, _ = train(name, {seed: task.draw(seed)}, members([seed], penalties), design, after)
                done += design.steps
                outcomes[name] += found
                cpu, clock = spent[name]
                spent[name] = cpu + time.process_time() - begun[0], clock + time.perf_counter() - begun[1]
                keep(evidence())
    return evidence()


def members(seeds: Sequence[int], omegas: Sequence[float]) -> list[Member]:
    """Both limits and both windows at every penalty."""
    penalised = [(arm, omega) for arm in ("early", "late") for omega in omegas]
    return [Member(seed, arm, omega) for seed in seeds for arm, omega in [("active", 0.0), ("linear", 0.0), *penalised]]


def _plan(
    name: str, seeds: int, epochs: int | None, omegas: Sequence[float] | None
) -> tuple[Task, Design, tuple[float, ...]]:
    if name not in TASKS:
        raise DomainError(
            f"There is no task {name!r:.80}.", "A misspelt name.", f"Use one or more of: {', '.join(TASKS)}."
        )
    if seeds < 1:
        raise DomainError(f"{seeds} seeds.", "Nothing would be run.", "Use 2 or more, 5 for a useful interval.")
    task = TASKS[name]
    penalties = tuple(sorted(set(omegas or task.omegas)))
    if penalties[0] <= 0:
        raise DomainError(
            f"The penalty {penalties[0]:g}.",
            "The run without a penalty is always there and need not be asked for.",
            "Use penalties above 0, such as 0.01.",
        )
    return task, Design(task.epochs if epochs is None else epochs, task.steps_per_epoch), penalties


def _evidence(
    plans: dict[str, tuple[Task, Design, tuple[float, ...]]],
    seeds: int,
    threads: int,
    outcomes: dict[str, list[Outcome]],
    spent: dict[str, tuple[float, float]],
) -> Evidence:
    status = Status()
    found: dict[str, TaskEvidence] = {}
    for name, (task, design, omegas) in plans.items():
        runs = outcomes.get(name, [])
        status &= _status(name, design, omegas, runs, seeds)
        if runs:
            found[name] = summed_up(task, design, omegas, runs, spent[name])
    return Evidence(
        status=status,
        tasks=found,
        seeds=tuple(range(seeds)),
        versions=versions(),
        device=device(threads),
        commit=commit(),
    )


def summed_up(
    task: Task, design: Design, omegas: tuple[float, ...], runs: Sequence[Outcome], spent: tuple[float, float]
) -> TaskEvidence:
    """The estimates of one task."""
    return TaskEvidence(
        design=design,
        omegas=omegas,
        active=level(runs, "active"),
        linear=level(runs, "linear"),
        at_equal_napl=tuple(gaps(runs, task.napl)),
        at_equal_g=tuple(gaps(runs, task.g, lambda outcome: outcome.g)),
        at_equal_omega=tuple(gaps_at_equal_omega(runs)),
        cpu_seconds=round(spent[0], 1),
        seconds=round(spent[1], 1),
        members=tuple(runs),
    )


def _status(name: str, design: Design, omegas: Sequence[float], runs: Sequence[Outcome], seeds: int) -> Status:
    status = Status()
    leaping = [omega for omega in omegas if design.leap(omega)]
    if leaping:
        text = f"from a penalty of {leaping[0]:g} on, slopes cross 1 and are caught there, "
        text += f"at {omegas[-1]:g} from as far as {design.leap(omegas[-1]):.2g}."
        status &= Status(messages=(f"{name}: {text}",))
    weak = [omega for omega in omegas if not design.reaches(omega)]
    if weak:
        text = f"a window of {len(design.window('early'))} steps is too short for the penalties "
        text += ", ".join(f"{omega:g}" for omega in weak)
        status &= Status(StatusCode.OUTSIDE_VALIDITY, (f"{name}: {text}.",))
    for run in runs:
        if run.diverged_at is not None:
            status &= Status(
                StatusCode.NOT_CONVERGED,
                (f"{name}: seed {run.seed}, {run.arm}, ω = {run.omega:g} diverged at step {run.diverged_at}.",),
            )
    finished = len({run.seed for run in runs})
    if finished < seeds:
        status &= Status(StatusCode.NOT_CONVERGED, (f"{name}: {finished} of {seeds} seeds are done.",))
    return status
