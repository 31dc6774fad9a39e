r"""Convolutional networks with infinitely many channels: covariances between positions, layer by layer.

    Σ'[a, a'] = α² Σ[a, a'] + β² ( σ_b² + σ_w² (1/k) Σ_β E φ(u)φ(v) ),
    (u, v) ~ N(0, [[Σ[a+β, a+β], Σ[a+β, a'+β]], [Σ[a'+β, a+β], Σ[a'+β, a'+β]]])

for weights of variance σ_w²/(k c_in) at each of the k taps β, biases of variance σ_b² shared by all positions, and
stride 1; α = 0, β = 1 without skip. a and a' are positions in the same input or in two inputs. A layer is the
activation, entry by entry, followed by the average over taps, which shifts both positions at once (`site_covariance`).

In a circular image a covariance that does not change along the diagonals stays so, and its entries follow the V and C
of a dense layer. With zero padding a position at the edge receives fewer taps and has a smaller variance. Orthogonal
weights at the centre tap alone ("delta-orthogonal") leave out the average.

Assumptions: infinitely many channels, initialisation, stride 1, kernels of odd size.

Garriga-Alonso, Rasmussen & Aitchison (2019); Novak et al. (2019); Xiao et al. (2018) for delta-orthogonal weights.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..activations import Activation, activation
from ..errors import DomainError, MemoryBudgetError
from ..gaussian.arguments import choice, flag, layer_count, shown
from ..gaussian.arguments import memory_budget as bytes_of
from ..result import FloatArray
from .convolution_modes import frequency_response, mode_scales
from .site_covariance import (
    MEMORY_BUDGET,
    activate_sites,
    box,
    from_sites,
    require_finite,
    require_memory,
    stack_of,
    tap_average,
    to_sites,
)
from .variance import VarianceMap

_MAX_DEPTH = 10**5
_COPIES_OF_RESPONSE = 6  # at once, while it is made


@dataclass(frozen=True)
class ConvolutionMap:
    """One convolutional layer with infinitely many channels; `convolution_map` makes it from numbers.

    Arguments called `covariance` have the shape (inputs, inputs, *positions, *positions), or (*positions, *positions)
    for one input; results have the shape of the argument.

    Parameters
    ----------
    layer : VarianceMap
        φ, σ_w, σ_b, α, β; no layer normalisation.
    kernel_size : int or tuple of int
        Taps along each dimension, odd: 3 in one dimension, (3, 3) in two.
    padding : {"circular", "zero"}
    delta_orthogonal : bool
        Whether the centre tap alone is not zero.
    memory_budget : float
        Bytes that one layer may take, its argument included.

    Raises
    ------
    DomainError
        A parameter is out of range.
    """

    layer: VarianceMap
    kernel_size: tuple[int, ...]
    padding: Literal["circular", "zero"] = "circular"
    delta_orthogonal: bool = False
    memory_budget: float = MEMORY_BUDGET

    def __post_init__(self) -> None:
        sides = box("kernel_size", self.kernel_size)
        if any(side % 2 == 0 for side in sides):
            raise DomainError(
                f"kernel_size is {shown(self.kernel_size)}.",
                "An even kernel has no centre: it moves or shrinks the image.",
                "Use odd sizes such as 3 or (3, 3).",
            )
        choice("padding", self.padding, ("circular", "zero"))
        object.__setattr__(self, "delta_orthogonal", flag("delta_orthogonal", self.delta_orthogonal))
        if self.layer.layer_norm:
            raise DomainError(
                "The layer has layer normalisation.",
                "Over channels alone, or channels and positions, are two different networks.",
                "Use a layer without it.",
            )
        object.__setattr__(self, "memory_budget", bytes_of(self.memory_budget))
        object.__setattr__(self, "kernel_size", sides)

    @property
    def dimensions(self) -> int:
        """1 for positions on a line or circle, 2 for images."""
        return len(self.kernel_size)

    def __call__(self, covariance: Any) -> FloatArray:
        """Σ' from Σ, pre-activations of a layer and the one before: α² Σ + β² linear(activated(Σ))."""
        step = self.linear(self.activated(covariance))
        if (self.layer.alpha, self.layer.beta) == (0.0, 1.0):
            return step
        step *= self.layer.beta**2
        step += self.layer.alpha**2 * np.asarray(covariance, dtype=np.float64)
        return step

    def propagate(self, covariance: Any, depth: int) -> FloatArray:
        """Σ after `depth` ≥ 0 layers.

        Raises
        ------
        DomainError, MemoryBudgetError
            No covariance or no depth; a variance leaves float64 on the way; a layer exceeds the budget.
        """
        count = layer_count(depth, most=_MAX_DEPTH)
        stack, _ = self._checked(covariance)
        to_sites(stack, self.dimensions)  # refuses what is no covariance, whatever the depth
        sigma = np.array(covariance, dtype=np.float64)
        for _ in range(count):
            sigma = self(sigma)
        return sigma

    def activated(self, covariance: Any) -> FloatArray:
        """E φ(u)φ(v) between all positions: the covariance of the channels after φ, which pooling acts on."""
        stack, single = self._checked(covariance)
        sites = to_sites(stack, self.dimensions)
        activate_sites(self.layer.phi, sites)
        out = from_sites(sites, stack.shape[0], stack.shape[2 : 2 + self.dimensions])
        return out[0, 0] if single else out

    def linear(self, covariance: Any) -> FloatArray:
        """σ_b² + σ_w² A Σ: convolution and bias without φ and skip, as the first layer acts on `input_covariance`."""
        stack, single = self._checked(covariance)
        kernel = (1,) * self.dimensions if self.delta_orthogonal else self.kernel_size
        average = tap_average(stack, kernel, self.padding == "circular")
        out = self.layer.sigma_w**2 * np.asarray(average, dtype=np.float64)
        out += self.layer.sigma_b**2
        return np.asarray(out[0, 0] if single else out)

    def frequency_response(self, shape: int | tuple[int, ...]) -> FloatArray:
        r"""Â(ω) = (1/k) Σ_β e^{iωβ} for every frequency of a circular image of `shape`, in the order of numpy.fft.

        Raises
        ------
        DomainError
            Zero padding, whose average has other modes; a shape smaller than the kernel or of other dimensions.
        """
        sides = box("shape", shape)
        needed = 8 * _COPIES_OF_RESPONSE * math.prod(sides)
        if needed > self.memory_budget:
            raise MemoryBudgetError(
                f"The frequencies of an image of {shown(sides)} take more than the {self.memory_budget} bytes of "
                "memory_budget.",
                "There is one for each position.",
                f"Use up to {self.memory_budget // (8 * _COPIES_OF_RESPONSE)} positions, or raise memory_budget.",
            )
        if self.delta_orthogonal and len(sides) == self.dimensions:
            return np.ones(sides)
        if self.padding != "circular":
            raise DomainError(
                "Frequencies were asked for with zero padding.",
                "Waves pass the average over taps unchanged in form only where the image has no border.",
                'Use padding="circular"; its frequencies describe the inside of a large image.',
            )
        self._check_size(sides)
        responses = [frequency_response(k, n) for k, n in zip(self.kernel_size, sides, strict=True)]
        return np.asarray(functools.reduce(np.multiply.outer, responses))

    def frequency_scales(
        self, shape: int | tuple[int, ...], q: float = 1.0, *, of: Literal["correlations", "lengths"] = "correlations"
    ) -> FloatArray:
        r"""How many layers a spatial pattern lasts, ξ(ω); derivation: `gpdeep.meanfield.convolution_modes`.

            ξ(ω) = -1/ln|α² + (χ - α²) Â(ω)|,      without skip  -1/ln(χ |Â(ω)|)

        Parameters
        ----------
        shape : int or tuple of int
            Positions of the image: N or (H, W).
        q : float
            Variance to start from, > 0: it decides on the fixed point q*.
        of : {"correlations", "lengths"}
            χ = χ_{c*} = C'(c*) for covariances of two different positions or inputs; χ = V'(q*) for variances.

        Returns
        -------
        ndarray, shape `shape`
            In layers, frequencies in the order of numpy.fft.fftfreq; inf where a pattern stays, 0 where one layer
            removes it.

        Raises
        ------
        DomainError
            Zero padding; no fixed point 0 < q* < ∞ in reach; a shape or q out of range.

        References
        ----------
        Xiao et al. 2018, ICML, §2.

        Examples
        --------
        Six positions, three taps, He's weights: on the edge of chaos the mean stays, all else dies out exponentially.

        >>> convolution_map("relu", kernel_size=3, sigma_w=2**0.5).frequency_scales(6).round(6)
        array([     inf, 2.466303, 0.      , 0.910239, 0.      , 2.466303])
        """
        return mode_scales(self.layer, self.frequency_response(shape), q, of)

    def _checked(self, covariance: Any) -> tuple[FloatArray, bool]:
        """`covariance` with the axes of the inputs, and whether they were missing; its memory asked for."""
        stack, single = stack_of(covariance, self.dimensions)
        positions = stack.shape[2 : 2 + self.dimensions]
        require_memory(stack.shape[0], positions, self.memory_budget)
        require_finite(stack)
        if self.padding == "circular" and not self.delta_orthogonal:
            self._check_size(positions)
        return stack, single

    def _check_size(self, positions: tuple[int, ...]) -> None:
        if len(positions) != self.dimensions or any(k > n for k, n in zip(self.kernel_size, positions, strict=True)):
            raise DomainError(
                f"The kernel {self.kernel_size} does not fit into a circular image of {positions}.",
                "The kernel is larger than the image and would meet itself, or the dimensions differ.",
                "Use a smaller kernel, fewer pooling layers before, or zero padding.",
            )


def convolution_map(
    phi: str | Activation,
    *,
    kernel_size: int | tuple[int, ...],
    sigma_w: float,
    sigma_b: float = 0.0,
    padding: Literal["circular", "zero"] = "circular",
    delta_orthogonal: bool = False,
    alpha: float = 0.0,
    beta: float = 1.0,
    memory_budget: float = MEMORY_BUDGET,
) -> ConvolutionMap:
    r"""A convolutional layer with infinitely many channels, Σ → Σ'.

        Σ'[a, a'] = α² Σ[a, a'] + β² ( σ_b² + σ_w² (1/k) Σ_β E φφ(Σ[a+β, a'+β]) )

    Parameters
    ----------
    phi : str or Activation
    kernel_size : int or tuple of int
        Taps along each dimension, odd: 3 on a line, (3, 3) on images. k is their product.
    sigma_w, sigma_b : float
        Standard deviations: a weight has the variance σ_w²/(k c_in), a bias σ_b².
    padding : {"circular", "zero"}
        What lies beyond the border.
    delta_orthogonal : bool
        Weights that are zero but at the centre tap, where they are σ_w times an orthogonal matrix.
    alpha, beta : float
        Residual coefficients, h ← α h + β (W * φ(h) + b).
    memory_budget : float
        Bytes that one layer may take.

    Returns
    -------
    ConvolutionMap
        A function of Σ, with methods `propagate` (many layers), `activated` and `linear` (its two halves, between
        which pooling stands), `frequency_response` and `frequency_scales`.

    Raises
    ------
    DomainError
        A parameter is out of range.

    Notes
    -----
    *Accuracy.* Absolute, a few units of rounding of √(Σ[a,a] Σ[a',a']) a layer; 1 - c below that is lost. The diagonal
    comes from the exact variances.

    *Cost.* One covariance of φ for each pair of sites, half of them by symmetry, and k additions along each dimension;
    memory of four arrays of (inputs · positions)² numbers, asked for first. 1,024 positions with relu or erf take 0.1 s
    a layer, with tanh 2 s, with elu 1 to 3 s for a table and 0.2 s; functions of one's own with kinks away from 0
    take 1 ms for every pair of different variances.

    References
    ----------
    Novak et al. 2019, ICLR, §2; Xiao et al. 2018, ICML.

    Examples
    --------
    An image with one bright pixel: its light spreads, and every layer of He's weights keeps the mean variance.

    >>> from gpdeep.meanfield.site_covariance import input_covariance
    >>> x = np.zeros((1, 1, 5))
    >>> x[0, 0, 2] = 1.0
    >>> conv = convolution_map("relu", kernel_size=3, sigma_w=2**0.5)
    >>> first = conv.linear(input_covariance(x))[0, 0]
    >>> np.diag(first).round(4), np.diag(conv(first)).round(4)
    (array([0.    , 0.6667, 0.6667, 0.6667, 0.    ]), array([0.2222, 0.4444, 0.6667, 0.4444, 0.2222]))
    """
    layer = VarianceMap(activation(phi), sigma_w, sigma_b, alpha, beta)
    sides = box("kernel_size", kernel_size)
    return ConvolutionMap(layer, sides, padding, delta_orthogonal, memory_budget)
