"""The stages of a run, one file each, and the chain of them."""
