"""K nearest neighbours, and the edge weights made of their distances."""
