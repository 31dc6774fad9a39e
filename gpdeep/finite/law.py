r"""The law of the angle between two inputs through a random network: one question, several methods.

    x_l = ln sin²θ_l,   θ_l the angle of the post-activations after hidden layer l = 1..L.

| method             | gives                    | error                              | holds for                    |
|--------------------|--------------------------|------------------------------------|------------------------------|
| grid               | the whole law            | estimate: ≤ 0.3 % mean, 0.7 % std  | ReLU, any widths             |
| chain              | the whole law, sampled   | standard error                     | any φ, bias, wiring, widths  |
| closure            | mean, standard deviation | mean 0.03 at n ≥ 64; std 2-7 % low | ReLU, widths ≥ 32            |
| diffusion          | the law, leading order   | O(1/n), O(θ)                       | ReLU, widths ≥ 64            |
| jakub-nica         | one number a layer       | O(1/n²), large constants           | reproduction                 |
| jakub-nica-density | Gaussian-kernel density  | O(1/n²), large constants           | reproduction                 |
| infinite           | the infinite-width angle | 0.2 to 9 nats at practical sizes   | two slopes, width ≫ depth    |

All moments and quantiles are conditional on survival (both inputs alive, not collapsed onto each other):
unconditionally E x = -∞. Input and output dimension do not enter (but for n_0 with orthogonal weights); the weights'
scale matters with biases, residual layers, and activations that are not homogeneous. Reported with every law: the
probabilities that the pair died (all units of an input are 0), collapsed (became parallel), or is exactly orthogonal.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from ..errors import DomainError
from ..gaussian.arguments import whole
from ..result import FloatArray, IntArray, Result, render_table, shown_layers
from .checks import check_real
from .uniform import Grid, log_sin2_of, log_tan2, quantile, step_functional


class Method(enum.StrEnum):
    """How the law is computed."""

    AUTO = "auto"
    GRID = "grid"
    CHAIN = "chain"
    CLOSURE = "closure"
    DIFFUSION = "diffusion"
    JAKUB_NICA = "jakub-nica"
    JAKUB_NICA_DENSITY = "jakub-nica-density"
    INFINITE = "infinite"


@dataclass(frozen=True)
class LawError:
    """Error of mean and standard deviation at the last layer.

    `kind` is "estimate" (of a model or discretisation error), "standard_error" (of sampling), or "none" (not known).
    """

    kind: str
    mean: float
    std: float

    def __str__(self) -> str:
        if self.kind == "none":
            return "error not estimated"
        return f"error of mean {self.mean:.2g}, of std {self.std:.2g} ({self.kind.replace('_', ' ')})"


@dataclass(frozen=True, kw_only=True, eq=False)
class AngleLaw(Result):
    """The law of x = ln sin²θ, layer by layer, and in full after the last layer.

    Attributes
    ----------
    method : Method
        What computed it.
    widths : ndarray of int, shape (L,)
    theta0 : ndarray, shape (P,)
        Initial angles, mixed with equal weights.
    phi : str
        The activation.
    mean, std, median : ndarray, shape (L,)
        Of x_l given survival; NaN where the method does not give them or no pair survives.
    survival : ndarray, shape (L,)
        P(both inputs alive and not collapsed after layers 1..l).
    dead, collapsed : ndarray, shape (L,)
        P(an input died) and P(the pair became parallel) in layers 1..l; with survival they sum to one.
    orthogonal : ndarray, shape (L,)
        P(alive and exactly orthogonal after layer l).
    threshold : float
    above : ndarray, shape (L,)
        P(x_l ≥ threshold and survival).
    error : LawError
    log_tan2, mass : ndarray, shape (S,)
        The law after the last layer given survival: support in y = ln tan²θ, increasing (+inf: exactly orthogonal), and
        probabilities. Empty where the method gives none.
    n_samples, seed : int or None
        For sampled laws.
    """

    method: Method
    widths: IntArray
    theta0: FloatArray
    phi: str
    mean: FloatArray
    std: FloatArray
    median: FloatArray
    survival: FloatArray
    dead: FloatArray
    collapsed: FloatArray
    orthogonal: FloatArray
    threshold: float
    above: FloatArray
    error: LawError
    log_length2_mean: FloatArray
    log_length2_std: FloatArray
    log_tan2: FloatArray
    mass: FloatArray
    n_samples: int | None = None
    seed: int | None = None

    def __str__(self) -> str:
        """The law layer by layer, as a table."""
        columns = ["layer", "mean ln sin²θ", "std", "median", "survival", f"P(≥ {self.threshold:g})"]
        numbers = (self.mean, self.std, self.median, self.survival, self.above)
        rows = [
            [str(layer), *(f"{column[layer - 1]:.4f}" for column in numbers)] for layer in shown_layers(len(self.mean))
        ]
        return render_table(f"{self.phi}, method {self.method}", columns, rows, [f"{self.error}"])

    def quantile(self, probability: float) -> float:
        """The quantile of ln sin²θ_L given survival, 0 < probability < 1.

        Closure gives a normal law cut at 0; NaN where the method gives one number a layer.
        """
        probability = check_real("probability", probability, 0.0, 1.0)
        if self.mass.size == 0:  # two moments: a normal law, cut at 0
            return min(float(self.mean[-1] + self.std[-1] * ndtri(probability)), 0.0)
        if np.isnan(self.mass).any():
            return float("nan")
        grid = self._grid()
        if grid is None:
            rank = min(int(np.searchsorted(np.cumsum(self.mass), probability)), self.mass.size - 1)
            return float(log_sin2_of(self.log_tan2[rank]))
        return float(log_sin2_of(quantile(grid, self.mass[None], probability))[0])

    def cdf(self, x: float) -> float:
        """P(ln sin²θ_L ≤ x) given survival."""
        x = check_real("x", x, -1e300, 1e300)
        y = float(log_tan2(np.array(min(x, 0.0))))
        if self.mass.size == 0:
            return 1.0 if x >= 0 else float(ndtr((x - self.mean[-1]) / self.std[-1]))
        grid = self._grid()
        if grid is None:
            return float(self.mass[self.log_tan2 <= y].sum())
        return float(np.clip(step_functional(grid, y) @ self.mass, 0.0, 1.0))

    def density(self, points: int = 200) -> tuple[FloatArray, FloatArray]:
        """Values of x between the 0.05 % and 99.95 % quantiles, and the density there (without the atom at 0).

        Raises
        ------
        DomainError
            There is no density: no pair survives, all mass is at 0, or the method gives one number a layer.
        """
        points = whole("points", points, 2, 10**5)
        low, high = self.quantile(5e-4), min(self.quantile(0.9995), -1e-9)
        if not low < high:
            raise DomainError(
                f"The law of method '{self.method}' runs from {low:.3g} to {high:.3g}.",
                "No pair survives, all pairs are exactly orthogonal, or the method gives one number a layer.",
                "Look at survival, orthogonal and median instead.",
            )
        x = np.linspace(low, high, points + 1)
        cumulative = np.maximum.accumulate([self.cdf(float(value)) for value in x])
        return (x[1:] + x[:-1]) / 2, np.diff(cumulative) / np.diff(x)

    def _grid(self) -> Grid | None:
        """The uniform grid on which the law is given, or None for a sample and for atoms."""
        if self.method not in (Method.GRID, Method.DIFFUSION, Method.JAKUB_NICA_DENSITY):
            return None
        size = len(self.log_tan2) - 1
        spacing = float(self.log_tan2[size - 1] - self.log_tan2[0]) / (size - 1)
        return Grid(float(self.log_tan2[0]), spacing, size)
