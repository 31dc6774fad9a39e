"""Rules for products and sums over named axes: matrix products, einsum, attention, gated linear units.

With a constant factor it is a dense layer, or a mixing of positions. Of two tensors that both depend on the input it is
a product: an operand whose channels do not lie along what is summed over keeps them; of one whose channels do, each
output is made of all in the sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ...linearize.wires import Wire
from .call import Call
from .channel_labels import Blocked, State, Tracked, fresh, gathered, moved, narrow
from .feature_operand import feature_operand
from .rules import built_in
from .rules_dense import grouped
from .rules_reduction import reduced_labels

_LETTERS = "abcdefghijklmnopqrstuvw"


@built_in("matmul", "rmatmul", "mm", "bmm", "mv", "dot", "inner")
def matmul(call: Call) -> Tracked:
    """A linear layer where one factor is constant; else like attention, a product."""
    a, b = [*call.args, *call.kwargs.values()][:2]
    if call.name == "rmatmul":
        a, b = b, a
    return _matmul(call, a, b, inner=call.name == "inner")


def _matmul(call: Call, a: torch.Tensor, b: torch.Tensor, inner: bool = False) -> Tracked:
    """a @ b."""
    batch = max(a.ndim, b.ndim, 2) - 2
    left = _LETTERS[batch - max(a.ndim - 2, 0) : batch] + ("xz" if a.ndim > 1 else "z")
    right = _LETTERS[batch - max(b.ndim - 2, 0) : batch] + (("yz" if inner else "zy") if b.ndim > 1 else "z")
    out = _LETTERS[:batch] + ("x" if a.ndim > 1 else "") + ("y" if b.ndim > 1 else "")
    return contracted(call, [a, b], [left, right], out)


@built_in("addmm", "baddbmm", "addmv")
def addmm(call: Call) -> Tracked:
    """A bias and a product of matrices."""
    bias, a, b = [*call.args, *call.kwargs.values()][:3]
    if call.state(bias) is not None:
        call.refuse("its bias depends on the input")
    return _matmul(call, a, b)


@built_in("tensordot")
def tensordot(call: Call) -> Tracked:
    """Sums over pairs of axes."""
    a, b = call.args[0], call.args[1]
    dims = call.argument(2, "dims", 2)
    pairs = (range(a.ndim - dims, a.ndim), range(dims)) if isinstance(dims, int) else dims
    left, right = list(_LETTERS[: a.ndim]), list(_LETTERS[a.ndim : a.ndim + b.ndim])
    for i, j in zip(*pairs, strict=True):
        right[j] = left[i]
    out = [c for c in left if c not in right] + [c for c in right if c not in left]
    return contracted(call, [a, b], ["".join(left), "".join(right)], "".join(out))


@built_in("einsum")
def einsum(call: Call) -> Tracked:
    """Sums over letters."""
    equation = call.args[0]
    if not isinstance(equation, str):
        call.refuse("its equation is given as lists of numbers", "Write it as a text, such as 'bij,jk->bik'.")
    operands = [x for item in call.args[1:] for x in (item if isinstance(item, (list, tuple)) else [item])]
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    spare = "".join(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in equation)
    dots = [x.ndim - len(t) + 3 if "..." in t else 0 for t, x in zip(terms, operands, strict=True)]
    terms = [t.replace("...", spare[max(dots) - n : max(dots)]) for t, n in zip(terms, dots, strict=True)]
    if not arrow:
        every = "".join(terms)
        letters = "".join(sorted(c for c in set(every) if every.count(c) == 1 and c not in spare[: max(dots)]))
        out = "..." + letters
    return contracted(call, operands, terms, out.replace("...", spare[: max(dots)]))


def contracted(call: Call, operands: list[torch.Tensor], terms: list[str], out: str) -> Tracked:
    """A sum over all letters that are not in `out`, of the product of operands whose axes the terms name."""
    states = [call.state(x) for x in operands]
    known = [k for k, state in enumerate(states) if state is not None]
    if len(operands) == 1:
        return _one(call, call.known(states[0]), terms[0], out)
    if len(operands) == 2 and len(known) == 1:
        (k,) = known
        call.known(states[k])
        return _with_constant(call, operands[k], terms[k], operands[1 - k], terms[1 - k], out)
    if len(operands) == 2:
        return _two(call, operands, [s for s in states if s is not None], terms, out)
    call.refuse("it multiplies more than two tensors")


def _two(call: Call, operands: list[torch.Tensor], states: list[State], terms: list[str], out: str) -> Tracked:
    """A product of two tensors that both depend on the input, such as weights of attention and values."""
    unknown = [k for k, state in enumerate(states) if isinstance(state, Blocked)]
    if len(unknown) == 2 or not all(s.gate for s in states if isinstance(s, Blocked)):
        call.known(states[unknown[0]])
    if unknown:  # a gate that cannot be followed is to the features like a matrix of constants
        k = 1 - unknown[0]
        value = _with_constant(call, operands[k], terms[k], operands[1 - k], terms[1 - k], out, measured=False)
        return call.product([value, states[1 - k]], value=0)
    known = [call.known(state) for state in states]
    own = [
        k
        for k, (s, term) in enumerate(zip(known, terms, strict=True))
        if any(c in out and c not in terms[1 - k] and s.varies(at) for at, c in enumerate(term))
    ]
    parts, shape = _meeting(call, known, terms, out)
    features = own[0] if len(own) == 1 else feature_operand([replace(s, shape=shape) for s in known])
    return call.product(parts, value=features, guess=False, shape=shape)


def _one(call: Call, tracked: Tracked, term: str, out: str) -> Tracked:
    """Diagonals, transposes and sums of one tensor."""
    letters = "".join(dict.fromkeys(term))
    labels = narrow(torch.einsum(f"{term}->{letters}", tracked.full.double()).long())
    wire, labels = reduced_labels(tracked.wire, labels, [k for k, c in enumerate(letters) if c not in out], "pool")
    kept = [c for c in letters if c in out]
    return _arranged(wire, labels, kept, out, call.shape)


def _with_constant(
    call: Call, x: torch.Tensor, term: str, weight: torch.Tensor, other: str, out: str, measured: bool = True
) -> Tracked:
    """A sum over letters that a constant shares with the tensor: a dense layer, in groups, or a mixing of positions."""
    tracked = call.known(call.state(x))
    if len(set(term)) < len(term) or len(set(other)) < len(other):
        call.refuse("it takes a diagonal")
    single = [k for k, c in enumerate(term) if c in other and x.shape[k] == 1 and weight.shape[other.index(c)] > 1]
    term = "".join(c for k, c in enumerate(term) if k not in single)
    labels = tracked.labels.reshape([n for k, n in enumerate(tracked.labels.shape) if k not in single])
    sizes = dict(zip(term, [n for k, n in enumerate(x.shape) if k not in single], strict=True))
    wide = dict(zip(other, weight.shape, strict=True))
    over = [c for c in term if c not in out]
    batch = [c for c in term if c in out]
    made = [c for c in other if c in out and c not in term]
    held = [c for c in batch if labels.shape[term.index(c)] > 1]
    if over and held and all(labels.shape[term.index(c)] == 1 for c in over):
        call.try_another_axis(tracked)
        wire = gathered(tracked.wire, labels).copy("pool")
        numbers = fresh(labels).permute([term.index(c) for c in batch + over]).flatten(len(batch))[..., 0]
        return _arranged(wire, numbers, batch, out, call.shape)
    whole = labels.permute([term.index(c) for c in batch + over])
    whole = whole.expand([*whole.shape[: len(batch)], *(sizes[c] for c in over)])
    rows = whole.reshape(math.prod(whole.shape[: len(batch)]), -1)
    outputs = math.prod(wide[c] for c in made)
    if not over and outputs == 1:
        wire, made_labels = gathered(tracked.wire, rows).copy("scale"), fresh(rows)
    else:
        wire, made_labels = grouped(call, tracked, rows, outputs)
        if (
            measured
            and call.moments is not None
            and set(other) <= {*over, *made}
            and not single
            and bool((rows.amax(1) > 0).all())
        ):
            matrix = weight.permute([other.index(c) for c in [*made, *over]] if over else None)
            matrix = matrix.reshape(outputs, -1).repeat(len(rows), 1)
            spread = call.value(x).permute([term.index(c) for c in batch + over])
            call.moments.edges(wire, matrix, call.moments.second(spread, whole))
    made_labels = made_labels.reshape([*whole.shape[: len(batch)], *(wide[c] for c in made)])
    return _arranged(wire, made_labels, batch + made, out, call.shape)


def _arranged(wire: Wire, labels: torch.Tensor, letters: list[str], out: str, shape: tuple[int, ...]) -> Tracked:
    """Labels with their axes in the order of the result; those of other letters are positions."""
    there = labels.permute([letters.index(c) for c in out if c in letters])
    for place, letter in enumerate(out):
        if letter not in letters:
            there = there.unsqueeze(place)
    return Tracked(wire, narrow(there), shape)


def _meeting(
    call: Call, operands: Sequence[Tracked], terms: Sequence[str], out: str
) -> tuple[list[Tracked], tuple[int, ...]]:
    """What of each operand meets in a product, in the axes of the result; and the shape of that."""
    sizes: dict[str, int] = {}
    for tracked, term in zip(operands, terms, strict=True):
        if len(set(term)) < len(term):
            call.refuse("it takes a diagonal")
        for letter, size in zip(term, tracked.shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    shape = tuple(sizes[c] for c in out)
    parts = []
    for tracked, term in zip(operands, terms, strict=True):
        gone = [k for k, c in enumerate(term) if c not in out]
        wire, labels = reduced_labels(tracked.wire, tracked.labels, gone, "")
        parts.append(_arranged(wire, labels, [c for c in term if c in out], out, shape))
    return parts, shape


# ------------------------------------------------------------------------------------------ attention


@built_in("scaled_dot_product_attention")
def attention(call: Call) -> Tracked:
    """Values, weighted by a softmax of the products of queries and keys."""
    query, key, value = (call.argument(k, n) for k, n in enumerate(("query", "key", "value")))
    shape, batch = call.shape, _LETTERS[: value.ndim - 2]
    if call.state(value) is None:
        call.refuse("its values are constant")
    values = call.known(call.state(value))
    wire, labels = reduced_labels(values.wire, values.labels, [value.ndim - 2], "pool")
    if value.ndim > 2 and labels.shape[-2] > 1:  # heads that several queries share
        labels = labels.repeat_interleave(shape[-3] // value.shape[-3], dim=-2)
    features = Tracked(wire, labels.unsqueeze(-2), shape)
    scores = _scores(call, [query, key], [f"{batch}tz", f"{batch}sz"], f"{batch}ts")
    if isinstance(scores, Tracked):
        gate, _ = reduced_labels(scores.wire, scores.labels, [value.ndim - 1], "pool")
        there = reduced_labels(scores.wire, scores.labels, [value.ndim - 1], "")[1].unsqueeze(-1)
        scores = Tracked(gate, fresh(there), shape)
    return features if scores is None else call.product([features, scores], value=0)


def _scores(call: Call, pair: list[torch.Tensor], terms: list[str], out: str) -> State | None:
    """Attention's weights; None where they do not depend on the input."""
    states = [(x, s, t) for x, t in zip(pair, terms, strict=True) if (s := call.state(x)) is not None]
    if not states:
        return None
    if pair[0].shape[:-2] != pair[1].shape[:-2] or any(isinstance(s, Blocked) for _, s, _ in states):
        return call.blocked(
            f"The weights of {call.label} cannot be followed, and paths would run through them.",
            "Queries and keys have different numbers of heads, or are not known themselves.",
            'Use products="value", by which no path runs through the weights.',
            condition=True,
        )
    sizes = {c: n for x, t in zip(pair, terms, strict=True) for c, n in zip(t, x.shape, strict=True)}
    shape = tuple(sizes[c] for c in out)
    parts, _ = _meeting(call, [call.known(s) for _, s, _ in states], [t for _, _, t in states], out)
    there = [Tracked(p.wire, p.labels, shape) for p in parts]
    made = call.product(there, shape=shape) if len(there) > 1 else there[0]
    return Tracked(gathered(made.wire, made.labels).copy("softmax"), fresh(made.labels), shape)


@built_in("multi_head_attention_forward")
def multi_head_attention(call: Call) -> tuple[State, Any]:
    """Projections of queries, keys and values along the last axis, attention in heads, a projection."""
    states = [call.state(call.argument(k, n)) for k, n in enumerate(("query", "key", "value"))]
    width, heads = int(call.argument(3, "embed_dim_to_check")), int(call.argument(4, "num_heads"))
    if states[2] is None:
        call.refuse("its values are constant")
    value = _projected(call, call.known(states[2]), width, "value")
    sides = [(call.known(s), n) for s, n in zip(states[:2], ("query", "key"), strict=True) if s is not None]
    wires = [_projected(call, s, width, n).dense(heads, groups=heads, name=f"{call.path}.scores") for s, n in sides]
    if wires:
        met = wires[0].product(*wires[1:], policy=call.policy, name=f"{call.path}.scores") if wires[1:] else wires[0]
        weights = met.copy("softmax").flatten(width // heads)
        value = value.product(weights, value=0, policy=call.policy, name=f"{call.path}.attention")
    shape = call.shape
    wire = value.dense(shape[-1], name=f"{call.path}.out")
    labels = torch.arange(1, shape[-1] + 1).reshape([1] * (len(shape) - 1) + [-1])
    shown = call.blocked(
        f"The weights of {call.label}{call.where()} are used, and paths would run through them.",
        "They are a function of queries and keys, of no channels of their own.",
        "Use the output of attention alone: need_weights=False.",
    )
    return Tracked(wire, labels, shape), shown


def _projected(call: Call, tracked: Tracked, width: int, name: str) -> Wire:
    """A projection of the last axis."""
    return call.channels(tracked, -1).dense(width, name=f"{call.path}.{name}")


# ------------------------------------------------------------------------------------------ gates


@built_in("glu")
def glu(call: Call) -> Tracked:
    """a · sigmoid(b), of the two halves of an axis."""
    tracked = call.first
    axis = int(call.argument(1, "dim", -1))
    a, b = (moved(tracked, labels) for labels in tracked.full.chunk(2, dim=axis))
    gate = Tracked(gathered(b.wire, b.labels).activation("sigmoid", name=f"{call.path}.gate"), fresh(b.labels), b.shape)
    return call.product([a, gate], value=0)


@built_in("bilinear")
def bilinear(call: Call) -> Tracked:
    """xᵀ W y."""
    weight = call.argument(2, "weight")
    sides = [
        call.known(s) for k, n in enumerate(("input1", "input2")) if (s := call.state(call.argument(k, n))) is not None
    ]
    parts = []
    for side in sides:
        wire = call.channels(side, -1).dense(int(weight.shape[0]), name=call.path)
        labels = torch.arange(1, wire.channels + 1).reshape([1] * (len(call.shape) - 1) + [-1])
        parts.append(Tracked(wire, labels, call.shape))
    return call.product(parts) if len(parts) > 1 else parts[0]
