"""From a module to its architecture, and from an architecture to its weights."""
