"""What a unit answers, and the plain JSON in which it is kept."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """What a function returns where a mapping is not enough.

    Parameters
    ----------
    values : mapping
        Numbers, texts, lists, dictionaries, dataclasses, small arrays. Kept as strict JSON: NaN and infinities become
        null. A true ``values["diverged"]`` marks the unit as diverged: a result, not a failure.
    arrays : mapping of str to array
        Bulk data, of any shape and numeric type, kept beside the store as one ``.npz`` file a unit.
    device : str, optional
        Where it was computed; found out where it is not given.

    Examples
    --------
    >>> Outcome({"accuracy": np.float64(0.5), "loss": float("inf"), "diverged": True}).json
    '{"accuracy": 0.5, "loss": null, "diverged": true}'
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None

    @property
    def json(self) -> str:
        """The values as strict JSON."""
        return json.dumps(plain(self.values), allow_nan=False)

    @property
    def diverged(self) -> bool:
        """Whether the unit diverged."""
        return bool(self.values.get("diverged", False))

    @property
    def numeric_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays as numpy's, with names that can be members of a zip file."""
        arrays = {name: np.asarray(array) for name, array in self.arrays.items()}
        for name, array in arrays.items():
            if not isinstance(name, str) or not name.isidentifier():
                raise TypeError(f"An array is called {name!r}; its name must be a Python identifier.")
            if array.dtype.hasobject:
                raise TypeError(f"The array {name!r} holds Python objects; only numbers and fixed texts can be kept.")
        return arrays


def outcome_of(answer: Any) -> Outcome:
    """`answer` as an outcome; a mapping, or a result with ``to_dict()``, stands for its values.

    Raises
    ------
    TypeError
        The function returned something else.
    """
    if isinstance(answer, Outcome):
        return answer
    if hasattr(answer, "to_dict"):
        answer = answer.to_dict()
    if not isinstance(answer, Mapping):
        raise TypeError(f"The function returned a {type(answer).__name__}; a unit returns a mapping or an Outcome.")
    return Outcome(answer)


def plain(value: Any) -> Any:
    """`value` in the types of JSON, with None for NaN and infinities.

    Raises
    ------
    TypeError
        Part of it has no such form.
    """
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        named = {_name(name): plain(item) for name, item in value.items()}
        if len(named) < len(value):
            raise TypeError(f"Two of the names {list(value)!r:.200} are the same text: only one could be kept as JSON.")
        return named
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    raise TypeError(f"A {type(value).__name__} cannot be kept as JSON.")


def _name(name: Any) -> str:
    if isinstance(name, np.generic):
        name = name.item()
    if isinstance(name, (str, int)) and not isinstance(name, bool):
        return str(name)
    raise TypeError(f"{name!r} cannot be the name of a JSON entry.")
