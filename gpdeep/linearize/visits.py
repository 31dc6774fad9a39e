"""How often paths run through each channel: the weights of a walk, applied from the outputs back to the inputs."""

from __future__ import annotations

import numpy as np

from .arithmetic import Array
from .operations import Act, Add, Concat, Copy, Dense, Index, Product
from .walk import Walk


def visits(walk: Walk) -> list[Array]:
    """For every node the probability that a path runs through each of its channels."""
    found = [walk.numbers.zeros(node.channels) for node in walk.graph.nodes]
    for number, share in walk.output_shares():
        found[number] = found[number] + share
    for number in range(len(walk.graph.nodes) - 1, -1, -1):
        operation, here = walk.graph.nodes[number].operation, found[number]
        operands, choice = walk.choices[number]
        if not operands:
            continue
        if isinstance(operation, Dense):
            g = operation.groups
            grouped = here.reshape(g, -1)
            back = grouped.sum(axis=-1)[:, None] * choice if choice.ndim == 2 else _edges(grouped, choice)
            found[operands[0]] = found[operands[0]] + back.ravel()
        elif isinstance(operation, (Add, Product)):
            for k, share in zip(operands, choice, strict=True):
                found[k] = found[k] + here * share
        elif isinstance(operation, (Act, Copy)):
            found[operands[0]] = found[operands[0]] + here
        elif isinstance(operation, Concat):
            start = 0
            for k in operands:
                size = walk.graph.nodes[k].channels
                found[k] = found[k] + here[start : start + size]
                start += size
        elif isinstance(operation, Index):
            kept = operation.index >= 0
            found[operands[0]] = found[operands[0]].copy()
            np.add.at(found[operands[0]], operation.index[kept], here[kept])
    return found


def _edges(visits: Array, choice: Array) -> Array:
    """Visits of the inputs of a dense node with a weight for each edge."""
    return np.asarray((visits[:, :, None] * choice).sum(axis=1))
