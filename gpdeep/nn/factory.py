"""The torch module behind the text ``FILE.py:FACTORY``: the user's own file is run."""

from __future__ import annotations

import inspect
import secrets
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from torch import nn

from ..errors import DomainError
from ..gaussian.arguments import shown

_SHAPE = "A network of one's own is named as FILE.py:FACTORY: a file, a colon, a name in the file."


def load_factory(spec: str) -> nn.Module:
    """The torch module that ``FILE.py:FACTORY`` stands for.

    Parameters
    ----------
    spec : str
        A Python file, a colon, and the name of a function or class in it that is called without arguments and
        gives a `torch.nn.Module`, or of a module. **The file is run**, with its directory first on the
        search path as in ``python FILE.py``, but not as ``__main__``.

    Returns
    -------
    torch.nn.Module
        Fresh at each call, since the file is run at each call. Random weights come from torch's global
        state: seed it before.

    Raises
    ------
    DomainError
        The text has no colon, there is no such file or name, the file or the factory raises (the error is
        chained), the factory needs arguments, or gives something other than a torch module.

    Notes
    -----
    The file is compiled from its source and run under a private name that is gone from
    `sys.modules` afterwards, so that ``model.py`` neither hides a package called ``model`` nor is found in
    its place, and no bytecode is written beside it. Modules that it imports stay imported, as always.
    Objects of its classes therefore cannot be pickled by reference.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = pathlib.Path(directory, "model.py")
    ...     _ = path.write_text("from torch import nn\\ndef net(): return nn.Linear(2, 3)")
    ...     load_factory(f"{path}:net")
    Linear(in_features=2, out_features=3, bias=True)
    """
    if not isinstance(spec, str):
        _refuse(f"The factory is {shown(spec)}", "An object was given where a text is expected.", _SHAPE)
    file, colon, name = spec.rpartition(":")
    if not colon or not file or not name.isidentifier():
        _refuse(f"'{spec}' does not name a factory", _SHAPE, "Write for instance model.py:make_network")
    path = Path(file).expanduser()
    if not path.is_file():
        where = f"the working directory is {Path.cwd()}" if not path.is_absolute() else "nothing is there"
        cause = "The path is misspelt, or relative to another directory."
        _refuse(f"There is no file '{file}' ({where})", cause, "Give the path of a Python file.")
    module = types.ModuleType(f"_gpdeep_factory_{secrets.token_hex(8)}")
    module.__file__ = str(path.resolve())
    directory = str(path.resolve().parent)
    sys.modules[module.__name__] = module
    sys.path.insert(0, directory)
    try:
        _call(f"Running '{file}'", lambda: exec(compile(path.read_bytes(), path, "exec"), module.__dict__))
        return _network(module, file, name)
    finally:
        sys.modules.pop(module.__name__, None)
        if directory in sys.path:
            sys.path.remove(directory)


def _network(module: types.ModuleType, file: str, name: str) -> nn.Module:
    """What `name` in the user's file gives."""
    if name not in vars(module):
        candidates = ", ".join(_candidates(module)) or "none"
        _refuse(
            f"'{file}' has no '{name}' (candidates: {candidates})",
            "The name after the colon is misspelt, or is defined elsewhere.",
            "Name a function, class or torch module that the file defines at its top level.",
        )
    factory = vars(module)[name]
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        _refuse(
            f"'{name}' in '{file}' is of type {type(factory).__name__}",
            "It is neither a torch module nor a function that makes one.",
            "Name a function without arguments that returns a torch.nn.Module.",
        )
    missing = _required(factory)
    if missing:
        _refuse(
            f"'{name}' in '{file}' needs arguments: {', '.join(missing)}",
            "A factory is called without arguments.",
            f"Give them defaults, or write a function that calls {name} with the values you want.",
        )
    network = _call(f"Calling '{name}' of '{file}'", factory)
    if not isinstance(network, nn.Module):
        _refuse(
            f"'{name}' in '{file}' returned {type(network).__name__}, not a torch.nn.Module",
            "The factory lacks a return, or returns more than the network.",
            "Return the network alone.",
        )
    return network


def _candidates(module: types.ModuleType) -> list[str]:
    """Up to ten names in the user's file that could be meant: networks, functions and classes made there."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (
            isinstance(value, nn.Module) or (callable(value) and getattr(value, "__module__", None) == module.__name__)
        )
    ][:10]


def _required(factory: Callable[..., Any]) -> list[str]:
    """The arguments without default of a callable; none where Python does not know."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _call(doing: str, function: Callable[[], Any]) -> Any:
    """The result of user code; what it raises becomes the cause of a DomainError."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise DomainError(
            f"{doing} raised {type(error).__name__}: {error}.",
            "The file is the user's own and does not run as it stands.",
            "Correct the error (python FILE.py shows the whole traceback); a script belongs under "
            'if __name__ == "__main__".',
        ) from error


def _refuse(found: str, cause: str, change: str) -> NoReturn:
    raise DomainError(f"{found}.", cause, change)
