"""Sparsifying activations: why they are unstable, and what clipping does."""
