"""The server of the page: on 127.0.0.1 alone, until Ctrl-C."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable

from ..errors import DomainError, InfeasibleError, MissingExtraError

ADDRESS = "127.0.0.1"
"""This machine; no other reaches it."""

_LAST_PORT = 65535


def serve(port: int, *, ready: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    port : int
        0 to 65535; 0 takes a free one.
    ready : callable
        Called with the page's address once it can be visited.

    Raises
    ------
    DomainError
        There is no such port.
    InfeasibleError
        The port is in use, or not the user's to take.
    MissingExtraError
        panel or matplotlib is not installed.
    """
    if not 0 <= port <= _LAST_PORT:
        raise DomainError(f"The port is {port}.", f"Ports are numbers from 0 to {_LAST_PORT}.", "Give one of them.")
    try:
        import matplotlib as _  # noqa: F401  before a page without pictures is served
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "explore", "gpdeep explore") from error
    chosen = free_port(port)
    from .page import server_of

    before = signal.getsignal(signal.SIGINT)
    server = server_of(ADDRESS, chosen)
    loop = server.io_loop
    signal.signal(signal.SIGINT, lambda *_: loop.add_callback(loop.stop))
    try:
        server.start()
        loop.add_callback(ready, f"http://{ADDRESS}:{chosen}/")
        loop.start()
    finally:
        signal.signal(signal.SIGINT, before)
        server.stop()


def free_port(port: int) -> int:
    """`port` if this machine has it free, or for 0 any that is.

    Raises
    ------
    InfeasibleError
        It is in use, or not the user's to take.
    """
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server: free right after it was closed
        try:
            trial.bind((ADDRESS, port))
            trial.listen()
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise InfeasibleError(
                f"Port {port} of {ADDRESS} cannot be used ({error.strerror}).",
                "Another program, perhaps a second gpdeep explore, listens there."
                if taken
                else "Ports below 1024 belong to the system.",
                "Give another one with --port, or --port 0 for any that is free.",
            ) from error
        return int(trial.getsockname()[1])
