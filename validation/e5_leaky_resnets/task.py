r"""A task with a hidden dimension: y = h(g(x)), g a projection of x to k* numbers, h a random network of one layer.

    x ~ N(0, 1) in R^d,    z = Qᵀx in R^k*, Q with orthonormal columns,    y = V tanh(W z/√k* + b),  centred,  var y = 1

The k* directions are as strong as the others in x, so that nothing but the labels tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpdeep.result import FloatArray

from ..data.streams import stream

_FEATURES = 50  # of h
_TEST = 1000


@dataclass(frozen=True)
class HiddenTask:
    """Samples of one draw of the task.

    Parameters
    ----------
    x, y : ndarray, shapes (N, inputs) and (N, outputs)
    test_x, test_y : ndarray
        Fresh samples, 1000.
    """

    x: FloatArray
    y: FloatArray
    test_x: FloatArray
    test_y: FloatArray


def draw_task(seed: int, samples: int, inputs: int = 12, hidden: int = 2, outputs: int = 12) -> HiddenTask:
    """The task of `seed`; mean and variance of y are those of the training samples.

    Examples
    --------
    >>> task = draw_task(0, 150)
    >>> task.x.shape, task.y.shape, round(float(task.y.std()), 9)
    ((150, 12), (150, 12), 1.0)
    """
    rng = stream("leaky resnets", seed, "task")
    Q = np.linalg.qr(rng.standard_normal((inputs, inputs)))[0][:, :hidden]
    W, b = rng.standard_normal((hidden, _FEATURES)), rng.standard_normal(_FEATURES)
    V = rng.standard_normal((_FEATURES, outputs))
    x = rng.standard_normal((samples + _TEST, inputs))
    y = np.tanh(x @ Q @ W / np.sqrt(hidden) + b) @ V
    y = (y - y[:samples].mean(axis=0)) / (y[:samples] - y[:samples].mean(axis=0)).std()
    return HiddenTask(x[:samples], y[:samples], x[samples:], y[samples:])


def ends(width: int, inputs: int, outputs: int) -> tuple[FloatArray, FloatArray]:
    """Fixed isometric maps at both ends: the input fills the first neurons, the output is read from the first."""
    return np.eye(width, inputs), np.eye(outputs, width)
