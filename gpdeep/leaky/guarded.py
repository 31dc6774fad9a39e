"""How solvers are run: one BLAS thread, no warnings of overflow, and no answer where a matrix cannot be factorised."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")


def guarded(function: Callable[P, T | None]) -> Callable[P, T | None]:
    """The function with None for an answer where a kernel is singular or overflows; blocks are tiny, so one thread."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T | None:
        with threadpool_limits(1), np.errstate(all="ignore"):
            try:
                return function(*args, **kwargs)
            except np.linalg.LinAlgError:
                return None

    return run
