"""The training loop, the objectives it minimises, checkpoints, and what is shown meanwhile."""
