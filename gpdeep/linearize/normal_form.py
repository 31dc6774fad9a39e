r"""The core network: a partly linear network rewritten over nothing but its active units, exactly.

    h_l = φ_l(A_l [1, x, h_1, ..., h_{l-1}]),      y = B [1, x, h_1, ..., h_L]

h_l holds the k_l active units of activation l, each fed by the input and by all earlier ones: a plain chain whose
channels are linearised one by one is a densely connected network of what is left. Linear channels leave no trace but
in the matrices. Its K = Σ k_l units need K d + Σ_{m<l} k_m k_l + o (d + K) multiplications for d inputs and o outputs,
so it pays when K is small; `core_cuts` finds where to cut the chain into several such forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..gaussian.arguments import as_floats, entries, shown, wholes
from ..gaussian.arguments import memory_budget as require_budget
from ..result import FloatArray, IntArray, Result, render_table
from .affine_forms import AffineForms, units
from .core_cuts import cheapest_cuts

_LARGEST = 1e100  # of inputs
_MOST_LAYERS = 10**6


@dataclass(frozen=True, eq=False)
class CoreSegment:
    """One normal form between two vectors that are kept whole.

    Attributes
    ----------
    matrices : tuple of ndarray
        A_l, shape (k_l, 1 + d + k_1 + ... + k_{l-1}), of the activations with active units.
    slopes : tuple of ndarray, shape (k_l,)
        Slopes of these units.
    output : ndarray, shape (o, 1 + d + K)
        B.
    output_slopes : ndarray, shape (o,)
        Slopes of the activation at the cut; 1 at the end of the network.
    """

    matrices: tuple[FloatArray, ...]
    slopes: tuple[FloatArray, ...]
    output: FloatArray
    output_slopes: FloatArray

    def evaluate(self, x: FloatArray) -> FloatArray:
        """The vector at its end, for x of shape (N, d)."""
        features = (self.matrices[0] if self.matrices else self.output).shape[1] - 1
        values = as_inputs(x, features)
        if values.ndim != 2:
            raise DomainError(
                f"Inputs of shape {values.shape} were given to a segment.",
                "It takes a matrix with one input a row.",
                f"Give an array of shape (N, {features}).",
            )
        variables = np.concatenate([np.ones((len(values), 1)), values], axis=1)
        for matrix, slopes in zip(self.matrices, self.slopes, strict=True):
            variables = np.concatenate([variables, units(variables @ matrix.T, slopes)], axis=1)
        return units(variables @ self.output.T, self.output_slopes)

    @property
    def parameters(self) -> int:
        """Entries of all matrices, constants included."""
        return sum(matrix.size for matrix in (*self.matrices, self.output))


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreNetwork(Result):
    """What `core_network` answers: a network equal to the one it was made from.

    Attributes
    ----------
    inputs, outputs : int
        d and o.
    segments : tuple of CoreSegment
        One, unless the chain was cut.
    names : tuple of str
        The activations of the original network.
    channels, active : ndarray of int64
        C_l and k_l of these.
    parameters_before, parameters_after : int
        Entries of weights and biases; slopes are not counted.
    multiplications_before, multiplications_after : int
        For one input, slopes not counted.
    """

    inputs: int
    outputs: int
    segments: tuple[CoreSegment, ...]
    names: tuple[str, ...]
    channels: IntArray
    active: IntArray
    parameters_before: int
    parameters_after: int
    multiplications_before: int
    multiplications_after: int

    @property
    def matrices(self) -> tuple[FloatArray, ...]:
        """A_l of all segments, and the last matrix of each, in order of use."""
        return tuple(matrix for part in self.segments for matrix in (*part.matrices, part.output))

    def evaluate(self, x: ArrayLike) -> FloatArray:
        """The network's outputs.

        Parameters
        ----------
        x : array_like, shape (..., d)

        Returns
        -------
        ndarray, shape (..., o)

        Raises
        ------
        DomainError
            The last axis has another length.
        """
        values = as_inputs(x, self.inputs)
        out = values.reshape(-1, self.inputs)
        for segment in self.segments:
            out = segment.evaluate(out)
        return out.reshape(*values.shape[:-1], self.outputs)

    def __str__(self) -> str:
        """A table of the layers that are left, and the sizes."""
        rows = []
        for number, part in enumerate(self.segments, start=1):
            sizes = [*(matrix.shape for matrix in part.matrices), part.output.shape]
            kinds = ["active units"] * len(part.matrices) + ["output" if number == len(self.segments) else "cut"]
            rows += [[str(number), kind, str(k), str(n)] for kind, (k, n) in zip(kinds, sizes, strict=True)]
        notes = [
            f"{self.active.sum()} of {self.channels.sum()} units are active, in {len(self.names)} activations",
            f"parameters {self.parameters_before} -> {self.parameters_after}, "
            f"multiplications {self.multiplications_before} -> {self.multiplications_after}",
            *(f"note: {message}" for message in self.status.messages),
        ]
        title = f"core network {self.inputs} -> {self.outputs}"  # as wide as the table at most
        return render_table(title, ["segment", "layer", "rows", "columns"], rows, notes)


def core_network(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike | None] | None,
    slopes: Sequence[ArrayLike],
    *,
    cuts: Sequence[int] | str = (),
    memory_budget: int = 2**32,
) -> CoreNetwork:
    """A chain of partly linear layers rewritten over its active units alone, exactly.

    Parameters
    ----------
    weights : sequence of array_like
        W_1, ..., W_{L+1}, each (outputs, inputs).
    biases : sequence of array_like or None
        b_1, ..., b_{L+1}; None, as a whole or for a layer, stands for none.
    slopes : sequence of array_like
        Slopes of hidden layers 1..L: a number, or one for each channel. 1 exactly is a linear channel, all else active.
    cuts : sequence of int, or 'cheapest'
        Hidden layers that are kept as whole vectors, from 1; ``'cheapest'`` finds those of fewest multiplications.
    memory_budget : int
        Bytes that the forms may take.

    Returns
    -------
    CoreNetwork

    Raises
    ------
    DomainError
        Shapes do not fit, or entries are not finite.
    MemoryBudgetError
        The matrices would not fit.

    Notes
    -----
    Equal to the chain but for the rounding of composed matrices. Weights with batch normalisation in between are
    composed by `gpdeep.nn.core_network`, which reads torch modules, skips included.

    References
    ----------
    The form is that of densely connected networks, Huang, Liu, van der Maaten and Weinberger, CVPR 2017.

    Examples
    --------
    Three units of which one is active; what remains is one unit and a skip from the input:

    >>> W = [np.eye(3), np.ones((1, 3))]
    >>> core = core_network(W, None, [[1.0, 0.0, 1.0]])
    >>> core.matrices
    (array([[0., 0., 1., 0.]]), array([[0., 1., 0., 1., 1.]]))
    >>> core.evaluate([1.0, -2.0, 3.0])
    array([4.])
    """
    W, b, a = _chain(weights, biases, slopes)
    budget = require_budget(memory_budget)
    widths = [W[0].shape[1], *(len(weight) for weight in W)]
    active = [int(np.count_nonzero(slope != 1)) for slope in a]
    places = _places(cuts, widths, active)
    ends = [0, *places, len(W)]
    segments = []
    for first, last in pairwise(ends):
        forms = AffineForms(widths[first], budget)
        form = forms.input()
        for layer in range(first, last):
            form = forms.dense(form, W[layer], b[layer])
            if layer + 1 < last:
                form = forms.activate(form, a[layer])
        ending = a[last - 1] if last < len(W) else np.ones(widths[-1])
        segments.append(CoreSegment(tuple(forms.matrices), tuple(forms.slopes), forms.widened(form), ending))
    return assembled(
        widths[0],
        tuple(segments),
        names=tuple(str(layer) for layer in range(1, len(W))),
        channels=widths[1:-1],
        active=active,
        parameters=sum(weight.size for weight in W) + sum(bias.size for bias in b if bias is not None),
        multiplications=sum(weight.size for weight in W),
    )


def assembled(
    inputs: int,
    segments: tuple[CoreSegment, ...],
    *,
    names: tuple[str, ...],
    channels: Sequence[int],
    active: Sequence[int],
    parameters: int,
    multiplications: int,
) -> CoreNetwork:
    """The result, with what `segments` cost beside what the original did."""
    matrices = [matrix for part in segments for matrix in (*part.matrices, part.output)]
    return CoreNetwork(
        inputs=inputs,
        outputs=len(segments[-1].output),
        segments=segments,
        names=names,
        channels=np.array(channels, dtype=np.int64),
        active=np.array(active, dtype=np.int64),
        parameters_before=parameters,
        parameters_after=sum(matrix.size for matrix in matrices),
        multiplications_before=multiplications,
        multiplications_after=sum(matrix.size - len(matrix) for matrix in matrices),
    )


def _chain(
    weights: Sequence[ArrayLike], biases: Sequence[ArrayLike | None] | None, slopes: Sequence[ArrayLike]
) -> tuple[list[FloatArray], list[FloatArray | None], list[FloatArray]]:
    """The arguments as arrays that belong together."""
    W = [_finite(f"weights[{k}]", weight, 2) for k, weight in enumerate(entries("weights", weights, "matrices"))]
    given = entries("biases", biases, "vectors") if biases is not None else [None] * len(W)
    slopes = entries("slopes", slopes, "numbers or vectors")
    if not W or len(given) != len(W) or len(slopes) != len(W) - 1:
        raise DomainError(
            f"{len(W)} weights, {len(given)} biases and {len(slopes)} activations were given.",
            "Every weight has a bias (or None), and an activation follows each but the last.",
            "Give L + 1 weights, as many biases, and the slopes of L activations.",
        )
    b = [None if bias is None else _finite(f"biases[{layer}]", bias, 1) for layer, bias in enumerate(given)]
    a = []
    for layer, slope in enumerate(slopes):
        value = _finite(f"slopes[{layer}]", slope, None)
        width = len(W[layer])
        if value.shape not in ((), (width,)):
            raise DomainError(
                f"slopes[{layer}] has shape {value.shape} for a layer of {width} channels.",
                "A layer has one slope for all its channels, or one for each.",
                f"Give a number or {width} numbers.",
            )
        a.append(np.broadcast_to(value, width))
    return W, b, a


def _finite(name: str, value: Any, dimensions: int | None) -> FloatArray:
    """`value` in float64, finite, of so many axes."""
    given = as_floats(value)
    array = np.array(np.nan) if given is None else given
    if not np.isfinite(array).all() or dimensions not in (None, array.ndim) or not array.size:
        raise DomainError(
            f"{name} has shape {array.shape} and {np.count_nonzero(~np.isfinite(array))} entries that are not finite.",
            "Weights are matrices (outputs, inputs), biases and slopes lists, all of finite numbers.",
            f"Correct {name}.",
        )
    return array


def as_inputs(x: Any, features: int) -> FloatArray:
    """`x` in float64, with `features` entries along the last axis."""
    values = as_floats(x, "biuf")
    if values is None or not (np.isnan(values) | (np.abs(values) <= _LARGEST)).all():
        raise DomainError(
            f"The inputs are {shown(x)}.",
            "They hold text, complex numbers, rows of unequal length, or numbers beyond 1e100.",
            f"Give an array of real numbers of shape (N, {features}).",
        )
    if values.ndim == 0 or values.shape[-1] != features:
        raise DomainError(
            f"Inputs of shape {values.shape} were given to a network of {features} features.",
            "The features run along the last axis, images flattened.",
            f"Give an array of shape (N, {features}).",
        )
    return values


def _places(cuts: Sequence[int] | str, widths: Sequence[int], active: Sequence[int]) -> list[int]:
    """The hidden layers to cut at."""
    if isinstance(cuts, str):
        if cuts != "cheapest":
            raise DomainError(
                f"cuts = {shown(cuts)}.",
                "The only rule known by name is 'cheapest'.",
                "Give 'cheapest', or hidden layers such as (2, 5).",
            )
        return list(cheapest_cuts(widths, active).cuts)
    places = sorted(set(wholes("cuts", cuts, -_MOST_LAYERS, _MOST_LAYERS)))
    if any(not 1 <= place <= len(active) for place in places):
        raise DomainError(
            f"cuts = {shown(places)} are not hidden layers of a chain with {len(active)}.",
            "Hidden layers count from 1.",
            f"Give numbers from 1 to {len(active)}.",
        )
    return places
