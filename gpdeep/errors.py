"""Which exception for what.

Every message has three parts: what was found (with the numbers), the likeliest cause in the user's
terms, and what to change. `GpdeepError` is the root; the others also derive from the built-in
exception that a numpy user would expect, so ``except ValueError`` keeps working.
"""

from __future__ import annotations

from typing import Any


class GpdeepError(Exception):
    """Root of all errors that gpdeep raises on purpose.

    Parameters
    ----------
    found : str
        What was found, with the numbers.
    cause : str
        The likeliest cause, in the user's terms.
    change : str
        What to change.

    Examples
    --------
    >>> print(GpdeepError("Width 0 in layer 3.", "A layer needs a neuron.", "Use a width of 1 or more."))
    Width 0 in layer 3.
      likely cause: A layer needs a neuron.
      to change:    Use a width of 1 or more.
    """

    def __init__(self, found: str, cause: str, change: str) -> None:
        self.found, self.cause, self.change = found, cause, change
        super().__init__(f"{found}\n  likely cause: {cause}\n  to change:    {change}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.cause, self.change), self.__dict__


class DomainError(GpdeepError, ValueError):
    """An argument lies outside the theorem, or is not what its name says."""


class InfeasibleError(GpdeepError, ValueError):
    """What was asked for does not exist; the message gives the range of what does."""


class ConvergenceError(GpdeepError, ArithmeticError):
    """An iteration stopped before its tolerance; `best` carries the best value so far."""

    best: Any = None


class MemoryBudgetError(GpdeepError, MemoryError):
    """The computation would need more memory than allowed; raised before anything is allocated."""


class MissingExtraError(GpdeepError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> MissingExtraError:
        """The error for `package`, which the extra `extra` installs and `purpose` needs."""
        return cls(
            f"{purpose} needs the package '{package}', which is not installed.",
            f"gpdeep was installed without its '{extra}' extra.",
            f"Install it with: python -m pip install 'gpdeep[{extra}]'",
        )


class ValidityWarning(UserWarning):
    """A prediction was asked for outside the range in which it is known to hold."""
