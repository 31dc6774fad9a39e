"""What functions of Gaussian variables accept: exponents, angles, a kink, variances, depths; for all floors."""

from __future__ import annotations

import difflib
import inspect
import math
import operator
from collections.abc import Collection, Mapping, Set
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DomainError
from ..result import FloatArray

T = TypeVar("T")

PI_LOW = 1.2246467991473532e-16  # π minus the float nearest to it
REAL_KINDS = "iuf"
"""Kinds of numpy's types that hold real numbers; "b", truth values, are none."""
LEAST_VARIANCE = 1e-300
DEEPEST = 1e300  # of layers that laws of large depth are asked for
_KINDS = {"b": "a truth value", "c": "a complex number", "U": "text", "S": "text", "O": "no number that can be read"}
_NATURES: tuple[tuple[Any, str], ...] = (
    ((str, bytes, bytearray), "text"),
    ((bool, np.bool_), "a truth value"),
    ((complex, np.complexfloating), "a complex number"),
    (type(None), "None"),
    ((list, tuple, Set, Mapping), "a collection"),
)
KINK_ROUNDING = 4 * np.finfo(np.float64).eps  # (a-b)²/(a²+b²) may round to just above 2


def dimensions(value: Any) -> int:
    """Number of axes of an array or a tensor; 0 of anything else."""
    axes = getattr(value, "ndim", None)
    return axes if isinstance(axes, int) else 0


def as_array(value: Any) -> NDArray[Any]:
    """`value` as numpy reads it, and where it cannot an array of objects, which no check takes for numbers.

    It cannot read rows of unequal length, and tensors that have a gradient, lie on a GPU, or are sparse, quantised or
    without values; masked entries it would read, whatever lies below the mask.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return np.empty(1, dtype=object)
    return np.empty(1, dtype=object) if np.ma.is_masked(value) else array


def as_floats(value: Any, kinds: str = REAL_KINDS) -> FloatArray | None:
    """`value` in float64, of the same shape; None if it is no array of real numbers."""
    array = as_array(value)
    if array.dtype.kind not in kinds:
        return None
    with np.errstate(over="ignore"):  # of long doubles, to infinity
        return array.astype(np.float64)


def as_float(value: Any) -> float:
    """`value` as a float, NaN if it is no single real number: a truth value, text, a list, a tensor of several."""
    if isinstance(value, (bool, np.bool_, str, bytes, complex, np.complexfloating)) or dimensions(value):
        return math.nan
    if hasattr(value, "__array__"):  # a number of numpy's, a tensor
        array = as_floats(value)
        return math.nan if array is None or array.ndim else float(array)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return math.nan


def shown(value: Any, most: int = 200) -> str:
    """How a message spells `value`: short, on one line, and numbers of numpy's as numbers: nan, not np.float64(nan)."""
    try:
        with np.printoptions(legacy="1.25"):
            return " ".join(repr(value).split())[:most]
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"an object of type {type(value).__name__} that cannot be written out"


def nature(value: Any) -> str:
    """What `value` is where a single real number is asked for and a message names the cause."""
    for kinds, name in _NATURES:
        if isinstance(value, kinds):
            return name
    if dimensions(value):
        return f"an array of shape {tuple(value.shape)}" if hasattr(value, "shape") else "an array"
    if getattr(value, "requires_grad", False) is True:
        return "a tensor with a gradient, of which .item() is the number"
    number = as_float(value)
    if math.isfinite(number):
        return "a number out of range"
    if math.isinf(number):
        return "infinite"
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if kind in _KINDS:
        return _KINDS[kind]
    return "NaN" if number != number and _is_nan(value) else f"of the type {type(value).__name__}, and no number"


def _is_nan(value: Any) -> bool:
    """Whether `value` is the number NaN, not something that is no number."""
    try:
        return bool(value != value)
    except (TypeError, ValueError, RuntimeError):
        return False


def text(value: Any) -> str:
    """`value`, if it is a text, or how a message spells it: the names that users give to what they compare."""
    return value if isinstance(value, str) else shown(value)


def flag(name: str, value: Any) -> bool:
    """`value` as a truth value: True, False, or numpy's of the same meaning."""
    if not isinstance(value, (bool, np.bool_)):
        raise DomainError(
            f"{name} = {shown(value)} is neither True nor False.",
            f"{name} switches something on or off; a number, text, None or an array was given.",
            f"Give {name}=True or {name}=False.",
        )
    return bool(value)


def choice(name: str, value: Any, known: Collection[str]) -> str:
    """`value` as one of the texts in `known`."""
    if not isinstance(value, str) or value not in known:
        near = difflib.get_close_matches(value, known, 1) if isinstance(value, str) else []
        raise DomainError(
            f"{name} = {shown(value)}.",
            f"It is misspelt; '{near[0]}' is the nearest name." if near else "It is misspelt, or no text.",
            f"Use one of: {', '.join(repr(str(each)) for each in known)}.",
        )
    return value


def entries(name: str, value: Any, of: str) -> list[Any]:
    """The entries of `value`, a list or another collection with an order; `of` says of what."""
    try:
        if isinstance(value, (str, bytes, bytearray, Mapping, Set)) or getattr(value, "ndim", 1) == 0:
            raise TypeError
        return list(value)
    except TypeError as error:
        raise DomainError(
            f"{name} is {shown(value)}.",
            "A single entry, text, None, or a collection without an order was given.",
            f"Give a list of {of}.",
        ) from error


def wholes(name: str, value: Any, low: int, high: int) -> list[int]:
    """The entries of `value` as ints between `low` and `high`."""
    return [whole(f"{name}[{k}]", entry, low, high) for k, entry in enumerate(entries(name, value, "integers"))]


def whole(name: str, value: Any, low: int, high: int, meaning: str = "counts something") -> int:
    """`value` as an int between `low` and `high`; integers of numpy's pass, truth values and floats do not.

    `meaning` says what the number does, as in "counts layers".
    """
    try:
        number = None if isinstance(value, (bool, np.bool_)) or dimensions(value) else operator.index(value)
    except (TypeError, RuntimeError):
        number = None
    if number is None or not low <= number <= high:
        raise DomainError(
            f"{name} is {shown(value)}.",
            f"{name} {meaning}, so it is an integer from {low} to {high}.",
            f"Give an integer from {low} to {high}.",
        )
    return number


def require_fitting(**arrays: Any) -> None:
    """Refuse named arrays whose shapes do not broadcast."""
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError as error:
        raise DomainError(
            "The shapes " + ", ".join(f"{shape} of {name}" for name, shape in shapes.items()) + " do not broadcast.",
            "They are to be combined entry by entry, and arrays of other lengths or no entries were given.",
            "Give numbers, or arrays of one shape.",
        ) from error


def callback(name: str, value: Any, *example: Any) -> Any:
    """`value` as a function that can be called with arguments like `example`; what it does is the user's affair."""
    fits = callable(value) and not isinstance(value, type)
    if fits:
        try:
            inspect.signature(value).bind(*example)
        except TypeError:
            fits = False
        except ValueError:  # a function of C without a signature
            pass
    if not fits:
        raise DomainError(
            f"{name} is {shown(value)}.",
            f"It is no function, or none of {len(example)} argument{'s' if len(example) > 1 else ''}.",
            f"Give a function that can be called with {len(example)}, or leave {name} out where it is optional.",
        )
    return value


def instance(name: str, value: Any, kind: type[T], made_by: str) -> T:
    """`value`, which must be a `kind`; `made_by` says which call makes one."""
    if not isinstance(value, kind):
        raise DomainError(
            f"{name} is {shown(value)}.",
            f"A {kind.__name__} is asked for here, and a {type(value).__name__} was given.",
            f"Give what {made_by} returns.",
        )
    return value


def exponents(most: int | None = None, **values: Any) -> tuple[int, ...]:
    """The named values as Python integers, each 0 or more, and at most `most` where more would never end."""
    numbers = tuple(_exponent(name, value) for name, value in values.items())
    if most is not None and max(numbers) > most:
        raise DomainError(
            f"{' and '.join(values)}: {', '.join(map(shown, numbers))} exceeds {most}.",
            "Exact integers of that many digits take hours.",
            f"Use exponents up to {most}.",
        )
    return numbers


def _exponent(name: str, value: Any) -> int:
    try:
        number = -1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except (TypeError, RuntimeError):
        number = -1
    if number < 0:
        raise DomainError(
            f"{name} = {shown(value)} is not an integer of 0 or more.",
            "It is negative, a truth value, or a float that came out of a division.",
            f"Give {name} as an int, such as 2.",
        )
    return number


def angles(theta: ArrayLike) -> FloatArray:
    """`theta` in float64, of the same shape, each in [0, π]; the float32 above π counts as π."""
    given = as_array(theta)
    if given.dtype.kind not in REAL_KINDS:
        raise DomainError(
            f"theta is an array of type {given.dtype}.",
            "Angles are real numbers; text, truth values, complex numbers or ragged lists were given.",
            "Give a float or an array of floats, in radians.",
        )
    with np.errstate(over="ignore"):
        wide = given.astype(np.float64)
    if given.dtype == np.float32:
        wide = np.where(given == np.float32(np.pi), np.pi, wide)
    if not ((wide >= 0) & (wide <= np.pi)).all():
        outside = wide[~((wide >= 0) & (wide <= np.pi))]
        raise _not_an_angle(outside.flat[0], outside.size, wide.size)
    return wide


def angle(theta: float) -> float:
    """`theta` as a float in [0, π]: the quick path for one float."""
    value = as_float(theta)
    if not 0.0 <= value <= math.pi:
        raise _not_an_angle(value, 1, 1)
    return value


def kink_in_range(kink: float) -> float:
    """`kink` as a float in [0, 2]."""
    r = as_float(kink)
    if not 0.0 <= r <= 2.0 + KINK_ROUNDING:
        raise DomainError(
            f"kink = {shown(kink)} is not a number in [0, 2].",
            "A slope was given where the kink r = (a - b)²/(a² + b²) of both slopes is asked for.",
            "Give the kink: 1 for ReLU, or the attribute `kink` of an activation.",
        )
    return min(r, 2.0)


def variances(name: str, value: Any) -> FloatArray:
    """`value` in float64, of the same shape, each positive and between 1e-300 and 1e300."""
    q = as_floats(value)
    if q is None or not ((q >= LEAST_VARIANCE) & (q <= 1 / LEAST_VARIANCE)).all():
        raise DomainError(
            f"{name} = {shown(value)} is not a positive number, or holds one that is not.",
            "A variance of 0, a negative or infinite one (beyond 1e±300), NaN, text, or a signed number was given.",
            f"Give {name} as positive variances (squares of standard deviations), such as 1.0.",
        )
    return q


def variance(name: str, value: Any) -> float:
    """`value` as one positive finite number."""
    q = variances(name, value)
    if q.ndim:
        raise DomainError(
            f"{name} = {shown(value)} is an array of {q.size} numbers.",
            "One variance is asked for here.",
            f"Give {name} as a single number, and call once for each.",
        )
    if not 1e-100 <= q <= 1e100:
        raise DomainError(
            f"{name} = {shown(value)} is a variance beyond 1e±100.",
            "Its powers leave the range of floating-point numbers.",
            "Give a variance nearer to 1; for homogeneous activations the answer does not depend on it.",
        )
    return float(q)


def real(name: str, value: Any, low: float, high: float, meaning: str) -> float:
    """`value` as a float with low < value < high; `meaning` says what it is."""
    number = as_float(value)
    if not low < number < high:
        if math.isfinite(low) and math.isfinite(high):
            limits = f"strictly between {low:g} and {high:g}"
        elif math.isfinite(low) or math.isfinite(high):
            limits = f"below {high:g}" if math.isfinite(high) else f"above {low:g}"
        else:
            limits = "that is finite"
        raise DomainError(
            f"{name} = {shown(value)} is not a number {limits}.",
            f"{name} is {meaning}; NaN, text, None, a list or a number out of range was given.",
            f"Give {name} as a number {limits}.",
        )
    return number


def depths(depth: ArrayLike) -> FloatArray:
    """`depth` in float64, each a number of layers from 1 to `DEEPEST`."""
    layers = as_floats(depth)
    if layers is None or not ((layers >= 1) & (layers <= DEEPEST)).all():
        raise DomainError(
            f"depth = {shown(depth)} is not a depth of 1 to {DEEPEST:g}.",
            "Layers count from 1; layer 0 is the input itself.",
            f"Give a depth of 1 to {DEEPEST:g}.",
        )
    return layers


def layer_count(depth: Any, most: int | None = None) -> int:
    """`depth` as a number of layers, 0 or more and, where there is a bound, at most `most`."""
    whole = isinstance(depth, (int, np.integer)) and not isinstance(depth, (bool, np.bool_))
    if not whole or depth < 0 or (most is not None and depth > most):
        raise DomainError(
            f"depth = {shown(depth)} is not a number of layers" + ("." if most is None else f" up to {most}."),
            f"Depth counts layers: an integer of 0 or more{'' if most is None else f', here {most} at most'}.",
            f"Give an int such as {1000 if most is None else min(1000, most)}.",
        )
    return int(depth)


def memory_budget(value: Any) -> int:
    """`value` as a number of bytes, positive and finite."""
    number = as_float(value)
    if not 1 <= number < math.inf:
        raise DomainError(
            f"memory_budget = {shown(value)} is not a number of bytes.",
            "It is less than one byte, infinite, NaN, text, None or a list.",
            "Give for instance 4 * 2**30.",
        )
    return int(number)


def supplement(theta: FloatArray) -> FloatArray:
    """π - θ to full relative accuracy for θ near π, and 0 where θ is the float nearest to π.

    np.pi - θ is exact for θ ≥ π/2, but np.pi itself is too small by `PI_LOW`.
    """
    difference = np.pi - theta
    return difference + PI_LOW * np.sign(difference)


def sine(theta: FloatArray) -> FloatArray:
    """sin θ, 0 where θ is the float nearest to π."""
    return np.where(theta == np.pi, 0.0, np.sin(theta))


def _not_an_angle(first: float, outside: int, size: int) -> DomainError:
    return DomainError(
        f"theta = {shown(float(first))} is not in [0, π] ({outside} of {size} angles).",
        "Angles are in radians and unsigned; degrees, a signed angle, a cosine or a NaN was given.",
        "Convert to radians, take the absolute value, and compute angles as 2·arctan2(|u-v|, |u+v|).",
    )
