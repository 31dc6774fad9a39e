"""Finite width."""
