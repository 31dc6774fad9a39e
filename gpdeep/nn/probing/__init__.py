"""What goes through a network, layer by layer, beside what theory says."""
