"""What is read is what was stored, whatever holds it; what is damaged is refused with its numbers."""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from gpdeep.data import load_inputs, pair_angles
from gpdeep.errors import DomainError, GpdeepError, MissingExtraError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray, kind: str = "u1") -> bytes:
    """The idx file of `array`, written from the description of the format alone."""
    header = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(f">{kind}").tobytes()


IMAGES = np.arange(5 * 3 * 4).reshape(5, 3, 4)


def refused(source, *words: str) -> DomainError:
    with pytest.raises(DomainError) as caught:
        load_inputs(source)
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert all(caught.value.args)
    assert "likely cause: " in message
    assert "to change: " in message
    for word in words:
        assert word in caught.value.found
    return caught.value


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_file_gives_back_what_was_stored(tmp_path, kind, pack):
    stored = IMAGES - 30 if kind != "u1" else IMAGES
    path = tmp_path / f"images-idx3-{kind}"  # what the content is decides, not the extension .gz
    path.write_bytes(pack(idx_bytes(stored, kind)))
    X = load_inputs(path)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X, stored.reshape(5, 12))
    X[0, 0] = 1.0  # the caller's own


@pytest.mark.parametrize(
    "name",
    [
        "train-images-idx3-ubyte",
        "train-images.idx3-ubyte",
        "train-images-idx3-ubyte.gz",
        "train-images.idx3-ubyte.gz",
    ],
)
def test_folder_means_its_training_images(tmp_path, name):
    pack = gzip.compress if name.endswith(".gz") else bytes
    (tmp_path / name).write_bytes(pack(idx_bytes(IMAGES)))
    (tmp_path / name.replace("train", "t10k")).write_bytes(pack(idx_bytes(IMAGES[:2])))
    np.testing.assert_array_equal(load_inputs(tmp_path), IMAGES.reshape(5, 12))
    np.testing.assert_array_equal(load_inputs(str(tmp_path)), IMAGES.reshape(5, 12))


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "u1", ">i2", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_file_gives_back_what_was_stored(tmp_path, dtype, order):
    stored = np.asarray(IMAGES - 7, dtype=dtype, order=order)
    path = tmp_path / "samples.npy"
    np.save(path, stored)
    X = load_inputs(path)
    assert X.dtype == np.float64
    assert X.dtype.isnative
    np.testing.assert_array_equal(X, stored.reshape(5, 12).astype(float))
    X[0, 0] = 1.0
    np.testing.assert_array_equal(np.load(path), stored)


def test_digits_are_the_images_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    np.testing.assert_array_equal(load_inputs("digits"), datasets.load_digits().data)


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=re.escape("gpdeep[data]")):
        load_inputs("digits")


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, np.longdouble])
def test_arrays_of_real_numbers_become_float64(dtype):
    X = load_inputs(np.array([[0, 1, 3], [1, 0, 2]], dtype))
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X, np.array([[0, 1, 3], [1, 0, 2]], dtype).astype(float))


def test_array_of_the_right_form_is_not_copied():
    X = np.ones((2, 3))
    assert load_inputs(X) is X or np.shares_memory(load_inputs(X), X)


def test_trailing_axes_are_flattened():
    np.testing.assert_array_equal(load_inputs(IMAGES), IMAGES.reshape(5, 12))
    assert load_inputs(IMAGES.tolist()).shape == (5, 12)


def test_missing_file_is_refused_with_its_path(tmp_path):
    error = refused(tmp_path / "nowhere.npy", "nowhere.npy", str(Path.cwd()))
    assert isinstance(error.__cause__, FileNotFoundError)
    refused("digit")


def test_folder_without_training_images_is_listed(tmp_path):
    refused(tmp_path, "0 entries: none")
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "notes.txt").write_text("")
    refused(tmp_path, "2 entries: notes.txt, t10k-images-idx3-ubyte.")
    for k in range(40):
        (tmp_path / f"a{k}").touch()
    assert len(refused(tmp_path, "42 entries", "...").found) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["samples.csv", "samples.npz", "samples", "samples.pkl"])
def test_unknown_extension_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"1,2,3")
    refused(tmp_path / name, Path(name).suffix or "no known extension")


@pytest.mark.parametrize("kept", [0, 1, 3, 4, 15, 16, 40, 75])
def test_truncated_idx_is_refused(tmp_path, kept):
    whole = idx_bytes(IMAGES)
    assert len(whole) == 76
    path = tmp_path / "cut-idx3-ubyte"
    path.write_bytes(whole[:kept])
    error = refused(path)
    if kept >= 16:
        assert "5 x 3 x 4 entries, which is 60 bytes" in error.found


@pytest.mark.parametrize("kept", [2, 10, 15, 20, 50, -1])
def test_truncated_gzip_is_refused(tmp_path, kept):
    path = tmp_path / "cut-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES))[:kept])
    refused(path, "cut-idx3-ubyte.gz")


@pytest.mark.parametrize("position", [3, 12, 30, -6, -2])
def test_damaged_gzip_is_refused(tmp_path, position):
    content = bytearray(gzip.compress(idx_bytes(IMAGES), mtime=0))
    content[position] ^= 0xFF
    path = tmp_path / "bad-idx3-ubyte.gz"
    path.write_bytes(content)
    refused(path, "bad-idx3-ubyte.gz")


def test_idx_cut_before_compression_is_refused(tmp_path):
    path = tmp_path / "cut-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES)[:-7]))
    refused(path, "60 bytes", "53 follow")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_with_more_than_its_header_says_is_refused(tmp_path, pack):
    path = tmp_path / "long-idx3-ubyte"
    path.write_bytes(pack(idx_bytes(IMAGES) + b"\0"))
    refused(path, "too long", "60 bytes")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_announced_size_is_checked_before_it_is_allocated(tmp_path, pack):
    path = tmp_path / "huge-idx3-ubyte"
    path.write_bytes(pack(bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**32 - 1] * 3) + bytes(60)))
    refused(path, "too short", str((2**32 - 1) ** 3))


@pytest.mark.parametrize("magic", [b"\x00\x01\x08\x03", b"\x93NUMPY", b"\x89PNG"])
def test_wrong_magic_is_refused(tmp_path, magic):
    path = tmp_path / "wrong-idx3-ubyte"
    path.write_bytes(magic + idx_bytes(IMAGES)[len(magic) :])
    refused(path, magic[:4].hex(" "))


def test_unknown_type_code_is_refused(tmp_path):
    content = bytearray(idx_bytes(IMAGES))
    content[2] = 0x0A
    path = tmp_path / "wrong-idx3-ubyte"
    path.write_bytes(content)
    refused(path, "0x0a")


def test_label_file_is_refused(tmp_path):
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(np.arange(7)))
    assert "labels" in refused(path, "(7,)").cause


def test_pickled_objects_are_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "objects.npy"
    np.save(path, np.array([[Bomb(), 1]], dtype=object), allow_pickle=True)
    refused(path, "objects.npy")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("kept", [0, 3, 9, 60, 130, -1])
def test_truncated_npy_is_refused(tmp_path, kept):
    path = tmp_path / "cut.npy"
    np.save(path, np.ones((5, 3)))
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, "cut.npy")


def test_unreadable_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret-idx3-ubyte"
    path.write_bytes(idx_bytes(IMAGES))

    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    refused(path, "PermissionError")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_non_finite_entries_are_counted_and_located(bad, dtype):
    X = np.ones((2000, 3), dtype)  # several blocks
    X[1500, 2] = X[1999, 0] = bad
    refused(X, "2 entries of 6000", f"{bad} in sample 1500, feature 2")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((2, 2), complex), ("complex128",)),
        (np.array([["a", "b"], ["c", "d"]]), ("U1",)),
        (np.array([[b"a", b"b"]]), ("S1",)),
        (np.array([[object(), 1]]), ("object",)),
        (np.array([["2020-01-01"]], "M8[D]"), ("datetime64",)),
        ([[1, 2], [3]], ("inhomogeneous",)),
        (np.ones(3), ("(3,)", "1 axes")),
        (np.float64(3.0), ("()", "0 axes")),
        (None, ("object",)),
        (np.ones((0, 4)), ("0 samples of 4 features",)),
        (np.ones((4, 0)), ("4 samples of 0 features",)),
        (np.ones((4, 2, 0)), ("4 samples of 0 features",)),
        ([], ("(0,)",)),
        (np.ma.masked_equal([[1, 2], [3, 1]], 1), ("2 masked",)),
    ],
    ids=lambda value: None if isinstance(value, tuple) else type(value).__name__,
)
def test_what_is_no_set_of_samples_is_refused(array, words):
    refused(array, *words)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_empty_npy_is_refused(tmp_path, shape):
    path = tmp_path / "empty.npy"
    np.save(path, np.ones(shape))
    refused(path, "empty.npy")


def test_overflow_into_float64_is_refused():
    if np.finfo(np.longdouble).max <= np.finfo(np.float64).max:
        pytest.skip("long double is double here")
    refused(np.full((2, 2), np.finfo(np.longdouble).max), "4 entries of 4")


def test_angles_come_from_every_source_alike(tmp_path):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (40, 3, 4))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
    np.save(tmp_path / "samples.npy", images.astype(np.float32))
    by_array = pair_angles(images, pairs=100)
    by_folder = pair_angles(tmp_path, pairs=100)
    by_npy = pair_angles(str(tmp_path / "samples.npy"), pairs=100)
    np.testing.assert_array_equal(by_folder.angles, by_array.angles)
    np.testing.assert_array_equal(by_npy.angles, by_array.angles)
    assert (by_array.source, by_folder.source) == (None, str(tmp_path))
    with pytest.raises(GpdeepError):
        pair_angles(tmp_path / "missing.npy")


@pytest.mark.parametrize("name", ["\0", "a\0b", "\ud800"])
def test_what_is_no_path_is_refused(name):
    refused(name, "is no path")
