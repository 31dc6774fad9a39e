"""Affine layers that nothing separates any more, merged; the core that is left."""
