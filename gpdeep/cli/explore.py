"""``gpdeep explore``: a local page on which the numbers follow the sliders."""

from __future__ import annotations

import sys
import threading
import webbrowser
from typing import Annotated

import typer


def explore(
    port: Annotated[int, typer.Option(help="Port of 127.0.0.1; 0 takes a free one.")] = 8642,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> int:
    """Drag width, depth, activation, variances and sparsity, and see depth, maps and clip design follow.

    The page is served to this machine alone, until Ctrl-C; its address is printed. Every number on it is that of a
    command, which stands beneath it.

    Exit codes: 0 ended by Ctrl-C, 1 the port is taken or the extra is missing, 2 usage.
    """
    from ..explore.serving import serve

    def ready(address: str) -> None:
        print(address, flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # some open in the terminal

    serve(port, ready=ready)
    print("Ended.", file=sys.stderr)
    return 0
