"""Which operand of a product carries the features, and which are gates: by their looks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .channel_labels import State, Tracked, last_operation

GATES = ("sigmoid", "hardsigmoid", "softmax")


def feature_operand(operands: Sequence[State]) -> int | None:
    """The number of the operand that carries the features; None where looks do not tell.

    A gate comes out of a sigmoid or softmax, or is a condition; else it is smaller than the features, such as one
    number for all positions of a channel; else it comes out of an activation and the features do not (SwiGLU).
    """
    sizes = [math.prod(state.shape) for state in operands]
    kinds = [last_operation(state.wire) if isinstance(state, Tracked) else "" for state in operands]
    gates = [kinds[k] in GATES if isinstance(s, Tracked) else s.gate for k, s in enumerate(operands)]
    left = [k for k in range(len(operands)) if not gates[k]] or list(range(len(operands)))
    left = [k for k in left if sizes[k] == max(sizes[i] for i in left)]
    left = left if len(left) == 1 else [k for k in left if not kinds[k]]
    return left[0] if len(left) == 1 and isinstance(operands[left[0]], Tracked) else None
