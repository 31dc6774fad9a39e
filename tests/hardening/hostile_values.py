"""What a hostile, hasty or unlucky user gives instead of an argument; each made afresh, under a name to report."""

from __future__ import annotations

import decimal
import fractions
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Unconvertible:
    """Whatever is asked of it, it fails in its own way."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __index__(self) -> int:
        raise RuntimeError("no integer")


def _read_only() -> Any:
    array = np.array([0.5, 0.75])
    array.flags.writeable = False
    return array


def _recursive() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def _no_argument() -> float:
    return 0.5


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _itself(x: Any) -> Any:
    return x


def _nan_of(x: Any) -> Any:
    return np.full(np.shape(x), np.nan)


def _wrong_shape(x: Any) -> Any:
    return np.zeros(7)


_SCALARS: dict[str, Any] = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "0": 0,
    "-0.0": -0.0,
    "1": 1,
    "-1": -1,
    "2": 2,
    "0.5": 0.5,
    "3.5": 3.5,
    "1e-12": 1e-12,
    "1e308": 1e308,
    "-1e308": -1e308,
    "1e200": 1e200,
    "5e-324": 5e-324,
    "10**9": 10**9,
    "10**12": 10**12,
    "2**63": 2**63,
    "10**400": 10**400,
    "10**5000": 10**5000,
    "True": True,
    "None": None,
    "empty text": "",
    "nonsense": "nonsense",
    "text with a zero byte": "a\0b",
    "surrogate": "\ud800",
    "nan in words": "nan",
    "1.0 in words": "1.0",
    "relu": "relu",
    "path of 10**4 letters": "x" * 10**4,
    "bytes": b"x",
    "complex": 1j,
    "float32": np.float32(0.7),
    "float16": np.float16(0.7),
    "int8": np.int8(2),
    "uint64": np.uint64(3),
    "bool_": np.bool_(True),
    "longdouble": np.longdouble(0.7),
    "fraction": fractions.Fraction(1, 2),
    "decimal": decimal.Decimal("0.5"),
    "datetime64": np.datetime64("2024-01-01"),
    "float nan of numpy": np.float32("nan"),
    "ellipsis": ...,
    "not implemented": NotImplemented,
    "slice": slice(3),
    "class": int,
    "path": Path("nowhere"),
    "module": math,
    "error": ValueError("x"),
    "generator of numbers": np.random.default_rng(0),
    "object": object(),
    "unconvertible": Unconvertible(),
    "range": range(3),
    "tuple": (1, 2),
    "frozenset": frozenset({1, 2}),
    "lambda of nothing": _no_argument,
    "lambda to None": _nothing,
    "lambda to itself": _itself,
    "lambda to nan": _nan_of,
    "lambda to a wrong shape": _wrong_shape,
}

HOSTILE: dict[str, Callable[[], Any]] = {
    **{name: (lambda value=value: value) for name, value in _SCALARS.items()},
    "list": lambda: [0.5, 0.75],
    "list of ints": lambda: [1, 2],
    "list of 0": lambda: [0, 0],
    "list of -1": lambda: [-1, -1],
    "list of nan": lambda: [math.nan, 0.5],
    "list of inf": lambda: [math.inf, 0.5],
    "list of 10**400": lambda: [10**400, 1],
    "list of 10**12": lambda: [10**12, 10**12],
    "list of text": lambda: ["a", "b"],
    "list of None": lambda: [None],
    "list of True": lambda: [True, False],
    "list of complex": lambda: [1j, 0.5],
    "empty list": lambda: [],
    "nested empty list": lambda: [[]],
    "ragged list": lambda: [[1.0, 2.0], [3.0]],
    "list of itself": _recursive,
    "matrix as lists": lambda: [[1.0, 0.5], [0.25, 2.0]],
    "empty dict": lambda: {},
    "dict": lambda: {"a": 0.5},
    "dict of ints": lambda: {0: 1, 1: 2},
    "set": lambda: {0.5, 0.75},
    "generator": lambda: (x for x in (0.5, 0.75)),
    "generator of ints": lambda: (x for x in (1, 2)),
    "iterator that fails": lambda: (1 / x for x in (1, 0)),
    "map": lambda: map(float, [1, 2]),
    "0-d": lambda: np.array(0.5),
    "1-d": lambda: np.array([0.5, 0.75]),
    "one entry": lambda: np.array([0.5]),
    "2-d": lambda: np.array([[1.0, 0.5], [0.25, 2.0]]),
    "column": lambda: np.array([[0.5], [0.75]]),
    "3-d": lambda: np.linspace(0.1, 0.9, 8).reshape(2, 2, 2),
    "5-d": lambda: np.full((1, 2, 1, 2, 2), 0.5),
    "empty": lambda: np.empty(0),
    "0 by 3": lambda: np.empty((0, 3)),
    "3 by 0": lambda: np.empty((3, 0)),
    "array of float32": lambda: np.array([0.5, 0.75], np.float32),
    "array of float16": lambda: np.array([0.5, 0.75], np.float16),
    "array of longdouble": lambda: np.array([0.5, 0.75], np.longdouble),
    "array of int8": lambda: np.array([1, 2], np.int8),
    "array of uint64": lambda: np.array([1, 2], np.uint64),
    "array of bool": lambda: np.array([True, False]),
    "array of complex": lambda: np.array([1j, 0.5]),
    "array of objects": lambda: np.array([0.5, None], dtype=object),
    "array of floats as objects": lambda: np.array([0.5, 0.75], dtype=object),
    "array of text": lambda: np.array(["0.5", "x"]),
    "array of bytes": lambda: np.array([b"x"]),
    "array of dates": lambda: np.array(["2024-01-01"], dtype="datetime64[D]"),
    "records": lambda: np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]),
    "big-endian": lambda: np.array([0.5, 0.75], ">f8"),
    "read-only": _read_only,
    "not contiguous": lambda: np.linspace(0.1, 1.0, 8)[::4],
    "reversed": lambda: np.array([0.75, 0.5])[::-1],
    "Fortran order": lambda: np.asfortranarray([[1.0, 0.5], [0.25, 2.0]]),
    "masked": lambda: np.ma.masked_array([0.5, 0.75], [False, True]),
    "array of nan": lambda: np.array([0.5, math.nan]),
    "array of inf": lambda: np.array([0.5, math.inf]),
    "array of 0": lambda: np.zeros(2),
    "matrix of 0": lambda: np.zeros((2, 2)),
    "array of -1": lambda: np.array([-1.0, -1.0]),
    "array of 1e308": lambda: np.array([1e308, 1e308]),
    "matrix of 1e308": lambda: np.full((2, 2), 1e308),
    "array of 5e-324": lambda: np.array([5e-324, 5e-324]),
    "matrix of 5e-324": lambda: np.full((2, 2), 5e-324),
    "matrix of nan": lambda: np.full((2, 2), math.nan),
    "an activation": lambda: __import__("gpdeep").activation("relu"),
    "an architecture": lambda: __import__("gpdeep").Architecture.parse("8,4x2,2"),
}
"""Makers of hostile values by name."""


def torch_values(torch: Any) -> dict[str, Callable[[], Any]]:
    """What only a user of torch can give."""
    return {
        "tensor": lambda: torch.tensor([0.5, 0.75]),
        "tensor of nothing": lambda: torch.empty(0),
        "0-d tensor": lambda: torch.tensor(0.5),
        "0-d tensor of int": lambda: torch.tensor(2),
        "tensor of ints": lambda: torch.tensor([1, 2]),
        "2-d tensor": lambda: torch.tensor([[1.0, 0.5], [0.25, 2.0]], dtype=torch.float64),
        "tensor with a gradient": lambda: torch.tensor([0.5, 0.75], requires_grad=True),
        "0-d tensor with a gradient": lambda: torch.tensor(0.5, requires_grad=True),
        "tensor of float16": lambda: torch.tensor([0.5, 0.75], dtype=torch.float16),
        "tensor of bfloat16": lambda: torch.tensor([0.5, 0.75], dtype=torch.bfloat16),
        "tensor of bool": lambda: torch.tensor([True, False]),
        "tensor of complex": lambda: torch.tensor([1j, 0.5]),
        "tensor of nan": lambda: torch.tensor([0.5, math.nan]),
        "meta tensor": lambda: torch.empty(2, device="meta"),
        "0-d meta tensor": lambda: torch.empty((), device="meta"),
        "sparse tensor": lambda: torch.tensor([[0.5, 0.0], [0.0, 0.75]]).to_sparse(),
        "quantised tensor": lambda: torch.quantize_per_tensor(torch.tensor([0.5, 0.75]), 0.25, 0, torch.qint8),
        "list of tensors": lambda: [torch.tensor(0.5), torch.tensor(0.75)],
        "tensor subclass": lambda: torch.nn.Parameter(torch.tensor([[0.5, 0.75]])),
        "module": lambda: torch.nn.Linear(2, 2),
        "class of modules": lambda: torch.nn.ReLU,
        "dtype of torch": lambda: torch.float64,
        "device": lambda: torch.device("cpu"),
        "sequential": lambda: torch.nn.Sequential(),
    }
