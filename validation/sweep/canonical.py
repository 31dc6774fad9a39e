"""The key of a unit: a hash of what it computes, and of nothing else.

    key = first 24 hexadecimal digits of SHA-256 of {"schema": s, "specification": ...} as canonical JSON

Canonical: keys sorted, no spaces, ASCII, floats by their shortest repr. So the key depends neither on the order in
which a dictionary was filled, nor on the machine, the folder, the position in the sweep, or the way in which units are
grouped. 24 digits are 96 bits: among 10^9 units the chance of any collision is below 10^-11.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpdeep.errors import DomainError

SCHEMA = 1
"""Raised when the same specification comes to mean something else: older results are then not found any more."""

_DIGITS = 24


def key_of(specification: Mapping[str, Any]) -> str:
    """The key under which the result of `specification` is kept.

    Raises
    ------
    DomainError
        The specification holds something else than text, finite numbers, booleans, None, lists and dictionaries.

    Examples
    --------
    >>> key_of({"width": 64, "sigma_w": 1.5}) == key_of({"sigma_w": 1.5, "width": 64})
    True
    >>> key_of({"width": 64}) == key_of({"width": 65})
    False
    """
    return key_of_text(canonical_json(specification))


def key_of_text(specification: str) -> str:
    """The key of a specification that is already canonical JSON."""
    text = f'{{"schema":{SCHEMA},"specification":{specification}}}'
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_DIGITS]


def canonical_json(specification: Mapping[str, Any]) -> str:
    """`specification` as canonical JSON; tuples become lists, numpy's numbers Python's.

    1 and 1.0 are different numbers here, as they are to the functions that read them.

    Examples
    --------
    >>> canonical_json({"b": (1, 0.1), "a": np.float64(1e22)})
    '{"a":1e+22,"b":[1,0.1]}'
    """
    if not isinstance(specification, Mapping):
        raise _unfit("specification", specification, "it is not a dictionary")
    return json.dumps(_plain(specification, "specification"), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any, where: str) -> Any:
    """`value` in JSON's types; `where` is its place, for the message."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _unfit(where, value, "NaN and infinities are no settings, and NaN is not equal to itself")
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, Mapping):
        for name in value:
            if type(name) is not str:
                raise _unfit(where, name, "the names in a dictionary are texts")
        return {name: _plain(item, f"{where}[{name!r}]") for name, item in value.items()}
    if isinstance(value, os.PathLike):
        raise _unfit(where, value, "a path differs between machines, a result does not")
    raise _unfit(where, value, f"a {type(value).__name__} has no canonical form")


def _unfit(where: str, value: Any, reason: str) -> DomainError:
    return DomainError(
        f"{where} holds {value!r:.100}, which cannot be part of a unit's key.",
        f"A specification says what is computed, in plain values, and {reason}.",
        "Use text, finite numbers, booleans, None, lists and dictionaries; folders and devices belong in `settings`.",
    )
