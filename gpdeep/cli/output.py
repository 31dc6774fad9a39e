"""What the computing commands share: printing, exit codes, progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..result import Result, StatusCode

_PATIENCE = 2.0  # seconds of silence before a progress bar appears


def answer(results: Sequence[Result], as_json: bool) -> int:
    """Print results to stdout, one JSON object a line or as tables, and return the exit code."""
    if as_json:
        print("\n".join(json.dumps(result.to_dict(), allow_nan=False) for result in results))
    else:
        print("\n\n".join(map(str, results)))
        for result in results:
            if result.status.code is not StatusCode.OK:
                print(f"status: {result.status.code}", file=sys.stderr)
    sys.stdout.flush()
    return 0 if all(result.status.code is StatusCode.OK for result in results) else 3


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A callback (done, total) that draws a bar on stderr if that is a terminal and the work passes two seconds."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    start = time.monotonic()
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(title, total=None)

    def report(done: int, total: int) -> None:
        if time.monotonic() - start > _PATIENCE and not bar.live.is_started:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        bar.stop()
