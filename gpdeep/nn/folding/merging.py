"""Merging affine layers that no nonlinearity separates any more, where that changes nothing."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn

from ...errors import DomainError
from ...gaussian.arguments import flag
from ...result import Status, StatusCode
from ..modules.partial_relu import require_finite_slopes_of
from ..reading.example_runs import as_arguments, difference, run, shapes_of
from ..reading.partial_tracing import trace_partial
from ..reading.tracing import label_of, unwrapped
from ..reading.weights import require_module
from .chains import ChainReader
from .fold_report import FoldedSegment, FoldReport, Unfolded
from .reading import is_linear_now
from .writing import ChainWriter

_ROUNDINGS = 1e6  # of composed weights, before it is said that they lose digits


def fold(
    model: nn.Module, exact: bool = True, *, example: Any = None, only_if_cheaper: bool = True
) -> tuple[fx.GraphModule, FoldReport]:
    """A copy of a model in which affine layers with nothing but linear channels between them are one layer.

    Merged are linear layers, convolutions and batch normalisation with fixed statistics, in a row or side by side in
    a sum (a skip is the identity), through activations whose channels all have slope 1, through dropout and
    `torch.nn.Identity` in evaluation mode.

    Parameters
    ----------
    model : torch.nn.Module
        Stays as it is. It is taken in the mode it is in: call ``eval()`` before, since batch normalisation in training
        mode is not affine.
    exact : bool
        Merge only what is equal everywhere. Otherwise also what differs at the border of images; then the report says
        how many positions may differ, and by how much outputs do on the example.
    example : torch.Tensor or tuple, optional
        Arguments of the model, with a batch axis: for numbers of multiplications, the border, and the measured change.
        Needed if not `exact`.
    only_if_cheaper : bool
        Merge only where that needs no more multiplications: two 3 x 3 convolutions as one of 5 x 5 need 25/18 of them.
        Otherwise as much as can be.

    Returns
    -------
    model : torch.fx.GraphModule
        For inference, in the mode of the original; merged layers have the type and device of their first.
    report : FoldReport
        Segments, with multiplications before and after, and what was left and why.

    Raises
    ------
    DomainError
        Not `exact` without example, or the slopes of an activation are NaN or infinite.
    UntraceableError
        `torch.fx` cannot follow the model.

    Notes
    -----
    *What is equal everywhere*, the border included: anything before an unpadded convolution; a pointwise convolution
    without bias before a zero-padded one; with other paddings any pointwise layer without stride; circular ones that
    keep the size. Not equal are two zero-padded convolutions larger than a point, and a bias (or the shift of a
    normalisation) before zero padding.

    *Digits.* Weights are composed in float64 and rounded once.

    *Linear layers and BatchNorm1d* in a row are read as acting on vectors unless the example says otherwise.

    References
    ----------
    Ding, Zhang, Ma, Han, Ding and Sun, "RepVGG: making VGG-style ConvNets great again", CVPR 2021: sums of branches.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)).eval()
    >>> folded, report = fold(model)
    >>> report.segments
    (FoldedSegment(name='0', layers=('0', '1', '2'), before=104.0, after=32.0, exact=True, affected=0, positions=0),)
    >>> x = torch.randn(5, 8)
    >>> torch.allclose(folded(x), model(x), atol=1e-6)
    True
    """
    require_module(model)
    exact, only_if_cheaper = flag("exact", exact), flag("only_if_cheaper", only_if_cheaper)
    if example is None and not exact:
        raise DomainError(
            "exact=False was given without an example.",
            "How much the border changes depends on the size of images and on their values.",
            "Give example=, a batch of typical inputs.",
        )
    arguments = None if example is None else as_arguments(example)
    original = unwrapped(model)
    owner, graph = trace_partial(copy.deepcopy(original))
    removed = _without_linear_activations(owner, graph)
    shapes = None if arguments is None else shapes_of(owner, graph, arguments)
    reader = ChainReader(owner, graph, shapes, exact=exact, cheaper=only_if_cheaper)
    writer = ChainWriter(owner, graph, reader)
    for chain in reader.chains():
        writer.rewrite(chain, exact=exact, cheaper=only_if_cheaper)
    folded = fx.GraphModule(owner, graph, type(original).__name__)
    folded.graph.lint()
    change, scale, status = math.nan, math.nan, Status()
    if arguments is not None:
        first = run(original, arguments)
        change, scale = difference(first, run(folded, arguments))
        status = _judged(change, scale, writer.segments, owner)
    known = shapes is not None or not writer.spatial
    return folded, FoldReport(
        status=status,
        segments=tuple(writer.segments),
        left=tuple(_apart([*reader.left, *writer.left], writer.segments)),
        removed=tuple(removed),
        multiplications_before=writer.before if known else math.nan,
        multiplications_after=writer.after if known else math.nan,
        per="input" if known else "position",
        change=change,
        scale=scale,
    )


def _without_linear_activations(owner: nn.Module, graph: fx.Graph) -> list[str]:
    """Take activations that are linear in every channel out of the graph; their names."""
    removed = []
    for node in list(graph.nodes):
        if node.op != "call_module":
            continue
        module = owner.get_submodule(str(node.target))
        require_finite_slopes_of(label_of(node, owner), module)
        if is_linear_now(module) and not (module._forward_hooks or module._forward_pre_hooks):
            node.replace_all_uses_with(node.all_input_nodes[0])
            graph.erase_node(node)
            removed.append(str(node.target))
    return removed


def _apart(left: list[Unfolded], segments: list[FoldedSegment]) -> Iterator[Unfolded]:
    """What is still two layers: a sum may have joined what follows it to what goes before."""
    for pair in left:
        if not any({pair.first, pair.second} <= set(segment.layers) for segment in segments):
            yield pair


def _judged(change: float, scale: float, segments: list[FoldedSegment], owner: nn.Module) -> Status:
    """What the measured change says."""
    dtype = next((p.dtype for p in owner.parameters() if p.is_floating_point()), torch.float64)
    if all(part.exact for part in segments) and not change <= _ROUNDINGS * torch.finfo(dtype).eps * scale:
        return Status(
            StatusCode.OUTSIDE_VALIDITY,
            (f"outputs differ by {change:.3g} of {scale:.3g}: composed weights lose digits in {dtype}",),
        )
    return Status()
