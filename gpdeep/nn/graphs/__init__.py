"""From a module to the graph of its channels: one rule an operation."""
