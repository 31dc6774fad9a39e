"""A network as theory sees it: widths, wiring, activation, variances; from text.

The text form lists input dimension, hidden layers and output dimension: ``784,128x50,10`` has 50 hidden layers
of width 128. Blocks may be residual, ``res(128x50,alpha=1,beta=0.1)`` for h ← αh + β(Wφ(h) + b), or normalised,
``ln(128x50)``, where φ is given (h - mean)/std over the neurons of the layer. The first hidden layer, and a layer whose
width differs from the one before, is plain even inside ``res(...)``: there is nothing of its shape to be added to. One
width may be the unknown ``?``, as in ``784,?x50,10``: `gpdeep.find_width` solves for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from .activations import Activation, activation
from .activations.catalogue import RELU
from .errors import DomainError
from .finite.checks import MAX_DEPTH, MAX_WIDTH
from .finite.gram import weight_sigma
from .finite.wiring import Kind, Weights, Wiring, coefficient, layer_wirings
from .gaussian.arguments import as_float, dimensions, entries, nature, shown, whole

__all__ = ["Architecture", "Block", "Kind", "Weights"]


@dataclass(frozen=True)
class Block:
    """`depth` consecutive hidden layers of equal `width` (None: the unknown of the architecture)."""

    width: int | None
    depth: int
    kind: Kind = Kind.DENSE
    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.width is not None:
            object.__setattr__(self, "width", whole("The width of a block", self.width, 1, MAX_WIDTH))
        object.__setattr__(self, "depth", whole("The depth of a block", self.depth, 1, MAX_DEPTH))
        object.__setattr__(self, "kind", Wiring(self.kind).kind)
        for name in ("alpha", "beta"):
            object.__setattr__(self, name, coefficient(name, getattr(self, name)))

    def __str__(self) -> str:
        layers = f"{'?' if self.width is None else self.width}" + (f"x{self.depth}" if self.depth > 1 else "")
        if self.kind is Kind.RESIDUAL:
            return f"res({layers},alpha={_shown(self.alpha)},beta={_shown(self.beta)})"
        return f"ln({layers})" if self.kind is Kind.LAYER_NORM else layers


@dataclass(frozen=True)
class Architecture:
    r"""A fully connected network h^{l+1} = W^{l+1} φ(h^l) + b^{l+1}, W ~ N(0, σ_w²/n_l), b ~ N(0, σ_b²).

    Residual blocks have h^{l+1} = α h^l + β(W^{l+1} φ(h^l) + b^{l+1}), normalised ones φ((h - mean)/std) in place of
    φ(h). `gpdeep.finite.wiring` has the conventions.

    Parameters
    ----------
    inputs : int
        Input dimension n_0.
    blocks : tuple of Block
        The hidden layers, first to last.
    outputs : int
        Output dimension.
    phi : Activation or str
        The activation φ of all hidden layers; a name such as ``"tanh"`` is looked up in the catalogue.
    sigma_w, sigma_b : float, sequence of float, or None
        Standard deviations of weights (times √fan-in) and biases of the hidden layers: one number, or one
        for each hidden layer, as a tuple, a list or an array; kept as a float or a tuple of them. `sigma_w` None stands
        for the value that keeps the variance in a plain layer, which only homogeneous φ have.
    weights : str
        "gaussian", or "orthogonal" for Haar matrices with the same variance of their entries.

    Examples
    --------
    >>> net = Architecture.parse("784,512,128x3,10")
    >>> net.widths
    (512, 128, 128, 128)
    >>> str(net)
    '784,512,128x3,10'
    >>> round(net.effective_depth, 6)
    0.025391
    """

    inputs: int
    blocks: tuple[Block, ...]
    outputs: int
    phi: Activation = RELU
    sigma_w: float | tuple[float, ...] | None = None
    sigma_b: float | tuple[float, ...] = 0.0
    weights: str = Weights.GAUSSIAN

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1, MAX_WIDTH))
        object.__setattr__(self, "phi", activation(self.phi))
        blocks = tuple(entries("blocks", self.blocks, "blocks"))
        if not blocks or not all(isinstance(block, Block) for block in blocks):
            raise DomainError(
                f"The blocks are {shown(self.blocks)}.",
                "Hidden layers are a tuple of Block, one or more.",
                "Write Architecture.parse('784,128x50,10').",
            )
        object.__setattr__(self, "blocks", blocks)
        if self.depth > MAX_DEPTH:
            raise DomainError(
                f"The architecture has {self.depth} hidden layers; the limit is {MAX_DEPTH}.",
                "A repetition count has a digit too many.",
                f"Use at most {MAX_DEPTH} hidden layers.",
            )
        object.__setattr__(self, "weights", Wiring(weights=self.weights).weights)
        for name in ("sigma_w", "sigma_b"):
            object.__setattr__(self, name, _deviations(name, getattr(self, name), self.depth))

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        phi: Activation | str = RELU,
        sigma_w: Any = None,
        sigma_b: Any = 0.0,
        weights: str = Weights.GAUSSIAN,
    ) -> Architecture:
        """The architecture written as `text`; `phi`, `sigma_w`, `sigma_b` and `weights` as above.

        Raises
        ------
        DomainError
            It is no text, or does not follow the grammar, a width or a count is not a positive integer, or there is
            no hidden layer.

        Examples
        --------
        >>> Architecture.parse("784,128x50,10", phi="tanh", sigma_w=1.3).phi.name
        'tanh'
        """
        if not isinstance(text, str):
            raise DomainError(
                f"The architecture is {shown(text)}.",
                "A list of widths, or a network, was given where its text is expected.",
                "Write it as text, such as '784,128x50,10'.",
            )
        entries = list(_split(text))
        if len(entries) < 3:
            _refuse(
                text,
                f"it has {len(entries)} entries",
                "Name input, hidden layers and output, as in 784,128x50,10.",
            )
        blocks = tuple(_block(text, entry) for entry in entries[1:-1])
        inputs, outputs = _dimension(text, entries[0]), _dimension(text, entries[-1])
        return cls(inputs, blocks, outputs, activation(phi), sigma_w, sigma_b, weights)

    def __str__(self) -> str:
        return ",".join([str(self.inputs), *map(str, self.blocks), str(self.outputs)])

    @property
    def depth(self) -> int:
        """Number of hidden layers L."""
        return sum(block.depth for block in self.blocks)

    @property
    def widths(self) -> tuple[int, ...]:
        """Hidden widths n_1 .. n_L: what the angle's law depends on; input and output do not enter.

        Raises
        ------
        DomainError
            A width is the unknown ``?``.
        """
        self._require_widths()
        return tuple(block.width for block in self.blocks if block.width for _ in range(block.depth))

    @property
    def has_unknown(self) -> bool:
        """Whether a width is ``?``."""
        return any(block.width is None for block in self.blocks)

    @property
    def effective_depth(self) -> float:
        """t = Σ 1/n_l, the scale of all finite-width effects.

        Raises
        ------
        DomainError
            A width is the unknown ``?``.
        """
        self._require_widths()
        return sum(block.depth / block.width for block in self.blocks if block.width)

    @property
    def weight_sigma(self) -> float | tuple[float, ...]:
        """`sigma_w`, or the value that keeps the variance where it was left open.

        Raises
        ------
        DomainError
            It was left open, and the activation has no such value.
        """
        found: float | tuple[float, ...] = weight_sigma(self.phi, self.sigma_w)
        return found

    @property
    def wirings(self) -> tuple[Wiring, ...]:
        """How each hidden layer is wired, residual only where the width stays: what `gpdeep.finite` takes."""
        layers = [
            Wiring(block.kind, block.alpha, block.beta, Weights(self.weights))
            for block in self.blocks
            for _ in range(block.depth)
        ]
        return layer_wirings(layers, np.array(self.widths))

    def _require_widths(self) -> None:
        """Refuse an unknown width."""
        if self.has_unknown:
            raise DomainError(
                f"The architecture '{self}' has an unknown width.",
                "A width is written '?', which stands for the number to be found.",
                "Use gpdeep.find_width, or write a number.",
            )

    def with_width(self, width: int) -> Architecture:
        """The same network with `width` for the unknown."""
        return replace(self, blocks=tuple(replace(b, width=width) if b.width is None else b for b in self.blocks))


def _shown(number: float) -> str:
    """`number` in few digits where they say it all."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def _deviations(name: str, value: Any, depth: int) -> float | tuple[float, ...] | None:
    """Standard deviations as a float, or as a tuple of one for each of `depth` layers; None for weights left open."""
    if value is None and name == "sigma_w":
        return None
    several = isinstance(value, (tuple, list)) or dimensions(value) == 1
    given = list(value) if several else [value]
    numbers = tuple(map(as_float, given))
    for layer, (number, each) in enumerate(zip(numbers, given, strict=True), start=1):
        if not (0 < number < math.inf or (number == 0 and name == "sigma_b")):
            sign = "zero" if number == 0 else "negative"
            raise DomainError(
                f"{name} is {shown(value)}.",
                (f"That of hidden layer {layer} is " if several else "It is ")
                + (sign if -math.inf < number <= 0 else nature(each))
                + "; standard deviations are positive real numbers, of biases also 0.",
                "Give a positive number, or one for each hidden layer; biases may have 0.",
            )
    if not several:
        return numbers[0]
    if len(numbers) != depth:
        raise DomainError(
            f"{name} has {len(numbers)} entries for {depth} hidden layers.",
            "The list counts the input or the output layer too, or is meant for another network.",
            "Give one number, or one for each hidden layer.",
        )
    return numbers


def _split(text: str) -> Iterator[str]:
    """The entries of `text`: separated by commas that stand outside parentheses; one pass, however long it is."""
    start, opened = 0, -1
    for place in re.finditer(r"[(),]", text):
        if place[0] == "(":
            if opened >= 0:
                _unbalanced(text, text[start : place.end()], "')' is missing before the second '('")
            opened = place.start()
        elif place[0] == ")":
            if opened < 0:
                _unbalanced(text, text[start : place.end()], "'(' is missing before ')'")
            opened = -1
        elif opened < 0:
            yield text[start : place.start()].strip()
            start = place.end()
    if opened >= 0:
        _unbalanced(text, text[start:], "')' is missing after '('")
    yield text[start:].strip()


def _unbalanced(text: str, entry: str, found: str) -> NoReturn:
    _refuse(text, f"{found} in '{entry.strip()[:40]}'", "Close every block, as in res(128x50,alpha=1,beta=0.1).")


def _dimension(text: str, entry: str) -> int:
    """A single width."""
    if not re.fullmatch(r"\d{1,9}", entry, re.ASCII) or not 1 <= int(entry) <= MAX_WIDTH:
        _refuse(text, f"'{entry[:40]}' is not a width from 1 to {MAX_WIDTH}", "Use a positive integer.")
    return int(entry)


def _block(text: str, entry: str) -> Block:
    """One entry between input and output."""
    match = re.fullmatch(r"(?:(res|ln)\()?\s*(\?|\d{1,9})\s*(?:x\s*(\d{1,9}))?\s*((?:,[^,()]*)*)(\))?", entry, re.ASCII)
    if match is None or bool(match[1]) != bool(match[5]):
        _refuse(
            text,
            f"'{entry}' is not a layer",
            "Write 128, 128x50, res(128x50,alpha=1,beta=0.1) or ln(128x50).",
        )
    kind = Kind(match[1]) if match[1] else Kind.DENSE
    width = None if match[2] == "?" else _dimension(text, match[2])
    depth = int(match[3] or 1)
    if not 1 <= depth <= MAX_DEPTH:
        _refuse(text, f"'{entry}' repeats a layer {depth} times", f"Repeat it 1 to {MAX_DEPTH} times.")
    return Block(width, depth, kind, **_options(text, entry, kind, match[4]))


def _options(text: str, entry: str, kind: Kind, rest: str) -> dict[str, float]:
    """The ``alpha=..,beta=..`` of a residual block."""
    options: dict[str, float] = {}
    for item in filter(None, map(str.strip, rest.split(","))):
        name, equals, value = (part.strip() for part in item.partition("="))
        known = kind is Kind.RESIDUAL and name in ("alpha", "beta") and name not in options
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not known or not equals or not abs(number) < float("inf"):
            _refuse(
                text,
                f"'{entry}' has the option '{item}'",
                "res takes alpha=NUMBER and beta=NUMBER, each once.",
            )
        options[name] = number
    return options


def _refuse(text: str, found: str, change: str) -> NoReturn:
    shown = text if len(text) <= 80 else text[:77] + "..."
    raise DomainError(
        f"Architecture '{shown}': {found}.",
        "The text lists input, hidden layers and output, separated by commas; 128x50 is 50 layers of 128.",
        change,
    )
