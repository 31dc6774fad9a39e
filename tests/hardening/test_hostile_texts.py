"""Texts and files from strangers: read, or refused in three parts; what was read is written and read again alike."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import gpdeep
from gpdeep import Architecture, activation, data, depth, finite
from gpdeep.activations import parse_activation
from gpdeep.errors import GpdeepError

EVERY_DAY = settings(
    max_examples=400,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NETWORKS = ("784,128x50,10", "784,512,res(128x3,alpha=1,beta=0.1),ln(64x2),10", "8,?x4,2", " 3 , 4 x 2 , 1 ")
OF_NETWORKS = (
    "784|128|x|50|,|10|res|ln|(|)|res(|ln(|alpha|beta|=|1|0.5|-1e-3|?|?x3| |0|.|nan|inf|1e400|٣|１|\n|\0|_|+5|é"
)
OF_ACTIVATIONS = (
    "crelu|cst|st|relu|RELU|tanh|abs|elu|softplus|prelu|hard_tanh|relu_tau|leaky_relu|:|,|1|0.5|-1|0|1e400|nan|inf| |_"
    "|1_0|٣|\0|1e308|5e-324|1e50|1e-60|\ud800"
)


def mutated(whole: str, tokens: list[str]) -> st.SearchStrategy[str]:
    """`whole` with some of its characters replaced by tokens."""
    place = st.tuples(st.integers(0, len(whole) - 1), st.sampled_from(["", *tokens]))

    def changed(places: list[tuple[int, str]]) -> str:
        letters = list(whole)
        for where, token in places:
            letters[where] = token
        return "".join(letters)

    return st.lists(place, max_size=4).map(changed)


def from_tokens(tokens: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(tokens.split("|")), max_size=14).map("".join)


NETWORK_TEXTS = st.one_of(
    from_tokens(OF_NETWORKS),
    *(mutated(network, OF_NETWORKS.split("|")) for network in NETWORKS),
    st.text(max_size=30),
)
ACTIVATION_TEXTS = st.one_of(
    from_tokens(OF_ACTIVATIONS), mutated("crelu:1,1.5", OF_ACTIVATIONS.split("|")), st.text(max_size=20)
)
LONG = {
    "digits": "9" * 10_000,
    "open": "(" * 10_000,
    "open blocks": "res(" * 5_000,
    "commas": "," * 10_000,
    "many layers": "784," + "128," * 20_000 + "10",
    "many options": "784,res(128" + ",alpha=1" * 2_000 + "),10",
    "nested": "784," + "(" * 3_000 + ")" * 3_000 + ",10",
    "long number": "1,res(2,alpha=" + "1" * 5_000 + "),3",
    "blanks": " " * 10_000 + "1,2,3",
    "crelu": "crelu:" + "9" * 10_000,
    "parameters": "crelu:" + "1," * 10_000,
}


def tried(read: Callable[[Any], Any], given_: Any) -> Any:
    """What is read, None where it was refused; the message can be printed."""
    refused = None
    try:
        return read(given_)
    except GpdeepError as error:
        refused = error
    assert all(part.strip() for part in (refused.found, refused.cause, refused.change))
    return None


@EVERY_DAY
@given(text=NETWORK_TEXTS)
@example(text="784,128x50,10")
def test_an_architecture_is_read_again_as_it_is_written(text: str) -> None:
    network = tried(Architecture.parse, text)
    if network is not None:
        again = Architecture.parse(str(network))
        assert again == network
        assert str(again) == str(network)


@EVERY_DAY
@given(text=ACTIVATION_TEXTS)
@example(text="crelu:1,1.5")
def test_an_activation_is_found_again_by_its_name(text: str) -> None:
    parsed, phi = tried(parse_activation, text), tried(activation, text)
    if phi is not None:
        assert parsed is not None
        x = np.linspace(-3.0, 3.0, 13)
        np.testing.assert_array_equal(activation(phi.name)(x), phi(x))


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_texts_take_no_time(text: str) -> None:
    start = time.process_time()
    for read in (Architecture.parse, activation, parse_activation):
        tried(read, text)
    assert time.process_time() - start < 3.0  # one pass over 80 kB takes below 1 s, quadratic time would take 5 s


# ---------------------------------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    where = finite.length_law([8, 8]).save(tmp_path_factory.mktemp("saved") / "law.json")
    return Path(where).read_bytes()


def array_file(array: Any) -> bytes:
    """A .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


IDX = struct.pack(">HBB3I", 0, 8, 3, 3, 2, 2) + bytes(range(12))
RUNS = b'architecture,accuracy\n"64,64x4,10",0.9\n"64,64x40,10",0.2\n'
FILES: dict[str, tuple[bytes, Callable[[Any], Any]]] = {
    "numbers.npy": (array_file(np.arange(12.0).reshape(4, 3)), data.load_inputs),
    "angles.npy": (array_file(np.arange(12.0).reshape(4, 3)), data.pair_angles),
    "objects.npy": (array_file(np.array([1, None], dtype=object)), data.load_inputs),
    "images-idx3-ubyte": (IDX, data.load_inputs),
    "images-idx3-ubyte.gz": (gzip.compress(IDX), data.load_inputs),
    "runs.csv": (RUNS, depth.read_runs),
}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """`content` with bytes changed, inserted, removed, or cut off."""
    found = bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        where, what = chance.randrange(len(found) + 1), chance.random()
        if what < 0.5:
            found[where : where + 1] = bytes([chance.randrange(256)])
        elif what < 0.7:
            found[where:where] = chance.randbytes(chance.randrange(5))
        elif what < 0.9:
            del found[where : where + chance.randrange(1, 40)]
        else:
            del found[where:]
    return bytes(found)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    content, read = FILES[name]
    chance, where = random.Random(name), tmp_path / name
    for trial in range(150):
        where.write_bytes(damaged(content, chance) if trial % 5 else chance.randbytes(chance.randrange(80)))
        tried(read, where)


def changed(tree: Any, chance: random.Random) -> Any:
    """A tree of JSON with some of its leaves and branches replaced."""
    if chance.random() < 0.08:
        return chance.choice([None, 1, -1, "x", [], {}, 1e400, True, [[1]], "nan", 10**30, "gpdeep:load"])
    if isinstance(tree, dict):
        branches = {key: changed(branch, chance) for key, branch in tree.items() if chance.random() > 0.03}
        return branches | ({"extra": 1} if chance.random() < 0.05 else {})
    return [changed(branch, chance) for branch in tree] if isinstance(tree, list) else tree


def test_damaged_results_are_loaded_or_refused(saved: bytes, tmp_path: Path) -> None:
    chance, where = random.Random(1), tmp_path / "result.json"
    for _ in range(150):
        where.write_bytes(damaged(saved, chance))
        tried(gpdeep.load, where)
        tree = json.loads(saved)
        tree["data"] = changed(tree["data"], chance)
        where.write_text(json.dumps(changed(tree, chance) if chance.random() < 0.5 else tree))
        tried(gpdeep.load, where)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, '"' * 1_000, '{"schema_version": ' + "9" * 10_000 + "}", "", "null", "\0"],
    ids=["lists", "objects", "quotes", "digits", "nothing", "null", "zero"],
)
def test_strange_json_is_refused(text: str, tmp_path: Path) -> None:
    where = tmp_path / "result.json"
    where.write_text(text)
    assert tried(gpdeep.load, where) is None


def test_a_reader_without_checks_is_caught(tmp_path: Path) -> None:
    """The control: a careless reader of the same damaged files fails in its own way."""
    chance, where = random.Random(0), tmp_path / "numbers.npy"

    def careless(content: bytes) -> Any:
        where.write_bytes(content)
        return np.load(where).reshape(4, 3)

    seen = []
    for _ in range(50):
        try:
            tried(careless, damaged(FILES["numbers.npy"][0], chance))
        except Exception as error:
            seen.append(error)
    assert seen
