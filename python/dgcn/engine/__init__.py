"""The stages of a run: classify, seed, segment, predict, evaluate, and the chain of them."""
