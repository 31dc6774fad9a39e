"""What the networks learn: a task that needs depth, one that a linear network solves, and one in between.

    sum       two handwritten digits side by side, label (a + b) mod 10
    digit     one handwritten digit
    teacher4  the largest of four outputs of a random network with four hidden layers

A seed stands for the whole repetition: which images are for training, which pairs are drawn, the teacher's weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gpdeep.data import LabelledSplit, load_labelled
from gpdeep.result import FloatArray, IntArray

from .streams import stream

_TRAINING_IMAGES = 1257  # of 1797
_SAMPLES = {"train": 8000, "test": 4000}  # of the tasks whose samples are drawn
_INPUTS, _CLASSES, _LAYERS = 16, 4, 4  # of the teacher


@dataclass(frozen=True)
class Task:
    """A source of labelled data, how long to train on it, and where early and late are compared.

    Parameters
    ----------
    name : str
    draw : callable
        Seed to data.
    epochs, steps_per_epoch : int
        Their product is 1920 steps in every task.
    omegas : tuple of float
        Penalties of a slope.
    napl, g : tuple of float
        Nonlinear layers left, and degeneracy depths, at which accuracies are compared.
    """

    name: str
    draw: Callable[[int], LabelledSplit]
    epochs: int
    steps_per_epoch: int
    omegas: tuple[float, ...]
    napl: tuple[float, ...]
    g: tuple[float, ...]


def draw_sum(seed: int) -> LabelledSplit:
    """Pairs of images, 128 numbers, and the last figure of their sum; no image is in both parts."""
    drawn = {}
    for part, (x, y) in _images("sum", seed).items():
        pair = stream("sum", seed, part, "pairs").integers(len(x), size=(_SAMPLES[part], 2))
        drawn[part] = np.concatenate([x[pair[:, 0]], x[pair[:, 1]]], axis=1), (y[pair[:, 0]] + y[pair[:, 1]]) % 10
    return _split(drawn, 10)


def draw_digit(seed: int) -> LabelledSplit:
    """Images of 64 pixels and their figure."""
    return _split(_images("digit", seed), 10)


def draw_teacher(seed: int) -> LabelledSplit:
    """Gaussian inputs and what a random ReLU network makes of them.

    Every layer of the teacher has mean 0 and variance 1 over the inputs, so that its angles do not shrink with depth
    and all classes occur.
    """
    sizes = [_INPUTS] * (_LAYERS + 1) + [_CLASSES]
    rng = stream("teacher4", seed, "teacher")
    inputs = h = rng.normal(size=(sum(_SAMPLES.values()), _INPUTS))
    for layer, (before, after) in enumerate(itertools.pairwise(sizes)):
        z = (np.maximum(h, 0.0) if layer else h) @ rng.normal(size=(before, after))
        h = (z - z.mean(axis=0)) / z.std(axis=0)
    cut, labels = _SAMPLES["train"], h.argmax(axis=1)
    return _split({"train": (inputs[:cut], labels[:cut]), "test": (inputs[cut:], labels[cut:])}, _CLASSES)


def _images(task: str, seed: int) -> dict[str, tuple[FloatArray, IntArray]]:
    """Images and their figures, cut in two anew for every seed."""
    stored = load_labelled("digits")
    x = np.concatenate([stored.train_x, stored.test_x])
    y = np.concatenate([stored.train_y, stored.test_y])
    order = stream(task, seed, "split").permutation(len(x))
    train, test = order[:_TRAINING_IMAGES], order[_TRAINING_IMAGES:]
    return {"train": (x[train], y[train]), "test": (x[test], y[test])}


def _split(parts: dict[str, tuple[FloatArray, IntArray]], classes: int) -> LabelledSplit:
    return LabelledSplit(*parts["train"], *parts["test"], classes=classes).prepared()


_DEEP = (0.006, 0.009, 0.012, 0.016, 0.022, 0.03, 0.042, 0.06)
_EASY = (0.005, 0.006, 0.007, 0.009, 0.012, 0.016, 0.022, 0.03)

TASKS = {
    task.name: task
    for task in (
        Task("sum", draw_sum, 60, 32, _DEEP, (0.85, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0), (0.6, 0.8, 1.0, 1.5)),
        Task("digit", draw_digit, 240, 8, _EASY, (0.02, 0.05, 0.1, 0.15, 0.3), (0.02, 0.05, 0.1)),
        Task("teacher4", draw_teacher, 60, 32, _EASY, (0.3, 0.5, 0.75, 1.0, 1.5), (0.2, 0.4, 0.8)),
    )
}
"""What there is to run on, by name."""
