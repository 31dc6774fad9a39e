"""Which commit the code is at."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

_WRITTEN = ("validation/results", "paper_figures/gallery")  # by runs: it does not change what the next one computes


@functools.cache
def commit() -> str | None:
    """The commit of the checkout that this file is in, with ``-dirty`` where code differs from it; None without git.

    Asked once a process; evidence and pictures, which runs write, are not code.
    """
    others = [f":(top,exclude){folder}" for folder in _WRITTEN]
    try:
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":(top)", *others)
    except (OSError, subprocess.SubprocessError):
        return None
    return head + "-dirty" * bool(changed)


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments],
        cwd=Path(__file__).parent,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    ).stdout.strip()
