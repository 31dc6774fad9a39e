"""What came out of replacing activations: the new model, and a row for each activation in it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ...result import render_table
from ..modules.partial_relu import PartialReLU


@dataclass(frozen=True, eq=False)
class Replacement:
    """What `replace_activations` answers.

    Attributes
    ----------
    model : torch.nn.Module
        A copy with `PartialReLU` in place of the activations; what was given is as it was.
    modules : dict of str to PartialReLU
        The new activations by name, in order of execution where that is known.
    rewritten : bool
        Whether the model is a `torch.fx.GraphModule`, with the names of parameters and the operations of the original
        but not its class: where functions were replaced, or a module that was called several times.
    left : tuple of (str, str)
        Activations that were not asked for, by name and kind.
    compared : bool
        Whether both models were run on the example and agree.
    notes : tuple of str
        What the reader should know.
    """

    model: nn.Module
    modules: dict[str, PartialReLU]
    rewritten: bool
    left: tuple[tuple[str, str], ...]
    compared: bool
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Units that can become linear."""
        return sum(module.num_channels for module in self.modules.values())

    def __str__(self) -> str:
        """A table of the new activations."""
        rows = [
            [name, str(module.num_channels), str(module.channel_dim), module.granularity, str(module.alpha.numel())]
            for name, module in self.modules.items()
        ]
        notes = [f"left as it is: {name} ({kind})" for name, kind in self.left]
        notes += ["the model is a torch.fx.GraphModule"] if self.rewritten else []
        notes += [] if self.compared else ["not compared with the original: no example was given"]
        title = f"{len(rows)} activations with {self.channels} channels"
        columns = ["name", "channels", "axis", "slope of each", "slopes"]
        return render_table(title, columns, rows, [*notes, *(f"note: {note}" for note in self.notes)])
