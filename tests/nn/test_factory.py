"""``FILE.py:FACTORY``: what it loads, and what each mistake is answered with."""

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from gpdeep.errors import DomainError  # noqa: E402
from gpdeep.nn import load_factory  # noqa: E402

SOURCE = '''
from __future__ import annotations
import dataclasses
from torch import nn

def function():
    return nn.Linear(2, 3)

class Class(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(nn.Linear(2, width))

@dataclasses.dataclass
class Options:
    """Needs sys.modules[__module__] while the file runs."""
    width: int = 5

instance = nn.Linear(2, Options().width)
number = 3
_private = None

def needs(width, *, depth): ...
def nothing(): ...
def raises(): raise RuntimeError("out of luck")
def quits(): raise SystemExit(2)
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "json.py"  # a name that clashes with the standard library's
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(("name", "width"), [("function", 3), ("instance", 5)])
def test_function_and_instance_give_the_module(file, name, width):
    assert load_factory(f"{file}:{name}").out_features == width


def test_class_is_called_without_arguments(file):
    assert load_factory(f"{file}:Class")[0].out_features == 4


def test_nothing_is_left_in_the_interpreter(file):
    modules, path = dict(sys.modules), list(sys.path)
    load_factory(f"{file}:function")
    with pytest.raises(DomainError):
        load_factory(f"{file}:raises")
    assert dict(sys.modules) == modules
    assert sys.path == path
    assert [p.name for p in file.parent.iterdir()] == ["json.py"]  # no bytecode either


def test_each_call_runs_the_file_again(file):
    assert load_factory(f"{file}:instance") is not load_factory(f"{file}:instance")


def test_file_may_import_its_neighbours(tmp_path, monkeypatch):
    (tmp_path / "gpdeep_test_neighbour.py").write_text("WIDTH = 6")
    path = tmp_path / "model.py"
    path.write_text("from torch import nn\nimport gpdeep_test_neighbour as n\nnet = nn.Linear(1, n.WIDTH)")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        assert load_factory(f"{path}:net").out_features == 6
    finally:
        sys.modules.pop("gpdeep_test_neighbour", None)


def test_relative_path_starts_at_the_working_directory(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert load_factory("json.py:function").out_features == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", r"no 'missing' \(candidates: function, Class, Options, instance, needs, nothing, raises"),
        ("nn", r"'nn' in .* is of type module"),
        ("number", r"'number' in .* is of type int"),
        ("needs", r"needs arguments: width, depth"),
        ("nothing", r"returned NoneType, not a torch\.nn\.Module"),
        ("Options", r"returned Options, not a torch\.nn\.Module"),
        ("raises", r"Calling 'raises' of .* raised RuntimeError: out of luck"),
        ("quits", r"Calling 'quits' of .* raised SystemExit: 2"),
    ],
)
def test_wrong_name_is_answered_in_three_parts(file, name, message):
    with pytest.raises(DomainError, match=message) as error:
        load_factory(f"{file}:{name}")
    assert error.value.cause
    assert error.value.change


@pytest.mark.parametrize("text", ["", "model.py", "model.py:", ":net", "model.py:a b", "model.py:a.b", "784,128,10"])
def test_text_that_names_no_factory_is_refused(text):
    with pytest.raises(DomainError, match=r"does not name a factory(?s:.*)model\.py:make_network"):
        load_factory(text)


def test_missing_file_is_named_with_the_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DomainError, match=rf"no file 'model\.py' \(the working directory is .*{tmp_path.name}"):
        load_factory("model.py:net")
    with pytest.raises(DomainError, match=r"no file"):
        load_factory(f"{tmp_path}:net")  # a directory


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def net(:", SyntaxError),
        ("import gpdeep_no_such_package", ImportError),
        ("1 / 0", ZeroDivisionError),
    ],
)
def test_what_the_file_raises_is_the_cause(tmp_path, source, error):
    path = tmp_path / "model.py"
    path.write_text(source)
    with pytest.raises(DomainError, match=rf"Running '.*model\.py' raised \w*{error.__name__[-5:]}") as caught:
        load_factory(f"{path}:net")
    assert isinstance(caught.value.__cause__, error)


def test_missing_torch_is_answered_with_the_extra():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from gpdeep.errors import MissingExtraError\n"
        "try: import gpdeep.nn\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "gpdeep.nn needs the package 'torch'" in done.stdout
    assert "gpdeep[torch]" in done.stdout
