"""``gpdeep cite``, ``gpdeep schema`` and ``gpdeep --version``: what an answer rests on, and its form."""

from __future__ import annotations

import json

import typer

from ..errors import DomainError
from .references import BIBTEX, REFERENCES
from .schemas import SCHEMAS


def version(wanted: bool) -> None:
    """Print the version."""
    if wanted:
        from .. import __version__

        print(__version__)
        raise typer.Exit


def cite(command: str = typer.Argument(help="The command whose answer is to be cited.")) -> None:
    """Print BibTeX entries of what a command's answer rests on."""
    _known(command)
    print("\n\n".join(BIBTEX[key] for key in REFERENCES[command]))


def schema(command: str = typer.Argument(help="The command whose JSON output is described.")) -> None:
    """Print the JSON schema of what a command prints with --json."""
    _known(command)
    print(json.dumps(SCHEMAS[command], indent=2))


def _known(command: str) -> None:
    if command not in SCHEMAS:
        raise DomainError(
            f"There is no computing command '{command}'.",
            "The name is misspelt, or belongs to another version.",
            f"Use one of: {', '.join(SCHEMAS)}.",
        )
