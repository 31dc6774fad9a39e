r"""Where the nodes of a path lie: equidistribution of its changes, and the same path on another mesh.

    m(t) = |dA/dt|/|A|_rms + |dB/dt|/|B|_rms,      q = m + f · mean(m),      ∫ q dt equal over all elements

B is counted beside A because it grows like 1/|A| inside a bottleneck. The floor f keeps elements in the slow middle.
"""

from __future__ import annotations

import numpy as np

from ..result import FloatArray
from .elements import Path, Scheme, bubble_values, interpolated

_FLOOR, _QUICK = 0.3, 0.02
_STILL = 0.1  # changes over the whole path that count as none
_SMOOTHINGS = 2


def times(h: FloatArray) -> FloatArray:
    """Node times 0 = t_0 < .. < t_L."""
    return np.concatenate([[0.0], np.cumsum(h)])


def activity(h: FloatArray, A: FloatArray, B: FloatArray) -> FloatArray:
    """m in each element from values at the nodes, smoothed, shape (L,)."""
    m = np.zeros(len(h))
    for X in (A, B):
        size = np.sqrt((X**2).sum(axis=(1, 2)).mean())
        m += np.sqrt((np.diff(X, axis=0) ** 2).sum(axis=(1, 2))) / (h * size if size else h)
    for _ in range(_SMOOTHINGS):
        padded = np.concatenate([m[:1], m, m[-1:]])
        m = 0.25 * (padded[:-2] + 2 * padded[1:-1] + padded[2:])
    return m


def by_cumulated_density(h: FloatArray, density: FloatArray, elements: int) -> FloatArray:
    """Lengths of `elements` new elements that hold equal shares of a density that is constant in each old element."""
    t = times(h)
    mass = np.concatenate([[0.0], np.cumsum(density * h)])
    nodes = np.interp(np.linspace(0.0, mass[-1], elements + 1), mass, t)
    return np.diff(nodes)


def equidistributed(h: FloatArray, A: FloatArray, B: FloatArray, elements: int) -> FloatArray:
    """Lengths of `elements` new elements for a path given at the nodes."""
    m = activity(h, A, B)
    mean = float((m * h).sum() / h.sum())
    return by_cumulated_density(h, m + _FLOOR * mean + _STILL / h.sum(), elements)


def lengthened(h: FloatArray, A: FloatArray, B: FloatArray, T: float) -> FloatArray:
    """The elements with the total length T; what is added goes to the slow ones, what is taken comes from them."""
    m = activity(h, A, B)
    slow = h / (m + _QUICK * m.mean() + _STILL / h.sum())
    longer: FloatArray = h + (T - h.sum()) * slow / slow.sum()
    return longer if (longer >= 0.2 * h).all() else h * (T / h.sum())


def transferred(path: Path, momenta: FloatArray, old: Scheme, new: Scheme, h: FloatArray) -> Path:
    """The path in the elements `h` (of the same total) of another scheme; `momenta` are B at its nodes."""
    t_old, t = times(path.h), times(h)
    nodes = interpolated(old, path, t)
    inside = np.zeros((len(h), new.degree - 1, *nodes.shape[1:]))
    if new.degree > 1:
        tau = np.arange(1, new.degree) / new.degree
        wanted = interpolated(old, path, (t[:-1, None] + h[:, None] * tau).ravel())
        wanted = wanted.reshape(len(h), len(tau), *nodes.shape[1:])
        straight = (1 - tau)[:, None, None] * nodes[:-1, None] + tau[:, None, None] * nodes[1:, None]
        rest = (wanted - straight).reshape(len(h), len(tau), -1)
        inside = np.linalg.solve(bubble_values(new.degree, tau), rest).reshape(inside.shape)
    points = (t[:-1, None] + h[:, None] * new.points).ravel()
    B = _linear(points, t_old, momenta).reshape(len(h), len(new.points), *nodes.shape[1:])
    return Path(h, nodes, inside, B)


def raised(path: Path, old: Scheme, new: Scheme) -> Path:
    """The same path with a higher degree; B at the new points by the polynomial through those at the old ones."""
    extra = new.degree - old.degree
    Q = np.concatenate([path.Q, np.zeros((len(path.h), extra, *path.A.shape[1:]))], axis=1)
    through = np.vander(old.points - 0.5, increasing=True)
    at = np.vander(new.points - 0.5, len(old.points), increasing=True) @ np.linalg.inv(through)
    B = np.einsum("mn,lnai->lmai", at, path.B)
    return Path(path.h, path.A, Q, B)


def _linear(t: FloatArray, nodes: FloatArray, values: FloatArray) -> FloatArray:
    k = np.clip(np.searchsorted(nodes, t, side="right") - 1, 0, len(nodes) - 2)
    tau = ((t - nodes[k]) / (nodes[k + 1] - nodes[k]))[:, None, None]
    return (1 - tau) * values[k] + tau * values[k + 1]
