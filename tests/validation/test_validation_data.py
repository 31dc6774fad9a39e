"""Templates need a nonlinear network, numbers are written as people write them, and preparation says what it did."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="digits come from scikit-learn")

from gpdeep.data import load_labelled
from gpdeep.errors import DomainError
from validation.data import english, german, number_words, prepared, template_split
from validation.data.number_words import END, PAD, START

KNOWN = {
    0: ("zero", "null"),
    1: ("one", "eins"),
    17: ("seventeen", "siebzehn"),
    21: ("twenty one", "ein und zwanzig"),
    30: ("thirty", "dreißig"),
    101: ("one hundred one", "ein hundert eins"),
    1001: ("one thousand one", "ein tausend eins"),
    1971: ("one thousand nine hundred seventy one", "ein tausend neun hundert ein und siebzig"),
    9999: ("nine thousand nine hundred ninety nine", "neun tausend neun hundert neun und neunzig"),
}


def value_of(words, multipliers, units, linking):
    """The number that words spell, by reading them: another rule than the one that wrote them."""
    total = part = 0
    for word in words:
        if word in multipliers:
            total, part = total + part * multipliers[word], 0
        elif word != linking:
            part += units[word]
    return total + part


EN = {word: n for n in range(20) for word in english(n)} | {word: n for n in range(20, 100, 10) for word in english(n)}
DE = {word: n for n in range(20) for word in german(n)} | {word: n for n in range(20, 100, 10) for word in german(n)}
DE["ein"] = 1


@pytest.mark.parametrize(("number", "words"), KNOWN.items())
def test_known_numbers_in_both_languages(number, words):
    assert (" ".join(english(number)), " ".join(german(number))) == words


def test_every_number_is_read_back_from_its_words():
    for n in range(10_000):
        assert value_of(english(n), {"hundred": 100, "thousand": 1000}, EN, None) == n
        assert value_of(german(n), {"hundert": 100, "tausend": 1000}, DE, "und") == n
    # the control: a reader that takes the words one after another is misled by the order of German tens and ones
    assert german(21) != [*german(20), *german(1)]


def test_sentences_are_padded_marked_and_apart():
    text = number_words(3, 300, 100)
    for part in ("train", "test"):
        target = getattr(text, f"{part}_target")
        assert (target[:, 0] == START).all()
        assert ((target == END).sum(axis=1) == 1).all()
        after = np.cumsum(target == END, axis=1) - (target == END) > 0
        assert (target[after] == PAD).all()
    both = {row.tobytes() for row in text.train_source} & {row.tobytes() for row in text.test_source}
    assert not both
    assert max(map(len, map(english, range(10_000)))) == text.train_source.shape[1]
    assert len(set(text.source_words) & set(text.target_words)) == 3  # the marks alone


@pytest.mark.parametrize("arguments", [(0, 0, 1), (0, 90, 20)])
def test_more_numbers_than_there_are_is_an_error(arguments):
    with pytest.raises(DomainError, match="of the numbers"):
        number_words(*arguments, largest=99)
    with pytest.raises(DomainError, match="0 to 9999"):
        german(10_000)


def nearest_mean(split):
    """Test accuracy of a classifier that knows the mean of every class: what a class has of a direction of its own."""
    means = np.stack([split.train_x[split.train_y == c].mean(axis=0) for c in range(split.classes)])
    distance = ((split.test_x[:, None] - means) ** 2).sum(axis=2)
    return float((distance.argmin(axis=1) == split.test_y).mean())


def test_templates_have_no_direction_of_their_class():
    assert nearest_mean(template_split(0, 2000, 500).prepared()) < 0.6
    # the control: with one template a class the same classifier finds it
    assert nearest_mean(template_split(0, 2000, 500, per_class=1).prepared()) > 0.85


def test_templates_are_a_function_of_the_seed_and_smooth():
    one, again, other = (template_split(seed, 200, 50) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.train_x, again.train_x)
    assert not np.array_equal(one.train_x, other.train_x)
    assert set(one.train_y) == set(range(10))
    clean = template_split(0, 400, 50, noise=0.0).train_x.reshape(-1, 14, 14)
    # Fields with the spectrum exp(-k²ℓ²) have the correlation exp(-r²/4ℓ²): 0.94 at r = 1, ℓ = 2.
    # Over 60 templates of few independent spots each it scatters by some 0.01.
    neighbours = np.corrcoef(clean[:, :, :-1].ravel(), clean[:, :, 1:].ravel())[0, 1]
    np.testing.assert_allclose(neighbours, np.exp(-1 / 16), rtol=0, atol=0.03)


def test_no_samples_is_an_error():
    with pytest.raises(DomainError, match="0 and 5 samples"):
        template_split(0, 0, 5)


@pytest.mark.parametrize("source", ["digits", "templates"])
def test_preparation_puts_samples_on_the_sphere_and_says_so(source):
    found = prepared(source)
    for x in (found.split.train_x, found.split.test_x):
        np.testing.assert_allclose((x**2).sum(axis=1), x.shape[1], rtol=1e-12)
    record = found.record
    assert (record["train"], record["features"]) == found.split.train_x.shape
    assert record["preprocessing"]["mean_square"] == 1.0
    assert record["preprocessing"]["global_std"] > 0
    angles = record["angles"]
    assert list(angles["all"]["quantiles"].values()) == sorted(angles["all"]["quantiles"].values())
    # centred data: a typical pair is at a right angle, and a pair of one class closer
    assert abs(angles["all"]["median"] - np.pi / 2) < 0.1
    assert angles["same_class"]["median"] < angles["other_class"]["median"]


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_folders_of_idx_and_npy_files_give_the_same(tmp_path):
    rng = np.random.default_rng(0)
    images = {"train": rng.integers(256, size=(30, 4, 4)), "test": rng.integers(256, size=(10, 4, 4))}
    labels = {part: np.arange(len(x)) % 3 for part, x in images.items()}
    idx, npy = tmp_path / "idx", tmp_path / "npy"
    for folder in (idx, npy):
        folder.mkdir()
    for part, name in (("train", "train"), ("test", "t10k")):
        write_idx(idx / f"{name}-images-idx3-ubyte", images[part])
        write_idx(idx / f"{name}-labels-idx1-ubyte", labels[part])
        np.save(npy / f"{part}_x.npy", images[part])
        np.save(npy / f"{part}_y.npy", labels[part])
    one, two = prepared(str(idx)), prepared(str(npy))
    np.testing.assert_array_equal(one.split.train_x, two.split.train_x)
    np.testing.assert_array_equal(one.split.test_y, two.split.test_y)
    np.testing.assert_array_equal(one.split.train_x, load_labelled(idx).prepared().train_x)
    (npy / "test_y.npy").unlink()
    prepared.cache_clear()
    with pytest.raises(DomainError, match=r"holds no test_y\.npy"):
        prepared(str(npy))


def test_openml_without_a_network_is_an_error_in_three_parts(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", refuse)
    with pytest.raises(DomainError, match="no route") as error:
        prepared("openml:mnist_784")
    assert "to change:" in str(error.value)


def test_openml_labels_are_counted_from_0(monkeypatch):
    class Fetched:
        data = np.random.default_rng(0).normal(size=(70, 5))
        target = np.array(["b", "a"] * 35)

    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *args, **kwargs: Fetched)
    found = prepared("openml:letters").split
    assert (len(found.train_y), len(found.test_y), found.classes) == (60, 10, 2)
    assert found.train_y[:2].tolist() == [1, 0]
