"""Leaky ResNets: the geodesic and its bottleneck."""
