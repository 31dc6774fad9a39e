"""The inputs that a depth prediction starts from, the law of the angles between them, and data to train on."""

from .angles import AngleSample, pair_angles
from .centring import prepare
from .labelled import LabelledSplit, load_labelled
from .reading import load_inputs

__all__ = ["AngleSample", "LabelledSplit", "load_inputs", "load_labelled", "pair_angles", "prepare"]
