"""Activations as torch modules."""
