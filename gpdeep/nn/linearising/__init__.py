"""Activations with a slope for each channel, and how training makes them linear."""
