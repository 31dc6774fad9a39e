"""Thousands of trials on many processes or machines, and a store that loses none of them.

`run_sweep` hands units to an executor and keeps what comes back. Everything else is here because processes die: the
pool goes on without the dead one, the unit that kills its workers is found and set aside, workers end with their
driver, and a driver that was stopped or killed goes on where it was.
"""

from .canonical import canonical_json, key_of
from .errors import StoreBusyError, StoreError, SweepError, WorkerDiedError
from .outcome import Outcome
from .pool import HealingPool
from .progress import Tally
from .report import SweepReport, Trouble
from .row import Row
from .running import RETRIED, run_sweep
from .store import Store
from .unit import Batch, Unit

__all__ = [
    "RETRIED",
    "Batch",
    "HealingPool",
    "Outcome",
    "Row",
    "Store",
    "StoreBusyError",
    "StoreError",
    "SweepError",
    "SweepReport",
    "Tally",
    "Trouble",
    "Unit",
    "WorkerDiedError",
    "canonical_json",
    "key_of",
    "run_sweep",
]
