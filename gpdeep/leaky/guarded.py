"""How solvers are run: without warnings of overflow, and without an answer where a matrix cannot be factorised."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
T = TypeVar("T")


def guarded(function: Callable[P, T | None]) -> Callable[P, T | None]:
    """The function with None for an answer where a kernel is singular or overflows."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T | None:
        with np.errstate(all="ignore"):
            try:
                return function(*args, **kwargs)
            except np.linalg.LinAlgError:
                return None

    return run
