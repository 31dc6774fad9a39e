"""Stored paths, networks and costs of identity; `made` in the file says how they were made."""

import json
from pathlib import Path

import numpy as np

from gpdeep.leaky.geometry import Geometry
from gpdeep.leaky.nonlinearity import Nonlinearity

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "leaky.json").read_text())


def entries(family, of=""):
    """Entries of a family whose id begins with `of`: lists of numbers are arrays, and null infinity."""
    return [_arrays(entry) for entry in REFERENCE[family] if entry.get("id", entry.get("name")).startswith(of)]


def entry(name):
    """The one entry called `name`, in the family that has it."""
    (found,) = [
        _arrays(e)
        for family in ("closed_form", "smooth", "relu", "network")
        for e in REFERENCE[family]
        if e["id"] == name
    ]
    return found


def name(entry):
    return entry["id"]


def options(entry):
    """Activation, bias and gamma as keyword arguments."""
    phi = entry["activation"]
    if phi == "softplus":
        phi = f"softplus:{entry['sharpness']:g}"
    return {"activation": phi, "bias": entry["bias"], "gamma": entry["gamma"]}


def geometry(entry):
    chosen = options(entry)
    return Geometry(Nonlinearity.of(chosen["activation"]), chosen["bias"], chosen["gamma"])


def _arrays(value):
    if isinstance(value, dict):
        return {key: _arrays(item) for key, item in value.items()}
    if isinstance(value, list) and _numeric(value):
        return np.array([np.inf if x is None else x for x in value], dtype=np.float64)
    return value


def _numeric(value):
    return all(_numeric(x) if isinstance(x, list) else x is None or isinstance(x, (int, float)) for x in value)
