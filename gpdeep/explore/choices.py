"""What the sliders say: a network, a sparse design, and which of the two questions they enter.

The values of all sliders are one frozen `Choices`. Those that do not enter a view are put back to their defaults by
`Choices.of_view`, so that two positions with the same answer are equal.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from typing import Any

from ..activations import NAMES

_EXAMPLES = {"leaky_relu": ":0.1", "relu_tau": ":1", "st": ":1", "crelu": ":1,1.5", "cst": ":1,1.5"}

DESIGNED = "the sparse design"
"""The activation, weights and biases are those of the sparse design."""

ACTIVATIONS = (*(name + _EXAMPLES.get(name, "") for name in NAMES), DESIGNED)
FAMILIES = ("crelu", "cst")
WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
MOST_LAYERS = 200
LARGEST_SIGMA_W, LARGEST_SIGMA_B = 6.0, 2.0

_NEURONS = 4_000_000  # of all sampled networks together: some 0.3 s
_FEWEST, _MOST = 100, 1_000  # sampled networks
_ROUNDING = 1e-12


class View(enum.StrEnum):
    """What the page shows; the value is the command that gives the same numbers."""

    DEPTH = "depth"
    MAPS = "maps"
    CLIP = "clip"


@dataclass(frozen=True)
class Choices:
    """The values of all sliders.

    Attributes
    ----------
    width, depth : int
        n and L: L hidden layers of width n.
    activation : str
        A name of the catalogue with its parameters, or `DESIGNED`.
    sigma_w, sigma_b : float
        Standard deviations of weights (times √fan-in) and biases.
    on_edge : bool
        Take σ_w from the edge of chaos at σ_b, whatever `sigma_w` says.
    family : str
        Of the sparse design: crelu or cst.
    sparsity, slope : float
        Of the sparse design: fraction of exact zeros, and V'(q*).
    """

    width: int = 128
    depth: int = 50
    activation: str = "relu"
    sigma_w: float = math.sqrt(2)
    sigma_b: float = 0.0
    on_edge: bool = False
    family: str = "crelu"
    sparsity: float = 0.85
    slope: float = 0.7

    @property
    def designed(self) -> bool:
        """Whether the network is that of the sparse design."""
        return self.activation == DESIGNED

    @property
    def samples(self) -> int:
        """How many networks are sampled where the law has to be: so many that a drag is followed."""
        return min(max(_NEURONS // max(self.width * self.depth, 1), _FEWEST), _MOST)

    def enters(self, view: View) -> tuple[str, ...]:
        """Names of the choices that a view depends on.

        Examples
        --------
        >>> Choices(on_edge=True).enters(View.MAPS)
        ('activation', 'sigma_b', 'on_edge')
        """
        shown = self.shown(view)
        return tuple(name for name in shown if name != "sigma_w") if self.on_edge and not self.designed else shown

    def shown(self, view: View) -> tuple[str, ...]:
        """Names of the sliders of a view: those that enter, and σ_w where the edge of chaos sets it."""
        shape, design = ("width", "depth"), ("family", "sparsity", "slope")
        if view is View.CLIP:
            return *design, *shape
        network = ("activation", *(design if self.designed else ("sigma_w", "sigma_b", "on_edge")))
        return (*shape, *network) if view is View.DEPTH else network

    def of_view(self, view: View) -> Choices:
        """These choices with everything that does not enter `view` at its default, and without a slider's rounding.

        Examples
        --------
        >>> Choices(width=64, sparsity=0.5).of_view(View.MAPS) == Choices()
        True
        >>> Choices(sparsity=0.8400000000000002).of_view(View.CLIP).sparsity
        0.84
        """
        return replace(Choices(), **{name: _on_grid(getattr(self, name)) for name in self.enters(view)})


def _on_grid(value: Any) -> Any:
    """A number without the rounding that a slider's arithmetic leaves: hundredths exactly, others as they are."""
    if not isinstance(value, float):
        return value
    hundredths = round(value, 2)
    return hundredths if abs(value - hundredths) < _ROUNDING else value
