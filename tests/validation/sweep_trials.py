"""Trials for the sweep's tests: they say in a log when they begin and end, and can be told to go wrong."""

import asyncio
import os
import signal
import sys
import time

import numpy as np

from validation.sweep import Batch, Outcome, Unit


def units(log, number=64, seconds=0.05, poison=(), **changes):
    """`number` trials of `seconds` to twice that; those in `poison` kill their process."""
    return [
        Unit(
            trial,
            {"experiment": "tests", "trial": trial_number, **({"poison": True} if trial_number in poison else {})},
            settings={"log": str(log), "seconds": seconds * (1 + trial_number % 3 / 2), **changes},
        )
        for trial_number in range(number)
    ]


def trial(specification, *, log, seconds=0.0, slow=None, letters=0, numbers=0):
    """The square of the trial's number, after a while; `slow` is a trial that takes half a minute."""
    number = specification["trial"]
    note(log, "begin", number)
    if specification.get("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(30 if number == slow else seconds)
    note(log, "end", number)
    values = {"square": number**2, "text": "x" * letters, "diverged": number % 10 == 7}
    return Outcome(values, {"curve": np.arange(float(numbers))}) if numbers else values


def note(log, event, number):
    """One line, whole, whoever else writes."""
    line = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(line, f"{event} {number} {os.getpid()}\n".encode())
    os.close(line)


def noted(log, event):
    """Trial and process of each `event` in the log, in order."""
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(int(number), int(pid)) for what, number, pid in lines if what == event]


def busy(log):
    """Processes in the middle of a trial."""
    ended = noted(log, "end")
    return [pid for number, pid in noted(log, "begin") if (number, pid) not in ended]


def square(specification):
    """The square of x; NaN where x is 13, with an array where it is even; x = 5 raises, x = 6 gives nothing."""
    x = specification["x"]
    if x == 5:
        raise ArithmeticError("five is odd")
    if x == 6:
        return None
    values = {"square": float("nan") if x == 13 else x * x, "diverged": x == 13}
    return Outcome(values, {"row": np.full((2, x), x)}) if x % 2 == 0 else values


def squares(specifications):
    """An ensemble's squares, x = 5 making all fail."""
    return [square(specification) for specification in specifications]


def deadly_squares(specifications):
    """An ensemble's squares, x = 5 killing the process."""
    if any(specification["x"] == 5 for specification in specifications):
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(specifications)


ERRORS = {1: KeyboardInterrupt(), 2: SystemExit(0), 3: asyncio.CancelledError(), 4: OSError("no file a\udc80")}


def raising(specification):
    """An error by the number x, if it has one."""
    if specification["x"] in ERRORS:
        raise ERRORS[specification["x"]]
    return {}


def of_x(x, function=square, **about):
    """The unit that squares x."""
    return Unit(function, {"experiment": "squares", "x": x}, **about)


def batch(*xs, function=squares, **about):
    """The batch that squares `xs`."""
    return Batch(function, [of_x(x).specification for x in xs], **about)


def surroundings():
    """What a process sees of threads, and a line on its stdout."""
    import threadpoolctl

    np.ones((2, 2)) @ np.ones((2, 2))
    print("a line of the unit")
    sys.stdout.flush()
    threads = [library["num_threads"] for library in threadpoolctl.threadpool_info()]
    return threads, os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"]
