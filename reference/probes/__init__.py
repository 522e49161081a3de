"""The original's layers, one at a time, on inputs that are given."""
