"""All experiments, by id; each is imported when it is asked for."""

from __future__ import annotations

import importlib

from gpdeep.errors import DomainError

from .experiment import Experiment

_HOMES = {
    "E1": "e1_initialisation_laws",
    "E2": "e2_accuracy_and_degeneracy",
    "E3": "e3_trainable_region",
    "E4": "e4_sparse_activations",
    "E5": "e5_leaky_resnets",
    "E6": "e6_partial_linearisation",
}
IDS = tuple(_HOMES)


def experiment(id: str) -> Experiment:
    """The experiment called `id`, such as E1 or e1.

    Raises
    ------
    DomainError
        There is none of that name.
    """
    home = _HOMES.get(id.upper())
    if home is None:
        raise DomainError(f"There is no experiment '{id}'.", "The name is misspelt.", f"Use {', '.join(IDS)}, or all.")
    found: Experiment = importlib.import_module(f".{home}", __package__).EXPERIMENT
    return found


def chosen(ids: list[str]) -> list[Experiment]:
    """The experiments of these names; ``all`` stands for all of them."""
    names = [name for id in ids for name in (IDS if id.lower() == "all" else (id,))]
    return [experiment(name) for name in dict.fromkeys(name.upper() for name in names)]
