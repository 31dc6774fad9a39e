"""A key says what is computed: the same for the same specification, another for every other, and nothing else in it."""

import enum
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_trials import batch, of_x, square

from gpdeep.errors import DomainError
from validation.sweep import Batch, Unit, canonical_json, key_of

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reordered(value):
    """The same value with every dictionary filled backwards, and tuples for lists."""
    if isinstance(value, dict):
        return {name: reordered(item) for name, item in reversed(value.items())}
    return tuple(reordered(item) for item in value) if isinstance(value, list) else value


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), plain, max_size=4))
def test_the_order_of_a_dictionary_does_not_matter(specification):
    assert key_of(reordered(specification)) == key_of(specification)


def test_a_key_is_the_same_on_every_machine_and_in_every_version():
    # computed by hand: printf '%s' '{"schema":1,"specification":{"rate":0.1,"seed":7,"widths":[64,64]}}' | sha256sum
    assert key_of({"widths": (64, 64), "seed": np.int64(7), "rate": np.float64(0.1)}) == "0e9ec7bbcd42c6b9cf868530"


@pytest.mark.parametrize(
    "other",
    [
        {"x": 2}, {"x": 1.0}, {"x": True}, {"x": "1"}, {"x": [1]}, {"X": 1}, {"x": 1, "y": None}, {"x": 1 + 1e-15}, {},
    ],
)  # fmt: skip
def test_another_specification_has_another_key(other):
    assert key_of(other) != key_of({"x": 1})


def test_every_digit_of_a_float_counts():
    assert key_of({"x": 0.1}) != key_of({"x": np.nextafter(0.1, 1)})
    assert key_of({"x": np.float32(0.1)}) == key_of({"x": float(np.float32(0.1))}) != key_of({"x": 0.1})


def test_neither_folder_nor_function_nor_company_enters(tmp_path, monkeypatch):
    key = of_x(3).key
    monkeypatch.chdir(tmp_path)
    assert of_x(3, flops=1e9, settings={"device": "cuda", "data": tmp_path}).key == key
    assert Unit("somewhere.else:square", of_x(3).specification).key == key
    assert [key_of(specification) for specification in batch(2, 3).specifications] == [of_x(2).key, key]


class Kind(enum.Enum):
    DENSE = "dense"


def test_what_has_a_plain_value_stands_for_it():
    assert (
        canonical_json({"kind": Kind.DENSE, "flag": np.True_, "text": "é"})
        == r'{"flag":true,"kind":"dense","text":"\u00e9"}'
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "NaN"), (-math.inf, "infinities"), (np.float32("nan"), "NaN"), (Path("data"), "a path differs"),
        (np.zeros(2), "a ndarray has no"), ({1, 2}, "a set has no"), (1j, "a complex has no"), (b"x", "a bytes has no"),
        ({1: 2}, "names"), (print, "no canonical form"),
    ],
)  # fmt: skip
def test_what_is_no_plain_value_is_refused_with_its_place(value, reason):
    with pytest.raises(DomainError, match=reason) as refusal:
        Unit(square, {"experiment": "E1", "list": [0, {"deep": value}]})
    assert "specification['list'][1]['deep']" in str(refusal.value)


@pytest.mark.parametrize("specification", [None, [("x", 1)], "x"])
def test_a_specification_is_a_dictionary(specification):
    with pytest.raises(DomainError, match="not a dictionary"):
        key_of(specification)


@pytest.mark.parametrize("function", ["square", "a:b:c", "", 3, None, "os.path/join"])
def test_a_function_has_a_name(function):
    with pytest.raises(DomainError, match="The function is"):
        Unit(function, {"x": 1})


@pytest.mark.parametrize("flops", [0, -1.0, math.nan, math.inf, "many", True])
@pytest.mark.parametrize("make", [lambda flops: of_x(1, flops=flops), lambda flops: batch(1, flops=flops)])
def test_flops_are_positive(make, flops):
    with pytest.raises(DomainError, match="flops"):
        make(flops)


def test_a_batch_refuses_what_its_members_would():
    with pytest.raises(DomainError, match="NaN"):
        Batch(os.getcwd, [{"x": 1}, {"x": math.nan}])
