"""Everything public against hostile arguments: it answers or refuses in three parts; no traceback, warning or hang.

Numbers beyond what a machine can do (10**9 samples, 10**12 layers) have to be refused before the work, and no argument
may be changed. `HOSTILE` values go into every argument of every call of the tables, one at a time under the mark
`exhaustive` (run by .ci/matrix) and one or two drawn by hypothesis every day.
"""

from __future__ import annotations

import contextlib
import inspect
import time
from typing import Any

import numpy as np
import pytest
import trial
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gpdeep.errors import DomainError, MissingExtraError

EVERY_DAY = 1000
"""Calls drawn each time: some four milliseconds each."""

QUIETLY = pytest.mark.filterwarnings("ignore::gpdeep.errors.ValidityWarning")

PATIENCE = 20.0
"""CPU seconds that no hostile call may take; the slowest good calls take 1."""


def public_names(table: Any) -> set[str]:
    """Everything callable that the rooms of a table show, but for errors and warnings."""
    found = set()
    for room, module in table.ROOMS.items():
        for name in module.__all__:
            with contextlib.suppress(MissingExtraError):  # a room that needs it
                shown = getattr(module, name)
                if callable(shown) and not (isinstance(shown, type) and issubclass(shown, BaseException)):
                    found.add(f"{room}.{name}" if room else name)
    return found


@pytest.mark.parametrize("table", list(trial.tables()), ids=lambda table: table.__name__)
def test_every_public_name_has_a_good_call_or_a_reason(table: Any) -> None:
    called = {name.partition(" ")[0] for name in table.CALLS}
    reasons = trial.good_calls.NOT_CALLED | table.NOT_CALLED
    assert public_names(table) - called - set(reasons) == set()
    assert called & set(reasons) == set()


def test_only_what_is_public_has_a_reason() -> None:
    shown = set().union(*(public_names(table) for table in trial.tables()))
    rooms = {room for table in trial.tables() for room in table.ROOMS}
    there = {name for name in trial.good_calls.NOT_CALLED if name.rpartition(".")[0] in rooms}
    assert there - shown == set()


@QUIETLY
@pytest.mark.parametrize("name", list(trial.calls()))
def test_good_calls_are_good(name: str) -> None:
    if name == "meanfield.max_pool":
        pytest.skip("always refused: the maximum has no closed expectation")
    trial.call(trial.find(name), trial.calls()[name]())


@settings(
    max_examples=EVERY_DAY,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # names of a call, arguments and values: there is nothing to shrink
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_hostile_arguments_are_answered_or_refused_in_three_parts(data: Any) -> None:
    name, argument = data.draw(st.sampled_from(trial.places()))
    hostile = {argument: data.draw(st.sampled_from(list(trial.values())))}
    other = data.draw(st.sampled_from(trial.names_of_arguments(name)))
    if other != argument and data.draw(st.booleans()):
        hostile[other] = data.draw(st.sampled_from(list(trial.values())))
    assert trial.trial(name, hostile) is None


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "argument"), trial.places())
def test_every_hostile_value_in_every_argument(name: str, argument: str) -> None:
    found = []
    for value in trial.values():
        start = time.process_time()
        found.append(trial.trial(name, {argument: value}))
        spent = time.process_time() - start
        if spent > PATIENCE:
            found.append(f"{name} with {argument} = {value} took {spent:.0f} s")
    assert "\n".join(line for line in found if line) == ""


# ------------------------------------------------------------------------------------ float32 and integers

KEEPS_ITS_TYPE = (".__call__", ".derivative", ".second_derivative", ".RELU")
"""Functions of activations: what is narrow stays narrow, as in numpy."""


def _numbers(name: str, arguments: dict[str, Any]) -> list[Any] | str:
    try:
        return trial.numbers_of(trial.call(trial.find(name), arguments))
    except DomainError as error:
        return error.cause


@QUIETLY
@pytest.mark.parametrize("kind", [np.float32, np.int64], ids=["float32", "int64"])
def test_float32_and_integers_are_computed_in_float64(kind: type) -> None:
    compared = 0
    for name, arguments in trial.good_calls.CALLS.items():
        narrow, wide = arguments(), arguments()
        arrays = [key for key, value in narrow.items() if getattr(value, "dtype", None) == np.float64]
        if not arrays or name.endswith(KEEPS_ITS_TYPE):
            continue
        for key in arrays:
            narrow[key] = narrow[key].astype(kind)
            wide[key] = narrow[key].astype(np.float64)
        one, other = _numbers(name, narrow), _numbers(name, wide)
        assert isinstance(one, str) == isinstance(other, str), name
        if not isinstance(one, str):  # what was rounded may be out of range, and then is so in both types
            for first, second in zip(one, other, strict=True):
                np.testing.assert_array_equal(first, second, err_msg=name)
            compared += 1
    assert compared > 80


# ------------------------------------------------------------------------------------ negative controls


def _careless(x: Any, count: int = 1) -> Any:
    """What a function without checks does."""
    x = np.asarray(x)
    x *= 1  # in place
    return np.sqrt(x) * count


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("text with a zero byte", "TypeError|UFuncTypeError"),
        ("array of -1", "RuntimeWarning"),
        ("ragged list", "ValueError"),
        ("array of objects", "TypeError|AttributeError"),
    ],
)
def test_a_careless_function_is_caught(value: str, seen: str) -> None:
    found = trial.finding(_careless, {"x": trial.values()[value]()})
    assert found is not None
    assert found.startswith(tuple(seen.split("|")))


def test_a_change_of_an_argument_is_caught() -> None:
    def doubled(x: Any) -> Any:
        x *= 2
        return x

    assert trial.finding(doubled, {"x": np.ones(2)}) == "changed its argument x"


def test_an_error_with_an_empty_part_is_caught() -> None:
    def refusing(x: Any) -> Any:
        raise DomainError("found", " ", "change")

    assert "three parts" in str(trial.finding(refusing, {"x": 1}))


def test_an_exception_of_the_hostile_object_itself_passes_through() -> None:
    assert trial.finding(lambda x: float(x), {"x": trial.values()["unconvertible"]()}) is None
    assert inspect.isclass(trial.find("finite.Wiring"))
