"""Labellings by moves that are minimum cuts."""
