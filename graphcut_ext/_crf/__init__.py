"""Mean field in a fully connected CRF."""
