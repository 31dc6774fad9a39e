"""Which figures there are: every file in the folders of subjects."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from gpdeep.errors import DomainError

from .drawing import Drawing, style

_MOST = 10**6
SUBJECTS = ("finite_width", "infinite_width", "sparse", "leaky", "linearisation")


@dataclass(frozen=True)
class Entry:
    """A figure by name; its file is read when it is needed."""

    name: str
    subject: str

    @property
    def module(self) -> Any:
        """The file of the figure."""
        return importlib.import_module(f"{__package__}.{self.subject}.{self.name}")

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and defaults of what may be set."""
        return {name: each.default for name, each in inspect.signature(self.module.draw).parameters.items()}

    def read(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Parameters from text.

        Raises
        ------
        DomainError
            A parameter that the figure does not have, text that is no such number, or a whole number above a million.
        """
        hints, known = get_type_hints(self.module.draw), self.parameters
        found = {}
        for name, text in given.items():
            if name not in known:
                raise DomainError(
                    f"The figure {self.name} has no parameter {name}.",
                    "The name is misspelt, or belongs to another figure.",
                    f"Use one of {', '.join(known)}.",
                )
            kind = hints[name]
            try:
                found[name] = kind(text)
            except ValueError as error:
                raise DomainError(
                    f"{name}={text} of the figure {self.name}.",
                    f"{kind.__name__} was expected.",
                    f"Write it as in {name}={known[name]}.",
                ) from error
            if kind is int and not 0 <= found[name] <= _MOST:
                raise DomainError(
                    f"{name}={text} of the figure {self.name}.",
                    f"It counts what is computed for the picture, from 0 to {_MOST}.",
                    f"Write it as in {name}={known[name]}.",
                )
        return found

    def draw(self, **parameters: Any) -> Drawing:
        """The figure, drawn in the style of all."""
        with style():
            drawing: Drawing = self.module.draw(**parameters)
        return drawing


def entries() -> list[Entry]:
    """All figures, by subject and name."""
    here = Path(__file__).parent
    return [
        Entry(found.name, subject)
        for subject in SUBJECTS
        for found in sorted(pkgutil.iter_modules([str(here / subject)]), key=lambda each: each.name)
    ]


def chosen(names: Sequence[str]) -> list[Entry]:
    """The figures of these names, or of these subjects; all of them for no name.

    Raises
    ------
    DomainError
        No such figure.
    """
    everything = entries()
    if not names:
        return everything
    picked: dict[str, Entry] = {}
    for name in names:
        found = [entry for entry in everything if name in (entry.name, entry.subject)]
        if not found:
            raise DomainError(
                f"There is no figure '{name}'.",
                "The name is misspelt.",
                f"Use one of {', '.join(entry.name for entry in everything)}, or a subject: {', '.join(SUBJECTS)}.",
            )
        picked |= {entry.name: entry for entry in found}
    return list(picked.values())
