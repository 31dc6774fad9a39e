r"""What the members of an ensemble do with given inputs, in float64: variances, exact zeros, angles, accuracy.

    q^l = |h^l|²/n_l,     θ^l of φ(h^l):  sin θ = ½ |û - v̂| |û + v̂| for the unit vectors û, v̂

The product of the two lengths is exact at every angle, where arccos loses half of the digits; x = ln sin² θ is what is
kept. An angle below the floor, FLOOR units of rounding of the type in which it is computed, is not measurable: NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...errors import DomainError
from ...gaussian.arguments import shown
from ...result import FloatArray
from ..arguments import kind_of, tensor_of
from .full_precision import full_precision, require_full_precision
from .members import Ensemble, require_ensemble

FLOOR = 4.0  # ulps: float32 5e-7, float64 9e-16, TF32 (2^-10) 4e-3, bfloat16 (2^-7) 3e-2; measured after 30 layers


def angle_floor(dtype: Any) -> float:
    """The smallest angle that can be told from 0 in a type, in radians."""
    return FLOOR * float(torch.finfo(dtype).eps)


@dataclass(frozen=True, eq=False)
class EnsembleStatistics:
    """Averages over inputs, by member and hidden layer.

    Attributes
    ----------
    q, zeros : array (M, L)
        Mean of |h^l|²/n_l; share of exact zeros of φ(h^l), NaN where that is not finite.
    log_sin2 : array (M, L, pairs)
        ln sin² of the angle between the φ(h^l) of a pair; NaN below the floor, and where one of them is 0.
    not_measurable : array (M, L) of int
        How many of them are below the floor.
    loss, accuracy : array (M,)
        Mean cross-entropy, share of right answers; NaN without labels.
    """

    q: FloatArray
    zeros: FloatArray
    log_sin2: FloatArray
    not_measurable: Any
    loss: FloatArray
    accuracy: FloatArray


def ensemble_statistics(
    ensemble: Ensemble, X: Any, labels: Any = None, *, pairs: Any = None, dtype: Any = torch.float64
) -> EnsembleStatistics:
    """Variances, zeros, angles and accuracy of every member on the inputs `X`.

    Parameters
    ----------
    ensemble : Ensemble
    X : torch.Tensor or array, shape (N, n_in)
        The same for all members.
    labels : integers, shape (N,), optional
        Class numbers.
    pairs : integers, shape (pairs, 2), optional
        Rows of `X` between which angles are measured.
    dtype : torch.dtype
        In which the members are computed; weights are those that they have.

    Returns
    -------
    EnsembleStatistics

    Raises
    ------
    DomainError
        Inputs or pairs do not fit, or inputs are not finite.
    LowPrecisionError
        The GPU multiplies with fewer digits than `dtype` has, whatever it is told.

    Examples
    --------
    Two inputs at a right angle; half of the units of a ReLU layer are 0 and the variance is 2:

    >>> nets = Ensemble("2,4096,1", 3)
    >>> found = ensemble_statistics(nets, torch.eye(2) * 2**0.5, pairs=[[0, 1]])
    >>> found.q.round(1).tolist(), found.zeros.round(1).tolist(), found.log_sin2.shape
    ([[2.0], [2.0], [2.0]], [[0.5], [0.5], [0.5]], (3, 1, 1))
    """
    require_ensemble(ensemble)
    device = ensemble.weights[0].device
    dtype = kind_of(dtype, device)["dtype"]
    if torch.finfo(dtype).bits < 16:
        raise DomainError(
            f"dtype = {dtype}.", "Nothing is multiplied in so few bits.", "Give torch.float64, or what is trained in."
        )
    x = tensor_of(X, device).to(dtype)
    if x.ndim != 2 or x.shape[1] != ensemble.widths[0] or not len(x):
        raise DomainError(
            f"X has the shape {tuple(x.shape)}.",
            f"The members take rows of {ensemble.widths[0]} numbers.",
            f"Give X of shape (N, {ensemble.widths[0]}).",
        )
    if not bool(torch.isfinite(x).all()):
        raise DomainError(
            f"X holds {int((~torch.isfinite(x)).sum())} numbers that are NaN or infinite.",
            "Values are missing, or overflow in the type that is asked for.",
            "Give finite inputs.",
        )
    two = _pairs(pairs, len(x), device)
    q, zeros, angles = [], [], []
    with torch.no_grad(), full_precision():
        if device.type == "cuda":
            require_full_precision(dtype, device)
        a = x.expand(ensemble.members, *x.shape)
        for W, b in zip(ensemble.weights[:-1], ensemble.biases[:-1], strict=True):
            h = torch.baddbmm(b.to(dtype), a, W.to(dtype))
            a = ensemble._phi(h)
            q.append(h.double().square().mean((1, 2)))
            zeros.append((a == 0).double().mean((1, 2)) + 0 * q[-1])  # NaN where the layer is
            angles.append(_log_sin2(a[:, two[:, 0]], a[:, two[:, 1]]))
        logits = torch.baddbmm(ensemble.biases[-1].to(dtype), a, ensemble.weights[-1].to(dtype))
        loss = accuracy = torch.full((ensemble.members,), torch.nan)
        if labels is not None:
            target = _labels(labels, len(x), ensemble.widths[-1], device)
            loss = member_cross_entropy(logits, target)
            accuracy = (logits.argmax(2) == target).double().mean(1)
    log_sin2 = torch.stack(angles, dim=1).cpu().numpy()
    below = log_sin2 < 2 * np.log(angle_floor(dtype))
    return EnsembleStatistics(
        q=torch.stack(q, dim=1).cpu().numpy(),
        zeros=torch.stack(zeros, dim=1).cpu().numpy(),
        log_sin2=np.where(below, np.nan, log_sin2),
        not_measurable=below.sum(2),
        loss=loss.double().cpu().numpy(),
        accuracy=accuracy.double().cpu().numpy(),
    )


def member_cross_entropy(logits: Any, labels: Any) -> Any:
    """Mean cross-entropy of every member, shape (M,), of logits (M, N, classes) and labels (N,) or (M, N)."""
    log_p = torch.log_softmax(logits, dim=2)
    index = labels.expand(logits.shape[:2]).unsqueeze(2)
    return -log_p.gather(2, index).squeeze(2).mean(1)


def _log_sin2(u: Any, v: Any) -> Any:
    """ln sin² of the angles between rows of two tensors (M, pairs, n), in float64; NaN where a row is 0."""
    u, v = u.double(), v.double()
    u, v = u / u.norm(dim=2, keepdim=True), v / v.norm(dim=2, keepdim=True)
    return 2 * torch.log((u - v).norm(dim=2) * (u + v).norm(dim=2) / 2)


def _labels(labels: Any, rows: int, outputs: int, device: Any) -> Any:
    found = tensor_of(labels, device)
    fits = found.shape == (rows,) and not found.is_floating_point() and found.dtype is not torch.bool
    if not fits or not bool(((found >= 0) & (found < outputs)).all()):
        raise DomainError(
            f"labels are {shown(labels, 100)}.",
            f"Each of the {rows} inputs has one class, a whole number.",
            f"Give {rows} integers from 0 to {outputs - 1}.",
        )
    return found.long()


def _pairs(pairs: Any, rows: int, device: Any) -> Any:
    found = tensor_of(np.empty((0, 2), int) if pairs is None else pairs, device)
    if found.ndim != 2 or found.shape[1] != 2 or found.is_floating_point() or found.dtype is torch.bool:
        raise DomainError(
            f"pairs has the shape {tuple(found.shape)} and the type {found.dtype}.",
            "A pair is two row numbers of X.",
            "Give integers of shape (pairs, 2).",
        )
    if len(found) and not bool(((found >= 0) & (found < rows)).all()):
        raise DomainError(
            f"pairs go from {int(found.min())} to {int(found.max())} for {rows} inputs.",
            "Rows of X count from 0.",
            f"Give numbers from 0 to {rows - 1}.",
        )
    return found
