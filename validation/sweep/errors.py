"""What can stop a sweep. A unit that fails or diverges does not: that is a row in the store."""

from __future__ import annotations

from gpdeep.errors import GpdeepError


class StoreError(GpdeepError, OSError):
    """The store cannot be opened, read or written; what it held before stays there."""


class StoreBusyError(StoreError):
    """Another driver works on this store."""


class SweepError(GpdeepError, RuntimeError):
    """The executor can do no more work; what was done is in the store."""


class WorkerDiedError(RuntimeError):
    """The process that computed this unit ended before it answered: killed, out of memory, or crashed in C code."""
