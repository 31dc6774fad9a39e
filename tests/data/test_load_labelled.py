"""Images keep their labels, the two parts share one mean, and folders that lack something are refused by name."""

import dataclasses
import gzip
import re
import struct
import sys

import numpy as np
import pytest

from gpdeep.data import LabelledSplit, load_labelled, prepare
from gpdeep.errors import DomainError, MissingExtraError

CODES = {"u1": 0x08, "i1": 0x09, "i4": 0x0C, "f4": 0x0D}
TRAIN_X, TEST_X = np.arange(5 * 3 * 4).reshape(5, 3, 4) ** 2 % 251, np.arange(24).reshape(2, 3, 4)
TRAIN_Y, TEST_Y = np.array([2, 0, 1, 3, 1]), np.array([4, 0])
FILES = {
    "train-images-idx3-ubyte": TRAIN_X,
    "train-labels-idx1-ubyte": TRAIN_Y,
    "t10k-images-idx3-ubyte": TEST_X,
    "t10k-labels-idx1-ubyte": TEST_Y,
}


def write(folder, files=FILES, dotted=False, pack=None, kind="u1"):
    """The idx files, written from the description of the format alone; `kind` is the type of the labels."""
    for name, array in files.items():
        code = kind if "labels" in name else "u1"
        content = bytes([0, 0, CODES[code], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        content += array.astype(f">{code}").tobytes()
        name = name.replace("-idx", ".idx") if dotted else name
        (folder / (name + (".gz" if pack else ""))).write_bytes(pack(content) if pack else content)
    return folder


def refused(source, *words):
    with pytest.raises(DomainError) as caught:
        load_labelled(source)
    assert all(caught.value.args)
    for word in words:
        assert word in caught.value.found
    return caught.value


@pytest.mark.parametrize("pack", [None, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("kind", ["u1", "i1", "i4"])
def test_folder_gives_images_and_labels_as_stored(tmp_path, dotted, pack, kind):
    split = load_labelled(write(tmp_path, dotted=dotted, pack=pack, kind=kind))
    for stored, read, dtype in (
        (TRAIN_X.reshape(5, 12), split.train_x, np.float64),
        (TRAIN_Y, split.train_y, np.int64),
        (TEST_X.reshape(2, 12), split.test_x, np.float64),
        (TEST_Y, split.test_y, np.int64),
    ):
        np.testing.assert_array_equal(read, stored)
        assert read.dtype == dtype
        read[0] = 0  # the caller's own
    assert split.classes == 5  # a class that only the test part has counts


def test_digits_are_all_of_scikit_learns_once_each_with_their_labels():
    datasets = pytest.importorskip("sklearn.datasets")
    data, split = datasets.load_digits(), load_labelled("digits")
    together = np.column_stack([np.concatenate([split.train_x, split.test_x]), [*split.train_y, *split.test_y]])
    original = np.column_stack([data.data, data.target])
    np.testing.assert_array_equal(together[np.lexsort(together.T)], original[np.lexsort(original.T)])
    assert (len(split.train_y), len(split.test_y), split.classes) == (1437, 360, 10)
    assert not np.array_equal(together, original)  # shuffled: the file is sorted by writer


def test_digits_are_split_the_same_way_everywhere():
    pytest.importorskip("sklearn")
    one, other = load_labelled("digits"), load_labelled("digits")
    np.testing.assert_array_equal(one.test_x, other.test_x)
    # written down once; a change moves every published accuracy
    assert one.test_y[:12].tolist() == [6, 2, 4, 2, 4, 1, 9, 3, 0, 5, 7, 4]


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=re.escape("gpdeep[data]")):
        load_labelled("digits")


@pytest.mark.parametrize("missing", FILES)
def test_missing_file_is_named(tmp_path, missing):
    write(tmp_path, {name: array for name, array in FILES.items() if name != missing})
    what = ("training" if "train" in missing else "test") + (" images" if "images" in missing else " labels")
    error = refused(tmp_path, f"no {what}", "3 entries")
    assert missing in error.change


@pytest.mark.parametrize("name", ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"])
def test_numbers_of_images_and_labels_have_to_agree(tmp_path, name):
    short = {**FILES, name: FILES[name][:-1]}
    images = len(FILES[name])
    refused(write(tmp_path, short), name, f"{images - 1} labels", f"{images} samples")


def test_labels_are_whole_numbers_from_zero_in_one_row(tmp_path):
    refused(write(tmp_path, kind="f4"), "float32", "train-labels")
    refused(write(tmp_path, {"train-labels-idx1-ubyte": TRAIN_Y - 1}, kind="i1"), "the label -1")
    refused(write(tmp_path, {"train-labels-idx1-ubyte": np.eye(5)}), "2 axes, of lengths (5, 5)")


def test_parts_of_different_data_sets_are_refused(tmp_path):
    refused(write(tmp_path, {**FILES, "t10k-images-idx3-ubyte": TEST_X[:, :2]}), "12 features", "8")


def test_what_is_no_folder_is_refused(tmp_path):
    write(tmp_path)
    refused(tmp_path / "nowhere", "no file or folder", "nowhere")
    refused(tmp_path / "train-images-idx3-ubyte", "a single file")
    refused(TRAIN_X, "ndarray")
    refused("", "empty")
    for name in ("\0", "a\0b", "\ud800"):
        refused(name, "is no path")


# ------------------------------------------------------------------------------------------- arrays of one's own


def test_lists_tensors_and_images_become_rows_of_floats():
    torch = pytest.importorskip("torch")
    images = (np.arange(12, dtype=np.uint8) ** 2).reshape(3, 2, 2)
    for kind in (np.asarray, np.ndarray.tolist, torch.as_tensor):
        split = LabelledSplit(kind(images), kind(np.arange(3)), kind(images[:1]), kind(np.arange(1)), 3)
        np.testing.assert_array_equal(split.train_x, images.reshape(3, 4))
        assert (split.train_x.dtype, split.test_x.dtype) == (np.float64, np.float64)
        assert (split.train_y.dtype, split.test_y.dtype) == (np.int64, np.int64)
        assert split.prepared().test_x.shape == (1, 4)


X2, Y2 = np.array([[0.0, 1.0], [2.0, 3.0]]), np.arange(2)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"train_x": [[1.0, 2.0], [3.0]]}, "train_x cannot be made an array"),
        ({"train_x": X2[:0], "train_y": []}, "train_x has the shape (0, 2)"),
        ({"test_x": X2 * [1.0, np.nan]}, "test_x has 2 entries of 4 that are NaN"),
        ({"test_x": X2[:, 0]}, "test_x has the shape (2,)"),
        ({"test_x": X2[:, :1]}, "2 features and the test samples 1"),
        ({"train_y": [0, 1, 1]}, "train_y holds 3 labels for 2 samples"),
        ({"train_y": [[0], [1]]}, "train_y has 2 axes"),
        ({"train_y": [[0], [1, 2]]}, "train_y cannot be made an array"),
        ({"test_y": [0.0, 1.0]}, "test_y holds numbers of the type float64"),
        ({"test_y": [0, -1]}, "test_y holds the label -1"),
        ({"test_y": [1, 2]}, "test_y holds the label 2 where there are 2 classes"),
        ({"classes": 2.0}, "classes is 2.0"),
        ({"classes": [0, 1]}, "classes is [0, 1]"),
    ],
)
def test_arrays_that_are_no_labelled_samples_are_refused(wrong, words):
    with pytest.raises(DomainError) as caught:
        LabelledSplit(**{"train_x": X2, "train_y": Y2, "test_x": X2, "test_y": Y2, "classes": 2, **wrong})
    assert words in caught.value.found


# ------------------------------------------------------------------------------------------- preparation


def some_split(samples=40, features=7, test=9):
    rng = np.random.default_rng(3)
    x = 5 + rng.normal(size=(samples + test, features)) * np.arange(1, features + 1)
    y = np.arange(samples + test) % 3
    return LabelledSplit(x[:samples], y[:samples], x[samples:], y[samples:], 3)


@pytest.mark.parametrize("mean_square", [1.0, 0.3, 25])
def test_both_parts_are_seen_from_the_training_mean_at_one_distance(mean_square):
    split = some_split()
    ready, mean = split.prepared(mean_square), split.train_x.mean(axis=0)
    for x, prepared in ((split.train_x, ready.train_x), (split.test_x, ready.test_x)):
        directions = (x - mean) / np.linalg.norm(x - mean, axis=1, keepdims=True)
        # the centre rounds in 40 sums of numbers up to 50, 1e-13, and the samples lie 5 or more away from it
        np.testing.assert_allclose(prepared, directions * np.sqrt(7 * mean_square), rtol=0, atol=1e-12 * 7)
        np.testing.assert_allclose(np.mean(prepared**2, axis=1), mean_square, rtol=1e-14)
    np.testing.assert_array_equal(ready.train_y, split.train_y)
    np.testing.assert_array_equal(ready.test_y, split.test_y)
    assert ready.classes == 3


def test_training_part_is_prepared_as_without_labels():
    split = some_split()
    np.testing.assert_array_equal(split.prepared().train_x, prepare(split.train_x))


def test_test_part_is_not_seen_from_its_own_mean():
    """Negative control: what `prepare` alone would do with the test samples is something else."""
    split = some_split()
    assert np.abs(split.prepared().test_x - prepare(split.test_x)).max() > 0.1


def test_training_part_does_not_depend_on_the_test_part():
    split = some_split()
    other = dataclasses.replace(split, test_x=split.test_x + 100)
    np.testing.assert_array_equal(split.prepared().train_x, other.prepared().train_x)


def test_sample_at_the_training_mean_is_refused():
    split = some_split()
    at_mean = dataclasses.replace(split, test_x=split.train_x.mean(axis=0)[None], test_y=[0])
    with pytest.raises(DomainError, match="1 of 1 test samples"):
        at_mean.prepared()


@pytest.mark.parametrize("mean_square", [0, -1.0, np.nan, np.inf, "1", None])
def test_mean_square_is_positive(mean_square):
    with pytest.raises(DomainError, match="mean_square"):
        some_split().prepared(mean_square)
