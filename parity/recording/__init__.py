"""The originals: their environments, recorders and traces."""
