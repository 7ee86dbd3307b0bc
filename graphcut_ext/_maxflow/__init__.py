"""Minimum cuts of edge lists and of neighbour graphs."""
