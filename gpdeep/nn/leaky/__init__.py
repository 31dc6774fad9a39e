"""Leaky ResNets, trained to stationarity."""
