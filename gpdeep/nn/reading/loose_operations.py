"""Which operations a forward does outside of modules, as the graph of autograd shows them after it has run.

Nodes of that graph stand for operations; an edge leads from a result to what it was made of. Modules without parts
are stepped over, from their output to their input. Of what is left, that counts which the network's input goes through,
or an earlier activation's output: the sum of a skip, a number that multiplies, relu as a function.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

# Of these the numbers stay as they are, or dense layers and convolutions are made of them.
_KNOWN = re.compile(
    r"AccumulateGrad|((Unsafe)?View|ReshapeAlias|Alias|Clone|ToCopy|Squeeze|Unsqueeze|Transpose|Permute|T|Addmm|Mm|"
    r"Convolution)Backward\d*"
)
_BIASED = re.compile(r"AddBackward\d*")


def loose_operations(
    end: Any, over: Mapping[Any, tuple[Any, ...]], starts: Collection[Any], leads: dict[Any, bool]
) -> tuple[str, ...]:
    """Names of the operations between `end` and the `starts`, each once.

    Parameters
    ----------
    end : node of autograd
    over : mapping from nodes to nodes
        From the output of a module to its inputs.
    starts : collection of nodes
        The network's input, and outputs of activations.
    leads : dict
        Nodes that were met, and whether they lead to a start; it is added to, and what it holds is not named again.
    """
    found: dict[str, None] = {}
    waiting = [end]
    while waiting:
        node = waiting[-1]
        before = () if node in starts else _before(node, over)
        missing = [other for other in before if other not in leads]
        if missing and node not in leads:
            waiting += missing
            continue
        waiting.pop()
        if node in leads:
            continue
        leads[node] = node in starts or any(leads[other] for other in before)
        if leads[node] and node not in starts and node not in over and not _is_known(node, before, leads):
            found[re.sub(r"Backward\d*$", "", node.name()).lower()] = None
    return tuple(found)


def _before(node: Any, over: Mapping[Any, tuple[Any, ...]]) -> tuple[Any, ...]:
    return over[node] if node in over else tuple(other for other, _ in node.next_functions if other is not None)


def _is_known(node: Any, before: tuple[Any, ...], leads: Mapping[Any, bool]) -> bool:
    """Whether an operation belongs to a chain, as a bias does that is added by itself."""
    bias = len(before) == 2 and any(not leads[other] and other.name().endswith("AccumulateGrad") for other in before)
    return bool(_KNOWN.fullmatch(node.name()) or (bias and _BIASED.fullmatch(node.name())))
