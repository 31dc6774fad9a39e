"""Whether the networks that a factory makes are draws of one initialisation: alike in form, finite, independent.

Ranks among drawn networks mean something for independent networks of one architecture only, and a network that has NaN
somewhere has no rank. That two layers, or two networks, have many-valued weights that are equal bit for bit does not
happen by chance.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ...errors import DomainError

_FEWEST = 4  # entries whose equality could be chance in a type of few digits
_VALUES = 8  # distinct ones; matrices of fewer are set to something, such as 0 or the identity
_LOOKED_AT = 4096  # entries in which they are counted


class Draws:
    """The networks of a factory so far.

    Parameters
    ----------
    first : torch.nn.Module
        From which the architecture was read.
    """

    def __init__(self, first: nn.Module) -> None:
        self._form = _form_of(first)
        self._seen: dict[bytes, tuple[int, str]] = {}

    def require_new(self, number: int, model: nn.Module) -> None:
        """Refuse network `number`, from 0, where it is no further draw.

        Raises
        ------
        DomainError
            It has other modules or shapes than the first, numbers that are not finite, or weights equal to those of
            another layer, or of a network before.
        """
        self._require_form(number, model)
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            _require_finite(number, name, tensor)
        for name, weight in model.named_parameters():
            mark = _mark(weight)
            if mark is None:
                continue
            before, other = self._seen.setdefault(mark, (number, name))
            if before != number:
                raise DomainError(
                    f"'{name}' is the same, bit for bit, in networks {before + 1} and {number + 1} that the factory "
                    "made.",
                    "It seeds itself (torch.manual_seed, a generator of its own), draws by numpy from a fixed seed, or "
                    "hands out a module that was made before.",
                    "Draw the weights from torch's global random state, which is seeded before each call, and make a "
                    "new module in each.",
                )
            if other != name:
                raise DomainError(
                    f"'{other}' and '{name}' are equal, bit for bit, in network {number + 1}.",
                    "A layer was copied (copy.deepcopy) with its weights: layers that are copies are dependent, and "
                    "what is predicted are independent ones.",
                    "Initialise each layer after it was copied, or make it anew.",
                )

    def _require_form(self, number: int, model: nn.Module) -> None:
        form = _form_of(model)
        if form == self._form:
            return
        names = [name for name in {**self._form, **form} if self._form.get(name) != form.get(name)]
        was, now = (_told(each.get(names[0])) for each in (self._form, form))
        raise DomainError(
            f"The factory makes different networks: '{names[0]}' is {was} in one and {now} in network {number + 1}.",
            "Its widths, depth or activations depend on something that changes between calls, such as a counter or "
            "random numbers.",
            "Give a function that makes the same architecture each time, with weights of their own.",
        )


def _form_of(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Kind, and shapes of the parameters, of each module by name; modules with parts have no entry of their own."""
    return {
        name or "(the module itself)": (
            type(part).__name__,
            *(
                f"{key} {'uninitialised' if is_lazy(value) else tuple(value.shape)}"
                for key, value in part.named_parameters(recurse=False)
            ),
        )
        for name, part in model.named_modules()
        if not any(True for _ in part.children())
    }


def _told(form: tuple[str, ...] | None) -> str:
    if form is None:
        return "missing"
    kind, *shapes = form
    return f"a {kind}" + (f" ({', '.join(shapes)})" if shapes else "")


def _require_finite(number: int, name: str, tensor: torch.Tensor) -> None:
    if not tensor.is_floating_point() or is_lazy(tensor) or tensor.is_meta:
        return
    bad = int(torch.count_nonzero(~torch.isfinite(tensor.detach())))
    if bad:
        raise DomainError(
            f"'{name}' has {bad} of {tensor.numel()} entries that are NaN or infinite, in network {number + 1} of the "
            "factory.",
            "It was computed with a division by zero or an overflow, or is memory that nothing was written to.",
            "Initialise it with finite numbers in every call.",
        )


def _mark(weight: Any) -> bytes | None:
    """A digest of a matrix of many values; None of another tensor."""
    if weight.ndim < 2 or weight.numel() < _FEWEST or is_lazy(weight) or weight.is_meta:
        return None
    numbers = weight.detach().to_dense().double().cpu().contiguous().numpy()
    some = numbers.reshape(-1)[:_LOOKED_AT]
    if np.unique(some).size <= min(_VALUES, some.size // 2):
        return None
    return hashlib.blake2b(numbers.tobytes(), digest_size=16, person=repr(numbers.shape).encode()[:16]).digest()
