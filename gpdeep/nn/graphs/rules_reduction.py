"""Rules for what averages or normalises: pooling, means, norms, softmax, losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from ...linearize.operations import Concat
from ...linearize.wires import Wire
from .call import Call
from .channel_labels import State, Tracked, fresh, gathered, narrow
from .nested_tensors import tensors
from .rules import built_in
from .rules_pointwise import extreme

_POOLS = tuple(f"{kind}_pool{d}d" for kind in ("avg", "adaptive_avg", "lp") for d in (1, 2, 3))
_MAX_POOLS = tuple(
    f"{kind}_pool{d}d{end}"
    for kind in ("max", "adaptive_max", "fractional_max")
    for d in (1, 2, 3)
    for end in ("", "_with_indices")
)
_RESIZED = ("interpolate", "upsample", "upsample_nearest", "upsample_bilinear", "grid_sample", "grid_sampler")
_UNPOOLED = ("max_unpool1d", "max_unpool2d", "max_unpool3d")
_SOFTMAX = ("softmax", "log_softmax", "softmin", "gumbel_softmax", "special_softmax", "special_log_softmax")
_STATISTICS = ("var", "std", "var_mean", "std_mean", "norm", "vector_norm", "linalg_vector_norm", "linalg_norm", "prod")
_EXTREMES = ("max", "min", "amax", "amin", "aminmax", "median", "nanmedian", "mode", "kthvalue", "quantile")
_LOSSES = (
    *("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"),
    *("binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss", "gaussian_nll_loss", "soft_margin_loss"),
    *("hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss", "ctc_loss"),
    *("multilabel_soft_margin_loss", "cosine_embedding_loss", "triplet_margin_loss"),
)


@built_in(*_POOLS)
def pool(call: Call) -> Tracked:
    """A mean over positions."""
    return call.spatial(call.first, "pool", _last(call))


@built_in(*_MAX_POOLS)
def max_pool(call: Call) -> Any:
    """A maximum over positions."""
    made = call.spatial(call.first, "max_pool", _last(call))
    return made if isinstance(call.result, torch.Tensor) else (made, _chosen(call))


@built_in(*_RESIZED)
def resized(call: Call) -> Tracked:
    """Interpolation between positions."""
    return call.spatial(call.first, "resize", range(2, len(call.first.shape)))


@built_in(*_UNPOOLED)
def unpooled(call: Call) -> Tracked:
    """Positions put back."""
    tracked = call.known(call.state(call.args[0]))
    return call.spatial(tracked, "resize", _last(call))


def _last(call: Call) -> range:
    """The axes of positions of a pooling, by the digit in its name."""
    dims = int(next(c for c in call.name if c.isdigit()))
    ndim = len(call.known(call.state(next(tensors(call.args)))).shape)
    return range(ndim - dims, ndim)


# ------------------------------------------------------------------------------------------ normalisation


@built_in("batch_norm", "instance_norm", "sync_batch_norm")
def batch_norm(call: Call) -> Tracked:
    """Every channel by itself, then its factor."""
    return call.normalise(power=_factor(call, call.kwargs.get("weight", call.argument(3, "weight")), 1))


@built_in("layer_norm", "rms_norm")
def layer_norm(call: Call) -> Tracked:
    """All channels together, where they lie along normalised axes."""
    tracked = call.first
    dims = len(call.argument(1, "normalized_shape"))
    inside = [k for k in range(len(tracked.shape)) if tracked.varies(k) and k >= len(tracked.shape) - dims]
    outside = [k for k in range(len(tracked.shape)) if tracked.varies(k) and k < len(tracked.shape) - dims]
    groups = math.prod(tracked.labels.shape[k] for k in outside)
    weight = call.argument(2, "weight")
    return call.normalise(groups if inside else None, power=_factor(call, weight, len(tracked.shape) - dims))


@built_in("group_norm")
def group_norm(call: Call) -> Tracked:
    """Groups of channels along axis 1."""
    tracked, groups = call.first, int(call.argument(1, "num_groups"))
    wire = call.channels(tracked, 1)
    place = [wire.channels if k == 1 else 1 for k in range(len(tracked.shape))]
    whole = Tracked(wire, torch.arange(1, wire.channels + 1).reshape(place), tracked.shape)
    return call.normalise(groups, of=whole, power=_factor(call, call.argument(2, "weight"), 1))


@built_in("local_response_norm", "normalize", "renorm")
def normalise(call: Call) -> Tracked:
    """All channels together."""
    return call.normalise(1)


def _factor(call: Call, weight: Any, axis: int) -> Any:
    """The second moment that a normalisation's weight gives each channel; None where it is 1."""
    if not isinstance(weight, torch.Tensor) or call.state(weight) is not None or bool((weight == 1).all()):
        return None
    tracked = call.first
    size = (1,) * axis + tuple(weight.shape)
    square = weight.detach().double().square().cpu().reshape(size + (1,) * (len(tracked.shape) - len(size)))
    axes = [k for k in range(square.ndim) if tracked.labels.shape[k] == 1 and square.shape[k] > 1]
    square = square.mean(dim=axes, keepdim=True) if axes else square
    return square.expand(tracked.labels.shape).reshape(-1).numpy()


# ------------------------------------------------------------------------------------------ softmax, losses


@built_in(*_SOFTMAX)
def softmax(call: Call) -> Tracked:
    """No unit, by convention."""
    return call.copy("softmax")


@built_in(*_LOSSES)
def loss(call: Call) -> Tracked:
    """No unit, by convention; one number of all channels."""
    tracked = call.known(call.state(next(tensors(call.args))))
    wire = gathered(tracked.wire, tracked.labels).dense(1, name=call.path).copy("loss")
    return Tracked(wire, torch.ones((1,) * len(call.shape), dtype=torch.int64), call.shape)


# ------------------------------------------------------------------------------------------ means and extremes


@built_in("mean", "sum", "nansum", "nanmean", "logsumexp", "cumsum", "trapz")
def mean(call: Call) -> Tracked:
    """Over positions a copy; over an axis of channels a sum of these."""
    kind = "softmax" if call.name == "logsumexp" else "pool"
    if call.name == "cumsum":
        axis = int(call.argument(1, "dim")) % len(call.shape)
        return call.spatial(call.first, "pool", [axis])
    return reduced(call, call.first, _axes(call), kind)


@built_in(*_EXTREMES)
def maximum(call: Call) -> Any:
    """The largest over positions; over an axis of channels of these; of two tensors like a product."""
    if call.name in ("max", "min") and isinstance(call.argument(1, "other"), torch.Tensor):
        return extreme(call)
    if call.name in ("kthvalue", "quantile"):
        call.args = call.args[:1] + call.args[2:]
    made = reduced(call, call.first, _axes(call), "max_pool")
    if isinstance(call.result, torch.Tensor):
        return made
    return (made, made) if call.name == "aminmax" else (made, _chosen(call))


@built_in("topk", "sort", "cummax", "cummin", "msort")
def ordered(call: Call) -> Any:
    """Positions in the order of their values."""
    tracked = call.first
    default = 2 if call.name == "topk" else 1
    axis = int(call.argument(default, "dim", -1)) % len(tracked.shape) if call.name != "msort" else 0
    if isinstance(call.argument(default, "dim", -1), bool):
        axis = len(tracked.shape) - 1
    made = call.spatial(tracked, "max_pool", [axis])
    return made if isinstance(call.result, torch.Tensor) else (made, _chosen(call))


@built_in(*_STATISTICS)
def statistic(call: Call) -> Any:
    """What a gate or a normalisation written by hand may divide by."""
    call.refuse(
        "it is a statistic of the data",
        "For a normalisation written by hand register the module that holds it: "
        'gpdeep.nn.register_rule(MyNorm, "normalise").',
    )


def _chosen(call: Call) -> State:
    return call.blocked(
        f"{call.label} gives indices, and paths would run through them.",
        "They are locally constant: nothing passes but the choice that they make.",
        "Use them to select, or register a rule for the module around it.",
        condition=True,
    )


def _axes(call: Call) -> list[int]:
    """The axes of a reduction; all of them if none are named."""
    given = call.kwargs.get("dim", call.kwargs.get("axis", call.args[1] if len(call.args) > 1 else None))
    ndim = len(call.first.shape)
    if given is None or isinstance(given, (torch.dtype, bool)) or (isinstance(given, (list, tuple)) and not given):
        return list(range(ndim))
    return sorted(int(k) % ndim for k in (given if isinstance(given, (list, tuple)) else [given]))


def reduced(call: Call, tracked: Tracked, axes: Sequence[int], kind: str) -> Tracked:
    """A reduction over axes, with or without keeping them."""
    wire, labels = reduced_labels(tracked.wire, tracked.labels, axes, kind)
    if len(call.shape) > labels.ndim:
        for k in axes:
            labels = labels.unsqueeze(k)
    return Tracked(wire, narrow(labels), call.shape)


def reduced_labels(wire: Wire, labels: torch.Tensor, axes: Sequence[int], kind: str) -> tuple[Wire, torch.Tensor]:
    """A sum over axes of narrow labels, which these lose: of channels that lie along them; else a copy, if `kind`."""
    kept = [k for k in range(labels.ndim) if k not in axes]
    sizes = [labels.shape[k] for k in kept]
    table = labels.permute([*kept, *axes]).reshape(math.prod(sizes), -1)
    if table.shape[1] > 1:
        wire, table = summed(wire, table), table.amax(dim=1)
    elif kind:
        wire, table = gathered(wire, table), fresh(table)
    else:
        return wire, table.reshape(sizes)
    return (wire.copy(kind) if kind else wire), fresh(table.reshape(sizes))


def summed(source: Wire, table: torch.Tensor) -> Wire:
    """One channel for each row of a table of labels, made of the channels in the row.

    Where each column belongs to one operand of a concatenation, as after `stack`, it is an addition of these.
    """
    if isinstance(source.operation, Concat) and table.shape[1] <= 64 and bool((table > 0).all()):
        sizes = torch.tensor([part.channels for part in source.sources])
        ends = sizes.cumsum(0)
        operand = torch.bucketize(table.contiguous(), ends)
        if bool((operand == operand[:1]).all()):
            chosen = operand[0].tolist()
            parts = [gathered(source.sources[k], table[:, c] - (ends - sizes)[k]) for c, k in enumerate(chosen)]
            return parts[0].add(*parts[1:])
    return gathered(source, table).dense(len(table), groups=len(table))
