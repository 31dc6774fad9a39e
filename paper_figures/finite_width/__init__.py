"""Finite width: the law of the angle."""
