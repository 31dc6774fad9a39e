"""One leaky ResNet: trained by Adam, looked at, trained on by L-BFGS, looked at again."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpdeep.errors import ValidityWarning
from gpdeep.leaky import cost_of_identity
from gpdeep.result import FloatArray

from .task import draw_task, ends

_ADAPTATIONS = 15  # in the whole of Adam, of which those in its middle are made
_GAMMA = 1e-2  # of the largest eigenvalue of the kernel: at γ = 0 the cost of identity is infinite where it is singular


def trial(specification: Mapping[str, Any], device: str = "cpu") -> dict[str, Any]:
    """What one network is after training; ``untrained`` and ``after_adam``: at its start, and before L-BFGS."""
    import torch

    from gpdeep.nn import AdaptiveSteps, LeakyResNet, train_leaky
    from gpdeep.nn.one_thread import one_thread

    s = specification
    task = draw_task(s["seed"], s["samples"])
    read_in, read_out = ends(s["width"], task.x.shape[1], task.y.shape[1])
    model = LeakyResNet(
        s["width"],
        s["layers"],
        s["effective_depth"],
        read_in=read_in,
        read_out=read_out,
        sigma_w=s["sigma_w"],
        rng=s["seed"],
        dtype=torch.float64,
        device=device,
    )
    adaptive = AdaptiveSteps(s["adam"], every=max(1, s["adam"] // _ADAPTATIONS)) if s["steps"] == "adaptive" else None
    untrained = _seen(model, task, s["lam"])
    begun = time.process_time()
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)  # residuals are recorded, and have a bar
        first = train_leaky(
            model,
            task.x,
            task.y,
            lam=s["lam"],
            adam_steps=s["adam"],
            lbfgs_steps=0,
            newton=False,
            learning_rate=s["rate"],
            adaptive=adaptive,
        )
        early = _seen(model, task, s["lam"])
        found = train_leaky(model, task.x, task.y, lam=s["lam"], adam_steps=0, lbfgs_steps=s["lbfgs"], newton=False)
        late = _seen(model, task, s["lam"])
        with torch.no_grad():
            miss = model(torch.as_tensor(task.test_x, device=device)).cpu().numpy() - task.test_y
    return {
        "objective": found.objective,
        "cost": found.cost,
        "action": found.action,
        "rank_like": found.rank_like,
        "test_cost": float((miss**2).sum(axis=1).mean()),
        "steps": found.steps,
        **late,
        "untrained": {"spread": untrained["spread"]},
        "after_adam": {"objective": first.objective, **{key: early[key] for key in ("residuals", "spread")}},
        "training_seconds": time.process_time() - begun,
    }


def _seen(model: Any, task: Any, lam: float) -> dict[str, Any]:
    """Layer by layer: energies, ranks, moves, cost of identity, and how far from stationary the weights are.

    ``kinetic`` is the mean of |L̃ B Sgᵀ|²/2L̃: that of the weights where they are stationary. Where they are not, what is
    left of their random start would make |W|², and with it every spread look small.
    """
    from gpdeep.nn.leaky.data import Task
    from gpdeep.nn.leaky.energies import trajectory

    at = trajectory(model, Task.of(model, task.x, task.y, "squared"), lam)
    depth = at.effective_depth
    fed = np.concatenate([np.maximum(at.A[:-1], 0), np.ones((len(at.rho), 1, at.A.shape[2]))], axis=1)
    wanted = depth * at.B[1:] @ fed.transpose(0, 2, 1)
    size = np.linalg.norm(at.weights, axis=(1, 2))
    kinetic = float(np.mean(np.linalg.norm(wanted, axis=(1, 2)) ** 2) / (2 * depth))
    raw, corrected = at.energies(corrected=False), at.energies(corrected=True)
    return {
        "residuals": np.linalg.norm(at.weights - wanted, axis=(1, 2)) / size,
        "energies": raw,
        "corrected_energies": corrected,
        "kinetic": kinetic,
        "spread": {"raw": float(raw.std() / kinetic), "corrected": float(corrected.std() / kinetic)},
        "rank": participation(at.A - at.A.mean(axis=2, keepdims=True)),
        "rank_uncentred": participation(at.A),
        "moves": np.linalg.norm(np.diff(at.A, axis=0), axis=(1, 2)) / np.linalg.norm(at.A[:-1], axis=(1, 2)),
        "cost_of_identity": [_identity(a) for a in at.A[1:]],
    }


def participation(A: FloatArray) -> FloatArray:
    """(tr K)²/tr K² of K = A Aᵀ, for matrices on the last two axes: k for k equal singular values.

    >>> participation(np.diag([2.0, 2.0, 0.0]))
    array(2.)
    """
    K = A @ np.swapaxes(A, -1, -2)
    return np.asarray(np.trace(K, axis1=-2, axis2=-1) ** 2 / (K**2).sum(axis=(-2, -1)))


def _identity(a: FloatArray) -> float:
    fed = np.concatenate([np.maximum(a, 0), np.ones((1, a.shape[1]))])
    top = float(np.linalg.norm(fed, 2)) ** 2
    return float(cost_of_identity(a, gamma=_GAMMA * top))
