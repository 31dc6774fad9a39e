"""Fully connected networks, several seeds side by side: linearised late, early, or linear in part from the start.

The unit of work is one penalty: the late networks come first, since the masks of the others are made of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gpdeep.data import LabelledSplit
from gpdeep.errors import ConvergenceError
from gpdeep.result import BoolArray

from ..data.streams import stream
from .masks import DRAWS
from .stack import Stack
from .tasks import record_of, split_of
from .windows import Training, orders, train

_PAIRS = 2000  # for the angle between inputs of two classes


def trial(specification: Mapping[str, Any], device: str = "cpu", source: str | None = None) -> dict[str, Any]:
    """All arms at the penalty ``omega``; without one the ReLU network and the linear one."""
    from gpdeep.nn.ensembles.full_precision import full_precision
    from gpdeep.nn.one_thread import one_thread

    s = specification
    split = split_of(s, source)
    angle = typical_angle(split)
    found: dict[str, Any] = {"angle": angle}
    with one_thread(), full_precision():
        if "omega" not in s:
            arms = ("active",) if s.get("shuffled") else ("active", "linear")
            found["record"] = {} if s.get("shuffled") else record_of(s, source)
            return found | {"arms": {arm: _scored(s, split, angle, device, arm)[0] for arm in arms}}
        late, frozen = _scored(s, split, angle, device, "late")
        early, _ = _scored(s, split, angle, device, "early")
        found["arms"] = {"late": late, "early": early}
        for name, draw in DRAWS.items():
            mask = draw(frozen, stream("partial linearisation", name, *s["seeds"]))
            found["arms"][name], _ = _scored(s, split, angle, device, "active", mask)
    return found


def _scored(
    s: Mapping[str, Any], split: LabelledSplit, angle: float, device: str, arm: str, mask: BoolArray | None = None
) -> tuple[dict[str, Any], BoolArray]:
    """Accuracies, active units and path lengths of the members of one arm; and which units are linear."""
    import torch
    import torch.nn.functional as F

    from gpdeep.linearize import path_length
    from gpdeep.nn import active_units, graph_of

    net = Stack(s["seeds"], split.train_x.shape[1], s["width"], s["depth"], split.classes, skips=s["skips"])
    if arm == "linear":
        net.freeze(np.ones((net.members, net.depth, net.width), dtype=bool))
    elif mask is not None:
        net.freeze(mask)
    net.to(device)
    x, test = (torch.as_tensor(part, dtype=torch.float32, device=device) for part in (split.train_x, split.test_x))
    y, answer = (torch.as_tensor(part, device=device) for part in (split.train_y, split.test_y))

    def batches() -> Iterator[Any]:
        for index in orders(stream("partial linearisation", "order", s["data_seed"]), len(y), training.batch):
            yield torch.as_tensor(index, device=device)

    def loss(model: Stack, index: Any) -> Any:
        logits = model(x[index]).transpose(1, 2).flatten(0, 1)
        return F.cross_entropy(logits, y[index].repeat(model.members), reduction="sum") / len(index)

    training = Training(**s["training"])
    if not train(net, loss, batches(), training, arm, s.get("omega", 0.0)):
        raise ConvergenceError(
            f"One of {net.members} networks diverged in the arm '{arm}'.",
            "They share their steps, so that the others cannot go on without it.",
            "Train with a smaller rate, or fewer networks in a unit.",
        )
    with torch.no_grad():
        logits = net(test)
        right = (logits.argmax(1) == answer).double().mean(1)
        finite = torch.isfinite(logits).all(dim=(1, 2)) if logits.ndim == 3 else torch.ones(net.members)
    members = [net.member(m) for m in range(net.members)]
    example = torch.zeros(1, x.shape[1])
    active = [active_units(member).active.tolist() for member in members]
    return {
        "accuracy": [float(a) if ok else None for a, ok in zip(right, finite, strict=True)],
        "active": active,
        "napl": [
            path_length(graph_of(member, example)).value if sum(a) else 0.0
            for member, a in zip(members, active, strict=True)
        ],
        "log_sin2": [None if net.skips else predicted_log_sin2(member, angle) for member in members],
    }, net.frozen()


def predicted_log_sin2(member: Any, angle: float) -> float:
    """ln sin²θ after the last hidden layer at infinite width, for the slopes that a network has."""
    from gpdeep.linearize import ChainProfile, predict_angle

    profile = ChainProfile.channels([phi.channel_slopes().double().numpy() for phi in member.phis])
    return float(predict_angle(profile, angle).log_sin2[-1])


def typical_angle(split: LabelledSplit) -> float:
    """Median angle between training samples of two classes, radians."""
    rng = np.random.default_rng(0)
    one, two = rng.integers(len(split.train_y), size=(2, _PAIRS))
    other = split.train_y[one] != split.train_y[two]
    u, v = split.train_x[one[other]], split.train_x[two[other]]
    return float(np.median(2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))))
