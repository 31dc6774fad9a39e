"""A process pool that heals itself: a worker that dies takes only its own call with it.

The standard pool is broken for good when one process dies, and all calls that wait in it are lost; nobody can say
which call was to blame. Here each worker has a pipe of its own and holds one call, so the call that was in a dead
process is known. It fails with `WorkerDiedError`, a new worker is started, and no other call notices.

Workers are spawned, not forked (a fork copies the locks of threads that it does not copy), with one thread each.
One thread of the pool does everything: it starts workers, hands out calls, collects answers and buries the dead.
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from multiprocessing import connection, resource_tracker
from multiprocessing.reduction import ForkingPickler
from typing import Any

from .errors import WorkerDiedError
from .staff import Worker
from .worker import environment_of_workers

_SECONDS_BETWEEN_ROUNDS = 1.0  # a death that closes no pipe, because a child of the worker holds it open, is seen then
_STILLBORN = 3  # so many workers in a row that die before they are ready: the next ones will, too


def default_workers() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class HealingPool(Executor):
    """An executor of processes in which one dead worker costs one call.

    Parameters
    ----------
    workers : int, optional
        The most processes at a time, >= 1; by default one for each processor.

    Examples
    --------
    >>> with HealingPool(1) as pool:
    ...     pool.submit(divmod, 17, 5).result()
    (3, 2)
    """

    def __init__(self, workers: int | None = None) -> None:
        self._most = default_workers() if workers is None else workers
        self._context = multiprocessing.get_context("spawn")
        self._bell, self._ring = self._context.Pipe(duplex=False)
        self._lock = threading.RLock()
        self._waiting: collections.deque[tuple[Future[Any], bytes]] = collections.deque()
        self._staff: list[Worker] = []
        self._closing = self._killed = self._rung = False
        self._broken: str | None = None
        self._stillborn = 0
        self._thread: threading.Thread | None = None  # started with the first call

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The future of ``fn(*args, **kwargs)``; what cannot be pickled fails in its own future."""
        future: Future[Any] = Future()
        try:
            call = bytes(ForkingPickler.dumps((fn, args, kwargs)))
        except Exception as error:
            future.set_exception(error)
            return future
        with self._lock:
            if self._broken is not None:
                raise BrokenExecutor(self._broken)
            if self._closing:
                raise RuntimeError("the pool was shut down")
            self._waiting.append((future, call))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="healing-pool", daemon=True)
                self._thread.start()
            self._wake()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; those that were taken are finished, unless they are cancelled."""
        with self._lock:
            self._closing = True
            if cancel_futures:
                for future, _ in self._waiting:
                    future.cancel()
            self._wake()
        if wait and self._thread is not None:
            self._thread.join()

    def kill(self) -> None:
        """End all workers at once, in the middle of what they do."""
        self._killed = True
        self.shutdown(cancel_futures=True)

    def _wake(self) -> None:
        """Ring the thread's bell, once until it hears it: a pipe that nobody empties would block."""
        if not self._rung:
            self._rung = True
            self._ring.send_bytes(b".")

    # ------------------------------------------------------------------ the pool's own thread

    def _work(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # workers inherit it: Ctrl-C is for the driver, who decides what to keep
            resource_tracker.ensure_running()  # multiprocessing starts it with its first process, and then unblocks
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while not self._killed and self._broken is None:
                with self._lock:
                    while self._bell.poll():
                        self._bell.recv_bytes()
                    self._rung = False
                    self._hand_out()
                    if self._closing and not self._waiting and not any(worker.future for worker in self._staff):
                        break
                connection.wait([self._bell, *(worker.pipe for worker in self._staff)], _SECONDS_BETWEEN_ROUNDS)
                for worker in list(self._staff):
                    self._attend(worker)
        except BaseException as error:  # for instance no more processes are allowed; whoever waits is told
            self._broken = f"the pool could not go on: {error!r}"
        finally:
            self._dismiss()

    def _hand_out(self) -> None:
        """Start the workers that are needed and give each idle one a call."""
        while self._waiting and self._waiting[0][0].cancelled():
            self._waiting.popleft()[0].set_running_or_notify_cancel()  # tells those who wait for it
        busy = sum(worker.future is not None for worker in self._staff)
        while len(self._staff) < min(self._most, busy + len(self._waiting)):
            with environment_of_workers():
                self._staff.append(Worker(self._context))
        for worker in self._staff:
            while worker.idle and self._waiting:
                future, call = self._waiting.popleft()
                if future.set_running_or_notify_cancel():
                    worker.give(future, call)

    def _attend(self, worker: Worker) -> None:
        """Take what the worker has to say; bury it if it is dead."""
        if not worker.heard_alive():
            self._staff.remove(worker)
            cause = worker.bury()
            if worker.future is not None:
                worker.future.set_exception(WorkerDiedError(cause))
            elif not worker.ready:
                self._stillborn += 1
                if self._stillborn == _STILLBORN:
                    self._broken = f"{_STILLBORN} workers in a row died while they started (the last one: {cause})"
        elif worker.ready:
            self._stillborn = 0

    def _dismiss(self) -> None:
        """Let the workers go, and fail what will not be computed any more."""
        with self._lock:
            self._closing = True
            left = [future for future, _ in self._waiting if future.set_running_or_notify_cancel()]
            self._waiting.clear()
        for worker in self._staff:
            if self._killed or worker.future is not None:
                worker.process.kill()
            worker.pipe.close()
        for worker in self._staff:
            worker.bury()
            left += [worker.future] if worker.future is not None else []
        for future in left:
            future.set_exception(BrokenExecutor(self._broken or "the pool was stopped"))
        self._staff.clear()
