"""Infinite width: maps, phases, trainable depth."""
