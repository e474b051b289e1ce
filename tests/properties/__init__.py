"""Random histories over the laws of the core."""
