"""What an activation is, and the catalogue by name."""

from .catalogue import activation, parse_activation
from .two_slope import TwoSlope

__all__ = ["TwoSlope", "activation", "parse_activation"]
