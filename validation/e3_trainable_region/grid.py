r"""Which networks are trained: σ_w by geometric depths, each cell with every learning rate and several seeds.

    h¹ = W¹x + b¹ of variance q*,    h^{l+1} = W φ(h^l) + b,    W ~ N(0, σ_w²/n),    b ~ N(0, σ_b²)

A first layer that starts at the fixed point q* leaves ξ_c as the only scale in depth. Of one depth all members are
equally large, so they are trained together, in ensembles of as many as the machine likes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..data import data_name
from ..experiment import Settings, Size
from ..sweep import Batch, Unit

FUNCTION = "validation.e3_trainable_region.networks:train_cells"
DECAY = "validation.e3_trainable_region.networks:decay"
THRESHOLD = 0.5  # of training accuracy: trained or not
FACTOR = 6.0
SIGMA_B2 = 0.05

_TANH = (0.8, 1.0, 1.2, 1.4, 1.55, 1.7, 2.0, 2.6, 4.0)
_ON_GPU = 2**33  # numbers that weights, gradients and copies of an ensemble may take: 34 GB


@dataclass(frozen=True)
class Sheet:
    """One heat map: an activation with a σ_b², σ_w by depths.

    Parameters
    ----------
    phi : str
    sigma_b2 : float
    sigma_w : tuple of float
    depths : tuple of int
    """

    phi: str
    sigma_b2: float
    sigma_w: tuple[float, ...]
    depths: tuple[int, ...]

    @property
    def name(self) -> str:
        """Such as ``tanh, sigma_b^2 = 0.05``."""
        return f"{self.phi}, sigma_b^2 = {self.sigma_b2:g}"

    @property
    def short(self) -> str:
        """What the identifiers of claims say: ``tanh``, or ``tanh-0.2`` for another σ_b²."""
        return self.phi if self.sigma_b2 == SIGMA_B2 else f"{self.phi}-{self.sigma_b2:g}"


@dataclass(frozen=True)
class Grid:
    """Everything that is trained in a size.

    Parameters
    ----------
    sheets : tuple of Sheet
    rates : tuple of float
        Learning rates; a cell is judged by the one that is best on average over its seeds.
    seeds : int
    width, steps, batch : int
    decay_networks, decay_width : int
        Of the measurement of the depth scale itself, at initialisation.
    """

    sheets: tuple[Sheet, ...]
    rates: tuple[float, ...]
    seeds: int
    width: int = 100
    steps: int = 300
    batch: int = 128
    decay_networks: int = 800
    decay_width: int = 1000


def geometric(first: int, last: int, number: int) -> tuple[int, ...]:
    """Depths from `first` to `last` whose ratios are about equal.

    >>> geometric(4, 96, 9)
    (4, 6, 9, 13, 20, 29, 43, 65, 96)
    """
    return tuple(round(first * (last / first) ** (k / (number - 1))) for k in range(number))


def grid_of(size: Size) -> Grid:
    """The grid of a size."""
    if size is Size.SMOKE:
        sheet = Sheet("tanh", SIGMA_B2, (1.0, 1.3, 1.7, 4.0), (4, 8, 14, 24))
        return Grid((sheet,), (0.05,), 1, width=64, steps=150)
    if size is Size.QUICK:
        return Grid((Sheet("tanh", SIGMA_B2, _TANH, geometric(4, 80, 8)),), (0.05, 0.01, 0.003), 2)
    many = tuple(round(0.7 * (5 / 0.7) ** (k / 19), 4) for k in range(20))
    tanh = Sheet("tanh", SIGMA_B2, many, geometric(4, 500, 10))
    others = [Sheet("tanh", sigma_b2, _TANH, geometric(4, 200, 8)) for sigma_b2 in (0.01, 0.2)]
    erf = Sheet("erf", SIGMA_B2, (0.7, *_TANH), geometric(4, 200, 8))
    return Grid((tanh, *others, erf), (0.05, 0.01, 0.003), 3, width=300, decay_networks=100_000, decay_width=2048)


def decay_specifications(settings: Settings) -> list[dict[str, Any]]:
    """The measurements of the depth scale on the ordered side, where angles shrink by a fixed factor a layer."""
    grid = grid_of(settings.size)
    return [
        {"experiment": "E3", "part": "decay", "phi": "tanh", "sigma_w": sigma_w, "sigma_b2": SIGMA_B2, "depth": 14}
        | {"width": grid.decay_width, "networks": grid.decay_networks, "seed": settings.seed}
        for sigma_w in (0.8, 1.0, 1.1)
    ]


def cell_specifications(settings: Settings) -> list[dict[str, Any]]:
    """Every network that is trained; those that can be trained together stand together."""
    grid = grid_of(settings.size)
    found = []
    for sheet in grid.sheets:
        for depth, seed, sigma_w, rate in itertools.product(sheet.depths, range(grid.seeds), sheet.sigma_w, grid.rates):
            cell = {"phi": sheet.phi, "sigma_w": sigma_w, "sigma_b2": sheet.sigma_b2, "depth": depth, "lr": rate}
            how = {"width": grid.width, "steps": grid.steps, "batch": grid.batch, "data": data_name(settings.data)}
            found.append({"experiment": "E3", "part": "train", **cell, **how, "seed": [settings.seed, seed]})
    return found


def plan(settings: Settings) -> Sequence[Unit | Batch]:
    """The measurements of the depth scale, then the ensembles, deepest first."""
    common = {"device": settings.device}
    units: list[Unit | Batch] = [Unit(DECAY, one, 4e10, common) for one in decay_specifications(settings)]
    cells = cell_specifications(settings)
    groups = itertools.groupby(cells, key=lambda one: (one["phi"], one["sigma_b2"], one["depth"]))
    batches = [list(members) for _, members in groups]
    for members in sorted(batches, key=lambda one: -int(one[0]["depth"])):
        most = _together(members[0], settings.device)
        for start in range(0, len(members), most):
            part = members[start : start + most]
            flops = sum(_flops(one) for one in part)
            units.append(Batch(FUNCTION, part, flops, common | {"data": settings.data}))
    return units


def _together(one: dict[str, Any], device: str) -> int:
    """How many members are one ensemble: 8 keep a processor busy, a GPU takes what fits."""
    weights = one["depth"] * one["width"] ** 2
    return 8 if device == "cpu" else max(1, min(450, _ON_GPU // (4 * weights)))


def _flops(one: dict[str, Any]) -> float:
    return float(6.0 * one["batch"] * one["steps"] * one["depth"] * one["width"] ** 2)
