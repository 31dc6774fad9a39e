r"""The penalty that pulls the slopes of `PartialReLU` to 1, and the two rules by which they get there.

    R = Σ_i c_i |1 - a_i|^p      over units that are not frozen

c_i = 1 for a slope of its own per channel, C for one slope of C channels, 1/S for each of the S positions of a channel:
so a layer costs the same whatever its slopes are shared by. ``reduction='mean'`` divides by the number of channels of
the model, so that one weight of the penalty serves several widths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ...errors import DomainError
from ...gaussian.arguments import choice, flag, shown
from ...linearize.sparsity_prior import require_power, require_tau, slope_prox
from ..arguments import LARGEST, number
from ..modules.partial_relu import PartialReLU, partial_relus, require_finite_slopes_of
from ..reading.weights import require_module

REDUCTIONS = ("sum", "mean")


class LinearityPenalty:
    """The penalty R of a model, with the rules that freeze its units.

    Parameters
    ----------
    model : torch.nn.Module
        With `PartialReLU` modules (`replace_activations` puts them in). A module that is called several times has one
        set of slopes and is counted once.
    p : float
        Power in (0, 1].
    reduction : {'sum', 'mean'}
        Whether R is divided by the number of channels.
    weights : mapping of str to float, optional
        Factors of c_i for modules by name; 1 where none is given.

    Raises
    ------
    DomainError
        There is no `PartialReLU`, or an argument is out of range.

    Notes
    -----
    *Use.* The slopes want a learning rate of their own and no weight decay, which pulls to 0::

        penalty = LinearityPenalty(model)
        optimizer = torch.optim.SGD(penalty.groups(lr=0.5, momentum=0.0), lr=0.1, momentum=0.9, weight_decay=5e-4)
        schedule = LinearizeSchedule(omega=0.005, start=20, stop=40)
        schedule.check(penalty, lr=0.5, steps=len(loader))
        ...
            loss = criterion(model(x), y) + schedule.weight(epoch) * penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.after_step(epoch, penalty)

    *Which units survive* is decided on the way: what a slope does to the loss when the penalty is switched on predicts
    it poorly.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 3), PartialReLU(3, alpha=0.75), nn.Linear(3, 1))
    >>> penalty = LinearityPenalty(model)
    >>> round(penalty().item(), 6), penalty.snap(tau=0.3), penalty().item()
    (1.5, 3, 0.0)
    """

    def __init__(
        self, model: nn.Module, p: float = 0.5, reduction: str = "sum", weights: Mapping[str, float] | None = None
    ) -> None:
        require_module(model)
        self.p = require_power(p)
        self._model = model
        self._modules = dict(partial_relus(model))
        if not self._modules:
            raise DomainError(
                f"{type(model).__name__} has no PartialReLU.",
                "Its activations are plain ReLUs, whose slopes are no parameters.",
                "Put them in by gpdeep.nn.replace_activations(model).model.",
            )
        choice("reduction", reduction, REDUCTIONS)
        channels = sum(module.num_channels for module in self._modules.values())
        self._scale = 1.0 / channels if reduction == "mean" else 1.0
        self._factors = self._checked({} if weights is None else weights)
        self._above: dict[str, Any] = {}
        self._remember()

    def __call__(self) -> Any:
        """R, a tensor to differentiate; its gradient is 0 where a slope is exactly 1.

        Raises
        ------
        DomainError
            Slopes are NaN or infinite. On a GPU the numbers are not waited for: `snap` and `prox_step` refuse them.
        """
        self._remember()
        device = next(iter(self._modules.values())).alpha.device
        parts = []
        for name, module in self._modules.items():
            z = 1 - module.alpha
            live = ~module.frozen & (z != 0)
            size = torch.where(live, z.abs(), torch.ones_like(z)) ** self.p
            total = torch.where(live, size, torch.zeros_like(z)).sum()
            parts.append(self.coefficient(name) * total.to(device))
        penalty = torch.stack(parts).sum()
        if penalty.device.type == "cpu" and not torch.isfinite(penalty):
            self._require_finite()
        return penalty

    @property
    def modules(self) -> Mapping[str, PartialReLU]:
        """The activations by name."""
        return self._modules

    def coefficient(self, name: str) -> float:
        """c of the slopes of one module, reduction and weights included."""
        choice("name", name, self._modules)
        module = self._modules[name]
        return self._scale * self._factors[name] * (module.num_channels / int(module.alpha.numel()))

    def parameters(self) -> list[nn.Parameter]:
        """The slopes."""
        return [module.alpha for module in self._modules.values()]

    def groups(self, lr: float, **options: Any) -> list[dict[str, Any]]:
        """Parameter groups for an optimiser: all other parameters, and the slopes without weight decay.

        Parameters
        ----------
        lr : float
            Learning rate of the slopes.
        **options
            Of the group of slopes, such as ``momentum=0.0``.
        """
        slopes = self.parameters()
        known = {id(slope) for slope in slopes}
        others = [parameter for parameter in self._model.parameters() if id(parameter) not in known]
        own = {"lr": number("lr", lr, 0.0, LARGEST, "a learning rate"), "weight_decay": 0.0, **options}
        return [{"params": others}, {"params": slopes, **own}]

    def snap(self, tau: float = 0.01) -> int:
        """Freeze what has arrived: after each optimiser step in which the penalty was on.

        A unit is frozen at slope 1 if |1 - a| < τ, or if 1 - a has changed its sign since the penalty was last computed
        (or `snap` last called): the pull grows without bound at 1, and the step has gone over it.

        Parameters
        ----------
        tau : float
            Half-width τ of the window, 0 < τ < 1.

        Returns
        -------
        int
            Units frozen now. Of an optimiser's averages at these nothing needs to be known: frozen slopes are set to 1
            again at every call.

        Raises
        ------
        DomainError
            τ is out of range, or slopes are NaN or infinite; then nothing is frozen.
        """
        tau = require_tau(tau)
        self._require_finite()
        new = 0
        for name, module in self._modules.items():
            alpha = module.alpha.detach()
            crossed = (alpha > 1) != self._above[name].to(alpha.device)
            new += module.freeze(((1 - alpha).abs() < tau) | crossed)
        self._remember()
        return new

    def prox_step(self, step: float, *, freeze: bool = True) -> int:
        """The proximal step of the penalty, in place of its gradient: after an optimiser step on the loss alone.

        Parameters
        ----------
        step : float
            s ≥ 0, the learning rate of the slopes times the weight of the penalty; a slope's own is s c_i.
        freeze : bool
            Whether slopes that it sets to 1 are frozen; without, the loss may bring them back.

        Returns
        -------
        int
            Slopes set to 1 now: those with |1 - a| ≤ `gpdeep.linearize.prox_threshold` (s c_i), 1.5 (s c_i)^{2/3} for
            p = 1/2.

        Raises
        ------
        DomainError
            An argument is not what its name says, or slopes are NaN or infinite; then nothing is changed.
        """
        step = number("step", step, -LARGEST, LARGEST, "a learning rate times the weight of the penalty")
        frozen = flag("freeze", freeze)
        self._require_finite()
        count = 0
        with torch.no_grad():
            for name, module in self._modules.items():
                wide = torch.promote_types(module.alpha.dtype, torch.float32)
                z = slope_prox(1 - module.alpha.to(wide), step * self.coefficient(name), self.p)
                zero = (z == 0) & ~module.frozen
                module.alpha.copy_(torch.where(module.frozen, torch.ones_like(z), 1 - z))
                count += int(zero.sum())
                if frozen:
                    module.freeze(zero)
        self._remember()
        return count

    def _require_finite(self) -> None:
        """Refuse slopes that a training left without a value: by their side of 1 they would seem to have crossed it."""
        for name, module in self._modules.items():
            require_finite_slopes_of(f"'{name}'", module)

    def _remember(self) -> None:
        """Note on which side of 1 slopes are."""
        self._above = {name: module.alpha.detach() > 1 for name, module in self._modules.items()}

    def _checked(self, weights: Mapping[str, float]) -> dict[str, float]:
        """The factors of all modules."""
        if not isinstance(weights, Mapping):
            raise DomainError(
                f"weights is {shown(weights)}.", "Factors are given by the names of modules.", "Give a dict."
            )
        unknown = sorted(map(str, set(weights) - set(self._modules)))
        if unknown:
            raise DomainError(
                f"weights names {', '.join(map(repr, unknown))}.",
                "No PartialReLU is called so.",
                f"Use some of {', '.join(map(repr, self._modules))}.",
            )
        given = {
            name: number(f"weights[{shown(name)}]", weight, 0.0, LARGEST, "a factor")
            for name, weight in weights.items()
        }
        return {name: given.get(name, 1.0) for name in self._modules}
