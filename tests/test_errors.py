"""Errors carry three parts, derive from what a numpy user catches, and survive pickling between processes."""

import pickle

import pytest

from gpdeep import errors

ALL = [
    errors.GpdeepError,
    errors.DomainError,
    errors.InfeasibleError,
    errors.ConvergenceError,
    errors.MemoryBudgetError,
    errors.MissingExtraError,
]


@pytest.mark.parametrize("cls", ALL)
def test_message_has_three_parts_and_pickles(cls: type[errors.GpdeepError]) -> None:
    error = cls("Found 3.", "A typing error.", "Use 4.")
    assert str(error) == "Found 3.\n  likely cause: A typing error.\n  to change:    Use 4."
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert (again.found, again.cause, again.change) == ("Found 3.", "A typing error.", "Use 4.")


def test_errors_are_the_builtin_kind_too() -> None:
    assert issubclass(errors.DomainError, ValueError)
    assert issubclass(errors.MemoryBudgetError, MemoryError)
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.ConvergenceError, ArithmeticError)


def test_convergence_error_carries_the_best_value_through_a_pickle() -> None:
    error = errors.ConvergenceError("a", "b", "c")
    error.best = 1.5
    assert pickle.loads(pickle.dumps(error)).best == 1.5


def test_missing_extra_names_the_command_that_installs_it() -> None:
    assert "gpdeep[plot]" in str(errors.MissingExtraError.of("matplotlib", "plot", "A plot"))
