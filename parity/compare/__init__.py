"""Runs a port along a recorded original and judges every layer."""
