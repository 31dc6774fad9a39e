"""What is saved comes back, whole or not at all."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gpdeep import DomainError, load, predict_depth
from gpdeep import result as result_module
from gpdeep.finite import angle_law
from gpdeep.result import FloatArray, IntArray, Result, Status, StatusCode, render_table, shown_layers, write_atomically


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample(Result):
    numbers: FloatArray
    counts: IntArray
    pair: tuple[int, float]
    note: str | None
    maybe: float | Status


# `load` finds classes of gpdeep only: this one is lent to the module for the tests
Sample.__module__, Sample.__qualname__ = "gpdeep.result", "Sample"


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> Sample:
    monkeypatch.setattr(result_module, "Sample", Sample, raising=False)
    return Sample(
        numbers=np.array([0.1, np.nan, -np.inf, 1e-300]),
        counts=np.array([[1, 2**60]]),
        pair=(3, 0.1),
        note=None,
        maybe=Status(StatusCode.OUTSIDE_VALIDITY, ("because",)),
    )


def test_round_trip_keeps_every_bit_nan_and_infinities(sample: Sample, tmp_path: Path) -> None:
    again = load(sample.save(tmp_path / "x.json"))
    assert again == sample
    assert again.numbers.dtype == np.float64
    assert again.counts.dtype == np.int64
    assert again.maybe.code is StatusCode.OUTSIDE_VALIDITY


def test_equality_sees_a_change_in_the_last_bit(sample: Sample, tmp_path: Path) -> None:
    path = sample.save(tmp_path / "x.json")
    record = json.loads(path.read_text())
    record["data"]["numbers"][0] = float(np.nextafter(0.1, 1))
    path.write_text(json.dumps(record))
    assert load(path) != sample


def test_file_is_strict_json_with_provenance(sample: Sample, tmp_path: Path) -> None:
    record = json.loads(sample.save(tmp_path / "x.json").read_text(), parse_constant=pytest.fail)
    assert {"gpdeep", "python", "numpy"} <= set(record["provenance"])


def test_dictionary_has_null_for_what_json_cannot_say(sample: Sample) -> None:
    assert sample.to_dict()["numbers"] == [0.1, None, None, 1e-300]
    json.dumps(sample.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"result": "os:system", "data": {}}', '{"result": "gpdeep.result:Status", "data": {}}']
)
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(DomainError, match="does not hold a gpdeep result"):
        load(path)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = angle_law([16] * 3).save(tmp_path / "law.json")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DomainError):
        load(path)


def test_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomically(tmp_path / "x", b"old")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result_module.os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_named_as_the_user_named_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        write_atomically(tmp_path / "none" / "x.png", b"")
    assert error.value.filename == str(tmp_path / "none" / "x.png")


def test_worse_status_wins_and_messages_are_kept_once() -> None:
    both = Status(StatusCode.OK, ("a",)) & Status(StatusCode.NOT_CONVERGED, ("b", "a"))
    assert both == Status(StatusCode.NOT_CONVERGED, ("a", "b"))


def test_table_keeps_long_notes_on_one_line() -> None:
    text = render_table("title", ["n", "x"], [["1", "2.0"]], ["note " * 80])
    assert text.splitlines()[0] == "title"
    assert text.splitlines()[-1].count("note") == 80


def test_tables_show_the_first_layers_the_tenths_and_the_last() -> None:
    assert shown_layers(1) == [1]
    assert shown_layers(23) == [1, 2, 5, 10, 20, 23]
    assert len(shown_layers(100_000)) < 90
    law = angle_law([16] * 23)
    assert str(law).count("\n") == 1 + 6 + 2
    assert f"{law.mean[22]:.4f}" in str(law)


def test_a_saved_result_is_found_where_users_see_its_class(tmp_path):
    """Files may move within a package; what was saved is still found."""
    path = predict_depth("64,32x3,10").save(tmp_path / "answer.json")
    assert json.loads(path.read_text())["result"] == "gpdeep:DepthPrediction"
