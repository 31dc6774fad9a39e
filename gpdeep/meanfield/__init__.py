"""Infinite width: what depth does to the angle between two inputs.

`angle_path` gives the angle layer by layer, `angle_asymptote` and `log_sin2_asymptote` its law at large depth, and
`infinite_degeneracy_depth` the depth at which it falls below a threshold.
"""

from .angle_decay import angle_asymptote, angle_path, infinite_degeneracy_depth, log_sin2_asymptote

__all__ = [
    "angle_asymptote",
    "angle_path",
    "infinite_degeneracy_depth",
    "log_sin2_asymptote",
]
