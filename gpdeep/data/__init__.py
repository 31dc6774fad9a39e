"""The inputs that a depth prediction starts from, and the law of the angles between them."""

from .angles import AngleSample, pair_angles
from .centring import prepare
from .reading import load_inputs

__all__ = ["AngleSample", "load_inputs", "pair_angles", "prepare"]
