"""What is submitted as one call, and how the units of a sweep become such calls."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gpdeep.errors import DomainError

from .canonical import key_of_text
from .unit import Batch, Function, Unit, function_name


@dataclass
class Task:
    """What is submitted as one call: the members of a unit or batch that are still to be done."""

    function: Function
    members: tuple[tuple[str, str], ...]  # key and canonical JSON of each
    settings: Mapping[str, Any]
    flops: float | None
    batched: bool
    tries: int = 0

    @property
    def specifications(self) -> list[dict[str, Any]]:
        """The members' specifications as JSON reads them."""
        return [json.loads(text) for _, text in self.members]

    def only(self, keys: Collection[str]) -> Task:
        """The task with the members whose key is in `keys`."""
        members = tuple(member for member in self.members if member[0] in keys)
        share = len(members) / max(1, len(self.members))
        flops = None if self.flops is None else self.flops * share
        return Task(self.function, members, self.settings, flops, self.batched, self.tries)

    def one_by_one(self) -> list[Task]:
        """A task for each member."""
        return [self.only({key}) for key, _ in self.members]


def tasks_of(units: Iterable[Unit | Batch]) -> list[Task]:
    """The tasks of a sweep, each key in one of them only.

    Raises
    ------
    DomainError
        Something else than a unit or batch is among them, or two functions are given the same specification.
    """
    functions: dict[str, str] = {}
    tasks = []
    for unit in units:
        if not isinstance(unit, (Unit, Batch)):
            raise DomainError(
                f"A {type(unit).__name__} stands among the units.",
                "A sweep is made of Unit and Batch objects; a bare specification or function was given.",
                "Write Unit('module:function', specification).",
            )
        name, batched = function_name(unit.function), isinstance(unit, Batch)
        members = {key_of_text(text): text for text in (unit.texts if isinstance(unit, Batch) else [unit.text])}
        for key in members.keys() & functions.keys():
            if functions[key] != name:
                raise same_specification(key, members[key], name, functions[key])
        fresh = members.keys() - functions.keys()
        functions.update(dict.fromkeys(fresh, name))
        if fresh:
            whole = Task(unit.function, tuple(members.items()), unit.settings, unit.flops, batched)
            tasks.append(whole.only(fresh))
    return tasks


def same_specification(key: str, text: str, name: str, other: str) -> DomainError:
    """The error where two functions claim one key."""
    return DomainError(
        f"The specification {text:.200} (key {key}) is given to {name} and to {other}.",
        "A result is known by its specification alone, so two experiments need different ones.",
        "Name the experiment in the specification, for instance 'experiment': 'E1'.",
    )
