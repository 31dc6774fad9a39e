"""Partial linearisation: which units stay nonlinear, and what they are worth."""
