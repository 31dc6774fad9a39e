"""Results name the commit of the code: changed code makes it another one, what runs write does not."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "validation" / "sweep" / "revision.py"


@pytest.fixture
def checkout(tmp_path):
    """A repository with the file in its place, evidence, and one commit; `commit()` as a new process would say it."""
    if shutil.which("git") is None:
        pytest.skip("the machine has no git")
    folder = tmp_path / "validation" / "sweep"
    folder.mkdir(parents=True)
    shutil.copy(SOURCE, folder)
    (tmp_path / "validation" / "results").mkdir()
    (tmp_path / "validation" / "results" / "E1.json").write_text("{}")
    for command in ("init -q", "add .", "-c user.name=n -c user.email=e commit -qm first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)

    def said():
        spec = importlib.util.spec_from_file_location("another_revision", folder / "revision.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.commit()

    return tmp_path, said


def head(folder):
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_code_that_differs_is_dirty_and_evidence_is_not_code(checkout):
    folder, said = checkout
    assert said() == head(folder)
    (folder / "validation" / "results" / "E1.json").write_text('{"new": 1}')
    (folder / "notes.txt").write_text("not tracked")
    assert said() == head(folder)
    path = folder / "validation" / "sweep" / "revision.py"
    path.write_text(path.read_text() + "\n")
    assert said() == head(folder) + "-dirty"


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    folder, said = checkout
    shutil.rmtree(folder / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert said() is None
