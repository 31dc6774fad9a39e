"""Where samples come from: scikit-learn's digits, idx files, .npy files, arrays."""

from __future__ import annotations

import contextlib
import os
import tokenize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError, MissingExtraError
from ..gaussian.arguments import shown
from ..result import FloatArray
from .folders import find_idx, reading_from
from .idx import read_idx
from .samples import Samples, as_samples

Source = str | os.PathLike[str] | ArrayLike


def load_inputs(source: Source) -> FloatArray:
    """The samples that `source` names, one a row.

    Parameters
    ----------
    source : str, path or array_like
        ``"digits"`` (scikit-learn's 1797 images of 64 pixels); a folder that holds the idx training images
        of MNIST or a relative of it (``train-images-idx3-ubyte``, also with a dot and with ``.gz``); one idx
        file, compressed or plain; a ``.npy`` file; or the array itself. A folder called digits is
        ``"./digits"``.

    Returns
    -------
    ndarray, shape (samples, features)
        In float64; trailing axes are flattened, values are as stored. An array that has this form already is
        returned as it is; what was read is the caller's own.

    Raises
    ------
    DomainError
        There is no such file, it is damaged, or of a kind that is not read here; the folder has no training
        images; the entries are not real numbers, some are NaN or infinite, or there are none; fewer than two
        axes.
    MissingExtraError
        ``"digits"`` without scikit-learn.

    Notes
    -----
    Files are never unpickled. To get the angles of a large file call `pair_angles` on its name: it leaves the
    entries in the type in which they are stored.

    Examples
    --------
    >>> load_inputs("digits").shape
    (1797, 64)
    >>> load_inputs([[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    array([[0., 1., 2., 3.],
           [4., 5., 6., 7.]])
    """
    X, name = read(source)
    return np.asarray(X, np.float64) if name is None else np.array(X, np.float64)


def read(source: Any) -> tuple[Samples, str | None]:
    """The samples of `source` in the type in which they are stored, and its name (None: an array)."""
    if not isinstance(source, (str, os.PathLike)):
        return as_samples(source, "The array"), None
    if source == "digits":
        return as_samples(digits().data, "The data set 'digits'"), "digits"
    path = path_of(source)
    with reading_from(path):
        file = find_idx(path, "train", "images-idx3-ubyte") if path.is_dir() else path
    with reading_from(file):
        return as_samples(_read_file(file), f"'{file}'"), str(source)


def path_of(source: str | os.PathLike[str]) -> Path:
    """The path that `source` spells."""
    if not os.fspath(source):
        raise DomainError("The data source is an empty text.", "A variable was empty.", "Give a path, or 'digits'.")
    try:
        path = Path(source)
        with contextlib.suppress(OSError):  # said where it is read
            path.stat()
    except (ValueError, TypeError) as error:
        raise DomainError(
            f"The data source {shown(source, 200)} is no path ({error}).",
            "The text holds characters that no file system has, such as a zero byte: it is the content of a file.",
            "Give the name of a file or folder, or 'digits'.",
        ) from error
    return path


def digits() -> Any:
    """Scikit-learn's digits, with the attributes ``data`` and ``target``."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError.of("scikit-learn", "data", "The data set 'digits'") from error
    return load_digits()


def _read_file(path: Path) -> Samples:
    path.stat()
    name = path.name.lower()
    if name.endswith(".npy"):
        return _read_npy(path)
    if name.endswith(".gz") or "idx" in name:
        return read_idx(path)
    raise DomainError(
        f"'{path}' ends in '{path.suffix}'." if path.suffix else f"'{path}' has no known extension.",
        "Samples are read from .npy files and from idx files (with 'idx' in their name, or .gz).",
        "Store the samples with numpy.save('samples.npy', array).",
    )


def _read_npy(path: Path) -> Samples:
    """The array in `path`, mapped: its length is checked against its header and nothing is unpickled."""
    try:
        with np.errstate(all="ignore"):  # a damaged header may announce sizes beyond any integer
            return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OverflowError, TypeError, SyntaxError, tokenize.TokenError) as error:
        raise DomainError(
            f"'{path}' ({path.stat().st_size} bytes) holds no plain array ({error}).",
            "It stores Python objects (these are never unpickled), was cut short, or is no .npy file.",
            "Store real numbers with numpy.save(path, array.astype(float)).",
        ) from error
