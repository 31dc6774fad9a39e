"""Operations that change their input in place, in a recorded graph: made to hand on their result instead.

After ``relu_(x)`` every later use of x sees the changed x. In the graph these uses name the operation before; here
they are given the result of the one in place, so that an activation that leaves its input alone can take its place.
"""

from __future__ import annotations

import re

from torch import fx, nn

from ...errors import DomainError
from .tracing import label_of, target_name

# Operations whose result may share memory with their input.
_VIEWS = re.compile(
    r"view(_as)?|reshape(_as)?|flatten|unflatten|squeeze|unsqueeze|permute|transpose|t|expand(_as)?|narrow|select|"
    r"getitem|chunk|split|unbind|contiguous|detach|to|float|double|half|swapaxes|movedim|getattr|"
    r"(feature_|alpha_)?dropout[123]?d?"
)
_VIEW_MODULES = (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)


def hand_on(node: fx.Node, owner: nn.Module) -> bool:
    """Let what uses the input of `node` after it use its result; whether anything did.

    Raises
    ------
    DomainError
        The input, or what it was cut out of, is read again through a view.
    """
    order = {other: place for place, other in enumerate(node.graph.nodes)}
    source = node.all_input_nodes[0]
    for view in _aliases(source, owner):
        for user in view.users:
            if view is not source and order[user] > order[node] and user is not node:
                raise DomainError(
                    f"{label_of(node, owner)[0].upper()}{label_of(node, owner)[1:]} works in place on a tensor that "
                    f"{label_of(user, owner)} reads afterwards through another view.",
                    "inplace=True changes the memory that several tensors share, and the model relies on it.",
                    "Write inplace=False (ReLU() or F.relu(x)) there.",
                )
    late = [user for user in source.users if order[user] > order[node]]
    for user in late:
        user.replace_input_with(source, node)
    return bool(late)


def _aliases(source: fx.Node, owner: nn.Module) -> set[fx.Node]:
    """Nodes that may share memory with `source`, and it itself."""
    found, waiting = {source}, [source]
    while waiting:
        current = waiting.pop()
        before = current.all_input_nodes if _is_view(current, owner) else []
        after = [user for user in current.users if _is_view(user, owner)]
        for node in (*before, *after):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found


def _is_view(node: fx.Node, owner: nn.Module) -> bool:
    if node.op == "call_module":
        return isinstance(owner.get_submodule(str(node.target)), _VIEW_MODULES)
    return node.op in ("call_function", "call_method") and bool(_VIEWS.fullmatch(target_name(node)))
