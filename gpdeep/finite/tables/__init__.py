"""Stored tables of the one-layer law, each beside the script that computed it, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ...result import FloatArray


@cache
def load_table(name: str) -> Mapping[str, Any]:
    """The arrays of ``name.npz``, read-only."""
    with np.load(Path(__file__).with_name(f"{name}.npz")) as file:
        arrays = {key: file[key] for key in file.files}
    for array in arrays.values():
        array.setflags(write=False)
    return MappingProxyType(arrays)


def interpolation_matrix(nodes: FloatArray, points: FloatArray) -> FloatArray:
    """The matrix that takes values at Chebyshev-Lobatto `nodes` to values at `points` (barycentric form).

    Points beyond the last node are evaluated at the last node. Berrut & Trefethen (2004), eq. 4.2 and 5.4.
    """
    weight = (-1.0) ** np.arange(len(nodes))
    weight[[0, -1]] /= 2
    difference = np.clip(points, nodes[0], nodes[-1])[:, None] - nodes
    exact = np.abs(difference) < 1e-200
    terms = weight / np.where(exact, 1.0, difference)
    matrix = terms / terms.sum(axis=1, keepdims=True)
    return np.asarray(np.where(exact.any(axis=1, keepdims=True), exact, matrix))
