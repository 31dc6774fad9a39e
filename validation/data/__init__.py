"""What networks are trained on: images that only a nonlinear network tells apart, numbers in words, a user's folder.

`prepared` gives any of them centred and scaled, with a record of what was done and of the angles between samples.
"""

from .number_words import Translation, english, german, number_words
from .source_names import data_name
from .sources import PreparedData, prepared
from .templates import template_split

__all__ = [
    "PreparedData",
    "Translation",
    "data_name",
    "english",
    "german",
    "number_words",
    "prepared",
    "template_split",
]
