r"""Any source of labelled samples, brought to one form, with a record of how.

    x ← (x - m)/σ,     x ← √n_in x/|x|,     m and σ mean and standard deviation of the training part, σ one number

The last step makes q⁰ = 1 for every sample, and makes the division by σ leave no trace: it is recorded all the same,
since it says what units a sample had.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpdeep.data import LabelledSplit, load_inputs, load_labelled, pair_angles
from gpdeep.errors import DomainError
from gpdeep.result import FloatArray

from .templates import template_split

OPENML = "openml:"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_PARTS = ("train_x", "train_y", "test_x", "test_y")
_HELD_OUT = 7  # one in so many samples, where a source has no test part of its own
_PAIRS = 4000


@dataclass(frozen=True, eq=False)
class PreparedData:
    """Samples ready to train on, and what was done to them.

    Parameters
    ----------
    split : LabelledSplit
        Centred, with |x|² = n_in.
    record : dict
        ``source``, numbers of samples, features and classes; ``preprocessing``: the steps, the training mean's norm,
        the global standard deviation and the mean square of a sample; ``angles``: mean, std and quantiles of the
        angles between training samples in radians, of all pairs, of pairs of one class, of pairs of two.
    """

    split: LabelledSplit
    record: dict[str, Any]


@functools.lru_cache(maxsize=4)
def prepared(source: str, seed: int = 0) -> PreparedData:
    """Samples of `source`, centred and scaled, with their record.

    Parameters
    ----------
    source : str
        ``digits``; ``templates``, drawn from `seed`; ``openml:NAME`` where there is a network; a folder with the four
        idx files of MNIST or its relatives, or with train_x.npy, train_y.npy, test_x.npy and test_y.npy.
    seed : int

    Returns
    -------
    PreparedData

    Raises
    ------
    DomainError
        There is no such source, a file is missing or damaged, or a sample has no direction.
    MissingExtraError
        Digits without scikit-learn.

    Examples
    --------
    >>> found = prepared("templates")
    >>> found.split.train_x.shape, bool(1.5 < found.record["angles"]["all"]["median"] < 1.6)
    ((4000, 196), True)
    """
    raw = raw_split(source, seed)
    split = raw.prepared()
    mean = raw.train_x.mean(axis=0)
    record = {
        "source": source,
        "seed": seed if source == "templates" else None,
        "train": len(split.train_y),
        "test": len(split.test_y),
        "features": split.train_x.shape[1],
        "classes": split.classes,
        "preprocessing": {
            "steps": ["minus the training mean", "over the global standard deviation", "|x|² = n_in a sample"],
            "norm_of_mean": float(np.linalg.norm(mean)),
            "global_std": float((raw.train_x - mean).std()),
            "mean_square": 1.0,
        },
        "angles": _angles(split),
    }
    return PreparedData(split, record)


def raw_split(source: str, seed: int = 0) -> LabelledSplit:
    """Samples of `source` as stored."""
    if source == "templates":
        return template_split(seed)
    if source.startswith(OPENML):
        return _from_openml(source.removeprefix(OPENML))
    if source != "digits" and (Path(source) / "train_x.npy").is_file():
        return _from_arrays(Path(source))
    return load_labelled(source)


def _from_arrays(folder: Path) -> LabelledSplit:
    missing = [part for part in _PARTS if not (folder / f"{part}.npy").is_file()]
    if missing:
        raise DomainError(
            f"The folder '{folder}' holds no {', '.join(f'{part}.npy' for part in missing)}.",
            "Training and test samples and their labels are four arrays, each in a file of its own.",
            f"Store them with numpy.save under the names {', '.join(f'{part}.npy' for part in _PARTS)}.",
        )
    x = {part: load_inputs(folder / f"{part}_x.npy") for part in ("train", "test")}
    y = {part: np.load(folder / f"{part}_y.npy", allow_pickle=False) for part in ("train", "test")}
    return LabelledSplit(x["train"], y["train"], x["test"], y["test"], classes=1 + int(max(map(np.max, y.values()))))


def _from_openml(name: str) -> LabelledSplit:
    """A data set of openml.org; the last seventh is for testing, as the publishers of MNIST order it."""
    from sklearn.datasets import fetch_openml

    try:
        found = fetch_openml(name, version=1, as_frame=False)
    except Exception as error:
        raise DomainError(
            f"'{name}' could not be fetched from openml.org ({type(error).__name__}: {error}).",
            "There is no network here, or no data set of this name.",
            "Give a folder with idx or .npy files, or 'digits' or 'templates', which need none.",
        ) from error
    x, y = np.asarray(found.data, dtype=np.float64), np.unique(found.target, return_inverse=True)[1]
    cut = len(x) - len(x) // _HELD_OUT
    return LabelledSplit(x[:cut], y[:cut], x[cut:], y[cut:], classes=1 + int(y.max()))


def _angles(split: LabelledSplit) -> dict[str, dict[str, Any]]:
    """The law of the angles between training samples, in radians."""
    x, y = split.train_x, split.train_y
    rng = np.random.default_rng(0)
    one, two = rng.integers(len(x), size=(2, _PAIRS))
    one, two = one[one != two], two[one != two]
    same = y[one] == y[two]
    between = _between(x, one, two)
    return {
        "all": _law(pair_angles(x, pairs=_PAIRS, centre=False).angles),
        "same_class": _law(between[same]),
        "other_class": _law(between[~same]),
    }


def _between(x: FloatArray, one: Any, two: Any) -> FloatArray:
    """Angles of pairs of rows of equal length, in Kahan's form."""
    plus, minus = np.linalg.norm(x[one] + x[two], axis=1), np.linalg.norm(x[one] - x[two], axis=1)
    angles: FloatArray = 2 * np.arctan2(minus, plus)
    return angles


def _law(angles: FloatArray) -> dict[str, Any]:
    if not angles.size:
        return {"pairs": 0, "mean": None, "std": None, "median": None, "quantiles": {}}
    return {
        "pairs": angles.size,
        "mean": float(angles.mean()),
        "std": float(angles.std()),
        "median": float(np.median(angles)),
        "quantiles": {f"{q:g}": float(np.quantile(angles, q)) for q in QUANTILES},
    }
