"""Experiments that train networks and compare them with what theory says, and the evidence they leave in results/."""
