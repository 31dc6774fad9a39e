"""A worker process as its pool sees it: a pipe, a process, and the one call that it holds."""

from __future__ import annotations

import pickle
from concurrent.futures import Future
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from .worker import READY, serve

_SECONDS_TO_LEAVE = 2.0


class Worker:
    """One process; it is started here and ends in `bury`."""

    def __init__(self, context: SpawnContext) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=serve, args=(theirs,), name="sweep-worker", daemon=True)
        self.process.start()
        theirs.close()  # the worker has the only other end, so its death is an end of file here
        self.ready = False
        self.future: Future[Any] | None = None

    @property
    def idle(self) -> bool:
        """Whether it can be given a call."""
        return self.ready and self.future is None

    def give(self, future: Future[Any], call: bytes) -> None:
        """Hand the worker a call; if it is dead already, `heard_alive` will say so."""
        self.future = future
        try:
            self.pipe.send_bytes(call)
        except OSError:
            self.process.kill()

    def heard_alive(self) -> bool:
        """Take the answers that have come; False if the process is dead and has nothing more to say."""
        alive = self.process.is_alive()  # asked first: what it said before it died is still heard
        try:
            while self.pipe.poll():
                self._hear(self.pipe.recv_bytes())
        except (EOFError, OSError):
            return False
        return alive

    def bury(self) -> str:
        """End the process if it has not ended, and say how it did."""
        self.process.join(_SECONDS_TO_LEAVE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()
        code = self.process.exitcode or 0
        return f"process {self.process.pid} " + (
            f"was ended by signal {-code}" if code < 0 else f"left with code {code}"
        )

    def _hear(self, message: bytes) -> None:
        if not self.ready:
            self.ready = message == READY
            return
        future, self.future = self.future, None
        if future is None:
            return
        try:
            succeeded, value = pickle.loads(message)
        except Exception as error:
            succeeded, value = False, error
        if succeeded:
            future.set_result(value)
        else:
            future.set_exception(value)
