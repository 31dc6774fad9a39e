"""Which commit the code is at."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path


@functools.cache
def commit() -> str | None:
    """The commit of the checkout that this file is in, with ``-dirty`` where files differ from it; None without git.

    Asked once a process: what a run writes does not make the code that computed it another one.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
