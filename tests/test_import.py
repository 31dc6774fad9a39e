"""`import gpdeep` is light and quick, and its public page is written down."""

import importlib
import subprocess
import sys

import pytest

import gpdeep

PUBLIC = [
    "Architecture",
    "ConvergenceError",
    "DepthPrediction",
    "DomainError",
    "GpdeepError",
    "InfeasibleError",
    "MemoryBudgetError",
    "MissingExtraError",
    "Mixture",
    "PiecewiseLinear",
    "Smooth",
    "ValidityWarning",
    "activation",
    "activations",
    "agreement",
    "data",
    "find_width",
    "finite",
    "from_callable",
    "gaussian",
    "leaky",
    "linearize",
    "load",
    "meanfield",
    "nn",
    "plots",
    "predict_depth",
    "sparse",
]
HEAVY = ("torch", "sympy", "mpmath", "matplotlib", "sklearn", "scipy.stats")


def in_fresh_interpreter(code):
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_public_page_is_this_list():
    assert gpdeep.__all__ == PUBLIC
    assert dir(gpdeep) == PUBLIC


@pytest.mark.parametrize("room", ["activations", "leaky", "linearize", "meanfield", "sparse"])
def test_lazy_rooms_list_what_they_load(room):
    """The list that readers and checkers see, and the table that names are loaded by."""
    module = importlib.import_module(f"gpdeep.{room}")
    assert dir(module) == sorted(module.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name):
    if name == "nn":
        pytest.importorskip("torch")
    assert getattr(gpdeep, name) is getattr(gpdeep, name)


def test_other_names_are_refused_as_python_does():
    with pytest.raises(AttributeError, match="depth_of_field"):
        _ = gpdeep.depth_of_field
    with pytest.raises(ImportError):
        from gpdeep import depth_of_field  # noqa: F401


@pytest.mark.parametrize(
    "work",
    [
        "",
        "gpdeep.predict_depth('784,32x4,10')",
        "gpdeep.predict_depth('784,4x4,10', samples=100)",
        "gpdeep.finite.angle_law([64] * 4, method='closure')",
        "gpdeep.finite.length_law([64] * 4).density()",
        "gpdeep.meanfield.infinite_degeneracy_depth()",
        "gpdeep.sparse.design('crelu', 0.85, width=100, depth=10)",
        "gpdeep.linearize.predict_angle([0.5] * 4, width=64)",
        "gpdeep.plots",
    ],
    ids=repr,
)
def test_what_is_heavy_stays_outside(work):
    code = f"import sys, gpdeep\n{work}\nprint([name for name in {HEAVY} if name in sys.modules])"
    assert in_fresh_interpreter(code) == "[]"


def test_import_alone_brings_not_even_numpy():
    assert in_fresh_interpreter("import sys, gpdeep; print('numpy' in sys.modules)") == "False"


def test_import_takes_a_fraction_of_numpys():
    """A ratio in one interpreter, in CPU seconds; some 1/50 on an idle machine."""
    code = (
        "import time; start = time.process_time(); import gpdeep; middle = time.process_time(); import numpy\n"
        "print((middle - start) / (time.process_time() - middle))"
    )
    assert min(float(in_fresh_interpreter(code)) for _ in range(3)) < 0.5
