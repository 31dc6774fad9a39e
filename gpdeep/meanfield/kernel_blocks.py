r"""A kernel in blocks: each entry goes through all layers while it is in the cache, and memory is asked for first.

    K_0 = σ_w² X Xᵀ/d + σ_b²   (a panel of rows, by a matrix product)   →   blocks of the panel   →   the result

A kernel of N inputs with themselves is computed on and above the diagonal and mirrored at the end. Beside the result
this takes a panel and a few blocks, whatever N and the depth are, so that the result may lie in a file
(`numpy.memmap`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from ..errors import MemoryBudgetError
from ..result import IntArray
from .kernel_layers import Inputs, KernelLayers, kernel_of_block
from .kernel_profiles import BLOCK, Profile

PANEL = 2**22
"""Entries of K_0 that a matrix product makes at a time: enough of them that the product is not slowed by memory."""

ACCELERATOR_BLOCK = 2**22
_FEWEST_ROWS = 8  # of a block: the vectors of the columns are read once for that many rows
_TILE = 128
_PAIRS_AT_ONCE = 2**18
_WORTH_THREADS = 2**22  # entries times layers
_TEMPORARIES = 8  # blocks alive at a time in one thread, at most


def fill(
    out: Any,
    xp: ModuleType,
    profile: Profile,
    layers: KernelLayers,
    x1: Any,
    x2: Any,
    rows: Inputs,
    columns: Inputs,
    *,
    ntk: bool,
    on_processor: bool,
) -> None:
    """Write the kernel of the rows of `x1` and `x2`, which carry σ_w/√d, to `out`; `x2` None is `x1`, mirrored."""
    symmetric = x2 is None
    other = x1 if symmetric else x2
    n, m = x1.shape[0], other.shape[0]
    size = BLOCK if on_processor else ACCELERATOR_BLOCK
    threads = thread_count(n * m * layers.depth) if on_processor and profile.threaded and xp_is_numpy(xp) else 1

    def one_block(panel: Any, first: int, left: int, r: slice, c: slice) -> None:
        k = panel[r.start - first : r.stop - first, c.start - left : c.stop - left] + float(layers.sigma_b[0]) ** 2
        out[r, c] = kernel_of_block(xp, profile, layers, k, rows, columns, r, c, ntk)

    with ThreadPoolExecutor(threads) as pool:
        for first, last in panels(n, m, symmetric):
            left = first if symmetric else 0
            panel = x1[first:last] @ other[left:].T
            tasks = [(panel, first, left, r, c) for r, c in blocks(first, last, m, size, symmetric)]
            if threads == 1:
                for task in tasks:
                    one_block(*task)
            else:
                list(pool.map(lambda task: one_block(*task), tasks))
    if symmetric:
        mirror(out, xp)


def panels(n: int, m: int, symmetric: bool) -> Iterator[tuple[int, int]]:
    """First and last row of each panel."""
    first = 0
    while first < n:
        width = m - first if symmetric else m
        last = min(n, first + max(_FEWEST_ROWS, PANEL // width))
        yield first, last
        first = last


def blocks(first: int, last: int, m: int, size: int, symmetric: bool) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the blocks of a panel, each of about `size` entries."""
    row = first
    while row < last:
        left = row if symmetric else 0
        wide = min(m - left, max(1, size // _FEWEST_ROWS))
        stop = min(last, row + max(1, size // wide))
        for column in range(left, m, wide):
            yield slice(row, stop), slice(column, min(m, column + wide))
        row = stop


def mirror(out: Any, xp: ModuleType) -> None:
    """Copy what is above the diagonal of `out` below it, tile by tile."""
    n = out.shape[0]
    for row in range(0, n, _TILE):
        r = slice(row, min(n, row + _TILE))
        upper = xp.triu(out[r, r])
        out[r, r] = upper + xp.triu(upper, k=1).T
        for column in range(r.stop, n, _TILE):
            c = slice(column, min(n, column + _TILE))
            out[c, r] = out[r, c].T


def coinciding(x1: Any, x2: Any) -> Iterator[tuple[IntArray, IntArray]]:
    """Indices of all pairs of a row of `x1` and one of `x2`, numpy matrices, that are the same input, in parts."""
    keys1, keys2 = (np.array([hash((row + 0.0).tobytes()) for row in x]) for x in (x1, x2))  # -0.0 counts as 0.0
    order = np.argsort(keys2, kind="stable")
    start, stop = (np.searchsorted(keys2, keys1, side, sorter=order) for side in ("left", "right"))
    count = stop - start
    each = max(1, _PAIRS_AT_ONCE // max(1, int(count.max())))
    for first in range(0, len(keys1), each):
        part = count[first : first + each]
        rows = np.repeat(np.arange(first, first + len(part)), part)
        within = np.arange(part.sum()) - np.repeat(np.cumsum(part) - part, part)
        yield rows, order[start[rows] + within]


def xp_is_numpy(xp: ModuleType) -> bool:
    """Whether arrays are numpy's, whose functions leave the interpreter's lock."""
    return xp.__name__.endswith("numpy")


def thread_count(work: int) -> int:
    """Threads for `work` evaluations: as many as the linear algebra may use, and one if that would not pay."""
    if work < _WORTH_THREADS:
        return 1
    allowed = [int(library["num_threads"]) for library in threadpool_info() if library["user_api"] == "blas"]
    return max(1, min([os.cpu_count() or 1, *allowed]))


def bytes_needed(
    n: int, m: int, features: int, layers: KernelLayers, numbers: int, *, symmetric: bool, own: bool, on_processor: bool
) -> int:
    """Bytes that a kernel of `n` times `m` inputs takes at most; `own` if the result is among them.

    `numbers` are read of each input in each layer.
    """
    inputs = n if symmetric else n + m
    vectors = ((5 + numbers) * layers.depth + 4) * inputs
    panel = min(n * m, max(PANEL, _FEWEST_ROWS * m))
    block = BLOCK * (os.cpu_count() or 1) if on_processor else ACCELERATOR_BLOCK
    temporaries = _TEMPORARIES * min(n * m, block)
    return 8 * (n * m * own + inputs * features + vectors + panel + temporaries + 4 * _TILE**2)


def require_kernel_memory(needed: Callable[[int], int], n: int, budget: int) -> None:
    """Refuse a kernel of `n` inputs if `needed(n)` bytes exceed `budget`.

    Raises
    ------
    MemoryBudgetError
        With the bytes, and the largest number of inputs that fits.
    """
    total = needed(n)
    if total <= budget:
        return
    fits, refused = 0, n
    while refused - fits > 1:
        middle = (fits + refused) // 2
        fits, refused = (middle, refused) if needed(middle) <= budget else (fits, middle)
    raise MemoryBudgetError(
        f"The kernel of {n} inputs takes {total} bytes; memory_budget is {budget}.",
        "A kernel grows with the square of the number of inputs, 8 bytes an entry.",
        f"Use at most {fits} inputs, raise memory_budget, or give out=, an array in a file (numpy.memmap).",
    )
