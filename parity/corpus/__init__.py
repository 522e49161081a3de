"""Proves a port on a whole collection: every clip, original, port and oracle (docs/scaling.md)."""
