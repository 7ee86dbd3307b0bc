"""One graph in NumPy arrays."""
