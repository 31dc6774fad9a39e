"""A full disk: the driver stops with an error that says so, what was done is kept, and with room it goes on."""

import shutil
import sqlite3
import subprocess

import pytest
from sweep_process import ENVIRONMENT, command, report_of
from sweep_trials import noted

from validation.sweep import Store

BULK = {"rows": ["--letters", 4000], "arrays": ["--numbers", 2000]}


@pytest.mark.parametrize("bulk", BULK.values(), ids=BULK)
def test_a_limit_on_files_stops_a_sweep_that_goes_on_without_it(tmp_path, bulk):
    pytest.importorskip("resource", reason="limits are set as POSIX systems set them")
    store, log = tmp_path / "store", tmp_path / "log"
    options = ["--seconds", 0.001, *bulk]
    # SQLite's log grows by some 8 kB a row of 4 kB, and by 4 kB a small one; a file of 2,000 numbers has 16 kB.
    limit = 200_000
    stopped = subprocess.run(
        command(store, log, *options, "--largest-file", limit),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 1
    check_message(stopped.stderr)
    kept = check_kept(store)
    assert report_of(store, log, *options)["resumed"] == kept
    check_all(store, log)


def test_a_full_file_system_stops_a_sweep_that_goes_on_with_room(tmp_path):
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "-rm", *mount(tmp_path)], capture_output=True).returncode
    ):
        pytest.skip("this user may not mount a small file system")
    small, log = tmp_path / "small", tmp_path / "log"
    small.mkdir()
    run = " ".join(command(small / "store", log, "--seconds", 0.001, *BULK["rows"]))
    script = f"""
        {" ".join(mount(small))} && head -c 2000000 /dev/zero > {small}/ballast || exit 9
        {run}; code=$?
        cp -r {small} {tmp_path}/full
        rm {small}/ballast
        {run} && cp -r {small} {tmp_path}/room || exit 9
        exit $code
    """
    stopped = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert stopped.returncode == 1
    check_message(stopped.stderr)
    kept = check_kept(tmp_path / "full" / "store")
    assert f'"resumed": {kept}, "done": 64' in stopped.stdout
    check_all(tmp_path / "room" / "store", log)


def mount(folder):
    """The command that mounts a file system of 2.4 MB, in a name space of its own."""
    return ["mount", "-t", "tmpfs", "-o", "size=2400k", "tmpfs", str(folder)]


def check_message(stderr):
    message = stderr[stderr.index("StoreError") :].splitlines()
    assert "Could not keep unit" in message[0]
    assert "likely cause: The disk, a quota or a limit on the size of files is reached" in message[1]
    assert "what was done is kept" in message[2]


def check_kept(store):
    """The number of rows, each whole."""
    with Store(store) as opened:
        rows = list(opened.rows())
        for row in rows:
            assert row.status == "done"
            assert row.result["square"] == row.specification["trial"] ** 2
            assert not row.arrays or len(opened.arrays(row.key)["curve"]) == 2000
    with sqlite3.connect(store) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    base.close()
    assert 5 <= len(rows) < 64
    return len(rows)


def check_all(store, log):
    with Store(store) as opened:
        assert {row.specification["trial"] for row in opened.rows("done")} == set(range(64))
    assert len(noted(log, "end")) <= 64 + 4  # what was in the executor's window when the disk was full
