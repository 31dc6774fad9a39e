"""Rules for what acts number by number: activations, constants, sums, products, conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .call import Call
from .channel_labels import State, Tracked, aligned, entry_means
from .nested_tensors import tensors
from .rules import built_in

_SAME_NUMBERS = (
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"),
    *("contiguous", "clone", "detach", "to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda"),
    *("alias", "data", "real", "positive", "nan_to_num", "conj", "resolve_conj", "resolve_neg", "view_as_real"),
    *("lift_fresh", "as_subclass", "identity"),
)
_FOR_SHAPE = (
    *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "broadcast_shapes", "result_type"),
)
_CONDITIONS = (
    *("gt", "lt", "ge", "le", "eq", "ne", "greater_equal", "less_equal", "not_equal", "isnan", "isinf", "isfinite"),
    *("logical_not", "logical_and", "logical_or", "logical_xor", "bitwise_not", "bitwise_and", "bitwise_or", "invert"),
    *("and", "or", "xor", "rand", "ror", "any", "all", "argmax", "argmin", "argsort", "count_nonzero", "nonzero"),
    *("isclose", "signbit", "bucketize", "searchsorted", "bool", "int", "long", "isin", "bernoulli", "multinomial"),
)
# Activations whose slope for negative arguments is nothing, or which are no pair of slopes.
_SMOOTH = (
    *("relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "tanh", "sigmoid", "logsigmoid"),
    *("log_sigmoid", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink", "threshold"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "square", "reciprocal", "sin", "cos"),
    *("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "arcsin", "arccos", "arctan", "erf"),
    *("erfc", "erfinv", "sinc", "sign", "sgn", "floor", "ceil", "round", "trunc", "fix", "frac", "logit", "lgamma"),
    *("digamma", "special_expit", "special_erf", "special_log1p", "special_expm1", "expit", "fmod", "remainder"),
    *("heaviside", "rdiv", "rpow", "rfloordiv", "floor_divide", "floordiv", "mod", "i0", "clamp_max", "rmod"),
)


@built_in(*_SAME_NUMBERS)
def same(call: Call) -> Tracked:
    """The very numbers."""
    return call.same()


@built_in(*_FOR_SHAPE)
def for_shape(call: Call) -> None:
    """A constant of the shape of its argument."""


@built_in(*_CONDITIONS)
def condition(call: Call) -> State:
    """A decision or an index: locally constant, so nothing passes through it; it may select and gate."""
    argument = next(tensors(call.args))
    if call.name in ("int", "long", "bool") and not argument.is_floating_point():
        return call.same()
    return call.blocked(
        f"{call.label} makes a condition or an index of data, and paths would run through it.",
        "It is locally constant in its argument: nothing passes but the choice that it makes.",
        'Use it to select or to mask (with a policy, products="value"), or register a rule for the module around it.',
        condition=True,
    )


@built_in(*_SMOOTH)
def smooth(call: Call) -> Tracked:
    """An activation without slopes."""
    return _one_argument(call, call.name, None)


@built_in("relu")
def relu(call: Call) -> Tracked:
    """max(x, 0)."""
    return _one_argument(call, "relu", 0.0)


@built_in("abs", "fabs")
def absolute(call: Call) -> Tracked:
    """|x|."""
    return _one_argument(call, "abs", -1.0)


@built_in("leaky_relu")
def leaky_relu(call: Call) -> Tracked:
    """x or ax."""
    return _one_argument(call, "leaky_relu", float(call.argument(1, "negative_slope", 0.01)))


@built_in("rrelu")
def rrelu(call: Call) -> Tracked:
    """In eval mode x or ax with the mean of the bounds."""
    low, high = call.argument(1, "lower", 1 / 8), call.argument(2, "upper", 1 / 3)
    return _one_argument(call, "rrelu", (float(low) + float(high)) / 2)


@built_in("prelu")
def prelu(call: Call) -> Tracked:
    """A slope for each channel along axis 1, or one for all: a channel is linear iff its slope is exactly 1."""
    slopes = call.argument(1, "weight")
    if call.state(slopes) is not None:
        call.refuse("its slopes depend on the input")
    tracked = call.known(call.state(call.argument(0, "input")))
    return call.activation("prelu", slopes=_array(slopes), axis=min(1, len(tracked.shape) - 1), of=tracked)


@built_in("clamp", "clip", "clamp_min")
def clamp(call: Call) -> Tracked:
    """Bounds; max(x, 0) among them."""
    low, high = call.argument(1, "min"), call.argument(2, "max") if call.name != "clamp_min" else None
    if low is None and high is None:
        return call.same()
    rectifies = high is None and _is_zero(low)
    return _one_argument(call, "relu" if rectifies else "clamp", 0.0 if rectifies else None)


@built_in("pow", "float_power")
def power(call: Call) -> Tracked:
    """A power; x¹ is x."""
    exponent = call.argument(1, "exponent")
    if isinstance(exponent, (int, float)) and exponent == 1:
        return call.same()
    return _one_argument(call, "square" if isinstance(exponent, (int, float)) and exponent == 2 else "pow", None)


@built_in("maximum", "minimum", "fmax", "fmin")
def extreme(call: Call) -> Tracked:
    """An activation if the other operand is constant or a function of the same numbers, else like a product."""
    if len(call.inputs) == 1:
        other = next(t for t in tensors(call.args) if call.state(t) is None)
        rectifies = call.name in ("maximum", "fmax") and _is_zero(other)
        return _one_argument(call, "relu" if rectifies else call.name, 0.0 if rectifies else None)
    return _of_one(call, call.inputs) or call.product(call.inputs)


def _one_argument(call: Call, kind: str, slope: float | None) -> Tracked:
    """An activation of one tensor that depends on the input."""
    if len(call.inputs) > 1:
        call.refuse("it takes several tensors that depend on the input")
    return call.activation(kind, slopes=slope, of=_broadcast(call, call.first))


def _broadcast(call: Call, tracked: Tracked) -> Tracked:
    """The operand in the shape of the result."""
    shape = call.shape
    return Tracked(tracked.wire, aligned(tracked.labels, len(shape)), shape, tracked.root)


# ------------------------------------------------------------------------------------------ two operands


@built_in("add", "sub", "rsub")
def add(call: Call) -> Tracked:
    """A sum; constants are no operands. torch.add scales its second operand by alpha."""
    pairs = _operands(call)
    if len(pairs) == 1:
        return call.same(pairs[0][1])
    alpha = call.kwargs.get("alpha", 1)
    parts = []
    for k, (tensor, tracked) in enumerate(pairs):
        factor = float(alpha) if k == 1 else 1.0
        scaled = tracked if factor in (1.0, -1.0) else _scaled(tracked, factor)
        parts.append((tensor if scaled is tracked else call.value(tensor) * factor, scaled))
    return call.add(parts)


@built_in("lerp")
def lerp(call: Call) -> Tracked:
    """(1 - w) x + w y."""
    pairs = _operands(call)
    weight = call.argument(2, "weight")
    if len(pairs) != 2 or call.state(weight) is not None:
        call.refuse("its weight, or only one of its ends, depends on the input")
    w = _array(weight)
    shares = [1 - w, w]
    if w.ndim:
        return call.add(pairs)
    return call.add([(call.value(t) * float(s), _scaled(p, float(s))) for (t, p), s in zip(pairs, shares, strict=True)])


@built_in("neg", "deg2rad", "rad2deg")
def scaled(call: Call) -> Tracked:
    """A multiple."""
    factor = {"neg": 1.0, "deg2rad": math.pi / 180, "rad2deg": 180 / math.pi}[call.name]
    return call.same() if factor == 1.0 else call.copy("scale", power=factor**2)


@built_in("mul", "div")
def mul(call: Call) -> Tracked | None:
    """A multiple of one tensor, or a product of two."""
    states = call.inputs
    if call.name == "div" and call.kwargs.get("rounding_mode") is not None:
        return _one_argument(call, "round", None)
    if len(states) > 1:
        found = _of_one(call, states)
        return found or call.product(states, value=0 if call.name == "div" else None)
    if call.name == "div" and call.state(call.args[0]) is None:
        return _one_argument(call, "reciprocal", None)
    if call.name == "mul" and any(isinstance(x, (int, float)) and x == 0 for x in call.args):
        return None  # a zero that is written down, as in cat([x, x * 0]): no path ends there
    tracked = _broadcast(call, call.first)
    factor = next((x for x in (*call.args, *call.kwargs.values()) if call.state(x) is None and x is not None), 1.0)
    return _multiple(call, tracked, factor)


def _multiple(call: Call, tracked: Tracked, factor: Any) -> Tracked:
    """`tracked` times, or divided by, a constant: a number, or a tensor that may vary along channels and positions."""
    if isinstance(factor, torch.Tensor):
        square = factor.detach().to(torch.float64).abs().square() if factor.dtype != torch.bool else factor.double()
    else:
        square = torch.tensor(abs(complex(factor)) ** 2, dtype=torch.float64)
    square = 1 / square if call.name == "div" else square
    square = torch.nan_to_num(square, nan=1.0, posinf=1.0).cpu()
    if square.numel() == 1:
        return call.copy("scale", power=square.reshape(()).numpy(), of=tracked) if float(square) != 1 else tracked
    each = aligned(square, len(tracked.shape))
    whole = each.expand([max(sizes) for sizes in zip(each.shape, tracked.labels.shape, strict=True)])
    return call.copy("scale", power=entry_means(whole, tracked.labels), of=tracked)


def _scaled(tracked: Tracked, factor: float) -> Tracked:
    """A multiple that is made on the way to an addition."""
    wire = tracked.wire.scale(factor)
    return Tracked(wire, tracked.labels, tracked.shape, tracked.root)


def _of_one(call: Call, states: Sequence[State]) -> Tracked | None:
    """An activation, where all operands are functions of the same numbers: x · sigmoid(x), max(x, 0.1 x)."""
    roots = {id(s.root) if isinstance(s, Tracked) else id(s.origin) if s.origin is not None else None for s in states}
    if len(roots) > 1 or None in roots:
        return None
    first = states[0]
    root = first.root if isinstance(first, Tracked) else first.origin
    if root is None or tuple(root.shape) != call.shape:
        return None
    return call.activation(call.name, of=root)


def _operands(call: Call) -> list[tuple[torch.Tensor, Tracked]]:
    """The tensors that depend on the input, each with what is known of it."""
    return [(t, call.known(s)) for t in tensors((call.args, call.kwargs)) if (s := call.state(t)) is not None]


@built_in("addcmul", "addcdiv")
def addcmul(call: Call) -> Tracked:
    """x + value · a · b, or a/b."""
    x, a, b = (call.argument(k, n) for k, n in enumerate(("input", "tensor1", "tensor2")))
    factors = [(t, s) for t in (a, b) if (s := call.state(t)) is not None]
    call.name = "mul" if call.name == "addcmul" else "div"
    if len(factors) == 2:
        part: Any = call.product([s for _, s in factors], value=0 if call.name == "div" else None)
    elif factors and call.state(a) is not None:
        part = _multiple(call, _broadcast(call, call.known(factors[0][1])), b)
    elif factors:
        part = _multiple(call, _broadcast(call, call.known(factors[0][1])), a) if call.name == "mul" else None
        part = part or call.activation("reciprocal", of=_broadcast(call, call.known(factors[0][1])))
    else:
        return call.same(call.known(call.state(x)))
    made = call.value(a) * call.value(b) if call.name == "mul" else call.value(a) / call.value(b)
    start = call.state(x)
    return part if start is None else call.add([(x, call.known(start)), (made, part)])


# ------------------------------------------------------------------------------------------ selections


@built_in("where")
def where(call: Call) -> Any:
    """A choice: an activation if it is one of functions of the same numbers; else a gate on both branches."""
    if len(call.args) + len(call.kwargs) < 3:
        return condition(call)
    chooser, one, other = (call.argument(k, n) for k, n in enumerate(("condition", "input", "other")))
    branches = [(t, s) for t in (one, other) if (s := call.state(t)) is not None]
    gate = call.state(chooser)
    if not branches:
        return gate
    if gate is None:
        return call.add([(t, call.known(s)) for t, s in branches])
    found = _of_one(call, [gate, *(s for _, s in branches)])
    if found is not None:
        return found
    merged = call.add([(t, call.known(s)) for t, s in branches])
    return call.product([merged, gate], value=0)


@built_in("masked_fill")
def masked_fill(call: Call) -> Tracked:
    """A constant where a mask says so."""
    mask = call.state(call.argument(1, "mask"))
    tracked = call.known(call.state(call.args[0]))
    if mask is None:
        return call.same(tracked)
    return _of_one(call, [tracked, mask]) or call.product([tracked, mask], value=0)


def _is_zero(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return bool((value == 0).all())
    return isinstance(value, (int, float)) and value == 0


def _array(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().to(torch.float64).numpy()
    return np.asarray(value, dtype=np.float64)
