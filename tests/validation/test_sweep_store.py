"""The store: what was written is read, a done row stays, a file that is not ours is left alone."""

import json
import math
import os
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest
from sweep_process import ENVIRONMENT
from sweep_trials import of_x

from validation.sweep import Store, StoreBusyError, StoreError
from validation.sweep.arrays import write_arrays
from validation.sweep.compute import Record


def member(x, record):
    """A member of a call as `Store.write` takes it."""
    return of_x(x).key, of_x(x).text, record


DONE = Record(
    "done",
    '{"square": 9, "loss": null}',
    True,
    {"row": np.arange(3.0)},
    None,
    "host",
    "t0",
    "t1",
    0.5,
    {"numpy": "2"},
    "cpu",
)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


def test_a_row_comes_back_as_it_was_written(store):
    store.write("module:square", [member(3, DONE), member(4, Record("failed", error="why"))], 2, "abc")
    with Store(store.path) as reader:
        row = reader.get(of_x(3).key)
    assert row == store.get(of_x(3).key)
    assert (row.specification, row.function) == (of_x(3).specification, "module:square")
    assert (row.status, row.diverged, row.result, row.arrays) == ("done", True, {"square": 9, "loss": None}, ("row",))
    assert (row.tries, row.host, row.started, row.ended, row.cpu_seconds) == (2, "host", "t0", "t1", 0.5)
    assert (row.versions, row.device, row.commit) == ({"numpy": "2"}, "cpu", "abc")
    np.testing.assert_array_equal(store.arrays(row.key)["row"], np.arange(3.0))
    assert [row.error for row in store.rows("failed")] == ["why"]
    assert store.get("0" * 24) is None
    assert store.arrays(of_x(4).key) == store.arrays("0" * 24) == {}


def test_a_done_row_stays_and_a_failed_one_is_replaced_with_its_tries_added(store):
    store.write("f:f", [member(3, DONE), member(4, Record("failed", error="why"))], 1)
    store.write("f:f", [member(3, Record("failed", error="later")), member(4, Record("done", "{}"))], 2)
    assert [(row.status, row.tries) for row in map(store.get, (of_x(3).key, of_x(4).key))] == [("done", 1), ("done", 3)]
    assert store.get(of_x(4).key).error is None


def test_the_members_of_a_call_are_kept_together_or_not_at_all(store):
    wrong = Record("finished")  # no status that the table allows
    with pytest.raises(StoreError, match=of_x(3).key):
        store.write("f:f", [member(3, DONE), member(4, wrong)], 1)
    assert list(store.rows()) == []
    store.write("f:f", [member(3, DONE)], 1)  # and it works on
    assert len(list(store.rows())) == 1


def test_export_is_strict_json_in_a_fixed_order(store, tmp_path):
    store.write("f:f", [member(x, Record("done", json.dumps({"square": x * x}))) for x in (3, 1, 2)], 1)
    text = store.export(tmp_path / "all.json").read_text()
    units = json.loads(text, parse_constant=lambda name: pytest.fail(name))["units"]
    assert [unit["key"] for unit in units] == sorted(of_x(x).key for x in (1, 2, 3))
    assert {unit["specification"]["x"]: unit["result"]["square"] for unit in units} == {1: 1, 2: 4, 3: 9}
    assert store.export(tmp_path / "again.json").read_text() == text
    one = json.loads(store.export(tmp_path / "one.json", [of_x(2).key]).read_text())
    assert [unit["specification"]["x"] for unit in one["units"]] == [2]


def test_arrays_keep_type_shape_and_name(tmp_path, store):
    arrays = {
        "file": np.array(2.5),
        "empty": np.zeros((0, 3), np.int8),
        "text": np.array(["a", "bc"]),
        "z": np.array([1j]),
    }
    store.write("f:f", [member(3, Record("done", "{}", arrays=arrays))], 1)
    found = store.arrays(of_x(3).key)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)


def test_an_array_that_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path):
    write_arrays(tmp_path, "key", {"a": np.ones(3)})
    with pytest.raises(ValueError, match="Object arrays"):
        write_arrays(tmp_path, "key", {"a": np.zeros(3), "b": np.array([print])})
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]
    with np.load(tmp_path / "key.npz") as kept:
        np.testing.assert_array_equal(kept["a"], np.ones(3))


def test_what_a_killed_driver_left_half_written_is_removed_by_the_next(store):
    store.write("f:f", [member(3, DONE)], 1)
    folder = store.path.with_name("store.sqlite.arrays")
    (folder / ".partial-123").write_bytes(b"half")
    with store.driving():
        assert [path.name for path in folder.iterdir()] == [f"{of_x(3).key}.npz"]


def test_damaged_arrays_are_an_error_that_names_the_unit(store):
    store.write("f:f", [member(3, DONE)], 1)
    (store.path.with_name("store.sqlite.arrays") / f"{of_x(3).key}.npz").write_bytes(b"PK\3\4 torn")
    with pytest.raises(StoreError, match=of_x(3).key):
        store.arrays(of_x(3).key)


# ------------------------------------------------------------------ one driver


def test_a_second_driver_is_refused_with_the_name_of_the_first(store):
    with store.driving(), Store(store.path) as second:
        with pytest.raises(StoreBusyError, match=f"process {os.getpid()} on"), second.driving():
            pytest.fail("two drivers")
        store.write("f:f", [member(3, DONE)], 1)
        assert second.get(of_x(3).key).status == "done"  # reading is for all
    with second.__class__(store.path) as third, third.driving():
        pass


def test_a_second_driver_that_waits_gets_its_turn(store):
    entered, leave = threading.Event(), threading.Event()

    def first():
        with Store(store.path) as mine, mine.driving():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(10)
    threading.Timer(0.2, leave.set).start()
    with store.driving(wait=10):
        assert leave.is_set()
    thread.join()


def test_many_may_make_the_store_at_once(tmp_path):
    script = "import sys; from validation.sweep import Store; sys.stdin.read(); Store(sys.argv[1]).close()"
    command = [sys.executable, "-c", script, str(tmp_path / "store")]
    rivals = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) for _ in range(4)
    ]
    for rival in rivals:  # each has imported what it needs, or nearly
        rival.stdin.close()
        rival.stdin = None
    assert [(rival.communicate()[1], rival.returncode) for rival in rivals] == [(b"", 0)] * 4


# ------------------------------------------------------------------ files that are no store


def test_a_file_of_something_else_is_refused_and_left_as_it_was(tmp_path):
    text, other = tmp_path / "text", tmp_path / "other.sqlite"
    text.write_text("not a database, but long enough to be mistaken for one" * 20)
    with sqlite3.connect(other) as base:
        base.execute("CREATE TABLE accounts (balance)")
    base.close()
    before = text.read_bytes(), other.read_bytes()
    for path, reason in ((text, "not a database"), (other, "another program")):
        with pytest.raises(StoreError, match=reason):
            Store(path)
    assert (text.read_bytes(), other.read_bytes()) == before


def test_a_store_of_another_version_is_refused(store):
    store.close()
    with sqlite3.connect(store.path) as base:
        base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(StoreError, match="99"):
        Store(store.path)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"missing/store.*\n.*folder does not exist"):
        Store(tmp_path / "missing" / "store")


def test_an_error_of_the_store_is_an_os_error_with_its_three_parts():
    error = StoreBusyError("found", "cause", "change")
    assert isinstance(error, OSError)
    assert str(error).splitlines()[1].endswith("cause")
    assert not math.isnan(len(error.args))
