"""Batch normalisation's train phase in the original: the moving averages after every update."""
