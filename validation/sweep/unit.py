"""What is computed: one unit alone, or a batch of units by one call."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gpdeep.errors import DomainError

from .canonical import canonical_json, key_of_text

Function = str | Callable[..., Any]

_IMPORTABLE = re.compile(r"[\w.]+:[\w.]+")


@dataclass(frozen=True)
class Unit:
    """One result to be computed: ``function(specification, **settings)``.

    The function returns a mapping, or an `Outcome` where there are arrays. It sees the specification as JSON reads it
    back (lists, never tuples), so that it cannot depend on what the key does not hold.

    Parameters
    ----------
    function : str or callable
        ``'module:name'``, or a callable that the executor can pickle.
    specification : mapping
        All that the result depends on, the experiment's name and the seed included. It gives the key.
    flops : float, optional
        Estimated floating-point operations, > 0; the time that is left is estimated from them.
    settings : mapping
        What the result does not depend on: device, folder of the data. Not part of the key.

    Raises
    ------
    DomainError
        The specification has no canonical form, the function no name, or flops is not a positive number.

    Examples
    --------
    >>> unit = Unit("validation.e1:trial", {"experiment": "E1", "width": 64, "seed": 0}, flops=1e9)
    >>> unit.key == Unit("validation.e1:trial", {"seed": 0, "width": 64, "experiment": "E1"}).key
    True
    """

    function: Function
    specification: Mapping[str, Any]
    flops: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        function_name(self.function)
        _check_flops(self.flops)
        _ = self.text

    @cached_property
    def text(self) -> str:
        """The specification as canonical JSON."""
        return canonical_json(self.specification)

    @cached_property
    def key(self) -> str:
        """The key of the result in the store."""
        return key_of_text(self.text)


@dataclass(frozen=True)
class Batch:
    """Units that one call computes together, such as an ensemble: ``function(specifications, **settings)``.

    The function gets the list of those members that are not done yet and returns their outcomes in the same order. Each
    member has a row of its own, so results are found again however members are grouped. If the call fails or its
    process dies, the members are computed one by one, and only the guilty one is marked.

    Parameters
    ----------
    function : str or callable
        As for `Unit`; it takes a list of specifications and returns a list as long.
    specifications : sequence of mappings
        One for each member.
    flops : float, optional
        Estimated floating-point operations of the whole batch.
    settings : mapping
        As for `Unit`.
    """

    function: Function
    specifications: Sequence[Mapping[str, Any]]
    flops: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        function_name(self.function)
        _check_flops(self.flops)
        _ = self.texts

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The specifications as canonical JSON."""
        return tuple(canonical_json(specification) for specification in self.specifications)


def function_name(function: Function) -> str:
    """``module:name`` of the function."""
    if isinstance(function, str):
        if not _IMPORTABLE.fullmatch(function):
            raise DomainError(
                f"The function is the text {function!r}.",
                "A function given as text is imported by the process that runs it.",
                "Write it as 'package.module:function'.",
            )
        return function
    if not callable(function):
        raise DomainError(
            f"The function is a {type(function).__name__}.",
            "A unit needs something to call.",
            "Give a callable, or text such as 'package.module:function'.",
        )
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', type(function).__module__)}:{name}"


def _check_flops(flops: float | None) -> None:
    if flops is None:
        return
    number = flops if isinstance(flops, (int, float)) and not isinstance(flops, bool) else math.nan
    if not 0 < number < math.inf:
        raise DomainError(
            f"flops = {flops!r} is not a positive number.",
            "flops is the estimated work of the unit, from which the time that is left is computed.",
            "Give a positive finite number, or None where it is not known.",
        )
