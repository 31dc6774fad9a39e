r"""Labelled data for training: a training part, a test part, and both seen from the training mean.

    x ← √(d s) (x - m)/|x - m|,     m = (1/N) Σ_i x_i over the training samples,     x in R^d,     s = `mean_square`

The test samples take the training mean: what the network meets later must not enter what it is trained on. The first
layer then has the variance σ_w² s + σ_b², the same for every sample.
"""

from __future__ import annotations

import dataclasses
import math
import operator
import os
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..errors import DomainError
from ..gaussian.arguments import real, shown
from ..result import FloatArray, IntArray
from .centring import Cloud
from .folders import Part, find_idx, reading_from
from .idx import read_idx
from .reading import digits, path_of
from .samples import Samples, as_samples

_TRAINING_DIGITS = 1437
_SHUFFLE = 0


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledSplit:
    """Samples with their labels, in two parts.

    Parameters
    ----------
    train_x, test_x : array_like, shape (samples, ...)
        Real and finite, with as many features in both parts; held as float64, with trailing axes flattened.
    train_y, test_y : array_like of integers, shape (samples,)
        Labels from 0 to `classes` - 1; held as int64.
    classes : int
        More than the largest label.

    Raises
    ------
    DomainError
        They are not as said above, or a part is empty.
    """

    train_x: FloatArray
    train_y: IntArray
    test_x: FloatArray
    test_y: IntArray
    classes: int

    def __post_init__(self) -> None:
        try:
            classes = operator.index(self.classes)
        except TypeError as error:
            raise DomainError(
                f"classes is {shown(self.classes, 80)}.",
                "It is a list of the classes, or a number that came out of a division.",
                "Give the number of classes as an int, one more than the largest label.",
            ) from error
        for part in ("train", "test"):
            x = as_samples(getattr(self, f"{part}_x"), f"{part}_x")
            y = _as_labels(getattr(self, f"{part}_y"), f"{part}_y", len(x))
            if y.max() >= classes:
                raise DomainError(
                    f"{part}_y holds the label {y.max()} where there are {classes} classes.",
                    "Labels are counted from 1, or one class was forgotten.",
                    "Count labels from 0, and give one more than the largest of both parts as classes.",
                )
            object.__setattr__(self, f"{part}_x", x.astype(np.float64, copy=False))
            object.__setattr__(self, f"{part}_y", y.astype(np.int64, copy=False))
        if self.train_x.shape[1] != self.test_x.shape[1]:
            raise DomainError(
                f"The training samples have {self.train_x.shape[1]} features and the test samples "
                f"{self.test_x.shape[1]}.",
                "The two parts come from different data sets, or in one of them axes are swapped.",
                "Give both parts of one data set.",
            )

    def prepared(self, mean_square: float = 1.0) -> LabelledSplit:
        r"""Both parts centred with the training mean, and scaled to |x|² = s · features: a sphere around it.

        Parameters
        ----------
        mean_square : float, positive
            s, the mean square of a sample's features. A sparse activation on the edge of chaos wants
            s = (q* - σ_b²)/σ_w², which puts the first layer at q*; 1 is what `prepare` gives.

        Returns
        -------
        LabelledSplit
            The labels are those of this one.

        Raises
        ------
        DomainError
            `mean_square` is out of range, or a sample equals the training mean up to rounding and has no direction.

        Examples
        --------
        Of two training samples each lies opposite to the other; the test sample is seen from between them:

        >>> split = LabelledSplit(np.array([[0.0, 0], [2, 0]]), np.arange(2), np.array([[1.0, 7]]), np.zeros(1, int), 2)
        >>> split.prepared(0.5).train_x
        array([[-1.,  0.],
               [ 1.,  0.]])
        >>> split.prepared(0.5).test_x
        array([[0., 1.]])
        """
        s = real("mean_square", mean_square, 0.0, 1e300, "the mean square of a sample's features")
        train = Cloud.of(self.train_x, True)
        test = dataclasses.replace(train, X=self.test_x)
        _require_directions(train, "training")
        _require_directions(test, "test")
        radius = math.sqrt(s) * math.sqrt(self.train_x.shape[1])
        return dataclasses.replace(self, train_x=train.on_sphere(radius), test_x=test.on_sphere(radius))


def load_labelled(source: str | os.PathLike[str]) -> LabelledSplit:
    """Training and test samples with their labels.

    Parameters
    ----------
    source : str or path
        ``"digits"`` (scikit-learn's 1797 images of 64 pixels, 10 classes), or a folder that holds the four idx files
        of MNIST or a relative of it: ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same two with
        ``t10k``, each also with a dot and with ``.gz``. A folder called digits is ``"./digits"``.

    Returns
    -------
    LabelledSplit
        Values as stored, each sample one row.

    Raises
    ------
    DomainError
        There is no such folder, one of its files is missing or damaged, images and labels differ in number, the
        labels are not whole numbers from 0, or the test samples have other features than the training samples.
    MissingExtraError
        ``"digits"`` without scikit-learn.

    Notes
    -----
    Digits come without a split of their own. Here they are shuffled once for all (by the raw stream of PCG64, which
    no version of numpy changes); the first 1437 are for training and the other 360 for testing. Nothing is stratified:
    the classes have in both parts the shares that chance gave them.

    The idx files are read whole, and converted: MNIST takes 440 MB.

    Examples
    --------
    >>> split = load_labelled("digits")
    >>> split.train_x.shape, split.test_x.shape, split.classes
    ((1437, 64), (360, 64), 10)
    """
    if isinstance(source, str) and source == "digits":
        return _split_digits()
    if not isinstance(source, (str, os.PathLike)):
        raise DomainError(
            f"The labelled data are named by a {type(source).__name__}.",
            "An array was given, which has no labels.",
            "Give 'digits' or a folder with idx files; arrays go into LabelledSplit itself.",
        )
    folder = path_of(source)
    with reading_from(folder):
        if folder.exists() and not folder.is_dir():
            raise DomainError(
                f"'{folder}' is a single file.",
                "Images without their labels were named.",
                "Give the folder that holds training and test images with their labels.",
            )
        folder.stat()
        train_x, train_y = _read_part(folder, "train")
        test_x, test_y = _read_part(folder, "t10k")
    return _labelled(train_x, train_y, test_x, test_y)


def _split_digits() -> LabelledSplit:
    data = digits()
    order = np.argsort(np.random.PCG64(_SHUFFLE).random_raw(len(data.data)), kind="stable")
    train, test = order[:_TRAINING_DIGITS], order[_TRAINING_DIGITS:]
    return _labelled(data.data[train], data.target[train], data.data[test], data.target[test])


def _labelled(train_x: Samples, train_y: Samples, test_x: Samples, test_y: Samples) -> LabelledSplit:
    return LabelledSplit(train_x, train_y, test_x, test_y, classes=1 + int(max(train_y.max(), test_y.max())))


def _read_part(folder: Path, part: Part) -> tuple[Samples, Samples]:
    """Images and labels of one part, as stored."""
    images = find_idx(folder, part, "images-idx3-ubyte")
    labels = find_idx(folder, part, "labels-idx1-ubyte")
    x = as_samples(read_idx(images), f"'{images}'")
    return x, _as_labels(read_idx(labels), f"'{labels}'", len(x))


def _as_labels(array: Any, name: str, samples: int) -> Samples:
    """`array`, which messages call `name`, as one whole number from 0 for each of the samples, in its own type."""
    try:
        y = np.asarray(array)
    except (ValueError, TypeError, RuntimeError) as error:
        _refuse_labels(name, f"cannot be made an array ({error})", "The rows have different lengths.")
    if y.ndim != 1:
        _refuse_labels(name, f"has {y.ndim} axes, of lengths {y.shape}", "They are images, or one-hot rows.")
    if len(y) != samples:
        _refuse_labels(name, f"holds {len(y)} labels for {samples} samples", "It belongs to another part or data set.")
    if y.dtype.kind not in "ui":
        _refuse_labels(name, f"holds numbers of the type {y.dtype}", "They are targets of a regression, or names.")
    if y.min() < 0:
        _refuse_labels(name, f"holds the label {y.min()}", "Classes are numbered from -1, or a sample has none.")
    return y


def _refuse_labels(name: str, found: str, cause: str) -> NoReturn:
    raise DomainError(
        f"{name} {found}.", cause, "Give one whole number from 0 for each sample, in the order of the samples."
    )


def _require_directions(cloud: Cloud, part: str) -> None:
    lost = cloud.without_direction()
    if lost.size:
        raise DomainError(
            f"{lost.size} of {len(cloud.X)} {part} samples cannot be scaled: they equal the mean of the training "
            f"samples and have no direction; the first is sample {lost[0]}.",
            "The data are constant, or a single training sample.",
            "Give samples that differ from the training mean.",
        )
