"""Which units of a model are still active: one row for each activation, with the slopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from ...errors import DomainError
from ...linearize.unit_summary import UnitSummary, summarise_units
from ...result import FloatArray, IntArray, Result, Status, render_table
from ..modules.partial_relu import PartialReLU, partial_relus, require_finite_slopes
from ..reading.partial_tracing import called
from ..reading.weights import require_module


@dataclass(frozen=True, kw_only=True, eq=False)
class ActiveUnits(Result):
    """What `active_units` answers. One entry for each activation, in order of execution where that is known.

    Attributes
    ----------
    names : tuple of str
        A module that is called again is called ``name:2``.
    channels, active : ndarray of int64
        Units, and those that are not frozen.
    slopes : tuple of ndarray
        Of all units of each, flattened; exactly 1 where frozen.
    """

    names: tuple[str, ...]
    channels: IntArray
    active: IntArray
    slopes: tuple[FloatArray, ...]

    @property
    def summary(self) -> UnitSummary:
        """Support, effective width, participation depth and centre of mass."""
        return summarise_units(self.channels.tolist(), self.active.tolist(), self.names)

    def __str__(self) -> str:
        """A table of the activations; slopes are those of active units."""
        rows = []
        for name, channels, active, slopes in zip(self.names, self.channels, self.active, self.slopes, strict=True):
            live = slopes[slopes != 1]
            spread = [f"{f(live):.3f}" for f in (np.min, np.median, np.max)] if live.size else ["", "", ""]
            rows.append([name, str(channels), str(active), f"{active / channels:.4f}", *spread])
        left = self.summary
        notes = [
            f"effective width {left.effective_width:.4g} over {left.support} of {len(rows)} activations, participation "
            f"depth {left.participation_depth:.4g}, centre of mass {left.centre_of_mass:.4g}",
            *(f"note: {message}" for message in self.status.messages),
        ]
        title = f"{self.active.sum()} of {self.channels.sum()} units are active"
        columns = ["name", "units", "active", "fraction", "least slope", "median", "largest"]
        return render_table(title, columns, rows, notes)


def active_units(model: nn.Module) -> ActiveUnits:
    """The units of a model's `PartialReLU` modules that are not frozen.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is. Traced by `torch.fx` for the order in which activations are executed and how often each is;
        where it cannot be, they are listed as registered, each once, and the status says so.

    Returns
    -------
    ActiveUnits
        Activations of other kinds are not listed.

    Raises
    ------
    DomainError
        There is no `PartialReLU`, or one has slopes that are not finite.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 3), PartialReLU(3), nn.Linear(3, 3), PartialReLU(3), nn.Linear(3, 1))
    >>> _ = model[1].freeze([True, False, True])
    >>> found = active_units(model)
    >>> found.names, found.active
    (('1', '3'), array([1, 3]))
    """
    require_module(model)
    registered = list(partial_relus(model))
    if not registered:
        raise DomainError(
            f"{type(model).__name__} has no PartialReLU.",
            "Its activations are plain ReLUs, of which every unit is active.",
            "Put them in by gpdeep.nn.replace_activations(model).model.",
        )
    executed, why = called(model, PartialReLU)
    status = Status()
    if executed is not None and {id(module) for _, module in executed} != {id(module) for _, module in registered}:
        executed, why = None, "some are called where torch.fx does not see it, or not at all"
    if executed is None:
        status = Status(messages=(f"in the order of registration, each module once: {why}",))
        executed = registered
    seen: dict[int, int] = {}
    names = []
    for name, module in executed:
        seen[id(module)] = seen.get(id(module), 0) + 1
        names.append(name if seen[id(module)] == 1 else f"{name}:{seen[id(module)]}")
    slopes = tuple(module.slopes().detach().double().cpu().numpy().reshape(-1) for _, module in executed)
    for name, values in zip(names, slopes, strict=True):
        require_finite_slopes(f"'{name}'", values)
    return ActiveUnits(
        status=status,
        names=tuple(names),
        channels=np.array([_units(module) for _, module in executed], dtype=np.int64),
        active=np.array([_units(module, active=True) for _, module in executed], dtype=np.int64),
        slopes=slopes,
    )


def _units(module: PartialReLU, active: bool = False) -> int:
    """Units of an activation, all or those not frozen; one slope for a layer counts as its channels."""
    count = int((~module.frozen).sum()) if active else module.frozen.numel()
    return count * (module.num_channels if module.granularity == "layer" else 1)
