"""What an activation is, and the catalogue by name."""

from .catalogue import RELU, activation, parse_activation
from .two_slope import TwoSlope

__all__ = ["RELU", "TwoSlope", "activation", "parse_activation"]
