"""A tour is a script, not a module: how tests get hold of it and walk it."""

import contextlib
import importlib.util
import io
import sys
from pathlib import Path

import pytest

TOURS = Path(__file__).parents[2] / "paper_figures" / "tours"


@pytest.fixture(scope="module")
def script(request):
    """The script that the test module names as `TOUR`."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    spec = importlib.util.spec_from_file_location(f"{request.module.TOUR}_tour", TOURS / f"{request.module.TOUR}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]
    if torch:
        torch.set_num_threads(threads)  # the script sets them


@pytest.fixture(scope="module")
def walked(script):
    """The numbers of a walk with these options, and what it printed."""

    def go(*options):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            tour = script.main([str(option) for option in options])
        return tour, printed.getvalue()

    return go
